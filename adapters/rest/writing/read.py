"""Live values: records by id, with the names of their tags and the notes asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.calls import CallRefused
from adapters.rest.api import Api, Reply
from adapters.rest.errors import meaning
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.short_lists import listed
from adapters.rest.pulling.values import Plain, rewritable
from adapters.rest.schema.call_description import CallForm
from adapters.rest.schema.description import Description
from adapters.rest.schema.object_description import Listing, ObjectForm, Read
from adapters.rest.schema.write_description import (
    NoteField,
    NoteRecords,
    TagCommands,
    TagLinks,
    TagList,
    Writes,
)
from adapters.rest.writing.note_field import block
from adapters.rest.writing.notes import NoteFinder
from adapters.rest.writing.scalars import scalar
from adapters.rest.writing.tags import TagNames, shown_names
from connector.errors import ConfigurationError, ProtocolError
from connector.models import Ref
from connector.ports import NoteLookup, NoteRef, NoteState, ReadRequest, RecordState


@dataclass(frozen=True, slots=True)
class Live:
    """A record as it stands now: `record` as it may be written back, `row` made plain."""

    record: Any
    row: Any
    version: str | None


class Reader:
    """Reads through one API, and keeps the catalogues of its tags."""

    def __init__(self, api: Api) -> None:
        self.description: Description = api.description
        self._apis = {name: _own(api, form) for name, form in api.description.objects.items()}
        values = api.description.values
        self._plain = {
            name: Plain(values, form.fields, self.api(name).names())
            for name, form in api.description.objects.items()
        }
        self._rewritable = Plain(rewritable(values), {}, {})
        writes = api.description.writes
        self.catalogues = {
            name: TagNames(self.api(name), each.tags.names)
            for name, each in writes.items()
            if isinstance(each.tags, TagCommands | TagLinks) and each.tags.names is not None
        }
        self._finders = {
            name: NoteFinder(self.api(name), each.notes)
            for name, each in writes.items()
            if isinstance(each.notes, NoteRecords)
        }

    def api(self, name: str) -> Api:
        """With the values that one object's templates find as `own`."""
        return self._apis[name]

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        records = self.records(request.refs)
        notes = self.notes(request.notes, records)
        for ref in request.refs:
            live = records.get(ref)
            if live is None:
                yield RecordState(ref, exists=False)
            else:
                yield self._state(ref, live, request.fields, notes.get(ref, ()))

    def records(self, refs: Iterable[Ref]) -> dict[Ref, Live]:
        """Those that exist."""
        by_object: dict[str, list[str]] = defaultdict(list)
        for ref in dict.fromkeys(refs):
            by_object[ref.object].append(ref.id)
        found: dict[Ref, Live] = {}
        for name, ids in by_object.items():
            form = self._read_form(name)
            if form.many is not None:
                live = self._many(name, form, form.many, ids)
            else:
                live = self._each(name, form, form.one or CallForm(), ids)
            found |= {Ref(name, identifier): each for identifier, each in live.items()}
        return found

    def is_blind(self, name: str) -> bool:
        """Whether a note of a record of this object can only be found by its id."""
        notes = self._writes(name).notes
        return isinstance(notes, NoteRecords) and notes.lookup is NoteLookup.NONE

    def find_note(self, wanted: NoteRef) -> NoteState | None:
        """A note that is a record of its own."""
        found = self._finders[wanted.ref.object].find([wanted])
        return found[0][1] if found else None

    def notes(
        self, wanted: Iterable[NoteRef], records: Mapping[Ref, Live]
    ) -> dict[Ref, tuple[NoteState, ...]]:
        """The notes that stand at records which exist, by record."""
        found: dict[Ref, list[NoteState]] = defaultdict(list)
        apart: dict[str, list[NoteRef]] = defaultdict(list)
        for note in wanted:
            form = self._writes(note.ref.object).notes
            if note.ref not in records:
                continue
            if isinstance(form, NoteField):
                text = block(note_text(form, records[note.ref]), note.marker)
                if text is not None:
                    found[note.ref].append(NoteState(note.marker, note.marker, text))
            elif isinstance(form, NoteRecords):
                apart[note.ref.object].append(note)
        for name, notes in apart.items():
            for ref, state in self._finders[name].find(notes):
                found[ref].append(state)
        return {ref: tuple(states) for ref, states in found.items()}

    def tags(self, ref: Ref, live: Live) -> frozenset[str]:
        """The names of a record's tags, which may take a call of its own."""
        form = self._writes(ref.object).tags
        catalogue = self.catalogues.get(ref.object)
        if isinstance(form, TagLinks) and form.list is not None:
            rows = self.links(ref, form.list, form.link_id or "id")
            return frozenset(shown_names(form, rows, catalogue))
        if isinstance(form, TagList):
            return frozenset(shown_names(form, list_value(form, live), None))
        if isinstance(form, TagCommands | TagLinks):
            value = look(live.row, form.field or "")
            return frozenset(shown_names(form, value, catalogue))
        return frozenset()

    def links(self, ref: Ref, listing: Listing, id_path: str = "id") -> list[Any]:
        """The rows that link tags to a record."""
        names = {"id": ref.id, "ref": str(ref)}
        what = "the tags of a record"
        return listed(self.api(ref.object), listing, names, what=what, id_path=id_path)

    def _state(
        self, ref: Ref, live: Live, fields: Iterable[str], notes: tuple[NoteState, ...]
    ) -> RecordState:
        form = self.description.objects[ref.object]
        owner = self._writes(ref.object).owner
        # A header is no version that a pull has seen: it cannot tell that somebody was there since.
        editor = form.modified.by if form.modified and not form.version_header else None
        return RecordState(
            ref,
            exists=True,
            tags=self.tags(ref, live),
            owner=scalar(look(live.row, owner)) if owner else None,
            fields={name: scalar(look(live.row, name)) for name in fields},
            notes=notes,
            version=live.version,
            modified_by=scalar(look(live.row, editor)) if editor else None,
        )

    def _writes(self, name: str) -> Writes:
        return self.description.writes.get(name, Writes())

    def _read_form(self, name: str) -> Read:
        form = self.description.objects.get(name)
        if form is None or form.read is None:
            raise ConfigurationError(
                f"{self.description.name} does not say how '{name}' is read",
                "add `read` to that object of the description",
            )
        return form.read

    # By many. What is missing from an answer is asked for again, alone: a server may show fewer
    # rows than it was asked for.

    def _many(self, name: str, form: Read, call: CallForm, ids: Sequence[str]) -> dict[str, Live]:
        found: dict[str, Live | None] = {}
        for start in range(0, len(ids), form.batch):
            wanted = list(ids[start : start + form.batch])
            while wanted:
                shown = self._asked(name, form, call, wanted)
                found |= {each: shown[each] for each in wanted if each in shown}
                missing = [each for each in wanted if each not in shown]
                wanted = missing if len(missing) < len(wanted) else []
        return {each: live for each, live in found.items() if live is not None}

    def _asked(
        self, name: str, form: Read, call: CallForm, ids: list[str]
    ) -> dict[str, Live | None]:
        """What is shown; None for a record that says that it was deleted."""
        api = self.api(name)
        try:
            reply = api.send(call, api.names(ids=ids, limit=len(ids)))
        except CallRefused as refusal:
            self._expect_gone(form, refusal)
            return {}
        lives = [self._live(name, row) for row in _rows(reply, form.rows)]
        id_path = self.description.objects[name].id
        return {
            str(look(each.row, id_path)): None if _is_deleted(form, each) else each
            for each in lives
        }

    # By one.

    def _each(self, name: str, form: Read, call: CallForm, ids: Iterable[str]) -> dict[str, Live]:
        shown = ((each, self._one(name, form, call, each)) for each in ids)
        return {identifier: live for identifier, live in shown if live is not None}

    def _one(self, name: str, form: Read, call: CallForm, identifier: str) -> Live | None:
        try:
            reply = self.api(name).send(call, self.api(name).names(id=identifier))
        except CallRefused as refusal:
            self._expect_gone(form, refusal)
            return None
        raw = _row(reply, form.row)
        if raw is None:
            return None
        live = self._live(name, raw, reply)
        if _is_deleted(form, live):
            return None
        shown = look(live.row, self.description.objects[name].id)
        # Another id: the record was merged into that one.
        return live if shown is MISSING or str(shown) == identifier else None

    def _expect_gone(self, form: Read, refusal: CallRefused) -> None:
        word = meaning(self.description.errors, refusal.status, refusal.code)
        if refusal.status not in form.missing and word != "gone":
            raise refusal

    def _live(self, name: str, raw: Any, reply: Reply | None = None) -> Live:
        form = self.description.objects[name]
        row = self._plain[name].row(raw)
        return Live(self._rewritable.row(raw), row, _version(form, row, reply))


