"""A policy as a statement in plain language (制度说明) to read and to sign: Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from policies.authoring.nouns import CREATED
from policies.authoring.numbers import clocks_of, trees_of
from policies.authoring.prose import Teller
from policies.authoring.signature import (
    CLOCK,
    DEFAULT,
    LIMIT,
    Difference,
    Signature,
    Threshold,
    differences,
    score_terms,
    thresholds,
)
from policies.authoring.signoff_rules import Words, protection_title, rule_lines, words_for
from policies.calendar import Calendar
from policies.freezes import Anchor, Freeze
from policies.language.metrics import METRICS, Aggregate
from policies.language.number_text import plain
from policies.language.tree import (
    Arithmetic,
    Case,
    Constant,
    DaysSince,
    Extreme,
    MetricValue,
    Node,
    Rank,
    WorkdaysSince,
    walk,
)
from policies.language.vocabulary import Type
from policies.messages import has_message, message, table_label, value_text
from policies.model import KINDS, RETIRED, Limit, Policy, Protection
from policies.money import Money
from policies.yaml_source import plain_scalar


def render_signoff(policy: Policy, language: str, *, signed: Signature | None) -> str:
    """The whole statement."""
    words = words_for(policy, language)
    lines = [f"# {words.say('title', name=words.text(policy.name))}", ""]
    lines += [words.say("intro"), "", *_state(words, policy, signed), ""]
    sections: dict[str, Iterable[str]] = {
        "purpose": _purpose(words, policy),
        "protected": _protected(words, policy),
        "scores": _scores(words, policy),
        "rules": _rules(words, policy),
        "thresholds": _thresholds(words, policy, signed),
        "settings": _settings(words, policy),
        "limits": _limits(words, policy),
        "objection": [words.say("objection")],
        "sign": _sign(words, policy, signed),
    }
    for name, content in sections.items():
        told = list(content)
        if told:
            lines += [f"## {words.say(f'section.{name}')}", "", *told, ""]
    return _tidy(lines)


def difference_text(difference: Difference, language: str) -> str:
    """One difference in words."""
    name = _threshold_name(difference.name, language)
    if difference.kind == "threshold":
        signed, now = difference.signed, difference.now
        absent = message(language, "signoff.difference.absent")
        values = {
            "signed": absent if signed is None else _figure(signed, language),
            "now": absent if now is None else _figure(now, language),
        }
        return message(language, "signoff.difference.threshold", name=name, **values)
    verb = "added" if difference.signed is None else "changed"
    verb = "removed" if difference.now is None else verb
    change = message(language, f"signoff.difference.{verb}")
    setting = message(language, f"signoff.setting.{name}")
    key = f"signoff.difference.{difference.kind}"
    return message(language, key, name=name, setting=setting, change=change)


def _tidy(lines: Iterable[str]) -> str:
    """One blank line at most, and one end of line at the end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def _state(words: Words, policy: Policy, signed: Signature | None) -> Iterator[str]:
    if signed is None:
        yield f"> {words.say('state.unsigned')}"
        return
    changes = differences(policy, signed)
    key = "state.changed" if changes else "state.signed"
    yield f"> {words.say(key, name=words.text(signed.name), on=signed.on.isoformat())}"
    yield ""
    for item in changes:
        yield f"- {words.text(difference_text(item, words.language))}"


def _purpose(words: Words, policy: Policy) -> Iterator[str]:
    kinds = {rule.kind for rule in policy.rules}
    for kind in KINDS:
        if kind in kinds:
            item = words.say("item", name=words.kind(kind), text=words.say(f"purpose.{kind}"))
            yield f"- {words.say('stop', text=item)}"


def _protected(words: Words, policy: Policy) -> Iterator[str]:
    own = [item for item in policy.protections if not item.built_in]
    built_in = [item for item in policy.protections if item.built_in and not item.is_default]
    default = [item for item in policy.protections if item.is_default]
    yield words.say("protected.intro")
    yield ""
    yield words.say("protected.own" if own else "protected.none")
    yield ""
    yield from (f"- {_protection(words, item)}" for item in own)
    for key, items in (("default", default), ("built_in", built_in)):
        if items:
            yield from ("", words.say(f"protected.{key}"), "")
            yield from (f"- {_protection(words, item)}" for item in items)


def _protection(words: Words, item: Protection) -> str:
    """What it is called, and its condition where that says more."""
    title = protection_title(words, item)
    condition = words.teller.sentence(item.when.tree)
    named = words.say("protected.named", title=title, condition=condition)
    if (item.built_in and not item.is_default) or title == condition:
        named = words.say("protected.title", title=title)
    return words.say(
        "protected.certain" if item.certain else "protected.item",
        named=named,
        kinds=words.listed([words.kind(kind) for kind in KINDS if kind in item.kinds]),
    )


