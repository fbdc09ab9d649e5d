"""Days on which nobody is acted upon: what ends a relation rests, all else goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.plan_model import Plan
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
