"""What a policy needs to know of each customer as of a moment: the leaves of all its conditions.

Both back ends read this one list, so that they agree on what is known, never was, or is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from policies.metrics import METRICS, Metric
from policies.model import Expression, Policy
from policies.moment import AsOf, SourceState
from policies.tree import (
    Attribute,
    Compare,
    DaysSince,
    Extreme,
    HasTag,
    Leaf,
    MetricValue,
    Node,
    Rank,
    children,
    leaves,
    plain,
    walk,
)
from policies.vocabulary import ATTRIBUTES, Type

KNOWN, NEVER, MISSING = "known", "never", "missing"

_NOT_PULLED = SourceState(complete=False)

Scalar = str | int | bool | None


class EvidenceItem(NamedTuple):
    """One fact that a rule looked at; `value` is canonical text for dates and decimals.

    `known`; `never`: the CRM was read in full and holds nothing; `missing`: nobody can tell.
    """

    name: str
    type: str
    value: Scalar
    state: str


@dataclass(frozen=True)
class Input:
    """One leaf and its column. `available`: it can be computed at all. `exhaustive`: a value that
    is not there is knowledge (never), not a gap. `history`: known from our first version on."""

    place: int
    leaf: Leaf
    available: bool
    exhaustive: bool
    history: bool
    instant: bool
    currency: bool

    @property
    def column(self) -> str:
        return f"i_{self.place}"

    @property
    def instant_column(self) -> str:
        return f"m_{self.place}"

    @property
    def currency_column(self) -> str:
        return f"c_{self.place}"

    @cached_property
    def name(self) -> str:
        return self.leaf.label

    @cached_property
    def type(self) -> Type:
        return Type.DATE if self.leaf.type is Type.MOMENT else self.leaf.type

    @cached_property
    def type_name(self) -> str:
        return self.type.value

    @cached_property
    def metric(self) -> Metric | None:
        return METRICS[self.leaf.name] if isinstance(self.leaf, MetricValue) else None

    @cached_property
    def empty_state(self) -> str:
        """What it means that there is no value, once the history is known.

        A count or a sum is never empty: it is a number, or it could not be computed.
        """
        countable = self.metric is not None and self.type is not Type.DATE
        return NEVER if self.exhaustive and not countable else MISSING


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is not known of one customer: the past of what the CRM forgets, unless
    `history_known`; and every metric of the facts tables in `undated`, where an event of the
    customer stands whose moment could not be read."""

    history_known: bool
    undated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Condition:
    """The conditions of one rule or protection, for its evidence."""

    inputs: tuple[Input, ...]
    fallbacks: Mapping[Leaf, frozenset[Leaf]]


