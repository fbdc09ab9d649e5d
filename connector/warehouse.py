"""The staged copy of a CRM: one DuckDB file a workspace. Opens it, for one writer or for readers.

What is written into it stands in `staging`. The file is disposable: the CRM can fill it again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from connector import history, superseded
from connector.errors import RefusedError
from connector.needs import Needs
from connector.warehouse_tables import (
    SCHEMA_VERSION,
    Pulled,
    create_tables,
    get_meta,
    get_pulls,
    table_names,
)
from connector.written import Receipt, chunks, insert_receipts
from policies.evaluation.sql_text import literal

WAIT_SECONDS = 10.0
# DuckDB takes 100 to 150 MB beyond its limit; a load shares the process with the pull.
READING_MEMORY = "512MB"
WRITING_MEMORY = "320MB"
_POLL_SECONDS = 0.1
_HELD = ("Could not set lock", "Unique file handle conflict", "different configuration")
_PID = re.compile(r"\(PID (\d+)\)")
_Answer = TypeVar("_Answer")


class Place(Protocol):
    """What of a workspace the warehouse needs to know."""

    @property
    def warehouse_path(self) -> Path: ...

    @property
    def history_path(self) -> Path: ...

    @property
    def zone(self) -> str: ...


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
        return self._ask(lambda _: True) is not None

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file itself, for one writer; made if need be.

        Raises RefusedError when it is held elsewhere for longer than 10 seconds.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = self._attached(read_only=False)
        try:
            connection.execute("USE warehouse")
            create_tables(connection)
            yield connection
        finally:
            connection.close()

    @contextmanager
    def reading(self, known_by: datetime | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Scratch space in memory with the staged tables under their plain names, read-only.

        With `known_by`, customers, people and events are shown as they had been seen before that
        moment; else as they were seen last.
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
            if known_by is not None:
                history.show_past(connection, self.history_path, known_by, self.zone)
                superseded.show_superseded(connection, self.history_path, known_by)
            yield connection
        finally:
            connection.close()

    def discard(self) -> None:
        """Remove the file; the history stays. The next pull fills it anew."""
        for name in (self.path.name, f"{self.path.name}.wal"):
            self.path.with_name(name).unlink(missing_ok=True)

    def pulls(self) -> dict[str, Pulled]:
        """How far each object is staged; empty when nothing is."""
        return self._ask(get_pulls) or {}

    def stage_receipts(self, receipts: Iterable[Receipt]) -> None:
        """Show confirmed writes in `customers`, until a later pull brings the record itself."""
        parts = chunks(receipts)
        first = next(parts, None)
        if first is not None:
            with self.writing() as connection:
                insert_receipts(connection, chain([first], parts))
                self._remember_written(connection)

    def _remember_written(self, connection: duckdb.DuckDBPyConnection) -> None:
        """What was written is known from then on, not from the next pull."""
        found = connection.execute("SELECT max(written_at) FROM written").fetchall()[0][0]
        if found is not None:
            at, scope = found.replace(tzinfo=UTC), "c.key IN (SELECT key FROM written)"
            history.sync_versions(connection, self.history_path, self.zone)
            history.append_versions(connection, self.history_path, self.zone, at, scope)

    def staged_receipt_seq(self) -> int | None:
        """The last receipt that was staged; 0 after the warehouse was filled anew, None while
        nothing is staged."""
        return self._ask(lambda db: int(get_meta(db, "receipt") or 0))

    def lacks(self, needs: Needs) -> frozenset[str]:
        """What of a policy's needs the staged copy does not hold until the next pull; nothing
        while there is no copy."""
        known = self._ask(lambda db: [get_meta(db, name) for name in ("fields", "derived")])
        if known is None:
            return frozenset()
        fields, derived = (text.split("\n") for text in known)
        return needs.fields.difference(fields) | needs.derived.difference(derived)

    def _ask(self, question: Callable[[duckdb.DuckDBPyConnection], _Answer]) -> _Answer | None:
        """The answer of the file; None when nothing is staged."""
        connection = self._staged()
        if connection is None:
            return None
        with closing(connection):
            return question(connection)

    def _staged(self) -> duckdb.DuckDBPyConnection | None:
        """The file, read-only, if it is there and of this version."""
        if not self.path.exists():
            return None
        try:
            connection = self._attached(read_only=True)
        except duckdb.Error:
            return None
        try:
            version = get_meta(connection, "schema")
        except duckdb.CatalogException:
            version = ""
        if version == str(SCHEMA_VERSION):
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


def _show(connection: duckdb.DuckDBPyConnection) -> None:
    for name in table_names(connection, "main"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM warehouse.main.{name}")


def _holder(message: str) -> str:
    found = _PID.search(message)
    return f"process {found[1]}" if found else "another part of this process"
