"""Whole policies made up by hypothesis, as files for the loader, their parts in any order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from policies.model import Policy
from policies.policy import parse_policy

# Conditions that a blank can only leave undecided: they do not ask whether something is blank.
PLAIN = (
    "party = 'person'",
    "party IN ('company', 'person')",
    "attitude <> 'a'",
    "phone_valid AND NOT email_valid",
    "do_not_contact",
    "owner_active",
    "owner_absent OR owner_department = 'a'",
    "has_tag('x')",
    "field('Size') > 3",
    "days_since(created_at) > 200",
    "days_since(last_activity_at) >= 90",
    "days_since(last_followup_at, else: created_at) > 60",
    "days_since(last_response_at) > days_since(last_order_at)",
    "never(last_response_at)",
    "last_order_at > last_return_at",
    "orders_count(365) >= 1",
    "orders_amount(400) > 500",
    "orders_amount() / 3 > returns_amount()",
    "activities_count(90, kind = 'call' OR seconds > 30) = 0",
    "attempts_unanswered(400) >= 1",
    "open_deals = 0",
    "won_deals > 0",
    "deals_won(400) > deals_lost(400)",
    "complaints_count(fault = 'theirs') > 0",
    "complaint_rate(min_n: 1, else: 0) > 0.5",
    "returns_count(400, days_since(happened_at) > 20) < 1",
    "on_time_rate(min_n: 1) < 0.6",
    "receivable_open > 200",
    "receivable_open - returns_amount(400) > orders_amount(400) * 2",
    "greatest(orders_amount(), receivable_open, 90) <= deals_amount()",
    "last_csat(else: 3) >= 4",
    "csat(400, min_n: 1) > 4",
    "order_interval_median(else: 30) > 20",
    "quotes_valid > 0",
    "active_contracts = 0",
    "workdays_since(last_order_at, else: created_at) > 20",
    "greatest(orders_count(), deals_count()) > 2",
    "if(open_deals > 1, orders_count(), 2) > 1",
)
BLANKS = ("party IS NULL", "attitude IS NULL OR field('Note') = 'a'", "never(field('Signed'))")
RANKS = (
    "quintile(orders_amount()) >= 4",
    "abc(orders_count(), 50, 90) = 'A'",
    "quintile(activities_count(400)) <= 2",
)
EVERYTHING = (*PLAIN, *BLANKS, *RANKS)
KINDS = ("void", "cleanout", "pool", "task", "defect", "tier")
EXITS = ("void", "cleanout", "pool")

Parts = dict[str, Any]


def conditions(leaves: Sequence[str] = EVERYTHING) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.builds("NOT ({})".format, inner),
            st.builds("({}) AND ({})".format, inner, inner),
            st.builds("({}) OR ({})".format, inner, inner),
        ),
        max_leaves=3,
    )


def protections(name: str, leaves: Sequence[str] = EVERYTHING) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "id": st.just(name),
            "when": conditions(leaves),
            "from": st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True),
        }
    )


@st.composite
def policy_parts(
    draw: st.DrawFn, leaves: Sequence[str] = EVERYTHING, kinds: Sequence[str] = KINDS
) -> Parts:
    """A policy file as keys and values: every kind of rule, with and without marks."""
    when = conditions(leaves)
    parts: Parts = {
        "policy": 2,
        "name": "random",
        "fields": {"Size": "number", "Note": "text", "Signed": "moment"},
        "params": {"some": draw(st.integers(1, 3)), "many": 4},
        "define": {
            "first": draw(when),
            "second": f"first OR orders_count() > $some AND ({draw(when)})",
            "third": "activities_count() > $many",
        },
        "calendar": {"holidays": "CN"},
        "protect": [
            draw(protections(f"shield {place}", leaves)) for place in range(draw(st.integers(0, 2)))
        ],
    }
    if draw(st.booleans()):
        rates = [{"currency": "EUR", "date": "2020-01-01", "rate": 7}]
        parts["money"] = {"base": "CNY", "rates": rates}
    if draw(st.booleans()):
        parts["group"] = ["orders", "complaints"]
    own = draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=6))
    if "pool" in own and draw(st.booleans()):
        parts["pools"] = {"north": {"when": draw(when)}, "south": {"when": "else"}}
    with_tier = st.one_of(when, when, st.sampled_from(["first", "second AND NOT third"]))
    if own.count("tier") == 1:
        with_tier = st.one_of(with_tier, st.just("tier = 'band 0'"))
    parts["rules"] = [_rule(draw, place, kind, with_tier) for place, kind in enumerate(own)]
    return parts


def _rule(draw: st.DrawFn, place: int, kind: str, when: st.SearchStrategy[str]) -> Parts:
    name = f"{kind} {place}"
    rule: Parts = {kind: name}
    if kind == "tier":
        rule["note"] = draw(st.booleans())
        rule["bands"] = [
            {"name": f"band {number}", "when": condition}
            | ({"mark": {"tag": f"{name} {number}"}} if draw(st.booleans()) or not number else {})
            for number, condition in enumerate(
                draw(st.lists(conditions(PLAIN), min_size=1, max_size=2))
            )
        ]
        if draw(st.booleans()):
            rule["bands"].append({"name": "rest", "when": "else", "mark": {"tag": f"{name} rest"}})
        return rule
    rule["when"] = draw(when)
    if kind == "void":
        rule["reason"] = "lost_contact"
    if kind == "defect":
        rule["axis"] = "conduct"
    if kind in EXITS or draw(st.sampled_from([True, True, True, False])):
        rule["mark"] = {"tag": name}
        rule["note"] = draw(st.booleans())
        if kind == "void" and draw(st.booleans()):
            rule["mark"]["status"] = name
    return rule


def policy_of_parts(parts: Parts) -> Policy:
    return parse_policy(json.dumps(parts, ensure_ascii=False))


def without_guards(policy: Policy) -> Policy:
    """The policy without the protections of the product, so that exits are common."""
    own = tuple(item for item in policy.protections if not item.built_in)
    return replace(policy, protections=own)


def reordered(parts: Parts, seed: int) -> Parts:
    """The same policy in another order. Only rules that are in one precedence keep theirs: exits
    of one kind among each other."""
    shuffle = _Shuffle(random.Random(seed))  # noqa: S311 - an order, not a secret
    rules = shuffle.list(parts["rules"])
    for kind in EXITS:
        places = [place for place, rule in enumerate(rules) if kind in rule]
        written = [rule for rule in parts["rules"] if kind in rule]
        for place, rule in zip(places, written, strict=True):
            rules[place] = rule
    changed = {
        key: shuffle.keys(parts[key]) for key in ("params", "define", "fields") if key in parts
    }
    changed["protect"] = shuffle.list(parts["protect"])
    return shuffle.keys({**parts, **changed, "rules": [shuffle.keys(rule) for rule in rules]})


@dataclass(frozen=True)
class _Shuffle:
    random: random.Random

    def list(self, items: Sequence[Any]) -> list[Any]:
        return self.random.sample(items, len(items))

    def keys(self, mapping: Parts) -> Parts:
        return {key: mapping[key] for key in self.list(list(mapping))}


def some_of(seed: str) -> Callable[[float], bool]:
    """Yes with this probability, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - as above
    return lambda share: chance.random() < share
