"""Findings about policies that load: what hardly anybody can have meant, with its position."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from policies.authoring.lint import lint
from policies.authoring.signature import sign
from policies.errors import Problem
from policies.library import library_names
from policies.messages import catalogue
from policies.moment import SourceState
from policies.policy import load_policy, parse_policy
from tests.policies.policy_world import library_policy

HEAD = "policy: 2\nname: p\n"
CALENDAR = "calendar: {holidays: CN}\n"
ALL = {"orders": SourceState(complete=True), "activities": SourceState(complete=True)}


def findings(text: str) -> list[str]:
    """Without those about the sign-off and the calendar."""
    policy = parse_policy(HEAD + text + CALENDAR)
    signed = sign(policy, "Wang", date(2026, 6, 1))
    return [_plain(problem) for problem in lint(policy, signed=signed)]


def _plain(problem: Problem) -> str:
    return str(problem).removeprefix("policy.yaml:")


def task(when: str) -> list[str]:
    return findings(f'rules:\n  - {{task: t, when: "{when}", mark: {{tag: t}}}}\n')


def void(when: str, kind: str = "void: v, reason: no_intent") -> list[str]:
    return findings(f'rules:\n  - {{{kind}, when: "{when}", mark: {{tag: t}}}}\n')


def test_a_plain_policy_has_no_findings() -> None:
    assert task("orders_count(365) > 3 AND region = 'x'") == []


@pytest.mark.parametrize("name", library_names())
def test_the_library_has_no_findings_but_what_is_left_to_the_client(name: str) -> None:
    if name.startswith("starter"):
        policy = library_policy(name)
    else:
        text = "rules:\n  - {task: t, when: open_deals > 7, mark: {tag: t}}\n"
        policy = parse_policy(f"{HEAD}extends: library/{name}\n{text}")
    found = lint(policy, signed=sign(policy, "Wang", date(2026, 6, 1)))
    assert [item for item in found if "no calendar keeps" not in item.message] == []


def test_a_condition_that_can_never_hold_names_the_parts_that_clash() -> None:
    assert task("region = 'x' AND orders_count() > 5 AND orders_count() < 3") == [
        "4:39: this condition can never hold: nobody is in 't' - "
        "together impossible: orders_count() > 5 and orders_count() < 3"
    ]
    assert task("complaints_open < 0") == [
        "4:22: this condition can never hold: nobody is in 't' - impossible: complaints_open < 0"
    ]


def test_a_condition_that_always_holds() -> None:
    assert task("complaints_open >= 0") == [
        "4:22: this condition always holds: every customer is in 't' - give it a limit"
    ]
    assert task("has_tag('a') OR NOT has_tag('a')") == [
        "4:31: this condition always holds: every customer is in 't' - give it a limit"
    ]


def test_parts_that_decide_nothing() -> None:
    assert task("region = 'x' AND complaints_open >= 0") == [
        "4:39: this part always holds: complaints_open >= 0 - delete it, or correct it"
    ]
    assert task("region = 'x' AND (open_deals > 3 OR region = 'y')") == [
        "4:22: this part can never hold: region = 'y' - delete it, or correct it"
    ]


def test_bands_that_take_nobody() -> None:
    text = """\
rules:
  - tier: w
    bands:
      - {name: A, when: orders_count() > 3}
      - {name: B, when: orders_count() > 5}
      - {name: D, when: orders_count() <= 3}
      - {name: C, when: else}
"""
    hint = "the bands above take them all - put it higher, or narrow the bands above"
    assert findings(text) == [
        f"4:11: nobody is left for 'C' of 'w': {hint}",
        f"7:25: nobody is left for 'B' of 'w': {hint}",
    ]


def test_an_exit_that_is_contained_in_an_earlier_one() -> None:
    text = """\
