"""The inputs of one customer, computed in Python from the rows of the facts tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from policies.evaluation.evidence import Gaps
from policies.evaluation.field_text import field_value
from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.inputs_sql import data_age
from policies.evaluation.metrics_python import FactRows, Seen
from policies.evaluation.row_python import Row, utc
from policies.language.tree import Attribute, CustomField, DataAge, HasTag
from policies.language.vocabulary import OWNER_ATTRIBUTES, STALE_ATTITUDE_DAYS, Type
from policies.moment import AsOf

_NOBODY = object()


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A row of `customers`, the customer's rows of each facts table, and the row of `people` that
    is the owner. Of a facts table that counts for groups: the rows of the whole group."""

    customer: Row
    events: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    owner: Row | None = None


@dataclass(frozen=True, slots=True)
class InputValues:
    """What `inputs` holds for one customer, by the place of the input."""

    values: tuple[Any, ...]
    instants: Mapping[int, datetime | None]
    currencies: Mapping[int, str | None]
    gaps: Gaps


def existed(as_of: AsOf, customer: Row) -> bool:
    """Was the customer there by then?"""
    created = utc(customer.get("created_at"))
    return created is None or created < as_of.utc


def group_of(as_of: AsOf, customer: Row) -> str | None:
    """The group that the customer was known to belong to; None: its own rows count alone."""
    known = existed(as_of, customer) and _history_known(as_of, customer)
    return (customer.get("group_key") or None) if known else None


def with_groups(
    facts: Mapping[str, CustomerFacts], as_of: AsOf, group: frozenset[str]
) -> dict[str, CustomerFacts]:
    """All customers, each with the rows of its whole group in the facts tables of `group`."""
    members = defaultdict(list)
    for item in facts.values():
        members[group_of(as_of, item.customer)].append(item)
    result = {}
    for key, item in facts.items():
        name = group_of(as_of, item.customer)
        together = [item] if name is None else members[name]
        shared = {
            fact: [row for member in together for row in member.events.get(fact, ())]
            for fact in group
        }
        result[key] = replace(item, events={**item.events, **shared})
    return result


class InputReader:
    """Reads the inputs of one customer after the other."""

    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan
        self._rows = {fact: FactRows(plan, fact) for fact in plan.facts}

    def read(self, facts: CustomerFacts) -> InputValues | None:
        """None when the customer did not exist yet."""
        if not existed(self._plan.as_of, facts.customer):
            return None
        seen = {fact: rows.seen(facts.events.get(fact, ())) for fact, rows in self._rows.items()}
        reading = _Reading(self._plan, facts, self._undated(facts))
        for item in self._plan.inputs:
            if item.available and item.metric:
                fact = item.metric.fact
                rows, found = self._rows[fact], seen[fact]
                if item.certain:
                    found = [*found, *rows.undated(facts.events.get(fact, ()))]
                reading.add_metric(item, rows, found)
            else:
                reading.add(item)
        return reading.result()

    def _undated(self, facts: CustomerFacts) -> frozenset[str]:
        """The tables in which something happened at a moment that could not be read."""
        return frozenset(
            fact
            for fact, rows in self._rows.items()
            if any(
                row["happened_at"] is None and rows.is_recorded(row)
                for row in facts.events.get(fact, ())
            )
        )


