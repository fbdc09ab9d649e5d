"""What numbers a part of a condition can have: intervals, and sums of parts as linear forms.

Everything here errs on the side of "possible".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from policies.evaluation.row_plan import conjuncts
from policies.language.metrics import METRICS, Aggregate
from policies.language.tree import (
    Arithmetic,
    Attribute,
    Constant,
    DataAge,
    DaysSince,
    Extreme,
    MetricValue,
    Node,
    Rank,
    Rate,
    Today,
    WorkdaysSince,
)
from policies.language.vocabulary import Type

Linear = tuple[tuple[Node, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high` (None: without end), but `excluded`."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False
    integer: bool = False
    excluded: frozenset[Fraction] = frozenset()

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        if self.low > self.high:
            return True
        if self.integer and self.high - self.low < 20:
            return self.excluded.issuperset(map(Fraction, range(int(self.low), int(self.high) + 1)))
        single = self.low == self.high
        return single and (self.low_open or self.high_open or self.low in self.excluded)

    def at_least(self, bound: Fraction, *, strict: bool = False) -> Range:
        if self.integer:
            bound, strict = Fraction(floor(bound) + 1 if strict else ceil(bound)), False
        if self.low is None or (bound, strict) > (self.low, self.low_open):
            return replace(self, low=bound, low_open=strict)
        return self

    def at_most(self, bound: Fraction, *, strict: bool = False) -> Range:
        if self.integer:
            bound, strict = Fraction(ceil(bound) - 1 if strict else floor(bound)), False
        if self.high is None or (bound, not strict) < (self.high, not self.high_open):
            return replace(self, high=bound, high_open=strict)
        return self

    def limited(self, operator: str, bound: Fraction) -> Range:
        """Only the numbers for which `number operator bound` holds."""
        if operator in {">", ">="}:
            return self.at_least(bound, strict=operator == ">")
        if operator in {"<", "<="}:
            return self.at_most(bound, strict=operator == "<")
        if operator == "=":
            if self.integer and bound.denominator != 1:
                return replace(self, low=Fraction(1), high=Fraction(0))
            return self.at_least(bound).at_most(bound)
        return replace(self, excluded=self.excluded | {bound})

    def scaled(self, factor: Fraction) -> Range:
        """The same times a factor that is not 0."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        if factor > 0:
            return Range(low, high, self.low_open, self.high_open)
        return Range(high, low, self.high_open, self.low_open)

    def plus(self, other: Range) -> Range:
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        return Range(low, high, self.low_open or other.low_open, self.high_open or other.high_open)

    def meets(self, other: Range) -> Range:
        """The numbers of both."""
        found = self
        if other.low is not None:
            found = found.at_least(other.low, strict=other.low_open)
        if other.high is not None:
            found = found.at_most(other.high, strict=other.high_open)
        return found

    def joins(self, other: Range) -> Range:
        """The numbers of either, and those between."""
        lows = [item for item in (self.low, other.low) if item is not None]
        highs = [item for item in (self.high, other.high) if item is not None]
        low = min(lows) if len(lows) == 2 else None
        high = max(highs) if len(highs) == 2 else None
        return Range(low, high, integer=self.integer and other.integer)


_FROM_ZERO = Fraction(0)


def linear(node: Node) -> tuple[dict[Node, Fraction], Fraction]:
    """The number as a sum: each part with its factor, and what is constant."""
    if isinstance(node, Constant) and isinstance(node.value, int | Decimal):
        return {}, Fraction(node.value)
    if isinstance(node, Arithmetic) and node.operator in {"+", "-"}:
        left, right = linear(node.left), linear(node.right)
        return added(left, right, Fraction(1 if node.operator == "+" else -1))
    if isinstance(node, Arithmetic) and node.operator == "*":
        left, right = linear(node.left), linear(node.right)
        if not left[0]:
            return added(({}, _FROM_ZERO), right, left[1])
        if not right[0]:
            return added(({}, _FROM_ZERO), left, right[1])
    if isinstance(node, DaysSince | WorkdaysSince) and isinstance(node.moment, Today):
        return {}, _FROM_ZERO
    return {node: Fraction(1)}, _FROM_ZERO


