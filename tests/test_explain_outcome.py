"""What `policy explain` says comes of a customer: the same as the plan, in the plan's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.explain import CustomerExplanation, explain_customer
from connector.explain_text import explanation_lines
from connector.models import Ref
from connector.plan_model import RowStatus
from connector.summary import Voice, plan_lines, preview
from connector.sync import as_of_moment
from connector.verdict import Outcome
from policies.languages import LANGUAGES
from tests.little_crm import Shop

POLICY = """
policy: 2
name: outcomes
calendar: {holidays: CN, freeze: [2026-01-12..2026-01-13]}
protect:
  - {id: key, label: 重点客户, when: region = 'key', from: [void, tier]}
rules:
  - void: quiet
    label: 安静的客户
    reason: lost_contact
    when: industry = 'quiet' AND NOT (has_tag('a') OR has_tag('c'))
    mark: {tag: quiet, status: void}
    note: true
  - void: other
    reason: no_intent
    when: industry = 'other'
    mark: {tag: other}
  - pool: back
    when: has_tag('b')
    mark: {tag: back}
  - tier: size
    bands:
      - {name: big, when: has_tag('big'), mark: {tag: size-big}}
      - {name: rest, when: else}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, POLICY)


def customer(shop: Shop, *tags: str, **fields: Any) -> Ref:
    (ref,) = shop.customers(1, **fields)
    for tag in tags:
        shop.crm.add_tag(ref, tag)
    return ref


def explained(shop: Shop, ref: Ref) -> CustomerExplanation:
    return explain_customer(
        shop.workspace, str(ref), as_of_moment(shop.workspace, None, shop.clock())
    )


def outcomes(shop: Shop, ref: Ref) -> dict[str, str]:
    return {item.rule: str(item.outcome) for item in explained(shop, ref).verdicts}


def text(shop: Shop, ref: Ref, language: str = "en") -> str:
    return "\n".join(explanation_lines(explained(shop, ref), language))


def crowd(shop: Shop) -> list[Ref]:
    """Customers of whom the rules say all that they can say of a first run."""
    return [
        customer(shop, industry="quiet"),
        customer(shop, "b", industry="quiet"),
        customer(shop, "b", industry=None),
        customer(shop, "big", industry="quiet", region="key"),
        customer(shop, "big", industry="none", region=None),
        customer(shop, industry="quiet", region=None),
        customer(shop, "quiet", "b", industry="quiet"),
        customer(shop, "b", industry="none"),
        customer(shop, "a", industry="quiet"),
    ]


def compare(shop: Shop, refs: list[Ref]) -> set[str]:
    """Each row of the plan is told of its customer, and nothing else is told as one."""
    rows = {(row.customer, row.rule): row for row in shop.rows(shop.plan())}
    seen = set()
    for ref in refs:
        for verdict in explained(shop, ref).verdicts:
            row = rows.pop((str(ref), verdict.rule), None)
            seen.add(str(verdict.outcome))
            if row is None:
                assert verdict.outcome not in set(RowStatus)
                continue
            assert verdict.outcome == row.status
            assert (verdict.stage_before, verdict.stage_after) == (
                row.stage_before,
                row.stage_after,
            )
            if verdict.outcome in {Outcome.PROTECTED, Outcome.FOREIGN}:
                assert ", ".join(verdict.blocked_by) == row.blocked_by
            if verdict.outcome is Outcome.UNDECIDED:
                assert verdict.missing + verdict.first == row.missing
    assert not rows
    return seen


def test_what_is_told_is_what_the_plan_says(shop: Shop) -> None:
    refs = crowd(shop)
    first = compare(shop, refs)
    assert first == {"change", "protected", "undecided", "foreign", "earlier", "unmarked", "out"}
    shop.later(hours=1)
    shop.apply(shop.plan())
    shop.later(hours=1)
    shop.crm.edit(refs[0], industry="none")
    shop.crm.remove_tag(refs[7], "back")
    shop.later(hours=1)
    assert compare(shop, refs) >= {"change", "stays", "overruled"}
    shop.write_policy(POLICY.replace("- void: quiet", "- void: silent"))
    assert "retired" in {item.kind for item in explained(shop, refs[1]).verdicts}
    compare(shop, refs)


def test_a_protected_customer_is_told_so_with_the_label_before_all_else(shop: Shop) -> None:
    ref = customer(shop, industry="quiet", region="key")
    shop.plan()
    assert text(shop, ref, "zh-CN").splitlines()[2:4] == [
        "结论：",
        "  安静的客户：在保护名单中（重点客户），不处理",
    ]
    assert "protected by: 重点客户; left as it is" in text(shop, ref, "en")
    assert "geschützt durch: 重点客户; bleibt, wie es ist" in text(shop, ref, "de")
    told = text(shop, ref, "zh-CN")
    assert "\n安静的客户：是\n" in told
    assert "quiet：" not in told


def test_an_earlier_exit_is_named_where_it_holds_or_cannot_be_told(shop: Shop) -> None:
    held = customer(shop, "b", industry="quiet")
    unclear = customer(shop, "b", industry=None)
    shop.plan()
    assert "back: does not apply: 安静的客户 comes first" in text(shop, held)
    waits = "back: not decided: 安静的客户, other comes first and cannot be told"
    assert waits in text(shop, unclear)


