"""Writes one Python function from typed trees: a line for each distinct node, unknown is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

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
)
from policies.vocabulary import Type

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


def quintile(value: Any, breaks: Sequence[Any]) -> int | None:
    """The fifth in which the value lies; 5 is the largest."""
    if value is None or breaks[0] is None:
        return None
    return 1 + sum(1 for item in breaks if value > item)


def abc(value: Any, breaks: Sequence[Any]) -> str | None:
    """The class of the value: A makes up the first 80 % of the sum."""
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
}


class FunctionWriter:
    """Collects lines; each distinct node is computed once."""

    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan
        self._lines: list[str] = [f"day = {_ordinal(plan)}"]
        self._names: dict[tuple[str, Node], str] = {}
        self._ranks = {rank: place for place, rank in enumerate(plan.ranks)}

    def source(self, results: Sequence[str]) -> str:
        """The function that returns `results`. `i` values, `m` instants, `h` is the history known,
        `t` thresholds."""
        body = "\n    ".join([*self._lines, f"return ({''.join(f'{item}, ' for item in results)})"])
        return f"def evaluate(i, m, h, t):\n    {body}\n"

    def value(self, node: Node) -> str:
        """The name that holds the node's value."""
        if isinstance(node, Constant):
            return repr(node.value)
        if isinstance(node, Attribute | MetricValue | HasTag):
            return f"i[{self._plan.by_leaf[node].place}]"
        return self._named("v", node, self._expression)

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

    def _named(self, kind: str, node: Node, write: Any) -> str:
        key = (kind, node)
        if key not in self._names:
            self._names[key] = self._assign(kind, write(node))
        return self._names[key]

    def _assign(self, kind: str, text: str) -> str:
        name = f"{kind}{len(self._lines)}"
        self._lines.append(f"{name} = {text}")
        return name

    def _known(self, names: Sequence[str], text: str) -> str:
        """`text` if all names are known, else unknown."""
        unknown = " or ".join(f"{name} is None" for name in names if not _is_literal(name))
        return f"None if {unknown} else {text}" if unknown else text

    def _expression(self, node: Node) -> str:  # noqa: C901, PLR0911 - one line a kind of node
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
            case IsBlank(attribute):
                return f"{self.value(attribute)} is None if h else None"
            case Never(moment):
                return self._never(moment)
            case DaysSince(moment, otherwise):
                return self._days_since(moment, otherwise)
            case Rank(kind, value):
                function = "quintile" if kind is RankKind.QUINTILE else "abc"
                return f"{function}({self.value(value)}, t[{self._ranks[node]}])"
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

    def _compare(self, node: Compare) -> str:
        if node.left.type is Type.MOMENT:
            names = [self._moment(part, "m") for part in (node.left, node.right)]
        else:
            names = [self.value(part) for part in (node.left, node.right)]
        operator = _COMPARISONS.get(node.operator, node.operator)
        return self._known(names, f"{names[0]} {operator} {names[1]}")

    def _moment(self, node: Node, kind: str) -> str:
        """The name of a local day (`i`) or of an instant (`m`)."""
        if not isinstance(node, Extreme):
            return f"{kind}[{self._plan.by_leaf[node].place}]"
        return self._named(kind, node, lambda _: self._extreme_moment(node, kind))

    def _extreme_moment(self, node: Extreme, kind: str) -> str:
        pairs = [(self._moment(part, kind), part) for part in node.parts]
        gaps = [name for name, part in pairs if not never_is_known(self._plan, part)]
        choose = "max" if node.greatest else "min"
        return self._known(gaps, f"extreme({choose}, ({', '.join(name for name, _ in pairs)}))")

    def _never(self, moment: Node) -> str:
        name = self._moment(moment, "i")
        if never_is_known(self._plan, moment):
            return f"{name} is None"
        return f"None if {name} is None else False"

    def _days_since(self, moment: Node, otherwise: Node | None) -> str:
        name = self._moment(moment, "i")
        if otherwise is not None and never_is_known(self._plan, moment):
            fallback = self._moment(otherwise, "i")
            name = self._assign("d", f"{fallback} if {name} is None else {name}")
        return self._known([name], f"day - {name}.toordinal()")


def _is_literal(name: str) -> bool:
    return not name[0].isalpha() or name.startswith(("Decimal(", "True", "False"))


def _ordinal(plan: InputPlan) -> int:
    return plan.as_of.day.toordinal()
