"""Where the parts of a loaded policy stand in its files, for findings about their meaning."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from policies.condition import Expression
from policies.errors import Problem
from policies.language.number_text import scalar_text
from policies.language.syntax import names_in
from policies.messages import message
from policies.model import KINDS, Policy
from policies.yaml_source import Document, PathKey

_PARAMETER = re.compile(r"\$(\w+)")

_DEFINING = (("define",), ("scores",))

Position = tuple[str, int, int]
Spot = tuple[Document, PathKey]


class Places:
    """Looks up rules, protections, pools, definitions and words of conditions, and says in a
    language what was found there."""

    def __init__(self, policy: Policy, language: str = "en") -> None:
        self._policy = policy
        self.language = language
        # The policy's own file comes last; what it says replaces what it extends.
        self._documents = list(policy.documents.values())[::-1]
        self._named: dict[str, list[Spot]] = defaultdict(list)
        self._pools: list[Spot] = []
        for place in self._documents:
            for path in place.spans:
                if path[:1] in _DEFINING and len(path) > 1:
                    self._named[str(path[1])].append((place, path))
                elif path[:1] == ("pools",) and path[2:] == ("when",):
                    self._pools.append((place, path))

    def found(self, position: Position, key: str, **values: object) -> Problem:
        """A finding with its fact and its help."""
        fact, advice = (self.say(f"{key}.{part}", **values) for part in ("fact", "help"))
        return problem_at(position, fact, advice)

    def say(self, key: str, **values: object) -> str:
        return message(self.language, f"lint.{key}", **values)

    def listed(self, names: Iterable[str]) -> str:
        return message(self.language, "list.separator").join(names)

    @property
    def top(self) -> Position:
        """The beginning of the policy's own file."""
        return (self._documents[0].name if self._documents else self._policy.name, 1, 1)

    def named(self, name: str) -> Position:
        """Where a rule, a protection or a pool of this name begins."""
        for document in self._documents:
            pools: PathKey = ("pools", name)
            if pools in document.keys:
                return (document.name, *document.position(pools, key=True))
            for section, keys in (("rules", KINDS), ("protect", ("id",))):
                for place, item in enumerate(_list(document, section)):
                    key = next((key for key in keys if _get(item, key) == name), None)
                    if key is not None:
                        return (document.name, *document.position((section, place, key)))
        return self.top

    def sections(self, name: str) -> Iterator[tuple[str, Position]]:
        """The keys of a section such as `params`, and where each stands last."""
        seen: set[str] = set()
        for document in self._documents:
            for path in document.keys:
                if path[:-1] == (name,) and str(path[-1]) not in seen:
                    seen.add(str(path[-1]))
                    yield str(path[-1]), (document.name, *document.position(path, key=True))

    def texts(self) -> Iterator[str]:
        """Every text of the files, wherever it stands."""
        for document in self._documents:
            for path in document.spans:
                text = document.text_at(path)
                if text is not None:
                    yield text

    def marks(self) -> Iterator[str]:
        """The texts that rules write into fields."""
        for document in self._documents:
            for path in document.spans:
                if path[:1] == ("rules",) and path[-2:-1] == ("field",):
                    yield document.text_at(path) or ""

    def word(self, expression: Expression, *patterns: str) -> Position:
        """Where the first of the patterns is found: in the condition, else in the pools, else in
        what it is defined by. If none is, the place where the condition begins.

        A group in a pattern is what is meant; what stands before it only helps to find it.
        """
        document = self._policy.documents.get(expression.file)
        if document is None:
            return self.top
        for pattern in patterns:
            for place, path in self.spots(expression):
                match = re.search(pattern, place.text_at(path) or "")
                if match is not None:
                    offset = match.start(match.lastindex or 0)
                    return (place.name, *place.position_in(path, offset))
        return (document.name, *document.position(expression.path))

    def spots(self, expression: Expression) -> list[Spot]:
        """Where a condition is written, and the texts that it is made of besides."""
        document = self._policy.documents.get(expression.file)
        if document is None:
            return []
        return [(document, expression.path), *self._behind(expression, document)]

    def numbers(self) -> Iterator[tuple[PathKey, str, Position]]:
        """The numbers with a point that are values of the files, as they are written there."""
        for document in self._documents:
            for path, span in document.spans.items():
                if isinstance(document.value_at(path), Decimal):
                    text = document.text[span.start : span.end]
                    yield path, text, (document.name, *document.position(path))

    def number(self, expression: Expression, value: str, *, near: str) -> Position:
        """Where a number is written, as it is or as a parameter: behind a name, else anywhere."""
        names = [
            re.escape(f"${name}") + r"(?!\w)"
            for name, held in self._policy.params.items()
            if scalar_text(held) == value
        ]
        number = "|".join([rf"(?<![\w.$]){re.escape(value)}(?![\w.])", *names])
        behind = rf"{word_pattern(near)}[^\n]{{0,60}}?({number})"
        return self.word(expression, behind, number)

    def _behind(self, expression: Expression, document: Document) -> Iterator[Spot]:
        """The other texts that a condition is made of: pools, definitions and scores."""
        if document.text_at(expression.path) != expression.text:
            yield from self._pools
        waiting, seen = [expression.text], set[str]()
        while waiting:
            for name in sorted(names_in(waiting.pop()) & self._named.keys() - seen):
                seen.add(name)
                yield from self._named[name]
                waiting += [place.text_at(path) or "" for place, path in self._named[name]]


def word_pattern(name: str) -> str:
    """A name that is not a part of a longer one."""
    return rf"(?<!\w){re.escape(name)}(?!\w)"


def parameters_in(text: str) -> frozenset[str]:
    """The parameters that a text names."""
    return frozenset(_PARAMETER.findall(text))


def problem_at(position: Position, message: str, suggestion: str = "") -> Problem:
    return Problem(*position, message, suggestion)


def _list(document: Document, section: str) -> list[Any]:
    value = _get(document.value, section)
    return value if isinstance(value, list) else []


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None
