"""A part of a condition as an author could have written it, to name it in a message."""

from __future__ import annotations

import re
from decimal import Decimal

from policies.language.metrics import FORMULAS, METRICS
from policies.language.number_text import plain
from policies.language.tree import (
    LEAVES,
    AllOf,
    AnyOf,
    Arithmetic,
    Case,
    Compare,
    Constant,
    DataAge,
    DaysSince,
    Extreme,
    HasTag,
    IsBlank,
    Leaf,
    MetricValue,
    Never,
    Node,
    Not,
    OneOf,
    Rank,
    RankKind,
    Rate,
    RowColumn,
    Today,
    WorkdaysSince,
    walk,
)

MAX_LENGTH = 80
ABC_SHARES = (80, 95)


def full_text(node: Node) -> str:
    """The part in the words of the language."""
    return _written(node)


def written(node: Node) -> str:
    """The same, cut where it grows long."""
    text = full_text(node)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


def _written(node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind of node
    match node:
        case Constant(value):
            return constant_text(value)
        case Not(part):
            return f"NOT {_inner(part)}"
        case AllOf(parts):
            return " AND ".join(map(_inner, parts))
        case AnyOf(parts):
            return " OR ".join(map(_inner, parts))
        case Compare(operator, left, right) | Arithmetic(operator, left, right):
            return f"{_inner(left)} {operator} {_inner(right)}"
        case OneOf(value, options):
            return f"{_inner(value)} IN ({_listed(options)})"
        case IsBlank(attribute):
            return f"{_written(attribute)} IS NULL"
        case Never(moment):
            return f"never({_written(moment)})"
        case DaysSince(moment):
            return f"days_since({_written(moment)})"
        case WorkdaysSince(moment):
            return f"workdays_since({_written(moment)})"
        case Extreme(greatest, parts):
            return f"{'greatest' if greatest else 'least'}({_listed(parts)})"
        case Rank(RankKind.ABC, value, shares) if shares != ABC_SHARES:
            return f"abc({_written(value)}, {', '.join(map(str, shares))})"
        case Rank(kind, value):
            return f"{kind.value}({_written(value)})"
        case Rate(part, whole):
            return _formula(node) or f"rate({_written(part)}, {_written(whole)})"
        case Case((condition,), _, Node()):
            return f"if({_written(condition)}, ...)"
        case Case():
            return "tier"
        case RowColumn(_, name):
            return name
        case Today():
            return "today"
    return node.label if isinstance(node, LEAVES) else type(node).__name__


def metrics_in(node: Node) -> tuple[MetricValue, ...]:
    return tuple(item for item in walk(node) if isinstance(item, MetricValue))


_WORD = re.compile(r"\w+")
# The metrics of a formula, in their order.
_FORMULAS = {
    tuple(name for name in _WORD.findall(item.text) if name in METRICS): item
    for item in FORMULAS.values()
}


def name_in(node: Node) -> str:
    """A name by which the part can be found in its text: of a formula, a fact or a tag; a value
    stands for itself."""
    if isinstance(node, Constant):
        return str(node.value)
    rates = (_formula(item) for item in walk(node) if isinstance(item, Rate))
    facts = (_fact(item) for item in walk(node) if isinstance(item, LEAVES))
    text = next((name for name in (*rates, *facts) if name), "")
    return text.partition("(")[0]


def _fact(leaf: Leaf) -> str:
    if isinstance(leaf, HasTag):
        return leaf.tag
    return leaf.fact if isinstance(leaf, DataAge) else leaf.name


def _formula(node: Rate) -> str:
    """The rate by its name, if it has one; empty if it is an author's own."""
    metrics = metrics_in(node)
    formula = _FORMULAS.get(tuple(item.name for item in metrics))
    if formula is None:
        return ""
    days = metrics[0].days
    return f"{formula.name}({days or ''})" if formula.windowed else formula.name


def _inner(node: Node) -> str:
    text = _written(node)
    return f"({text})" if isinstance(node, AllOf | AnyOf | Arithmetic) else text


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(map(_written, nodes))


def constant_text(value: object) -> str:
    """A constant as it stands in a condition."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, Decimal):
        return plain(value)
    return f"'{value}'" if isinstance(value, str) else str(value)
