"""The shape of one object's records: the paths wanted, how a row is checked, how DuckDB reads it.

A path is `Field`, `Field.id`, `Tag[].name` or `Tags[]`. Nothing here knows what a path is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

_PART = re.compile(r"[^.\[\]]+(\[\])?")
_AT = re.compile(r" - at `(?P<path>[^`]+)`$")
_Leaf = str | int | float | bool | None


class PathError(ValueError):
    """A path cannot be used; the text says why."""


class Reject(msgspec.Struct, frozen=True, gc=False):
    """A row that is not what the mapping expects: record id if readable, JSON path, and why."""

    id: str
    field: str
    message: str


@dataclass(slots=True)
class _Node:
    """One level of a record: a leaf when it has no children; `is_list` for `[]`, `loose` for a
    leaf that may hold anything."""

    is_list: bool = False
    loose: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def split_path(path: str) -> tuple[str, ...]:
    """The parts of a path, `[]` left on the part that is a list."""
    parts = tuple(path.split("."))
    if not all(_PART.fullmatch(part) for part in parts) or path.count("[]") > 1:
        raise PathError(f"{path!r} is not a path such as Field, Field.id or Tag[].name")
    return parts


def is_utf8(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False


def is_list_path(path: str) -> bool:
    return "[]" in path


def identifier(name: str) -> str:
    """A quoted SQL name."""
    return '"' + name.replace('"', '""') + '"'


def _tree(paths: Iterable[str], loose: Iterable[str] = ()) -> _Node:
    root = _Node()
    free = frozenset(loose)
    for path in paths:
        node = root
        parts = split_path(path)
        for depth, part in enumerate(parts):
            name, is_list = part.removesuffix("[]"), part.endswith("[]")
            _refuse_case_twin(node, name, path)
            known = name in node.children
            child = node.children.setdefault(name, _Node(is_list))
            last = depth == len(parts) - 1
            if known and (child.is_list != is_list or last == bool(child.children)):
                raise PathError(f"{path!r} and another path want different things of {name!r}")
            node = child
        node.loose = path in free
    return root


def _refuse_case_twin(node: _Node, name: str, path: str) -> None:
    if any(other != name and other.lower() == name.lower() for other in node.children):
        raise PathError(f"{path!r} differs from another path by upper and lower case only")


def _row_type(node: _Node, name: str, key: str | None = None) -> Any:
    if node.loose:
        return msgspec.Raw
    if not node.children:
        inner: Any = _Leaf
    else:
        fields: list[Any] = []
        names = {}
        for number, (child_name, child) in enumerate(node.children.items()):
            attribute = "key" if child_name == key else f"f{number}"
            names[attribute] = child_name
            if child_name == key:
                fields.append((attribute, str | int))
            else:
                fields.append((attribute, _row_type(child, f"{name}_{number}"), None))
        # a required attribute comes before those that have a default
        fields.sort(key=len)
        inner = msgspec.defstruct(name, fields, rename=names, gc=False)
        if key is not None:
            return inner
    return list[inner | None] | None if node.is_list else inner | None


def _column_type(node: _Node) -> str:
    inner = "VARCHAR"
    if node.children:
        parts = (
            f"{identifier(name)} {_column_type(child)}" for name, child in node.children.items()
        )
        inner = f"STRUCT({', '.join(parts)})"
    return f"{inner}[]" if node.is_list else inner


def _expression(path: str) -> str:
    before, _, after = path.partition("[]")
    reached = "r." + ".".join(identifier(part) for part in before.split("."))
    if not is_list_path(path):
        return reached
    item = "x" + "".join(f".{identifier(part)}" for part in after.split(".") if part)
    listed = f"[{item} FOR x IN {reached} IF {item} IS NOT NULL]"
    return f"coalesce({listed}, CAST([] AS VARCHAR[]))"


class RowShape:
    """What is wanted of an object's records. `loose` paths may hold anything, a list or an object
    too, which is then its JSON text. Raises `PathError` when paths contradict."""

    def __init__(
        self, name: str, id_path: str, paths: Iterable[str], loose: Iterable[str] = ()
    ) -> None:
        if len(split_path(id_path)) > 1 or is_list_path(id_path):
            raise PathError(f"the id must be a field of the record itself, not {id_path!r}")
        self.name = name
        self.id_path = id_path
        strict = tuple(dict.fromkeys((id_path, *paths)))
        free = frozenset(loose) - frozenset(strict)
        self.paths = (*strict, *sorted(free))
        tree = _tree(self.paths, free)
        self.fields = tuple(tree.children)
        self.column_type = _column_type(tree)
        self._decoder = msgspec.json.Decoder(_row_type(tree, "Row", id_path))
        self._id_decoder = msgspec.json.Decoder(_row_type(_tree([id_path]), "Key", id_path))

    def check(self, row: bytes) -> Reject | None:
        """None for a row that can be staged. Values never appear in a reject's message."""
        try:
            key = self._decoder.decode(row).key
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._reject(row, str(error))
        if key == "":
            return Reject("", f"$.{self.id_path}", "the record has no id")
        return None

    def check_text(self, row: bytes) -> Reject | None:
        """msgspec skips over the text of fields that nobody asked for; DuckDB does not."""
        return None if is_utf8(row) else self._reject(row, "the record is not UTF-8")

    def _reject(self, row: bytes, message: str) -> Reject:
        place = _AT.search(message)
        try:
            key = str(self._id_decoder.decode(row).key)
        except (msgspec.DecodeError, UnicodeDecodeError):
            key = ""
        return Reject(key, place["path"] if place else "$", _AT.sub("", message))

    def select_list(self) -> str:
        """Columns of the staged table from a struct `r`; a column is called like its path."""
        columns = [f'{_expression(self.id_path)} AS ":id"']
        columns += [f"{_expression(path)} AS {identifier(path)}" for path in self.paths]
        return ", ".join(columns)


class RowCheck:
    """Checks the rows of a page and notices which wanted fields no row carries at all.

    A field that the CRM leaves out of every record is a permission that is missing, not a value.
    """

    def __init__(self, shape: RowShape, unseen: Iterable[str]) -> None:
        self._shape = shape
        # other names may be written with escapes, so that looking for them proves nothing
        self._unseen = {name: msgspec.json.encode(name) for name in unseen if name.isascii()}

    @property
    def unseen(self) -> tuple[str, ...]:
        return tuple(self._unseen)

    def rejects(self, rows: Sequence[bytes], text: bytes) -> dict[int, Reject]:
        """What is wrong with the rows of one page, by their place; `text` is all of them."""
        for name in [name for name, encoded in self._unseen.items() if encoded in text]:
            del self._unseen[name]
        check = self._shape.check
        found = {place: reject for place, row in enumerate(rows) if (reject := check(row))}
        if not is_utf8(text):
            odd = ((place, self._shape.check_text(row)) for place, row in enumerate(rows))
            found |= {place: reject for place, reject in odd if reject}
        return found
