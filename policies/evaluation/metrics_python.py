"""From the rows of one customer to a metric, in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.row_python import Row, RowWriter, utc
from policies.language.metrics import Aggregate
from policies.language.number_size import is_known
from policies.language.tree import Node
from policies.language.vocabulary import Type

_LONG_AGO = datetime(1, 1, 1)  # noqa: DTZ001 - the warehouse's UTC without a zone


class Seen(NamedTuple):
    """A visible row: when it happened, its currency, and what was asked of it."""

    happened_at: datetime
    currency: str
    answers: tuple[Any, ...]


class Answer(NamedTuple):
    """The value of a metric. `unclear`: none, because rows do not say whether they count.
    `currency`: one of those that the counting rows are in."""

    value: Any
    unclear: bool = False
    currency: str | None = None


class FactRows:
    """The rows of one facts table, each read once for all metrics."""

    def __init__(self, plan: InputPlan, fact: str) -> None:
        self._plan = plan
        self._writer = RowWriter(plan)
        self._places: dict[Node, int] = {}
        results = []
        for item in plan.inputs:
            if item.metric is None or item.metric.fact != fact or not item.available:
                continue
            for node in _asked(item):
                if node not in self._places:
                    self._places[node] = len(self._places)
                    results.append(self._writer.value(node))
        self._evaluate: Callable[[Row], tuple[Any, ...]] = self._writer.compiled(results)

    def seen(self, rows: Iterable[Row]) -> list[Seen]:
        """The rows that had happened and were recorded by the moment of the run."""
        found = []
        for row in rows:
            happened = utc(row["happened_at"])
            if happened is not None and happened < self._plan.as_of.utc and self.is_recorded(row):
                found.append(Seen(happened, row.get("currency") or "", self._evaluate(row)))
        return found

    def undated(self, rows: Iterable[Row]) -> list[Seen]:
        """The recorded rows whose moment could not be read: they are there all the same."""
        return [
            Seen(_LONG_AGO, row.get("currency") or "", self._evaluate(row))
            for row in rows
            if row["happened_at"] is None and self.is_recorded(row)
        ]

    def is_recorded(self, row: Row) -> bool:
        recorded = utc(row.get("recorded_at"))
        return recorded is None or recorded < self._plan.as_of.utc

    def answer(self, item: Input, rows: Sequence[Seen]) -> Answer:
        """The value of one input."""
        assert item.asked is not None  # noqa: S101 - no other input has rows
        assert item.metric is not None  # noqa: S101 - as above
        inside = [row for row in rows if item.start is None or row.happened_at >= item.start]
        counting, doubtful = self._split(inside, item.asked.rows)
        if item.asked.after is not None:
            return self._after(item.asked.after, rows, counting, doubtful)
        if item.metric.aggregate in {Aggregate.FIRST, Aggregate.LAST}:
            is_last = item.metric.aggregate is Aggregate.LAST
            return _outermost(counting, doubtful, max if is_last else min)
        if doubtful:
            currency = min((row.currency for row in counting), default=None)
            return Answer(None, unclear=True, currency=currency)
        return self._known(item, item.metric.aggregate, counting)

    def _known(self, item: Input, aggregate: Aggregate, rows: Sequence[Seen]) -> Answer:
        """Of rows that count for certain."""
        if aggregate is Aggregate.COUNT:
            return Answer(len(rows))
        if aggregate is Aggregate.INTERVAL:
            return Answer(self._interval(rows))
        assert item.value is not None  # noqa: S101 - sums and latest values are of something
        values = [row.answers[self._places[item.value]] for row in rows]
        if aggregate is Aggregate.LATEST:
            return _latest([row.happened_at for row in rows], values)
        return self._sum(item, [row.currency for row in rows], values)

    def _split(self, rows: Sequence[Seen], condition: Node | None) -> tuple[list[Seen], list[Seen]]:
        """The rows that count, and those of which nobody can tell."""
        if condition is None:
            return list(rows), []
        place = self._places[condition]
        return (
            [row for row in rows if row.answers[place] is True],
            [row for row in rows if row.answers[place] is None],
        )

    def _after(
        self, condition: Node, rows: Sequence[Seen], counting: list[Seen], doubtful: list[Seen]
    ) -> Answer:
        befores, maybes = self._split(rows, condition)
        last = max((row.happened_at for row in befores), default=_LONG_AGO)
        maybe = max((row.happened_at for row in maybes), default=_LONG_AGO)
        later = [row for row in counting if row.happened_at > last]
        unclear = any(row.happened_at > last for row in doubtful)
        if unclear or any(row.happened_at <= maybe for row in later):
            return Answer(None)
        return Answer(len(later))

    def _interval(self, rows: Iterable[Seen]) -> Decimal | None:
        days = sorted({self._plan.as_of.local_day(row.happened_at) for row in rows})
        between = sorted((later - earlier).days for earlier, later in pairwise(days))
        if not between:
            return None
        half = (len(between) - 1) // 2
        return Decimal(between[half] + between[len(between) // 2]) / 2

    def _sum(self, item: Input, currencies: Sequence[str], values: Sequence[Any]) -> Answer:
        is_money = item.leaf.type is Type.MONEY and self._plan.policy.money is None
        currency = min(currencies, default=None) if is_money else None
        if any(value is None for value in values) or (is_money and len(set(currencies)) > 1):
            return Answer(None, currency=currency)
        nothing = 0 if item.leaf.type is Type.INTEGER else Decimal(0)
        total = sum(values, nothing)
        return Answer(total if is_known(total, item.leaf.type) else None, currency=currency)


def _asked(item: Input) -> tuple[Node, ...]:
    asked = item.asked
    assert asked is not None  # noqa: S101 - only metrics ask rows
    return tuple(node for node in (asked.rows, asked.after, item.value) if node is not None)


def _outermost(
    counting: Sequence[Seen],
    doubtful: Sequence[Seen],
    choose: Callable[[Iterable[datetime]], datetime],
) -> Answer:
    """The first or the last: only a row further out that may count can change which one is it."""
    if not counting and not doubtful:
        return Answer(None)
    found = choose([row.happened_at for row in (*counting, *doubtful)])
    if found in {row.happened_at for row in counting}:
        return Answer(found)
    return Answer(None, unclear=True)


def _latest(at: Sequence[datetime], values: Sequence[Any]) -> Answer:
    last = max(at, default=None)
    found = {value for moment, value in zip(at, values, strict=True) if moment == last}
    if not found:
        return Answer(None)
    if len(found) > 1 or None in found:
        return Answer(None, unclear=True)
    return Answer(found.pop())
