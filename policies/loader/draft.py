"""A policy before its conditions are read: the parts of one file, or of several laid upon another.

A part of the file on top replaces the part of the same name below; each keeps its place.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from policies.loader.guards import DEFAULT_IDS
from policies.loader.ledger import Ledger, Place, Placed
from policies.loader.rule_schema import (
    AnyRule,
    OffRuleShape,
    Scalar,
    TierRuleShape,
    kind_of,
    name_of,
)
from policies.loader.schema import (
    BacklogShape,
    LimitShape,
    LimitsShape,
    MoneyLimitShape,
    OffPoolShape,
    OffProtectShape,
    PolicyShape,
    PoolShape,
    ProtectShape,
    RateShape,
    ScoreShape,
)
from policies.model import KINDS
from policies.suggestion import closest, nearest

T = TypeVar("T")
Named = dict[str, Placed[T]]
Band = tuple[str, str]  # of a tier rule


@dataclass
class Draft:
    """The parts by name, in order. `gone`: what is to be left out of the policy below; `left_out`:
    the default protections that no file wants. `partial`: what it extends could not be read, so
    that there are more parts than these."""

    top: Place
    name: str | None = None
    language: str | None = None
    params: Named[Scalar] = field(default_factory=dict)
    define: Named[str] = field(default_factory=dict)
    scores: Named[ScoreShape] = field(default_factory=dict)
    clocks: Named[str] = field(default_factory=dict)
    fields: Named[str] = field(default_factory=dict)
    pools: Named[PoolShape] = field(default_factory=dict)
    protect: Named[ProtectShape] = field(default_factory=dict)
    rules: Named[AnyRule] = field(default_factory=dict)
    limits: Named[LimitShape | BacklogShape] = field(default_factory=dict)
    rule_limits: Named[LimitShape] = field(default_factory=dict)
    band_limits: dict[Band, Placed[LimitShape]] = field(default_factory=dict)
    money_limit: Placed[MoneyLimitShape] | None = None
    calendar: Named[str | list[str]] = field(default_factory=dict)
    money: Named[str | list[RateShape]] = field(default_factory=dict)
    group: Placed[list[str]] | None = None
    gone: dict[str, dict[str, Place]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    partial: bool = False


def draft_of(shape: PolicyShape, top: Place, ledger: Ledger) -> Draft:
    """The parts of one file; what stands in it twice is a problem."""
    draft = Draft(top, shape.name, shape.language)
    draft.params = _placed(shape.params, top.at("params"))
    draft.define = _placed(shape.define, top.at("define"))
    draft.scores = _placed(shape.scores, top.at("scores"))
    draft.clocks = _placed(shape.clocks, top.at("clocks"))
    draft.fields = _placed(dict(shape.fields), top.at("fields"))
    draft.calendar = _placed(_given(shape.calendar), top.at("calendar"))
    draft.money = _placed(_given(shape.money), top.at("money"))
    if shape.group is not None:
        draft.group = Placed(shape.group, top.at("group"))
    _add_limits(draft, shape.limits, top.at("limits"), ledger)
    _add_pools(draft, shape)
    _add_protections(draft, shape.protect, ledger)
    _add_rules(draft, shape.rules, ledger)
    return draft


def _placed(values: Mapping[str, T], place: Place) -> Named[T]:
    return {name: Placed(value, place.at(name)) for name, value in values.items()}


def _given(shape: Any) -> dict[str, Any]:
    """The keys that stand in the file."""
    return {name: getattr(shape, name) for name in shape.model_fields_set} if shape else {}


def _add_limits(draft: Draft, limits: LimitsShape, place: Place, ledger: Ledger) -> None:
    short = limits.share is not None or limits.count is not None
    if short and limits.total is not None:
        ledger.add(place.at("total"), "the limits of the whole stand here twice", "keep total:")
    if short:
        draft.limits["total"] = Placed(limits, place)
    for name in ("total", "owner", "backlog"):
        value: LimitShape | BacklogShape | None = getattr(limits, name)
        if value is not None:
            draft.limits[name] = Placed(value, place.at(name))
    draft.rule_limits = _placed(limits.rules, place.at("rules"))
    for tier, bands in limits.tiers.items():
        for band, limit in bands.items():
            draft.band_limits[tier, band] = Placed(limit, place.at("tiers", tier, band))
    if limits.money is not None:
        draft.money_limit = Placed(limits.money, place.at("money"))


def _add_pools(draft: Draft, shape: PolicyShape) -> None:
    for name, item in shape.pools.items():
        place = draft.top.at("pools", name)
        if isinstance(item, OffPoolShape):
            draft.gone.setdefault("pool", {})[name] = place
        else:
            draft.pools[name] = Placed(item, place)


def _add_protections(
    draft: Draft, items: Iterable[ProtectShape | OffProtectShape], ledger: Ledger
) -> None:
    for number, item in enumerate(items):
        place = draft.top.at("protect", number)
        if isinstance(item, OffProtectShape) and item.id in DEFAULT_IDS:
            draft.left_out |= {item.id}
        elif isinstance(item, OffProtectShape):
            draft.gone.setdefault("protection", {})[item.id] = place.at("id")
        elif _is_free(draft.protect, item.id, place.at("id"), ledger):
            draft.protect[item.id] = Placed(item, place)


def _add_rules(draft: Draft, items: Iterable[AnyRule | OffRuleShape], ledger: Ledger) -> None:
    for number, item in enumerate(items):
        place = draft.top.at("rules", number)
        name, at_name = name_of(item), place.at(kind_of(item))
        if isinstance(item, OffRuleShape):
            draft.gone.setdefault("rule", {})[name] = at_name
            for other in KINDS[KINDS.index(kind_of(item)) + 1 :]:
                if getattr(item, other) is not None:
                    message = "one rule is left out here, and this names another"
                    ledger.add(place.at(other), message, "write it as an item of its own")
        elif _is_free(draft.rules, name, at_name, ledger):
            draft.rules[name] = Placed(item, place)


def _is_free(known: Mapping[str, Placed[Any]], name: str, place: Place, ledger: Ledger) -> bool:
    if name in known:
        message = f"the name '{name}' is taken ({known[name].place.text})"
        ledger.add(place, message, "choose another")
    return name not in known


def laid_upon(below: Draft, own: Draft, ledger: Ledger) -> Draft:
    """One policy of two. Pools of the file on top come first, as the first that holds counts."""
    _check_gone(below, own.gone, ledger)
    pools = _without(below.pools, own.gone.get("pool", {}))
    protect = _without(below.protect, own.left_out.union(own.gone.get("protection", {})))
    rules = _without(below.rules, own.gone.get("rule", {}))
    merged = Draft(own.top, own.name or below.name, own.language or below.language)
    merged.partial = below.partial
    merged.left_out = below.left_out | own.left_out
    merged.params = {**below.params, **own.params}
    merged.define = {**below.define, **own.define}
    merged.scores = {**below.scores, **own.scores}
    merged.clocks = {**below.clocks, **own.clocks}
    merged.fields = {**below.fields, **own.fields}
    merged.pools = {**own.pools, **{name: pools[name] for name in pools if name not in own.pools}}
    merged.protect = {**protect, **own.protect}
    merged.rules = {**rules, **own.rules}
    merged.limits = {**below.limits, **own.limits}
    kept = {name: item for name, item in below.rule_limits.items() if name in rules}
    merged.rule_limits = {**kept, **own.rule_limits}
    merged.band_limits = {**_kept_bands(below, rules, own), **own.band_limits}
    merged.money_limit = own.money_limit or below.money_limit
    merged.calendar = {**below.calendar, **own.calendar}
    merged.money = {**below.money, **own.money}
    _check_base(below, own, ledger)
    merged.group = own.group or below.group
    return merged


def _kept_bands(below: Draft, rules: Named[AnyRule], own: Draft) -> dict[Band, Placed[LimitShape]]:
    """Limits of bands go with their tier: with one that is left out, or replaced by one without
    the band."""
    return {
        (tier, band): item
        for (tier, band), item in below.band_limits.items()
        if (tier not in below.rules or tier in rules)
        and (tier not in own.rules or band in bands_of(own.rules[tier].value))
    }


def bands_of(rule: AnyRule) -> tuple[str, ...]:
    """The names of a tier's bands; none of another rule."""
    return tuple(band.name for band in rule.bands) if isinstance(rule, TierRuleShape) else ()


