"""The typed tree of a condition: frozen nodes, checked when built by `expressions`, one meaning.

Every back end starts here. Booleans are three-valued: true, false, unknown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from policies.language.metrics import METRICS
from policies.language.number_text import Value, plain, shortest
from policies.language.vocabulary import ATTRIBUTES, TABLES, Type

NUMERIC = frozenset({Type.INTEGER, Type.NUMBER, Type.MONEY})


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of a condition."""

    @property
    def type(self) -> Type:
        return Type.BOOLEAN


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A literal, or a parameter with its name, which is for readers and decides nothing. A number
    is held in its shortest form: 2.0 is 2."""

    value: Value
    name: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", shortest(self.value))

    @property
    def type(self) -> Type:
        return _CONSTANT_TYPES[type(self.value)]


_CONSTANT_TYPES = {bool: Type.BOOLEAN, int: Type.INTEGER, Decimal: Type.NUMBER, str: Type.TEXT}


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
    """A metric, over the last `days` days if given.

    `rows`: which rows count, a condition over their columns with everything in it that the metric
    itself, its window and the policy's clocks ask for; None: all. `after`: only rows later than
    the last row of this condition count. `asked`: the author's own condition, as written.
    `otherwise`: the value where there is knowingly none. `certain`: rows that are known to count,
    whatever else may be unknown: a count of at least so many. For readers alone: `days_name`, the
    parameter that the days are, and `own`, the author's condition as a tree.
    """

    name: str
    days: int | None = None
    rows: Node | None = None
    after: Node | None = None
    asked: str = ""
    otherwise: Constant | None = None
    certain: bool = False
    days_name: str = dataclasses.field(default="", compare=False)
    own: Node | None = dataclasses.field(default=None, compare=False)

    @property
    def type(self) -> Type:
        return METRICS[self.name].type

    @property
    def label(self) -> str:
        inside = ", ".join(filter(None, (str(self.days or ""), self.asked)))
        return f"{self.name}({inside})" if METRICS[self.name].windowed or inside else self.name


@dataclass(frozen=True, slots=True)
class HasTag(Node):
    """Does the customer carry this tag?"""

    tag: str

    @property
    def label(self) -> str:
        return f"has_tag('{self.tag}')"


@dataclass(frozen=True, slots=True)
class CustomField(Node):
    """A field of the CRM by its API name, of the type that the CRM gives it."""

    name: str
    kind: Type

    @property
    def type(self) -> Type:
        return self.kind

    @property
    def label(self) -> str:
        return f"field('{self.name}')"


@dataclass(frozen=True, slots=True)
class DataAge(Node):
    """Whole days from the last pull of a facts table to the moment of the run."""

    fact: str

    @property
    def type(self) -> Type:
        return Type.INTEGER

    @property
    def label(self) -> str:
        return f"data_age('{self.fact}')"


Leaf = Attribute | MetricValue | HasTag | CustomField | DataAge
LEAVES = (Attribute, MetricValue, HasTag, CustomField, DataAge)


@dataclass(frozen=True, slots=True)
class RowColumn(Node):
    """A column of one row of a facts table: only inside of `MetricValue.rows` and its like. `told`:
    something fills it; if nothing does, that it is empty says nothing."""

    table: str
    name: str
    told: bool = True

    @property
    def type(self) -> Type:
        return TABLES[self.table].column(self.name).type


@dataclass(frozen=True, slots=True)
class Today(Node):
    """The moment of the run itself: `days_since(today)` is 0."""

    @property
    def type(self) -> Type:
        return Type.MOMENT


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
class WorkdaysSince(Node):
    """Workdays of the policy's calendar after the local day of a moment, up to the day of the run
    and with it. Else as `DaysSince`."""

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
    """Does the CRM hold nothing in this attribute, field or column of a row?"""

    attribute: Attribute | CustomField | RowColumn


class RankKind(Enum):
    """How a customer's number is placed among those of all customers."""

    QUINTILE = "quintile"
    ABC = "abc"


@dataclass(frozen=True, slots=True)
class Rank(Node):
    """A customer's class by a number, against thresholds over all customers. `shares`: the parts
    of the total, in percent, that class A, and A and B together, make up. `share_names`: the
    parameters that they are, for readers."""

    kind: RankKind
    value: Node
    shares: tuple[int, ...] = (80, 95)
    share_names: tuple[str, ...] = dataclasses.field(default=("", ""), compare=False)

    @property
    def type(self) -> Type:
        return Type.INTEGER if self.kind is RankKind.QUINTILE else Type.TEXT


@dataclass(frozen=True, slots=True)
class Rate(Node):
    """`part / whole`, cut off behind six decimals. Below `min_n` cases: `otherwise`, and unknown
    without one; never a division by zero. Unknown when one of the two is. `min_n_name`: the
    parameter that `min_n` is, for readers."""

    part: Node
    whole: Node
    min_n: int
    otherwise: Constant | None
    min_n_name: str = dataclasses.field(default="", compare=False)

    @property
    def type(self) -> Type:
        return Type.NUMBER


@dataclass(frozen=True, slots=True)
class Case(Node):
    """The value of the first condition that holds, else `otherwise`; an unknown condition on the
    way makes it unknown. Without `otherwise`: no class, which equals nothing (`if`, tiers)."""

    conditions: tuple[Node, ...]
    values: tuple[Node, ...]
    otherwise: Node | None
    result: Type

    @property
    def type(self) -> Type:
        return self.result


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


# `a < b` with its sides exchanged is `b > a`, and its opposite `a >= b`.
MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", ">=": "<=", "<=": ">="}
OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class OneOf(Node):
    """`IN` with a list of constants."""

    value: Node
    options: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    part: Node


@dataclass(frozen=True, slots=True)
class Surely(Node):
    """Is the condition known to hold? Never unknown."""

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
    """The nodes directly below, in the order in which they were written. A leaf has none: what
    stands inside of a metric is about rows, not about the customer."""
    if isinstance(node, LEAVES):
        return ()
    found: list[Node] = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, tuple):
            found.extend(item for item in value if isinstance(item, Node))
    return tuple(found)


def rebuilt(tree: Node, change: Callable[[Node], Node | None]) -> Node:
    """The tree with those nodes exchanged for which `change` gives another; what stands inside of
    metrics stays."""
    found = change(tree)
    if found is not None:
        return found
    if isinstance(tree, MetricValue):
        return tree
    values: dict[str, object] = {}
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if isinstance(value, Node):
            values[field.name] = rebuilt(value, change)
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            values[field.name] = tuple(rebuilt(item, change) for item in value)
    return dataclasses.replace(tree, **values) if values else tree


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def leaves(node: Node) -> tuple[Leaf, ...]:
    """What the condition reads, each once, in the order of the text."""
    return tuple(dict.fromkeys(item for item in walk(node) if isinstance(item, LEAVES)))


def canonical(node: Node) -> list[object]:
    """The node as nested lists for hashing."""
    if isinstance(node, MetricValue):
        node = dataclasses.replace(node, asked="")  # `rows` holds what it means
    result: list[object] = [type(node).__name__]
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if not field.compare:
            continue
        if isinstance(value, Node):
            result.append(canonical(value))
        elif isinstance(value, tuple):
            result.append([canonical(item) if isinstance(item, Node) else item for item in value])
        elif isinstance(value, Enum):
            result.append(value.value)
        elif isinstance(value, Decimal):
            result.append(["decimal", plain(value)])
        else:
            result.append(value)
    return result
