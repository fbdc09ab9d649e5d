"""Caps that no rule exceeds by itself, but several do together, over real runs."""

from __future__ import annotations

from pathlib import Path

from connector.plan_model import Plan
from tests.little_crm import Shop

POLICY = """
policy: 2
name: caps
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet' OR industry = 'both'
    mark: {tag: quiet}
  - task: calls
    when: industry = 'calls' OR industry = 'both'
    mark: {tag: calls}
  - task: visits
    when: industry = 'visits'
    mark: {tag: visits}
  - tier: size
    bands:
      - {name: small, when: else, mark: {tag: small}}
limits: %s
"""


def tripped(plan: Plan) -> dict[str, str]:
    return {count.rule: count.tripped for count in plan.header.rules if count.tripped}


def shop_with(root: Path, limits: str, *industries: str) -> Shop:
    """One customer of each industry, all of one owner."""
    shop = Shop(root, POLICY % limits)
    for industry in industries:
        shop.customers(1, owner="u1", industry=industry)
    return shop


def test_the_total_holds_for_all_rules_together_and_leaves_tiers_running(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{total: 3}", "quiet", "quiet", "calls", "calls")
    plan = shop.plan()
    assert tripped(plan) == {"quiet": "*: 4 > 3", "calls": "*: 4 > 3"}
    report = shop.apply(plan)
    assert (report.complete, report.tripped, report.done) == (False, ("calls", "quiet"), 4)
    assert {name for _, name, *_ in shop.episodes()} == {"size"}


def test_as_many_as_the_total_are_no_reason(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{total: 3}", "quiet", "quiet", "calls")
    assert tripped(shop.plan()) == {}


def test_a_customer_in_two_rules_counts_once(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{total: 3}", "both", "both", "calls")
    assert tripped(shop.plan()) == {}


def test_a_rule_with_a_limit_of_its_own_is_not_in_the_total(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{total: 2, rules: {calls: 9}}", "quiet", "quiet", "calls", "calls")
    assert tripped(shop.plan()) == {}


def test_a_rule_that_trips_by_itself_takes_nobody_and_is_not_in_the_total(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{total: 2}", "quiet", "quiet", "quiet", "calls")
    assert tripped(shop.plan()) == {"quiet": "3 > 2"}


def test_an_owners_cap_holds_for_all_rules_together(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{owner: 2}", "quiet", "quiet", "calls")
    assert tripped(shop.plan()) == {"quiet": "*: u1: 3 > 2", "calls": "*: u1: 3 > 2"}


def test_rules_that_the_total_holds_back_do_not_count_for_their_owner(tmp_path: Path) -> None:
    limits = "{total: 2, owner: 2, rules: {visits: 9}}"
    shop = shop_with(tmp_path, limits, "quiet", "quiet", "calls", "visits", "visits")
    assert tripped(shop.plan()) == {"quiet": "*: 3 > 2", "calls": "*: 3 > 2"}


def test_who_entered_another_rule_within_the_period_counts(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{owner: {count: 2, per: week}}", "quiet", "quiet")
    assert shop.go().complete
    shop.customers(1, owner="u1", industry="calls")
    shop.later(hours=1)
    assert tripped(shop.plan()) == {"calls": "*: u1: 3 > 2"}
