"""The staged copy of a CRM: one DuckDB file a workspace. Opens it, for one writer or for readers.

What is written into it stands in `staging`. The file is disposable: the CRM can fill it again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import duckdb

from connector import history
from connector.errors import RefusedError
from connector.mapping_sql import table_ddl
from connector.models import PrimitiveKind, Ref, Scalar
from connector.needs import Needs
from connector.row_shape import literal
from connector.written import chunks, insert_receipts
from policies.language.vocabulary import TABLES

SCHEMA_VERSION = 3
WAIT_SECONDS = 10.0
# DuckDB takes 100 to 150 MB beyond its limit; a load shares the process with the pull.
READING_MEMORY = "512MB"
WRITING_MEMORY = "320MB"
_POLL_SECONDS = 0.1
_HELD = ("Could not set lock", "Unique file handle conflict", "different configuration")
_PID = re.compile(r"\(PID (\d+)\)")

# What the warehouse knows beside the facts tables. `pulls` has one row an object; `versions` and
# `people_versions` are derived from the history; `written` are confirmed writes that no pull has
# shown yet; `contact_checks` are phones and addresses that were looked at, by country.
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


class Place(Protocol):
    """What of a workspace the warehouse needs to know."""

    @property
    def warehouse_path(self) -> Path: ...

    @property
    def history_path(self) -> Path: ...

    @property
    def zone(self) -> str: ...


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


class Warehouse:
    """One workspace's staged copy. Cheap to make; opens the file only inside its methods."""

    def __init__(
        self,
        place: Place,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = place.warehouse_path
        self.history_path = place.history_path
        self.zone = place.zone
        self._sleep = sleep
        self._clock = clock

    def exists(self) -> bool:
        """Whether something has been staged with this version of highseas."""
        connection = self._staged()
        if connection is None:
            return False
        connection.close()
        return True

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file itself, for one writer; made if need be.

        Raises RefusedError when it is held elsewhere for longer than 10 seconds.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = self._attached(read_only=False)
        try:
            connection.execute("USE warehouse")
            _create(connection)
            yield connection
        finally:
            connection.close()

    @contextmanager
    def reading(self, day: date | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Scratch space in memory with the staged tables under their plain names, read-only.

        With a `day` before the last pull, `customers` and `people` show what was known of them
        at the end of that day.
        Raises RefusedError when nothing is staged, or when the file is held by a writer.
        """
        connection = self._staged()
        if connection is None:
            message = "nothing has been pulled into this workspace yet"
            if self.path.exists():
                message = "the staged copy was written by another version of highseas"
            raise RefusedError(message, "run `highseas pull`: it fills it from the CRM")
        try:
            _show(connection)
            if day is not None and day < self._last_day(connection):
                history.show_day(connection, self.history_path, day, self.zone)
            yield connection
        finally:
            connection.close()

    def discard(self) -> None:
        """Remove the file; the history stays. The next pull fills it anew."""
        for name in (self.path.name, f"{self.path.name}.wal"):
            self.path.with_name(name).unlink(missing_ok=True)

    def pulls(self) -> dict[str, Pulled]:
        """How far each object is staged; empty when nothing is."""
        rows = self._ask(
            "SELECT object, watermark, full_at, pulled_at, walk, paths, orphans, readable, "
            "recipe FROM pulls"
        )
        return {name: Pulled(*map(_aware, rest)) for name, *rest in rows}

    def stage_receipts(self, receipts: Iterable[Receipt]) -> None:
        """Show confirmed writes in `customers`, until a later pull brings the record itself."""
        parts = chunks(receipts)
        first = next(parts, None)
        if first is not None:
            with self.writing() as connection:
                insert_receipts(connection, chain([first], parts))

    def staged_receipt_seq(self) -> int:
        """The last receipt that was staged; 0 after the warehouse was filled anew."""
        rows = self._ask("SELECT value FROM meta WHERE name = 'receipt'")
        return int(rows[0][0]) if rows else 0

    def lacks(self, needs: Needs) -> frozenset[str]:
        """What of a policy's needs the staged copy does not hold until the next pull."""
        known = dict(self._ask("SELECT name, value FROM meta"))
        fields = frozenset(filter(None, known.get("fields", "").split("\n")))
        derived = frozenset(filter(None, known.get("derived", "").split("\n")))
        return (needs.fields - fields) | (needs.derived - derived)

    def _ask(self, sql: str) -> list[Any]:
        connection = self._staged()
        if connection is None:
            return []
        try:
            return connection.execute(sql.replace("FROM ", "FROM warehouse.main.")).fetchall()
        finally:
            connection.close()

    def _staged(self) -> duckdb.DuckDBPyConnection | None:
        """The file, read-only, if it is there and of this version."""
        if not self.path.exists():
            return None
        try:
            connection = self._attached(read_only=True)
        except duckdb.Error:
            return None
        try:
            rows = connection.execute(
                "SELECT value FROM warehouse.main.meta WHERE name = 'schema'"
            ).fetchall()
        except duckdb.CatalogException:
            rows = []
        if rows == [(str(SCHEMA_VERSION),)]:
            return connection
        connection.close()
        return None

    def _attached(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = self._scratch(READING_MEMORY if read_only else WRITING_MEMORY)
        mode = " (READ_ONLY)" if read_only else ""
        try:
            self._attach(connection, f"ATTACH {literal(str(self.path))} AS warehouse{mode}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _attach(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        deadline = self._clock() + WAIT_SECONDS
        while True:
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                text = str(error)
                if not any(phrase in text for phrase in _HELD):
                    raise
                if self._clock() >= deadline:
                    raise RefusedError(
                        f"the staged copy is in use by {_holder(text)}",
                        "wait until it is done, or end it, then run the command again",
                    ) from None
                self._sleep(_POLL_SECONDS)
            else:
                return

    def _scratch(self, memory: str) -> duckdb.DuckDBPyConnection:
        settings: dict[str, Any] = {
            "threads": min(os.cpu_count() or 1, 4),
            "memory_limit": memory,
            "temp_directory": str(self.path.with_name("temporary")),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _last_day(self, connection: duckdb.DuckDBPyConnection) -> date:
        row = connection.execute("SELECT value FROM meta WHERE name = 'loaded_on'").fetchone()
        return date.fromisoformat(row[0]) if row else date.min


def get_meta(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return str(row[0]) if row else ""


def set_meta(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    connection.execute("DELETE FROM meta WHERE name = ?", [name])
    connection.execute("INSERT INTO meta VALUES (?, ?)", [name, value])


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS staged")
    for ddl in (*map(table_ddl, TABLES), *_OWN_TABLES):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {ddl}")
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if row is None:
        set_meta(connection, "schema", str(SCHEMA_VERSION))


def _show(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE database_name = 'warehouse' AND schema_name = 'main'"
    ).fetchall()
    for (name,) in rows:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM warehouse.main.{name}")


def _holder(message: str) -> str:
    found = _PID.search(message)
    return f"process {found[1]}" if found else "another part of this process"


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
