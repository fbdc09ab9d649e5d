"""Conditions over the columns of one row of a facts table: between the brackets of a metric, in
the definition of a metric, and in the clocks of a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from sqlglot import exp

from policies.language import checks
from policies.language.checks import Refusal
from policies.language.metrics import BY_HAND, CLOCKS, FORMULAS, FUNCTIONS, METRICS, Metric
from policies.language.reader import Reader
from policies.language.scope import Built, Reading, Scope
from policies.language.syntax import parse
from policies.language.tree import (
    AllOf,
    Arithmetic,
    Compare,
    Constant,
    DaysSince,
    IsBlank,
    Node,
    RowColumn,
    Today,
    walk,
)
from policies.language.vocabulary import (
    ATTRIBUTES,
    CUSTOMERS,
    EVENTS,
    LATE_ENTRY_DAYS,
    Type,
)

BACKFILLED = "backfilled"
TODAY = "today"

_CLOCK_TABLE = "activities"


def build_rows(text: str, table: str, scope: Scope) -> Built:
    """Build a condition over the rows of a table, such as a policy's clock. Never raises."""
    parsed = parse(text)
    reading = Reading(text, parsed, scope)
    if parsed.tree is None:
        return Built(None, tuple(parsed.complaints), 1, 1)
    return reading.built(RowReader(reading, table).rows(parsed.tree))


def build_clock(text: str, scope: Scope) -> Built:
    """Build a policy's own definition of a clock. Never raises."""
    return build_rows(text, _CLOCK_TABLE, scope)


def metric_value(name: str) -> Node:
    """What a sum adds up, or the latest row shows, as a tree over the columns of the row."""
    metric = METRICS[name]
    return fixed_tree(metric.value, metric.fact, None)


def metric_rows(metric: Metric, days: int | None, scope: Scope) -> tuple[Node, ...] | None:
    """Which rows a metric counts by its own definition; None if a clock of the policy is wrong."""
    parts = [fixed_tree(metric.where, metric.fact, None)] if metric.where else []
    if metric.window and days is not None:
        parts.append(fixed_tree(metric.window, metric.fact, days))
    if metric.clock:
        clock = _clock(metric.clock, scope)
        if clock is None:
            return None
        parts.append(clock)
    return tuple(parts)


def rows_after(metric: Metric, scope: Scope) -> Node | None:
    """The rows after whose last one a metric begins to count."""
    clock = _clock(metric.after, scope)
    return None if clock is None else all_of(fixed_tree(BY_HAND, metric.fact, None), clock)


def all_of(*parts: Node | None) -> Node | None:
    """AND, flat and without repetition; None stands for no condition."""
    flat: dict[Node, None] = {}
    for part in parts:
        if part is not None:
            flat.update(dict.fromkeys(part.parts if isinstance(part, AllOf) else (part,)))
    if len(flat) > 1:
        return AllOf(tuple(flat))
    return next(iter(flat), None)


def _clock(name: str, scope: Scope) -> Node | None:
    text = scope.clocks.get(name)
    if text is None:
        return fixed_tree(CLOCKS[name], _CLOCK_TABLE, None)
    key = f"clock {name}: {text}"
    if key not in scope.memo:
        scope.memo[key] = build_clock(text, scope).node
    return scope.memo[key]


@lru_cache(maxsize=1024)
def fixed_tree(text: str, table: str, days: int | None) -> Node:
    """The tree of a text that stands in the definition of a metric."""
    parsed = parse(text.replace("$days", str(days)))
    reading = Reading(text, parsed, Scope())
    node = None if parsed.tree is None else RowReader(reading, table).value(parsed.tree)
    if node is None:
        message = f"a metric is defined by a text that cannot be read: {text}"
        raise ValueError(message)
    return node


