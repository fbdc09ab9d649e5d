"""Small changes to a rule that a complete set of cases would notice: edges, windows, parts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor

from policies.authoring.satisfiable import can_hold
from policies.authoring.written import is_negative, metrics_in, written
from policies.condition import Expression
from policies.language.metrics import METRICS
from policies.language.number_text import scalar_text
from policies.language.tree import (
    MIRRORED,
    NUMERIC,
    AllOf,
    AnyOf,
    Case,
    Compare,
    Constant,
    DaysSince,
    MetricValue,
    Node,
    Not,
    OneOf,
    Rank,
    Rate,
    children,
    rebuilt,
    walk,
)
from policies.language.vocabulary import Type
from policies.messages import column_label, message, table_label
from policies.model import Policy, Protection, Rule

# The other operator at the same edge, and the side on which the neighbouring value lies.
_EDGES = {">=": (">", -1), ">": (">=", 1), "<=": ("<", 1), "<": ("<=", -1)}
# A number that no customer has.
_NOWHERE = Constant(-(10**14))
_COLUMN = re.compile(r"days_since\((\w+)\)")
_FINEST_SHARE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Ask:
    """Who would notice a change: the rest of "add a customer ...", by its message."""

    key: str
    values: tuple[tuple[str, str], ...]

    def told(self, language: str) -> str:
        values = dict(self.values)
        if "table" not in values:
            return message(language, f"gap.{self.key}", **values)
        table = values["table"]
        said = {"table": table_label(language, table), "days": values["days"]}
        if "column" in values:
            name = values["column"]
            said |= {"name": name, "column": column_label(language, table, name)}
        return message(language, f"gap.{self.key}", **said)


def _ask(key: str, **values: str) -> Ask:
    return Ask(key, tuple(values.items()))


def _with(fact: Node, operator: str, value: str) -> Ask:
    return _ask("is", fact=written(fact), operator=operator, value=value)


@dataclass(frozen=True, slots=True)
class Change:
    """`old` becomes `new`. It is about the number `edge` near `part`, or about `part` as a whole.
    `asks`: who would tell the two apart."""

    old: Node
    new: Node
    part: Node
    edge: str
    asks: Ask


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule or a protection after one change; `key` is the same whatever the parameters are."""

    key: tuple[object, ...]
    name: str
    changed: Rule | Protection
    change: Change
    where: Expression


def mutants(policy: Policy) -> Iterator[Mutant]:
    """All of them for the author's own rules and protections, in the order of the file."""
    for rule in policy.rules:
        yield from _of_rule(rule)
    for item in policy.protections:
        if not item.built_in:
            for path, change in _changes(item.when.tree, ()):
                when = dataclasses.replace(item.when, tree=_replaced(item.when.tree, change))
                changed = dataclasses.replace(item, when=when)
                yield Mutant((item.id, *path), item.id, changed, change, item.when)


def rank_pairs(policy: Policy, mutant: Mutant) -> Iterator[tuple[Rank, Rank]]:
    """Each rank of the rule, and what the change made of it; none of a condition that lost one."""
    before: Iterable[Expression]
    after: Iterable[Expression]
    if isinstance(mutant.changed, Rule):
        before, after = policy.rule(mutant.name).conditions, mutant.changed.conditions
    else:
        before, after = [mutant.where], [mutant.changed.when]
    for old, new in zip(before, after, strict=True):
        ranks, changed = ranks_in(old.tree), ranks_in(new.tree)
        if len(ranks) == len(changed):
            yield from zip(ranks, changed, strict=True)


def ranks_in(tree: Node) -> list[Rank]:
    return [node for node in walk(tree) if isinstance(node, Rank)]


def _of_rule(rule: Rule) -> Iterator[Mutant]:
    """Equal parts of one rule change together: the stages of a pool rule share its condition."""
    seen: set[Change] = set()
    for number, stage in enumerate(rule.stages):
        for path, change in _changes(stage.when.tree, ()) if stage.when is not None else ():
            if change not in seen and _is_noticed(rule, change):
                seen.add(change)
                stages = tuple(
                    dataclasses.replace(item, when=_changed(item.when, change))
                    for item in rule.stages
                )
                changed = dataclasses.replace(rule, stages=stages)
                assert stage.when is not None  # noqa: S101 - for the type checker
                yield Mutant((rule.id, number, *path), rule.id, changed, change, stage.when)


