"""One node of the typed tree as a DuckDB expression, over the table `inputs` or over other leaves.

Numbers stay exact: integers and decimals only, each cast where two scales meet.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum

from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.sql_text import date_literal, input_type, literal, moment_literal
from policies.language.number_size import DIVISION_SCALE, digits, scale
from policies.language.number_text import plain
from policies.language.tree import (
    LEAVES,
    NUMERIC,
    AllOf,
    AnyOf,
    Arithmetic,
    Case,
    Compare,
    Constant,
    DaysSince,
    Extreme,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Not,
    OneOf,
    Rank,
    RankKind,
    Rate,
    RowColumn,
    Surely,
    Today,
    WorkdaysSince,
    walk,
)
from policies.language.vocabulary import Type
from policies.moment import AsOf

__all__ = ["ExpressionSql", "Kind", "NodeSql", "Thresholds", "is_small"]

Thresholds = Mapping[str, Sequence[Decimal | int | None]]

# What a customer in no band of a tier has for a class: it equals no text that can be written.
NO_CLASS = "\x1f"
_BIGINT_DIGITS = 18


class Kind(Enum):
    """How a moment is read: as a local day, as an instant, as a number in the count of workdays."""

    DAY = "day"
    INSTANT = "instant"
    WORKDAY = "workday"


class NodeSql(ABC):
    """Compiles nodes. What a leaf is, and what its absence means, is up to those who inherit."""

    def __init__(self, as_of: AsOf) -> None:
        self._as_of = as_of

    @abstractmethod
    def leaf(self, node: Node) -> str:
        """The value of a leaf."""

    @abstractmethod
    def leaf_moment(self, node: Node, kind: Kind) -> str:
        """The moment of a leaf; NULL means never, or unknown."""

    @abstractmethod
    def settled(self, node: Node) -> str:
        """When it is known whether the leaf has a value; empty: always."""

    def rank(self, node: Rank) -> str:
        message = f"{type(node).__name__} has no SQL here"
        raise TypeError(message)

    def today_workday(self) -> str:
        message = "workdays have no SQL here"
        raise TypeError(message)

    def sql(self, node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of node
        """The node as an expression that can stand anywhere."""
        if isinstance(node, (*LEAVES, RowColumn)):
            return self._value(node)
        match node:
            case Constant(value):
                return literal(value)
            case AllOf(parts):
                return self._all_of(parts)
            case AnyOf(parts):
                return "(" + " OR ".join(self.sql(part) for part in parts) + ")"
            case Not(part):
                return f"(NOT {self.sql(part)})"
            case Compare():
                return self._compare(node)
            case Surely(part):
                return f"coalesce({self.sql(part)}, FALSE)"
            case OneOf(value, options):
                return self._one_of(value, options)
            case IsBlank(attribute):
                return _if(self.settled(attribute), f"{self.leaf(attribute)} IS NULL")
            case Never(moment):
                return _if(self._settled(moment), f"{self._moment(moment, Kind.DAY)} IS NULL")
            case DaysSince(moment, otherwise):
                today = date_literal(self._as_of.day)
                return f"({today} - {self._since(moment, otherwise, Kind.DAY)})"
            case WorkdaysSince(moment, otherwise):
                return f"({self.today_workday()} - {self._since(moment, otherwise, Kind.WORKDAY)})"
            case Rank():
                return self.rank(node)
            case Rate():
                return self._rate(node)
            case Case():
                return self._case(node)
            case Extreme():
                return self._extreme(node)
            case Arithmetic("/", left, right):
                return self._division(left, right)
            case Arithmetic():
                return self._arithmetic(node)
        message = f"{type(node).__name__} has no SQL"
        raise TypeError(message)

    def _all_of(self, parts: Sequence[Node]) -> str:
        """What costs much is asked only where the rest does not rule it out."""
        costly = [part for part in parts if _is_costly(part)]
        cheap = [part for part in parts if part not in costly]
        whole = "(" + " AND ".join(self.sql(part) for part in (*cheap, *costly)) + ")"
        if not costly or not cheap:
            return whole
        rest = " AND ".join(self.sql(part) for part in cheap)
        return f"(CASE WHEN NOT ({rest}) THEN FALSE ELSE {whole} END)"

    def _value(self, node: Node) -> str:
        value = self.leaf(node)
        if isinstance(node, MetricValue) and node.otherwise is not None:
            kind = input_type(node.type)
            otherwise = f"CAST({literal(node.otherwise.value)} AS {kind})"
            return _or_else(value, otherwise, self.settled(node))
        return value

    def _compare(self, node: Compare) -> str:
        kinds = {node.left.type, node.right.type}
        if kinds <= {Type.MOMENT, Type.DATE}:
            kind = Kind.INSTANT if kinds == {Type.MOMENT} else Kind.DAY
            left, right = (self._moment(part, kind) for part in (node.left, node.right))
        elif kinds <= NUMERIC:
            left, right = self._aligned((node.left, node.right))
        else:
            left, right = self.sql(node.left), self.sql(node.right)
        return f"({left} {node.operator} {right})"

    def _one_of(self, value: Node, options: Sequence[Constant]) -> str:
        if value.type is Type.TEXT:
            listed = ", ".join(literal(option.value) for option in options)
            return f"({self.sql(value)} IN ({listed}))"
        equal = (self.sql(Compare("=", value, option)) for option in options)
        return "(" + " OR ".join(equal) + ")"

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
        shift = DIVISION_SCALE + scale(right) - scale(left)
        above = _times(self._units(left), shift)
        below = _times(self._units(right), -shift)
        quotient = f"{above} // nullif({below}, 0)"
        smallest = plain(Decimal(1).scaleb(-DIVISION_SCALE))
        return f"(CAST({quotient} AS DECIMAL(38,0)) * CAST({smallest} AS DECIMAL(7,6)))"

    def _units(self, node: Node) -> str:
        places = scale(node)
        exact = f"CAST({self.sql(node)} AS DECIMAL(38,{places}))"
        return f"CAST({exact} * {10**places} AS HUGEINT)"

    def _rate(self, node: Rate) -> str:
        whole = self._aligned((node.whole,), scale(node.whole))[0]
        few = "NULL"
        if node.otherwise is not None:
            few = f"CAST({literal(node.otherwise.value)} AS DECIMAL(38,{DIVISION_SCALE}))"
        return (
            f"(CASE WHEN {self.sql(node.part)} IS NULL OR {whole} IS NULL THEN NULL "
            f"WHEN {whole} < {node.min_n} THEN {few} "
            f"ELSE {self._division(node.part, node.whole)} END)"
        )

    def _case(self, node: Case) -> str:
        values = list(node.values)
        if node.otherwise is not None:
            values.append(node.otherwise)
        written = [self.sql(value) for value in values]
        if node.type in NUMERIC:
            written = self._aligned(values)
        otherwise = literal(NO_CLASS) if node.type is Type.TEXT else "NULL"
        if node.otherwise is not None:
            otherwise = written[-1]
        cases = "".join(
            f"WHEN {condition} THEN {value} WHEN ({condition}) IS NULL THEN NULL "
            for condition, value in zip(map(self.sql, node.conditions), written, strict=False)
        )
        return f"(CASE {cases}ELSE {otherwise} END)"

    def _extreme(self, node: Extreme) -> str:
        """DuckDB's `least` passes over NULL; an unknown number makes the result unknown."""
        parts = self._aligned(node.parts)
        known = " AND ".join(f"{part} IS NOT NULL" for part in parts)
        name = "greatest" if node.greatest else "least"
        return f"(CASE WHEN {known} THEN {name}({', '.join(parts)}) END)"

    def _moment(self, node: Node, kind: Kind) -> str:
        """NULL means never, or unknown (`_settled`)."""
        if isinstance(node, Today):
            return self._today(kind)
        if not isinstance(node, Extreme):
            return self.leaf_moment(node, kind)
        parts = ", ".join(self._moment(part, kind) for part in node.parts)
        value = f"{'greatest' if node.greatest else 'least'}({parts})"
        settled = self._settled(node)
        return f"(CASE WHEN {settled} THEN {value} END)" if settled else value

    def _today(self, kind: Kind) -> str:
        if kind is Kind.WORKDAY:
            return self.today_workday()
        if kind is Kind.DAY:
            return date_literal(self._as_of.day)
        return moment_literal(self._as_of.utc)

    def _settled(self, moment: Node) -> str:
        if isinstance(moment, Today):
            return ""
        if isinstance(moment, Extreme):
            parts = (self._settled(part) for part in moment.parts)
            return " AND ".join(dict.fromkeys(part for part in parts if part))
        return self.settled(moment)

    def _since(self, moment: Node, otherwise: Node | None, kind: Kind) -> str:
        value = self._moment(moment, kind)
        if otherwise is None:
            return value
        return _or_else(value, self._moment(otherwise, kind), self._settled(moment))


