"""Events of the past: as they had been seen by then, whatever the CRM says of them today."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.bursts import MASS_CUSTOMERS
from connector.needs import Needs
from connector.shrink import ShrunkenPullError
from tests.connector.pull_world import MORNING, World, call, deal, make_world, order

MASS = "SELECT id, count(*) FROM activities WHERE mass GROUP BY id ORDER BY id"
DEALS = "SELECT id, customer, amount FROM deals ORDER BY id"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.pull()
    world.later(days=1)
    return world


def files(world: World, table: str) -> list[str]:
    return sorted(path.name for path in world.workspace.history_path.glob(f"{table}-*.parquet"))


def ids(world: World, sql: str, day: int) -> list[Any]:
    return [row[0] for row in world.ask_of(day, sql)]


def test_an_amount_that_was_changed_since(world: World) -> None:
    before = world.ask(DEALS)
    world.crm.changed = {"Deals": [deal(1, 1, Amount=7)]}
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Deals": [deal(1, 1, Amount=8)]}
    world.pull()
    assert world.ask_of(14, DEALS) == before
    amounts = [float(world.ask_of(day, DEALS)[0][2]) for day in (15, 16)]
    assert amounts == [7, 8]
    assert len(files(world, "deals")) == 2


def test_a_row_that_was_given_to_another_customer_or_deleted_since(world: World) -> None:
    before = world.ask(DEALS)
    world.crm.changed = {"Deals": [deal(1, 2)]}
    world.crm.deleted = {"Deals": ["d2"]}
    world.pull()
    assert world.ask_of(14, DEALS) == before
    assert world.ask_of(15, DEALS) == world.ask(DEALS) != before


def test_a_row_that_went_to_another_table(world: World) -> None:
    world.crm.changed = {"Sales_Orders": [order(1, 1, Status="Cancelled")]}
    world.pull()
    sql = "SELECT id FROM orders ORDER BY id", "SELECT id FROM returns ORDER BY id"
    assert [ids(world, each, 14) for each in sql] == [["o1", "o2"], ["o3"]]
    assert [ids(world, each, 15) for each in sql] == [["o2"], ["o1", "o3"]]


def test_rows_that_belong_to_another_through_a_record_in_between(world: World) -> None:
    sql = "SELECT customer FROM activities WHERE id = 'c2'"
    world.crm.changed = {"Deals": [deal(2, 3)]}
    world.pull()
    assert world.ask_of(14, sql) == [("Accounts:2",)]
    assert world.ask(sql) == [("Accounts:3",)]
    assert len(files(world, "activities")) == 1


def test_a_full_pull_of_the_same_keeps_nothing_twice(world: World) -> None:
    world.pull(full=True)
    world.later(days=1)
    world.crm.changed = {"Calls": [call(1, "Accounts", "1")], "Deals": [deal(1, 1)]}
    world.pull()
    kept = {path.name.partition("-")[0] for path in world.workspace.history_path.iterdir()}
    assert kept == {"customers", "people"}


def test_a_full_pull_in_which_something_differs(world: World) -> None:
    before = world.ask(DEALS)
    world.crm.rows["Deals"] = [deal(1, 1, Amount=9), deal(2, 2, Stage="Talk"), deal(3, None)]
    world.pull(full=True)
    assert world.ask_of(14, DEALS) == before
    assert world.ask_of(15, DEALS) == world.ask(DEALS) != before


def test_another_mapping_reads_the_past_too(world: World) -> None:
    """What the CRM said is the same: it is told in other words."""
    world.mapping = world.mapping.replace("Closed Won: won", "Talk: won")
    world.pull()
    sql = "SELECT state FROM deals WHERE id = 'd2'"
    assert world.ask_of(14, sql) == world.ask(sql) == [("won",)]
    assert files(world, "deals") == []


def test_what_was_kept_outlives_the_warehouse(world: World) -> None:
    before = world.ask(DEALS)
    world.crm.changed = {"Deals": [deal(1, 1, Amount=7)]}
    world.pull()
    world.crm.rows["Deals"][0] = deal(1, 1, Amount=7)
    world.warehouse.discard()
    world.later(days=1)
    world.pull()
    assert world.ask_of(14, DEALS) == before
    assert len(files(world, "customers")) == 1, "nothing of the customers has changed"


def test_a_pull_that_is_refused_leaves_the_past_as_it_was(world: World) -> None:
    world.crm.rows["Deals"] = []
    with pytest.raises(ShrunkenPullError):
        world.pull(full=True)
    assert files(world, "deals") == []


def test_a_record_without_a_time_of_recording_is_known_from_when_it_was_first_seen(
    world: World,
) -> None:
    world.crm.changed = {"Deals": [deal(4, 1, Created_Time="2026-01-01")]}
    world.pull()
    assert ids(world, DEALS, 14) == ["d1", "d2", "d3"]
    assert ids(world, DEALS, 15) == ["d1", "d2", "d3", "d4"]


def test_what_the_first_pull_of_an_object_found_had_been_there(world: World) -> None:
    world.mapping += """quotes:
  - object: Quotes
    customer: Account_Name.id
    columns: {happened_at: Created_Time, amount: Amount}