class _Reading:
    """What is read of one customer."""

    def __init__(self, plan: InputPlan, facts: CustomerFacts, undated: frozenset[str]) -> None:
        self._plan = plan
        self._as_of = plan.as_of
        self._facts = facts
        self._undated = undated
        self._history = _history_known(plan.as_of, facts.customer)
        self._values: list[Any] = []
        self._instants: dict[int, datetime | None] = {}
        self._currencies: dict[int, str | None] = {}
        self._unclear: set[int] = set()

    def result(self) -> InputValues:
        gaps = Gaps(self._history, self._undated, frozenset(self._unclear), self._mixed())
        return InputValues(tuple(self._values), self._instants, self._currencies, gaps)

    def _mixed(self) -> frozenset[int]:
        currencies = {
            mix.place: {self._currencies[item.place] for item in items} - {None}
            for mix, items in self._plan.mixed.items()
        }
        return frozenset(place for place, found in currencies.items() if len(found) > 1)

    def add_metric(self, item: Input, rows: FactRows, seen: Sequence[Seen]) -> None:
        answer = rows.answer(item, seen)
        assert item.metric is not None  # noqa: S101 - the caller has looked
        dated = item.certain or item.metric.fact not in self._undated
        known = dated and (self._history or not item.history)
        if item.may_be_unclear and answer.unclear and known:
            self._unclear.add(item.place)
        if item.currency:
            self._currencies[item.place] = answer.currency if known else None
        self._append(item, answer.value if known else None)

    def add(self, item: Input) -> None:
        value = self._own(item) if item.available else None
        if value is _NOBODY or not item.available:
            value = None
            if item.may_be_unclear and self._history:
                self._unclear.add(item.place)
        self._append(item, None if item.history and not self._history else value)

    def _append(self, item: Input, value: Any) -> None:
        if item.instant:
            self._instants[item.place] = value
        if item.leaf.type is Type.MOMENT and value is not None:
            value = self._as_of.local_day(value)
        self._values.append(value)

    def _own(self, item: Input) -> Any:
        """The value of a leaf that is no metric; `_NOBODY` where nobody can tell."""
        leaf, customer = item.leaf, self._facts.customer
        if isinstance(leaf, DataAge):
            return data_age(self._plan, leaf)
        if isinstance(leaf, HasTag):
            tags = customer["tags"]  # None before our first version of the record
            return None if tags is None else leaf.tag in tags
        if isinstance(leaf, CustomField):
            text = (customer.get("fields") or {}).get(leaf.name)
            held, value = field_value(text, leaf.type)
            return _NOBODY if held is not None and value is None else value
        assert isinstance(leaf, Attribute)  # noqa: S101 - metrics are added above
        of_owner = leaf.name in OWNER_ATTRIBUTES
        return self._of_owner(leaf.name) if of_owner else self._attribute(leaf)

    def _attribute(self, leaf: Attribute) -> Any:
        value = self._facts.customer.get(leaf.name)
        if leaf.name == "attitude":
            return _NOBODY if value and not self._is_fresh() else value or None
        if leaf.type is Type.MOMENT:
            moment = utc(value)
            return moment if moment is not None and moment < self._as_of.utc else None
        return value if leaf.type is Type.BOOLEAN else value or None

    def _is_fresh(self) -> bool:
        moment = utc(self._facts.customer.get("attitude_at"))
        if moment is None or moment >= self._as_of.utc:
            return False
        age = self._as_of.day - self._as_of.local_day(moment)
        return age <= timedelta(days=STALE_ATTITUDE_DAYS)

    def _of_owner(self, name: str) -> Any:
        owner = self._facts.owner
        if owner is None:
            return _NOBODY
        if name == "owner_active":
            return _is_active(owner, self._as_of)
        if name == "owner_absent":
            return _is_absent(owner, self._as_of)
        return owner.get(name.removeprefix("owner_")) or None


def _is_active(owner: Row, as_of: AsOf) -> bool | None:
    left = owner.get("left_on")
    if left is not None and left <= as_of.day:
        return False
    active: bool | None = owner.get("active")
    return active


def _is_absent(owner: Row, as_of: AsOf) -> bool:
    since, until = owner.get("absent_from"), owner.get("absent_to")
    if since is None or since > as_of.day:
        return False
    return until is None or until >= as_of.day


def _history_known(as_of: AsOf, customer: Row) -> bool:
    """Had we seen the customer by then? What the CRM forgets is unknown before."""
    first_seen = customer.get("first_seen_on")
    return first_seen is not None and first_seen <= as_of.day