class ExpressionSql(NodeSql):
    """Over the table `inputs`; `thresholds` are the scalars that ranks compare with."""

    def __init__(self, plan: InputPlan, thresholds: Thresholds) -> None:
        super().__init__(plan.as_of)
        self._plan = plan
        self._thresholds = thresholds
        self._rank_names = {rank: f"t_{place}" for place, rank in enumerate(plan.ranks)}

    def sql(self, node: Node) -> str:
        found = super().sql(node)
        mix = self._plan.mixes.get(node) if self._plan.mixes else None
        return found if mix is None else f"(CASE WHEN NOT {mix.column} THEN {found} END)"

    def _input(self, node: Node) -> Input:
        assert isinstance(node, LEAVES)  # noqa: S101 - a condition on customers has no other
        return self._plan.of(node)

    def leaf(self, node: Node) -> str:
        return self._input(node).column

    def leaf_moment(self, node: Node, kind: Kind) -> str:
        item = self._input(node)
        columns = {Kind.INSTANT: item.instant_column, Kind.WORKDAY: item.workday_column}
        return columns.get(kind, item.column)

    def settled(self, node: Node) -> str:
        item = self._input(node)
        guards = ["h"] if item.history else []
        if item.may_be_unclear:
            guards.append(f"NOT {item.unclear_column}")
        if item.exhaustive and not guards:
            return ""
        known = f"{item.column} IS NOT NULL"
        return f"({known} OR {' AND '.join(guards)})" if item.exhaustive else f"({known})"

    def today_workday(self) -> str:
        return str(self._plan.workdays[self._as_of.day])

    def _compare(self, node: Compare) -> str:
        """A rank beside a constant is its value beside the breaks: no class has to be made."""
        if isinstance(node.left, Rank) and isinstance(node.right, Constant):
            value, breaks = self._ranked(node.left)
            if node.left.kind is RankKind.ABC:
                breaks = breaks[::-1]
            classes = _classes(node)
            if breaks[0] is not None and classes:
                over, upto = (">", "<=") if node.left.kind is RankKind.QUINTILE else (">=", "<")
                bounds = [(over, classes[0] - 1), (upto, classes[-1])]
                parts = [
                    f"{value} {sign} {breaks[number - 1]}"
                    for sign, number in bounds
                    if 0 < number <= len(breaks)
                ]
                if parts:
                    return f"({' AND '.join(parts)})"
        return super()._compare(node)

    def _ranked(self, node: Rank) -> tuple[str, list[str | None]]:
        """What is ranked, and where its classes break."""
        value = self.sql(node.value)
        if not is_small(node.value):
            value = self._aligned((node.value,), scale(node.value))[0]
        breaks = self._thresholds[self._rank_names[node]]
        return value, [None if item is None else literal(item) for item in breaks]

    def rank(self, node: Rank) -> str:
        value, breaks = self._ranked(node)
        if breaks[0] is None:
            return f"CAST(NULL AS {'BIGINT' if node.kind is RankKind.QUINTILE else 'VARCHAR'})"
        if node.kind is RankKind.QUINTILE:
            cases = " ".join(f"WHEN {value} <= {item} THEN {i}" for i, item in enumerate(breaks, 1))
            return f"(CASE WHEN {value} IS NULL THEN NULL {cases} ELSE 5 END)"
        return (
            f"(CASE WHEN {value} IS NULL THEN NULL WHEN {value} >= {breaks[0]} THEN 'A' "
            f"WHEN {value} >= {breaks[1]} THEN 'B' ELSE 'C' END)"
        )