rules:
  - {pool: p, when: days_since(owned_since) > 90 AND open_deals = 0, mark: {tag: p}}
  - {void: v, reason: no_intent, when: open_deals = 0, mark: {tag: v}}
  - {cleanout: never, when: open_deals < 0, mark: {tag: c}}
  - {cleanout: other, when: open_deals > 3, mark: {tag: d}}
"""
    assert [item for item in findings(text) if "never hold" not in item] == [
        "4:12: whoever is in 'p' is in 'v' too, which comes first - "
        "'p' never acts: narrow 'v', or delete one of the two"
    ]


def test_protections_that_protect_nobody_or_everybody() -> None:
    text = """\
protect:
  - {id: a, when: region = 'x', from: [cleanout]}
  - {id: b, when: open_deals >= 1, from: [void]}
  - {id: c, when: open_deals > 7, from: [void]}
  - {id: d, when: open_deals < 0, from: [void]}
rules:
  - {void: v, reason: no_intent, when: open_deals > 1, mark: {tag: v}}
  - {void: never, reason: no_intent, when: open_deals < 0, mark: {tag: w}}
  - tier: t
    bands: [{name: A, when: else}]
"""
    found = findings(text)
    assert "4:10: 'a' protects from cleanout, and no rule is of that kind - " in found[0]
    assert [item for item in found if "everybody" in item] == [
        "9:12: everybody in 'v' is protected by 'b' - "
        "the rule never acts: narrow the protection, or leave the kind out of from:"
    ]
    assert any("'d' protects nobody" in item for item in found)


def test_kinds_are_listed_as_the_language_does() -> None:
    text = "protect: [{id: a, when: open_deals > 0, from: [void, pool]}]\n"
    policy = parse_policy(f"{HEAD}{text}rules: [{{task: t, when: open_deals = 0}}]\n")
    found = [str(problem) for problem in lint(policy, signed=None, language="zh-CN")]
    assert any("“a”针对 pool、void 类规则，而策略中没有这类规则" in item for item in found)


def test_a_protection_that_always_holds_is_said_to_protect_everybody() -> None:
    text = "protect: [{id: p, when: open_deals >= 0, from: [void]}]\nrules:\n"
    text += "  - {void: v, reason: no_intent, when: open_deals > 1, mark: {tag: v}}\n"
    policy = parse_policy(HEAD + text)
    told = [problem.message for problem in lint(policy, language="zh-CN")]
    assert "此条件总是成立：所有客户都受“p”保护" in told


def test_a_protection_from_tiers_that_take_everybody_is_fine() -> None:
    text = """\
protect:
  - {id: a, when: region = 'x', from: [tier]}
rules:
  - tier: t
    bands: [{name: A, when: else}]
"""
    assert findings(text) == []


def test_names_that_nothing_uses() -> None:
    text = """\
params: {used: 3, spare: 4}
define: {busy: open_deals > $used, idle: open_deals = 0}
rules:
  - {task: t, when: busy, mark: {tag: t}}
