"""Text from a CRM becomes a typed value, or NULL; never something that was not meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.mapping_file import Form
from connector.mapping_sql import parsed
from policies.evaluation.sql_text import day_in_zone
from policies.language.vocabulary import Type
from tests.connector.pull_world import World, call, deal, make_world

SHANGHAI = "Asia/Shanghai"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE t (x VARCHAR)")
        yield connection


def read(
    connection: duckdb.DuckDBPyConnection, text: str | None, kind: Type, form: Form = Form.OFFSET
) -> Any:
    connection.execute("DELETE FROM t")
    connection.execute("INSERT INTO t VALUES (?)", [text])
    [(value,)] = connection.execute(f"SELECT {parsed('x', kind, SHANGHAI, form)} FROM t").fetchall()
    return value


def utc(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001 - staged without a zone


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2026-05-14T11:36:17+03:00", Form.OFFSET, utc(2026, 5, 14, 8, 36, 17)),
        ("2026-05-14T11:36:17+0300", Form.OFFSET, utc(2026, 5, 14, 8, 36, 17)),
        ("2026-05-14T11:36:17Z", Form.OFFSET, utc(2026, 5, 14, 11, 36, 17)),
        ("2026-05-14 11:36:17.5-07:00", Form.OFFSET, utc(2026, 5, 14, 18, 36, 17, 500_000)),
        ("2026-05-14T11:36+05:30", Form.OFFSET, utc(2026, 5, 14, 6, 6)),
        ("2026-05-14", Form.OFFSET, utc(2026, 5, 13, 16)),
        ("2026-05-14T11:36:17", Form.OFFSET, None),
        ("2026-05-14T11:36:17", Form.UTC, utc(2026, 5, 14, 11, 36, 17)),
        ("2026-05-14T11:36:17", Form.LOCAL, utc(2026, 5, 14, 3, 36, 17)),
        ("2026-05-14T11:36:17+03:00", Form.LOCAL, utc(2026, 5, 14, 8, 36, 17)),
        ("1757000000", Form.SECONDS, utc(2025, 9, 4, 15, 33, 20)),
        ("1757000000000", Form.MILLISECONDS, utc(2025, 9, 4, 15, 33, 20)),
        ("1757000000", Form.OFFSET, None),
        ("9" * 18, Form.MILLISECONDS, None),
        ("-62135596800", Form.SECONDS, None),
        ("0001-01-01T00:00:00Z", Form.OFFSET, None),
        ("0001-01-01", Form.OFFSET, None),
        ("1899-12-31T23:00:00", Form.UTC, None),
        ("1900-01-01T00:00:00Z", Form.OFFSET, utc(1900, 1, 1)),
        ("20261-01-05T00:00:00Z", Form.OFFSET, None),
        ("soon", Form.SECONDS, None),
        ("17:00:00.0", Form.OFFSET, None),
        ("true", Form.OFFSET, None),
        ("", Form.OFFSET, None),
        (None, Form.OFFSET, None),
    ],
)
def test_moments(
    connection: duckdb.DuckDBPyConnection, text: str | None, form: Form, expected: datetime | None
) -> None:
    assert read(connection, text, Type.MOMENT, form) == expected


@pytest.mark.parametrize(("zone", "hour"), [(None, 3), ("Europe/Berlin", 9)])
def test_a_moment_is_read_off_the_clocks_that_the_mapping_names(
    connection: duckdb.DuckDBPyConnection, zone: str | None, hour: int
) -> None:
    sql = parsed("'2026-05-14T11:36:17'", Type.MOMENT, SHANGHAI, Form.LOCAL, zone)
    assert connection.execute(f"SELECT {sql}").fetchall() == [(utc(2026, 5, 14, hour, 36, 17),)]


@pytest.mark.parametrize(("hour", "day"), [("22", 15), ("02", 14)])
def test_a_day_is_one_of_the_workspace_whatever_clocks_it_was_read_off(
    connection: duckdb.DuckDBPyConnection, hour: str, day: int
) -> None:
    sql = parsed(f"'2026-05-14T{hour}:00:00'", Type.DATE, SHANGHAI, Form.LOCAL, "Europe/Berlin")
    assert connection.execute(f"SELECT {sql}").fetchall() == [(date(2026, 5, day),)]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1200.5", Type.MONEY, Decimal("1200.5000")),
        ("-99999999999999.9999", Type.MONEY, Decimal("-99999999999999.9999")),
        ("1e3", Type.MONEY, Decimal(1000)),
        ("1,200", Type.MONEY, None),
        ("999999999999999", Type.MONEY, None),
        ("inf", Type.MONEY, None),
        ("nan", Type.MONEY, None),
        ("0.123456", Type.NUMBER, Decimal("0.123456")),
        ("-9999999999.5", Type.NUMBER, Decimal("-9999999999.5")),
        ("10000000000", Type.NUMBER, None),
        ("-009999999999.0", Type.INTEGER, -9_999_999_999),
        ("10000000000", Type.INTEGER, None),
        ("7", Type.INTEGER, 7),
        ("7.0", Type.INTEGER, 7),
        ("1.5", Type.INTEGER, None),
        ("1e2", Type.INTEGER, None),
        ("0x10", Type.INTEGER, None),
        ("9" * 25, Type.INTEGER, None),
        ("true", Type.BOOLEAN, True),
        ("false", Type.BOOLEAN, False),
        ("1", Type.BOOLEAN, None),
        ("2026-05-14", Type.DATE, date(2026, 5, 14)),
        ("2026-05-13T17:00:00Z", Type.DATE, date(2026, 5, 14)),
        ("2026-13-14", Type.DATE, None),
        ("9999-12-31", Type.DATE, date(9999, 12, 31)),
        ("0001-01-01", Type.DATE, None),
        ("20261-1-05", Type.DATE, None),
        ("", Type.TEXT, None),
        (" x", Type.TEXT, " x"),
    ],
)
def test_values(
    connection: duckdb.DuckDBPyConnection, text: str, kind: Type, expected: object
) -> None:
    assert read(connection, text, kind) == expected


def test_a_day_is_a_day_of_the_workspaces_zone(connection: duckdb.DuckDBPyConnection) -> None:
    sql = day_in_zone("TIMESTAMP '2026-05-13 16:00:00'", SHANGHAI)
    assert connection.execute(f"SELECT {sql}").fetchone() == (date(2026, 5, 14),)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("{Stage: Won}", ["d1"]),
        ("{Stage: [Won, Lost]}", ["d1", "d2"]),
        ("{Stage: {in: [Won, null]}}", ["d1", "d3"]),
        ("{Stage: null}", ["d3"]),
        ("{Stage: {not: [Won]}}", ["d2", "d3"]),
        ("{Stage: {not: [Won, null]}}", ["d2"]),
        ("{Stage: {not: [null]}}", ["d1", "d2"]),
        ("{Amount: 5}", ["d2"]),
        ("{Flag: true}", ["d1"]),
        ("{Stage: Won, Amount: 5}", []),
    ],
)
def test_conditions(world: World, where: str, expected: list[str]) -> None:
    world.mapping = world.mapping.replace(
        "  - object: Deals\n    id: id", f"  - object: Deals\n    id: id\n    where: {where}"
    )
    world.crm.rows["Deals"] = [
        deal(1, 1, Stage="Won", Flag=True),
        deal(2, 1, Stage="Lost", Amount=5),
        deal(3, 1, Stage=None),
    ]
    world.pull()
    assert [name for (name,) in world.ask("SELECT id FROM deals ORDER BY id")] == expected


def test_a_value_that_the_map_does_not_name_is_a_problem_without_else(world: World) -> None:
    world.mapping = world.mapping.replace("Closed Lost: lost}, else: open}", "Closed Lost: lost}}")
    world.crm.rows["Deals"] = [deal(1, 1), deal(2, 1, Stage="Talk"), deal(3, 1, Stage=None)]
    world.pull()
    assert world.ask("SELECT id, state FROM deals ORDER BY id") == [
        ("d1", "won"),
        ("d2", None),
        ("d3", None),
    ]
    assert world.ask("SELECT record_id, field, message FROM problems") == [
        ("d2", "Stage", "has a value that the map does not name")
    ]


def test_no_value_stays_no_value_whatever_else_says(world: World) -> None:
    world.crm.rows["Deals"] = [deal(1, 1, Stage=None)]
    world.pull()
    assert world.ask("SELECT state FROM deals") == [(None,)]


@pytest.mark.parametrize(
    ("closing", "changed", "closed", "field"),
    [
        ("2026-12-31", "2026-05-14T10:00:00+08:00", utc(2026, 5, 14, 2), None),
        ("2026-05-14", "2026-05-20T10:00:00+08:00", utc(2026, 5, 13, 16), None),
        ("2026-05-14", None, utc(2026, 5, 13, 16), None),
        (None, "2026-05-20T10:00:00+08:00", None, None),
        ("2026-05-14", "soon", None, "Modified_Time"),
        ("soon", "2026-05-20T10:00:00+08:00", None, "Closing_Date"),
    ],
)
def test_a_moment_is_not_later_than_another_field_says(
    world: World,
    closing: str | None,
    changed: str | None,
    closed: datetime | None,
    field: str | None,
) -> None:
    rule = "closed_at: {from: Closing_Date, latest: Modified_Time}"
    world.mapping = world.mapping.replace("stage: Stage\n", f"{rule}\n")
    world.crm.rows["Deals"] = [deal(1, 1, Closing_Date=closing, Modified_Time=changed)]
    world.pull()
    assert world.ask("SELECT closed_at FROM deals") == [(closed,)]
    fields = [name for (name,) in world.ask("SELECT field FROM problems")]
    assert fields == ([field] if field else [])


def test_the_latest_moment_may_be_written_in_another_form(world: World) -> None:
    rule = "closed_at: {from: Closing_Date, latest: {from: Changed, as: epoch_seconds}}"
    world.mapping = world.mapping.replace("stage: Stage\n", f"{rule}\n")
    world.crm.rows["Deals"] = [deal(1, 1, Closing_Date="2026-12-31", Changed=1_757_000_000)]
    world.pull()
    assert world.ask("SELECT closed_at FROM deals") == [(utc(2025, 9, 4, 15, 33, 20),)]


def test_a_quote_in_a_name_or_a_value_stays_what_it_is(world: World) -> None:
    stage = 'stage: {from: Stage, map: {"It\'s won": "won\'t"}}'
    world.mapping = world.mapping.replace("stage: Stage", stage)
    world.crm.rows["Deals"] = [deal(1, 1, Stage="It's won")]
    world.pull()
    assert world.ask("SELECT stage FROM deals") == [("won't",)]


def test_a_value_outside_of_a_closed_set_is_no_value_but_a_problem(world: World) -> None:
    world.mapping = world.mapping.replace("seconds: Seconds", "direction: Way, seconds: Seconds")
    ways = {"c1": "ours", "c2": "Outbound", "c3": None}
    world.crm.rows["Calls"] = [
        {**call(number, "Accounts", "1"), "Way": ways[f"c{number}"]} for number in (1, 2, 3)
    ]
    world.pull()
    assert world.ask("SELECT id, direction FROM activities ORDER BY id") == [
        ("c1", "ours"),
        ("c2", None),
        ("c3", None),
    ]
    assert world.ask("SELECT record_id, field, message FROM problems") == [
        ("c2", "Way", "is none of ours, theirs; the mapping needs a map for it")
    ]


def test_a_new_facts_table_is_filled_like_any_other(world: World) -> None:
    world.mapping += """
