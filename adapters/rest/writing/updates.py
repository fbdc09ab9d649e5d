"""What one update of one record says: its fields, its tags and the notes in a field of it, and the
version that it is meant for. Sends nothing, but for tags that the catalogue lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.rest.paths import MISSING, look
from adapters.rest.schema.write_description import NoteField, TagCommands, TagList, Writes
from adapters.rest.templates import names_in, templates_in
from adapters.rest.writing.note_field import block, with_block
from adapters.rest.writing.read import Live, Reader, list_value, lock_version, note_text
from adapters.rest.writing.scalars import outgoing, put, scalar
from adapters.rest.writing.sending import Told
from adapters.rest.writing.tags import commands, merged
from adapters.settling import compared
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind, Ref, Scalar, StepKind

_DONE = Told(OutcomeStatus.DONE)


@dataclass(frozen=True, slots=True)
class Part:
    """One primitive of an update. `told`: what is known of it without sending it."""

    primitive: Primitive
    told: Told | None = None
    tag_id: Any = None


@dataclass(slots=True)
class Update:
    """One record's update. `parts` are what it does; `outcomes` what is told without sending;
    `record` is what the fields are laid over, where the server takes whole records only."""

    ref: Ref
    version: str | None = None
    record: Any = None
    fields: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def primitives(self) -> list[Primitive]:
        return [part.primitive for part in self.parts]

    def told(self, told: Told) -> dict[str, Outcome]:
        """The outcomes of what was sent. A note in a field is known by its marker."""
        return {each.key: _outcome(told, each) for each in self.primitives}


def _outcome(told: Told, primitive: Primitive) -> Outcome:
    is_put = primitive.kind is PrimitiveKind.PUT_NOTE and told.status is OutcomeStatus.DONE
    return told.outcome(primitive, primitive.target if is_put else primitive.remote_id)


def needs_look(
    writes: Writes, primitives: Iterable[Primitive], versions: Mapping[str, str]
) -> bool:
    """Whether this is written from what the record shows now: whole records, lists and notes in a
    field are rewritten as a whole, and a condition needs a version."""
    if wants_record(writes) or (_wants_version(writes) and not versions):
        return True
    if writes.locking is not None and writes.locking.version is not None:
        return True
    return any(
        each.kind.step_kind is StepKind.NOTE
        or (each.kind.step_kind is StepKind.TAG and isinstance(writes.tags, TagList))
        for each in primitives
    )


def _wants_version(writes: Writes) -> bool:
    return writes.locking is not None and (writes.locking.always or item_has_version(writes))


def item_has_version(writes: Writes) -> bool:
    """Whether a row of a batch cannot be written without a version."""
    return writes.locking is not None and "version" in _asked_by_item(writes)


def wants_record(writes: Writes) -> bool:
    """Whether the server takes whole records only."""
    asked = writes.update.asks_for() if writes.update else frozenset()
    return "record" in asked | _asked_by_item(writes)


def _asked_by_item(writes: Writes) -> frozenset[str]:
    item = writes.batch.item if writes.batch else None
    return frozenset(name for _, text in templates_in(item) for name in names_in(text))


def repeat_key(writes: Writes, *primitives: Primitive) -> dict[str, str]:
    """The header by which the server knows a create that comes again: the same for the same
    primitives."""
    if writes.idempotency is None:
        return {}
    meaning = "\n".join(primitive.key for primitive in primitives)
    return {writes.idempotency.header: hashlib.sha256(meaning.encode()).hexdigest()[:32]}


class Composer:
    """Makes updates out of primitives."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def compose(
        self, ref: Ref, primitives: Iterable[Primitive], live: Live | None, seen: str | None
    ) -> Update:
        """`live`: a fresh look, where one was needed. `seen`: the version that the sender of the
        plan has looked at, which goes before that of the fresh look.

        What stands there already is left out. Where something else stands than was planned, all
        that its intent wanted here is left out, too.
        """
        update = Update(ref, record=live.record if live else None)
        locking = self._writes(ref).locking
        if locking is not None and locking.version is not None and live is not None:
            if seen is not None and seen != live.version:
                update.outcomes = Told(OutcomeStatus.CONFLICT, "CHANGED").outcomes(primitives)
                return update
            update.version = lock_version(self._writes(ref), live)
        elif locking is not None:
            update.version = seen or (live.version if live else None)
        by_intent: dict[str, list[Primitive]] = {}
        for primitive in primitives:
            by_intent.setdefault(primitive.intent_id, []).append(primitive)
        for members in by_intent.values():
            self._join(update, members, live)
        self._fill(update, live)
        return update

    def _join(self, update: Update, members: list[Primitive], live: Live | None) -> None:
        """One intent's part of the update, if all of it may go out."""
        parts = [Part(each, self._standing(each, live)) for each in members]
        if not _stop(parts):
            parts = [part if part.told else self._with_tag(part.primitive) for part in parts]
        stop = _stop(parts)
        for part in parts:
            if stop or part.told:
                told = stop or part.told or _DONE
                update.outcomes[part.primitive.key] = _outcome(told, part.primitive)
            else:
                update.parts.append(part)

    def _standing(self, primitive: Primitive, live: Live | None) -> Told | None:
        """What a fresh look says to a primitive; None when it is to be sent."""
        if live is None:
            return None
        status = compared(primitive, self._shown(primitive, live))
        if status is OutcomeStatus.CONFLICT:
            return Told(status, "CHANGED")
        notes = self._writes(primitive.ref).notes
        if primitive.kind is PrimitiveKind.PUT_NOTE and isinstance(notes, NoteField):
            whole = with_block(note_text(notes, live), primitive.target, _text(primitive))
            if len(whole) > notes.length:
                return Told(OutcomeStatus.REFUSED, "NOTE_FIELD_FULL")
        return _DONE if status is OutcomeStatus.DONE else None

    def _shown(self, primitive: Primitive, live: Live) -> Scalar:
        if primitive.kind.step_kind is StepKind.TAG:
            return primitive.target in self._reader.tags(primitive.ref, live)
        notes = self._writes(primitive.ref).notes
        if primitive.kind.step_kind is StepKind.NOTE and isinstance(notes, NoteField):
            return block(note_text(notes, live), primitive.target)
        return scalar(look(live.row, primitive.target))

    def _with_tag(self, primitive: Primitive) -> Part:
        """With the id of a tag that is changed by a command; a tag that is in no catalogue is at
        no record either."""
        catalogue = self._reader.catalogues.get(primitive.ref.object)
        if primitive.kind.step_kind is not StepKind.TAG or catalogue is None:
            return Part(primitive)
        if primitive.kind is PrimitiveKind.REMOVE_TAG:
            found = catalogue.find(primitive.target)
            return Part(primitive, _DONE) if found is MISSING else Part(primitive, tag_id=found)
        header = repeat_key(self._writes(primitive.ref), primitive)
        found, told = catalogue.find_or_make(primitive.target, header)
        return Part(primitive, told) if found is MISSING else Part(primitive, tag_id=found)

    def _fill(self, update: Update, live: Live | None) -> None:
        """The names and values that the update sends."""
        names = self._reader.api(update.ref.object).names(id=update.ref.id, ref=str(update.ref))
        forms = self._reader.description.objects[update.ref.object].fields
        values = {
            each.target: each.after
            for each in update.primitives
            if each.kind.step_kind not in {StepKind.TAG, StepKind.NOTE}
        }
        writes = self._writes(update.ref)
        text = _notes_text(writes, update.primitives, live)
        if text is not None and isinstance(writes.notes, NoteField):
            values[writes.notes.field] = text
        for path, value in values.items():
            put(update.fields, path, outgoing(forms.get(path), value, names))
        self._fill_tags(update, live, names)

    def _fill_tags(self, update: Update, live: Live | None, names: Mapping[str, Any]) -> None:
        form = self._writes(update.ref).tags
        parts = [part for part in update.parts if part.primitive.kind.step_kind is StepKind.TAG]
        wanted = {
            part.primitive.target: part.primitive.kind is PrimitiveKind.ADD_TAG for part in parts
        }
        if parts and isinstance(form, TagCommands):
            ids = [(part.tag_id, wanted[part.primitive.target]) for part in parts]
            put(update.fields, form.field, commands(form, ids, names))
        if parts and isinstance(form, TagList) and live is not None:
            put(update.fields, form.field, merged(form, list_value(form, live), wanted, names))

    def _writes(self, ref: Ref) -> Writes:
        return self._reader.description.writes[ref.object]


def _stop(parts: Iterable[Part]) -> Told | None:
    """Why an intent cannot go out."""
    told = (part.told for part in parts)
    return next((each for each in told if each and each.status is not OutcomeStatus.DONE), None)


def _notes_text(writes: Writes, primitives: Iterable[Primitive], live: Live | None) -> str | None:
    """The field that holds notes, as it is to be; None when no note changes."""
    notes = [each for each in primitives if each.kind.step_kind is StepKind.NOTE]
    if not notes or live is None or not isinstance(writes.notes, NoteField):
        return None
    text = note_text(writes.notes, live)
    for each in notes:
        text = with_block(text, each.target, _text(each))
    return text


def _text(primitive: Primitive) -> str | None:
    return None if primitive.after is None else str(primitive.after)