class RowReader(Reader):
    """Reads a condition over the rows of one table."""

    def __init__(self, reading: Reading, table: str) -> None:
        super().__init__(reading, table)
        self._columns = EVENTS[table].usable

    def rows(self, tree: exp.Expr) -> Node | None:
        """A whole condition: it has to say something about the row."""
        node = self.condition(tree)
        if node is not None and not any(isinstance(item, RowColumn) for item in walk(node)):
            message = f"this says nothing about a row of {self.table}"
            self.reading.complain(tree, message, f"name one of {', '.join(self._columns)}")
            return None
        return node

    def named(self, name: str, *, quoted: bool) -> Node | None:
        if quoted:
            raise Refusal(f'unknown name "{name}"', f"text stands in single quotes: '{name}'")
        if name in self._columns:
            return RowColumn(self.table, name)
        if name == TODAY:
            return Today()
        if name == BACKFILLED:
            return _backfilled(self.table)
        scope = self.reading.scope
        if name in ABOUT_CUSTOMERS or name in scope.defines or name in scope.undefined:
            raise self._not_of_a_row(name)
        elsewhere = sorted(other for other, table in EVENTS.items() if name in table.usable)
        if elsewhere:
            raise Refusal(f"{self.table} have no '{name}'", f"it is in {', '.join(elsewhere)}")
        valid = {*self._columns, TODAY, BACKFILLED}
        raise Refusal(f"unknown column '{name}' of {self.table}", self.meant(name, valid))

    def called(self, name: str, tree: exp.Expr) -> Node | None:
        build_call = _CALLS.get(name)
        if build_call is not None:
            return build_call(self, tree)
        if name in ABOUT_CUSTOMERS:
            raise self._not_of_a_row(name)
        return self.unknown_function(tree)

    def functions(self) -> set[str]:
        return {*_CALLS, "least", "greatest"}

    def blank(self, value: Node) -> Node:
        hint = "IS NULL is for columns"
        if not isinstance(value, RowColumn):
            raise Refusal(f"{checks.described(value)} is never blank", hint)
        if not self._columns[value.name].may_be_unknown:
            raise Refusal(f"{value.name} is never blank", f"{hint} that may be empty")
        return IsBlank(value)

    def _not_of_a_row(self, name: str) -> Refusal:
        message = f"'{name}' is about the customer, not about a row of {self.table}"
        names = ", ".join(self._columns)
        return Refusal(message, f"combine it outside of the brackets; a row has {names}")

    def days_since(self, tree: exp.Expr) -> Node | None:
        arguments = self.arguments(tree, 1, 1, ("else",))
        trees = [*arguments.plain, *arguments.named.values()]
        days = self.values(trees)
        if days is None:
            return None
        for day in days:
            self._check_day("days_since", day)
        otherwise = days[1] if len(days) == 2 else None
        if otherwise is not None and not checks.may_be_blank(days[0]):
            raise Refusal(f"{checks.described(days[0])} is never blank", "leave else: out")
        return _since(days[0], otherwise)

    def days_until(self, tree: exp.Expr) -> Node | None:
        day = self.value(self.arguments(tree, 1, 1).plain[0])
        if day is None:
            return None
        self._check_day("days_until", day)
        if day.type is not Type.DATE:
            raise Refusal("days_until takes a date", f"write days_since({checks.described(day)})")
        return Arithmetic("-", Constant(0), DaysSince(day, None), Type.INTEGER)

    def _check_day(self, function: str, node: Node) -> None:
        if node.type not in checks.DAYS:
            names = [name for name, item in self._columns.items() if item.type in checks.DAYS]
            message = f"{function} takes a moment or a date; {checks.described(node)} is none"
            raise Refusal(message, f"in {self.table}: {', '.join(names)}")


def _since(day: Node, otherwise: Node | None) -> DaysSince:
    """A row without a moment of its recording was recorded when it happened."""
    if otherwise is None and isinstance(day, RowColumn) and day.name == "recorded_at":
        otherwise = RowColumn(day.table, "happened_at")
    return DaysSince(day, otherwise)


def _backfilled(table: str) -> Node:
    happened = _since(RowColumn(table, "happened_at"), None)
    recorded = _since(RowColumn(table, "recorded_at"), None)
    late = Arithmetic("-", happened, recorded, Type.INTEGER)
    return Compare(">", late, Constant(LATE_ENTRY_DAYS))


# `tags` and `tier` are no columns of a policy's own, yet authors write them.
ABOUT_CUSTOMERS = frozenset(
    {*ATTRIBUTES, *CUSTOMERS.by_name, *METRICS, *FORMULAS, *FUNCTIONS, "tier"}
)
_CALLS: Mapping[str, Callable[[RowReader, exp.Expr], Node | None]] = {
    "days_since": RowReader.days_since,
    "days_until": RowReader.days_until,
    "if": RowReader.choice,
}