def _scores(words: Words, policy: Policy) -> Iterator[str]:
    if policy.scores:
        yield from (words.say("scores.intro"), "")
    for name, tree in policy.scores.items():
        yield f"- **{words.text(name)}**"
        yield from (f"  - {_term(words, term)}" for term in score_terms(tree))


def _term(words: Words, term: Node) -> str:
    """A part of a score; one that has no other part is not told by its own name."""
    others = tuple(item for item in words.teller.scores if item[0] != term)
    teller = replace(words.teller, scores=others)
    if isinstance(term, Case):
        condition, points = teller.sentence(term.conditions[0]), teller.noun(term.values[0])
        return words.say("scores.points", condition=condition, points=points)
    return words.say("stop", text=_weighted(words, teller, term))


def _weighted(words: Words, teller: Teller, term: Node) -> str:
    """A number times its weight: points for each of so many, or the weight of a rank."""
    if not isinstance(term, Arithmetic) or not isinstance(term.right, Constant):
        return teller.noun(term)
    value, points = term.left, teller.noun(term.right)
    if isinstance(value, Rank):
        return words.say("scores.weight", value=teller.noun(value), points=points)
    if _is_count(value):
        return words.say("scores.each", value=teller.noun(value), points=points)
    if isinstance(value, Extreme) and not value.greatest and len(value.parts) == 2:
        counted, cap = value.parts
        if _is_count(counted) and isinstance(cap, Constant):
            named = {"value": teller.noun(counted), "cap": teller.noun(cap)}
            return words.say("scores.capped", points=points, **named)
    return teller.noun(term)


def _is_count(node: Node) -> bool:
    return isinstance(node, MetricValue) and METRICS[node.name].aggregate is Aggregate.COUNT


