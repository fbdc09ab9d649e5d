"""What a policy needs to know of each customer as of a moment: the leaves of all its conditions.

Both back ends read this one list, so that they agree on what is known, never was, or is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from policies.condition import Expression
from policies.evaluation.evidence import (
    KNOWN,
    MISSING,
    NEVER,
    EvidenceItem,
    Gaps,
    fallbacks,
    input_leaves,
    input_of,
    scalar,
)
from policies.evaluation.input import Input
from policies.evaluation.mixed_money import Mix, amounts_in, mixes
from policies.evaluation.row_plan import as_told, may_be_unknown
from policies.language.metrics import METRICS, Aggregate, Metric
from policies.language.rows import metric_value
from policies.language.tree import (
    Attribute,
    Compare,
    CustomField,
    DataAge,
    Leaf,
    MetricValue,
    Node,
    Rank,
    Surely,
    WorkdaysSince,
    leaves,
    walk,
)
from policies.language.vocabulary import ATTRIBUTES, OWNER_ATTRIBUTES, Type
from policies.model import Policy
from policies.moment import AsOf, SourceState
from policies.shadows import Shadow

_NOT_PULLED = SourceState(complete=False)
PEOPLE = "people"
# The workdays that are counted, in days around the run; one outside counts as the nearest inside.
_WORKDAYS_BEFORE, _WORKDAYS_AFTER = 20 * 366, 2 * 366


@dataclass(frozen=True, slots=True)
class Condition:
    """The conditions of one rule or protection, for its evidence."""

    inputs: tuple[Input, ...]
    fallbacks: Mapping[Leaf, frozenset[Leaf]]
    mixes: tuple[Mix, ...]


class InputPlan:
    """The inputs of a policy as of a moment."""

    def __init__(
        self,
        policy: Policy,
        as_of: AsOf,
        sources: Mapping[str, SourceState],
        shadows: tuple[Shadow, ...] = (),
    ) -> None:
        """What `shadows` add comes last: the places of what the policy reads do not move."""
        self.policy = policy
        self.as_of = as_of
        self.shadows = shadows
        self._sources = sources
        trees = [condition.tree for condition in policy.conditions]
        self.own_ranks = tuple(_unique_ranks(trees))
        trees += [when.tree for shadow in shadows for when in shadow.rule.conditions]
        self.ranks = tuple(_unique_ranks(trees))
        self._instants = frozenset(_compared_moments(trees))
        self._workdays = frozenset(_counted_in_workdays(trees))
        self.mixes = mixes(trees) if policy.money is None else {}
        self._scaled = frozenset(input_leaves(self.ranks)).union(
            *(item.leaves for item in self.mixes.values()),
            amounts_in(policy.limits.money.of.tree) if policy.limits.money else (),
        )
        self.inputs = tuple(
            self._input(place, leaf) for place, leaf in enumerate(input_leaves(trees))
        )
        self._by_leaf = {item.leaf: item for item in self.inputs}
        # what is put together, with the amounts that can be computed at all
        self.mixed = {
            mix: tuple(item for item in self.inputs if item.leaf in mix.leaves and item.currency)
            for mix in self.mixes.values()
        }

    def of(self, leaf: Leaf) -> Input:
        """The input that a leaf reads."""
        return self._by_leaf[input_of(leaf)]

    def state(self, fact: str) -> SourceState:
        """How complete a facts table is."""
        return self._sources.get(fact, _NOT_PULLED)

    def _input(self, place: int, leaf: Leaf) -> Input:
        instant, workday = leaf in self._instants, leaf in self._workdays
        if isinstance(leaf, MetricValue):
            return self._metric_input(place, leaf, instant=instant, workday=workday)
        if isinstance(leaf, DataAge):
            return Input(place, leaf, available=self.state(leaf.fact).pulled_at is not None)
        if isinstance(leaf, Attribute):
            return self._attribute_input(place, leaf, instant=instant, workday=workday)
        unclear = isinstance(leaf, CustomField) and leaf.type is not Type.TEXT
        return Input(
            place,
            leaf,
            exhaustive=True,
            history=True,
            instant=instant,
            workday=workday,
            may_be_unclear=unclear,
        )

    def _attribute_input(
        self, place: int, leaf: Attribute, *, instant: bool, workday: bool
    ) -> Input:
        of_owner = leaf.name in OWNER_ATTRIBUTES
        changeable = of_owner or ATTRIBUTES[leaf.name].changeable
        return Input(
            place,
            leaf,
            available=not of_owner or self.state(PEOPLE).complete,
            # a yes or no that is not there is no answer
            exhaustive=changeable and leaf.type is not Type.BOOLEAN,
            history=changeable,
            instant=instant,
            workday=workday,
            may_be_unclear=(of_owner and leaf.type is Type.TEXT) or leaf.name == "attitude",
        )

    def _metric_input(
        self, place: int, leaf: MetricValue, *, instant: bool, workday: bool
    ) -> Input:
        metric = METRICS[leaf.name]
        state = self.state(metric.fact)
        available, exhaustive = self._reach(leaf, metric, state)
        grouped = metric.fact in self.policy.group and not leaf.certain
        asked = _asked(leaf, state.untold)
        doubtful = asked.rows is not None and may_be_unknown(asked.rows)
        doubtful = doubtful or metric.aggregate is Aggregate.LATEST
        scaled = leaf in self._scaled and leaf.type is Type.MONEY and self.policy.money is None
        return Input(
            place,
            leaf,
            available=available,
            exhaustive=exhaustive,
            history=grouped,
            instant=instant,
            workday=workday,
            currency=available and scaled,
            may_be_unclear=available and exhaustive and metric.may_be_never and doubtful,
            start=self._start(leaf, metric, state),
            asked=asked,
            value=self._summed(metric, state.untold),
        )

    def _reach(self, leaf: MetricValue, metric: Metric, state: SourceState) -> tuple[bool, bool]:
        """Can the metric be computed, and is an empty result knowledge?"""
        if leaf.certain:
            return True, True
        within = leaf.days if not metric.window else None
        if metric.aggregate in {Aggregate.LAST, Aggregate.LATEST} and within is None:
            return state.complete, state.from_the_beginning
        covered = state.covers(None if within is None else self.as_of.window_day(within))
        return covered, covered

    @staticmethod
    def _summed(metric: Metric, untold: frozenset[str]) -> Node | None:
        summing = metric.aggregate in {Aggregate.SUM, Aggregate.LATEST}
        return as_told(metric_value(metric.name), untold) if summing else None

    def _start(self, leaf: MetricValue, metric: Metric, state: SourceState) -> datetime | None:
        if leaf.days is not None and not metric.window:
            return self.as_of.window_start(leaf.days)
        if leaf.certain:
            return None
        # what is older than the source may be there in part: its last is not the last
        return None if state.since is None else self.as_of.day_start(state.since)

    def currencies(self, rank: Rank) -> tuple[Input, ...]:
        """The amounts below a rank, whose currencies must agree."""
        found = dict.fromkeys(self.of(leaf) for leaf in leaves(rank))
        return tuple(item for item in found if item.currency)

    def sees_everybody(self, rank: Rank) -> bool:
        """Is what is ranked known of customers of all ages? Of a last event within a part of the
        past, those without one would be missing."""
        found = (self.of(leaf) for leaf in leaves(rank))
        return all(item.exhaustive for item in found if item.metric)

    @cached_property
    def workday_span(self) -> tuple[date, date]:
        """The first and the last day that have a number in the count of workdays."""
        today = self.as_of.day.toordinal()
        first = date.fromordinal(max(1, today - _WORKDAYS_BEFORE))
        return first, date.fromordinal(today + _WORKDAYS_AFTER)

    @cached_property
    def workdays(self) -> Mapping[date, int]:
        """Each day around the run with its number in the count of workdays."""
        calendar = self.policy.calendar
        assert calendar is not None  # noqa: S101 - the language asks for it where it is needed
        return dict(calendar.workday_index(*self.workday_span))

    @cached_property
    def _conditions(self) -> dict[str, Condition]:
        groups: dict[str, tuple[Expression, ...]] = {
            rule.id: rule.conditions for rule in self.policy.rules
        }
        groups |= {item.id: (item.when,) for item in self.policy.protections}
        return {name: self._condition(group) for name, group in groups.items()}

    def _condition(self, conditions: tuple[Expression, ...]) -> Condition:
        trees = [condition.tree for condition in conditions]
        inputs = tuple(self.of(leaf) for leaf in input_leaves(trees))
        return Condition(inputs, fallbacks(trees), self._mixes_in(trees))

    def _mixes_in(self, trees: Iterable[Node]) -> tuple[Mix, ...]:
        if not self.mixes:
            return ()
        nodes = (self.mixes.get(node) for tree in trees for node in walk(tree))
        return tuple(dict.fromkeys(mix for mix in nodes if mix is not None))

    def evidence_inputs(self, name: str) -> tuple[Input, ...]:
        """The inputs that a rule or a protection reads, in the order of its text."""
        return self._conditions[name].inputs

    def mixes_of(self, name: str) -> tuple[Mix, ...]:
        """What a rule or a protection puts together."""
        return self._conditions[name].mixes

    def fallbacks_of(self, name: str) -> Mapping[Leaf, frozenset[Leaf]]:
        """Those of them that are only counted from when another never was, with those others."""
        return self._conditions[name].fallbacks

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The facts tables that metrics are computed from."""
        return _facts(self.inputs)

    def facts_of(self, name: str) -> tuple[str, ...]:
        """Those of them that a rule or a protection looks at."""
        return _facts(item for item in self.evidence_inputs(name) if not item.certain)

    def facts_below(self, node: Node) -> tuple[str, ...]:
        """Those of them that a part of a condition looks at."""
        return _facts(item for item in map(self.of, leaves(node)) if not item.certain)

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
        mixed = [mix.leaves for mix in condition.mixes if mix.place in gaps.mixed]
        leaves_mixed = frozenset[Leaf]().union(*mixed)
        items += [_no_currency(item) for item in condition.inputs if item.leaf in leaves_mixed]
        return tuple(items)


