"""The reference adapter: the port over a CRM kept in plain dictionaries. Not a mock.

It translates primitives into the calls of `adapters.memory_crm` as a vendor's adapter translates
them into HTTP, and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from adapters.memory_batches import Unit, group, lower_steps, units
from adapters.memory_crm import AnswerLostError, Clock, ManualClock, MemoryCrm, Row, RowError
from adapters.memory_profile import (
    LIFE_FIELD,
    LIFE_IN_CHANGE,
    NOTE_FIELD,
    PLAIN,
    POOL_FIELD,
    NoteModel,
    Profile,
    TagModel,
)
from connector.models import (
    Change,
    Outcome,
    OutcomeStatus,
    Primitive,
    PrimitiveKind,
    Ref,
    Scalar,
    StepKind,
)
from connector.ports import (
    Batch,
    FieldInfo,
    NoteLookup,
    NoteRef,
    NoteState,
    ObjectInfo,
    Organisation,
    Page,
    PullRequest,
    ReadRequest,
    RecordState,
    Schema,
)

_STATUS_BY_CODE = {
    "STALE": OutcomeStatus.CONFLICT,
    "LOCKED": OutcomeStatus.PARKED,
    "IN_APPROVAL": OutcomeStatus.PARKED,
}


class MemoryAdapter:
    """A CRM in memory behind the port. `crm` is the CRM itself, for its other users."""

    def __init__(
        self,
        profile: Profile = PLAIN,
        *,
        now: Clock | None = None,
        objects: Iterable[str] = ("Accounts",),
        page_size: int = 200,
    ) -> None:
        self.profile = profile
        self.now = now or ManualClock()
        self.crm = MemoryCrm(profile, self.now, objects)
        self._page_size = page_size

    def identity(self) -> Organisation:
        return self.crm.reading(
            lambda: Organisation(
                id=f"memory-{self.profile.name}",
                name="CRM in memory",
                timezone="Asia/Shanghai",
                user_id="api",
                user_name="highseas",
                kind="sandbox",
            )
        )

    def describe(self) -> Schema:
        objects = self.crm.reading(lambda: tuple(self.crm.objects))
        fields = tuple(self._fields())
        return Schema(
            objects={
                name: ObjectInfo(name, name, fields, deletions=self.profile.deletions)
                for name in objects
            },
            capabilities=self.profile.capabilities,
        )

    def _fields(self) -> Iterator[FieldInfo]:
        yield FieldInfo("id", "text")
        yield FieldInfo("name", "text", writable=True)
        yield FieldInfo("status", "choice", writable=True, options=("active", "watched", "void"))
        yield FieldInfo("owner", "reference", writable=True)
        yield FieldInfo("created", "datetime")
        yield FieldInfo("modified", "datetime")
        if self.profile.tags is not TagModel.NONE:
            yield FieldInfo(self.profile.tag_field, "tags", writable=True)
        for name in sorted(self.profile.native):
            yield FieldInfo(name, "choice", writable=True)

    # Reading.

    def pull(self, request: PullRequest) -> Iterator[Page]:
        """Walk by id, which never moves; the walk's start is its watermark, kept in the token."""
        resume = request.resume
        while True:
            page = self._page(request, resume)
            yield page
            resume = page.resume
            if resume is None:
                return

    def _page(self, request: PullRequest, resume: str | None) -> Page:
        def turn() -> Page:
            start, _, last = (resume or f"{self.crm.stamp().isoformat()}|").partition("|")
            rows = sorted(self._changed(request, last), key=lambda row: _order(row["id"]))
            kept, more = rows[: self._page_size], len(rows) > self._page_size
            return Page(
                object=request.object,
                rows=tuple(self._encode(row, request.fields) for row in kept),
                deleted=() if more else self._deleted(request),
                resume=f"{start}|{kept[-1]['id']}" if more else None,
                watermark=None if more else datetime.fromisoformat(start),
            )

        return self.crm.reading(turn)

    def _changed(self, request: PullRequest, last: str) -> Iterator[Row]:
        for row in self.crm.objects[request.object].values():
            # A record that was never changed has no modification time in some CRMs.
            moment = datetime.fromisoformat(row["modified"] or row["created"])
            is_wanted = request.since is None or moment >= request.since
            if is_wanted and (not last or _order(row["id"]) > _order(last)):
                yield row

    def _deleted(self, request: PullRequest) -> tuple[str, ...]:
        since = request.since
        if since is None or not (request.deletions and self.profile.deletions):
            return ()
        tombstones = self.crm.tombstones[request.object]
        return tuple(identifier for identifier, moment in tombstones.items() if moment >= since)

    def _encode(self, row: Row, fields: tuple[str, ...]) -> bytes:
        picked: dict[str, Any] = {name: row.get(name) for name in ("id", *fields)}
        if self.profile.tags is TagModel.LINKED and self.profile.tag_field in picked:
            pairs = zip(row["categories"], self.crm.tag_names(row), strict=True)
            picked["categories"] = [{"id": number, "name": name} for number, name in pairs]
        return json.dumps(picked, ensure_ascii=False).encode()

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        size = self.profile.capabilities.read_batch
        for start in range(0, len(request.refs), size):
            yield from self._states(request.refs[start : start + size], request)

    def _states(self, refs: tuple[Ref, ...], request: ReadRequest) -> list[RecordState]:
        return self.crm.reading(lambda: [self._state(ref, request) for ref in refs])

    def _state(self, ref: Ref, request: ReadRequest) -> RecordState:
        row = self.crm.find(ref)
        if row is None:
            return RecordState(ref, exists=False)
        notes = (self._note(row, note) for note in request.notes if note.ref == ref)
        return RecordState(
            ref=ref,
            exists=True,
            tags=frozenset(self.crm.tag_names(row)),
            owner=row["owner"],
            fields={name: row.get(name) for name in request.fields},
            notes=tuple(note for note in notes if note is not None),
            version=_version(row),
            modified_by=row["modified_by"],
        )

    def _note(self, row: Row, wanted: NoteRef) -> NoteState | None:
        """By id where there is one, else by its marker."""
        if self.profile.notes is NoteModel.FIELD:
            text = _paragraph(row[NOTE_FIELD], wanted.marker)
            return None if text is None else NoteState(wanted.marker, wanted.marker, text)
        if wanted.remote_id is not None:
            note = self.crm.notes.get(wanted.remote_id)
        elif self.profile.capabilities.note_lookup is NoteLookup.NONE:
            note = None
        else:
            note = next(iter(self.crm.search_notes(wanted.ref, wanted.marker)), None)
        return None if note is None else NoteState(wanted.marker, note["id"], note["text"])

    # Writing.

    def lower(self, change: Change) -> tuple[Primitive, ...]:
        return lower_steps(change, self.profile)

    def batches(self, primitives: tuple[Primitive, ...]) -> Iterator[Batch]:
        yield from group(units(primitives, self.profile), self.profile.capabilities)

    def send(self, batch: Batch) -> list[Outcome]:
        try:
            return self.crm.writing(lambda: self._execute(batch))
        except AnswerLostError:
            return [Outcome(p.key, OutcomeStatus.UNKNOWN, "NO_ANSWER") for p in batch.primitives]
        except RowError as error:
            return [_outcome(primitive, error) for primitive in batch.primitives]

    def _execute(self, batch: Batch) -> list[Outcome]:
        stale = frozenset(self._moved(batch))
        done: list[Outcome] = []
        for unit in units(batch.primitives, self.profile):
            try:
                if unit.ref in stale:
                    raise RowError("STALE")  # noqa: TRY301 - the CRM's 412, told like its others
                done += self._write_unit(unit)
            except RowError as error:
                done += [_outcome(primitive, error) for primitive in unit.primitives]
        return done

    def _moved(self, batch: Batch) -> Iterator[Ref]:
        """The records whose version is no longer the one that the sender has seen (If-Match)."""
        if not self.profile.capabilities.conditional_writes:
            return
        for ref in {primitive.ref for primitive in batch.primitives}:
            row, seen = self.crm.find(ref), batch.versions.get(str(ref))
            if row is not None and seen is not None and _version(row) != seen:
                yield ref

    def _write_unit(self, unit: Unit) -> list[Outcome]:
        if unit.pool is not None:
            row = self.crm.open_row(unit.ref, native=True)
            owner = next(p.after for p in unit.primitives if p is not unit.pool)
            self.crm.set_pool(row, _text(unit.pool.after), _text(owner))
            return [Outcome(p.key, OutcomeStatus.DONE) for p in unit.primitives]
        return [
            Outcome(p.key, OutcomeStatus.DONE, remote_id=self._write(p)) for p in unit.primitives
        ]

    def _write(self, primitive: Primitive) -> str | None:
        """Do one primitive; the id of the note, if it is about one."""
        row = self.crm.open_row(primitive.ref, native=primitive.kind is PrimitiveKind.CALL)
        kind = primitive.kind
        if kind.step_kind is StepKind.NOTE:
            return self._write_note(row, primitive)
        if kind.step_kind is StepKind.TAG:
            self._write_tag(row, primitive)
        elif kind is PrimitiveKind.CHANGE_OWNER:
            self.crm.patch(row, {"owner": primitive.after})
        elif kind is PrimitiveKind.SET_FIELD:
            self.crm.patch(row, {primitive.target: primitive.after})
        elif row[primitive.target] != primitive.after:
            self._call(row, primitive)
        return None

    def _call(self, row: Row, primitive: Primitive) -> None:
        if primitive.target == POOL_FIELD:
            raise RowError("OWNER_REQUIRED")
        self.crm.set_life(row, str(primitive.after))

    def _write_tag(self, row: Row, primitive: Primitive) -> None:
        present = primitive.kind is PrimitiveKind.ADD_TAG
        if self.profile.tags is not TagModel.ARRAY:
            self.crm.set_tag(row, primitive.target, present=present)
            return
        # The array is written as a whole: what others put into it has to go back in.
        tags = [tag for tag in row["tags"] if present or tag != primitive.target]
        if present and primitive.target not in tags:
            tags.append(primitive.target)
        self.crm.patch(row, {"tags": tags})

    def _write_note(self, row: Row, primitive: Primitive) -> str | None:
        text = _text(primitive.after) if primitive.kind is PrimitiveKind.PUT_NOTE else None
        if self.profile.notes is NoteModel.FIELD:
            whole = _with_paragraph(row[NOTE_FIELD], primitive.target, text)
            self.crm.patch(row, {NOTE_FIELD: whole})
            return primitive.target
        if primitive.before is None and text is not None:
            return self.crm.create_note(primitive.ref, text)
        found = self._note(row, _note_ref(primitive))
        if found is None and text is not None:
            raise RowError("NOT_FOUND")
        if found is not None and text is not None:
            self.crm.notes[found.remote_id]["text"] = text
        elif found is not None:
            self.crm.delete_note(found.remote_id)
        return None if found is None else found.remote_id

    # Settling.

    def settle(self, batch: Batch) -> list[Outcome]:
        """By reads. `absent` is proof only after `settle_seconds` and `note_lag_seconds`."""
        return self.crm.reading(lambda: [self._verdict(each) for each in batch.primitives])

    def _verdict(self, primitive: Primitive) -> Outcome:
        row = self.crm.find(primitive.ref)
        if row is None:
            return Outcome(primitive.key, OutcomeStatus.CONFLICT, "NOT_FOUND")
        if primitive.kind.step_kind is StepKind.NOTE:
            return self._note_verdict(row, primitive)
        live = self._live(row, primitive)
        if live == primitive.after:
            return Outcome(primitive.key, OutcomeStatus.DONE)
        if primitive.target == LIFE_FIELD and live == LIFE_IN_CHANGE:
            return Outcome(primitive.key, OutcomeStatus.PARKED, "IN_APPROVAL")
        is_before = live == primitive.before
        return Outcome(primitive.key, OutcomeStatus.ABSENT if is_before else OutcomeStatus.CONFLICT)

    def _live(self, row: Row, primitive: Primitive) -> Scalar:
        if primitive.kind.step_kind is StepKind.TAG:
            return primitive.target in self.crm.tag_names(row)
        if primitive.kind is PrimitiveKind.CHANGE_OWNER:
            return _text(row["owner"])
        value: Scalar = row.get(primitive.target)
        return value

    def _note_verdict(self, row: Row, primitive: Primitive) -> Outcome:
        wanted = _note_ref(primitive)
        found = self._note(row, wanted)
        lookup = self.profile.capabilities.note_lookup
        if found is None and wanted.remote_id is None and lookup is NoteLookup.NONE:
            return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "NO_LOOKUP")
        if primitive.kind is PrimitiveKind.DELETE_NOTE:
            is_done = found is None
        elif primitive.before is None:
            is_done = found is not None
        else:
            is_done = found is not None and found.text == primitive.after
        return Outcome(
            primitive.key,
            OutcomeStatus.DONE if is_done else OutcomeStatus.ABSENT,
            remote_id=None if found is None else found.remote_id,
        )


