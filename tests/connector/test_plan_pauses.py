"""Days on which nobody is acted upon: what ends a relation rests, all else goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.plan_model import Plan
from connector.sync import make_plan, running, sync_and_apply
from tests.little_crm import Shop

POLICY = """
policy: 2
name: pauses
calendar: {holidays: CN, freeze: [2026-01-12..2026-01-13]}
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet'
    mark: {tag: quiet}
    note: true
  - tier: size
    bands:
      - {name: small, when: else, mark: {tag: small}}
"""
# Shop.customers leaves it at 2026-01-04, a Sunday on which China works.
FREEZE = "2026-01-12..2026-01-13"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, POLICY)
    shop.customers(4, industry="quiet")
    return shop


def paused(plan: Plan) -> dict[str, str]:
    return {count.rule: count.paused for count in plan.header.rules if count.paused}


@pytest.mark.parametrize(
    ("days", "reason"), [(0, ""), (5, ""), (6, "day_off"), (8, FREEZE), (9, FREEZE), (10, "")]
)
def test_a_rule_rests_on_the_days_of_the_workspace(shop: Shop, days: int, reason: str) -> None:
    shop.later(days=days)
    assert paused(shop.plan()) == ({"quiet": reason} if reason else {})


def test_resting_rows_are_shown_and_neither_counted_nor_applied(shop: Shop) -> None:
    awake = shop.plan()
    assert (awake.changes, awake.primitives) == (8, 12)  # a tag and a note, and a tag
    shop.later(days=6)
    plan = shop.plan()
    assert (plan.changes, plan.primitives) == (4, 4)
    assert 0 < plan.cost < awake.cost
    assert plan.header.held_back == {"quiet"}
    assert plan.header.tripped == frozenset()
    rows = [row for row in shop.rows(plan) if row.rule == "quiet"]
    assert [(row.status.value, row.stage_after) for row in rows] == [("change", "quiet")] * 4
    report = shop.apply(plan)
    assert (report.complete, report.done, report.tripped) == (True, 4, ())
    assert shop.crm.notes == {}
    assert {rule for _, rule, *_ in shop.episodes()} == {"size"}


def test_what_rested_is_done_on_the_next_workday(shop: Shop) -> None:
    shop.later(days=6)
    shop.apply(shop.plan())
    shop.later(days=1)
    assert paused(shop.plan()) == {"quiet": "day_off"}
    shop.later(days=3)
    assert shop.go().done == 8
    assert shop.plan().changes == 0


def test_leaving_rests_as_well(shop: Shop) -> None:
    shop.apply(shop.plan())
    for ref in list(shop.crm.objects["Accounts"]):
        shop.crm.objects["Accounts"][ref]["industry"] = "loud"
    shop.later(days=6)
    plan = shop.plan()
    assert paused(plan) == {"quiet": "day_off"}
    assert plan.changes == 0


def test_a_rule_that_is_gone_leaves_its_customers_on_any_day(shop: Shop) -> None:
    shop.apply(shop.plan())
    kept, _, _ = POLICY.partition("  - void")
    shop.write_policy(kept + "  - tier" + POLICY.partition("  - tier")[2])
    shop.later(days=6)
    assert shop.go().complete
    assert {rule for _, rule, _, _, is_open in shop.episodes() if is_open} == {"size"}


# A plan of one day that is applied on the next


def at_the_end_of_a_workweek(shop: Shop) -> Plan:
    """A plan of a Friday, with a tag and a note of an exit and a tag of a tier for each of four."""
    shop.later(days=5)
    plan = shop.plan()
    assert (paused(plan), plan.primitives) == ({}, 12)
    return plan


def test_what_was_planned_on_a_workday_is_not_done_on_a_day_off(shop: Shop) -> None:
    plan = at_the_end_of_a_workweek(shop)
    shop.later(hours=17)  # 01:00 of the Saturday there, still Friday in UTC
    report = shop.apply(plan)
    assert (report.paused, report.done) == ({"quiet": "day_off"}, 4)
    assert not report.complete
    assert shop.crm.notes == {}
    assert {rule for _, rule, *_ in shop.episodes()} == {"size"}
    with running(shop.context, "show") as journal:
        assert not journal.plan(plan.id).applied
        assert not journal.has_applied(plan.header.policy_hash)
        journal.verify(plan.id)
        (run,) = (each for each in journal.runs() if each.id == report.run_id)
        assert (run.status, run.summary["paused"]) == ("partial", {"quiet": "day_off"})


def test_what_was_planned_before_a_freeze_is_not_done_in_it(shop: Shop) -> None:
    shop.write_policy(POLICY.replace(FREEZE, "2026-01-10..2026-01-13"))
    plan = at_the_end_of_a_workweek(shop)
    shop.later(hours=17)
    assert shop.apply(plan).paused == {"quiet": "2026-01-10..2026-01-13"}


def test_what_is_done_already_is_nothing_that_rests(shop: Shop) -> None:
    plan = at_the_end_of_a_workweek(shop)
    assert shop.apply(plan).complete
    shop.later(hours=17)
    report = shop.apply(plan)
    assert (report.complete, report.done, report.paused) == (True, 0, {})


def test_the_way_back_is_open_on_any_day(shop: Shop) -> None:
    done = shop.apply(at_the_end_of_a_workweek(shop))
    shop.later(hours=17)
    report = shop.apply(shop.undo(done.run_id))
    assert (report.complete, report.paused, report.done) == (True, {}, 12)


def test_standing_approval_writes_nothing_on_a_day_off_either(shop: Shop) -> None:
    shop.apply(shop.plan())
    for ref in list(shop.crm.objects["Accounts"]):
        shop.crm.objects["Accounts"][ref]["industry"] = "loud"
    shop.later(days=5)
    with running(shop.context, "sync") as journal:
        planned = make_plan(shop.context, journal)
        policy = planned.plan.header.policy_hash
        shop.settings = {"approval": {"policy": policy, "changes": 9}}
        shop.later(hours=17)  # midnight passes between the plan and the writes
        report = sync_and_apply(shop.context, journal, planned)
    assert planned.plan.changes == 4
    assert (report.paused, report.done, report.complete) == ({"quiet": "day_off"}, 0, False)


# Where contact is not logged

POOL = (
    POLICY
    + """
  - pool: back
    when: industry = 'quiet'
    mark: {tag: back}
  - cleanout: end
    when: industry = 'loud'
    mark: {tag: end}
