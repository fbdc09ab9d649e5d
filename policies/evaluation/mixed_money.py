"""Amounts that are added to or compared with each other: only in one currency have they an answer.

A constant, and a field of the CRM, go with every currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.evaluation.evidence import input_of
from policies.language.tree import (
    Arithmetic,
    Compare,
    Extreme,
    Leaf,
    MetricValue,
    Node,
    Rank,
    Rate,
    children,
)
from policies.language.vocabulary import Type

Amounts = frozenset[Leaf]


@dataclass(frozen=True, slots=True)
class Mix:
    """Metrics whose currencies must agree. `column`: whether they do not."""

    place: int
    leaves: Amounts

    @property
    def column(self) -> str:
        return f"d_{self.place}"


def mixes(trees: Iterable[Node]) -> Mapping[Node, Mix]:
    """The parts of the trees that put amounts of several metrics together."""
    found = {node: amounts for tree in trees for node, amounts in _joined(tree, frozenset())}
    sets = {
        leaves: Mix(place, leaves) for place, leaves in enumerate(dict.fromkeys(found.values()))
    }
    return {node: sets[leaves] for node, leaves in found.items()}


def _joined(node: Node, above: Amounts) -> Iterator[tuple[Node, Amounts]]:
    """`above`: what has to agree already for the part in which the node stands. A rank asks by
    itself for one currency, of all customers."""
    if isinstance(node, Rank):
        return
    if isinstance(node, Compare | Arithmetic | Extreme | Rate):
        sides = [amounts for child in children(node) if (amounts := amounts_in(child))]
        together = frozenset[Leaf]().union(*sides)
        if len(sides) > 1 and len(together) > 1 and not together <= above:
            yield node, together
            above |= together
    for child in children(node):
        yield from _joined(child, above)


def amounts_in(node: Node) -> Amounts:
    """The metrics of which the node is an amount."""
    if node.type is not Type.MONEY:
        return frozenset()
    if isinstance(node, MetricValue):
        return frozenset([input_of(node)])
    return frozenset[Leaf]().union(*map(amounts_in, children(node)))
