"""Making a server's values plain: what it writes as `false`, as a pair, as an object with its type
in it, or as a list of names and values."""

from __future__ import annotations

import html
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from adapters.rest.paths import MISSING, look, replaced, steps
from adapters.rest.schema.description import Named, Values
from adapters.rest.schema.object_description import FieldForm
from adapters.rest.templates import render_text

_PLAIN = frozenset({str, int, float, Decimal, type(None)})
_NO_TEXTS = _PLAIN - {str}


class RowMaker(Protocol):
    """Makes something else of a row. `asked` is False when there is nothing to do."""

    @property
    def asked(self) -> bool:
        """Whether a row may not stay the bytes that it came as."""

    def row(self, value: Any) -> Any:
        """The row; what was handed in stays as it was."""


def rewritable(values: Values) -> Values:
    """What is made of a row that may be sent back: names and values become an object, texts lose
    their entities, and all else stays as the server wrote it."""
    return values.model_copy(update={"false_is_null": False, "pairs": False, "tagged": None})


class Plain:
    """Makes rows plain, as `values` asks for. `names` are those of the templates. `asked` is False
    when there is nothing to do: then a row may stay the bytes that it came as."""

    def __init__(
        self, values: Values, fields: Mapping[str, FieldForm], names: Mapping[str, Any]
    ) -> None:
        self._values = values
        self._names = names
        self._booleans = frozenset(path for path, form in fields.items() if form.type == "boolean")
        self._ready = _NO_TEXTS if values.entities else _PLAIN
        self.asked = values != Values()

    def row(self, value: Any) -> Any:
        """The row with plain values; what was handed in stays as it was."""
        if self._values.named is not None:
            value = _named(value, self._values.named)
        return self._plain(value, "") if self.asked else value

    def _plain(self, value: Any, path: str) -> Any:
        """`path`: names only; whatever stands in a list has the path of the list."""
        if isinstance(value, dict):
            return self._object(value, path)
        if isinstance(value, list):
            return self._list(value, path)
        if isinstance(value, str):
            return html.unescape(value) if self._values.entities else value
        if value is False and self._values.false_is_null and path not in self._booleans:
            return None
        return value

    def _object(self, value: dict[str, Any], path: str) -> Any:
        tagged = self._values.tagged
        if tagged is not None:
            kind = value.get(tagged.key)
            if isinstance(kind, str) and kind in tagged.forms:
                return render_text(tagged.forms[kind], {**self._names, "value": value})
        before = f"{path}." if path else ""
        return {
            name: item if type(item) in self._ready else self._plain(item, before + name)
            for name, item in value.items()
        }

    def _list(self, value: list[Any], path: str) -> Any:
        if self._values.pairs and _is_pair(value):
            return {"id": value[0], "name": self._plain(value[1], path)}
        return [item if item is False else self._plain(item, path) for item in value]


def _is_pair(value: list[Any]) -> bool:
    return len(value) == 2 and type(value[0]) is int and isinstance(value[1], str)


def _named(row: Any, named: Named) -> Any:
    items = look(row, named.path)
    if not isinstance(items, list):
        return row
    found: dict[str, list[Any]] = {}
    for item in items:
        name, one = look(item, named.name), look(item, named.value)
        if isinstance(name, str):
            found.setdefault(name, []).append(None if one is MISSING else one)
    plain = {name: several[0] if len(several) == 1 else several for name, several in found.items()}
    return replaced(row, steps(named.path), plain)
