"""One file a workspace: who may open it, what confirmed writes look like, what the past was."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from connector.errors import RefusedError
from connector.models import PrimitiveKind, Ref, Scalar
from connector.warehouse import Warehouse
from tests.connector.pull_world import MORNING, Receipt, World, account, make_world


def receipt(
    seq: int, kind: PrimitiveKind, target: str, after: Scalar, customer: str = "1"
) -> Receipt:
    at = MORNING + timedelta(minutes=30)
    return Receipt(seq, at, Ref("Accounts", customer), kind, target, after)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def shown(world: World, customer: str = "1") -> tuple[object, ...]:
    return world.ask(f"SELECT tags, status, owner_id FROM customers WHERE id = '{customer}'")[0]


def test_confirmed_writes_are_shown(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts(
        [
            receipt(1, PrimitiveKind.ADD_TAG, "quiet", True),
            receipt(2, PrimitiveKind.REMOVE_TAG, "vip", False),
            receipt(3, PrimitiveKind.SET_FIELD, "Stage_Now", "dormant"),
            receipt(4, PrimitiveKind.SET_FIELD, "Other_Field", "x"),
            receipt(5, PrimitiveKind.PUT_NOTE, "ABCDEFGHIJ", "text"),
            receipt(6, PrimitiveKind.CHANGE_OWNER, "", "8"),
        ]
    )
    assert shown(world) == (["quiet"], "dormant", "8")
    assert shown(world, "2") == (["vip"], "new", "7")
    assert world.warehouse.staged_receipt_seq() == 6


def test_the_last_write_to_a_value_counts(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    world.warehouse.stage_receipts(
        [
            receipt(2, PrimitiveKind.REMOVE_TAG, "quiet", False),
            receipt(3, PrimitiveKind.SET_FIELD, "Stage_Now", "a"),
            receipt(4, PrimitiveKind.SET_FIELD, "Stage_Now", None),
        ]
    )
    assert shown(world) == (["vip"], None, "7")


def test_no_receipts_change_nothing(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts(iter(()))
    assert world.warehouse.staged_receipt_seq() == 0


def test_a_write_survives_pulls_that_do_not_bring_the_record(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    world.later(hours=1)
    world.crm.changed = {"Accounts": [account(2)]}
    world.pull()
    assert shown(world)[0] == ["vip", "quiet"]


def test_a_later_pull_of_the_record_is_believed(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    world.later(hours=1)
    world.crm.changed = {"Accounts": [account(1)]}
    world.pull()
    assert shown(world)[0] == ["vip"]
    assert world.ask("FROM written") == []


def test_a_pull_that_began_before_the_write_does_not_hide_it(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    world.later(minutes=10)
    world.pull(full=True)
    assert shown(world)[0] == ["vip", "quiet"]


def test_old_receipts_staged_again_after_a_rebuild_are_passed_over(world: World) -> None:
    world.later(hours=2)
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    assert shown(world)[0] == ["vip"]
    assert world.warehouse.staged_receipt_seq() == 1


def test_a_failed_staging_of_receipts_leaves_no_trace(world: World) -> None:
    world.pull()

    def broken() -> object:
        for seq in range(1, 10_002):
            yield receipt(seq, PrimitiveKind.ADD_TAG, "quiet", True)
        raise OSError("journal gone")

    with pytest.raises(OSError, match="journal gone"):
        world.warehouse.stage_receipts(broken())  # type: ignore[arg-type]
    assert world.warehouse.staged_receipt_seq() == 0
    assert shown(world)[0] == ["vip"]


def test_reading_before_any_pull_is_refused(world: World) -> None:
    assert not world.warehouse.exists()
    assert world.warehouse.pulls() == {}
    assert world.warehouse.staged_receipt_seq() is None
    with pytest.raises(RefusedError, match="nothing has been pulled"), world.warehouse.reading():
        pass


def test_readers_have_scratch_space_and_cannot_write_the_file(world: World) -> None:
    world.pull()
    with world.warehouse.reading() as one, world.warehouse.reading() as other:
        one.execute("CREATE TEMP TABLE inputs AS SELECT key FROM customers")
        assert one.execute("SELECT count(*) FROM inputs").fetchone() == (5,)
        assert other.execute("SELECT count(*) FROM orders").fetchone() == (2,)
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            one.execute("DELETE FROM warehouse.main.customers")


class Waiting:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_writer_waits_ten_seconds_for_a_reader_and_says_who_it_is(world: World) -> None:
    world.pull()
    waiting = Waiting()
    warehouse = Warehouse(world.workspace, sleep=waiting.sleep, clock=waiting.clock)
    script = (
        "import duckdb, sys\n"
        "c = duckdb.connect()\n"
        "c.execute(f\"ATTACH '{sys.argv[1]}' AS w (READ_ONLY)\")\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(world.workspace.warehouse_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RefusedError, match=f"in use by process {holder.pid}"), warehouse.writing():
        pass
    assert 10 <= waiting.seconds < 11
    holder.communicate()
    with warehouse.writing() as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (5,)


def test_a_reader_waits_for_a_writer_in_the_same_process(world: World) -> None:
    world.pull()
    waiting = Waiting()
    reader = Warehouse(world.workspace, sleep=waiting.sleep, clock=waiting.clock)
    with (
        world.warehouse.writing(),
        pytest.raises(RefusedError, match="another part of this process"),
        reader.reading(),
    ):
        pass


@pytest.mark.parametrize("damage", ["version", "garbage", "empty"])
def test_a_warehouse_of_another_version_is_filled_anew(world: World, damage: str) -> None:
    world.pull()
    if damage == "version":
        with world.warehouse.writing() as connection:
            connection.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
    elif damage == "garbage":
        world.workspace.warehouse_path.write_bytes(b"not a database " * 1000)
    else:
        world.warehouse.discard()
        duckdb.connect(str(world.workspace.warehouse_path)).close()
    with pytest.raises(RefusedError, match="another version"), world.warehouse.reading():
        pass
    said: list[str] = []
    world.later(days=1)
    report = world.pull(progress=said.append)
    assert report.rebuilt
    assert any("filled anew" in line for line in said)
    assert {item.kind for item in report.objects} == {"full"}
    assert world.ask("SELECT DISTINCT first_seen_on FROM customers") == [(date(2026, 5, 14),)]


def test_an_error_that_is_not_about_holding_is_shown(world: World) -> None:
    world.workspace.warehouse_path.parent.mkdir()
    world.workspace.warehouse_path.write_bytes(b"not a database " * 1000)
    with pytest.raises(duckdb.Error), world.warehouse.writing():
        pass


def test_the_past_shows_what_was_known_then(world: World) -> None:
    world.pull()
    world.later(days=2)
    world.crm.changed = {"Accounts": [account(1, Stage_Now="won", Tag=[]), account(9)]}
    world.pull()
    sql = "SELECT id, status, tags FROM customers WHERE id IN ('1', '9') ORDER BY id"
    days = {}
    for day in (13, 14, 15, 16):
        days[day] = world.ask_of(day, sql)
    unseen = [("1", None, None), ("9", None, None)]
    first = [("1", "new", ["vip"]), ("9", None, None)]
    assert days[13] == unseen
    assert days[14] == first
    assert days[15] == first
    assert days[16] == [("1", "won", []), ("9", "new", ["vip"])]
    assert world.ask(
        "SELECT id, first_seen_on FROM customers WHERE id IN ('1', '9') ORDER BY id"
    ) == [
        ("1", date(2026, 5, 14)),
        ("9", date(2026, 5, 16)),
    ]


def test_what_was_seen_in_a_day_is_not_known_at_its_midnight(world: World) -> None:
    world.pull()
    world.later(hours=1)
    world.crm.changed = {"Accounts": [account(1, Stage_Now="won")]}
    world.pull()
    sql = "SELECT status FROM customers WHERE id = '1'"
    assert world.ask(sql, MORNING) == [(None,)]
    assert world.ask(sql, MORNING + timedelta(minutes=1)) == [("new",)]
    assert world.ask(sql, world.moment) == [("new",)]
    assert world.ask(sql, world.moment + timedelta(seconds=1)) == [("won",)]


def test_a_confirmed_write_is_known_from_then_on(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.ADD_TAG, "quiet", True)])
    world.later(days=1)
    sql = "SELECT tags FROM customers WHERE id = '1'"
    assert world.ask(sql, MORNING + timedelta(minutes=30)) == [(["vip"],)]
    assert world.ask_of(14, sql) == [(["vip", "quiet"],)]


def test_a_customer_that_was_deleted_since_is_there_in_the_past(world: World) -> None:
    world.pull()
    sql = "SELECT key, object, id, status, created_at, first_seen_on FROM customers WHERE id = '1'"
    before = world.ask(sql)
    world.later(days=1)
    world.crm.deleted = {"Accounts": ["1"]}
    world.pull()
    world.later(days=1)
    world.crm.deleted, world.crm.changed = {}, {"Accounts": [account(1, Stage_Now="back")]}
    world.pull()
    assert world.ask_of(14, sql) == before
    assert world.ask_of(15, sql) == []
    assert [row[3] for row in world.ask_of(16, sql)] == ["back"]
    assert [row[3:] for row in world.ask(sql)] == [("back", *before[0][4:])]


def test_a_customer_that_was_deleted_while_the_file_was_away_is_gone_from_then_on(
    world: World,
) -> None:
    world.pull()
    world.warehouse.discard()
    del world.crm.rows["Accounts"][0]
    sql = "SELECT count(*) FROM customers"
    for _ in range(2):
        world.later(days=1)
        world.pull(full=True)
        world.warehouse.discard()
    world.pull()
    assert [world.ask_of(day, sql) for day in (14, 15, 16)] == [[(5,)], [(4,)], [(4,)]]
    files = world.workspace.history_path.glob("customers-*.parquet")
    assert len(list(files)) == 2, "gone once"


def test_only_changed_records_get_a_new_version(world: World) -> None:
    world.pull()
    world.later(days=1)
    world.pull(full=True)
    assert len(list(world.workspace.history_path.glob("customers-*.parquet"))) == 1
    world.crm.changed = {"Accounts": [account(1), account(2, Phone="1")]}
    world.pull()
    files = str(world.workspace.history_path / "customers-*.parquet")
    rows = duckdb.execute(
        f"SELECT key, count(*) FROM '{files}' GROUP BY key ORDER BY key"
    ).fetchall()
    assert rows == [(f"Accounts:{number}", 2 if number == 2 else 1) for number in range(1, 6)]


def test_a_history_that_is_gone_leaves_the_past_unknown(world: World) -> None:
    world.pull()
    for path in world.workspace.history_path.iterdir():
        path.unlink()
    assert world.ask_of(20, "SELECT DISTINCT name, status FROM customers") == [(None, None)]
    world.later(days=1)
    world.pull(full=True)
    assert world.ask("SELECT DISTINCT first_seen_on FROM customers") == [(date(2026, 5, 15),)]


def test_a_field_set_to_true_or_to_a_number_is_shown_as_text(world: World) -> None:
    world.pull()
    world.warehouse.stage_receipts(
        [
            receipt(1, PrimitiveKind.SET_FIELD, "Stage_Now", True),
            receipt(2, PrimitiveKind.SET_FIELD, "Stage_Now", 5, customer="2"),
        ]
    )
    assert (shown(world)[1], shown(world, "2")[1]) == ("true", "5")


def test_without_a_status_field_only_tags_and_owner_are_shown(tmp_path: Path) -> None:
    world = make_world(tmp_path, crm={"adapter": "fake"})
    world.pull()
    world.warehouse.stage_receipts([receipt(1, PrimitiveKind.SET_FIELD, "Stage_Now", "x")])
    assert shown(world)[1] is None