invoices:
  - object: Invoices
    customer: Account.id
    columns:
      happened_at: Invoice_Date
      due_on: Due_Date
      settled_at: Paid_At
      disputed: Disputed
      amount: Total
surveys:
  - object: Surveys
    customer: Account.id
    columns: {happened_at: Day, kind: {const: csat}, score: Score}
"""
    world.crm.rows["Invoices"] = [
        {
            "id": "i1",
            "Account": {"id": "1"},
            "Invoice_Date": "2026-03-01",
            "Due_Date": "2026-03-31",
            "Paid_At": "2026-04-02T10:00:00+08:00",
            "Disputed": None,
            "Total": 10,
        }
    ]
    survey = {"id": "s1", "Account": {"id": "1"}, "Day": "2026-03-01", "Score": "4.5"}
    world.crm.rows["Surveys"] = [survey, {**survey, "id": "s2", "Score": "good"}]
    world.pull()
    assert world.ask("SELECT due_on, settled_at, disputed, amount FROM invoices") == [
        (date(2026, 3, 31), utc(2026, 4, 2, 2), None, Decimal(10))
    ]
    assert world.ask("SELECT kind, score FROM surveys ORDER BY id") == [
        ("csat", Decimal("4.5")),
        ("csat", None),
    ]
    assert world.ask("SELECT record_id, field, message FROM problems") == [
        ("s2", "Score", "is not a number")
    ]


NOTES = """
activities:
  - object: Notes
    customer: Parent.id
    columns: {happened_at: Made, kind: {const: message}}
