"""One SQLite file, one connection, one lock: what every store of the sandbox stands on."""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_ID = 5_725_767_000_000_100_001

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, module TEXT NOT NULL, name TEXT, owner INTEGER,
    created INTEGER NOT NULL, modified INTEGER NOT NULL,
    created_by INTEGER NOT NULL, modified_by INTEGER NOT NULL,
    parent INTEGER, state TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_id ON records (module, id);
CREATE INDEX IF NOT EXISTS records_by_modified ON records (module, modified, id);
CREATE INDEX IF NOT EXISTS records_by_created ON records (module, created, id);
CREATE INDEX IF NOT EXISTS records_by_parent ON records (parent, id) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS tags (
    id INTEGER PRIMARY KEY, module TEXT NOT NULL, name TEXT NOT NULL, color TEXT,
    created INTEGER NOT NULL, author INTEGER NOT NULL, UNIQUE (module, name));
CREATE TABLE IF NOT EXISTS record_tags (
    record INTEGER NOT NULL, position INTEGER NOT NULL, tag INTEGER NOT NULL,
    PRIMARY KEY (record, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, status TEXT NOT NULL,
    profile TEXT NOT NULL, role TEXT NOT NULL, manager INTEGER, region TEXT, department TEXT,
    modified INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deleted (
    id INTEGER PRIMARY KEY, module TEXT NOT NULL, name TEXT, at INTEGER NOT NULL,
    by INTEGER NOT NULL, created_by INTEGER NOT NULL, type TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deleted_by_time ON deleted (module, at, id);
"""

HIGHEST_ID = """
SELECT max(id) FROM (
    SELECT max(id) AS id FROM records UNION ALL SELECT max(id) FROM tags
    UNION ALL SELECT max(id) FROM users UNION ALL SELECT max(id) FROM deleted)
"""


class Database:
    def __init__(self, path: Path | None = None) -> None:
        self._folder = None if path else tempfile.TemporaryDirectory(prefix="zoho-sandbox-")
        file = path or Path(self._folder.name if self._folder else ".") / "crm.sqlite"
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # The sandbox's data are made up: a power cut may take them, a test must not wait for them.
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + TABLES)
        self._lock = threading.RLock()
        self._depth = 0
        highest = self._connection.execute(HIGHEST_ID).fetchone()[0]
        self._next_id = max(FIRST_ID, (highest or 0) + 1)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; a nested one joins the outer."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def take_ids(self, count: int) -> range:
        with self._lock:
            first = self._next_id
            self._next_id += count
            return range(first, self._next_id)

    def reserve_up_to(self, highest: int) -> None:
        with self._lock:
            self._next_id = max(self._next_id, highest + 1)

    def secret(self, key: str) -> str:
        """Return a random value that stays the same for the life of the file."""
        with self.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, secrets.token_hex(16))
            )
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row[0])

    def close(self) -> None:
        with self._lock:
            self._connection.close()
        if self._folder:
            self._folder.cleanup()
