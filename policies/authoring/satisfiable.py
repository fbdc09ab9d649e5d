"""Can a condition hold at all? A "no" is certain; a "yes" means that nothing speaks against it.

True is meant as the language means it: known to be true. What is unknown does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from policies.authoring.ranges import Linear, Range, added, linear, natural_range
from policies.language.metrics import METRICS, Aggregate
from policies.language.tree import (
    MIRRORED,
    NUMERIC,
    OPPOSITE,
    AllOf,
    AnyOf,
    Attribute,
    Case,
    Compare,
    Constant,
    CustomField,
    DaysSince,
    Extreme,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Not,
    OneOf,
    Rank,
    RowColumn,
    WorkdaysSince,
)
from policies.language.vocabulary import ATTRIBUTES, TABLES, Type

MAX_STEPS = 5_000

_ONE = Fraction(1)


class _Undecided(Exception):  # noqa: N818 - control flow: the condition is too large to be sure
    pass


def can_hold(*conditions: Node) -> bool:
    """False only if no customer whatever can fulfil all of them."""
    search = _Search()
    try:
        return search.possible(list(conditions), _Facts({}))
    except _Undecided:
        return True


def always_holds(condition: Node) -> bool:
    """True only if the condition is true for every customer for whom it is known."""
    return not can_hold(Not(condition))


@dataclass
class _Facts:
    """What has been assumed on the way."""

    order: dict[Node, int]
    numbers: dict[Linear, Range] = field(default_factory=dict)
    texts: dict[Node, tuple[frozenset[str] | None, frozenset[str]]] = field(default_factory=dict)
    truths: dict[Node, bool] = field(default_factory=dict)

    def copy(self) -> _Facts:
        return _Facts(self.order, dict(self.numbers), dict(self.texts), dict(self.truths))

    def truth(self, node: Node, *, holds: bool) -> bool:
        return self.truths.setdefault(node, holds) is holds

    def known(self, node: Node) -> bool:
        """A value that was compared is there."""
        if isinstance(node, Attribute | CustomField | RowColumn):
            return self.truth(IsBlank(node), holds=False)
        if isinstance(node, DaysSince | WorkdaysSince) and node.otherwise is None:
            return self.truth(Never(node.moment), holds=False)
        return True

    def number(self, operator: str, left: Node, right: Node) -> bool:
        if left.type in NUMERIC:
            parts, constant = added(linear(left), linear(right), -_ONE)
        else:
            parts, constant = added(
                ({left: _ONE}, Fraction(0)), ({right: _ONE}, Fraction(0)), -_ONE
            )
        if not parts:
            return not Range(constant, constant).limited(operator, Fraction(0)).is_empty
        if not all(map(self.known, parts)):
            return False
        terms = sorted(parts, key=lambda node: self.order.setdefault(node, len(self.order)))
        lead = parts[terms[0]]
        key = tuple((node, parts[node] / lead) for node in terms)
        found = self.numbers.get(key) or self.natural(key)
        found = found.limited(operator if lead > 0 else MIRRORED[operator], -constant / lead)
        self.numbers[key] = found
        return not found.is_empty

    def natural(self, key: Linear) -> Range:
        if len(key) == 1:
            return natural_range(key[0][0])
        whole = all(node.type is Type.INTEGER and share.denominator == 1 for node, share in key)
        return Range(integer=whole)

    def text(self, node: Node, options: frozenset[str], *, among: bool) -> bool:
        if not self.known(node):
            return False
        allowed, refused = self.texts.get(node) or (_choices(node), frozenset())
        if among:
            allowed = options if allowed is None else allowed & options
        else:
            refused |= options
        self.texts[node] = (allowed, refused)
        return allowed is None or not allowed <= refused

    def agree(self) -> bool:
        """Do the assumptions go together, by what is known of metrics and of sums?"""
        self._relate_counts()
        if any(found.is_empty for found in self.numbers.values()):
            return False
        return all(self._sum_agrees(key) for key in self.numbers if len(key) > 1)

    def _sum_agrees(self, key: Linear) -> bool:
        total = Range(Fraction(0), Fraction(0))
        for node, share in key:
            one = ((node, _ONE),)
            found = self.numbers.get(one) or self.natural(one)
            total = total.plus(found.scaled(share))
        return not self.numbers[key].meets(total).is_empty

    def _relate_counts(self) -> None:
        """A longer window counts no less; what was counted in a window happened in it."""
        counts = [item for item in map(_count, self.numbers) if item is not None]
        for one in counts:
            at_least_one = self._range(one).low
            for other in counts:
                if _longer(other, one) and at_least_one is not None:
                    self.numbers[((other, _ONE),)] = self._range(other).at_least(at_least_one)
            if at_least_one is not None and at_least_one >= 1:
                self._happened(one)

    def _range(self, node: Node) -> Range:
        return self.numbers[((node, _ONE),)]

    def _happened(self, count: MetricValue) -> None:
        for key, found in list(self.numbers.items()):
            term = key[0][0]
            counted = isinstance(term, DaysSince) and _is_last(term.moment, count)
            if len(key) == 1 and counted and count.days is not None:
                self.numbers[key] = found.at_most(Fraction(count.days))
        for node, holds in self.truths.items():
            if isinstance(node, Never) and holds and _is_last(node.moment, count):
                self.numbers[((count, _ONE),)] = Range(_ONE, Fraction(0))


def _count(key: Linear) -> MetricValue | None:
    """A count over rows that happened in its window."""
    node = key[0][0]
    if len(key) > 1 or not isinstance(node, MetricValue):
        return None
    metric = METRICS[node.name]
    plain = metric.aggregate is Aggregate.COUNT and not metric.window and node.after is None
    return node if plain else None


def _longer(long: MetricValue, short: MetricValue) -> bool:
    if METRICS[long.name].fact != METRICS[short.name].fact or long.rows != short.rows:
        return False
    return long.days is None or (short.days is not None and long.days >= short.days)


def _is_last(moment: Node, count: MetricValue) -> bool:
    """Is it the moment of the last row of those that are counted?"""
    if not isinstance(moment, MetricValue) or moment.rows != count.rows:
        return False
    metric = METRICS[moment.name]
    return metric.aggregate is Aggregate.LAST and metric.fact == METRICS[count.name].fact


def _choices(node: Node) -> frozenset[str] | None:
    if isinstance(node, Rank):
        return frozenset("ABC")
    if isinstance(node, Attribute):
        return frozenset(ATTRIBUTES[node.name].values) or None
    if isinstance(node, RowColumn):
        return frozenset(TABLES[node.table].column(node.name).values) or None
    return None


class _Search:
    """Tries the alternatives of a condition one after the other."""

    def __init__(self) -> None:
        self._steps = 0

    def possible(self, pending: list[Node], facts: _Facts) -> bool:
        """Is there a way to make all of `pending` true?"""
        branches: list[AnyOf] = []
        while pending:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise _Undecided
            node = _resolved(pending.pop())
            if isinstance(node, AllOf):
                pending.extend(node.parts)
            elif isinstance(node, AnyOf):
                branches.append(node)
            elif not _assume(node, facts):
                return False
        if not facts.agree():
            return False
        if not branches:
            return True
        first, rest = branches[0], branches[1:]
        return any(self.possible([*rest, part], facts.copy()) for part in first.parts)


def _assume(node: Node, facts: _Facts) -> bool:  # noqa: PLR0911 - one line a kind of node
    """Take a condition without AND and OR as true; False if that contradicts the rest."""
    match node:
        case Constant(value):
            return bool(value)
        case Compare(operator, left, right) if left.type is not Type.TEXT:
            return facts.number(operator, left, right)
        case Compare(operator, left, right):
            return _compare_texts(operator, left, right, facts)
        case OneOf(value, options):
            return _one_of(value, options, facts, among=True)
        case Not(OneOf(value, options)):
            return _one_of(value, options, facts, among=False)
        case Not(part):
            return facts.known(part) and facts.truth(part, holds=False)
    return facts.known(node) and facts.truth(node, holds=True)


def _compare_texts(operator: str, left: Node, right: Node, facts: _Facts) -> bool:
    value, other = (right, left) if isinstance(left, Constant) else (left, right)
    if isinstance(other, Constant):
        return facts.text(value, frozenset({str(other.value)}), among=operator == "=")
    if not (facts.known(value) and facts.known(other)):
        return False
    return facts.truth(Compare("=", value, other), holds=operator == "=")


def _one_of(value: Node, options: tuple[Constant, ...], facts: _Facts, *, among: bool) -> bool:
    if value.type is Type.TEXT:
        return facts.text(value, frozenset(str(item.value) for item in options), among=among)
    # Of numbers each option but one is excluded in turn; "one of several" stays between them.
    numbers = [item.value for item in options if isinstance(item.value, int | Decimal)]
    if not among:
        return all(facts.number("<>", value, Constant(number)) for number in numbers)
    low, high = Constant(min(numbers)), Constant(max(numbers))
    return facts.number(">=", value, low) and facts.number("<=", value, high)


def _resolved(node: Node) -> Node:
    """The condition with NOT pushed inwards, and without a case or an extreme on top."""
    if isinstance(node, Not):
        return _negated(node.part)
    if isinstance(node, Compare):
        return _unfolded(node)
    if isinstance(node, OneOf) and isinstance(node.value, Case):
        return AnyOf(tuple(Compare("=", node.value, option) for option in node.options))
    return node


def _negated(node: Node) -> Node:  # noqa: PLR0911 - one line a kind of node
    match node:
        case Not(part):
            return _resolved(part)
        case AllOf(parts):
            return AnyOf(tuple(Not(part) for part in parts))
        case AnyOf(parts):
            return AllOf(tuple(Not(part) for part in parts))
        case Compare(operator, left, right):
            return _unfolded(Compare(OPPOSITE[operator], left, right))
        case OneOf(Case() as value, options):
            return AllOf(tuple(Compare("<>", value, option) for option in options))
        case Constant(value):
            return Constant(not value)
    return Not(node)


def _unfolded(node: Compare) -> Node:
    operator, left, right = node.operator, node.left, node.right
    if isinstance(right, Case | Extreme) and not isinstance(left, Case | Extreme):
        operator, left, right = MIRRORED[operator], right, left
    if isinstance(left, Case):
        return _case(operator, left, right)
    if isinstance(left, Extreme) and left.type in NUMERIC and operator not in {"=", "<>"}:
        parts = tuple(_unfolded(Compare(operator, part, right)) for part in left.parts)
        all_of_them = left.greatest == (operator in {"<", "<="})
        return AllOf(parts) if all_of_them else AnyOf(parts)
    return Compare(operator, left, right)


def _case(operator: str, case: Case, right: Node) -> Node:
    """One alternative for each condition of the case; no class at all equals nothing."""
    alternatives: list[Node] = []
    before: tuple[Node, ...] = ()
    for condition, value in zip(case.conditions, case.values, strict=True):
        alternatives.append(AllOf((*before, condition, _settled(operator, value, right))))
        before = (*before, Not(condition))
    if case.otherwise is not None:
        alternatives.append(AllOf((*before, _settled(operator, case.otherwise, right))))
    elif operator == "<>":
        alternatives.append(AllOf(before))
    return AnyOf(tuple(alternatives))


def _settled(operator: str, left: Node, right: Node) -> Node:
    """A comparison of two texts that are both written out is decided here."""
    if isinstance(left, Constant) and isinstance(right, Constant) and left.type is Type.TEXT:
        return Constant((left.value == right.value) == (operator == "="))
    return Compare(operator, left, right)
