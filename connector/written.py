"""Confirmed writes laid over the staged customers, until a later pull shows the record itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

import duckdb

from connector.models import PrimitiveKind, Ref, Scalar
from connector.row_shape import identifier
from connector.warehouse_tables import get_meta, set_meta, table_names
from policies.evaluation.sql_text import literal
from policies.moment import utc_without_zone

_CHUNK = 10_000
_SHOWN = frozenset(
    {
        PrimitiveKind.ADD_TAG,
        PrimitiveKind.REMOVE_TAG,
        PrimitiveKind.SET_FIELD,
        PrimitiveKind.CHANGE_OWNER,
    }
)
_TAGS = """
WITH last AS (
  SELECT key, target, arg_max(kind, seq) AS kind FROM written
  WHERE kind IN ('add_tag', 'remove_tag') GROUP BY key, target
), overlay AS (
  SELECT key, list(target) AS touched,
    coalesce(list(target ORDER BY target) FILTER (kind = 'add_tag'), CAST([] AS VARCHAR[])) AS added
  FROM last GROUP BY key
)
UPDATE customers SET tags =
  list_concat([t FOR t IN customers.tags IF NOT list_contains(touched, t)], added)
FROM overlay WHERE overlay.key = customers.key
"""
_STATUS = """
WITH overlay AS (
  SELECT key, arg_max(ROW(after), seq) AS last FROM written WHERE {condition} GROUP BY key
)
UPDATE customers SET status = last[1] FROM overlay WHERE overlay.key = customers.key
"""
_OWNER = """
WITH overlay AS (
  SELECT key, arg_max(ROW(after, written_at), seq) AS last FROM written
  WHERE kind = 'change_owner' GROUP BY key
)
UPDATE customers SET owner_id = last[1],
  owned_since = CASE WHEN last[1] IS NOT NULL THEN last[2] END
FROM overlay WHERE overlay.key = customers.key AND owner_id IS DISTINCT FROM last[1]
"""


class Receipt(Protocol):
    """A confirmed write, as the journal tells it."""

    @property
    def seq(self) -> int: ...

    @property
    def at(self) -> datetime: ...

    @property
    def ref(self) -> Ref: ...

    @property
    def kind(self) -> PrimitiveKind: ...

    @property
    def target(self) -> str: ...

    @property
    def after(self) -> Scalar: ...


def chunks(receipts: Iterable[Receipt]) -> Iterator[list[Receipt]]:
    """Receipts in lists that fit in memory."""
    waiting = iter(receipts)
    while chunk := list(islice(waiting, _CHUNK)):
        yield chunk


def insert_receipts(
    connection: duckdb.DuckDBPyConnection, parts: Iterable[Sequence[Receipt]]
) -> None:
    """Stage receipts in one transaction. Those that a later pull has overtaken are passed over."""
    last = 0
    connection.begin()
    try:
        for part in parts:
            last = max(last, *(item.seq for item in part))
            shown = [item for item in part if item.kind in _SHOWN]
            connection.execute(
                "INSERT INTO written SELECT unnest($1::BIGINT[]), unnest($2::TIMESTAMP[]), "
                "unnest($3::VARCHAR[]), unnest($4::VARCHAR[]), unnest($5::VARCHAR[]), "
                "unnest($6::VARCHAR[])",
                [
                    [item.seq for item in shown],
                    [utc_without_zone(item.at) for item in shown],
                    [str(item.ref) for item in shown],
                    [item.kind.value for item in shown],
                    [item.target for item in shown],
                    [_text(item.after) for item in shown],
                ],
            )
        forget_overtaken(connection)
        lay_over(connection)
        set_meta(connection, "receipt", str(last))
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def forget_overtaken(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop writes to records whose staged state was asked for after the write."""
    rows = connection.execute("SELECT DISTINCT split_part(key, ':', 1) FROM written").fetchall()
    for name in {name for (name,) in rows} & table_names(connection, "staged"):
        key = f'{literal(name + ":")} || s.":id"'
        connection.execute(
            f"DELETE FROM written USING staged.{identifier(name)} s "
            f'WHERE written.key = {key} AND written.written_at < s.":pulled_at"'
        )


def lay_over(connection: duckdb.DuckDBPyConnection) -> None:
    """Show in `customers` what is in `written`. Doing it twice changes nothing."""
    if connection.execute("SELECT count(*) FROM written").fetchone() == (0,):
        return
    connection.execute(_TAGS)
    status_field = get_meta(connection, "status_field")
    if status_field:
        condition = f"kind = 'set_field' AND target = {literal(status_field)}"
        connection.execute(_STATUS.format(condition=condition))
    connection.execute(_OWNER)


def _text(value: Scalar) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
