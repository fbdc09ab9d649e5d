"""What a rule asks of people and of time, as data: who is told, how long is waited, what follows.

Only the marks of a rule are carried out; these words are checked, hashed, shown and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policies.condition import Expression
from policies.duration import Duration
from policies.language.number_text import Value


class ProcessDate(StrEnum):
    """A date that the process itself sets, written `$act_date` in the value of a field."""

    START = "start_date"
    ACT = "act_date"
    REVISIT = "revisit_date"


@dataclass(frozen=True, slots=True)
class FieldMark:
    """A field of the CRM, by its API name or label, and what a rule writes there."""

    field: str
    value: Value | ProcessDate


@dataclass(frozen=True, slots=True)
class Tell:
    """A message: at the start (`left` is None), or when so much of the wait is left."""

    left: Duration | None
    to: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Extend:
    """How often and by how many days the wait may be made longer, and who approves it."""

    times: int
    days: int
    approve: str


@dataclass(frozen=True, slots=True)
class Act:
    """What follows the wait: `verb` is return (pool), archive (void) or offboard (cleanout);
    `mode` is auto, or review: a person decides on each customer."""

    verb: str
    mode: str
    reason: str = ""
    open_records: str = "keep"


@dataclass(frozen=True, slots=True)
class Revisit:
    """Ask again after such a time, unless the condition holds."""

    every: Duration
    unless: Expression | None = None


@dataclass(frozen=True, slots=True)
class Todo:
    """A task for a person, unless the condition holds."""

    to: tuple[str, ...]
    due: Duration
    text: str
    unless: Expression | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """The process words of one rule."""

    tell: tuple[Tell, ...] = ()
    wait: Duration | None = None
    cancel: Expression | None = None
    extend: Extend | None = None
    act: Act | None = None
    review: tuple[str, ...] = ()
    revisit: Revisit | None = None
    todo: Todo | None = None

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """Every condition that stands in a process word."""
        parts = (self.revisit, self.todo)
        found = (self.cancel, *(part.unless for part in parts if part is not None))
        return tuple(condition for condition in found if condition is not None)


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Where a customer goes that nobody claims from its pool in such a time."""

    after: Duration
    move_to: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A shared pool; `when` is None for the last one, which takes the rest."""

    name: str
    when: Expression | None
    unclaimed: Unclaimed | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How a first run is worked off: so many customers of an owner a week, the oldest first."""

    wave: int
    order: str = "oldest"
