"""What one text is read with, the names of its policy, and how far the reading has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from policies.language.checks import Refusal
from policies.language.number_text import Value
from policies.language.syntax import MAX_DEPTH, TOO_DEEP, Complaint, Parsed
from policies.language.tree import Node
from policies.language.vocabulary import Type

MAX_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class Defined:
    """What a name of `define:` stands for; `node` is None when it has problems of its own."""

    node: Node | None
    size: int = 1
    depth: int = 1


def _unspoken(_table: str, _label: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that a policy adds to the vocabulary.

    `undefined`: defines that cannot be used and have been reported. `clocks`: the policy's own
    definitions. `tiers`: the stage of each tier rule; None when it has problems of its own.
    `partial`: there are more names than these, in a file that could not be read; one that is not
    known is no mistake then. `knows_crm`: the fields of the CRM are among `fields`. `spoken`: how
    a condition writes what people call by this label, about customers or the rows of a table.
    `memo`: trees of fixed texts that depend on this policy.
    """

    params: Mapping[str, Value] = field(default_factory=dict)
    defines: Mapping[str, Defined] = field(default_factory=dict)
    undefined: frozenset[str] = frozenset()
    clocks: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Type] = field(default_factory=dict)
    tiers: Mapping[str, Node | None] = field(default_factory=dict)
    has_calendar: bool = False
    partial: bool = False
    knows_crm: bool = False
    spoken: Callable[[str, str], str] = field(default=_unspoken, repr=False, compare=False)
    memo: dict[str, Node | None] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Built:
    """A condition's tree, or the complaints that stand in its way."""

    node: Node | None
    complaints: tuple[Complaint, ...]
    size: int
    depth: int


@dataclass(slots=True)
class Reading:
    """One text on its way to a tree: what was found wrong so far, and how large it has grown."""

    text: str
    parsed: Parsed
    scope: Scope
    complaints: list[Complaint] = field(default_factory=list)
    size: int = 0
    depth: int = 0
    deepest: int = 1

    def complain(self, tree: exp.Expr, message: str, suggestion: str = "", about: str = "") -> None:
        self.complaints.append(Complaint(self.parsed.offset(tree), message, suggestion, about))

    def enter(self) -> None:
        self.depth += 1
        self.grow(1, 0)

    def grow(self, size: int, depth: int) -> None:
        """So much more, so deep below the present place."""
        self.size += size
        self.deepest = max(self.deepest, self.depth + depth)

    def check_size(self) -> None:
        if self.deepest > MAX_DEPTH:
            raise Refusal(*TOO_DEEP)
        if self.size > MAX_SIZE:
            raise Refusal("this condition is too large", "simplify it or its defines")

    def built(self, node: Node | None) -> Built:
        complaints = tuple(dict.fromkeys(self.complaints))
        return Built(None if complaints else node, complaints, self.size, self.deepest)
