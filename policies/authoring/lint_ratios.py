"""Findings about rates: of a few cases they say little, whether by rate(...) or by a division."""

from __future__ import annotations

from collections.abc import Iterator

from policies.authoring.places import Places, word_pattern
from policies.authoring.satisfiable import can_hold
from policies.authoring.written import name_in, written
from policies.condition import Expression
from policies.errors import Problem
from policies.language.metrics import METRICS, MIN_CASES, Aggregate
from policies.language.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Case,
    Compare,
    Constant,
    MetricValue,
    Node,
    Not,
    Rate,
    children,
    leaves,
)
from policies.language.vocabulary import Type
from policies.model import Policy


def ratios(policy: Policy, places: Places) -> Iterator[Problem]:
    """Rates and divisions of less than so many cases, in rules and in an author's protections."""
    for rule in policy.rules:
        before: tuple[Node, ...] = ()
        for when in rule.conditions:
            yield from _few_cases(when, before, places)
            before = (*before, Not(when.tree))
    for protection in policy.protections:
        if not protection.built_in:
            yield from _few_cases(protection.when, (), places)


def _few_cases(when: Expression, before: tuple[Node, ...], places: Places) -> Iterator[Problem]:
    for node, company in _in_company(when.tree, before):
        if isinstance(node, Rate) and node.min_n < MIN_CASES and "min_n" in when.text:
            position = places.word(when, r"\bmin_n\b")
            yield places.found(position, "few_cases", count=node.min_n, least=MIN_CASES)
        elif isinstance(node, Arithmetic) and node.operator == "/" and _counts(node.right):
            least = _least(node.right, company)
            if least:
                position = places.word(when, *_patterns(node.right))
                values = {"divisor": written(node.right), "least": MIN_CASES}
                yield places.found(position, "few_divided", count=least, **values)


def _patterns(divisor: Node) -> Iterator[str]:
    """How the divisor may be written: with its window, behind the sign if possible, or by name."""
    name = word_pattern(name_in(divisor))
    first = next(leaf for leaf in leaves(divisor) if isinstance(leaf, MetricValue))
    window = rf"{name}\(\s*{first.days}(?!\d)" if first.days else rf"{name}\(\s*\)"
    for pattern in (window, name):
        yield from (rf"(/)[\s(]*{pattern}", pattern)


def _counts(divisor: Node) -> bool:
    """Is it a number of rows, or a sum of such numbers?"""
    found = leaves(divisor)
    return bool(found) and all(
        isinstance(leaf, MetricValue) and METRICS[leaf.name].aggregate is Aggregate.COUNT
        for leaf in found
    )


def _least(divisor: Node, company: tuple[Node, ...]) -> int:
    """The smallest number of cases on which the rest of the condition lets the ratio decide; 0 if
    they are enough. Of none there is no ratio."""
    for count in range(1, MIN_CASES):
        exactly = (Compare(sign, divisor, Constant(count)) for sign in (">=", "<="))
        if can_hold(*company, *exactly):
            return count
    return 0


def _in_company(node: Node, company: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Each part with what has to hold for it to decide anything; without what stands in the bands
    of a tier that the condition only asks for."""
    yield node, company
    if isinstance(node, AllOf | AnyOf):
        for place, part in enumerate(node.parts):
            others = node.parts[:place] + node.parts[place + 1 :]
            if isinstance(node, AnyOf):
                others = tuple(map(Not, others))
            yield from _in_company(part, (*company, *others))
    elif isinstance(node, Case):
        if node.type is not Type.TEXT:
            yield from _chosen(node, company)
    else:
        for child in children(node):
            yield from _in_company(child, company)


def _chosen(node: Case, company: tuple[Node, ...]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    for condition, value in zip(node.conditions, node.values, strict=True):
        yield from _in_company(condition, company)
        yield from _in_company(value, (*company, condition))
        company = (*company, Not(condition))
    for value in filter(None, [node.otherwise]):
        yield from _in_company(value, company)