def _check_base(below: Draft, own: Draft, ledger: Ledger) -> None:
    """Rates are worth so many of the base that they were written for."""
    was, base = (draft.money.get("base") for draft in (below, own))
    rates = below.money.get("rates")
    if was and base and rates and "rates" not in own.money and was.value != base.value:
        message = f"the rates of the extended policy are in {was.value} ({rates.place.text})"
        ledger.add(base.place, message, f"give rates: in {base.value} beside it")


def _without(below: Named[T], gone: Container[str]) -> Named[T]:
    return {name: item for name, item in below.items() if name not in gone}


def _check_gone(below: Draft, gone: Mapping[str, Mapping[str, Place]], ledger: Ledger) -> None:
    """What is left out is there, and is what it is called."""
    known: Mapping[str, Named[Any]] = {
        "pool": below.pools,
        "protection": below.protect,
        "rule": below.rules,
    }
    for what, names in gone.items():
        for name, place in names.items():
            if name not in known[what] and not below.partial:
                message = f"the extended policy has no {what} '{name}' to leave out"
                names_known = [*known[what], *(DEFAULT_IDS if what == "protection" else ())]
                ledger.add(place, message, nearest(name, names_known), key=what == "pool")
    for name, place in gone.get("rule", {}).items():
        kind = kind_of(below.rules[name].value) if name in below.rules else place.path[-1]
        if kind != place.path[-1]:
            message = f"rule '{name}' is a {kind} rule, not a {place.path[-1]} rule"
            ledger.add(place, message, f"write {{{kind}: {name}, off: true}}")


def check_nothing_gone(draft: Draft, ledger: Ledger) -> None:
    """Only what an extended policy has can be left out, and the default protections."""
    for names in draft.gone.values() if not draft.partial else ():
        for name, place in names.items():
            meant = closest(name, DEFAULT_IDS)
            hint = f"did you mean '{meant}'?" if meant else "off: is for what extends: brings"
            ledger.add(place, "nothing can be left out here", hint)
