"""Records of events as they stood before the CRM changed them: an earlier day is decided from them.

Append-only Parquet beside the versions of customers: the rows of each record that a load found
changed, with the moment until which they stood. Of those that stay nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import duckdb

from connector.facts import leaving
from connector.history import all_rows, write_rows
from connector.row_shape import identifier
from policies.evaluation.sql_text import literal, moment_literal
from policies.language.vocabulary import EVENTS, SQL_TYPES
from policies.moment import utc_without_zone

# A record that had no row yet, or no more.
_ABSENT = "absent"
_RECORD = {"source": "VARCHAR", "id": "VARCHAR", "until": "TIMESTAMP"}
_KEPT: Mapping[str, Mapping[str, str]] = {
    _ABSENT: _RECORD,
    **{
        name: {**{c.name: SQL_TYPES[c.type] for c in table.columns}, "until": "TIMESTAMP"}
        for name, table in EVENTS.items()
    },
}
_SAME_RECORD = "ON r.source = t.source AND r.id = t.id"
# Activities have flags that hang on what stands beside them.
_FLAGGED = "activities"


def remember_flags(connection: duckdb.DuckDBPyConnection, came: str) -> None:
    """Keep how activities are flagged that a build did not make, before it marks them anew: what
    came or went beside them may change it. `came`: a condition for those that it made."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE flagged AS "
        f"FROM {_FLAGGED} WHERE ({came}) IS NOT true AND (mass OR burst)"
    )


def keep_superseded(
    connection: duckdb.DuckDBPyConnection,
    directory: Path,
    made: Mapping[str, str],
    known: Collection[str],
    flags: Collection[str],
    at: datetime,
) -> None:
    """Keep how the records stood that a build changed.

    `made`: of each table that was made anew, a condition for the rows of which that holds; what
    stood there before is in `leaving(table)`. `known`: the objects that were staged before. A
    record of theirs that came without a time of recording, or with one from before the last pull,
    which did not show it, counts as recorded since: it was made then, or brought back.
    `flags`: those of activities that were known before, and are now.
    """
    if not (known and made):
        return
    listed = ", ".join(map(literal, sorted(known)))
    came = [
        f"SELECT source, id, recorded_at FROM {table} ANTI JOIN (SELECT {_told(table, flags)} AS d "
        f"FROM {leaving(table)}) o ON o.d = {_told(table, flags)} "
        f"WHERE ({rows}) AND source IN ({listed})"
        for table, rows in made.items()
    ]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE came AS {' UNION ALL '.join(came)}")
    changed = [
        "SELECT c.source, c.id FROM came c JOIN pulls p ON p.object = c.source "
        "WHERE c.recorded_at IS NULL OR c.recorded_at < p.pulled_at"
    ]
    for table, rows in made.items():
        changed += [
            f"SELECT source, id FROM {leaving(table)} ANTI JOIN (SELECT {_told(table, flags)} AS d "
            f"FROM {table} WHERE {rows}) n ON n.d = {_told(table, flags)}",
            f"SELECT t.source, t.id FROM {leaving(table)} t SEMI JOIN came r {_SAME_RECORD}",
        ]
    if flags and _FLAGGED in made:
        changed += _reflagged(f"({made[_FLAGGED]}) IS NOT true", flags)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE changed AS {' UNION '.join(changed)}")
    if connection.execute("SELECT EXISTS (FROM changed)").fetchone() == (True,):
        _write(connection, directory, made, flags, at)


def _reflagged(stayed: str, flags: Collection[str]) -> Iterator[str]:
    """Records of activities that a build did not make, of which a flag is another one now."""
    flagged = f"(FROM {_FLAGGED} WHERE {stayed} AND ({' OR '.join(sorted(flags))}))"
    for those, others in (("flagged", flagged), (flagged, "flagged")):
        yield (
            f"SELECT source, id FROM {those} ANTI JOIN (SELECT {_told(_FLAGGED, flags)} AS d "
            f"FROM {others}) o ON o.d = {_told(_FLAGGED, flags)}"
        )


