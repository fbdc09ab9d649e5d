"""What a policy may say and hardly means. Findings are certain; silence promises nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from policies.authoring import lint_meaning, lint_numbers, lint_ratios
from policies.authoring.places import Places, parameters_in, word_pattern
from policies.authoring.satisfiable import can_hold
from policies.authoring.signature import CLOCK, LIMIT, Signature, differences, thresholds
from policies.authoring.written import name_in
from policies.condition import Expression
from policies.errors import Problem
from policies.language.metrics import METRICS
from policies.language.syntax import names_in
from policies.language.tree import (
    AllOf,
    AnyOf,
    Attribute,
    DaysSince,
    MetricValue,
    Node,
    Not,
    leaves,
    walk,
)
from policies.messages import message, metric_label, table_label
from policies.model import EXITS, Policy, Rule
from policies.moment import SourceState

# So many names are said one by one, when nothing of a policy has a case.
_FEW = 2


def lint(
    policy: Policy,
    *,
    signed: Signature | None = None,
    untested: Iterable[str] = (),
    sources: Mapping[str, SourceState] | None = None,
    language: str = "en",
) -> tuple[Problem, ...]:
    """Findings in the order of the file, in a language.

    `signed`: the newest sign-off, if there is one. `untested`: rules and protections that no case
    expects anything of. `sources`: what has been pulled, if known.
    """
    places = Places(policy, language)
    found = [
        *lint_meaning.conditions(policy, places),
        *lint_meaning.habits(policy, places),
        *lint_ratios.ratios(policy, places),
        *lint_numbers.grouped_numbers(policy, places),
        *_overlaps(policy, places),
        *_idle_protections(policy, places),
        *_unused(places),
        *_new_customers(policy, places),
        *_unsigned(policy, places, signed),
        *_untested(policy, places, frozenset(untested)),
        *([] if sources is None else _not_pulled(policy, places, sources)),
    ]
    return tuple(sorted(dict.fromkeys(found)))


def condition_of(rule: Rule) -> Node | None:
    """Who is in any stage of the rule; None if everybody is."""
    if any(stage.when is None for stage in rule.stages):
        return None
    return AnyOf(tuple(stage.when.tree for stage in rule.stages if stage.when is not None))


_NOT_PULLED = SourceState(complete=False)
# So many pairs of exits are compared: an author of hundreds of rules does not wait for minutes.
_MOST_PAIRS = 1_000


def _overlaps(policy: Policy, places: Places) -> Iterator[Problem]:
    """A customer is in one exit at most, archived before offboarded before back to the pool."""
    exits = [rule for rule in policy.rules if rule.kind in EXITS]
    exits.sort(key=lambda rule: EXITS.index(rule.kind))
    conditions = {rule.id: condition_of(rule) for rule in exits}
    topics = {name: _topics(tree) for name, tree in conditions.items() if tree is not None}
    parts = {name: _parts(tree) for name, tree in conditions.items() if tree is not None}
    left = _MOST_PAIRS
    for place, rule in enumerate(exits):
        condition = conditions[rule.id]
        if condition is None or not can_hold(condition):
            continue
        for other in exits[:place]:
            above = conditions[other.id]
            if above is None or not left:
                continue
            if any(map(topics[rule.id].isdisjoint, parts[other.id])):
                continue  # it says nothing of a part, so it cannot imply it
            left -= 1
            if not can_hold(condition, Not(above)):
                position = places.named(rule.id)
                yield places.found(position, "swallowed", rule=rule.id, other=other.id)
                break


def _topics(tree: Node) -> frozenset[object]:
    """What the condition looks at: facts tables, and fields of the customer."""
    return frozenset(
        METRICS[leaf.name].fact if isinstance(leaf, MetricValue) else leaf for leaf in leaves(tree)
    )


def _parts(tree: Node) -> list[frozenset[object]]:
    """The topics of each of the parts that hold together."""
    only = tree.parts[0] if isinstance(tree, AnyOf) and len(tree.parts) == 1 else tree
    return [_topics(part) for part in (only.parts if isinstance(only, AllOf) else (only,))]


def _idle_protections(policy: Policy, places: Places) -> Iterator[Problem]:
    kinds = {rule.kind for rule in policy.rules}
    for protection in policy.protections:
        if protection.built_in:
            continue
        position = places.named(protection.id)
        against = [rule for rule in policy.rules if rule.kind in protection.kinds]
        if not kinds & protection.kinds and position[0] != places.top[0]:
            continue
        if not kinds & protection.kinds:
            named = places.listed(sorted(protection.kinds))
            yield places.found(position, "no_such_kind", name=protection.id, kinds=named)
            continue
        for rule in against:
            condition = condition_of(rule)
            if condition is None or not can_hold(condition):
                continue
            if not can_hold(condition, Not(protection.when.tree)):
                values = {"rule": rule.id, "name": protection.id}
                yield places.found(places.named(rule.id), "all_protected", **values)


def _unused(places: Places) -> Iterator[Problem]:
    """Names of the policy's own file; what it extends offers more than one policy needs."""
    texts = list(places.texts())
    used = {
        "params": frozenset().union(*map(parameters_in, texts)),
        "define": frozenset().union(*map(names_in, texts)),
    }
    for section, names in used.items():
        for name, position in places.sections(section):
            if name not in names and position[0] == places.top[0]:
                yield places.found(position, f"unused_{section}", name=name)


