"""The one strict YAML reader: JSON's scalars, no duplicate keys, no aliases, all positions kept.

Whatever the bytes hold, it answers with a document or with `FileProblems`.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, insort
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from policies.errors import ConfigurationError, FileProblems, Problem
from policies.signs import without_quotes
from policies.yaml_faults import fault

MAX_CHARACTERS = 2_000_000
MAX_DEPTH = 40

PathKey = tuple[str | int, ...]

_NEGATED = "write NOT before a condition, or put the whole value in double quotes"
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "half of a character (\\uD800 to \\uDFFF) cannot stand here"
# A comment proper has a space behind its sign.
_COMMENT = re.compile(r"[ \t]+(#[^\s#]+)")
_WORDS = {"": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands: line and column from 1, and its characters in the text."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain Python values, with the position of each."""

    name: str
    value: Any
    text: str
    spans: Mapping[PathKey, Span] = field(repr=False)
    keys: Mapping[PathKey, Span] = field(repr=False)

    def position(self, path: PathKey, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at `path` (or of its key), else of what holds it."""
        span = self._span(path, key=key)
        return span.line, span.column

    def position_in(self, path: PathKey, offset: int) -> tuple[int, int]:
        """Line and column of the character `offset` of the text at `path`."""
        span = self.spans.get(path)
        text = self.text_at(path) if span is not None else None
        if span is None or text is None:
            return self.position(path)
        index = _aligned(text, self.text, span, offset)
        before = self.text[:index]
        return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1

    def problem(
        self, path: PathKey, message: str, suggestion: str = "", *, key: bool = False
    ) -> Problem:
        return Problem(self.name, *self.position(path, key=key), message, suggestion)

    def problem_in(
        self, path: PathKey, offset: int, message: str, suggestion: str = "", about: str = ""
    ) -> Problem:
        """As `problem`, for one character of an expression or a template."""
        return Problem(self.name, *self.position_in(path, offset), message, suggestion, about)

    def blank_by_comment(self, path: PathKey) -> Problem | None:
        """Nothing stands at `path`, because what was meant to begins with a #: the problem."""
        span = self.spans.get(path)
        if span is None or self.value_at(path) is not None:
            return None
        match = _COMMENT.match(self.text, span.end)
        if match is None:
            return None
        column = span.column + match.start(1) - span.start
        hint = f'quote it: "{match.group(1)}"'
        return Problem(self.name, span.line, column, "nothing but a comment stands here", hint)

    def is_bare_key(self, path: PathKey) -> bool:
        """Is there a key without a colon, as a comma within {...} leaves one behind?"""
        key, span = self.keys.get(path), self.spans.get(path)
        return key is not None and span is not None and span.start == span.end == key.end

    def without(self, gone: Collection[PathKey]) -> Document:
        """The document without these values; all others keep their places in the file."""
        numbers: dict[PathKey, list[int]] = {}
        for *holder, last in gone:
            if isinstance(last, int):
                insort(numbers.setdefault((*holder,), []), last)

        def follow(places: Mapping[PathKey, Span]) -> dict[PathKey, Span]:
            kept = (path for path in places if not _is_below(path, gone))
            return {_renumbered(path, numbers): places[path] for path in kept}

        spans, keys = follow(self.spans), follow(self.keys)
        return Document(self.name, _pruned(self.value, (), gone), self.text, spans, keys)

    def _span(self, path: PathKey, *, key: bool) -> Span:
        places = (self.keys, self.spans) if key else (self.spans, self.keys)
        for length in range(len(path), 0, -1):
            for place in places:
                if path[:length] in place:
                    return place[path[:length]]
        return self.spans.get((), Span(1, 1, 0, 0))

    def text_at(self, path: PathKey) -> str | None:
        """The value at `path` if it is text."""
        value = self.value_at(path)
        return value if isinstance(value, str) else None

    def value_at(self, path: PathKey) -> Any:
        value = self.value
        for part in path:
            value = value[part]
        return value


def _is_below(path: PathKey, gone: Collection[PathKey]) -> bool:
    return any(path[:length] in gone for length in range(1, len(path) + 1))


def _renumbered(path: PathKey, numbers: Mapping[PathKey, list[int]]) -> PathKey:
    return tuple(
        part - bisect_left(numbers.get(path[:place], ()), part) if isinstance(part, int) else part
        for place, part in enumerate(path)
    )


def _pruned(value: Any, path: PathKey, gone: Collection[PathKey]) -> Any:
    if isinstance(value, dict):
        kept = [key for key in value if (*path, key) not in gone]
        return {key: _pruned(value[key], (*path, key), gone) for key in kept}
    if isinstance(value, list):
        places = [number for number in range(len(value)) if (*path, number) not in gone]
        return [_pruned(value[number], (*path, number), gone) for number in places]
    return value


def read_yaml(text: str | bytes, name: str) -> Document:
    """Read one document. Raises `FileProblems` for anything that is not plain strict YAML."""
    decoded = _decoded(text, name)
    reader = _Reader(decoded, name)
    try:
        return reader.document()
    except yaml.MarkedYAMLError as error:
        raise FileProblems([fault(decoded, name, error)]) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise FileProblems([Problem(name, 1, 1, f"this is not readable YAML ({error})")]) from None


def read_yaml_file(path: Path, name: str = "") -> Document:
    """`read_yaml` for a file; a file that cannot be opened is a `ConfigurationError`."""
    return read_yaml(_bytes_of(path), name or path.name)


def read_text_file(path: Path, name: str) -> str:
    """Any other text file, as strict about what text is."""
    return _decoded(_bytes_of(path), name)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(
            f"cannot read {path.name}: {reason}", f"it was looked for in {path.parent.resolve()}"
        ) from None


def _decoded(text: str | bytes, name: str) -> str:
    text = (_from_utf8(text, name) if isinstance(text, bytes) else text).removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        message = f"the file is longer than {MAX_CHARACTERS:,} characters"
        raise FileProblems([Problem(name, 1, 1, message)])
    unusual = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if unusual:
        line = text.count("\n", 0, unusual.start()) + 1
        column = unusual.start() - (text.rfind("\n", 0, unusual.start()) + 1) + 1
        message = f"the character U+{ord(unusual.group()):04X} cannot stand in a YAML file"
        raise FileProblems([Problem(name, line, column, message, "delete it")])
    return text


def _from_utf8(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        message = "this file is not UTF-8 text"
        raise FileProblems([Problem(name, line, column, message, "save it as UTF-8")]) from None


class _Reader:
    """Turns YAML nodes into values and remembers where each stood."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._problems: list[Problem] = []
        self._spans: dict[PathKey, Span] = {}
        self._keys: dict[PathKey, Span] = {}

    def document(self) -> Document:
        self._refuse_shortcuts()
        node = yaml.compose(self._text, Loader=yaml.SafeLoader)
        value = None if node is None else self._value(node, ())
        if self._problems:
            raise FileProblems(self._problems)
        return Document(self._name, value, self._text, self._spans, self._keys)

    def _refuse_shortcuts(self) -> None:
        """Aliases and tags, found in the events: nothing has been expanded or nested yet."""
        depth = 0
        for event in _events(self._text):
            if isinstance(event, yaml.AliasEvent):
                self._add(event.start_mark, f"the alias *{event.anchor} is not allowed here")
            elif getattr(event, "tag", None) not in (None, "!"):
                hint = _NEGATED if event.tag.startswith("!") else ""
                self._add(event.start_mark, f"the tag {event.tag} is not allowed here", hint)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                self._add(event.start_mark, f"values are nested deeper than {MAX_DEPTH} levels")
                break
        if self._problems:
            raise FileProblems(self._problems, "write values out where they are needed")

    def _add(self, mark: Any, message: str, suggestion: str = "") -> None:
        line, column = mark.line + 1, mark.column + 1
        self._problems.append(Problem(self._name, line, column, message, suggestion))

    def _value(self, node: yaml.Node, path: PathKey) -> Any:
        self._spans[path] = _span(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, place)) for place, item in enumerate(node.value)]
        if _SURROGATE.search(node.value):
            self._add(node.start_mark, _HALF)
        quoted = isinstance(node, yaml.ScalarNode) and node.style
        meant = "" if quoted else without_quotes(node.value)
        if meant:
            message = "these quotes would be part of the text"
            self._add(node.start_mark, message, f'write "{meant}"')
        return node.value if quoted else plain_scalar(node.value)

    def _mapping(self, node: yaml.MappingNode, path: PathKey) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(key_node.start_mark, "a key must be plain text")
                continue
            key = key_node.value
            if _SURROGATE.search(key):
                self._add(key_node.start_mark, _HALF)
            elif key == "<<" and not key_node.style:
                self._add(key_node.start_mark, "merge keys (<<) are not allowed here")
            elif key in values:
                first = self._keys[(*path, key)].line
                message = f"the key '{key}' stands here twice (line {first})"
                self._add(key_node.start_mark, message, "keep one of them, or find another key")
            else:
                self._keys[(*path, key)] = _span(key_node)
                values[key] = self._value(value_node, (*path, key))
        return values


def _events(text: str) -> Iterator[Any]:
    yield from yaml.parse(text, Loader=yaml.SafeLoader)


def _span(node: yaml.Node) -> Span:
    start = node.start_mark
    return Span(start.line + 1, start.column + 1, start.index, node.end_mark.index)


def plain_scalar(text: str) -> Any:
    """JSON's scalars and nothing else: `NO`, `12:30`, `0123` and `2024-01-01` stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = Decimal(text)
        return number if math.isfinite(number) else text
    return text


def _aligned(value: str, source: str, span: Span, offset: int) -> int:
    """The place in `source` of `value[offset]`: quotes, folded lines and escapes are skipped."""
    index = span.start
    if source[index : index + 1] in ("|", ">"):
        newline = source.find("\n", index)
        index = newline + 1 if newline >= 0 else index
    for place, character in enumerate(value):
        found = source.find(character, index, span.end)
        if character in " \n":
            found = _blank(source, index, span.end)
        if found < 0:
            break
        if place == offset:
            return found
        index = found + 1
        if character in " \n" and source[found] == "\n":
            while index < span.end and source[index] in " \n":
                index += 1
    return index if offset >= len(value) else span.start


def _blank(source: str, index: int, end: int) -> int:
    while index < end and source[index] not in " \t\r\n":
        index += 1
    return index if index < end else -1
