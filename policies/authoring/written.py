"""A part of a condition as an author could have written it, to name it in a message."""

from __future__ import annotations

import re

from policies.language.metrics import FORMULAS, METRICS
from policies.language.number_text import Value, scalar_text
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


def written(node: Node) -> str:
    """The part in the words of the language, cut where it grows long."""
    text = full_text(node)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


def full_text(node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind of node
    """The same, however long it is."""
    match node:
        case Constant(value):
            return _constant(value)
        case Not(part):
            return f"NOT {_inner(part)}"
        case AllOf(parts):
            return " AND ".join(map(_inner, parts))
        case AnyOf(parts):
            return " OR ".join(map(_inner, parts))
        case Arithmetic("-", Constant(0), DaysSince(moment)):
            return f"days_until({written(moment)})"
        case Arithmetic(_, _, right) if is_negative(node):
            return f"-{_inner(right)}"
        case Compare(operator, left, right) | Arithmetic(operator, left, right):
            return f"{_inner(left)} {operator} {_inner(right)}"
        case OneOf(value, options):
            return f"{_inner(value)} IN ({_listed(options)})"
        case IsBlank(attribute):
            return f"{full_text(attribute)} IS NULL"
        case Never(moment):
            return f"never({full_text(moment)})"
        case DaysSince(moment):
            return f"days_since({full_text(moment)})"
        case WorkdaysSince(moment):
            return f"workdays_since({full_text(moment)})"
        case Extreme(greatest, parts):
            return f"{'greatest' if greatest else 'least'}({_listed(parts)})"
        case Rank(RankKind.ABC, value, shares) if shares != ABC_SHARES:
            return f"abc({full_text(value)}, {', '.join(map(str, shares))})"
        case Rank(kind, value):
            return f"{kind.value}({full_text(value)})"
        case Rate(part, whole):
            return _formula(node) or f"rate({full_text(part)}, {full_text(whole)})"
        case Case((condition,), _, Node()):
            return f"if({full_text(condition)}, ...)"
        case Case():
            return "tier"
        case RowColumn(_, name):
            return name
        case Today():
            return "today"
    return node.label if isinstance(node, LEAVES) else type(node).__name__


def is_negative(node: Node) -> bool:
    """Is it a number with a sign before it? Its 0 is nobody's."""
    return isinstance(node, Arithmetic) and node.operator == "-" and node.left == Constant(0)


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
    text = full_text(node)
    return f"({text})" if isinstance(node, AllOf | AnyOf | Arithmetic) else text


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(map(full_text, nodes))


def _constant(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return f"'{value}'" if isinstance(value, str) else scalar_text(value)
