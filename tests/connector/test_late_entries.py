"""A contact that was entered late does not take a customer out of the pool's rule by itself; a
burst of contacts is told of. From the CRM to the plan and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.bursts import BURST_CUSTOMERS
from connector.explain import CustomerExplanation, explain_customer
from connector.explain_text import explanation_lines
from connector.models import Ref
from connector.plan_model import Plan, PlanRow, RowStatus, RuleCount
from connector.summary import Voice, plan_lines, preview
from connector.sync import as_of_moment
from connector.verdict import Verdict
from policies.languages import LANGUAGES
from policies.messages import message
from tests.fact_shop import FactShop

POLICY = """
policy: 2
name: late
rules:
  - pool: back
    label: Back to the pool
    when: days_since(last_followup_at) > 90 AND open_deals = 0
    mark: {tag: back}
    note: false
  - {pool: later, when: days_since(created_at) > 60, mark: {tag: later}, note: false}
  - {task: call, when: never(last_order_at), mark: {tag: call}}
"""
each_language = pytest.mark.parametrize("language", LANGUAGES)


class Story:
    """One customer whose last contact was long ago; days pass between the runs."""

    def __init__(self, root: Path, policy: str = POLICY, customers: int = 1) -> None:
        self.shop = FactShop(root, policy, 1)
        self.refs = [self.shop.crm.seed("Accounts", 1, owner="u1")[0] for _ in range(customers)]
        self.ref = self.refs[0]
        self.shop.later(days=100)

    def call(self, ref: Ref, days_ago: float = 0, **other: Any) -> None:
        happened = (self.shop.clock() - timedelta(days=days_ago, minutes=1)).isoformat()
        told = {"kind": "call", "direction": "ours", "outcome": "reached", "seconds": 60}
        row = {"customer": ref.id, "happened": happened, "owner": "u1", **told, **other}
        self.shop.crm.seed("Calls", 1, **row)

    def next_day(self) -> Plan:
        self.shop.later(days=1)
        return self.shop.plan()

    def rows(self, plan: Plan, rule: str = "back") -> list[PlanRow]:
        return [row for row in self.shop.rows(plan) if row.rule == rule]

    def statuses(self, plan: Plan) -> list[str]:
        return [row.status.value for row in self.rows(plan)]

    def explained(self, ref: Ref | None = None) -> CustomerExplanation:
        as_of = as_of_moment(self.shop.workspace, None, self.shop.clock())
        return explain_customer(self.shop.workspace, str(ref or self.ref), as_of)

    def verdict(self, rule: str = "back", ref: Ref | None = None) -> Verdict:
        return next(item for item in self.explained(ref).verdicts if item.rule == rule)

    def tags(self) -> list[str]:
        found: list[str] = self.shop.crm.objects["Accounts"][self.ref.id]["tags"]
        return found

    def summary(self, plan: Plan, language: str) -> str:
        shown = preview(self.shop.rows(plan))
        capabilities = self.shop.adapter.describe().capabilities
        return "\n".join(plan_lines(plan, shown, Voice(language, "Asia/Shanghai"), capabilities))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """In the rule, and marked in the CRM."""
    story = Story(tmp_path)
    story.shop.apply(story.next_day())
    assert story.tags() == ["back", "call"]
    return story


def count(plan: Plan, rule: str = "back") -> RuleCount:
    return next(item for item in plan.header.rules if item.rule == rule)


@each_language
def test_a_late_entry_leaves_the_customer_where_it_is(story: Story, language: str) -> None:
    story.call(story.ref, days_ago=20)
    plan = story.next_day()
    (row,) = story.rows(plan)
    assert (row.status, row.stage_before, row.stage_after) == (RowStatus.WAITING, "back", None)
    assert (row.primitives, row.intent_id, row.blocked_by) == ((), "", "back")
    assert [item.name for item in row.evidence] == ["last_followup_at", "open_deals"]
    assert (count(plan).waiting, count(plan).changes) == (1, 0)
    assert plan.changes == 0
    told = story.summary(plan, language)
    assert message(language, "row.waiting", tag="back") in told
    assert message(language, "status.waiting") in told
    assert not story.rows(plan, "later"), "it is in the first rule still"
    verdict = story.verdict()
    assert (verdict.outcome, verdict.blocked_by) == ("waiting", ("back",))
    assert story.verdict("later").first == ("back",)
    text = "\n".join(explanation_lines(story.explained(), language))
    assert message(language, "verdict.waiting", blocked="back") in text
    payload = story.explained().payload()
    assert [item["outcome"] for item in payload["verdicts"]] == ["waiting", "earlier", "stays"]
    story.shop.apply(plan)
    assert story.tags() == ["back", "call"]


def test_whoever_takes_the_tag_away_confirms_it(story: Story) -> None:
    story.call(story.ref, days_ago=20)
    assert story.statuses(story.next_day()) == ["waiting"]
    story.shop.crm.remove_tag(story.ref, "back")
    plan = story.next_day()
    assert story.statuses(plan) == ["change"]
    assert [row.stage_after for row in story.rows(plan, "later")] == ["later"]
    assert story.verdict().outcome == "change"
    story.shop.apply(plan)
    stays = {rule: is_open for _, rule, _, _, is_open in story.shop.episodes()}
    assert stays == {"back": False, "call": True, "later": True}
    assert story.statuses(story.next_day()) == []


@pytest.mark.parametrize("days_ago", [0, 3])
def test_a_contact_that_was_entered_in_time_ends_it_at_once(story: Story, days_ago: int) -> None:
    story.call(story.ref, days_ago=20)
    story.call(story.ref, days_ago=days_ago)
    assert story.statuses(story.next_day()) == ["change"]


def test_what_is_no_contact_ends_it_at_once(story: Story) -> None:
    story.call(story.ref, days_ago=20)
    now = story.shop.clock().isoformat()
    deal = {"customer": story.ref.id, "happened": now, "state": "open", "closed": None}
    story.shop.crm.seed("Deals", 1, **deal)
    assert story.statuses(story.next_day()) == ["change"]


def test_a_rule_that_leaves_no_tag_cannot_be_confirmed(tmp_path: Path) -> None:
    story = Story(tmp_path, POLICY.replace("{tag: back}", "{status: void}"))
    story.shop.apply(story.next_day())
    assert [rule for _, rule, *_ in story.shop.episodes()] == ["back", "call"]
    story.call(story.ref, days_ago=20)
    assert story.statuses(story.next_day()) == ["change"]


def test_who_is_not_in_the_rule_yet_is_kept_out_by_any_contact(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.call(story.ref, days_ago=20)
    plan = story.next_day()
    assert (story.statuses(plan), count(plan).waiting) == ([], 0)


@each_language
def test_customers_out_of_the_pool_by_a_burst_alone_are_counted(
    tmp_path: Path, language: str
) -> None:
    story = Story(tmp_path, customers=BURST_CUSTOMERS + 2)
    for ref in story.refs[:BURST_CUSTOMERS]:
        story.call(ref)
        story.shop.later(seconds=20)
    story.shop.later(hours=2)
    story.call(story.refs[0])
    plan = story.next_day()
    assert (count(plan).burst, count(plan).matched) == (BURST_CUSTOMERS - 1, 2)
    assert (count(plan, "later").burst, count(plan, "call").burst) == (0, 0)
    titles = {"rule": "Back to the pool", "count": BURST_CUSTOMERS - 1}
    told = story.summary(plan, language)
    assert message(language, "plan.bursts", **titles) in told
    assert "u1" not in message(language, "plan.bursts", **titles)
    flags = [story.verdict(ref=ref).burst for ref in story.refs]
    assert flags == [False, *[True] * (BURST_CUSTOMERS - 1), False, False]
    out = message(language, "verdict.out")
    text = "\n".join(explanation_lines(story.explained(story.refs[1]), language))
    assert message(language, "verdict.burst", outcome=out) in text


def test_where_there_is_no_burst_nothing_is_said(tmp_path: Path) -> None:
    story = Story(tmp_path, customers=3)
    story.call(story.ref)
    plan = story.next_day()
    assert [item.burst for item in plan.header.rules] == [0, 0, 0]
    assert "burst" not in story.summary(plan, "en")


def test_a_count_of_an_older_plan_has_neither() -> None:
    counts = ("matched", "changes", "entering", "protected", "undecided", "overruled", "foreign")
    old = {"rule": "r", "kind": "pool", **dict.fromkeys(counts, 0)}
    known = msgspec.convert(old, RuleCount)
    assert (known.waiting, known.burst) == (0, 0)
