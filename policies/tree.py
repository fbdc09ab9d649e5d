"""The typed tree of a condition: frozen nodes, checked when built by `expressions`, one meaning.

Every back end starts here. Booleans are three-valued: true, false, unknown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from policies.metrics import METRICS, Aggregate
from policies.vocabulary import ATTRIBUTES, Type

Value = bool | int | Decimal | str

DIVISION_SCALE = 6
MAX_DIGITS = 38

NUMERIC = frozenset({Type.INTEGER, Type.NUMBER, Type.MONEY})


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of a condition."""

    @property
    def type(self) -> Type:
        return Type.BOOLEAN


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A literal or a parameter."""

    value: Value

    @property
    def type(self) -> Type:
        return _CONSTANT_TYPES[type(self.value)]


_CONSTANT_TYPES = {
    bool: Type.BOOLEAN,
    int: Type.INTEGER,
    Decimal: Type.NUMBER,
    str: Type.TEXT,
}


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """A column of `customers`."""

    name: str

    @property
    def type(self) -> Type:
        return ATTRIBUTES[self.name].type

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class MetricValue(Node):
    """A metric, over the last `days` days if given."""

    name: str
    days: int | None = None

    @property
    def type(self) -> Type:
        return METRICS[self.name].type

    @property
    def label(self) -> str:
        metric = METRICS[self.name]
        return f"{self.name}({self.days or ''})" if metric.call else self.name


@dataclass(frozen=True, slots=True)
class HasTag(Node):
    """Does the customer carry this tag?"""

    tag: str

    @property
    def label(self) -> str:
        return f"has_tag('{self.tag}')"


Leaf = Attribute | MetricValue | HasTag


@dataclass(frozen=True, slots=True)
class Extreme(Node):
    """`least` or `greatest`. Of numbers: unknown if one is. Of moments: the ones that never were
    are passed over."""

    greatest: bool
    parts: tuple[Node, ...]
    result: Type

    @property
    def type(self) -> Type:
        return self.result


@dataclass(frozen=True, slots=True)
class DaysSince(Node):
    """Calendar days since a moment; since `otherwise` if the moment never was."""

    moment: Node
    otherwise: Node | None

    @property
    def type(self) -> Type:
        return Type.INTEGER


@dataclass(frozen=True, slots=True)
class Never(Node):
    """Is it known that the moment never was?"""

    moment: Node


@dataclass(frozen=True, slots=True)
class IsBlank(Node):
    """Does the CRM hold nothing in this attribute?"""

    attribute: Attribute


class RankKind(Enum):
    """How a customer's number is placed among those of all customers."""

    QUINTILE = "quintile"
    ABC = "abc"


@dataclass(frozen=True, slots=True)
class Rank(Node):
    """A customer's class by a number, against thresholds over all customers."""

    kind: RankKind
    value: Node

    @property
    def type(self) -> Type:
        return Type.INTEGER if self.kind is RankKind.QUINTILE else Type.TEXT


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`+ - * /`. A division by zero is unknown; its result is cut off behind six decimals."""

    operator: str
    left: Node
    right: Node
    result: Type

    @property
    def type(self) -> Type:
        return self.result


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`= <> < <= > >=` of two values of one family."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class OneOf(Node):
    """`IN` with a list of constants."""

    value: Node
    options: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    part: Node


@dataclass(frozen=True, slots=True)
class AllOf(Node):
    """AND."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf(Node):
    """OR."""

    parts: tuple[Node, ...]


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order in which they were written."""
    found: list[Node] = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(item for item in value if isinstance(item, Node))
    return tuple(found)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def leaves(node: Node) -> tuple[Leaf, ...]:
    """What the condition reads, each once, in the order of the text."""
    found = (item for item in walk(node) if isinstance(item, Attribute | MetricValue | HasTag))
    return tuple(dict.fromkeys(found))


def is_constant(node: Node) -> bool:
    """Does the node read nothing of a customer?"""
    return not leaves(node)


def canonical(node: Node) -> list[object]:
    """The node as nested lists for hashing."""
    result: list[object] = [type(node).__name__]
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            result.append(canonical(value))
        elif isinstance(value, tuple):
            result.append([canonical(item) for item in value])
        elif isinstance(value, Enum):
            result.append(value.value)
        elif isinstance(value, Decimal):
            result.append(["decimal", plain(value)])
        else:
            result.append(value)
    return result


def plain(value: Decimal) -> str:
    """A decimal as text, without an exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def scale(node: Node) -> int:
    """How many decimals a number of this node can have."""
    if isinstance(node, Constant) and isinstance(node.value, Decimal):
        exponent = node.value.as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    if isinstance(node, Extreme):
        return max(scale(part) for part in node.parts)
    if isinstance(node, Arithmetic):
        left, right = scale(node.left), scale(node.right)
        scales = {"*": left + right, "/": DIVISION_SCALE}
        return scales.get(node.operator, max(left, right))
    if isinstance(node, MetricValue) and METRICS[node.name].aggregate is Aggregate.SUM:
        return 4
    return 0


def digits(node: Node) -> int:
    """How many digits before the point a number of this node can have, at most.

    A leaf is taken to stay below 10^10 (counts and days) or 10^16 (money).
    """
    if isinstance(node, Constant) and isinstance(node.value, int | Decimal):
        return len(str(abs(int(node.value))))
    if isinstance(node, Extreme):
        return max(digits(part) for part in node.parts)
    if isinstance(node, Arithmetic):
        left, right = digits(node.left), digits(node.right)
        if node.operator == "*":
            return left + right
        if node.operator == "/":
            return left + scale(node.right)
        return max(left, right) + 1
    return 16 if node.type is Type.MONEY else 10