notes: [{object: Notes, customer: Parent.id, title: Title, text: Content}]
"""


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Archived\nDeciding facts: none.\nRef ABCDEFGH23", True),
        ("归档\n编号 ABCDEFGH23\r\n", True),
        ("Ref ABCDEFGH23\nand then he called back", False),
        ("Talked about the Ref ABCDEFGH23", False),
        ("He is INTERESTED", False),
        ("Ref abcdefgh23", False),
        (None, False),
    ],
)
def test_a_note_of_ours_is_nobodys_activity(world: World, text: str | None, own: bool) -> None:
    world.mapping = world.mapping[: world.mapping.index("activities:")] + NOTES
    note = {"id": "n1", "Parent": {"id": "1"}, "Made": "2026-05-01", "Content": text}
    world.crm.rows["Notes"] = [note]
    world.pull()
    assert world.ask("SELECT automated FROM activities") == [(own,)]


def test_a_note_that_the_mapping_calls_automated_stays_so(world: World) -> None:
    notes = NOTES.replace("kind: {const", "automated: By_Robot, kind: {const")
    world.mapping = world.mapping[: world.mapping.index("activities:")] + notes
    note = {"Parent": {"id": "1"}, "Made": "2026-05-01", "Content": "hello"}
    world.crm.rows["Notes"] = [
        {**note, "id": "n1", "By_Robot": True},
        {**note, "id": "n2", "By_Robot": "perhaps"},
    ]
    world.pull()
    assert world.ask("SELECT id, automated FROM activities ORDER BY id") == [
        ("n1", True),
        ("n2", False),
    ]
    assert world.ask("SELECT record_id, field FROM problems") == [("n2", "By_Robot")]