"""
    assert findings(text) == [
        "3:19: nothing uses the parameter 'spare' - delete it",
        "4:36: nothing uses the definition 'idle' - delete it",
    ]


@pytest.mark.parametrize(
    ("bands", "clean"),
    [
        ("{name: A, when: orders_count() > 3}, {name: C, when: else, mark: {tag: c}}", False),
        ("{name: A, when: orders_count() > 3}, {name: C, when: else, mark: {status: c}}", False),
        ("{name: A, when: orders_count() > 3}, {name: C, when: else}", True),
        ("{name: A, when: days_since(last_order_at) < 3}, {name: C, when: else, mark: {tag: c}}",
         False),
        ("{name: N, when: days_since(created_at) < 30}, {name: C, when: else, mark: {tag: c}}",
         True),
        ("{name: N, when: days_since(first_order_at) < 30}, {name: C, when: else, mark: {tag: c}}",
         True),
        ("{name: N, when: 'days_since(greatest(owned_since, created_at)) < 30'}, "
         "{name: C, when: else, mark: {tag: c}}", False),
    ],
)  # fmt: skip
def test_new_customers_in_the_last_band(bands: str, clean: bool) -> None:
    found = findings(f"rules:\n  - tier: t\n    bands: [{bands}]\n")
    assert [item.partition(" - ")[0] for item in found] == (
        [] if clean else ["4:11: customers of last week fall into 'C' of 't'"]
    )


def test_numbers_that_nobody_signed() -> None:
    policy = parse_policy(
        HEAD + "params: {days: 3}\nrules:\n"
        "  - {task: t, when: days_since(owned_since) > $days AND open_deals > 7, mark: {tag: t}}\n"
    )
    (problem,) = lint(policy)
    assert str(problem) == (
        "policy.yaml:3:10: nobody has signed off the numbers here (2) - "
        "let the client confirm it: highseas policy signoff"
    )
    signed = sign(policy, "Wang", date(2026, 6, 1))
    assert lint(policy, signed=signed) == ()
    older = replace(signed, hash="x", thresholds={"days": "4"})
    assert [_plain(item).partition(" - ")[0] for item in lint(policy, signed=older)] == [
        "3:10: the number 'days' is 3, signed off was 4",
        "5:12: the number 't #1' (7) is newer than the sign-off",
    ]
    gone = replace(signed, hash="x", thresholds={**signed.thresholds, "old": "1"})
    assert lint(policy, signed=gone) == ()


def test_an_unsigned_number_of_a_pool_is_found_there() -> None:
    policy = parse_policy(
        HEAD + "pools:\n  big: {when: open_deals > 7}\n  rest: {when: else}\n"
        "rules:\n  - {pool: p, when: has_tag('x'), mark: {tag: t}}\n" + CALENDAR
    )
    signed = replace(sign(policy, "Wang", date(2026, 6, 1)), hash="x", thresholds={})
    assert [_plain(item).partition(" (")[0] for item in lint(policy, signed=signed)] == [
        "1:1: the number 'defaults.new-owner #1'",
        "4:3: the number 'big #1'",
    ]


def test_a_policy_without_numbers_needs_no_sign_off() -> None:
    policy = parse_policy(HEAD + "rules:\n  - {task: t, when: has_tag('x'), mark: {tag: t}}\n")
    assert lint(policy) == ()


def test_what_no_case_covers() -> None:
    policy = parse_policy(
        HEAD + "protect:\n  - {id: p, when: has_tag('x'), from: [task]}\n"
        "rules:\n  - {task: t, when: open_deals > 7, mark: {tag: t}}\n"
    )
    signed = sign(policy, "Wang", date(2026, 6, 1))
    assert [_plain(item) for item in lint(policy, signed=signed, untested=["t", "p"])] == [
        "4:10: no case covers 'p' - add a customer with expect: {p: ...} to a file in cases/",
        "6:12: no case covers 't' - add a customer with expect: {t: ...} to a file in cases/",
    ]


def test_facts_that_nobody_pulls() -> None:
    policy = parse_policy(
        HEAD + "rules:\n"
        "  - {task: t, when: orders_count() > 7 AND surveys_count() > 3 AND has_tag('x'), "
        "mark: {tag: t}}\n"
    )
    signed = sign(policy, "Wang", date(2026, 6, 1))
    assert [_plain(item) for item in lint(policy, signed=signed, sources=ALL)] == [
        "4:44: 't' reads survey answers, and surveys (surveys) are not pulled yet - "
        "name their source in mapping.yaml, or leave them out of the rule"
    ]
    (chinese,) = lint(policy, signed=signed, sources=ALL, language="zh-CN")
    assert chinese.message == "“t”用到“调查答复数”，但“满意度调查”（surveys）尚未拉取"
    assert chinese.suggestion == "在 mapping.yaml 中指定来源，或不在规则中使用"


@pytest.mark.parametrize(
    ("kind", "when", "expected"),
    [
        ("pool: p", "days_since(last_activity_at) > 30", "use last_followup_at"),
        ("pool: p", "days_since(last_followup_at) > 30", "use days_since(greatest(last_f"),
        ("pool: p", "days_since(last_followup_at, else: owned_since) > 30", "anew for a new owner"),
        ("void: v, reason: lost_contact", "days_since(last_activity_at) > 30", "use last_response"),
        ("cleanout: c", "returns_count(365, fault = 'ours') > 3", "use fault = 'theirs'"),
        ("cleanout: c", "return_rate(365) > 0.2", "add the condition fault = 'theirs'"),
        ("cleanout: c", "complaints_count(365) > 3", "add the condition fault = 'theirs'"),
        ("pool: p", "activities_count(30) = 0", "use followups_count"),
        (
            "void: v, reason: no_intent",
            "days_since(last_followup_at) > 30",
            "use last_response_at or last_order_at",
        ),
        ("defect: d, axis: conduct", "returns_count(365, fault = 'ours') > 3", "use fault = 'th"),
        ("defect: d, axis: conduct", "complaints_count(365) > 3", "add the condition fault = 'the"),
        ("defect: d, axis: service", "invoices_overdue > 3", "set axis: conduct"),
        ("task: t", "rate(orders_count(), returns_count(), min_n: 3) > 1", "ask for 5 at least"),
        (
            "task: t",
            "activities_count(365, kind = 'call' AND kind = 'mail') > 3",
            "activities_count asks for rows by itself",
        ),
    ],
)
def test_facts_that_do_not_belong_here(kind: str, when: str, expected: str) -> None:
    (found,) = void(when, kind)
    assert expected in found


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        ("pool: p", "days_since(greatest(last_followup_at, owned_since)) > 30"),
        ("pool: p", "days_since(last_followup_at) > 30 AND days_since(owned_since) > 15"),
        ("pool: p", "workdays_since(owned_since) > 30 AND days_since(last_order_at) > 90"),
        ("task: t", "days_since(last_followup_at) > 30"),
        (
            "void: v, reason: lost_contact",
            "days_since(last_activity_at) > 30 AND attempts_unanswered() > 2",
        ),
        ("cleanout: c", "returns_count(365, fault = 'theirs') > 3"),
        ("cleanout: c", "invoices_overdue > 3 AND complaints_count(365) = 0"),
        ("cleanout: c", "invoices_overdue > 3 AND returns_count(365, fault = 'ours') < 3"),
        ("defect: d, axis: conduct", "returns_count(365, fault = 'theirs') > 3"),
        ("defect: d, axis: conduct", "returns_count(365, fault <> 'ours') > 3"),
        ("defect: d, axis: conduct", "complaints_count(365, fault IN ('theirs')) > 3"),
        ("defect: d, axis: conduct", "complaints_open > 3"),
        ("defect: d, axis: conduct", "invoices_overdue > 3"),
        ("defect: d, axis: service", "complaints_count(365) > 3"),
        ("task: t", "open_deals_age_mean > 30"),
        ("task: t", "rate(orders_count(), returns_count()) > 1"),
        ("task: t", "orders_count(365, amount > 100) > 3"),
    ],
)
def test_facts_that_do_belong_here(kind: str, when: str) -> None:
    assert void(when, kind) == []


RATIO = "returns_count(365) / orders_count(365) > 0.2"


@pytest.mark.parametrize(
    ("when", "count"),
    [
        (RATIO, 1),
        ("NOT returns_count(365) / orders_count(365) < 0.2", 1),
        (f"orders_count(365) > 2 AND {RATIO}", 3),
        (f"orders_count() > 9 AND {RATIO}", 1),
        (f"open_deals > 9 OR {RATIO}", 1),
        (f"if({RATIO}, 2, 1) > orders_count()", 1),
        ("returns_amount(365) / (orders_count(365) + returns_count(365)) > 3", 1),
    ],
)
def test_a_ratio_of_few_cases(when: str, count: int) -> None:
    (found,) = task(when)
    assert f"a ratio of {count} or more cases says little - write rate(part, whole)" in found


@pytest.mark.parametrize(
    "when",
    [
        f"orders_count(365) >= 5 AND {RATIO}",
        f"orders_count(365) > 4 AND (open_deals > 9 OR {RATIO})",
        f"orders_count(365) < 5 OR {RATIO}",
        "if(orders_count(365) < 5, 0, returns_count(365) / orders_count(365)) > 0.2",
        "if(orders_count(365) >= 5, returns_count(365) / orders_count(365), 1) < 0.2",
        "returns_count(365) / greatest(orders_count(365), 5) > 0.2",
        "orders_amount(365) / 12 > 1000",
        "orders_amount(365) / receivable_open > 2",
        "orders_count(365) / days_since(created_at) > 1",
        "orders_count(365) / data_age('orders') > 1",
    ],
)
def test_ratios_of_enough_cases_or_of_no_cases_at_all(when: str) -> None:
    assert task(when) == []


def test_a_ratio_is_found_where_it_is_written() -> None:
    text = """\
