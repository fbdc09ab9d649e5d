"""The made-up company: repeatable, plausible, and with something for a policy to find."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.sandbox.demo_data import load_demo
from adapters.sandbox.foreground import Serving, parse_load, run_foreground
from adapters.sandbox.zoho import Store

TODAY = date(2026, 11, 22)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=ZoneInfo("Asia/Shanghai"))
COUNT = 3_000


@pytest.fixture(scope="module")
def demo() -> Iterator[Store]:
    with Store() as store:
        load_demo(store, customers=COUNT, today=TODAY)
        yield store


def rows(store: Store, module: str) -> list[dict[str, Any]]:
    tags = store.tags.names_held()
    return [
        {**record.values, "id": str(record.id), "owner": record.owner, "Tag": tags.get(record.id)}
        | {"created": record.created, "modified": record.modified}
        for record in store.records.everything()
        if record.module == module
    ]


def test_the_same_seed_loads_the_same_company(demo: Store) -> None:
    with Store() as again, Store() as other:
        load_demo(again, customers=COUNT, today=TODAY)
        load_demo(other, customers=COUNT, seed=2, today=TODAY)
        assert again.snapshot() == demo.snapshot()
        assert other.snapshot() != demo.snapshot()


def test_every_customer_is_invented(demo: Store) -> None:
    accounts = rows(demo, "Accounts")
    assert len({row["Account_Name"] for row in accounts}) == len(accounts) == COUNT
    assert all(row["Email"].endswith("@example.com") for row in accounts if "Email" in row)
    assert all(row["Phone"].startswith("+1 202 555 01") for row in accounts if "Phone" in row)
    assert any(row["Account_Name"].isascii() for row in accounts)
    assert any("公司" in row["Account_Name"] for row in accounts)


def test_twelve_owners_have_managers_and_one_is_inactive(demo: Store) -> None:
    people = demo.people.all()
    owners = [user for user in people if user.manager]
    assert len(owners) == 12
    assert [user.status for user in owners].count("inactive") == 1
    assert {user.manager for user in owners} <= {user.id for user in people}
    kept = {row["owner"] for row in rows(demo, "Accounts")}
    assert kept == {user.id for user in owners}


def test_nothing_happened_after_today_began(demo: Store) -> None:
    limit = MIDNIGHT.timestamp()
    for module in demo.catalogue:
        listed = rows(demo, module)
        assert listed
        assert all(row["created"] <= row["modified"] < limit for row in listed)
    calls = rows(demo, "Calls")
    assert all(datetime.fromisoformat(row["Call_Start_Time"]) < MIDNIGHT for row in calls)
    events = rows(demo, "Events")
    made = [
        datetime.fromisoformat(row["Check_In_Time"]) for row in events if "Check_In_Time" in row
    ]
    assert len(events) / 2 < len(made) < len(events)
    assert max(made) < MIDNIGHT


def test_written_values_are_ones_that_zoho_would_take(demo: Store) -> None:
    for module, kind in demo.catalogue.items():
        chosen = [(name, field) for name, field in kind.fields.items() if field.options]
        for row in rows(demo, module):
            for name, field in chosen:
                values = row.get(name, [])
                given = {values} if isinstance(values, str) else set(values)
                assert given <= set(field.options)


def test_the_data_are_as_dirty_as_real_ones(demo: Store) -> None:
    orders, deals = rows(demo, "Sales_Orders"), rows(demo, "Deals")
    assert 0 < sum("Account_Name" not in row for row in orders) < len(orders) / 100
    assert 0 < sum("Account_Name" not in row for row in deals) < len(deals) / 50
    assert any("Order_Date" not in row for row in orders)
    assert any("Closing_Date" not in row for row in deals)
    assert any("Billing_Country" not in row for row in rows(demo, "Accounts"))
    calls = rows(demo, "Calls")
    assert {row.get("$se_module") for row in calls} == {"Accounts", "Deals", None}
    assert all("Who_Id" in row for row in calls if "$se_module" not in row)
    phones = [row["Phone"] for row in rows(demo, "Accounts") if "Phone" in row]
    assert 0.01 < sum(len(phone) < 15 for phone in phones) / len(phones) < 0.06


def test_foreign_tags_and_notes_are_there(demo: Store) -> None:
    tags = {tag for row in rows(demo, "Accounts") for tag in row["Tag"] or ()}
    assert tags == {"key-account", "展会2025", "newsletter", "老客户"}
    assert demo.count("Notes") > COUNT / 50


def test_a_starter_policy_finds_a_few_void_customers_and_tiers_most(demo: Store) -> None:
    """Never ordered, silent for 180 days, no open deal, no key account; orders of a year."""
    deals = rows(demo, "Deals")
    account_of = {row["id"]: row.get("Account_Name") for row in deals}
    open_deal = {row.get("Account_Name") for row in deals if not row["Stage"].startswith("Closed")}
    heard: dict[Any, datetime] = defaultdict(lambda: MIDNIGHT - timedelta(days=10_000))
    for call in rows(demo, "Calls"):
        target = account_of.get(call.get("What_Id"), call.get("What_Id"))
        heard[target] = max(heard[target], datetime.fromisoformat(call["Call_Start_Time"]))
    ordered, bought = set(), set()
    for order in rows(demo, "Sales_Orders"):
        ordered.add(order.get("Account_Name"))
        if order["created"] >= (MIDNIGHT - timedelta(days=365)).timestamp():
            bought.add(order.get("Account_Name"))
    quiet = MIDNIGHT - timedelta(days=180)
    void = [
        row["id"]
        for row in rows(demo, "Accounts")
        if row["id"] not in ordered | open_deal
        and heard[row["id"]] < quiet
        and row["created"] < quiet.timestamp()
        and "key-account" not in (row["Tag"] or ())
    ]
    assert 0.02 < len(void) / COUNT < 0.08
    assert 0.5 < len(bought) / COUNT < 0.8


def test_invoices_are_paid_in_time_late_or_not_yet(demo: Store) -> None:
    invoices = rows(demo, "Invoices")
    due = [row for row in invoices if row["Due_Date"] < TODAY.isoformat()]
    paid = [row for row in due if "Paid_On" in row]
    late = [row for row in paid if row["Paid_On"] > row["Due_Date"]]
    assert 0.1 < len(late) / len(paid) < 0.4
    assert 0.01 < 1 - len(paid) / len(due) < 0.15
    assert 0 < sum(row["Disputed"] for row in invoices) < len(invoices) / 20
    assert {row.get("Milestone") for row in invoices} > {"Deposit", "Acceptance"}
    assert all(row["Paid_On"] >= row["Invoice_Date"] for row in invoices if "Paid_On" in row)
    orders = {row["id"]: row for row in rows(demo, "Sales_Orders")}
    for row in invoices:
        assert orders[row["Sales_Order"]].get("Account_Name") == row["Account_Name"]


def test_quotes_are_open_decided_or_out_of_date(demo: Store) -> None:
    quotes = rows(demo, "Quotes")
    valid = {row["Valid_Till"] >= TODAY.isoformat() for row in quotes}
    assert valid == {True, False}
    assert {"Draft", "Delivered", "Closed Won", "Closed Lost"} <= {q["Quote_Stage"] for q in quotes}


def test_of_some_cases_it_is_known_whose_fault_they_were(demo: Store) -> None:
    cases = rows(demo, "Cases")
    assert {row.get("Fault") for row in cases} == {"Ours", "Customer", None}
    assert {row["Status"] for row in cases} > {"Closed"}
    assert any(row["modified"] > row["created"] for row in cases if row["Status"] == "Closed")


def test_one_owner_made_up_for_lost_time_on_the_last_evening(demo: Store) -> None:
    evening = MIDNIGHT.timestamp() - 6.5 * 3_600
    calls = [row for row in rows(demo, "Calls") if 0 <= row["created"] - evening < 600]
    by_owner: dict[int, set[str]] = defaultdict(set)
    for call in calls:
        by_owner[call["owner"]].add(call.get("What_Id", ""))
    assert max(map(len, by_owner.values())) >= 30


def test_some_customers_belong_to_a_group(demo: Store) -> None:
    accounts = rows(demo, "Accounts")
    parents = {row["Parent_Account"] for row in accounts if "Parent_Account" in row}
    assert len(parents) > COUNT / 50
    assert parents < {row["id"] for row in accounts}


@pytest.mark.parametrize(("text", "count"), [("demo", 10_000), ("demo:25", 25)])
def test_a_load_names_its_number(text: str, count: int) -> None:
    assert parse_load(text) == count


@pytest.mark.parametrize("text", ["", "demo:", "demo:x", "other", "demo:-1"])
def test_another_load_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="demo:N"):
        parse_load(text)


def test_the_foreground_announces_itself_and_serves_until_stopped(tmp_path: Path) -> None:
    said: list[Serving] = []

    def serve(load: str | None, path: Path | None) -> Serving:
        stop = threading.Event()
        stop.set()
        run_foreground(0, load, today=TODAY, announce=said.append, path=path, stop=stop)
        return said[-1]

    first = serve("demo:20", tmp_path / "crm.sqlite")
    assert first.customers == 20
    assert first.url.startswith("http://127.0.0.1:")
    assert serve("demo:30", tmp_path / "crm.sqlite").customers == 20
    assert serve(None, None).customers == 0
    assert json.dumps(first.refresh_token)
