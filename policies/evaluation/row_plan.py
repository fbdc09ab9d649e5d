"""What both back ends ask of the rows of a facts table, and whether they may fail to know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.language.tree import (
    AllOf,
    Arithmetic,
    Constant,
    DaysSince,
    Extreme,
    IsBlank,
    Never,
    Node,
    RowColumn,
    Surely,
    Today,
    children,
    rebuilt,
    walk,
)
from policies.language.vocabulary import TABLES, Type


def may_be_unknown(node: Node) -> bool:
    """Can the value be missing for some row?"""
    if isinstance(node, Constant | Today | IsBlank | Never | Surely):
        return not (isinstance(node, Surely) or _is_told(node))
    if isinstance(node, RowColumn):
        return TABLES[node.table].column(node.name).may_be_unknown
    if isinstance(node, DaysSince) and node.otherwise is not None and _is_told(node.moment):
        return may_be_unknown(node.moment) and may_be_unknown(node.otherwise)
    if isinstance(node, Extreme) and node.type in {Type.MOMENT, Type.DATE}:
        return all(may_be_unknown(part) for part in node.parts)
    if isinstance(node, Arithmetic) and node.operator == "/":
        return True
    return any(may_be_unknown(part) for part in children(node))


def _is_told(node: Node) -> bool:
    return all(item.told for item in walk(node) if isinstance(item, RowColumn))


def as_told(node: Node, untold: frozenset[str]) -> Node:
    """The condition where no mapping fills the columns `untold`: empty, they say nothing."""

    def change(part: Node) -> Node | None:
        if not isinstance(part, RowColumn) or part.name not in untold:
            return None
        is_flag = TABLES[part.table].column(part.name).blank is not None
        return None if is_flag else replace(part, told=False)

    return rebuilt(node, change)


def conjuncts(condition: Node | None) -> tuple[Node, ...]:
    """The conditions that have to hold together."""
    if isinstance(condition, AllOf):
        return tuple(item for part in condition.parts for item in conjuncts(part))
    return () if condition is None else (condition,)


def without(condition: Node | None, common: Iterable[Node]) -> Node | None:
    """The condition for rows on which `common` holds anyhow."""
    rest = tuple(item for item in conjuncts(condition) if item not in frozenset(common))
    if len(rest) > 1:
        return AllOf(rest)
    return rest[0] if rest else None


def common_conjuncts(conditions: Iterable[Node | None]) -> tuple[Node, ...]:
    """What all of them ask for and is known of every row: the other rows count nowhere."""
    groups = [conjuncts(condition) for condition in conditions]
    return tuple(
        item
        for item in dict.fromkeys(groups[0])
        if not may_be_unknown(item) and all(item in group for group in groups)
    )