define:
  often: returns_count() / returned
  returned: orders_count()
  enough: orders_count(365) >= 5
scores:
  trouble: {terms: [{of: returns_count(365) / orders_count(365), weight: 10}]}
protect:
  - {id: p, when: often > 3, from: [task]}
rules:
  - {task: t, when: trouble > 7 AND often > 2, mark: {tag: t}}
  - {task: u, when: trouble > 5 AND enough, mark: {tag: u}}
  - tier: w
    bands:
      - {name: new, when: NOT enough}
      - {name: B, when: returns_count(365) / orders_count(365) > 0.5}
"""
    assert [item.partition(": ")[0] for item in findings(text)] == ["5:13", "8:45"]


def test_a_rule_that_ends_a_relation_asks_for_a_calendar() -> None:
    text = """\
rules:
  - {task: t, when: open_deals > 7, mark: {tag: t}}
  - {void: v, reason: no_intent, when: refusals_count() > 3, mark: {tag: v}}
  - {pool: p, when: days_since(owned_since) > 30, mark: {tag: p}}
"""
    policy = parse_policy(HEAD + text)
    signed = sign(policy, "Wang", date(2026, 6, 1))
    assert [_plain(item) for item in lint(policy, signed=signed)] == [
        "5:12: no calendar keeps 'v', 'p' from acting on days off - "
        "say whose days off: calendar: {holidays: CN}, or DE-BY and the like"
    ]


def test_protections_whose_facts_nobody_pulls() -> None:
    text = """\