def _is_noticed(rule: Rule, change: Change) -> bool:
    """Could it move a customer of whom no earlier stage has decided?"""
    earlier: list[Node] = []
    for stage in rule.stages:
        if stage.when is None:
            continue
        old = stage.when.tree
        new = _replaced(old, change)
        if new != old and (can_hold(old, Not(new), *earlier) or can_hold(new, Not(old), *earlier)):
            return True
        earlier.append(Not(old))
    return False


def _changed(when: Expression | None, change: Change) -> Expression | None:
    if when is None:
        return None
    return dataclasses.replace(when, tree=_replaced(when.tree, change))


Path = tuple[object, ...]


def _changes(node: Node, path: Path) -> Iterator[tuple[Path, Change]]:
    """Every change at or below a node that can be noticed at all."""
    for place, change in enumerate(_at(node)):
        if node.type is not Type.BOOLEAN or _differs(change.old, change.new):
            yield (*path, "change", place), change
    if isinstance(node, Rate) or (isinstance(node, Case) and node.type is Type.TEXT):
        return
    for place, child in enumerate(children(node)):
        yield from _changes(child, (*path, place))


def _differs(old: Node, new: Node) -> bool:
    return can_hold(old, Not(new)) or can_hold(new, Not(old))


def _at(node: Node) -> Iterable[Change]:
    if isinstance(node, Compare):
        return [*_edges(node), *_constants_within(node)]
    if isinstance(node, AllOf | AnyOf):
        return _fewer_parts(node)
    if isinstance(node, OneOf):
        return _fewer_options(node)
    if isinstance(node, MetricValue | Rate):
        return _windows(node)
    return ()


def _edges(node: Compare) -> Iterator[Change]:
    """A comparison with a number: the operator's neighbour, and the number's."""
    operator, value, edge = node.operator, node.left, node.right
    if _is_number(value):
        operator, value, edge = MIRRORED[operator], edge, value
    # The numbers of an `if` stand for nothing between them.
    if isinstance(value, Case) or not isinstance(edge, Constant) or not _is_number(edge):
        return
    if operator in _EDGES:
        yield from _order_edges(node, operator, value, edge)
    else:
        yield from _equality_edges(node, operator, value, edge)


def _order_edges(node: Compare, operator: str, value: Node, edge: Constant) -> Iterator[Change]:
    shown = scalar_text(edge.value)
    if value.type is Type.INTEGER and isinstance(edge.value, Decimal):
        operator, edge = _whole_edge(operator, edge.value)
    other, side = _EDGES[operator]
    neighbour = _moved(edge, side * _step(value, edge))
    exactly = _with(value, "=", scalar_text(edge.value))
    yield Change(node, Compare(other, value, edge), value, shown, exactly)
    # Of `> 5` the number above matters only where there is none between.
    if operator in {">=", "<="} or value.type is Type.INTEGER:
        beyond = _with(value, "=", scalar_text(neighbour.value))
        yield Change(node, Compare(operator, value, neighbour), value, shown, beyond)


def _whole_edge(operator: str, edge: Decimal) -> tuple[str, Constant]:
    """What an edge between two whole numbers asks of whole numbers."""
    is_least = operator in {">", ">="}
    return (">=", Constant(ceil(edge))) if is_least else ("<=", Constant(floor(edge)))


def _equality_edges(node: Compare, operator: str, value: Node, edge: Constant) -> Iterator[Change]:
    """The number itself, and of `= 5` the numbers on either side too."""
    shown = scalar_text(edge.value)
    asks = _with(value, "=", shown)
    yield Change(node, Compare(operator, value, _NOWHERE), value, shown, asks)
    for other, word in ((">=", ">"), ("<=", "<")) if operator == "=" else ():
        asks = _with(value, word, shown)
        yield Change(node, Compare(other, value, edge), value, shown, asks)