class InputPlan:
    """The inputs of a policy as of a moment."""

    def __init__(self, policy: Policy, as_of: AsOf, sources: Mapping[str, SourceState]) -> None:
        self.policy = policy
        self.as_of = as_of
        self._sources = sources
        trees = [condition.tree for condition in policy.conditions]
        self.ranks = tuple(_unique_ranks(trees))
        found = dict.fromkeys(leaf for tree in trees for leaf in leaves(tree))
        instants = frozenset(_compared_moments(trees))
        ranked = frozenset(leaf for rank in self.ranks for leaf in leaves(rank))
        self.inputs = tuple(
            self._input(place, leaf, instants, ranked) for place, leaf in enumerate(found)
        )
        self.by_leaf: dict[Node, Input] = {item.leaf: item for item in self.inputs}

    def _input(
        self, place: int, leaf: Leaf, instants: frozenset[Leaf], ranked: frozenset[Leaf]
    ) -> Input:
        available, exhaustive, history = True, False, False
        if isinstance(leaf, MetricValue):
            metric = METRICS[leaf.name]
            state = self._sources.get(metric.fact, _NOT_PULLED)
            available, exhaustive = self._reach(leaf, state)
        elif isinstance(leaf, Attribute):
            history = ATTRIBUTES[leaf.name].changeable
            exhaustive = history
        else:
            history = True
        return Input(
            place=place,
            leaf=leaf,
            available=available,
            exhaustive=exhaustive,
            history=history,
            instant=leaf in instants,
            currency=available and leaf in ranked and leaf.type is Type.MONEY,
        )

    def _reach(self, leaf: MetricValue, state: SourceState) -> tuple[bool, bool]:
        """Can the metric be computed, and is an empty result knowledge?"""
        if METRICS[leaf.name].aggregate == "last":
            return state.complete, state.from_the_beginning
        first_day = self.as_of.window_day(leaf.days) if leaf.days else None
        covered = state.covers(first_day)
        return covered, covered

    def currencies(self, rank: Rank) -> tuple[Leaf, ...]:
        """The amounts below a rank, whose currencies must agree."""
        return tuple(leaf for leaf in leaves(rank) if self.by_leaf[leaf].currency)

    @cached_property
    def _conditions(self) -> dict[str, Condition]:
        groups: dict[str, tuple[Expression, ...]] = {
            rule.id: rule.conditions for rule in self.policy.rules
        }
        groups |= {item.id: (item.when,) for item in self.policy.protections}
        return {name: self._condition(group) for name, group in groups.items()}

    def _condition(self, conditions: tuple[Expression, ...]) -> Condition:
        trees = [condition.tree for condition in conditions]
        found = dict.fromkeys(leaf for tree in trees for leaf in leaves(tree))
        return Condition(tuple(self.by_leaf[leaf] for leaf in found), _fallbacks(trees))

    def evidence_inputs(self, name: str) -> tuple[Input, ...]:
        """The inputs that a rule or a protection reads, in the order of its text."""
        return self._conditions[name].inputs

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts tables that metrics are computed from."""
        return _facts(self.inputs)

    def facts_of(self, name: str) -> tuple[str, ...]:
        """Those of them that a rule or a protection looks at."""
        return _facts(self.evidence_inputs(name))

    def evidence(self, name: str, values: Sequence[object], gaps: Gaps) -> tuple[EvidenceItem, ...]:
        """Evidence from the values of `evidence_inputs(name)`, in their order.

        A moment that is only counted from when another never was is left out when that one was.
        """
        condition = self._conditions[name]
        pairs = zip(condition.inputs, values, strict=True)
        items = [_evidence(item, value, gaps) for item, value in pairs]
        if condition.fallbacks:
            never = {
                leaf.leaf
                for leaf, item in zip(condition.inputs, items, strict=True)
                if item.state == NEVER
            }
            items = [
                item
                for leaf, item in zip(condition.inputs, items, strict=True)
                if leaf.leaf not in condition.fallbacks
                or not never.isdisjoint(condition.fallbacks[leaf.leaf])
            ]
        return tuple(items)


def _facts(inputs: Iterable[Input]) -> tuple[str, ...]:
    used = (item.metric.fact for item in inputs if item.metric and item.available)
    return tuple(dict.fromkeys(used))


def missing_inputs(evidence: Iterable[EvidenceItem]) -> tuple[str, ...]:
    """The inputs for lack of which a rule is undecided; blank attributes if nothing is missing."""
    items = tuple(evidence)
    missing = tuple(item.name for item in items if item.state == MISSING)
    return missing or tuple(item.name for item in items if item.value is None)


def _evidence(item: Input, value: object, gaps: Gaps) -> EvidenceItem:
    if value is not None:
        return EvidenceItem(item.name, item.type_name, _scalar(value), KNOWN)
    state = item.empty_state if gaps.history_known or not item.history else MISSING
    if item.metric and item.metric.fact in gaps.undated:
        state = MISSING
    return EvidenceItem(item.name, item.type_name, None, state)


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    message = f"no evidence can be made of {type(value).__name__}"
    raise TypeError(message)


def _unique_ranks(trees: Iterable[Node]) -> Iterable[Rank]:
    return dict.fromkeys(node for tree in trees for node in walk(tree) if isinstance(node, Rank))


def _compared_moments(trees: Iterable[Node]) -> Iterable[Leaf]:
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Compare) and node.left.type is Type.MOMENT:
                yield from leaves(node)


def _fallbacks(trees: Iterable[Node]) -> dict[Leaf, frozenset[Leaf]]:
    """Leaves that appear only behind `else:`, with the moments that they stand in for."""
    found: dict[Leaf, set[Leaf]] = {}
    elsewhere: set[Leaf] = set()
    for tree in trees:
        _collect(tree, found, elsewhere)
    return {leaf: frozenset(first) for leaf, first in found.items() if leaf not in elsewhere}


def _collect(node: Node, found: dict[Leaf, set[Leaf]], elsewhere: set[Leaf]) -> None:
    if isinstance(node, Attribute | MetricValue | HasTag):
        elsewhere.add(node)
    if isinstance(node, DaysSince) and node.otherwise is not None:
        for leaf in leaves(node.otherwise):
            found.setdefault(leaf, set()).update(leaves(node.moment))
        _collect(node.moment, found, elsewhere)
        return
    for child in children(node):
        _collect(child, found, elsewhere)


def never_is_known(plan: InputPlan, node: Node) -> bool:
    """Does an absent moment mean that it never was? Else it means that nobody can tell."""
    if isinstance(node, Extreme):
        return all(never_is_known(plan, part) for part in node.parts)
    if isinstance(node, MetricValue):
        return plan.by_leaf[node].exhaustive
    return False