protect:
  - {id: deals, when: region = 'x' OR open_deals > 0, from: [void]}
rules:
  - {void: v, reason: no_intent, when: refusals_count() > 3, mark: {tag: v}}
"""
    policy = parse_policy(HEAD + text + CALENDAR)
    signed = sign(policy, "Wang", date(2026, 6, 1))
    pulled = {"returns": SourceState(complete=True), "contracts": SourceState(complete=True)}
    first, *rest = (_plain(item) for item in lint(policy, signed=signed, sources=ALL | pulled))
    assert first == (
        "1:1: protections that are always there protect nobody now: an invoice is not paid yet, "
        "a quote is still valid, a deal was won - "
        "not pulled yet: invoices, quotes, deals; name their source in mapping.yaml"
    )
    assert [item.partition(" - ")[0] for item in rest] == [
        "4:39: the protection 'deals' reads open deals, and deals are not pulled yet"
    ]
    assert lint(policy, signed=signed) == ()


def test_a_rate_of_few_cases_in_a_protection() -> None:
    text = """\
protect:
  - {id: p, when: "rate(orders_count(), returns_count(), min_n: 2) > 1", from: [task]}
rules:
  - {task: t, when: open_deals > 7, mark: {tag: t}}
"""
    assert [item.partition(" - ")[0] for item in findings(text)] == [
        "4:58: a rate of 2 or more cases says little"
    ]


def test_the_rates_in_the_bands_of_a_tier_are_named_there_only() -> None:
    text = """\