def _new_customers(policy: Policy, places: Places) -> Iterator[Problem]:
    """The last band of a tier is for customers of little value, not for those of last week."""
    for rule in policy.rules:
        if rule.kind != "tier" or rule.stages[-1].when is not None:
            continue
        last = rule.stages[-1]
        marked = last.tag is not None or last.status is not None
        if marked and not any(map(_asks_age, (item.tree for item in rule.conditions))):
            values = {"band": last.name, "rule": rule.id}
            yield places.found(places.named(rule.id), "new_customers", **values)


def _asks_age(tree: Node) -> bool:
    moments = [node.moment for node in walk(tree) if isinstance(node, DaysSince)]
    return any(
        item.name in {"created_at", "owned_since"}
        if isinstance(item, Attribute)
        else isinstance(item, MetricValue) and item.name.startswith("first_")
        for item in moments
    )


def _unsigned(policy: Policy, places: Places, signed: Signature | None) -> Iterator[Problem]:
    """Every number was chosen by somebody; the client answers for it."""
    positions = dict(places.sections("params"))
    for prefix in (CLOCK, LIMIT):
        section = places.sections(prefix.removesuffix("."))
        positions |= {f"{prefix}{name}": place for name, place in section}
    if signed is None:
        if count := len(thresholds(policy)):
            position = next(iter(dict(places.sections("params")).values()), places.top)
            yield places.found(position, "unsigned", count=count)
        return
    for item in differences(policy, signed):
        if item.kind == "threshold" and item.now is not None:
            owner = item.name.rpartition(" #")[0]
            position = positions.get(item.name) or positions.get(owner) or places.named(owner)
            key = "newer" if item.signed is None else "other"
            values = {"name": item.name, "now": item.now, "signed": item.signed}
            yield places.found(position, key, **values)


def _untested(policy: Policy, places: Places, names: frozenset[str]) -> Iterator[Problem]:
    guards = {item.id for item in policy.protections if item.built_in}
    own = [*(rule.id for rule in policy.rules), *(item.id for item in policy.protections)]
    known = [name for name in own if name not in guards]
    if len(known) > _FEW and names >= set(known):
        yield places.found(places.named(known[0]), "no_cases")
        return
    for name in known:
        if name in names:
            yield places.found(places.named(name), "no_case", name=name)


def _not_pulled(
    policy: Policy, places: Places, sources: Mapping[str, SourceState]
) -> Iterator[Problem]:
    """What nobody pulls leaves undecided whoever depends on it: a rule does nothing, an author's
    protection and a limit hold everybody back, one of the product nobody."""
    for rule in policy.rules:
        for when in rule.conditions:
            for leaf, fact in _unread(when, sources):
                position = places.word(when, word_pattern(name_in(leaf)))
                values = {"rule": rule.id, "label": metric_label(places.language, leaf.name)}
                values |= {"table": fact, "name": table_label(places.language, fact)}
                yield places.found(position, "not_pulled", **values)
    idle: dict[str, str] = {}
    for shield in policy.protections:
        for leaf, fact in _unread(shield.when, sources):
            if shield.built_in:
                idle[message(places.language, shield.label_key)] = fact
                continue
            position = places.word(shield.when, word_pattern(name_in(leaf)))
            values = {"name": shield.id, "label": metric_label(places.language, leaf.name)}
            values |= {"table": table_label(places.language, fact)}
            yield places.found(position, "shield_not_pulled", **values)
    if policy.limits.money is not None:
        of = policy.limits.money.of
        for leaf, fact in _unread(of, sources):
            position = places.word(of, word_pattern(name_in(leaf)))
            values = {"label": metric_label(places.language, leaf.name)}
            values |= {"table": table_label(places.language, fact)}
            yield places.found(position, "limit_not_pulled", **values)
    if idle:
        tables = dict.fromkeys(table_label(places.language, fact) for fact in idle.values())
        named = {"names": places.listed(idle), "tables": places.listed(tables)}
        yield places.found(places.top, "guards_idle", **named)


def _unread(
    when: Expression, sources: Mapping[str, SourceState]
) -> Iterator[tuple[MetricValue, str]]:
    """The facts of a condition whose tables were not pulled, each with its table."""
    for leaf in leaves(when.tree):
        if not isinstance(leaf, MetricValue):
            continue
        fact = METRICS[leaf.name].fact
        if not sources.get(fact, _NOT_PULLED).complete:
            yield leaf, fact
