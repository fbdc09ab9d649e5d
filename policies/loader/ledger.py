"""A part of a policy file with its place, and the list of what is wrong in all the files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from policies.errors import Problem
from policies.language.scope import Built
from policies.template import template_problem
from policies.yaml_source import Document, PathKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file, by its path."""

    document: Document
    path: PathKey = ()

    def at(self, *parts: str | int) -> Place:
        return Place(self.document, (*self.path, *parts))

    @property
    def text(self) -> str:
        """For a sentence about another place: the file and the line."""
        return f"{self.document.name}, line {self.document.position(self.path)[0]}"


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value and where it stands."""

    value: T
    place: Place


@dataclass
class Ledger:
    """The problems and warnings of all files of a policy."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str, suggestion: str = "", *, key: bool = False) -> None:
        """Note a problem at the value, or at its key."""
        found = place.document.problem(place.path, message, suggestion, key=key)
        self.problems.append(found)

    def complain(self, place: Place, built: Built) -> None:
        """Note what is wrong with the expression that stands here."""
        for item in built.complaints:
            problem = place.document.problem_in(
                place.path, item.offset, item.message, item.suggestion, item.about
            )
            self.problems.append(problem)

    def check_template(self, place: Place, text: str) -> None:
        problem = template_problem(text)
        if problem is not None:
            self.problems.append(place.document.problem_in(place.path, *problem))