protect:
  - {id: p, when: "tier = 'A'", from: [task]}
rules:
  - {task: t, when: open_deals > 7, mark: {tag: t}}
  - tier: w
    bands: [{name: A, when: "rate(orders_count(), returns_count(), min_n: 2) > 1"}]
"""
    assert [item.partition(":")[0] for item in findings(text)] == ["8"]


def test_parts_of_pools_and_definitions_are_found_where_they_stand() -> None:
    text = """\
define:
  wide: narrow OR region = 'y'
  narrow: complaints_open >= 0 AND region = 'x'
pools:
  east: {when: open_deals > 1 AND quotes_valid >= 0}
  west: {when: quotes_valid > 0 AND region = 'q'}
  rest: {when: else}
rules:
  - {pool: p, when: wide AND has_tag('x'), mark: {tag: p}}
"""
    assert findings(text) == [
        "5:11: this part always holds: complaints_open >= 0 - delete it, or correct it",
        "7:35: this part always holds: quotes_valid >= 0 - delete it, or correct it",
    ]


def test_a_pool_rule_for_nobody_at_all() -> None:
    text = """\
pools:
  west: {when: region = 'q'}
  rest: {when: else}
rules:
  - {pool: p, when: open_deals < 0, mark: {tag: p}}
"""
    (found,) = findings(text)
    assert found.startswith("7:21: this condition can never hold: nobody is in 'p' - ")


def test_terms_of_scores_are_found_where_they_stand() -> None:
    text = """\
scores:
  value:
    terms:
      - {when: open_deals > 2 OR complaints_open >= 0, points: 5}
rules:
  - {task: t, when: value > 3, mark: {tag: t}}
"""
    (found,) = findings(text)
    assert found.startswith("6:16: this condition always holds")


def test_what_an_extended_policy_says_is_found_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        HEAD + "params: {a: 1, spare: 2}\ndefine: {many: complaints_open >= 0}\nrules:\n"
        "  - {task: t, when: many AND open_deals > $a, mark: {tag: t}}\n",
        "utf-8",
    )
    path = tmp_path / "policy.yaml"
    path.write_text("policy: 2\nname: own\nextends: base.yaml\nparams: {a: 5, b: 2}\n", "utf-8")
    policy = load_policy(path)
    signed = sign(policy, "Wang", date(2026, 6, 1))
    found = [str(item).partition(" - ")[0] for item in lint(policy, signed=signed)]
    assert found == [
        "base.yaml:4:16: this part always holds: complaints_open >= 0",
        "policy.yaml:4:16: nothing uses the parameter 'b'",
    ]
    (unsigned,) = [item for item in lint(policy) if "signed" in item.message]
    assert (unsigned.file, unsigned.line) == ("policy.yaml", 4)


def test_a_policy_without_its_files_has_findings_at_the_top() -> None:
    policy = replace(
        parse_policy(HEAD + "rules:\n  - {task: t, when: complaints_open < 0, mark: {tag: t}}\n"),
        documents={},
    )
    found = lint(policy, untested=["t"])
    assert {str(item).partition(" - ")[0] for item in found} == {
        "p:1:1: no case covers 't'",
        "p:1:1: this condition can never hold: nobody is in 't'",
    }


def test_a_policy_without_any_case_is_told_once() -> None:
    rules = "".join(
        f"- {{task: t{number}, when: open_deals > {number}, mark: {{tag: x{number}}}}}\n"
        for number in range(3)
    )
    policy = parse_policy(f"policy: 2\nname: p\nrules:\n{rules}")
    names = [rule.id for rule in policy.rules]
    (found,) = [item for item in lint(policy, untested=names) if "case" in item.message]
    assert found.message == "there is no case for this policy yet"
    some = [item for item in lint(policy, untested=names[:2]) if "case" in item.message]
    assert len(some) == 2


def test_of_hundreds_of_exits_only_so_many_pairs_are_compared() -> None:
    def overlaps(alike: int, apart: int) -> int:
        rules = [("has_tag('t{}') AND open_deals > 1", number) for number in range(apart)]
        rules += [("orders_count() = {}", number) for number in range(alike)]
        rules.append(("orders_count() = 0 AND has_tag('x') AND open_deals > 5", 0))
        text = "".join(
            f'- {{pool: p{place}, when: "{when.format(number)}", mark: {{tag: g{place}}}}}\n'
            for place, (when, number) in enumerate(rules)
        )
        policy = parse_policy(f"policy: 2\nname: p\nrules:\n{text}")
        return sum("comes first" in item.message for item in lint(policy))

    assert overlaps(30, 100) == 1
    assert overlaps(60, 0) == 0


EVERYTHING = """\
policy: 2
name: p
params: {idle: 3}
define: {idler: open_deals > 7}
protect:
  - {id: none, when: region = 'x', from: [cleanout]}
  - {id: all, when: open_deals > 0, from: [void]}
