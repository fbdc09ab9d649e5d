"""The numbers that somebody chose: of a condition, in the order of its text, and of the clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from policies.language.metrics import CLOCKS, METRICS
from policies.language.number_text import Value
from policies.language.rows import build_clock
from policies.language.scope import Scope
from policies.language.tree import Constant, MetricValue, Node, Rank, RankKind, Rate, leaves, walk
from policies.model import Policy


@dataclass(frozen=True, slots=True)
class Number:
    """A number, or a parameter by its `name`. `kind`: window, cases, share or figure."""

    value: Value
    name: str
    kind: str


def numbers_of(node: Node) -> Iterator[Number]:
    """Those of one node, without what stands below it."""
    if isinstance(node, MetricValue):
        yield from _of_metric(node)
    elif isinstance(node, Rate) and node.min_n > 1:
        yield Number(node.min_n, node.min_n_name, "cases")
    elif isinstance(node, Rank) and node.kind is RankKind.ABC:
        for share, name in zip(node.shares, node.share_names, strict=True):
            yield Number(share, name, "share")
    elif isinstance(node, Constant) and (node.name or _is_choice(node)):
        yield Number(node.value, node.name, "figure")


def clocks_of(policy: Policy) -> Mapping[str, Node]:
    """What the policy says that a clock is, and what the product says where a condition asks."""
    asked = {
        name
        for tree in trees_of(policy)
        for leaf in leaves(tree)
        if isinstance(leaf, MetricValue)
        for name in (METRICS[leaf.name].clock, METRICS[leaf.name].after)
    }
    texts = {name: text for name, text in CLOCKS.items() if name in asked} | dict(policy.clocks)
    scope = Scope(policy.params)
    built = {name: build_clock(text, scope).node for name, text in texts.items()}
    return {name: node for name, node in built.items() if node is not None}


def trees_of(policy: Policy) -> Iterable[Node]:
    """Every condition and score."""
    yield from (item.tree for item in policy.conditions)
    yield from policy.scores.values()
    yield from (pool.when.tree for pool in policy.pools if pool.when is not None)
    for rule in policy.rules:
        if rule.process is not None:
            yield from (item.tree for item in rule.process.conditions)


def _of_metric(node: MetricValue) -> Iterator[Number]:
    if node.days is not None:
        yield Number(node.days, node.days_name, "window")
    for part in walk(node.own) if node.own is not None else ():
        yield from numbers_of(part)
    if node.otherwise is not None:
        yield from numbers_of(node.otherwise)


def _is_choice(node: Constant) -> bool:
    is_number = isinstance(node.value, int | Decimal) and not isinstance(node.value, bool)
    return is_number and node.value != 0
