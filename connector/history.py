"""What a CRM forgets: append-only Parquet of the versions of customers and people that we saw.

Never rebuilt with the warehouse. `versions` and `people_versions` there are only its index. The
rows of events that were changed or deleted since stand beside them: `superseded`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from connector.row_shape import identifier
from connector.spool import sync_directory
from policies.evaluation.sql_text import day_in_zone, literal, moment_literal
from policies.language.vocabulary import CUSTOMERS, PEOPLE, SQL_TYPES, Table
from policies.moment import utc_without_zone

# Known without a column: a customer or a person that the CRM no longer shows.
_GONE = "gone"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is kept of one table: its key, the attributes whose past counts, and what never
    changes but is gone with the record."""

    table: Table
    key: str
    attributes: tuple[str, ...]
    lasting: tuple[str, ...] = ()

    @property
    def files(self) -> str:
        return f"{self.table.name}-*.parquet"

    @property
    def kept(self) -> tuple[str, ...]:
        return (*self.attributes, *self.lasting)

    @property
    def typed(self) -> Iterator[str]:
        """No row, and all columns: files of earlier versions of highseas lack the newer ones."""
        for name in (self.key, *self.kept):
            kind = SQL_TYPES[self.table.column(name).type]
            yield f"CAST(NULL AS {kind}) AS {identifier(name)}"
        yield "CAST(NULL AS TIMESTAMP) AS seen_at"
        yield f"CAST(NULL AS BOOLEAN) AS {_GONE}"


_CHANGEABLE = tuple(column.name for column in CUSTOMERS.columns if column.changeable)
_CUSTOMERS = _Kind(CUSTOMERS, "key", (*_CHANGEABLE, "owned_since"), ("created_at",))
_PEOPLE = _Kind(PEOPLE, "id", tuple(name for name in PEOPLE.by_name if name != "id"))


def _digest(kind: _Kind, table: str) -> str:
    """One number for all attributes of a row."""
    return f"hash({', '.join(_columns(table, kind.attributes))})"


def _columns(table: str, names: Iterable[str]) -> list[str]:
    return [f"{table}.{identifier(name)}" for name in names]