def _stayed(table: str, came: str, flags: Collection[str]) -> str:
    """Rows that a build did not make, as they stood before it."""
    rows = f"FROM {table} WHERE ({came}) IS NOT true"
    if table != _FLAGGED or not flags:
        return rows
    former = ", ".join(f"f.{flag} AS {flag}" for flag in sorted(flags))
    digest = _told(table, ())
    return (
        f"SELECT t.* EXCLUDE (d) REPLACE ({former}) FROM (SELECT *, {digest} AS d {rows}) t "
        f"LEFT JOIN (SELECT DISTINCT ON (d) {digest} AS d, mass, burst FROM flagged) f ON f.d = t.d"
    )


def _write(
    connection: duckdb.DuckDBPyConnection,
    directory: Path,
    made: Mapping[str, str],
    flags: Collection[str],
    at: datetime,
) -> None:
    """All rows that the changed records had, in whichever tables."""
    moment = f"{moment_literal(utc_without_zone(at))} AS until"
    had = []
    for table in EVENTS:
        before = table
        if table in made:
            stayed = _stayed(table, made[table], flags)
            before = f"(FROM {leaving(table)} UNION ALL BY NAME ({stayed}))"
        rows = f"SELECT t.*, {moment} FROM {before} t SEMI JOIN changed r {_SAME_RECORD}"
        name = identifier(f"stood {table}")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}")
        had.append(f"SELECT source, id FROM {name}")
        _write_any(connection, directory, table, f"FROM {name}", at)
    absent = f"SELECT t.*, {moment} FROM changed t ANTI JOIN ({' UNION ALL '.join(had)}) r "
    _write_any(connection, directory, _ABSENT, absent + _SAME_RECORD, at)


def _write_any(
    connection: duckdb.DuckDBPyConnection, directory: Path, table: str, rows: str, at: datetime
) -> None:
    if connection.execute(f"SELECT EXISTS ({rows})").fetchone() == (True,):
        write_rows(connection, directory, table, at, rows)


def _told(table: str, flags: Collection[str]) -> str:
    """One number for all that the CRM says in a row, and for these of its flags."""
    told = (c.name for c in EVENTS[table].columns if not c.derived or c.name in flags)
    return f"hash({', '.join(map(identifier, told))})"


def show_superseded(
    connection: duckdb.DuckDBPyConnection, directory: Path, moment: datetime
) -> None:
    """Make the views of events show them as they had been seen before a moment."""
    later = f"until >= {moment_literal(utc_without_zone(moment))}"
    found = [
        f"SELECT source, id, until FROM {_kept(directory, name, _RECORD)} WHERE {later}"
        for name in _KEPT
        if any(directory.glob(_files(name)))
    ]
    if not found:
        return
    connection.execute(
        "CREATE TABLE superseded AS SELECT source, id, min(until) AS until "
        f"FROM ({' UNION ALL '.join(found)}) GROUP BY source, id"
    )
    for name, table in EVENTS.items():
        columns = ", ".join(f"t.{identifier(column)}" for column in table.by_name)
        connection.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} FROM warehouse.main.{name} t "
            f"ANTI JOIN superseded r {_SAME_RECORD} UNION ALL "
            f"SELECT {columns} FROM {_kept(directory, name, _KEPT[name])} t "
            f"SEMI JOIN superseded r {_SAME_RECORD} AND r.until = t.until"
        )


def _kept(directory: Path, name: str, columns: Mapping[str, str]) -> str:
    return all_rows(directory, _files(name), _typed(columns.items()))


def _files(name: str) -> str:
    return f"{name}-*.parquet"


def _typed(columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, kind in columns:
        yield f"CAST(NULL AS {kind}) AS {identifier(name)}"
