"""Mass edits and bursts are flagged while staging, and after any change as a full look would."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from connector.bursts import BURST_CUSTOMERS, MASS_CUSTOMERS, mark
from connector.needs import Needs
from tests.connector.pull_world import World, call, make_world

START = datetime(2026, 5, 1, 15, 10)  # noqa: DTZ001 - staged in UTC, without a zone
MIDNIGHT = 3_000  # seconds later, where the workspace is
ZONE = "Asia/Shanghai"
Row = tuple[str, str | None, datetime | None, str | None, bool | None]


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE activities (id VARCHAR, customer VARCHAR, recorded_at TIMESTAMP, "
        "owner_id VARCHAR, automated BOOLEAN, mass BOOLEAN, burst BOOLEAN)"
    )
    return connection


def row(number: int, seconds: float, owner: str | None = "7", customer: int | None = None) -> Row:
    at = START + timedelta(seconds=seconds)
    return str(number), f"A:{number if customer is None else customer}", at, owner, None


def add(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    connection.executemany("INSERT INTO activities VALUES (?, ?, ?, ?, ?, NULL, NULL)", rows)


def flagged(connection: duckdb.DuckDBPyConnection, flag: str) -> set[str]:
    rows = connection.execute(f"SELECT id FROM activities WHERE {flag}").fetchall()
    return {name for (name,) in rows}


@pytest.mark.parametrize("count", [MASS_CUSTOMERS - 1, MASS_CUSTOMERS])
def test_a_second_with_many_customers_is_a_mass_edit(
    connection: duckdb.DuckDBPyConnection, count: int
) -> None:
    add(connection, [row(n, n / 100) for n in range(count)])
    add(connection, [row(100 + n, 50 + n) for n in range(5)])
    mark(connection, ZONE, bursts=False)
    assert len(flagged(connection, "mass")) == (count if count == MASS_CUSTOMERS else 0)


def test_many_rows_of_few_customers_are_none(connection: duckdb.DuckDBPyConnection) -> None:
    add(connection, [row(n, 0, customer=n % 3) for n in range(60)])
    mark(connection, ZONE, bursts=True)
    assert flagged(connection, "mass") == flagged(connection, "burst") == set()


def test_several_owners_or_none_make_no_mass_edit(connection: duckdb.DuckDBPyConnection) -> None:
    add(connection, [row(n, 0, owner=("7", "8", None)[n % 3]) for n in range(40)])
    mark(connection, ZONE, bursts=True)
    assert flagged(connection, "mass") == set()


@pytest.mark.parametrize(
    ("step", "expected"), [(600 / (BURST_CUSTOMERS - 1), BURST_CUSTOMERS), (67, 0)]
)
def test_ten_customers_in_ten_minutes_are_a_burst(
    connection: duckdb.DuckDBPyConnection, step: float, expected: int
) -> None:
    add(connection, [row(n, 350 + n * step) for n in range(BURST_CUSTOMERS)])
    add(connection, [row(90, 350 - 601), row(91, 350 + 9 * step + 601), row(92, 400, owner="8")])
    mark(connection, ZONE, bursts=True)
    assert flagged(connection, "burst") == {str(n) for n in range(expected)}


def test_what_was_not_done_by_hand_is_in_no_burst(connection: duckdb.DuckDBPyConnection) -> None:
    add(connection, [row(n, 0) for n in range(MASS_CUSTOMERS)])
    add(connection, [(*row(100 + n, 30 + n)[:4], True) for n in range(12)])
    mark(connection, ZONE, bursts=True)
    assert flagged(connection, "burst") == set()


def day(one: Row) -> date:
    assert one[2] is not None
    return one[2].replace(tzinfo=UTC).astimezone(ZoneInfo(ZONE)).date()


@pytest.mark.parametrize(
    ("zone", "before", "after", "expected"),
    [
        (ZONE, BURST_CUSTOMERS - 1, BURST_CUSTOMERS - 1, 0),
        (ZONE, BURST_CUSTOMERS, BURST_CUSTOMERS - 1, BURST_CUSTOMERS),
        (ZONE, BURST_CUSTOMERS - 1, BURST_CUSTOMERS, BURST_CUSTOMERS),
        (ZONE, BURST_CUSTOMERS, BURST_CUSTOMERS, 2 * BURST_CUSTOMERS),
        ("UTC", BURST_CUSTOMERS - 1, BURST_CUSTOMERS - 1, 2 * BURST_CUSTOMERS - 2),
    ],
)
def test_a_burst_ends_with_the_day(
    connection: duckdb.DuckDBPyConnection, zone: str, before: int, after: int, expected: int
) -> None:
    """What is decided as of a midnight hangs on nothing that was recorded later."""
    add(connection, [row(n, MIDNIGHT - 1 - 10 * n) for n in range(before)])
    add(connection, [row(100 + n, MIDNIGHT + 10 * n) for n in range(after)])
    mark(connection, zone, bursts=True)
    assert len(flagged(connection, "burst")) == expected


def test_a_row_of_the_next_day_changes_no_flag_of_the_last(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    add(connection, [row(n, MIDNIGHT - 1 - 10 * n) for n in range(BURST_CUSTOMERS - 1)])
    mark(connection, ZONE, bursts=True)
    connection.execute("CREATE TABLE gone AS FROM activities LIMIT 0")
    add(connection, [row(100 + n, MIDNIGHT + n) for n in range(BURST_CUSTOMERS - 1)])
    mark(connection, ZONE, bursts=True, changed=("CAST(id AS INTEGER) >= 100", "gone"))
    assert flagged(connection, "burst") == set()


def by_definition(rows: list[Row]) -> tuple[set[str], set[str]]:
    """Both flags, row by row."""
    dated = [one for one in rows if one[2] and one[3]]
    mass = set()
    for _id, _customer, at, owner, _automated in dated:
        assert at is not None
        second = at.replace(microsecond=0)
        same = [
            o for o in dated if o[3] == owner and o[2] and o[2].replace(microsecond=0) == second
        ]
        if len({o[1] for o in same}) >= MASS_CUSTOMERS:
            mass |= {o[0] for o in same}
    burst = set()
    hand = [one for one in dated if one[0] not in mass and not one[4]]
    for one in hand:
        _id, _customer, at, owner, _automated = one
        assert at is not None
        until = at + timedelta(seconds=600)
        window = [
            o for o in hand if o[3] == owner and o[2] and at <= o[2] <= until and day(o) == day(one)
        ]
        if len({o[1] for o in window}) >= BURST_CUSTOMERS:
            burst |= {o[0] for o in window}
    return mass, burst


def some_rows(chance: random.Random, first: int, count: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(first, first + count):
        busy = chance.random() < 0.5
        seconds = chance.choice([0, 600, 1_200]) if busy else chance.randrange(0, 12_000)
        jitter = chance.choice([0, 0.5, 599, 600]) if chance.random() < 0.3 else 0
        at = START + timedelta(seconds=seconds + jitter)
        owner = chance.choice(["7", "7", "7", "8", None])
        automated = chance.choice([None, False, True])
        rows.append(
            (
                str(number),
                f"A:{chance.randrange(40)}",
                at if number % 17 else None,
                owner,
                automated,
            )
        )
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_flags_after_changes_are_those_of_a_full_look(
    connection: duckdb.DuckDBPyConnection, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same rows each time
    rows = some_rows(chance, 1, 250)
    add(connection, rows)
    mark(connection, ZONE, bursts=True)
    assert (flagged(connection, "mass"), flagged(connection, "burst")) == by_definition(rows)
    for step in range(1, 4):
        gone = {one[0] for one in chance.sample(rows, 25)}
        new = some_rows(chance, 1_000 * step, 25)
        listed = ", ".join(f"'{name}'" for name in gone)
        connection.execute(
            f"CREATE OR REPLACE TABLE gone AS FROM activities WHERE id IN ({listed})"
        )
        connection.execute(f"DELETE FROM activities WHERE id IN ({listed})")
        add(connection, new)
        rows = [one for one in rows if one[0] not in gone] + new
        fresh = ", ".join(f"'{one[0]}'" for one in new)
        mark(connection, ZONE, bursts=True, changed=(f"id IN ({fresh})", "gone"))
        assert (flagged(connection, "mass"), flagged(connection, "burst")) == by_definition(rows)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.mapping = world.mapping.replace(
        "seconds: Seconds", "seconds: Seconds, recorded_at: Created_Time, owner_id: Owner.id"
    )
    world.crm.page_size = 100
    return world


def calls(numbers: range, minute: int, step: int) -> list[dict[str, Any]]:
    return [
        call(
            number,
            "Accounts",
            str(number),
            Owner={"id": "7"},
            Created_Time=f"2026-05-01T10:{minute:02}:{number * step % 60:02}+08:00",
        )
        for number in numbers
    ]


def counts(world: World) -> tuple[int, int]:
    sql = "SELECT count(*) FILTER (mass), count(*) FILTER (burst) FROM activities"
    found: tuple[int, int] = world.ask(sql)[0]
    return found


def test_a_pull_flags_what_the_policy_asks_for_and_keeps_it_right(world: World) -> None:
    world.crm.rows["Calls"] = [*calls(range(20), 0, 0), *calls(range(30, 39), 30, 1)]
    world.pull()
    assert counts(world) == (0, 0)
    world.pull(needs=Needs(derive=frozenset({"mass"})))
    assert counts(world) == (20, 0)
    both = Needs(derive=frozenset({"burst"}))
    world.crm.changed = {"Calls": calls(range(39, 40), 30, 1)}
    world.pull(needs=both)
    assert counts(world) == (20, 10)
    world.crm.changed, world.crm.deleted = {}, {"Calls": ["c3", "c35"]}
    world.pull(needs=both)
    # nineteen in one second are no mass edit any more, but they are a burst
    assert counts(world) == (0, 19)
    world.crm.deleted = {}
    world.pull(needs=both)
    assert counts(world) == (0, 19)
    world.pull(needs=both, full=True)
    assert counts(world) == (20, 0)