def sync_versions(connection: duckdb.DuckDBPyConnection, directory: Path, zone: str) -> None:
    """Bring the index up to date when files are there that it does not know, or the other way."""
    names = sorted(path.name for path in directory.glob("*.parquet"))
    # hash() is the engine's own and may differ between its releases
    names.append(duckdb.__version__)
    known = connection.execute("SELECT name FROM version_files").fetchall()
    if {name for (name,) in known} == set(names):
        return
    for table in ("versions", "people_versions", "version_files"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("INSERT INTO version_files SELECT unnest($1::VARCHAR[])", [names])
    connection.execute(f"INSERT INTO versions {_index_sql(directory, zone)}")
    connection.execute(
        f"INSERT INTO people_versions SELECT id, last.digest FROM (SELECT h.id, "
        f"arg_max(struct_pack(digest := {_digest(_PEOPLE, 'h')}, gone := h.{_GONE}), h.seen_at) "
        f"AS last FROM {_seen(directory, _PEOPLE)} h GROUP BY h.id) WHERE last.gone IS NOT true"
    )


def _index_sql(directory: Path, zone: str) -> str:
    """What `versions` says of each customer; one that is gone has no digest. Where its last
    version does not tell since when it has its owner, the first version behind the last one with
    another owner does."""
    return (
        f"WITH seen AS (SELECT f.*, {_digest(_CUSTOMERS, 'f')} AS d "
        f"FROM {_seen(directory, _CUSTOMERS)} f), "
        f"gone AS (SELECT key, arg_max(coalesce({_GONE}, false), seen_at) AS away FROM seen "
        "GROUP BY key), "
        f"h AS (FROM seen WHERE {_GONE} IS NOT true), "
        "final AS (SELECT key, min(seen_at) AS first_at, arg_max(struct_pack("
        "d := d, owner := owner_id, since := owned_since), seen_at) AS last FROM h GROUP BY key), "
        "other AS (SELECT h.key, max(h.seen_at) AS seen_at FROM h JOIN final USING (key) "
        "WHERE h.owner_id IS DISTINCT FROM final.last.owner GROUP BY h.key), "
        "own AS (SELECT h.key, min(h.seen_at) AS since FROM h JOIN other USING (key) "
        "WHERE h.seen_at > other.seen_at GROUP BY h.key) "
        f"SELECT final.key, CASE WHEN NOT gone.away THEN last.d END, "
        f"{day_in_zone('first_at', zone)}, last.owner, "
        "CASE WHEN last.owner IS NOT NULL THEN coalesce(last.since, own.since) END "
        "FROM final JOIN gone USING (key) LEFT JOIN own ON own.key = final.key"
    )


def append_versions(
    connection: duckdb.DuckDBPyConnection, directory: Path, zone: str, seen_at: datetime, scope: str
) -> int:
    """Write a version for each customer in `scope` (a condition on `c`) that has changed."""
    moment = moment_literal(utc_without_zone(seen_at))
    digest = _digest(_CUSTOMERS, "c")
    changed = (
        f"FROM customers c LEFT JOIN versions v ON v.key = c.key "
        f"WHERE ({scope}) AND v.digest IS DISTINCT FROM {digest}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT c.key, {digest} AS digest, "
        f"coalesce(v.first_seen_on, {day_in_zone(moment, zone)}) AS first_seen_on, "
        f"c.owner_id, c.owned_since, v.key IS NOT NULL AS known {changed}"
    )
    count, known = connection.execute(
        "SELECT count(*), count(*) FILTER (known) FROM fresh"
    ).fetchall()[0]
    if count:
        columns = ", ".join(_columns("c", ("key", *_filled(connection))))
        rows = f"SELECT {columns}, {moment} AS seen_at {changed}"
        write_rows(connection, directory, "customers", seen_at, rows)
    if known:
        connection.execute("DELETE FROM versions USING fresh f WHERE versions.key = f.key")
    connection.execute(
        "INSERT INTO versions SELECT key, digest, first_seen_on, owner_id, owned_since FROM fresh"
    )
    connection.execute("DROP TABLE fresh")
    return int(count)


def append_gone(connection: duckdb.DuckDBPyConnection, directory: Path, seen_at: datetime) -> None:
    """Write a last version of each customer that the CRM no longer shows."""
    moment = moment_literal(utc_without_zone(seen_at))
    gone = (
        "FROM versions v WHERE v.digest IS NOT NULL "
        "AND NOT EXISTS (FROM customers c WHERE c.key = v.key)"
    )
    if connection.execute(f"SELECT EXISTS ({gone})").fetchone() == (True,):
        rows = f"SELECT v.key, true AS {_GONE}, {moment} AS seen_at {gone}"
        write_rows(connection, directory, "customers", seen_at, rows)
        connection.execute(
            "UPDATE versions SET digest = NULL WHERE key NOT IN (SELECT key FROM customers)"
        )


def _filled(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The attributes that any customer has: a file need not hold columns of nothing."""
    counts = ", ".join(f"count({name}) > 0" for name in _columns("c", _CUSTOMERS.kept))
    row = connection.execute(f"SELECT {counts} FROM customers c").fetchall()[0]
    return [name for name, any_ in zip(_CUSTOMERS.kept, row, strict=True) if any_]


def append_people(connection: duckdb.DuckDBPyConnection, directory: Path, seen_at: datetime) -> int:
    """Write a version of each person that has changed, came or went."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT coalesce(p.id, v.id) AS id, "
        f"{', '.join(_columns('p', _PEOPLE.attributes))}, p.id IS NULL AS {_GONE}, "
        f"CASE WHEN p.id IS NOT NULL THEN {_digest(_PEOPLE, 'p')} END AS digest "
        "FROM (SELECT DISTINCT ON (id) * FROM people ORDER BY ALL) p "
        "FULL JOIN people_versions v ON v.id = p.id "
        f"WHERE p.id IS NULL OR v.digest IS DISTINCT FROM {_digest(_PEOPLE, 'p')}"
    )
    row = connection.execute("SELECT count(*) FROM fresh").fetchone()
    count = int(row[0]) if row else 0
    if count:
        moment = moment_literal(utc_without_zone(seen_at))
        rows = f"SELECT * EXCLUDE (digest), {moment} AS seen_at FROM fresh"
        write_rows(connection, directory, "people", seen_at, rows)
        connection.execute(
            "DELETE FROM people_versions USING fresh f WHERE people_versions.id = f.id"
        )
        connection.execute(
            f"INSERT INTO people_versions SELECT id, digest FROM fresh WHERE NOT {_GONE}"
        )
    connection.execute("DROP TABLE fresh")
    return count


def write_rows(
    connection: duckdb.DuckDBPyConnection, directory: Path, table: str, at: datetime, rows: str
) -> None:
    """Add a file with the rows of a query to the history of a table, durably."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{table}-{at.astimezone(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"
    temporary = directory / f"{name}.new"
    connection.execute(f"COPY ({rows}) TO {literal(str(temporary))} (FORMAT parquet)")
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    temporary.rename(directory / name)
    sync_directory(directory)
    connection.execute("INSERT INTO version_files VALUES (?)", [name])


def show_past(
    connection: duckdb.DuckDBPyConnection, directory: Path, moment: datetime, zone: str
) -> None:
    """Make the views `customers` and `people` show what was seen of them before a moment.

    A customer that was not seen by then has nothing but what never changes; a person is not there.
    """
    parts = {name: f"c.{identifier(name)}" for name in CUSTOMERS.by_name}
    parts |= {name: f"h.{identifier(name)}" for name in _CUSTOMERS.attributes}
    parts |= {
        "key": "coalesce(c.key, h.key)",
        "object": "coalesce(c.object, split_part(h.key, ':', 1))",
        "id": "coalesce(c.id, substr(h.key, instr(h.key, ':') + 1))",
        "created_at": "coalesce(c.created_at, h.created_at)",
        "first_seen_on": day_in_zone("h.first_seen_at", zone),
    }
    named = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in parts.items())
    connection.execute(
        f"CREATE OR REPLACE VIEW customers AS SELECT {named} FROM warehouse.main.customers c "
        f"FULL JOIN ({_last_sql(directory, _CUSTOMERS, moment)}) h ON h.key = c.key "
        f"WHERE h.{_GONE} IS NOT true"
    )
    connection.execute(
        f"CREATE OR REPLACE VIEW people AS SELECT {', '.join(_columns('h', PEOPLE.by_name))} "
        f"FROM ({_last_sql(directory, _PEOPLE, moment)}) h WHERE {_GONE} IS NOT true"
    )


def _last_sql(directory: Path, kind: _Kind, moment: datetime) -> str:
    """A query for the last version of each record that was seen before a moment."""
    names = (*kind.attributes, _GONE)
    picked = [f"last.{identifier(name)} AS {identifier(name)}" for name in names]
    fields = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in names)
    lasting = [f"max({identifier(name)}) AS {identifier(name)}" for name in kind.lasting]
    found = ", ".join(
        (
            f"arg_max(struct_pack({fields}), seen_at) AS last",
            "min(seen_at) AS first_seen_at",
            *lasting,
        )
    )
    shown = ", ".join([kind.key, "first_seen_at", *map(identifier, kind.lasting), *picked])
    return (
        f"SELECT {shown} FROM (SELECT {kind.key}, {found} FROM {_seen(directory, kind)} "
        f"WHERE seen_at < {moment_literal(utc_without_zone(moment))} GROUP BY {kind.key})"
    )


def _seen(directory: Path, kind: _Kind) -> str:
    """All versions of a kind, with all columns."""
    return all_rows(directory, kind.files, kind.typed)


def all_rows(directory: Path, files: str, typed: Iterable[str]) -> str:
    """A query for the rows of all files of a pattern. `typed`: all columns, as nulls of their
    types, because a file need not hold those that are empty in it."""
    nothing = f"SELECT {', '.join(typed)} WHERE false"
    if not any(directory.glob(files)):
        return f"({nothing})"
    found = f"read_parquet({literal(str(directory / files))}, union_by_name=true)"
    return f"({nothing} UNION ALL BY NAME SELECT * FROM {found})"
