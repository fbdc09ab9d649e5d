"""Writes one Python function from typed trees: a line for each distinct node, unknown is None."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.sql_expression import NO_CLASS, Kind
from policies.language.number_size import DIVISION_SCALE
from policies.language.tree import (
    LEAVES,
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
)
from policies.language.vocabulary import Type
from policies.moment import AsOf

_COMPARISONS = {"=": "==", "<>": "!="}


def divide(left: Decimal | int, right: Decimal | int) -> Decimal | None:
    """Exact, cut off behind the last decimal; None for a division by zero."""
    if not right:
        return None
    above, below = Decimal(left).as_integer_ratio(), Decimal(right).as_integer_ratio()
    numerator, denominator = above[0] * below[1], above[1] * below[0]
    units = abs(numerator) * 10**DIVISION_SCALE // abs(denominator)
    negative = (numerator < 0) != (denominator < 0)
    return Decimal(-units if negative else units).scaleb(-DIVISION_SCALE)


def rate(part: Any, whole: Any, min_n: int, otherwise: Any) -> Any:
    """Part of whole; below the least number of cases `otherwise`."""
    if part is None or whole is None:
        return None
    return otherwise if whole < min_n else divide(part, whole)


def quintile(value: Any, breaks: Sequence[Any]) -> int | None:
    """The fifth in which the value lies; 5 is the largest."""
    if value is None or breaks[0] is None:
        return None
    return 1 + sum(1 for item in breaks if value > item)


def abc(value: Any, breaks: Sequence[Any]) -> str | None:
    """The class of the value: A makes up the first part of the sum."""
    if value is None or breaks[0] is None:
        return None
    return "A" if value >= breaks[0] else "B" if value >= breaks[1] else "C"


def extreme(choose: Any, values: tuple[Any, ...]) -> Any:
    """Of the values that are there; None when there is none."""
    return choose((value for value in values if value is not None), default=None)


RUNTIME: Mapping[str, Any] = {
    "Decimal": Decimal,
    "abc": abc,
    "divide": divide,
    "extreme": extreme,
    "quintile": quintile,
    "rate": rate,
}


class FunctionWriter(ABC):
    """Collects lines; each distinct node is computed once. What a leaf is, and what its absence
    means, is up to those who inherit."""

    arguments = ""

    def __init__(self, as_of: AsOf) -> None:
        self._as_of = as_of
        self._lines: list[str] = []
        self._names: dict[tuple[object, Node], str] = {}

    @abstractmethod
    def leaf(self, node: Node) -> str:
        """The name that holds the value of a leaf."""

    @abstractmethod
    def leaf_moment(self, node: Node, kind: Kind) -> str:
        """The name of the moment of a leaf; None means never, or unknown."""

    @abstractmethod
    def settled(self, node: Node) -> str:
        """When it is known whether the leaf has a value; empty: always."""

    def rank(self, node: Rank) -> str:
        message = f"{type(node).__name__} has no Python here"
        raise TypeError(message)

    def workday(self, day: str) -> str:
        """The number of a day in the count of workdays."""
        message = f"workdays have no Python here: {day}"
        raise TypeError(message)

    def function(
        self, results: Sequence[str], names: Mapping[str, Any]
    ) -> Callable[..., tuple[Any, ...]]:
        """The function that returns `results`. Its text is written here alone: constants stand in
        it as literals."""
        known: dict[str, Any] = {**RUNTIME, **names}
        exec(compile(self.source(results), "<policy>", "exec"), known)  # noqa: S102 - our own text
        function: Callable[..., tuple[Any, ...]] = known["evaluate"]
        return function

    def source(self, results: Sequence[str]) -> str:
        body = "\n    ".join([*self._lines, f"return ({''.join(f'{item}, ' for item in results)})"])
        return f"def evaluate({self.arguments}):\n    {body}\n"

    def value(self, node: Node) -> str:
        """The name that holds the node's value."""
        if isinstance(node, Constant):
            return repr(node.value)
        if isinstance(node, (*LEAVES, RowColumn)):
            return self._leaf_value(node)
        return self.named("v", node, lambda: self._expression(node))

    def _leaf_value(self, node: Node) -> str:
        name = self.leaf(node)
        if isinstance(node, MetricValue) and node.otherwise is not None:
            otherwise = repr(node.otherwise.value)
            text = self._or_else(name, otherwise, self.settled(node))
            return self.named("o", node, lambda: text)
        return name

    def stage(self, conditions: Sequence[Node | None]) -> str:
        """The name that holds the number of the first stage whose condition holds."""
        text = "0"
        for number, condition in reversed(list(enumerate(conditions, 1))):
            if condition is None:
                text = str(number)
            else:
                name = self.value(condition)
                text = f"{number} if {name} else None if {name} is None else {text}"
        return self._assign("s", text)

    def named(self, kind: object, node: Node, write: Callable[[], str]) -> str:
        """The name of a line that is written once."""
        key = (kind, node)
        if key not in self._names:
            text = write()
            self._names[key] = self._assign("v", text)
        return self._names[key]

    def _assign(self, kind: str, text: str) -> str:
        name = f"{kind}{len(self._lines)}"
        self._lines.append(f"{name} = {text}")
        return name

    def _known(self, names: Sequence[str], text: str) -> str:
        """`text` if all names are known, else unknown."""
        unknown = " or ".join(f"{name} is None" for name in names if not _is_literal(name))
        return f"None if {unknown} else {text}" if unknown else text

    def _or_else(self, name: str, otherwise: str, settled: str) -> str:
        """`otherwise` where there is knowingly none."""
        absent = f"{name} is None and ({settled})" if settled else f"{name} is None"
        return f"{otherwise} if {absent} else {name}"

    def _expression(self, node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one line a kind
        match node:
            case AllOf(parts):
                return self._connected(parts, decides="False", otherwise="True")
            case AnyOf(parts):
                return self._connected(parts, decides="True", otherwise="False")
            case Not(part):
                name = self.value(part)
                return self._known([name], f"not {name}")
            case Compare():
                return self._compare(node)
            case OneOf(value, options):
                name = self.value(value)
                listed = ", ".join(repr(option.value) for option in options)
                return self._known([name], f"{name} in ({listed},)")
            case Surely(part):
                return f"{self.value(part)} is True"
            case IsBlank(attribute):
                return _if(self.settled(attribute), f"{self.leaf(attribute)} is None")
            case Never(moment):
                return _if(self._settled(moment), f"{self._moment(moment, Kind.DAY)} is None")
            case DaysSince(moment, otherwise):
                name = self._since(moment, otherwise, Kind.DAY)
                return self._known([name], f"day.toordinal() - {name}.toordinal()")
            case WorkdaysSince(moment, otherwise):
                name = self._since(moment, otherwise, Kind.WORKDAY)
                return self._known([name], f"{self.workday('day')} - {name}")
            case Rank():
                return self.rank(node)
            case Rate(part, whole, min_n, otherwise):
                few = None if otherwise is None else otherwise.value
                return f"rate({self.value(part)}, {self.value(whole)}, {min_n}, {few!r})"
            case Case():
                return self._case(node)
            case Extreme(greatest, parts):
                names = [self.value(part) for part in parts]
                choose = "max" if greatest else "min"
                return self._known(names, f"{choose}({', '.join(names)})")
            case Arithmetic(operator, left, right):
                names = [self.value(left), self.value(right)]
                text = f"{names[0]} {operator} {names[1]}"
                return self._known(
                    names, f"divide({', '.join(names)})" if operator == "/" else text
                )
        message = f"{type(node).__name__} has no Python"
        raise TypeError(message)

    def _connected(self, parts: Sequence[Node], *, decides: str, otherwise: str) -> str:
        names = [self.value(part) for part in parts]
        decided = " or ".join(f"{name} is {decides}" for name in names)
        unknown = " or ".join(f"{name} is None" for name in names)
        return f"{decides} if {decided} else None if {unknown} else {otherwise}"

    def _case(self, node: Case) -> str:
        text = repr(NO_CLASS) if node.type is Type.TEXT else "None"
        if node.otherwise is not None:
            text = self.value(node.otherwise)
        for condition, value in reversed(list(zip(node.conditions, node.values, strict=True))):
            name, result = self.value(condition), self.value(value)
            text = f"{result} if {name} else None if {name} is None else {text}"
        return text

    def _compare(self, node: Compare) -> str:
        kinds = {node.left.type, node.right.type}
        if kinds <= {Type.MOMENT, Type.DATE}:
            kind = Kind.INSTANT if kinds == {Type.MOMENT} else Kind.DAY
            names = [self._moment(part, kind) for part in (node.left, node.right)]
        else:
            names = [self.value(part) for part in (node.left, node.right)]
        operator = _COMPARISONS.get(node.operator, node.operator)
        return self._known(names, f"{names[0]} {operator} {names[1]}")

    def _moment(self, node: Node, kind: Kind) -> str:
        """The name of a moment; None means never, or unknown (`_settled`)."""
        if isinstance(node, Today):
            if kind is Kind.WORKDAY:
                return self._assign("w", self.workday("day"))
            return "day" if kind is Kind.DAY else "now"
        if not isinstance(node, Extreme):
            return self.leaf_moment(node, kind)
        return self.named(kind, node, lambda: self._extreme_moment(node, kind))

    def _extreme_moment(self, node: Extreme, kind: Kind) -> str:
        names = [self._moment(part, kind) for part in node.parts]
        choose = "max" if node.greatest else "min"
        return _if(self._settled(node), f"extreme({choose}, ({', '.join(names)},))")

    def _settled(self, moment: Node) -> str:
        if isinstance(moment, Today):
            return ""
        if isinstance(moment, Extreme):
            parts = (self._settled(part) for part in moment.parts)
            return " and ".join(dict.fromkeys(part for part in parts if part))
        return self.settled(moment)

    def _since(self, moment: Node, otherwise: Node | None, kind: Kind) -> str:
        name = self._moment(moment, kind)
        if otherwise is None:
            return name
        fallback = self._moment(otherwise, kind)
        return self._assign("d", self._or_else(name, fallback, self._settled(moment)))


class ExpressionWriter(FunctionWriter):
    """Over the inputs: `i` values, `m` instants, `h` is the history known, `g` the places that
    are unclear, `d` those that are mixed, `t` thresholds."""

    arguments = "i, m, h, g, d, t"

    def __init__(self, plan: InputPlan) -> None:
        super().__init__(plan.as_of)
        self._plan = plan
        self._ranks = {rank: place for place, rank in enumerate(plan.ranks)}

    def compiled(self, results: Sequence[str]) -> Callable[..., tuple[Any, ...]]:
        return self.function(
            results, {"day": self._as_of.day, "now": self._as_of.utc, "workday": self._number}
        )

    def _expression(self, node: Node) -> str:
        text = super()._expression(node)
        mix = self._plan.mixes.get(node) if self._plan.mixes else None
        return text if mix is None else f"None if {mix.place} in d else ({text})"

    def _number(self, day: Any) -> int | None:
        if day is None:
            return None
        first, last = self._plan.workday_span
        return self._plan.workdays[min(max(day, first), last)]

    def _input(self, node: Node) -> Input:
        assert isinstance(node, LEAVES)  # noqa: S101 - a condition on customers has no other
        return self._plan.of(node)

    def leaf(self, node: Node) -> str:
        return f"i[{self._input(node).place}]"

    def leaf_moment(self, node: Node, kind: Kind) -> str:
        place = self._input(node).place
        if kind is Kind.WORKDAY:
            return self.named(kind, node, lambda: self.workday(f"i[{place}]"))
        return f"m[{place}]" if kind is Kind.INSTANT else f"i[{place}]"

    def settled(self, node: Node) -> str:
        item = self._input(node)
        guards = ["h"] if item.history else []
        if item.may_be_unclear:
            guards.append(f"{item.place} not in g")
        if item.exhaustive and not guards:
            return ""
        known = f"i[{item.place}] is not None"
        return f"({known} or {' and '.join(guards)})" if item.exhaustive else f"({known})"

    def workday(self, day: str) -> str:
        return f"workday({day})"

    def rank(self, node: Rank) -> str:
        function = "quintile" if node.kind is RankKind.QUINTILE else "abc"
        return f"{function}({self.value(node.value)}, t[{self._ranks[node]}])"


def _if(condition: str, text: str) -> str:
    return f"({text}) if {condition} else None" if condition else text


def _is_literal(name: str) -> bool:
    """Constants, and the day and the moment of the run, are never unknown."""
    if name in {"day", "now"} or not name[0].isalpha():
        return True
    return name.startswith(("Decimal(", "True", "False"))
