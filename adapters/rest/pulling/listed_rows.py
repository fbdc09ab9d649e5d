"""What the pull has to know of the rows of a page: their ids, which of them say "deleted", their
moments of change. Rows stay the bytes that they came as, unless the description asks for more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import compress
from types import GenericAlias
from typing import Any, TypedDict

import msgspec

from adapters.rest.paths import look, steps
from adapters.rest.pulling.moments import changed_at
from adapters.rest.pulling.values import RowMaker
from adapters.rest.schema.object_description import Modified, Tombstone

# Numbers keep every digit.
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
# No record: the check of the rows rejects it and says so.
_UNREADABLE = b"null"
_NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a page, the id of each ('' where there is none), and what was seen of each."""

    texts: list[bytes]
    ids: list[str]
    seen: list[dict[str, Any]]

    def behind(self, count: int) -> Rows:
        """The rows without the first ones."""
        return Rows(self.texts[count:], self.ids[count:], self.seen[count:])


NO_ROWS = Rows([], [], [])


class RowReader:
    """Reads the rows of one listing. `wanted`: paths besides the id that will be looked at."""

    def __init__(self, id_path: str, wanted: Iterable[str], plain: RowMaker) -> None:
        self.id_path = id_path
        self._plain = plain if plain.asked else None
        glance = _glance_of(str(steps(path)[0]) for path in (id_path, *wanted) if path)
        self._one: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(glance)
        self._all: msgspec.json.Decoder[list[dict[str, Any]]] = msgspec.json.Decoder(
            GenericAlias(list, glance)
        )

    def read(self, raws: Sequence[msgspec.Raw]) -> Rows:
        if self._plain is None:
            texts = [bytes(raw) for raw in raws]
            seen = self._glances(texts)
        else:
            pairs = [self._made_plain(bytes(raw)) for raw in raws]
            texts, seen = [text for text, _ in pairs], [row for _, row in pairs]
        return Rows(texts, [identifier_of(look(row, self.id_path)) for row in seen], seen)

    def _glances(self, texts: list[bytes]) -> list[dict[str, Any]]:
        try:
            return self._all.decode(b"[" + b",".join(texts) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return [self._glance(text) for text in texts]

    def _glance(self, text: bytes) -> dict[str, Any]:
        """Nothing of a row that cannot be read: the check of the rows tells why."""
        try:
            return self._one.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _NOTHING

    def _made_plain(self, text: bytes) -> tuple[bytes, dict[str, Any]]:
        assert self._plain is not None  # noqa: S101 - for the type checker
        try:
            row = self._plain.row(_EXACT.decode(text))
            return _ENCODER.encode(row), row if isinstance(row, dict) else _NOTHING
        except UnicodeDecodeError:
            return text, self._glance(text)
        except (msgspec.DecodeError, RecursionError):
            return _UNREADABLE, _NOTHING


def _glance_of(names: Iterable[str]) -> Any:
    """A type that takes these names out of a row and passes over the others."""
    fields = dict.fromkeys(names, Any)
    return TypedDict("Glance", fields, total=False)  # type: ignore[operator] # its names come at run time


def sorted_out(rows: Rows, tombstone: Tombstone | None) -> tuple[Rows, tuple[str, ...]]:
    """The rows of records that live, and the ids of those that say "deleted"."""
    if tombstone is None:
        return rows, ()
    gone = [
        bool(identifier) and tombstone.stands_in(row)
        for identifier, row in zip(rows.ids, rows.seen, strict=True)
    ]
    if not any(gone):
        return rows, ()
    lives = [not is_gone for is_gone in gone]
    living = Rows(
        list(compress(rows.texts, lives)),
        list(compress(rows.ids, lives)),
        list(compress(rows.seen, lives)),
    )
    return living, tuple(compress(rows.ids, gone))


def newest(rows: Iterable[dict[str, Any]], modified: Modified, zone: tzinfo) -> datetime | None:
    """The latest moment of change; that of creation stands in where a row has none."""
    moments = (changed_at(row, modified, zone) for row in rows)
    return max((moment for moment in moments if moment), default=None)


def identifier_of(value: Any) -> str:
    """As the staged copy has it: 12 and "12" are one id; numbers with a fraction are none."""
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) else ""
