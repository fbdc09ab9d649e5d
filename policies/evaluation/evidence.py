"""The facts behind an answer, as a plan, a note and an explanation show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import msgspec

from policies.language.number_text import plain
from policies.language.tree import (
    LEAVES,
    DaysSince,
    Leaf,
    MetricValue,
    Node,
    WorkdaysSince,
    children,
    leaves,
)

KNOWN, NEVER, MISSING = "known", "never", "missing"

Scalar = str | int | bool | None


class EvidenceItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One fact that a rule looked at; `value` is canonical text for dates and decimals. In JSON it
    is a list.

    `known`; `never`: the CRM was read in full and holds nothing; `missing`: nobody can tell.
    """

    name: str
    type: str
    value: Scalar
    state: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is not known of one customer: the past of what the CRM forgets, unless
    `history_known`; every metric of the facts tables in `undated`, where an event of the customer
    stands whose moment could not be read; the inputs whose places are in `unclear`; and whether
    amounts can be put together, of those whose places are in `mixed`."""

    history_known: bool
    undated: frozenset[str] = frozenset()
    unclear: frozenset[int] = frozenset()
    mixed: frozenset[int] = frozenset()


def missing_inputs(evidence: Iterable[EvidenceItem]) -> tuple[str, ...]:
    """The inputs for lack of which a rule is undecided; blank attributes if nothing is missing."""
    items = tuple(evidence)
    missing = tuple(item.name for item in items if item.state == MISSING)
    return missing or tuple(item.name for item in items if item.value is None)


def scalar(value: object) -> Scalar:
    """A value as evidence holds it."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    message = f"no evidence can be made of {type(value).__name__}"
    raise TypeError(message)


def input_of(leaf: Leaf) -> Leaf:
    """What has to be computed for a leaf: what it falls back on is no part of that."""
    if isinstance(leaf, MetricValue) and leaf.otherwise is not None:
        return replace(leaf, otherwise=None)
    return leaf


def input_leaves(trees: Iterable[Node]) -> tuple[Leaf, ...]:
    """What the trees read, each once."""
    return tuple(dict.fromkeys(input_of(leaf) for tree in trees for leaf in leaves(tree)))


def fallbacks(trees: Iterable[Node]) -> dict[Leaf, frozenset[Leaf]]:
    """Leaves that appear only behind `else:`, with the moments that they stand in for."""
    found: dict[Leaf, set[Leaf]] = {}
    elsewhere: set[Leaf] = set()
    for tree in trees:
        _collect(tree, found, elsewhere)
    return {leaf: frozenset(first) for leaf, first in found.items() if leaf not in elsewhere}


def _collect(node: Node, found: dict[Leaf, set[Leaf]], elsewhere: set[Leaf]) -> None:
    if isinstance(node, LEAVES):
        elsewhere.add(input_of(node))
    if isinstance(node, DaysSince | WorkdaysSince) and node.otherwise is not None:
        for leaf in input_leaves([node.otherwise]):
            found.setdefault(leaf, set()).update(input_leaves([node.moment]))
        _collect(node.moment, found, elsewhere)
        return
    for child in children(node):
        _collect(child, found, elsewhere)
