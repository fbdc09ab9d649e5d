"""A CRM kept in plain dictionaries: its records, its rules, its other users and its bad days.

It knows no primitive and no outcome; `adapters.memory` speaks to it as to any other CRM.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from adapters.memory_profile import (
    LIFE_FIELD,
    LIFE_IN_CHANGE,
    LIFE_INVALID,
    LIFE_NORMAL,
    NOTE_FIELD,
    POOL_FIELD,
    NoteModel,
    Profile,
    TagModel,
)
from connector.errors import UnavailableError
from connector.models import Ref

API_USER = "api"
OTHER_USER = "other"
_HIDDEN = frozenset({"id", "created", "modified", "modified_by", "owner", "tags", "categories"})

Row = dict[str, Any]
T = TypeVar("T")


class Clock(Protocol):
    """Tells the moment; `ManualClock` is one that only moves when told."""

    def __call__(self) -> datetime: ...


@dataclass(slots=True)
class ManualClock:
    """A clock for tests and demonstrations."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Fault(StrEnum):
    """What befalls a write request. `drop`: it never arrives, and the sender cannot know.
    `lose`: it is done, the answer is lost. `late`: the answer is lost and it is done only after
    `settle_seconds`. `refuse`: the CRM says no to every row."""

    DROP = "drop"
    LOSE = "lose"
    LATE = "late"
    REFUSE = "refuse"


class AnswerLostError(Exception):
    """A write request without an answer."""