def _no_currency(item: Input) -> EvidenceItem:
    return EvidenceItem(f"currency({item.name})", Type.TEXT.value, None, MISSING)


def _asked(leaf: MetricValue, untold: frozenset[str]) -> MetricValue:
    rows, after = (part and as_told(part, untold) for part in (leaf.rows, leaf.after))
    rows = Surely(rows) if rows is not None and leaf.certain else rows
    return replace(leaf, rows=rows, after=after)


def _facts(inputs: Iterable[Input]) -> tuple[str, ...]:
    used = (item.metric.fact for item in inputs if item.metric and item.available)
    return tuple(dict.fromkeys(used))


def _evidence(item: Input, value: object, gaps: Gaps) -> EvidenceItem:
    if value is not None:
        return EvidenceItem(item.name, item.type_name, scalar(value), KNOWN)
    state = item.empty_state
    undated = item.metric is not None and item.metric.fact in gaps.undated
    if undated or item.place in gaps.unclear or (item.history and not gaps.history_known):
        state = MISSING
    return EvidenceItem(item.name, item.type_name, None, state)


def _unique_ranks(trees: Iterable[Node]) -> Iterable[Rank]:
    return dict.fromkeys(node for tree in trees for node in walk(tree) if isinstance(node, Rank))


def _compared_moments(trees: Iterable[Node]) -> Iterable[Leaf]:
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Compare) and node.left.type is node.right.type is Type.MOMENT:
                yield from input_leaves([node])


def _counted_in_workdays(trees: Iterable[Node]) -> Iterable[Leaf]:
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, WorkdaysSince):
                yield from input_leaves([node])
