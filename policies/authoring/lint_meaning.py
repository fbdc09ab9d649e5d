"""Findings about single conditions: what can never hold, always holds, or asks the wrong fact."""

from __future__ import annotations

from collections.abc import Iterator

from policies.authoring.places import Places, Position, word_pattern
from policies.authoring.satisfiable import always_holds, can_hold
from policies.authoring.written import name_in, written
from policies.condition import Expression
from policies.errors import Problem
from policies.evaluation.row_plan import conjuncts
from policies.language.metrics import METRICS
from policies.language.tree import (
    AllOf,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    DaysSince,
    MetricValue,
    Node,
    Not,
    RowColumn,
    WorkdaysSince,
    children,
    leaves,
    walk,
)
from policies.model import EXITS, Policy, Rule


def conditions(policy: Policy, places: Places) -> Iterator[Problem]:
    """Conditions and parts of them that decide nothing."""
    for rule in policy.rules:
        yield from _bands(rule, places)
    for protection in policy.protections:
        if not protection.built_in:
            name = places.say("rule", rule=protection.id)
            found = _condition(name, protection.when, places, kept="safe")
            yield from found or _parts(protection.when, places)


def _bands(rule: Rule, places: Places) -> Iterator[Problem]:
    """A stage is reached only by those who are known to be in none before it."""
    if rule.kind == "pool" and len(rule.stages) > 1:
        yield from _pools(rule, places)
        return
    before: tuple[Node, ...] = ()
    for stage in rule.stages:
        key = "stage" if len(rule.stages) > 1 else "rule"
        name = places.say(key, rule=rule.id, stage=stage.name)
        own: tuple[Node, ...] = () if stage.when is None else (stage.when.tree,)
        found = [] if stage.when is None else _condition(name, stage.when, places)
        yield from found
        if not found and before and not can_hold(*before, *own):
            position = (
                places.named(rule.id) if stage.when is None else places.word(stage.when, r"\S")
            )
            yield places.found(position, "nobody_left", name=name)
        elif not found and stage.when is not None:
            yield from _parts(stage.when, places)
        before = (*before, *(Not(tree) for tree in own))


def _pools(rule: Rule, places: Places) -> Iterator[Problem]:
    """Pools are for all pool rules: that one of them takes nobody of this rule is no fault."""
    name = places.say("rule", rule=rule.id)
    found = [_condition(name, when, places) for when in rule.conditions]
    if all(found):
        yield from found[0]
    for when, problems in zip(rule.conditions, found, strict=True):
        if not problems:
            yield from _parts(when, places)


def _condition(name: str, when: Expression, places: Places, *, kept: str = "in") -> list[Problem]:
    """The whole condition. `kept`: customers are in a rule, or safe by a protection."""
    if not can_hold(when.tree):
        culprits = _contradiction(when.tree)
        parts = places.say("and").join(map(written, culprits))
        key = "impossible_together" if len(culprits) > 1 else "impossible"
        position = _place(when, culprits[-1], places)
        nobody = places.say(f"nobody.{kept}", name=name)
        return [places.found(position, key, nobody=nobody, parts=parts)]
    if always_holds(when.tree):
        everybody = places.say(f"everybody.{kept}", name=name)
        return [places.found(_place(when, when.tree, places), "always", everybody=everybody)]
    return []


def _contradiction(tree: Node) -> list[Node]:
    """A smallest set of the parts that cannot hold together."""
    parts = list(tree.parts) if isinstance(tree, AllOf) else [tree]
    place = 0
    while place < len(parts):
        fewer = parts[:place] + parts[place + 1 :]
        if fewer and not can_hold(*fewer):
            parts = fewer
        else:
            place += 1
    return parts


def _parts(when: Expression, places: Places) -> Iterator[Problem]:
    """Parts below AND and OR; each one in the company of what is joined to it by AND."""
    yield from _joined(when, when.tree, (), places)


def _joined(
    when: Expression, node: Node, company: tuple[Node, ...], places: Places
) -> Iterator[Problem]:
    if isinstance(node, AllOf | AnyOf):
        for place, part in enumerate(node.parts):
            others = node.parts[:place] + node.parts[place + 1 :]
            beside = (*company, *others) if isinstance(node, AllOf) else company
            if isinstance(node, AnyOf) and not can_hold(*beside, part):
                yield places.found(_place(when, part, places), "part_never", part=written(part))
            elif isinstance(node, AllOf) and always_holds(part):
                yield places.found(_place(when, part, places), "part_always", part=written(part))
            else:
                yield from _joined(when, part, beside, places)


def _place(when: Expression, part: Node, places: Places) -> Position:
    """Where the part is written, by its first fact."""
    return places.word(when, word_pattern(name_in(part)), r"\S")