def _own(api: Api, form: ObjectForm) -> Api:
    return replace(api, settings={**api.settings, "own": form.own})


def note_text(form: NoteField, live: Live) -> str:
    """The field that holds notes; a text in any case."""
    value = look(live.row, form.field)
    return value if isinstance(value, str) else ""


def list_value(form: TagList, live: Live) -> Any:
    """A tag field as it may be written back."""
    value = look(live.record, form.field)
    return look(live.row, form.field) if value is MISSING else value


def lock_version(writes: Writes, live: Live) -> str | None:
    """What locking goes by: the record's version, unless it says where else to look."""
    if writes.locking is None or writes.locking.version is None:
        return live.version
    return scalar(look(live.row, writes.locking.version))


def _is_deleted(form: Read, live: Live) -> bool:
    return form.tombstone is not None and form.tombstone.stands_in(live.row)


def _rows(reply: Reply, path: str) -> list[Any]:
    """The rows of an answer; none where a null says so."""
    rows = reply.value if reply.value is None else look(reply.value, path)
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise ProtocolError(
            f"the CRM's answer has no list at '{path}' ({reply.call})",
            "correct `rows` in the description's read",
        )
    return rows


def _row(reply: Reply, path: str) -> Any:
    """The record; None where an empty answer, a null or a list without it says that it is gone."""
    raw = None if reply.value is None else look(reply.value, path)
    if raw is MISSING and path.endswith("]"):
        rest = look(reply.value, path[: path.rindex("[")])
        raw = None if isinstance(rest, list) else raw
    if raw is None or isinstance(raw, Mapping):
        return raw
    raise ProtocolError(
        f"the CRM's answer has no record at '{path}' ({reply.call})",
        "correct `row` in the description's read",
    )


def _version(form: ObjectForm, row: Any, reply: Reply | None) -> str | None:
    if form.version_header is not None and reply is not None:
        header = reply.answer.headers.get(form.version_header)
        if header is not None:
            return str(header)
    if form.version is not None:
        return scalar(look(row, form.version))
    if form.modified is None:
        return None
    moment = scalar(look(row, form.modified.path))
    if moment is None and form.modified.created is not None:
        return scalar(look(row, form.modified.created))
    return moment