def _rules(words: Words, policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        if rule.kind != RETIRED:
            yield from rule_lines(words, rule, policy.pools)


def _thresholds(words: Words, policy: Policy, signed: Signature | None) -> Iterator[str]:
    found = thresholds(policy)
    if not found:
        yield words.say("thresholds.none")
        return
    heads = [words.say(f"thresholds.{name}") for name in ("name", "value", "clause", "state")]
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for item in found:
        value = words.text(_figure(item.value, words.language))
        state = _threshold_state(words, item, policy, signed)
        name = words.text(_threshold_name(item.name, words.language))
        yield _row([name, f"**{value}**", _used(words, item.clause, policy), state])


def _threshold_name(name: str, language: str) -> str:
    """As it is called in the policy; of clocks, defaults and limits, the words of the language."""
    for prefix, key in ((CLOCK, "clock"), (DEFAULT, "guard"), (LIMIT, "signoff.limits.named")):
        if name.startswith(prefix):
            own, sign, place = name.removeprefix(prefix).replace("-", "_").partition(" ")
            return f"{message(language, f'{key}.{own}')}{sign}{place}"
    return name


def _used(words: Words, clause: Node | None, policy: Policy) -> str:
    """Where a number decides: in a comparison, in a term of a score, or in what a limit counts."""
    if clause is None:
        return words.say("thresholds.param")
    counted = policy.limits.money
    if isinstance(clause, Rank) or (counted is not None and clause == counted.of.tree):
        return words.teller.noun(clause)
    return words.teller.sentence(clause) if clause.type is Type.BOOLEAN else _term(words, clause)


def _figure(value: str, language: str) -> str:
    """The value of a threshold as the language writes it."""
    read = plain_scalar(value)
    is_number = isinstance(read, int | Decimal) and not isinstance(read, bool)
    return value_text(language, Type.NUMBER, value) if is_number else value


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _threshold_state(
    words: Words, item: Threshold, policy: Policy, signed: Signature | None
) -> str:
    if signed is None:
        return words.say("thresholds.default")
    if signed.hash == policy.hash:  # whatever the numbers were called then
        return words.say("thresholds.signed")
    value = signed.thresholds.get(item.name)
    if value is None:
        return words.say("thresholds.new")
    if value == item.value:
        return words.say("thresholds.signed")
    return words.say("thresholds.other", value=words.text(_figure(value, words.language)))


def _settings(words: Words, policy: Policy) -> Iterator[str]:
    for clock, tree in clocks_of(policy).items():
        name = message(words.language, f"clock.{clock}")
        condition = words.teller.sentence(tree)
        yield f"- {words.say('settings.clock', clock=name, condition=condition)}"
    if any(_counts_from_creation(tree) for tree in trees_of(policy)):
        yield f"- {words.say('settings.never')}"
    yield from (f"- {line}" for line in _calendar(words, policy.calendar))
    yield from (f"- {line}" for line in _money(words, policy.money))
    if policy.group:
        tables = [table_label(words.language, name) for name in sorted(policy.group)]
        yield f"- {words.say('settings.group', tables=words.listed(tables))}"


def _counts_from_creation(tree: Node) -> bool:
    return any(
        isinstance(node, DaysSince | WorkdaysSince) and node.otherwise == CREATED
        for node in walk(tree)
    )


def _calendar(words: Words, calendar: Calendar | None) -> Iterator[str]:
    if calendar is None:
        yield words.say("settings.weekdays")
        return
    yield words.say("settings.calendar", country=_country(calendar.country, words.language))
    if calendar.freeze:
        freezes = [_freeze(words, item) for item in calendar.freeze]
        listed = words.say("semicolon").join(freezes)
        yield words.say("settings.freeze", freezes=listed)


def _country(code: str, language: str) -> str:
    """What a country is called, or a part of it; its code where no name is known."""
    for name, part in ((code, ""), (code.partition("-")[0], code)):
        if has_message(language, f"country.{name}"):
            known = message(language, f"country.{name}")
            return f"{known} ({part})" if part else known
    return code


def _freeze(words: Words, item: Freeze) -> str:
    if item.anchor is Anchor.DATES:
        return words.say("settings.between", first=item.first, last=item.last)
    is_holiday = item.anchor is Anchor.HOLIDAY
    name = item.name if is_holiday else words.say(f"settings.anchor.{item.anchor.value}")
    ends = {"first": _offset(words, item.before), "last": _offset(words, item.after)}
    return words.say("settings.around", name=words.text(name), **ends)


def _offset(words: Words, days: int) -> str:
    if days == 0:
        return words.say("settings.same")
    return words.counted("settings.before" if days < 0 else "settings.after", abs(days))


def _money(words: Words, money: Money | None) -> Iterator[str]:
    if money is None:
        yield words.say("settings.one_currency")
        return
    yield words.say("settings.money", base=money.base)
    rates = [
        words.say(
            "settings.rate",
            currency=item.currency,
            rate=value_text(words.language, Type.NUMBER, plain(item.rate)),
            base=money.base,
            since=item.since,
        )
        for item in sorted(money.rates)
    ]
    if rates:
        yield words.say("settings.rates", rates=words.say("semicolon").join(rates))


def _limits(words: Words, policy: Policy) -> Iterator[str]:
    lines = list(_limit_lines(words, policy))
    if not lines:
        yield words.say("limits.none")
    yield from (f"- {line}" for line in lines)


def _limit_lines(words: Words, policy: Policy) -> Iterator[str]:
    limits = policy.limits
    total, owner = _limit(words, limits), limits.owner
    if total and not _is_unlimited(limits):
        yield words.say("limits.total", limit=total)
    yield from _by_weight(words, policy)
    if owner is not None:
        yield words.say(f"limits.owner.{owner.per}", limit=_limit(words, owner, "owner"))
    for rule_id, limit in limits.rules.items():
        title = words.text(policy.rule(rule_id).title)
        if _is_unlimited(limit):
            yield words.say("limits.rule_unlimited", rule=title)
            continue
        yield words.say("limits.rule", rule=title, limit=_limit(words, limit))
    if limits.backlog is not None:
        yield words.say(f"limits.backlog.{limits.backlog.order}", wave=limits.backlog.wave)


def _by_weight(words: Words, policy: Policy) -> Iterator[str]:
    """The limits of bands, and of what is counted of the customers."""
    for rule in policy.rules:
        capped = policy.limits.tiers.get(rule.id, {})
        for stage in rule.stages:
            if stage.name in capped:
                names = {"band": words.text(stage.name), "tier": words.text(rule.title)}
                limit = _limit(words, capped[stage.name], "band")
                yield words.say("limits.band", limit=limit, **names)
    money = policy.limits.money
    if money is not None:
        tree = money.of.tree
        most = words.teller.chosen(words.number(money.at_most))
        if tree.type is Type.MONEY and policy.money is not None:
            most = f"{most} {policy.money.base}"
        yield words.say("limits.money", limit=most, value=words.teller.noun(tree))


def _limit(words: Words, limit: Limit, of: str = "all") -> str:
    """At most how many; empty when nothing is said. `of`: all, owner or band."""
    count, share = "", ""
    if limit.count is not None:
        count = words.counted("limits.count", limit.count)
    if limit.share is not None:
        share = words.say(f"limits.share.{of}", share=_percent(words, limit.share))
    return words.say("limits.both", count=count, share=share) if count and share else count + share


def _is_unlimited(limit: Limit) -> bool:
    return limit.count is None and limit.share is not None and limit.share >= 1


def _percent(words: Words, share: Decimal) -> str:
    number = words.teller.chosen(value_text(words.language, Type.NUMBER, plain(share * 100)))
    return message(words.language, "prose.percent", number=number)


def _sign(words: Words, policy: Policy, signed: Signature | None) -> Iterator[str]:
    blank = words.say("sign.blank")
    name = blank if signed is None else words.text(signed.name)
    on = blank if signed is None else signed.on.isoformat()
    yield f"- {words.say('item', name=words.say('sign.name'), text=name)}"
    yield f"- {words.say('item', name=words.say('sign.on'), text=on)}"
    yield f"- {words.say('item', name=words.say('sign.hash'), text=f'`{policy.hash}`')}"
