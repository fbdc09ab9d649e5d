"""One node of the typed tree as a DuckDB expression over the table `inputs`.

Numbers stay exact: integers and decimals only, each cast where two scales meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from policies.inputs import InputPlan, never_is_known
from policies.tree import (
    DIVISION_SCALE,
    AllOf,
    AnyOf,
    Arithmetic,
    Attribute,
    Compare,
    Constant,
    DaysSince,
    Extreme,
    HasTag,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Not,
    OneOf,
    Rank,
    RankKind,
    Value,
    digits,
    plain,
    scale,
)
from policies.vocabulary import Type

Thresholds = Mapping[str, Sequence[Decimal | int | None]]

_BIGINT_DIGITS = 18


def literal(value: Value) -> str:
    """A constant as SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return plain(value) if isinstance(value, Decimal) else str(value)


class ExpressionSql:
    """Compiles nodes; `thresholds` are the scalars that ranks compare with."""

    def __init__(self, plan: InputPlan, thresholds: Thresholds) -> None:
        self._plan = plan
        self._thresholds = thresholds
        self._rank_names = {rank: f"t_{place}" for place, rank in enumerate(plan.ranks)}

    def sql(self, node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of node
        """The node as an expression that can stand anywhere."""
        match node:
            case Constant(value):
                return literal(value)
            case Attribute() | MetricValue() | HasTag():
                return self._plan.by_leaf[node].column
            case AllOf(parts):
                return "(" + " AND ".join(self.sql(part) for part in parts) + ")"
            case AnyOf(parts):
                return "(" + " OR ".join(self.sql(part) for part in parts) + ")"
            case Not(part):
                return f"(NOT {self.sql(part)})"
            case Compare():
                return self._compare(node)
            case OneOf(value, options):
                equal = (self.sql(Compare("=", value, option)) for option in options)
                return "(" + " OR ".join(equal) + ")"
            case IsBlank(attribute):
                return f"(CASE WHEN h THEN {self.sql(attribute)} IS NULL END)"
            case Never(moment):
                return self._never(moment)
            case DaysSince(moment, otherwise):
                return self._days_since(moment, otherwise)
            case Rank():
                return self._rank(node)
            case Extreme():
                return self._extreme(node)
            case Arithmetic("/", left, right):
                return self._division(left, right)
            case Arithmetic():
                return self._arithmetic(node)
        message = f"{type(node).__name__} has no SQL"
        raise TypeError(message)

    def _compare(self, node: Compare) -> str:
        if node.left.type is Type.MOMENT:
            left, right = (self._moment(part, instant=True) for part in (node.left, node.right))
        elif node.left.type is Type.TEXT:
            left, right = self.sql(node.left), self.sql(node.right)
        else:
            left, right = self._aligned((node.left, node.right))
        return f"({left} {node.operator} {right})"

    def _aligned(self, nodes: Sequence[Node], wanted: int | None = None) -> list[str]:
        """Numbers of one scale, so that no cast is left to the database."""
        if wanted is None and all(is_small(node) for node in nodes):
            return [self.sql(node) for node in nodes]
        common = max(scale(node) for node in nodes) if wanted is None else wanted
        return [f"CAST({self.sql(node)} AS DECIMAL(38,{common}))" for node in nodes]

    def _arithmetic(self, node: Arithmetic) -> str:
        sides = (node.left, node.right)
        if all(is_small(side) for side in sides) and digits(node) <= _BIGINT_DIGITS:
            left, right = self.sql(node.left), self.sql(node.right)
        elif node.operator == "*":
            left, right = (self._aligned((side,), scale(side))[0] for side in sides)
        else:
            left, right = self._aligned(sides, scale(node))
        return f"({left} {node.operator} {right})"

    def _division(self, left: Node, right: Node) -> str:
        """Whole units divided as integers: exact, cut off behind the last decimal."""
        shift = 10 ** (DIVISION_SCALE + scale(right) - scale(left))
        above = f"({self._units(left)} * {shift}::HUGEINT)"
        quotient = f"{above} // nullif({self._units(right)}, 0)"
        smallest = plain(Decimal(1).scaleb(-DIVISION_SCALE))
        return f"(CAST({quotient} AS DECIMAL(38,0)) * CAST({smallest} AS DECIMAL(7,6)))"

    def _units(self, node: Node) -> str:
        places = scale(node)
        exact = f"CAST({self.sql(node)} AS DECIMAL(38,{places}))"
        return f"CAST({exact} * {10**places} AS HUGEINT)"

    def _extreme(self, node: Extreme) -> str:
        """DuckDB's `least` passes over NULL; an unknown number makes the result unknown."""
        parts = self._aligned(node.parts)
        known = " AND ".join(f"{part} IS NOT NULL" for part in parts)
        name = "greatest" if node.greatest else "least"
        return f"(CASE WHEN {known} THEN {name}({', '.join(parts)}) END)"

    def _moment(self, node: Node, *, instant: bool) -> str:
        """A local day, or the instant itself; NULL means never or unknown (`never_is_known`)."""
        if isinstance(node, Extreme):
            parts = [(self._moment(part, instant=instant), part) for part in node.parts]
            name = "greatest" if node.greatest else "least"
            value = f"{name}({', '.join(sql for sql, _ in parts)})"
            gaps = [sql for sql, part in parts if not never_is_known(self._plan, part)]
            known = " AND ".join(f"{sql} IS NOT NULL" for sql in gaps)
            return f"(CASE WHEN {known} THEN {value} END)" if gaps else value
        item = self._plan.by_leaf[node]
        return item.instant_column if instant else item.column

    def _never(self, moment: Node) -> str:
        value = self._moment(moment, instant=False)
        if never_is_known(self._plan, moment):
            return f"({value} IS NULL)"
        return f"(CASE WHEN {value} IS NOT NULL THEN FALSE END)"

    def _days_since(self, moment: Node, otherwise: Node | None) -> str:
        value = self._moment(moment, instant=False)
        if otherwise is not None and never_is_known(self._plan, moment):
            value = f"coalesce({value}, {self._moment(otherwise, instant=False)})"
        return f"(DATE '{self._plan.as_of.day.isoformat()}' - {value})"

    def _rank(self, node: Rank) -> str:
        value = self._aligned((node.value,), scale(node.value))[0]
        breaks = [
            None if item is None else literal(item)
            for item in self._thresholds[self._rank_names[node]]
        ]
        if breaks[0] is None:
            return f"CAST(NULL AS {'BIGINT' if node.kind is RankKind.QUINTILE else 'VARCHAR'})"
        if node.kind is RankKind.QUINTILE:
            cases = " ".join(f"WHEN {value} <= {item} THEN {i}" for i, item in enumerate(breaks, 1))
            return f"(CASE WHEN {value} IS NULL THEN NULL {cases} ELSE 5 END)"
        return (
            f"(CASE WHEN {value} IS NULL THEN NULL WHEN {value} >= {breaks[0]} THEN 'A' "
            f"WHEN {value} >= {breaks[1]} THEN 'B' ELSE 'C' END)"
        )


def is_small(node: Node) -> bool:
    """Whether the node is a whole number that 64 bits hold for certain."""
    return node.type is Type.INTEGER and digits(node) <= _BIGINT_DIGITS