"""
)
WECHAT = {"contact": {"not_logged": ["wechat"]}}


@pytest.fixture
def pool_shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, POOL.replace("void: quiet\n    reason: lost_contact", "task: quiet"))
    shop.customers(4, industry="quiet")
    return shop


def test_where_contact_is_not_logged_pool_rules_are_for_review(pool_shop: Shop) -> None:
    assert (paused(pool_shop.plan()), pool_shop.plan().changes) == ({}, 12)
    pool_shop.settings = WECHAT
    plan = pool_shop.plan()
    assert (paused(plan), plan.changes) == ({"back": "not_logged: wechat"}, 8)
    rows = [row for row in pool_shop.rows(plan) if row.rule == "back"]
    assert [(row.status.value, row.stage_after) for row in rows] == [("change", "back")] * 4
    report = pool_shop.apply(plan)
    assert (report.complete, report.done, report.paused) == (True, 12, {})
    assert {rule for _, rule, *_ in pool_shop.episodes()} == {"quiet", "size"}


def test_they_are_for_review_on_a_day_off_as_well_and_the_others_rest(pool_shop: Shop) -> None:
    pool_shop.settings = WECHAT
    pool_shop.later(days=6)
    assert paused(pool_shop.plan()) == {"back": "not_logged: wechat", "end": "day_off"}


def test_what_is_declared_after_the_plan_holds_for_it_too(pool_shop: Shop) -> None:
    plan = pool_shop.plan()
    pool_shop.settings = WECHAT
    report = pool_shop.apply(plan)
    assert (report.complete, report.paused) == (False, {"back": "not_logged: wechat"})
    assert {rule for _, rule, *_ in pool_shop.episodes()} == {"quiet", "size"}
    pool_shop.settings = {}
    assert pool_shop.apply(plan).complete
