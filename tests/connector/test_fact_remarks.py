"""What is said about facts that a policy decides by: by every plan and by check."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.bursts import BURST_CUSTOMERS, MASS_CUSTOMERS
from connector.fact_remarks import fact_remarks
from connector.models import Ref
from connector.sync import make_plan, running
from policies.languages import LANGUAGES
from policies.messages import message
from policies.policy import parse_policy
from tests.fact_shop import FactShop

QUIET = """
policy: 2
name: facts
clocks: {followup: "kind = 'call' AND seconds >= $long"}
params: {long: 60}
rules:
  - pool: quiet
    when: days_since(last_followup_at) >= 180
    mark: {tag: quiet}
"""
HASTY = f"{QUIET}  - {{task: hasty, when: burst_followups(90) >= 3}}\n"
SPENT = """
policy: 2
name: facts
rules:
  - {task: big, when: orders_amount(365) > 1000}
  - {task: due, when: "invoices_count(365, amount > 5) > 2"}
  - {task: calls, when: complaints_count() > 9}
"""
each_language = pytest.mark.parametrize("language", LANGUAGES)


def make_shop(root: Path, policy: str, customers: int = 0) -> tuple[FactShop, list[Ref]]:
    shop = FactShop(root, policy, 1)
    return shop, [shop.crm.seed("Accounts", 1, owner="u1")[0] for _ in range(customers)]


def call(shop: FactShop, customer: Ref, seconds: int = 60, **other: Any) -> None:
    happened = (shop.clock() - timedelta(hours=1)).isoformat()
    told = {"kind": "call", "direction": "ours", "outcome": "reached", "owner": "u1"}
    row = {"customer": customer.id, "happened": happened, "seconds": seconds, **told, **other}
    shop.crm.seed("Calls", 1, **row)


def told(shop: FactShop, language: str = "en", days: int = 1) -> list[str]:
    """The remarks of the next plan."""
    shop.later(days=days)
    shop.settings = {"language": language}
    with running(shop.context, "plan") as journal:
        return list(make_plan(shop.context, journal).remarks)


@each_language
def test_activities_that_count_as_a_mass_edit_are_counted(tmp_path: Path, language: str) -> None:
    shop, customers = make_shop(tmp_path, QUIET, MASS_CUSTOMERS)
    for customer in customers:
        call(shop, customer)
    shop.later(minutes=1)
    call(shop, customers[0])
    total = MASS_CUSTOMERS + 1
    figures = {"count": MASS_CUSTOMERS, "total": total, "customers": MASS_CUSTOMERS}
    assert told(shop, language) == [message(language, "policy.mass", **figures)]


def test_one_by_one_is_no_mass_edit_and_what_comes_later_is_not_seen(tmp_path: Path) -> None:
    shop, customers = make_shop(tmp_path, QUIET, MASS_CUSTOMERS)
    for customer in customers:
        call(shop, customer)
        shop.later(minutes=2)
    assert told(shop) == []
    shop.later(hours=15)  # 00:00 there
    for customer in customers:
        call(shop, customer)
    assert told(shop, days=0) == []
    assert len(told(shop)) == 1


@each_language
def test_valid_followups_in_bursts_are_counted_where_the_policy_asks_for_them_or_for_the_pool(
    tmp_path: Path, language: str
) -> None:
    shop, customers = make_shop(tmp_path, HASTY, BURST_CUSTOMERS)
    for number, customer in enumerate(customers):
        call(shop, customer, seconds=59 if number == 0 else 60)  # the first is none by its clock
        shop.later(seconds=10)
    figures = {"count": BURST_CUSTOMERS - 1, "customers": BURST_CUSTOMERS, "minutes": 10}
    assert told(shop, language) == [message(language, "policy.bursts", **figures)]
    shop.write_policy(QUIET)
    assert message(language, "policy.bursts", **figures) in told(shop, language)
    shop.write_policy(QUIET.replace("- pool:", "- task:"))
    assert told(shop, language) == []


@each_language
def test_amounts_in_several_currencies_are_named_with_their_tables(
    tmp_path: Path, language: str
) -> None:
    shop, (one,) = make_shop(tmp_path, SPENT, 1)
    common = {"customer": one.id, "happened": shop.clock().isoformat(), "amount": "5"}
    for currency in ("USD", "CNY", "CNY", None):
        shop.crm.seed("Orders", 1, currency=currency, **common)
    shop.crm.seed("Invoices", 1, due="2026-01-30", **common)
    (line,) = told(shop, language)
    orders = message(language, "table.orders")
    names = message(language, "list.separator").join(["CNY", "USD"])
    part = message(language, "policy.currencies_of", table=orders, currencies=names)
    assert line == message(language, "policy.currencies", tables=part)
    rates = "[{date: 2020-01-01, currency: USD, rate: 7}]"
    shop.write_policy(f"{SPENT}money: {{base: CNY, rates: {rates}}}\n")
    assert told(shop, language) == []
    shop.write_policy(SPENT.replace("orders_amount(365) > 1000", "orders_count() > 1"))
    assert told(shop, language) == []


def test_one_currency_is_nothing_to_speak_of(tmp_path: Path) -> None:
    shop, (one,) = make_shop(tmp_path, SPENT, 1)
    happened = shop.clock().isoformat()
    for amount, currency in (("5", "CNY"), (None, "USD"), ("7", None)):
        shop.crm.seed(
            "Orders", 1, customer=one.id, happened=happened, amount=amount, currency=currency
        )
    assert told(shop) == []


def test_before_the_first_pull_nothing_is_said(tmp_path: Path) -> None:
    shop, _ = make_shop(tmp_path, SPENT)
    policy = parse_policy(SPENT)
    assert fact_remarks(policy, shop.context.warehouse, shop.today, "en") == []