def test_a_stay_is_told_with_its_first_day(shop: Shop) -> None:
    ref = customer(shop, industry="quiet")
    shop.go()
    day = explained(shop, ref).as_of.day
    shop.later(days=1)
    shop.plan()
    assert f"安静的客户: nothing to change: 安静的客户 since {day}" in text(shop, ref)
    shop.crm.edit(ref, industry="other")
    shop.later(days=1)
    shop.plan()
    told = text(shop, ref)
    assert "安静的客户: to change: 安静的客户 → none, the condition no longer holds" in told
    assert "other: to change: none → other" in told


def test_a_day_of_rest_is_told(shop: Shop) -> None:
    ref = customer(shop, industry="quiet")
    shop.later(days=8)
    shop.plan()
    rests = "none → 安静的客户; resting on this day (2026-01-12..2026-01-13), not applied"
    assert rests in text(shop, ref)


def test_to_look_at_a_customer_makes_no_journal(shop: Shop) -> None:
    ref = customer(shop, industry="quiet")
    shop.plan()
    for path in shop.workspace.state.glob("journal.sqlite*"):
        path.unlink()
    assert outcomes(shop, ref)["quiet"] == "change"
    assert not shop.workspace.journal_path.exists()


def test_the_parts_of_a_condition_show_which_of_them_failed(shop: Shop) -> None:
    ref = customer(shop, "c", industry="quiet")
    unclear = customer(shop, industry=None)
    shop.plan()
    told = text(shop, ref)
    assert '[yes] industry is "quiet"' in told
    assert '[yes] it does not carry the tag "a"' in told
    assert '[no] it does not carry the tag "c"' in told
    assert '[not enough data] industry is "quiet"' in text(shop, unclear)
    assert '  [no] big: it carries the tag "big"' in told


def test_only_protections_that_concern_a_rule_stand_with_it(shop: Shop) -> None:
    ref = customer(shop, industry="quiet")
    shop.plan()
    parts = text(shop, ref, "zh-CN").split("\n\n")
    quiet, size = (
        next(part for part in parts if part.startswith(name)) for name in ("安静", "size")
    )
    assert "保护名单 重点客户：否" in quiet
    assert "曾下过订单" in quiet
    assert "保护名单 重点客户：否" in size
    assert "曾下过订单" not in size
    back = next(part for part in parts if part.startswith("back"))
    assert "重点客户" not in back


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "no data, so these protections do not apply: has ordered before, "),
        ("zh-CN", "没有相关数据，因此不适用的保护名单：曾下过订单、"),
        ("de", "keine Daten, daher gilt dieser Schutz nicht: "),
    ],
)
def test_a_protection_whose_facts_were_never_pulled_is_told_as_such(
    shop: Shop, language: str, words: str
) -> None:
    ref = customer(shop, industry="quiet")
    shop.plan()
    assert words in text(shop, ref, language)


def test_only_the_earlier_exits_that_cannot_be_told_are_named(shop: Shop) -> None:
    shop.write_policy(POLICY.replace("when: industry = 'other'", "when: region = 'other'"))
    one = customer(shop, "b", industry=None)
    two = customer(shop, "b", industry="none", region=None)
    both = customer(shop, "b", industry=None, region=None)
    plan = shop.plan()
    missing = {row.customer: row.missing for row in shop.rows(plan) if row.rule == "back"}
    assert missing == {
        str(one): ("quiet",),
        str(two): ("other",),
        str(both): ("quiet", "other"),
    }
    assert compare(shop, [one, two, both]) >= {"undecided"}


def test_examples_of_a_plan_use_labels_and_say_what_comes_first(shop: Shop) -> None:
    customer(shop, "b", industry=None)
    customer(shop, industry="quiet", region="key")
    customer(shop, industry="quiet")
    plan = shop.plan()
    voice = Voice("en", "Asia/Shanghai")
    lines = plan_lines(plan, preview(shop.rows(plan)), voice, shop.adapter.describe().capabilities)
    told = "\n".join(lines)
    assert "not decided: 安静的客户, other comes first and cannot be told" in told
    assert "安静的客户 · protected" in told
    assert "protected by: 重点客户" in told
    assert "none → 安静的客户" in told
    assert plan.header.titles == {"quiet": "安静的客户", "key": "重点客户"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_outcome_has_words_in_every_language(shop: Shop, language: str) -> None:
    refs = crowd(shop)
    shop.plan()
    for ref in refs:
        told = text(shop, ref, language)
        assert "{" not in told
        assert "verdict." not in told
        assert "explain." not in told


def test_programs_get_the_outcomes_too(shop: Shop) -> None:
    ref = customer(shop, industry="quiet", region="key")
    shop.plan()
    payload = json.loads(msgspec.json.encode(explained(shop, ref).payload()))
    first = payload["verdicts"][0]
    assert (first["rule"], first["outcome"], first["blocked_by"]) == ("quiet", "protected", ["key"])
