"""The inputs of one customer, computed in Python from the rows of the facts tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from policies.inputs import Gaps, Input, InputPlan
from policies.metrics import Aggregate, Filter, Metric
from policies.tree import Attribute, HasTag, MetricValue
from policies.vocabulary import ATTRIBUTES, Type

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A row of `customers`, and the customer's rows of each facts table."""

    customer: Row
    events: Mapping[str, Sequence[Row]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InputValues:
    """What `inputs` holds for one customer, by the place of the input."""

    values: tuple[Any, ...]
    instants: Mapping[int, datetime | None]
    currencies: Mapping[int, str | None]
    gaps: Gaps


def input_values(plan: InputPlan, facts: CustomerFacts) -> InputValues | None:
    """None when the customer did not exist yet."""
    created = _utc(facts.customer.get("created_at"))
    if created is not None and created >= plan.as_of.utc:
        return None
    first_seen = facts.customer.get("first_seen_on")
    history_known = first_seen is not None and first_seen <= plan.as_of.day
    visible = {
        fact: [row for row in rows if _is_visible(plan, row)] for fact, rows in facts.events.items()
    }
    undated = frozenset(
        fact
        for fact in plan.facts
        if any(
            row["happened_at"] is None and _is_recorded(plan, row)
            for row in facts.events.get(fact, ())
        )
    )
    gaps = Gaps(history_known, undated)
    values: list[Any] = []
    instants: dict[int, datetime | None] = {}
    currencies: dict[int, str | None] = {}
    for item in plan.inputs:
        rows = _in_window(plan, item, visible) if item.metric else ()
        value = _value(plan, item, facts.customer, rows, gaps)
        if item.instant:
            instants[item.place] = value
        if item.currency:
            dated = rows if item.metric and item.metric.fact not in undated else ()
            currencies[item.place] = min(map(_currency, dated), default=None)
        if item.type is Type.DATE and value is not None:
            value = plan.as_of.local_day(value)
        values.append(value)
    return InputValues(tuple(values), instants, currencies, gaps)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _is_visible(plan: InputPlan, row: Row) -> bool:
    happened = _utc(row["happened_at"])
    return happened is not None and happened < plan.as_of.utc and _is_recorded(plan, row)


def _is_recorded(plan: InputPlan, row: Row) -> bool:
    recorded = _utc(row.get("recorded_at"))
    return recorded is None or recorded < plan.as_of.utc


def _in_window(plan: InputPlan, item: Input, visible: Mapping[str, list[Row]]) -> Sequence[Row]:
    rows = visible.get(item.metric.fact, []) if item.metric else []
    if not isinstance(item.leaf, MetricValue) or item.leaf.days is None:
        return rows
    start = plan.as_of.window_start(item.leaf.days)
    return [row for row in rows if _happened(row) >= start]


def _happened(row: Row) -> datetime:
    moment: datetime = row["happened_at"]
    return _utc(moment) or moment


def _currency(row: Row) -> str:
    return row["currency"] or ""


def _value(plan: InputPlan, item: Input, customer: Row, rows: Sequence[Row], gaps: Gaps) -> Any:
    if not item.available or (item.history and not gaps.history_known):
        return None
    if item.metric is not None:
        if item.metric.fact in gaps.undated:
            return None
        return _metric(plan, item.metric, rows)
    if isinstance(item.leaf, HasTag):
        return item.leaf.tag in customer["tags"]
    if isinstance(item.leaf, Attribute) and ATTRIBUTES[item.leaf.name].type is Type.MOMENT:
        moment = _utc(customer.get(item.leaf.name))
        return moment if moment is not None and moment < plan.as_of.utc else None
    return customer.get(item.leaf.name) or None


def _metric(plan: InputPlan, metric: Metric, rows: Sequence[Row]) -> Any:
    if metric.aggregate is Aggregate.LAST:
        return max(map(_happened, rows), default=None)
    if metric.aggregate is Aggregate.FIRST:
        return min(map(_happened, rows), default=None)
    if metric.aggregate is Aggregate.SUM:
        return _sum(rows)
    if metric.filter is Filter.ALL:
        return len(rows)
    if any(row["state"] is None for row in rows):
        return None
    return sum(_deal_counts(plan, metric.filter, row) for row in rows)


def _sum(rows: Iterable[Row]) -> Decimal | None:
    """Unknown when an amount is missing or currencies are mixed."""
    total, currencies = Decimal(0), set()
    for row in rows:
        if row["amount"] is None:
            return None
        currencies.add(_currency(row))
        total += row["amount"]
    return total if len(currencies) <= 1 else None


def _deal_counts(plan: InputPlan, which: Filter, row: Row) -> bool:
    closed = _utc(row.get("closed_at"))
    closed_later = closed is not None and closed >= plan.as_of.utc
    if which is Filter.OPEN:
        return row["state"] == "open" or closed_later
    return row["state"] == "won" and not closed_later
