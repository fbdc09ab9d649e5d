"""A plan's rows into their table, in bulk: the one place where the driver is spoken to directly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from sqlalchemy import Compiled, Connection, Dialect, insert

from connector.journal_schema import plan_rows

CHUNK = 1_000
# Rows a statement where values go by position: fewer statements to start, well below the 999
# values that an old SQLite takes.
GROUP = 50

NAMES = [column.name for column in plan_rows.columns]


def insert_rows(connection: Connection, records: Iterator[tuple[Any, ...]]) -> None:
    """Insert values that come in the order of the table's columns. The statement is compiled once
    and handed to the driver as it is: per-row parameter processing would cost as much as the
    encoding and the database together."""
    compiled = compiled_insert(connection.dialect)
    while chunk := list(islice(records, CHUNK)):
        for statement, values in driver_calls(compiled, chunk):
            connection.exec_driver_sql(statement, values)


def compiled_insert(dialect: Dialect) -> Compiled:
    """The statement that inserts one row, with the driver's own placeholders."""
    return insert(plan_rows).compile(dialect=dialect, column_keys=NAMES)


def driver_calls(
    compiled: Compiled, chunk: list[tuple[Any, ...]]
) -> Iterator[tuple[str, list[Any]]]:
    """Statements with their values in the form of the driver's own placeholders."""
    one = str(compiled)
    if getattr(compiled, "positiontup", None) != NAMES:
        yield one, [dict(zip(NAMES, row, strict=True)) for row in chunk]
        return
    whole = len(chunk) // GROUP * GROUP
    if whole:
        head, values, marks = one.partition(" VALUES ")
        groups = (chunk[at : at + GROUP] for at in range(0, whole, GROUP))
        many = head + values + ", ".join([marks] * GROUP)
        yield many, [tuple(chain.from_iterable(group)) for group in groups]
    if chunk[whole:]:
        yield one, chunk[whole:]
