"""Records of every module: bulk insert, change, delete, and pages in a stable order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from adapters.sandbox.zoho.catalogue import SYSTEM, Catalogue, Module
from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.database import Database

COLUMNS = "id, module, name, owner, created, modified, created_by, modified_by, parent, state, body"
OWN_COLUMNS = {field.api_name for field in SYSTEM} | {"Parent_Id"}
HIGHEST_ID = 2**63 - 1
SORT_COLUMNS = {"id": "id", "Created_Time": "created", "Modified_Time": "modified"}
INSERT = f"INSERT INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Record(NamedTuple):
    id: int
    module: str
    name: str | None
    owner: int | None
    created: int
    modified: int
    created_by: int
    modified_by: int
    parent: int | None
    state: str | None
    body: str

    @property
    def values(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


class Deletion(NamedTuple):
    id: int
    module: str
    name: str | None
    at: int
    by: int
    created_by: int
    type: str


@dataclass(frozen=True)
class Walk:
    """Which rows, in which order, from where: one page of a list."""

    module: str
    limit: int
    sort_by: str = "id"
    descending: bool = True
    since: int | None = None
    ids: tuple[int, ...] | None = None
    parent: int | None = None
    after: tuple[int, int] | None = None
    offset: int = 0


def reference_id(value: Any) -> int | None:
    """Return the id in "123", 123 or {"id": "123"}; None when there is none."""
    inner = value.get("id") if isinstance(value, dict) else value
    if isinstance(inner, bool) or not isinstance(inner, str | int):
        return None
    return _number(str(inner))


@lru_cache(maxsize=4_096)
def _number(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() else HIGHEST_ID + 1
    return number if number <= HIGHEST_ID else None


class Records:
    def __init__(self, database: Database, clock: OrgClock, catalogue: Catalogue) -> None:
        self._database = database
        self._clock = clock
        self._catalogue = catalogue
        self._encoder = json.JSONEncoder(
            sort_keys=True, ensure_ascii=False, default=clock.json_value
        )

    def insert(self, module: str, rows: Iterable[Mapping[str, Any]], author: int) -> list[int]:
        """Insert in one transaction; ids, owners and times may be given, else they are made."""
        listed = list(rows)
        fresh = iter(self._database.take_ids(len(listed)))
        now = self._clock.now()
        kind = self._catalogue[module]
        known = frozenset(kind.fields)
        encoded = []
        for row in listed:
            if not known >= row.keys():
                raise ValueError(f"{module} has no field {min(row.keys() - known)!r}")
            encoded.append(self._encode(kind, row, next(fresh), author, now))
        with self._database.writing() as connection:
            connection.executemany(INSERT, encoded)
        numbers = [entry[0] for entry in encoded]
        self._database.reserve_up_to(max(numbers, default=0))
        return numbers

    def _encode(
        self, kind: Module, row: Mapping[str, Any], fresh: int, author: int, now: int
    ) -> tuple[Any, ...]:
        given, created, modified = row.get("id"), row.get("Created_Time"), row.get("Modified_Time")
        born = now if created is None else self._clock.seconds(created)
        values = {k: v for k, v in row.items() if v is not None and k not in OWN_COLUMNS}
        for lookup in kind.lookups:
            if lookup in values:
                values[lookup] = str(reference_id(values[lookup]))
        maker = reference_id(row.get("Created_By")) or author
        return (
            fresh if given is None else int(given),
            kind.api_name,
            row.get(kind.name_field),
            reference_id(row.get("Owner")) or author,
            born,
            born if modified is None else self._clock.seconds(modified),
            maker,
            reference_id(row.get("Modified_By")) or maker,
            reference_id(row.get("Parent_Id")),
            None,
            self._encoder.encode(values),
        )

    def change(self, record: Record, values: Mapping[str, Any], author: int) -> Record:
        """Write fields (and Owner); None clears. Modified_Time moves even if nothing differs."""
        body = record.values
        body.update({k: v for k, v in values.items() if k not in OWN_COLUMNS})
        body = {k: v for k, v in body.items() if v is not None}
        owner = reference_id(values["Owner"]) if values.get("Owner") else record.owner
        name = body.get(self._catalogue[record.module].name_field)
        now = self._clock.now()
        changed = record._replace(
            name=name,
            owner=owner,
            modified=now,
            modified_by=author,
            body=self._encoder.encode(body),
        )
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE records SET name = ?, owner = ?, modified = ?, modified_by = ?, body = ?"
                " WHERE id = ?",
                (name, owner, now, author, changed.body, record.id),
            )
        return changed

    def touch(self, record: int, author: int) -> None:
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE records SET modified = ?, modified_by = ? WHERE id = ?",
                (self._clock.now(), author, record),
            )

    def set_owner(self, record: int, owner: int) -> None:
        with self._database.writing() as connection:
            connection.execute("UPDATE records SET owner = ? WHERE id = ?", (owner, record))

    def set_state(self, record: int, state: str | None) -> None:
        with self._database.writing() as connection:
            connection.execute("UPDATE records SET state = ? WHERE id = ?", (state, record))

    def delete(self, record: Record, author: int, kind: str = "recycle") -> None:
        """Move a record and its notes to the list of deletions."""
        with self._database.writing() as connection:
            rows = [record, *self._select("parent = ?", (record.id,))]
            now = self._clock.now()
            connection.executemany(
                "INSERT INTO deleted VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(r.id, r.module, r.name, now, author, r.created_by, kind) for r in rows],
            )
            numbers = [(row.id,) for row in rows]
            connection.executemany("DELETE FROM record_tags WHERE record = ?", numbers)
            connection.executemany("DELETE FROM records WHERE id = ?", numbers)

    def get(self, number: int | None, module: str | None = None) -> Record | None:
        if number is None:
            return None
        found = self._select("id = ?", (number,))
        return found[0] if found and module in {None, found[0].module} else None

    def page(self, walk: Walk) -> list[Record]:
        """Return up to `limit` rows in the walk's order; ties stand in the order of their ids."""
        column = SORT_COLUMNS[walk.sort_by]
        sign, order = ("<", "DESC") if walk.descending else (">", "ASC")
        clauses: list[tuple[str, tuple[Any, ...]]] = [("module = ?", (walk.module,))]
        if walk.since is not None:
            clauses.append(("modified > ?", (walk.since,)))
        if walk.ids is not None:
            clauses.append(
                ("id IN (SELECT value FROM json_each(?))", (json.dumps(list(walk.ids)),))
            )
        if walk.parent is not None:
            clauses.append(("parent = ?", (walk.parent,)))
        if walk.after is not None and column == "id":
            clauses.append((f"id {sign} ?", walk.after[1:]))
        elif walk.after is not None:
            clauses.append((f"({column}, id) {sign} (?, ?)", walk.after))
        where = " AND ".join(clause for clause, _ in clauses)
        values = tuple(value for _, given in clauses for value in given)
        tail = f" ORDER BY {column} {order}, id {order} LIMIT ? OFFSET ?"
        return self._select(where + tail, (*values, walk.limit, walk.offset))

    def names(self, numbers: Iterable[int]) -> dict[int, tuple[str | None, str]]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, name, module FROM records WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(set(numbers))),),
            ).fetchall()
        return {number: (name, module) for number, name, module in rows}

    def deletions(self, module: str, since: int, kinds: Sequence[str]) -> list[Deletion]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM deleted WHERE module = ? AND at > ?"
                " AND type IN (SELECT value FROM json_each(?)) ORDER BY at DESC, id DESC",
                (module, since, json.dumps(list(kinds))),
            ).fetchall()
        return [Deletion._make(row) for row in rows]

    def everything(self) -> list[Record]:
        return self._select("1", ())

    def _select(self, rest: str, values: tuple[Any, ...]) -> list[Record]:
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM records WHERE {rest}",
                values,
            ).fetchall()
        return [Record._make(row) for row in rows]
