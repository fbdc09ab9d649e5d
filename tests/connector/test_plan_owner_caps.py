"""How many customers one owner may lose or get back at once, over real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.models import Ref
from connector.plan_model import Plan
from tests.little_crm import Shop

POLICY = """
policy: 2
name: caps
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet'
    mark: {tag: quiet}
  - tier: size
    bands:
      - {name: small, when: else, mark: {tag: small}}
limits: {owner: %s}
"""


def shop_with(root: Path, cap: str) -> Shop:
    return Shop(root, POLICY % cap)


def quieten(shop: Shop, customers: tuple[Ref, ...]) -> None:
    for each in customers:
        shop.crm.edit(each, industry="quiet")
    shop.later(hours=1)


def tripped(plan: Plan) -> dict[str, str]:
    return {count.rule: count.tripped for count in plan.header.rules if count.tripped}


def test_one_owner_above_the_cap_holds_back_the_rule_and_no_tier(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2}")
    shop.customers(3, owner="u1", industry="quiet")
    shop.customers(2, owner="u2", industry="quiet")
    plan = shop.plan()
    assert tripped(plan) == {"quiet": "u1: 3 > 2"}
    assert plan.changes == 5  # the tier of each
    report = shop.apply(plan)
    assert (report.complete, report.tripped, report.done) == (False, ("quiet",), 5)
    assert {name for _, name, *_ in shop.episodes()} == {"size"}


def test_as_many_as_the_cap_of_every_owner_are_no_reason(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2}")
    for owner in ("u1", "u2", "u3"):
        shop.customers(2, owner=owner, industry="quiet")
    assert tripped(shop.plan()) == {}


def test_customers_without_an_owner_are_nobodys_loss(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2}")
    shop.customers(9, owner=None, industry="quiet")
    assert tripped(shop.plan()) == {}


def test_a_share_is_of_all_that_the_owner_has_and_one_is_always_allowed(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "50%")
    own = shop.customers(5, owner="u1")
    shop.customers(1, owner="u2", industry="quiet")
    quieten(shop, own[:2])
    assert tripped(shop.plan()) == {}
    quieten(shop, own[:3])
    assert tripped(shop.plan()) == {"quiet": "u1: 3 > 50% * 5"}


# The days of a period are those of the calendar, today among them.
@pytest.mark.parametrize(
    ("period", "days", "is_counted"),
    [
        ("run", 0, False),
        ("day", 0, True),
        ("day", 1, False),
        ("week", 2, True),
        ("week", 6, True),
        ("week", 7, False),
        ("month", 29, True),
        ("month", 30, False),
    ],
)
def test_who_entered_within_the_period_counts(
    tmp_path: Path, period: str, days: int, is_counted: bool
) -> None:
    shop = shop_with(tmp_path, f"{{count: 2, per: {period}}}")
    own = shop.customers(5, owner="u1")
    quieten(shop, own[:2])
    assert shop.go().complete
    shop.later(days=days)
    quieten(shop, own[:3])
    plan = shop.plan()
    assert tripped(plan) == ({"quiet": "u1: 3 > 2"} if is_counted else {})
    assert shop.apply(plan).complete is not is_counted


def test_a_period_begins_at_local_midnight(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2, per: day}")
    own = shop.customers(5, owner="u1")
    shop.later(hours=14)  # 22 h in Shanghai
    quieten(shop, own[:2])
    assert shop.apply(shop.plan()).complete
    quieten(shop, own[2:3])  # midnight
    assert tripped(shop.plan()) == {}


def test_whoever_left_again_still_counts_and_is_not_counted_twice(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2, per: week}")
    own = shop.customers(5, owner="u1")
    quieten(shop, own[:2])
    run = shop.go()
    shop.later(hours=1)
    assert shop.apply(shop.undo(run.run_id)).complete
    shop.later(hours=1)
    assert tripped(shop.plan()) == {}
    quieten(shop, own[2:3])
    assert tripped(shop.plan()) == {"quiet": "u1: 3 > 2"}


def test_an_owner_of_whom_nobody_moves_holds_nothing_back(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "{count: 2, per: week}")
    theirs = shop.customers(2, owner="u1", industry="quiet")
    shop.customers(2, owner="u2", industry="quiet")
    assert shop.go().complete
    for each in theirs:
        shop.crm.change_owner(each, "u2")  # who has four of the week now
    shop.later(hours=1)
    shop.customers(1, owner="u3", industry="quiet")
    assert tripped(shop.plan()) == {}
    shop.customers(1, owner="u2", industry="quiet")
    assert tripped(shop.plan()) == {"quiet": "u2: 5 > 2"}