class RowError(Exception):
    """The CRM's answer to one row; `code` as a vendor would send it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class MemoryCrm:
    """Records of several objects by id, notes, a catalogue of tags, tombstones. Thread-safe."""

    def __init__(self, profile: Profile, now: Clock, objects: Iterable[str]) -> None:
        self.profile = profile
        self.objects: dict[str, dict[str, Row]] = {name: {} for name in objects}
        self.notes: dict[str, Row] = {}
        self.catalogue: dict[str, int] = {}
        self.tombstones: dict[str, dict[str, datetime]] = {name: {} for name in self.objects}
        self.reads = 0
        self.writes = 0
        self.down = False
        self.approval = False
        self._now = now
        self._stamp = now()
        self._serial = 0
        self._locked: set[Ref] = set()
        self._faults: deque[Fault] = deque()
        self._pending: list[tuple[datetime, Callable[[], object]]] = []
        self._lock = threading.RLock()

    # One request each way.

    def reading(self, action: Callable[[], T]) -> T:
        """One read request."""
        with self._lock:
            self._arrive()
            self.reads += 1
            self._raise_if_down()
            return action()

    def writing(self, action: Callable[[], T]) -> T:
        """One write request, with the fault that is due, if any."""
        with self._lock:
            self._arrive()
            self.writes += 1
            self._raise_if_down()
            fault = self._faults.popleft() if self._faults else None
            if fault is Fault.REFUSE:
                raise RowError("REFUSED")
            if fault is Fault.LATE:
                seconds = self.profile.capabilities.settle_seconds
                self._pending.append((self._now() + timedelta(seconds=seconds), action))
            if fault in (Fault.DROP, Fault.LATE):
                raise AnswerLostError
            answer = action()
            if fault is Fault.LOSE:
                raise AnswerLostError
            return answer

    def fail_next(self, *faults: Fault) -> None:
        """The next write requests meet these faults, one each."""
        with self._lock:
            self._faults.extend(faults)

    def _raise_if_down(self) -> None:
        if self.down:
            raise UnavailableError(
                "the CRM in memory does not answer", "Set its `down` back to False."
            )

    def _arrive(self) -> None:
        due = [action for moment, action in self._pending if moment <= self._now()]
        self._pending = [entry for entry in self._pending if entry[0] > self._now()]
        for action in due:
            action()

    # Rows, as an API user may change them.

    def find(self, ref: Ref) -> Row | None:
        return self.objects.get(ref.object, {}).get(ref.id)

    def open_row(self, ref: Ref, *, native: bool = False) -> Row:
        """The row, if the CRM lets the API user change it now."""
        row = self.find(ref)
        if row is None:
            raise RowError("NOT_FOUND")
        if ref in self._locked:
            raise RowError("LOCKED")
        if row.get(LIFE_FIELD) == LIFE_IN_CHANGE:
            raise RowError("IN_APPROVAL")
        if not native and row.get(LIFE_FIELD) == LIFE_INVALID:
            raise RowError("INVALID_STATE")
        # An unclaimed customer of a pool may be edited by nobody (Fxiaoke, openapi FAQ).
        if not native and row.get(POOL_FIELD) is not None and row["owner"] is None:
            raise RowError("NO_PERMISSION")
        return row

    def patch(self, row: Row, values: Mapping[str, Any], by: str = API_USER) -> None:
        """Set values; equal ones leave the row and its modification time alone."""
        if any(row.get(name) != value for name, value in values.items()):
            row.update(values)
            row["modified"] = self.stamp().isoformat()
            row["modified_by"] = by

    def tag_id(self, name: str) -> int:
        """The id of a tag of the catalogue, which is made when there is none."""
        return self.catalogue.setdefault(name, len(self.catalogue) + 1)

    def tag_names(self, row: Row) -> list[str]:
        if self.profile.tags is not TagModel.LINKED:
            return list(row["tags"])
        names = {identifier: name for name, identifier in self.catalogue.items()}
        return [names[identifier] for identifier in row["categories"]]

    def set_tag(self, row: Row, name: str, *, present: bool, by: str = API_USER) -> None:
        """What the CRM's own add and remove calls do."""
        value = self.tag_id(name) if self.profile.tags is TagModel.LINKED else name
        tags = row[self.profile.tag_field]
        if present and value not in tags:
            tags = [*tags, value]
        elif not present:
            tags = [tag for tag in tags if tag != value]
        self.patch(row, {self.profile.tag_field: tags}, by)

    def create_note(self, ref: Ref, text: str, by: str = API_USER) -> str:
        self._serial += 1
        identifier = f"n{self._serial}"
        lag = timedelta(seconds=self.profile.capabilities.note_lag_seconds)
        row = {"id": identifier, "object": ref.object, "record": ref.id, "text": text, "by": by}
        self.notes[identifier] = {**row, "searchable": self._now() + lag}
        return identifier

    def search_notes(self, ref: Ref, words: str) -> list[Row]:
        """The notes of a record that hold these words, as far as the index knows them."""
        return [
            note
            for note in self.notes.values()
            if (note["object"], note["record"]) == (ref.object, ref.id)
            and words in note["text"]
            and note["searchable"] <= self._now()
        ]

    def set_life(self, row: Row, life: str) -> None:
        """Void a record that is normal, or bring it back; a void may need an approval first."""
        if life == LIFE_INVALID and row[LIFE_FIELD] != LIFE_NORMAL:
            raise RowError("INVALID_STATE")
        pending = life == LIFE_INVALID and self.approval
        self.patch(row, {LIFE_FIELD: LIFE_IN_CHANGE if pending else life})
        if pending:
            raise RowError("IN_APPROVAL")

    def set_pool(self, row: Row, pool: str | None, owner: str | None) -> None:
        """Return to a pool (which clears the owner) or take out of it (which needs one)."""
        if pool is None and owner is None:
            raise RowError("OWNER_REQUIRED")
        self.patch(row, {POOL_FIELD: pool, "owner": None if pool is not None else owner})

    def stamp(self) -> datetime:
        """A moment that no other change has had."""
        self._stamp = max(self._now(), self._stamp + timedelta(microseconds=1))
        return self._stamp

    # The other people.

    def seed(self, object_name: str, count: int, **fields: Any) -> tuple[Ref, ...]:
        """Add records in one import: like many a bulk create, all of one moment."""
        with self._lock:
            moment = self.stamp().isoformat()
            return tuple(self._insert(object_name, moment, fields) for _ in range(count))

    def _insert(self, object_name: str, moment: str, fields: Mapping[str, Any]) -> Ref:
        self._serial += 1
        ref = Ref(object_name, str(self._serial))
        row: Row = {"id": ref.id, "name": f"Customer {ref.id}", "status": None, "owner": "u1"}
        row |= {"created": moment, "modified_by": OTHER_USER}
        row["modified"] = None if self.profile.null_modified else moment
        row[self.profile.tag_field] = []
        if self.profile.notes is NoteModel.FIELD:
            row[NOTE_FIELD] = ""
        if self.profile.native:
            row |= {LIFE_FIELD: LIFE_NORMAL, POOL_FIELD: None}
        row |= copy.deepcopy(dict(fields))
        self.objects[object_name][ref.id] = row
        return ref

    def edit(self, ref: Ref, **fields: Any) -> None:
        with self._lock:
            self.patch(self.objects[ref.object][ref.id], fields, OTHER_USER)

    def change_owner(self, ref: Ref, owner: str | None) -> None:
        self.edit(ref, owner=owner)

    def add_tag(self, ref: Ref, name: str) -> None:
        with self._lock:
            row = self.objects[ref.object][ref.id]
            self.set_tag(row, name, present=True, by=OTHER_USER)

    def remove_tag(self, ref: Ref, name: str) -> None:
        with self._lock:
            row = self.objects[ref.object][ref.id]
            self.set_tag(row, name, present=False, by=OTHER_USER)

    def add_note(self, ref: Ref, text: str) -> str:
        """A note of somebody else; where notes live in a field, a paragraph of it."""
        with self._lock:
            if self.profile.notes is not NoteModel.FIELD:
                return self.create_note(ref, text, OTHER_USER)
            row = self.objects[ref.object][ref.id]
            self.patch(row, {NOTE_FIELD: f"{row[NOTE_FIELD]}{text}\n"}, OTHER_USER)
            return ""

    def edit_note(self, note_id: str, text: str) -> None:
        with self._lock:
            self.notes[note_id]["text"] = text

    def delete_note(self, note_id: str) -> None:
        with self._lock:
            del self.notes[note_id]

    def delete(self, ref: Ref) -> None:
        with self._lock:
            del self.objects[ref.object][ref.id]
            self.tombstones[ref.object][ref.id] = self.stamp()

    def lock(self, ref: Ref) -> None:
        with self._lock:
            self._locked.add(ref)

    def unlock(self, ref: Ref) -> None:
        with self._lock:
            self._locked.discard(ref)

    def snapshot(self) -> dict[str, Row]:
        """Every record's tags, owner, fields and notes: no moments, no ids of notes."""
        with self._lock:
            self._arrive()
            return {
                f"{name}:{identifier}": self._picture(Ref(name, identifier), row)
                for name, rows in self.objects.items()
                for identifier, row in rows.items()
            }

    def _picture(self, ref: Ref, row: Row) -> Row:
        notes = (
            note["text"]
            for note in self.notes.values()
            if (note["object"], note["record"]) == (ref.object, ref.id)
        )
        return {
            "tags": sorted(self.tag_names(row)),
            "owner": row["owner"],
            "fields": {k: copy.deepcopy(v) for k, v in row.items() if k not in _HIDDEN},
            "notes": sorted(notes),
        }