_ABC = ("C", "B", "A")  # from the lowest
_OPERATORS: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _classes(node: Compare) -> list[int]:
    """The classes of a rank, from the lowest value up, for which a comparison holds, if they lie
    side by side; else none."""
    assert isinstance(node.left, Rank)  # noqa: S101 - it is asked of no other
    assert isinstance(node.right, Constant)  # noqa: S101 - as above
    wanted = node.right.value
    if node.left.kind is RankKind.ABC:
        named = [number for number, name in enumerate(_ABC, 1) if name == wanted]
        return named if node.operator == "=" else []
    holds = _OPERATORS.get(node.operator)
    if holds is None or not isinstance(wanted, int):
        return []
    return [number for number in range(1, 6) if holds(number, wanted)]


def _is_costly(node: Node) -> bool:
    """Whether the node divides, which 128 bits do slowly."""
    divides = (item for item in walk(node) if isinstance(item, Arithmetic | Rate))
    return any(isinstance(item, Rate) or item.operator == "/" for item in divides)


def _if(condition: str, value: str) -> str:
    return f"(CASE WHEN {condition} THEN {value} END)" if condition else f"({value})"


def _or_else(value: str, otherwise: str, settled: str) -> str:
    """`otherwise` where there is knowingly none."""
    if not settled:
        return f"coalesce({value}, {otherwise})"
    if settled == f"({value} IS NOT NULL)":
        return value
    return f"(CASE WHEN {value} IS NULL AND {settled} THEN {otherwise} ELSE {value} END)"


def _times(units: str, shift: int) -> str:
    return f"({units} * {10**shift}::HUGEINT)" if shift > 0 else units


def is_small(node: Node) -> bool:
    """Whether the node is a whole number that 64 bits hold for certain."""
    return node.type is Type.INTEGER and digits(node) <= _BIGINT_DIGITS