def _constants_within(node: Compare) -> Iterator[Change]:
    """Numbers that take part in a calculation on either side of a comparison."""
    for side in (node.left, node.right):
        for inner in _calculated(side):
            for direction in (1, -1):
                moved = _moved(inner, direction * _step(inner, inner))
                new = _rebuilt(node, {inner: moved})
                shown = scalar_text(inner.value)
                asks = _ask("differs", first=shown, second=scalar_text(moved.value))
                yield Change(node, new, node, shown, asks)


def _calculated(node: Node) -> Iterator[Constant]:
    if isinstance(node, Rate | Case | MetricValue) or is_negative(node):
        return
    for child in children(node):
        if isinstance(child, Constant) and _is_number(child):
            yield child
        yield from _calculated(child)


def _fewer_parts(node: AllOf | AnyOf) -> Iterator[Change]:
    for place, part in enumerate(node.parts):
        rest = node.parts[:place] + node.parts[place + 1 :]
        new = rest[0] if len(rest) == 1 else type(node)(rest)
        asks = _ask("alone_true" if isinstance(node, AnyOf) else "alone_false")
        yield Change(node, new, part, "", asks)


def _fewer_options(node: OneOf) -> Iterator[Change]:
    for place, option in enumerate(node.options if len(node.options) > 1 else ()):
        rest = node.options[:place] + node.options[place + 1 :]
        asks = _with(node.value, "=", written(option))
        yield Change(node, OneOf(node.value, rest), option, "", asks)


def _windows(node: MetricValue | Rate) -> Iterator[Change]:
    """A window one day longer and one shorter; both windows of a rate move together."""
    metrics = metrics_in(node)
    for days in dict.fromkeys(metric.days for metric in metrics if metric.days is not None):
        for moved, wanted in ((days + 1, days + 1), (days - 1, days)):
            if moved:
                changes: dict[Node, Node] = {
                    metric: _with_days(metric, moved) for metric in metrics if metric.days == days
                }
                asks = _row_ago(metrics[0], str(wanted))
                yield Change(node, _rebuilt(node, changes), node, str(days), asks)


def _row_ago(metric: MetricValue, days: str) -> Ask:
    """A row that is in the window by one of its moments, as a case file calls it."""
    definition = METRICS[metric.name]
    column = _COLUMN.search(definition.window)
    if column is None:
        return _ask("row", table=definition.fact, days=days)
    return _ask("row_of", table=definition.fact, column=column[1], days=days)


def _with_days(metric: MetricValue, days: int) -> MetricValue:
    """The metric over other days; a window of its own stands among the conditions on rows."""
    rows = metric.rows
    if METRICS[metric.name].window and rows is not None:
        rows = rebuilt(rows, lambda node: _moved_window(node, metric.days, days))
    return dataclasses.replace(metric, days=days, rows=rows)


def _moved_window(node: Node, old: int | None, new: int) -> Node | None:
    match node:
        case Compare("<=", DaysSince() as since, Constant(value)) if value == old:
            return Compare("<=", since, Constant(new))
    return None


def _step(value: Node, edge: Constant) -> Decimal | int:
    """The smallest distance that people would write."""
    if value.type is Type.INTEGER or isinstance(edge.value, int):
        return 1
    assert isinstance(edge.value, Decimal)  # noqa: S101 - for the type checker
    exponent = edge.value.normalize().as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)
    return min(step, _FINEST_SHARE) if isinstance(value, Rate) else step


def _moved(constant: Constant, by: Decimal | int) -> Constant:
    assert isinstance(constant.value, int | Decimal)  # noqa: S101 - for the type checker
    return Constant(constant.value + by)


def _is_number(node: Node) -> bool:
    return isinstance(node, Constant) and node.type in NUMERIC


def _replaced(tree: Node, change: Change) -> Node:
    return _rebuilt(tree, {change.old: change.new})


def _rebuilt(tree: Node, changes: Mapping[Node, Node]) -> Node:
    return rebuilt(tree, changes.get)
