"""What a CRM forgets: append-only Parquet of the versions of customers that we have seen.

Never rebuilt with the warehouse. `versions` in the warehouse is only its index.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from connector.mapping_sql import local_day
from connector.row_shape import identifier, literal
from connector.spool import sync_directory
from policies.vocabulary import CUSTOMERS

CHANGEABLE = tuple(column.name for column in CUSTOMERS.columns if column.changeable)
ATTRIBUTES = (*CHANGEABLE, "owned_since")


def digest_sql(table: str) -> str:
    """One number for all changeable attributes of a row."""
    return f"hash({', '.join(f'{table}.{identifier(name)}' for name in ATTRIBUTES)})"


def sync_versions(connection: duckdb.DuckDBPyConnection, directory: Path, zone: str) -> None:
    """Bring the index up to date when files are there that it does not know, or the other way."""
    names = sorted(path.name for path in directory.glob("*.parquet"))
    # hash() is the engine's own and may differ between its releases
    names.append(duckdb.__version__)
    known = connection.execute("SELECT name FROM version_files").fetchall()
    if {name for (name,) in known} == set(names):
        return
    connection.execute("DELETE FROM versions")
    connection.execute("DELETE FROM version_files")
    connection.execute("INSERT INTO version_files SELECT unnest($1::VARCHAR[])", [names])
    if len(names) == 1:
        return
    day = local_day("min(seen_at)", zone)
    connection.execute(
        f"INSERT INTO versions SELECT key, arg_max({digest_sql('h')}, seen_at), {day} "
        f"FROM {_files(directory)} h GROUP BY key"
    )


def append_versions(
    connection: duckdb.DuckDBPyConnection, directory: Path, zone: str, seen_at: datetime, scope: str
) -> int:
    """Write a version for each customer in `scope` (a condition on `c`) that has changed."""
    moment = seen_at.astimezone(UTC).replace(tzinfo=None)
    day = local_day(f"TIMESTAMP {literal(moment.isoformat(sep=' '))}", zone)
    changed = (
        f"FROM customers c LEFT JOIN versions v ON v.key = c.key "
        f"WHERE ({scope}) AND v.digest IS DISTINCT FROM {digest_sql('c')}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT c.key, {digest_sql('c')} AS digest, "
        f"coalesce(v.first_seen_on, {day}) AS first_seen_on, v.key IS NOT NULL AS known "
        f"{changed}"
    )
    count, known = connection.execute(
        "SELECT count(*), count(*) FILTER (known) FROM fresh"
    ).fetchall()[0]
    if count:
        name = _write(connection, directory, moment, changed)
        connection.execute("INSERT INTO version_files VALUES (?)", [name])
    if known:
        connection.execute("DELETE FROM versions USING fresh f WHERE versions.key = f.key")
    connection.execute("INSERT INTO versions SELECT key, digest, first_seen_on FROM fresh")
    connection.execute("DROP TABLE fresh")
    return int(count)


def _write(
    connection: duckdb.DuckDBPyConnection, directory: Path, moment: datetime, changed: str
) -> str:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"customers-{moment:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"
    temporary = directory / f"{name}.new"
    columns = ", ".join(f"c.{identifier(column)}" for column in ATTRIBUTES)
    connection.execute(
        f"COPY (SELECT c.key, {columns}, "
        f"TIMESTAMP {literal(moment.isoformat(sep=' '))} AS seen_at "
        f"{changed}) "
        f"TO {literal(str(temporary))} (FORMAT parquet)"
    )
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    temporary.rename(directory / name)
    sync_directory(directory)
    return name


def show_customers_of(
    connection: duckdb.DuckDBPyConnection, directory: Path, day: date, zone: str
) -> None:
    """Put a view over `customers`: attributes of each as last seen by the end of a local day,
    NULL before its first version. The rest of the record is as it stands now."""
    parts = []
    for column in CUSTOMERS.columns:
        table = "h" if column.name in ATTRIBUTES else "c"
        parts.append(f"{table}.{identifier(column.name)}")
    connection.execute("DROP VIEW customers")
    connection.execute(
        f"CREATE VIEW customers AS SELECT {', '.join(parts)} "
        f"FROM warehouse.main.customers c LEFT JOIN ({attributes_sql(directory, day, zone)}) h "
        f"ON h.key = c.key"
    )


def attributes_sql(directory: Path, day: date, zone: str) -> str:
    """A query for each customer's last version whose local day of being seen is not after `day`."""
    picked = ", ".join(f"last.{identifier(name)} AS {identifier(name)}" for name in ATTRIBUTES)
    fields = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in ATTRIBUTES)
    if not any(directory.glob("*.parquet")):
        nothing = ", ".join(f"NULL AS {identifier(name)}" for name in ATTRIBUTES)
        return f"SELECT CAST(NULL AS VARCHAR) AS key, {nothing}"
    return (
        f"SELECT key, {picked} FROM (SELECT key, arg_max(struct_pack({fields}), seen_at) AS last "
        f"FROM {_files(directory)} "
        f"WHERE {local_day('seen_at', zone)} <= DATE {literal(day.isoformat())} GROUP BY key)"
    )


def _files(directory: Path) -> str:
    return f"read_parquet({literal(str(directory / '*.parquet'))}, union_by_name=true)"
