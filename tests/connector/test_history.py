"""What the CRM forgets: people and owners of the past, and files of earlier versions."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.models import PrimitiveKind, Ref
from tests.connector.pull_world import MORNING, Receipt, World, account, make_world, user

PEOPLE = (
    "columns: {name: full_name, department: Department, "
    "active: {from: status, map: {active: true}, else: false}}"
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    start = world.mapping.index("columns: {name: full_name")
    end = world.mapping.index("\n", start)
    world.mapping = world.mapping[:start] + PEOPLE + world.mapping[end:]
    return world


def moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001 - staged without a zone


def since(world: World, customer: str = "1") -> datetime | None:
    rows = world.ask(f"SELECT owned_since FROM customers WHERE id = '{customer}'")
    found: datetime | None = rows[0][0]
    return found


def owned_by(number: int, owner: str | None, **changes: Any) -> dict[str, Any]:
    return account(number, Owner=None if owner is None else {"id": owner}, **changes)


def test_people_are_shown_as_they_were(world: World) -> None:
    world.crm.rows["users"] = [{**user(7), "Department": "east"}, user(8)]
    world.pull()
    world.later(days=2)
    world.crm.changed = {"users": [{**user(7, "left"), "Department": "west"}, user(9)]}
    world.crm.deleted = {"users": ["8"]}
    world.pull()
    sql = "SELECT id, active, department FROM people ORDER BY id"
    first = [("7", True, "east"), ("8", True, None)]
    assert world.ask_of(13, sql) == []
    assert world.ask_of(14, sql) == first
    assert world.ask_of(15, sql) == first
    assert world.ask_of(16, sql) == [("7", False, "west"), ("9", True, None)]
    world.later(days=1)
    world.crm.changed, world.crm.deleted = {"users": [user(8)]}, {}
    world.pull()
    assert [name for name, *_ in world.ask_of(16, sql)] == ["7", "9"]
    assert [name for name, *_ in world.ask_of(17, sql)] == ["7", "8", "9"]


def test_only_people_that_changed_get_a_new_version(world: World) -> None:
    world.pull()
    for _ in range(2):
        world.later(days=1)
        world.pull(full=True)
    files = list(world.workspace.history_path.glob("people-*.parquet"))
    assert len(files) == 1
    assert duckdb.execute(f"SELECT count(*) FROM '{files[0]}'").fetchall() == [(2,)]


def test_the_index_of_people_is_made_anew_from_the_files(world: World) -> None:
    world.crm.rows["users"] = [user(7), user(8)]
    world.pull()
    world.crm.rows["users"] = [user(7)]
    world.later(days=1)
    world.pull(full=True)
    world.warehouse.discard()
    world.later(days=1)
    world.pull()
    assert len(list(world.workspace.history_path.glob("people-*.parquet"))) == 2
    assert world.ask_of(15, "SELECT id FROM people") == [("7",)]


def test_an_owner_of_the_first_pull_has_an_unknown_past(world: World) -> None:
    world.pull()
    assert since(world) is None


def test_a_new_owner_counts_from_when_it_was_first_seen(world: World) -> None:
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Accounts": [owned_by(1, "8")]}
    world.pull()
    assert since(world) == moment(2026, 5, 15, 1)
    world.later(days=1)
    world.crm.changed = {"Accounts": [owned_by(1, "8", Phone="1")]}
    world.pull()
    assert since(world) == moment(2026, 5, 15, 1)
    assert since(world, "2") is None
    assert world.ask_of(14, "SELECT owned_since FROM customers WHERE id = '1'") == [(None,)]
    assert world.ask_of(15, "SELECT owned_since FROM customers WHERE id = '1'") == [
        (moment(2026, 5, 15, 1),)
    ]


def test_a_customer_created_after_the_first_pull_is_owned_since_then(world: World) -> None:
    world.pull()
    world.later(days=3)
    world.crm.changed = {
        "Accounts": [
            account(20, Created_Time="2026-05-16T08:00:00+08:00"),
            account(21, Created_Time="2026-05-14T23:59:00+08:00"),
            owned_by(22, None, Created_Time="2026-05-16T08:00:00+08:00"),
        ]
    }
    world.pull()
    assert since(world, "20") == moment(2026, 5, 16)
    assert since(world, "21") is None
    assert since(world, "22") is None
    world.later(days=1)
    world.crm.changed = {"Accounts": [owned_by(22, "7")]}
    world.pull()
    assert since(world, "22") == moment(2026, 5, 18, 1)


def test_an_owner_that_the_mapping_did_not_name_before_is_no_change(world: World) -> None:
    mapping = world.mapping
    world.mapping = mapping.replace("      owner_id: Owner.id\n", "")
    world.pull()
    world.mapping = mapping
    world.later(days=1)
    world.pull()
    assert world.ask("SELECT owner_id, owned_since FROM customers WHERE id = '1'") == [("7", None)]


def test_a_mapped_owned_since_is_taken_as_it_is(world: World) -> None:
    world.mapping = world.mapping.replace("tags:", "owned_since: Assigned_At\n      tags:")
    world.crm.rows["Accounts"] = [account(1, Assigned_At="2026-01-01T08:00:00+08:00")]
    world.pull()
    assert since(world) == moment(2026, 1, 1)


def test_our_own_change_of_owner_counts_from_the_write(world: World) -> None:
    world.pull()
    ref = Ref("Accounts", "1")
    change = Receipt(1, MORNING, ref, PrimitiveKind.CHANGE_OWNER, "", "8")
    world.warehouse.stage_receipts([change])
    world.warehouse.stage_receipts([change])
    assert since(world) == moment(2026, 5, 14, 1)
    world.warehouse.stage_receipts([Receipt(2, MORNING, ref, PrimitiveKind.CHANGE_OWNER, "", None)])
    assert since(world) is None


def test_what_the_history_tells_of_owners_outlives_the_warehouse(world: World) -> None:
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Accounts": [owned_by(1, "8")]}
    world.pull()
    world.crm.rows["Accounts"][0] = owned_by(1, "8", Phone="1")
    world.warehouse.discard()
    world.later(days=1)
    world.pull()
    assert since(world) == moment(2026, 5, 15, 1)
    assert since(world, "2") is None


def test_files_of_earlier_versions_lack_columns_and_are_read_all_the_same(world: World) -> None:
    folder = world.workspace.history_path
    folder.mkdir(parents=True)
    for number, (day, owner) in enumerate(((1, "5"), (2, "7"), (3, "7"))):
        duckdb.sql(
            f"COPY (SELECT 'Accounts:1' AS key, 'Firm {number}' AS name, '{owner}' AS owner_id, "
            f"['vip'] AS tags, TIMESTAMP '2026-05-0{day} 01:00:00' AS seen_at) "
            f"TO '{folder / f'customers-{number}.parquet'}' (FORMAT parquet)"
        )
    world.pull()
    assert since(world) == moment(2026, 5, 2, 1)
    sql = "SELECT name, owner_id, party, phone_valid, fields FROM customers WHERE id = '1'"
    assert world.ask_of(1, sql) == [("Firm 0", "5", None, None, None)]
    assert world.ask_of(3, sql) == [("Firm 2", "7", None, None, None)]
    assert world.ask("SELECT first_seen_on FROM customers WHERE id = '1'") == [(date(2026, 5, 1),)]