rules:
  - {void: v, reason: no_intent, when: open_deals > 1 AND open_deals >= 0, mark: {tag: v}}
  - {pool: p, when: open_deals > 2 AND days_since(last_activity_at) > 9, mark: {tag: p}}
  - {pool: q, when: days_since(last_followup_at) > 9, mark: {tag: q}}
  - {void: u, reason: no_intent, when: days_since(last_activity_at) > 30, mark: {tag: u}}
  - {void: w, reason: no_intent, when: days_since(last_followup_at) > 30, mark: {tag: w}}
  - {task: never, when: open_deals < 0 OR open_deals > 3 AND open_deals < 2}
  - {task: always, when: open_deals >= 0}
  - {task: rows, when: "activities_count(365, kind = 'call' AND kind = 'mail') > 3"}
  - {task: few, when: "rate(orders_count(), returns_count(), min_n: 2) > 1 AND (region = 'a' OR
      open_deals < 0)"}
  - {task: ratio, when: returns_count() / orders_count() > 1}
  - {defect: a, axis: conduct, when: "returns_count(365, fault = 'ours') > 3"}
  - {defect: b, axis: conduct, when: returns_count(365) > 3}
  - {defect: c, axis: service, when: invoices_overdue > 3}
  - tier: t
    bands:
      - {name: A, when: orders_count() > 3}
      - {name: B, when: orders_count() > 5}
      - {name: C, when: else, mark: {tag: c}}