def _order(identifier: str) -> tuple[int, str]:
    return len(identifier), identifier


def _version(row: Row) -> str:
    return str(row["modified"] or row["created"])


def _text(value: Scalar) -> str | None:
    return None if value is None else str(value)


def _note_ref(primitive: Primitive) -> NoteRef:
    return NoteRef(primitive.ref, primitive.target, primitive.remote_id)


def _outcome(primitive: Primitive, error: RowError) -> Outcome:
    status = _STATUS_BY_CODE.get(error.code, OutcomeStatus.REFUSED)
    return Outcome(primitive.key, status, error.code)


def _edges(marker: str) -> tuple[str, str]:
    return f"-- {marker}\n", f"\n-- /{marker}\n"


def _paragraph(whole: str, marker: str) -> str | None:
    """The text between our two lines of a field that others write in as well."""
    begin, end = _edges(marker)
    _, opened, rest = whole.partition(begin)
    text, closed, _ = rest.partition(end)
    return text if opened and closed else None


def _with_paragraph(whole: str, marker: str, text: str | None) -> str:
    """The field with our paragraph put in, replaced or (None) taken out."""
    begin, end = _edges(marker)
    wanted = "" if text is None else f"{begin}{text}{end}"
    old = _paragraph(whole, marker)
    return whole + wanted if old is None else whole.replace(f"{begin}{old}{end}", wanted)
