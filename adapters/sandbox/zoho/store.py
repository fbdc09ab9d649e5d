"""A made-up Zoho organisation: what tests load, edit behind the client's back, and compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from adapters.sandbox.zoho.catalogue import Catalogue
from adapters.sandbox.zoho.clock import OrgClock, utc_now
from adapters.sandbox.zoho.database import FIRST_ID, Database
from adapters.sandbox.zoho.modules import CATALOGUE
from adapters.sandbox.zoho.people import NewUser, People
from adapters.sandbox.zoho.records import Record, Records
from adapters.sandbox.zoho.tags import Tags


class Store:
    """Ids go in and come out as decimal strings; moments as ISO text or aware datetimes.

    Edits without `by` are made by the API user, the one that the connector acts for.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        zone: str = "Asia/Shanghai",
        now: Callable[[], datetime] = utc_now,
        catalogue: Catalogue = CATALOGUE,
    ) -> None:
        self.catalogue = catalogue
        self.clock = OrgClock(zone, now)
        self.database = Database(path)
        self.people = People(self.database, self.clock)
        self.records = Records(self.database, self.clock, catalogue)
        self.tags = Tags(self.database, self.clock)
        self.api_user = str(self.people.api_user)
        self.organisation = str(FIRST_ID - 1_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.database.close()

    def add_user(self, user: NewUser) -> str:
        return self.people.add(user)

    def insert(self, module: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Insert rows keyed by API name; `Tag` may be a list of names."""
        listed = list(rows)
        author = self.people.api_user
        with self.database.writing():
            numbers = self.records.insert(module, listed, author)
            wanted = {n: row["Tag"] for n, row in zip(numbers, listed, strict=True) if "Tag" in row}
            names = (name for tags in wanted.values() for name in tags)
            known = self.tags.ensure(module, names, author)
            self.tags.replace({n: [known[name] for name in tags] for n, tags in wanted.items()})
        return [str(number) for number in numbers]

    def edit(
        self, module: str, record: str, values: Mapping[str, Any], by: str | None = None
    ) -> None:
        with self.database.writing():
            self.records.change(self._require(record, module), values, self._author(by))

    def add_tag(self, record: str, name: str, by: str | None = None, *, bump: bool = True) -> None:
        with self.database.writing():
            found = self._require(record)
            author = self._author(by)
            tag = self.tags.ensure(found.module, [name], author)[name]
            held = self.tags.held([found.id]).get(found.id, [])
            self.tags.replace({found.id: [*(t for t in held if t.id != tag.id), tag]})
            if bump:
                self.records.touch(found.id, author)

    def remove_tag(
        self, record: str, name: str, by: str | None = None, *, bump: bool = True
    ) -> None:
        with self.database.writing():
            found = self._require(record)
            held = self.tags.held([found.id]).get(found.id, [])
            self.tags.replace({found.id: [tag for tag in held if tag.name != name]})
            if bump:
                self.records.touch(found.id, self._author(by))

    def add_note(self, record: str, content: str, title: str = "", by: str | None = None) -> str:
        author = str(self._author(by))
        note = {
            "Note_Title": title or None,
            "Note_Content": content,
            "Parent_Id": str(self._require(record).id),
            **dict.fromkeys(("Owner", "Created_By", "Modified_By"), author),
        }
        return self.insert("Notes", [note])[0]

    def delete(self, record: str, by: str | None = None, *, permanent: bool = False) -> None:
        kind = "permanent" if permanent else "recycle"
        with self.database.writing():
            self.records.delete(self._require(record), self._author(by), kind)

    def lock(self, record: str, code: str | None = "RECORD_LOCKED") -> None:
        """Make writes to a record fail with this code (RECORD_LOCKED, NOT_APPROVED, ...)."""
        self.records.set_state(self._require(record).id, code)

    def unlock(self, record: str) -> None:
        self.lock(record, None)

    def count(self, module: str) -> int:
        with self.database.reading() as connection:
            query = "SELECT count(*) FROM records WHERE module = ?"
            return int(connection.execute(query, (module,)).fetchone()[0])

    def values(self, record: str) -> dict[str, Any]:
        """Return one record's stored fields, with Owner and the names of its tags."""
        found = self._require(record)
        tags = [tag.name for tag in self.tags.held([found.id]).get(found.id, [])]
        return {**found.values, "Owner": str(found.owner), "Tag": tags}

    def snapshot(self) -> dict[str, str]:
        """Return all that a user could see, as "Module:id" -> canonical JSON.

        Fields, owner, tags, and notes as records of their own; no times of change, no tag
        definitions: two equal snapshots are the same CRM to its users.
        """
        with self.database.reading():
            tags = self.tags.names_held()
            rows = self.records.everything()
        return {
            f"{row.module}:{row.id}": json.dumps(
                [row.body, row.owner, row.parent, tags.get(row.id, [])], ensure_ascii=False
            )
            for row in rows
        }

    def _require(self, record: str, module: str | None = None) -> Record:
        found = self.records.get(int(record), module)
        if found is None:
            raise LookupError(f"the sandbox holds no record {record}")
        return found

    def _author(self, user: str | None) -> int:
        return int(user) if user else self.people.api_user
