"""What stands in the CRM by our own hand, as tables beside the facts: episodes and holdings.

Rows travel from the journal to DuckDB as one NDJSON file: a bulk read is a thousand times cheaper
than inserting row by row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from connector.journal import Journal
from policies.evaluation.sql_text import literal
from policies.lifecycle import STATE_TABLES

_CHUNK = 10_000
_EPISODE_COLUMNS = {
    "customer": "VARCHAR",
    "rule": "VARCHAR",
    "number": "INTEGER",
    "stage": "VARCHAR",
    "evidence_key": "VARCHAR",
    "ended": "BOOLEAN",
}
_HOLDING_COLUMNS = {
    "customer": "VARCHAR",
    "rule": "VARCHAR",
    "kind": "VARCHAR",
    "target": "VARCHAR",
    "value": "VARCHAR",
    "original": "VARCHAR",
    "remote_id": "VARCHAR",
}
_RECENT_COLUMNS = {"customer": "VARCHAR", "rule": "VARCHAR"}


def load_standing(
    connection: duckdb.DuckDBPyConnection, journal: Journal, customer: str | None = None
) -> None:
    """Fill `open_episodes`, `closed_episodes` and `held` from the journal; of all customers, or of
    one."""
    for statement in STATE_TABLES:
        connection.execute(statement)
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        episodes = Path(folder) / "episodes.ndjson"
        if _write_lines(episodes, _EPISODE_COLUMNS, journal.standing_episodes(customer)):
            source = _read_json(episodes, _EPISODE_COLUMNS)
            connection.execute(
                "INSERT INTO open_episodes SELECT customer, rule, number, stage, evidence_key "
                f"FROM {source} WHERE NOT ended"
            )
            connection.execute(
                "INSERT INTO closed_episodes SELECT customer, rule, max(number) "
                f"FROM {source} WHERE ended GROUP BY customer, rule"
            )
        holdings = Path(folder) / "holdings.ndjson"
        if _write_lines(holdings, _HOLDING_COLUMNS, journal.standing_holdings(customer)):
            connection.execute(_held_sql(_read_json(holdings, _HOLDING_COLUMNS)))


def load_recent(
    connection: duckdb.DuckDBPyConnection, journal: Journal, since: datetime | None
) -> None:
    """Fill `recent`: which customers entered which rule since a moment; empty for None."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE recent ({_columns(_RECENT_COLUMNS)})")
    if since is None:
        return
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        path = Path(folder) / "recent.ndjson"
        if _write_lines(path, _RECENT_COLUMNS, journal.entered_since(since)):
            connection.execute(f"INSERT INTO recent FROM {_read_json(path, _RECENT_COLUMNS)}")


def _columns(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _held_sql(source: str) -> str:
    note = "CASE WHEN kind = 'note' THEN {column} END"
    return f"""
INSERT INTO held
SELECT customer, rule,
  coalesce(list(target ORDER BY target) FILTER (kind = 'tag' AND value = 'true'), []),
  bool_or(kind = 'field'),
  max(CASE WHEN kind = 'field' THEN value END),
  max(CASE WHEN kind = 'field' THEN original END),
  max({note.format(column="target")}),
  max({note.format(column="remote_id")}),
  max({note.format(column="value")})
FROM {source} GROUP BY customer, rule"""


def _write_lines(path: Path, names: Iterable[str], rows: Iterator[tuple[Any, ...]]) -> bool:
    """Write one JSON object a line; False when there was none."""
    keys = tuple(names)
    encode = msgspec.json.Encoder().encode_lines
    with path.open("wb") as file:
        while chunk := list(islice(rows, _CHUNK)):
            records = [dict(zip(keys, row, strict=True)) for row in chunk]
            file.write(encode(records))
        return file.tell() > 0


def _read_json(path: Path, columns: dict[str, str]) -> str:
    shape = ", ".join(f"{name}: {literal(kind)}" for name, kind in columns.items())
    return f"read_json({literal(str(path))}, format = 'newline_delimited', columns = {{{shape}}})"
