"""What the warehouse knows beside the facts tables, over a connection to which it is attached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from connector.mapping_sql import table_ddl
from policies.language.vocabulary import TABLES

SCHEMA_VERSION = 4

# `pulls` has one row an object; `versions` and `people_versions` are derived from the history;
# `written` are confirmed writes that no pull has shown yet; `contact_checks` are phones and
# addresses that were looked at, by country.
_OWN_TABLES = (
    "meta (name VARCHAR, value VARCHAR)",
    "pulls (object VARCHAR, watermark TIMESTAMP, full_at TIMESTAMP, pulled_at TIMESTAMP, "
    "walk VARCHAR, paths VARCHAR, orphans BIGINT, readable BOOLEAN, recipe VARCHAR)",
    "problems (object VARCHAR, record_id VARCHAR, field VARCHAR, message VARCHAR)",
    "tombstones (object VARCHAR, id VARCHAR, deleted_at TIMESTAMP)",
    "aliases (alias VARCHAR, key VARCHAR)",
    "versions (key VARCHAR, digest UBIGINT, first_seen_on DATE, owner_id VARCHAR, "
    "owned_since TIMESTAMP)",
    "people_versions (id VARCHAR, digest UBIGINT)",
    "contact_checks (kind VARCHAR, text VARCHAR, country VARCHAR, valid BOOLEAN)",
    "version_files (name VARCHAR)",
    "written (seq BIGINT, written_at TIMESTAMP, key VARCHAR, kind VARCHAR, target VARCHAR, "
    "after VARCHAR)",
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """How far one object is staged. Moments are aware, in UTC."""

    watermark: datetime | None
    full_at: datetime | None
    pulled_at: datetime
    walk: str
    paths: str
    orphans: int
    readable: bool
    recipe: str


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS staged")
    for ddl in (*map(table_ddl, TABLES), *_OWN_TABLES):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {ddl}")
    if not get_meta(connection, "schema"):
        set_meta(connection, "schema", str(SCHEMA_VERSION))


def table_names(connection: duckdb.DuckDBPyConnection, schema: str) -> set[str]:
    """The warehouse's tables: in `main` what is made, in `staged` one for each staged object."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE database_name = 'warehouse' AND schema_name = ?",
        [schema],
    ).fetchall()
    return {name for (name,) in rows}


def get_meta(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """What is noted under a name; empty when nothing is."""
    row = connection.execute(
        "SELECT value FROM warehouse.main.meta WHERE name = ?", [name]
    ).fetchone()
    return str(row[0]) if row else ""


def set_meta(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    connection.execute("DELETE FROM warehouse.main.meta WHERE name = ?", [name])
    connection.execute("INSERT INTO warehouse.main.meta VALUES (?, ?)", [name, value])


def get_pulls(connection: duckdb.DuckDBPyConnection) -> dict[str, Pulled]:
    """How far each object is staged."""
    rows = connection.execute(
        "SELECT object, watermark, full_at, pulled_at, walk, paths, orphans, readable, recipe "
        "FROM warehouse.main.pulls"
    ).fetchall()
    return {name: Pulled(*map(_aware, rest)) for name, *rest in rows}


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