"""
    world.crm.rows["Quotes"] = [deal(1, 1)]
    world.pull()
    assert ids(world, "SELECT id FROM quotes", 14) == ["d1"]
    world.later(days=1)
    world.crm.changed = {"Quotes": [deal(2, 1)]}
    world.pull()
    assert ids(world, "SELECT id FROM quotes", 15) == ["d1"]


def test_a_record_that_was_deleted_and_brought_back_was_away(world: World) -> None:
    world.crm.deleted = {"Deals": ["d2"]}
    world.pull()
    world.later(days=1)
    world.crm.deleted, world.crm.changed = {}, {"Deals": [deal(2, 2, Stage="Talk")]}
    world.pull()
    found = [ids(world, DEALS, day) for day in (14, 15, 16)]
    assert found == [["d1", "d2", "d3"], ["d1", "d3"], ["d1", "d2", "d3"]]


RECORDED = "2026-05-13T10:00:00+08:00"


@pytest.mark.parametrize("away", ["deleted", "elsewhere"])
def test_a_record_that_came_back_was_away_whenever_it_was_recorded(world: World, away: str) -> None:
    world.mapping = world.mapping.replace(
        "happened_at: Call_Start_Time,", "happened_at: Call_Start_Time, recorded_at: Recorded,"
    )
    there = call(1, "Accounts", "1", Recorded=RECORDED)
    world.crm.rows["Calls"][0] = there
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Calls": [call(1, "Leads", "1", Recorded=RECORDED)]}
    if away == "deleted":
        world.crm.changed, world.crm.deleted = {}, {"Calls": ["c1"]}
    world.pull()
    world.later(days=1)
    world.crm.deleted, world.crm.changed = {}, {"Calls": [there]}
    world.pull()
    sql = "SELECT id FROM activities WHERE id = 'c1'"
    found = [ids(world, sql, day) for day in (15, 16, 17)]
    assert found == [["c1"], [], ["c1"]]


def test_what_was_recorded_between_two_pulls_was_there(world: World) -> None:
    world.mapping = world.mapping.replace(
        "happened_at: Call_Start_Time,", "happened_at: Call_Start_Time, recorded_at: Recorded,"
    )
    world.pull()
    world.later(days=1)
    recorded = (MORNING + timedelta(days=1, hours=1)).isoformat()
    world.crm.changed = {"Calls": [call(4, "Accounts", "1", Recorded=recorded)]}
    world.pull()
    assert "c4" in ids(world, "SELECT id FROM activities", 15)


def test_a_record_of_which_one_table_changes_keeps_its_rows_in_the_others(world: World) -> None:
    world.mapping += """quotes:
  - object: Deals
    customer: Account_Name.id
    columns: {happened_at: Created_Time}
"""
    world.pull()
    sql = "SELECT id, amount FROM quotes ORDER BY id"
    world.later(days=1)
    quotes, deals = world.ask(sql), world.ask(DEALS)
    world.crm.changed = {"Deals": [deal(1, 1, Amount=7)]}
    world.pull()
    assert (world.ask_of(15, sql), world.ask_of(15, DEALS)) == (quotes, deals)
    assert world.ask(sql) == quotes
    assert world.ask(DEALS) != deals


def test_a_row_that_comes_to_a_known_record_was_not_there(world: World) -> None:
    """An order of which a return is made later, both told by one record."""
    world.mapping = world.mapping.replace("where: {Status: {not: [Cancelled]}}", "where: {}")
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Sales_Orders": [order(1, 1, Status="Cancelled")]}
    world.pull()
    sql = "SELECT id FROM orders ORDER BY id", "SELECT id FROM returns ORDER BY id"
    assert [ids(world, each, 15) for each in sql] == [["o1", "o2", "o3"], ["o3"]]
    assert [ids(world, each, 16) for each in sql] == [["o1", "o2", "o3"], ["o1", "o3"]]


@pytest.mark.parametrize("full", [False, True])
def test_what_counted_as_a_mass_edit_stays_one_in_the_past(world: World, full: bool) -> None:
    """Of an import of old calls one is deleted, then another."""
    world.mapping = world.mapping.replace(
        "happened_at: Call_Start_Time,",
        "happened_at: Call_Start_Time, recorded_at: Recorded, owner_id: Who,",
    )
    imported = [
        call(number, "Accounts", str(number), Recorded=RECORDED, Who="7")
        for number in range(10, 10 + MASS_CUSTOMERS)
    ]
    world.crm.rows["Calls"] += imported
    needs = Needs(derive=frozenset({"mass"}))
    world.pull(needs)
    before = world.ask(MASS)
    for deleted in ("c10", "c11"):
        world.later(days=1)
        world.crm.deleted = {"Calls": [deleted]}
        world.crm.rows["Calls"] = [row for row in world.crm.rows["Calls"] if row["id"] != deleted]
        world.pull(needs, full=full)
    assert [count for _, count in before] == [1] * MASS_CUSTOMERS
    assert world.ask_of(15, MASS) == before
    assert world.ask_of(16, MASS) == world.ask(MASS) == []
    assert len(files(world, "activities")) == 2