def habits(policy: Policy, places: Places) -> Iterator[Problem]:
    """Facts that do not belong into a rule of this kind."""
    for rule in policy.rules:
        for when in rule.conditions:
            for metric in (item for item in leaves(when.tree) if isinstance(item, MetricValue)):
                yield from _habit(rule, when, metric, places)
                yield from _no_rows(when, metric, places)
            if rule.kind == "pool":
                yield from _no_restart(when, places)
    yield from _no_days_off(policy, places)


def _no_rows(when: Expression, metric: MetricValue, places: Places) -> Iterator[Problem]:
    if metric.asked and metric.rows is not None and not can_hold(metric.rows):
        position = places.word(when, word_pattern(metric.name))
        yield places.found(position, "no_rows", condition=metric.asked, metric=metric.name)


_WRONG_CLOCK = {
    ("pool", "last_activity_at"): ("pool_clock", "last_followup_at"),
    ("pool", "activities_count"): ("pool_clock", "followups_count"),
    ("void", "last_activity_at"): ("void_activity", "last_response_at"),
    ("void", "last_followup_at"): ("void_clock", "last_response_at"),
}
# What tells that the customer was asked and did not answer.
_ANSWERS = frozenset({"last_response_at", "attempts_unanswered", "reply_count"})


def _habit(rule: Rule, when: Expression, metric: MetricValue, places: Places) -> Iterator[Problem]:
    key, better = _WRONG_CLOCK.get((rule.kind, metric.name), ("", ""))
    key = key or _wrong_axis(rule, when, metric)
    if key and not (key == "void_activity" and _asks_answers(when)):
        position = places.word(when, word_pattern(metric.name))
        yield places.found(position, key, metric=better or metric.name)


def _asks_answers(when: Expression) -> bool:
    found = (item.name for item in leaves(when.tree) if isinstance(item, MetricValue))
    return not _ANSWERS.isdisjoint(found)


def _wrong_axis(rule: Rule, when: Expression, metric: MetricValue) -> str:
    """The customer's conduct and our own faults ask for opposite treatment; empty if none."""
    fact = METRICS[metric.name].fact
    if rule.kind == "cleanout" or (rule.kind == "defect" and rule.axis == "conduct"):
        if metric in _at_most(when.tree):
            return ""
        if _blames(metric.rows, "ours"):
            return "our_fault"
        faults = fact in {"returns", "complaints"} and not _asks_fault(metric.rows)
        if faults and metric.name not in {"returns_open", "complaints_open"}:
            return "any_fault"
    if rule.kind == "defect" and rule.axis == "service" and fact == "invoices":
        return "payments"
    return ""


def _at_most(tree: Node) -> frozenset[Node]:
    """Numbers that spare a customer the more they are: there may be none, or few."""
    return frozenset(
        node.left
        for node in walk(tree)
        if isinstance(node, Compare)
        and (node.operator in {"<", "<="} or (node.operator, node.right) == ("=", Constant(0)))
    )


def _blames(rows: Node | None, side: str) -> bool:
    return any(
        isinstance(part, Compare)
        and part.operator == "="
        and part.right == Constant(side)
        and isinstance(part.left, RowColumn)
        and part.left.name == "fault"
        for part in conjuncts(rows)
    )


def _asks_fault(rows: Node | None) -> bool:
    nodes = () if rows is None else walk(rows)
    return any(isinstance(node, RowColumn) and node.name == "fault" for node in nodes)


def _no_restart(when: Expression, places: Places) -> Iterator[Problem]:
    """Who has just been given a customer has not followed up yet; the last follow-up is somebody
    else's."""
    clocks = (node for node in walk(when.tree) if isinstance(node, DaysSince | WorkdaysSince))
    moments = (node.moment for node in clocks if isinstance(node.moment, MetricValue))
    name = "last_followup_at"
    if any(moment.name == name for moment in moments) and not _asks_ownership(when.tree):
        yield places.found(places.word(when, word_pattern(name)), "no_restart", metric=name)


def _asks_ownership(node: Node) -> bool:
    """What stands behind `else:` counts only for those who were never followed up."""
    if isinstance(node, DaysSince | WorkdaysSince):
        return _asks_ownership(node.moment)
    return node == Attribute("owned_since") or any(map(_asks_ownership, children(node)))


def _no_days_off(policy: Policy, places: Places) -> Iterator[Problem]:
    """Rules that end a relation rest on days off, where these are known."""
    exits = [rule.id for rule in policy.rules if rule.kind in EXITS]
    if exits and policy.calendar is None:
        names = places.listed(places.say("rule", rule=name) for name in exits)
        yield places.found(places.named(exits[0]), "no_days_off", rules=names)