def added(
    left: tuple[Mapping[Node, Fraction], Fraction],
    right: tuple[Mapping[Node, Fraction], Fraction],
    factor: Fraction,
) -> tuple[dict[Node, Fraction], Fraction]:
    """`left + factor * right`."""
    parts = dict(left[0])
    for node, share in right[0].items():
        parts[node] = parts.get(node, _FROM_ZERO) + factor * share
    kept = {node: share for node, share in parts.items() if share}
    return kept, left[1] + factor * right[1]


def natural_range(node: Node) -> Range:
    """What the number can be by its nature."""
    whole = Range(integer=node.type is Type.INTEGER)
    if isinstance(node, Rank):
        return whole.at_least(Fraction(1)).at_most(Fraction(5))
    if isinstance(node, MetricValue):
        return _metric_range(node, whole)
    if isinstance(node, Rate):
        return _rate_range(node)
    never_negative = isinstance(node, DataAge)
    if isinstance(node, DaysSince | WorkdaysSince):
        moments = [node.moment] if node.otherwise is None else [node.moment, node.otherwise]
        never_negative = all(map(_is_past, moments))
    return whole.at_least(_FROM_ZERO) if never_negative else whole


def _metric_range(node: MetricValue, whole: Range) -> Range:
    aggregate = METRICS[node.name].aggregate
    if aggregate is Aggregate.COUNT:
        return whole.at_least(_FROM_ZERO)
    if aggregate is Aggregate.INTERVAL:
        return _or_else(whole.at_least(Fraction(1)), node.otherwise)
    return whole


def _or_else(found: Range, otherwise: Constant | None) -> Range:
    if otherwise is None or not isinstance(otherwise.value, int | Decimal):
        return found
    value = Fraction(otherwise.value)
    return found.joins(Range(value, value))


def _is_past(moment: Node) -> bool:
    """Is the moment one that lies before the run, whenever it is known at all?"""
    if isinstance(moment, Extreme):
        return all(map(_is_past, moment.parts))
    return isinstance(moment, MetricValue | Attribute)


def _rate_range(node: Rate) -> Range:
    found = Range()
    part, whole = linear(node.part), linear(node.whole)
    if _is_never_negative(part) and _is_never_negative(whole):
        found = found.at_least(_FROM_ZERO)
        if _is_share(part[0], whole[0]) and not part[1]:
            found = found.at_most(Fraction(1))
    return _or_else(found, node.otherwise)


def _is_never_negative(form: tuple[Mapping[Node, Fraction], Fraction]) -> bool:
    parts, constant = form
    lows = (natural_range(node).low for node in parts)
    return (
        constant >= 0
        and all(share > 0 for share in parts.values())
        and all(low is not None and low >= 0 for low in lows)
    )


def _is_share(part: Mapping[Node, Fraction], whole: Mapping[Node, Fraction]) -> bool:
    """Does the whole count everything that the part counts?"""
    (counted, factor), *more = part.items() or [(None, _FROM_ZERO)]
    if more or counted is None:
        return False
    return any(
        share >= factor and (node == counted or _is_subset(counted, node))
        for node, share in whole.items()
    )


def _is_subset(part: Node, whole: Node) -> bool:
    if not isinstance(part, MetricValue) or not isinstance(whole, MetricValue):
        return False
    one, other = METRICS[part.name], METRICS[whole.name]
    return (
        one.aggregate is other.aggregate is Aggregate.COUNT
        and one.fact == other.fact
        and part.days == whole.days
        and one.window == other.window
        and part.after == whole.after
        and set(conjuncts(part.rows)) >= set(conjuncts(whole.rows))
    )
