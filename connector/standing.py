"""What stands in the CRM by our own hand, as tables beside the facts: episodes and holdings.

Rows travel from the journal to DuckDB as one NDJSON file: a bulk read is a thousand times cheaper
than inserting row by row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb
import msgspec

from connector.journal import Journal
from policies.lifecycle import STATE_TABLES
from policies.sql_expression import literal

_EPISODE_COLUMNS = {
    "customer": "VARCHAR",
    "rule": "VARCHAR",
    "number": "INTEGER",
    "stage": "VARCHAR",
    "evidence_key": "VARCHAR",
    "closed_at": "VARCHAR",
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


def load_standing(connection: duckdb.DuckDBPyConnection, journal: Journal) -> None:
    """Fill `open_episodes`, `closed_episodes` and `held` from the journal."""
    for statement in STATE_TABLES:
        connection.execute(statement)
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        episodes = Path(folder) / "episodes.ndjson"
        if _write_lines(episodes, journal.episodes(open_only=False)):
            source = _read_json(episodes, _EPISODE_COLUMNS)
            connection.execute(
                "INSERT INTO open_episodes SELECT customer, rule, number, stage, evidence_key "
                f"FROM {source} WHERE closed_at IS NULL"
            )
            connection.execute(
                "INSERT INTO closed_episodes SELECT customer, rule, max(number) "
                f"FROM {source} WHERE closed_at IS NOT NULL GROUP BY customer, rule"
            )
        holdings = Path(folder) / "holdings.ndjson"
        if _write_lines(holdings, journal.holdings()):
            connection.execute(_held_sql(_read_json(holdings, _HOLDING_COLUMNS)))


def _held_sql(source: str) -> str:
    note = "CASE WHEN kind = 'note' THEN {column} END"
    return f"""
INSERT INTO held
SELECT customer, rule,
  coalesce(list(target ORDER BY target) FILTER (kind = 'tag'), []),
  bool_or(kind = 'field'),
  max(CASE WHEN kind = 'field' THEN value END),
  max(CASE WHEN kind = 'field' THEN original END),
  max({note.format(column="target")}),
  max({note.format(column="remote_id")}),
  max({note.format(column="value")})
FROM {source} GROUP BY customer, rule"""


def _write_lines(path: Path, records: Iterable[object]) -> bool:
    """Write one JSON object a line; False when there was none."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for record in records:
            file.write(encoder.encode(record) + b"\n")
        return file.tell() > 0


def _read_json(path: Path, columns: dict[str, str]) -> str:
    shape = ", ".join(f"{name}: {literal(kind)}" for name, kind in columns.items())
    return f"read_json({literal(str(path))}, format = 'newline_delimited', columns = {{{shape}}})"