limits: {money: {of: orders_amount(365), at_most: 1000}}
"""


@pytest.mark.parametrize("language", ["zh-CN", "de"])
def test_findings_are_said_in_each_language_at_the_same_places(language: str) -> None:
    policy = parse_policy(EVERYTHING, "policy.yaml")
    signed = sign(policy, "Wang", date(2026, 6, 1))
    kept = {name: value for name, value in signed.thresholds.items() if name != "idle"}
    older = replace(signed, hash="0", thresholds={**kept, "p #1": "5"})
    spoken = []
    for tongue in ("en", language):
        found = (
            *lint(policy, sources={}, language=tongue),
            *lint(policy, signed=older, untested=["t"], language=tongue),
            *lint(policy, untested=[rule.id for rule in policy.rules], language=tongue),
            *lint(policy, untested=["none", "all", *(r.id for r in policy.rules)], language=tongue),
        )
        spoken.append(found)
    english, other = ([(item.line, item.column) for item in found] for found in spoken)
    assert sorted(english) == sorted(other)
    words = {key for key in catalogue("en") if key.startswith("lint.") and key.endswith(".fact")}
    told = {item.message for item in spoken[1]}
    for key in words:
        start = catalogue(language)[key].partition("{")[0]
        assert any(start in text for text in told), key
    assert not any("{" in text for text in told)
    assert told.isdisjoint(item.message for item in spoken[0])


@pytest.mark.parametrize(
    ("condition", "place", "told"),
    [
        ("orders_amount() > 100.000", "4:40", "100.000 is 100: "),
        ("orders_amount() > 1.500", "4:40", "1.500 is 1.5: "),
        ("orders_count() BETWEEN 3 AND 12.500", "4:51", "12.500 is 12.5: "),
        ("orders_count() IN (2.750, 7) AND region = '1.500'", "4:41", "write 2750, or 2.75 "),
        ("orders_count(365, amount > 1.500) > 3", "4:49", "write 1500, or 1.5 if that is meant"),
        ("open_deals / 2.000 > orders_count()", "4:35", "2.000 is 2: "),
    ],
)
def test_a_point_that_groups_thousands_is_asked_about(
    condition: str, place: str, told: str
) -> None:
    (found,) = task(condition)
    assert found.startswith(place)
    assert told in found


def test_decimals_that_can_only_be_decimals_are_left_alone() -> None:
    for condition in (
        "on_time_rate(365) < 0.125",
        "rate(returns_count(365), orders_count(365), min_n 10) < 0.125",
        "orders_count() > 1.125 * open_deals",
        "orders_amount() > 1.5",
        "orders_amount() > 1.2500",
        "region = '1.000' AND orders_amount() > 1500",
        "survey_interval_median < 1.125",
    ):
        assert task(condition) == []


def test_values_of_the_file_are_asked_about_too() -> None:
    found = findings("""\
params: {least: 1.500, most: 200.000, share: 1.125, word: '1.000'}
money: {base: CNY, rates: [{date: 2026-01-01, currency: EUR, rate: 7.000}]}
define: {high: orders_amount() > 7.250}
scores:
  warm: {terms: [{when: open_deals > 1, points: 5.000}, {of: quotes_valid, weight: 1.250}]}
pools: {North: {when: region = $word OR orders_amount() < 1.750}, Rest: {when: else}}
rules:
  - {task: t, when: high AND orders_amount() > $least, mark: {tag: t}}
  - {task: u, when: orders_count() * $share > $most AND warm > 5, mark: {tag: u}}
  - pool: back
    when: open_deals > 3
    wait: 7 workdays
    cancel: orders_amount() > 9.125
    mark: {tag: p}
""")
    asked = [item for item in found if "thousands" in item]
    assert [item.split(" - ")[1] for item in asked] == [
        "write 1500, or 1.5 if that is meant",
        "write 200000, or 200 if that is meant",
        "write 7250, or 7.25 if that is meant",
        "write 5000, or 5 if that is meant",
        "write 1750, or 1.75 if that is meant",
        "write 9125, or 9.125 if that is meant",
    ]


LIMITED = """
rules:
  - {task: t, when: phone_valid, mark: {tag: t}}
limits:
  money: {of: surveys_count() + 7 * orders_count(), at_most: 5}
"""


def test_a_limit_of_facts_that_nobody_pulls() -> None:
    policy = parse_policy(HEAD + LIMITED.lstrip())
    signed = sign(policy, "Wang", date(2026, 6, 1))
    assert [_plain(item) for item in lint(policy, signed=signed, sources=ALL)] == [
        "6:15: the limit by amount reads survey answers, and surveys are not pulled yet - "
        "it now stops every rule that would change anybody: name their source in mapping.yaml, "
        "or leave them out"
    ]


def test_a_number_of_a_limit_that_nobody_signed_is_named_where_the_limit_stands() -> None:
    before = parse_policy(HEAD + LIMITED.lstrip().replace("7", "8"))
    signed = sign(before, "Wang", date(2026, 6, 1))
    found = [_plain(item) for item in lint(parse_policy(HEAD + LIMITED.lstrip()), signed=signed)]
    assert len(found) == 1
    assert found[0].startswith("6:3: ")
