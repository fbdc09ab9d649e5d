"""What a pull brings into the warehouse, what it refuses, and what it does when things break."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.errors import (
    AuthenticationError,
    FileProblems,
    Interrupted,
    ProtocolError,
    RefusedError,
    UnavailableError,
)
from connector.ports import PullRequest
from policies.language.vocabulary import CUSTOMERS
from tests.connector.pull_world import (
    MORNING,
    World,
    account,
    call,
    deal,
    make_world,
    order,
    user,
)

MAPPED_HERE = ("customers", "people", "activities", "deals", "orders", "returns")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def fail(error: Exception, page: int = 0) -> Any:
    def fault(_request: PullRequest, number: int) -> None:
        if number == page:
            raise error

    return fault


def test_a_first_pull_fills_every_mapped_table(world: World) -> None:
    report = world.pull()
    assert {item.object: (item.kind, item.rows) for item in report.objects} == {
        "Accounts": ("full", 5),
        "users": ("full", 2),
        "Calls": ("full", 3),
        "Deals": ("full", 3),
        "Sales_Orders": ("full", 3),
    }
    assert not report.partial
    [row] = world.ask("SELECT * FROM customers WHERE id = '1'")
    filled = dict(zip(CUSTOMERS.by_name, row, strict=True))
    assert {name: value for name, value in filled.items() if value is not None} == {
        "key": "Accounts:1",
        "object": "Accounts",
        "id": "1",
        "name": "Firm 1",
        "owner_id": "7",
        "created_at": datetime(2025, 1, 1),  # noqa: DTZ001 - staged in UTC, without a zone
        "modified_at": datetime(2026, 5, 1),  # noqa: DTZ001
        "version": "2026-05-01T08:00:00+08:00",
        "tags": ["vip"],
        "status": "new",
        "first_seen_on": date(2026, 5, 14),
    }
    assert world.ask("SELECT id, name, active FROM people ORDER BY id") == [
        ("7", "User 7", True),
        ("8", "User 8", False),
    ]
    assert world.ask("SELECT customer, id, state, amount FROM deals ORDER BY id") == [
        ("Accounts:1", "d1", "won", Decimal("1200.5")),
        ("Accounts:2", "d2", "open", Decimal("1200.5")),
        (None, "d3", "won", Decimal("1200.5")),
    ]
    assert world.ask("SELECT id, number, amount FROM orders ORDER BY id") == [
        ("o1", "SO-1", Decimal("99.9")),
        ("o2", "SO-2", Decimal("99.9")),
    ]
    assert world.ask("SELECT customer, id FROM returns") == [("Accounts:3", "o3")]
    assert world.ask("SELECT customer, kind, seconds FROM activities ORDER BY id") == [
        ("Accounts:1", "call", 60),
        ("Accounts:2", "call", 60),
    ]


def test_each_object_is_asked_once_for_the_fields_of_the_mapping(world: World) -> None:
    world.crm.page_size = 100
    world.pull()
    requests = {request.object: request for request in world.crm.requests}
    assert len(world.crm.requests) == len(requests)
    wanted = {"id", "Created_Time", "Amount", "Stage", "Account_Name"}
    assert set(requests["Deals"].fields) == wanted
    assert all(request.since is None and not request.deletions for request in requests.values())


def test_the_next_pull_asks_behind_the_watermark_with_an_overlap(world: World) -> None:
    world.pull()
    world.crm.requests.clear()
    world.later(hours=1)
    report = world.pull()
    since = {request.since for request in world.crm.requests}
    assert since == {datetime(2026, 5, 14, 0, 50, tzinfo=UTC)}
    assert all(request.deletions for request in world.crm.requests)
    assert {item.kind for item in report.objects} == {"incremental"}
    assert sum(item.rows for item in report.objects) == 0


def test_nothing_changed_leaves_facts_and_history_as_they_were(world: World) -> None:
    world.pull()
    tables = ("customers", "deals", "orders", "activities", "returns", "versions", "problems")
    before = {table: sorted(map(str, world.ask(f"FROM {table}"))) for table in tables}
    world.later(hours=1)
    world.crm.requests.clear()
    world.pull()
    assert {table: sorted(map(str, world.ask(f"FROM {table}"))) for table in tables} == before
    assert world.crm.asked() == ["Accounts", "Calls", "Deals", "Sales_Orders", "users"]
    assert len(list(world.workspace.history_path.iterdir())) == 2
    assert world.ask("SELECT DISTINCT pulled_at FROM sources")[0][0].hour == 2


def test_changed_deleted_and_new_records_are_brought_in(world: World) -> None:
    world.pull()
    world.later(hours=1)
    world.crm.changed = {
        "Accounts": [account(2, Phone="1"), account(9)],
        "Deals": [deal(2, 3), deal(4, 9, Amount="7.25")],
    }
    world.crm.deleted = {"Sales_Orders": ["o2"], "Accounts": ["5"]}
    world.pull()
    assert world.ask("SELECT key, phone FROM customers ORDER BY key") == [
        ("Accounts:1", None),
        ("Accounts:2", "1"),
        ("Accounts:3", None),
        ("Accounts:4", None),
        ("Accounts:9", None),
    ]
    assert world.ask("SELECT customer, amount FROM deals WHERE id IN ('d2', 'd4') ORDER BY id") == [
        ("Accounts:3", Decimal("1200.5")),
        ("Accounts:9", Decimal("7.25")),
    ]
    assert world.ask("SELECT id FROM orders") == [("o1",)]
    assert world.ask("SELECT object, id FROM tombstones ORDER BY id") == [
        ("Accounts", "5"),
        ("Sales_Orders", "o2"),
    ]


def test_a_fact_moves_when_the_record_between_moves(world: World) -> None:
    world.pull()
    world.crm.changed = {"Deals": [deal(2, 3)]}
    world.pull()
    assert world.ask("SELECT customer FROM activities WHERE id = 'c2'") == [("Accounts:3",)]


def test_of_several_versions_the_last_one_read_stands(world: World) -> None:
    world.crm.rows["Accounts"] = [
        account(1, Phone="old"),
        account(2),
        account(1, Phone="new"),
        account(3),
    ]
    world.pull()
    assert world.ask("SELECT id, phone FROM customers ORDER BY id") == [
        ("1", "new"),
        ("2", None),
        ("3", None),
    ]


def test_a_record_restored_after_its_deletion_is_back(world: World) -> None:
    world.pull()
    world.crm.deleted = {"Accounts": ["1"]}
    world.pull()
    assert world.ask("SELECT count(*) FROM customers WHERE id = '1'") == [(0,)]
    world.crm.deleted = {}
    world.crm.changed = {"Accounts": [account(1)]}
    world.pull()
    assert world.ask("SELECT count(*) FROM customers WHERE id = '1'") == [(1,)]
    assert world.ask("FROM tombstones") == []


def test_a_full_pull_notices_what_has_vanished(world: World) -> None:
    world.pull()
    del world.crm.rows["Accounts"][4]
    world.pull(full=True)
    assert world.ask("SELECT count(*) FROM customers") == [(4,)]
    assert world.ask("SELECT object, id FROM tombstones") == [("Accounts", "5")]


def test_everything_is_pulled_again_after_a_week(world: World) -> None:
    world.pull()
    world.later(days=6)
    assert {item.kind for item in world.pull().objects} == {"incremental"}
    world.later(days=2)
    assert {item.kind for item in world.pull().objects} == {"full"}


def test_without_a_watermark_an_object_is_pulled_in_full(world: World) -> None:
    world.crm.watermark = None
    world.pull()
    assert {item.kind for item in world.pull().objects} == {"full"}


def test_orphans_are_counted_and_reported(world: World) -> None:
    world.crm.rows["Sales_Orders"].append(order(4, 99))
    orphans = {item.object: item.orphans for item in world.pull().objects}
    assert orphans["Deals"] == 1
    assert orphans["Sales_Orders"] == 1
    world.crm.changed = {"Accounts": [account(99)]}
    orphans = {item.object: item.orphans for item in world.pull().objects}
    assert orphans["Sales_Orders"] == 0


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"Amount": "1,200"}, "Amount", "is not an amount"),
        ({"Created_Time": "14.05.2026"}, "Created_Time", "is not a date"),
        ({"Created_Time": "2026-05-14T10:00:00"}, "Created_Time", "nor a moment with its offset"),
        ({"Created_Time": "2026-02-30"}, "Created_Time", "is not a date"),
        ({"Created_Time": None}, "Created_Time", "is empty"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_not_a_guess(
    world: World, changes: dict[str, Any], field: str, message: str
) -> None:
    world.crm.rows["Deals"].append(deal(4, 1, **changes))
    report = world.pull()
    assert [(item.object, item.problems) for item in report.objects if item.problems] == [
        ("Deals", 1)
    ]
    [(name, identifier, found, text)] = world.ask("FROM problems")
    assert (name, identifier, found) == ("Deals", "d4", field)
    assert message in text
    column = {"Amount": "amount", "Created_Time": "happened_at"}[field]
    assert world.ask(f"SELECT {column} FROM deals WHERE id = 'd4'") == [(None,)]


def test_a_problem_goes_when_the_record_is_put_right(world: World) -> None:
    world.crm.rows["Calls"].append(call(4, "Accounts", "1", Seconds=1.5))
    world.pull()
    assert world.ask("SELECT record_id, field FROM problems") == [("c4", "Seconds")]
    world.crm.changed = {"Calls": [call(4, "Accounts", "1", Seconds="90.0")]}
    world.pull()
    assert world.ask("FROM problems") == []
    assert world.ask("SELECT seconds FROM activities WHERE id = 'c4'") == [(90,)]


def test_a_row_of_the_wrong_shape_is_left_out_and_named(world: World) -> None:
    world.crm.rows["Deals"] += [deal(4, 1, Account_Name="Firm 1"), b'{"id": "d5", "Am']
    report = world.pull()
    [deals] = [item for item in report.objects if item.object == "Deals"]
    assert (deals.rows, deals.rejected, deals.problems) == (5, 2, 2)
    assert report.partial
    assert world.ask("SELECT record_id, field FROM problems ORDER BY record_id DESC") == [
        ("d4", "$.Account_Name"),
        ("", "$"),
    ]
    assert world.ask("SELECT count(*) FROM deals") == [(3,)]


def test_a_rejected_version_takes_the_old_one_away(world: World) -> None:
    world.pull()
    world.crm.changed = {"Deals": [deal(1, 1, Amount={})]}
    world.pull()
    assert world.ask("SELECT count(*) FROM deals WHERE id = 'd1'") == [(0,)]
    assert world.ask("SELECT record_id FROM problems") == [("d1",)]
    assert world.ask("FROM tombstones") == []
    assert world.ask("SELECT complete FROM sources WHERE fact = 'deals'") == [(False,)]


def test_a_field_that_no_record_carries_is_named(world: World) -> None:
    for row in world.crm.rows["Accounts"]:
        del row["Tag"]
    world.pull()
    assert world.ask("SELECT object, record_id, field FROM problems") == [("Accounts", "", "Tag")]


@pytest.mark.parametrize("error", [AuthenticationError("no scope"), ProtocolError("no module")])
def test_an_unreadable_object_makes_its_tables_incomplete(world: World, error: Exception) -> None:
    world.crm.faults["Deals"] = fail(error)
    report = world.pull()
    assert report.partial
    assert {item.object: item.error for item in report.objects if item.error} == {
        "Deals": str(error)
    }
    complete = dict(world.ask("SELECT fact, complete FROM sources"))
    filled = {fact: complete.pop(fact) for fact in MAPPED_HERE}
    assert not any(complete.values())
    assert filled == {
        "customers": True,
        "people": True,
        "activities": False,
        "deals": False,
        "orders": True,
        "returns": True,
    }
    world.crm.faults.clear()
    world.pull()
    rows = world.ask("SELECT complete FROM sources WHERE pulled_at IS NOT NULL")
    assert rows == [(True,)] * 6


def test_an_object_that_was_readable_before_is_no_longer_complete(world: World) -> None:
    world.pull()
    world.crm.faults["Sales_Orders"] = fail(AuthenticationError("no scope"))
    world.pull()
    assert world.ask("SELECT complete FROM sources WHERE fact = 'orders'") == [(False,)]
    assert world.ask("SELECT count(*) FROM orders") == [(2,)]


def test_tables_that_nothing_fills_are_not_complete(world: World) -> None:
    start = world.mapping.index("returns:")
    world.mapping = world.mapping[:start] + world.mapping[world.mapping.index("activities:") :]
    world.pull()
    assert world.ask("SELECT complete, pulled_at FROM sources WHERE fact = 'returns'") == [
        (False, None)
    ]


def test_a_source_tells_since_when_it_is_complete(world: World) -> None:
    world.mapping = world.mapping.replace(
        "  - object: Deals\n    id: id", "  - object: Deals\n    id: id\n    since: 2020-01-01"
    )
    world.pull()
    assert world.ask("SELECT since FROM sources WHERE fact = 'deals'") == [(date(2020, 1, 1),)]


def test_without_customers_the_pull_fails(world: World) -> None:
    world.crm.faults["Accounts"] = fail(AuthenticationError("no scope"))
    with pytest.raises(AuthenticationError):
        world.pull()
    assert not world.warehouse.exists()


def test_a_pull_that_broke_off_goes_on_where_it_was(world: World) -> None:
    world.crm.faults["Accounts"] = fail(UnavailableError("down"), page=2)
    with pytest.raises(UnavailableError, match="down"):
        world.pull()
    assert not world.warehouse.exists()
    world.crm.faults.clear()
    world.crm.requests.clear()
    report = world.pull()
    resumed = {request.object: request.resume for request in world.crm.requests}
    assert resumed["Accounts"] == "2"
    [accounts] = [item for item in report.objects if item.object == "Accounts"]
    assert (accounts.rows, accounts.pages) == (5, 3)
    assert world.ask("SELECT count(*) FROM customers") == [(5,)]
    assert list(world.workspace.spool_path.iterdir()) == []


def test_a_forgotten_page_token_starts_the_walk_anew_once(world: World) -> None:
    world.crm.faults["Accounts"] = fail(UnavailableError("down"), page=2)
    with pytest.raises(UnavailableError):
        world.pull()
    tokens: list[str | None] = []

    def expired(request: PullRequest, _number: int) -> None:
        if not tokens:
            tokens.append(request.resume)
            raise ProtocolError("page token expired")

    world.crm.faults["Accounts"] = expired
    world.pull()
    assert tokens == ["2"]
    assert world.ask("SELECT count(*) FROM customers") == [(5,)]


def test_one_failing_walk_ends_the_others_and_is_the_one_reported(world: World) -> None:
    world.crm.page_size = 1
    world.crm.rows["Accounts"] = [account(number) for number in range(2000)]
    world.crm.faults["users"] = fail(UnavailableError("server is down"))
    with pytest.raises(UnavailableError, match="server is down"):
        world.pull()


def test_an_interrupted_pull_keeps_its_pages(world: World) -> None:
    world.crm.page_size = 1
    world.crm.rows["Accounts"] = [account(number) for number in range(60)]

    def stop(message: str) -> None:
        raise Interrupted(message)

    with pytest.raises(Interrupted):
        world.pull(progress=stop)
    world.crm.requests.clear()
    world.pull()
    resumed = {request.object: request.resume for request in world.crm.requests}
    assert int(resumed["Accounts"] or 0) == 25


def test_an_empty_crm_is_refused_unless_accepted(world: World) -> None:
    world.crm.rows["Accounts"] = []
    with pytest.raises(RefusedError, match="no customers at all"):
        world.pull()
    world.pull(accept_shrink=True)
    assert world.ask("FROM customers") == []


@pytest.mark.parametrize("left", [0, 7])
def test_a_shrunken_pull_is_refused_and_changes_nothing(world: World, left: int) -> None:
    world.crm.rows["Accounts"] = [account(number) for number in range(10)]
    world.pull()
    watermark = world.warehouse.pulls()["Accounts"]
    world.later(days=1)
    world.crm.rows["Accounts"] = [account(number) for number in range(left)]
    with pytest.raises(RefusedError, match=rf"leaves {left} customers .* 10 were staged"):
        world.pull(full=True)
    assert world.ask("SELECT count(*) FROM customers") == [(10,)]
    assert world.warehouse.pulls()["Accounts"] == watermark
    assert len(list(world.workspace.history_path.iterdir())) == 2
    world.pull(full=True, accept_shrink=True)
    assert world.ask("SELECT count(*) FROM customers") == [(left,)]


def test_a_fifth_fewer_is_still_believed(world: World) -> None:
    world.crm.rows["Accounts"] = [account(number) for number in range(10)]
    world.pull()
    world.crm.rows["Accounts"] = [account(number) for number in range(8)]
    world.pull(full=True)
    assert world.ask("SELECT count(*) FROM customers") == [(8,)]


def test_facts_that_lost_their_customer_field_are_refused(world: World) -> None:
    world.pull()
    world.crm.rows["Sales_Orders"] = [
        order(1, 1, Account_Name=None),
        order(2, 2, Account_Name=None),
    ]
    with pytest.raises(RefusedError, match="0 orders from Sales_Orders where 2 were staged"):
        world.pull(full=True)


def test_customers_without_an_id_are_refused_and_not_offered_again(world: World) -> None:
    world.crm.rows["Accounts"][3]["id"] = ""
    with pytest.raises(RefusedError, match="1 of 5 records of Accounts came without an id"):
        world.pull()
    world.crm.rows["Accounts"][3]["id"] = "4"
    world.pull()
    assert world.ask("SELECT count(*) FROM customers") == [(5,)]


def test_a_changed_mapping_is_applied_to_what_is_staged(world: World) -> None:
    world.pull()
    world.mapping = world.mapping.replace("Closed Won: won", "Talk: won")
    report = world.pull()
    assert {item.kind for item in report.objects} == {"incremental"}
    assert world.ask("SELECT id FROM deals WHERE state = 'won'") == [("d2",)]


def test_a_mapping_that_wants_other_fields_pulls_that_object_in_full(world: World) -> None:
    world.pull()
    world.mapping = world.mapping.replace(
        "      phone: Phone\n", "      email: Phone\n      region: R\n"
    )
    for row in world.crm.rows["Accounts"]:
        row["R"] = "East"
    kinds = {item.object: item.kind for item in world.pull().objects}
    assert kinds["Accounts"] == "full"
    assert kinds["Deals"] == "incremental"
    assert world.ask("SELECT DISTINCT region FROM customers") == [("East",)]


def test_an_object_that_is_no_longer_mapped_is_forgotten(world: World) -> None:
    world.pull()
    start = world.mapping.index("activities:")
    world.mapping = world.mapping[:start]
    world.pull()
    assert world.ask("FROM activities") == []
    assert "Calls" not in world.warehouse.pulls()


def test_converted_records_lend_their_facts_to_what_they_became(world: World) -> None:
    world.mapping = world.mapping.replace(
        "people:",
        "  - object: Leads\n    id: id\n    alias: Converted.id\n"
        "    columns: {name: Name}\npeople:",
    ).replace("    where: {$se_module: Accounts}", "    where: {$se_module: [Accounts]}") + (
        "  - object: Calls\n    id: id\n    customer: {object: Leads, id: What_Id.id}\n"
        "    where: {$se_module: Leads}\n    columns: {happened_at: Call_Start_Time}\n"
    )
    lead = {"id": "9", "Name": "Lead", "Converted": None}
    world.crm.rows["Leads"] = [lead, {"id": "10", "Name": "Other", "Converted": {"id": "1"}}]
    world.pull()
    assert world.ask("SELECT key FROM customers WHERE object = 'Leads'") == [("Leads:9",)]
    assert world.ask("SELECT customer FROM activities WHERE id = 'c3'") == [("Leads:9",)]
    world.crm.changed = {"Leads": [{**lead, "Converted": {"id": "2"}}]}
    world.pull()
    assert world.ask("SELECT key FROM customers WHERE object = 'Leads'") == []
    assert world.ask("SELECT customer FROM activities WHERE id = 'c3'") == [("Accounts:2",)]
    assert world.ask("FROM aliases ORDER BY alias") == [
        ("Leads:10", "Accounts:1"),
        ("Leads:9", "Accounts:2"),
    ]


def test_raw_pages_are_kept_when_the_workspace_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path, pull={"keep_raw": True})
    world.pull()
    assert len(list((world.workspace.spool_path / "kept").iterdir())) == 5


def test_a_wrong_mapping_is_told_before_anything_is_asked(world: World) -> None:
    world.mapping = "mapping: 2"
    with pytest.raises(FileProblems):
        world.pull()
    assert world.crm.requests == []


def test_a_first_pull_of_people_only_sets_no_watermark_for_others(world: World) -> None:
    world.crm.rows["users"].append(user(9))
    world.pull()
    assert world.warehouse.pulls()["users"].watermark == MORNING
