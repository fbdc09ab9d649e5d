"""Sending notes that are records of their own: new ones, several in a call where the API takes
them, changed ones and those that are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look
from adapters.rest.schema.write_description import NoteBatch, NoteRecords, WriteCall, Writes
from adapters.rest.templates import render
from adapters.rest.writing.batches import Operation
from adapters.rest.writing.notes import note_names
from adapters.rest.writing.read import Reader
from adapters.rest.writing.sending import Told, ask, ask_many, one_by_one
from adapters.rest.writing.updates import repeat_key
from adapters.settling import RECORD_GONE
from connector.errors import ConfigurationError, RemoteError
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind
from connector.ports import NoteRef, NoteState

_GONE = Told(OutcomeStatus.REFUSED, RECORD_GONE)
_DONE = Told(OutcomeStatus.DONE)


class NoteWriter:
    """Writes notes through one API; `reader` finds them by their markers."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def send(self, operation: Operation, primitives: Sequence[Primitive]) -> dict[str, Outcome]:
        """An error that leaves here means that nothing of the batch arrived."""
        if operation is Operation.UPDATE_NOTE:
            return one_by_one(primitives, lambda each: (each,), self._change)
        if operation is Operation.DELETE_NOTE:
            return one_by_one(primitives, lambda each: (each,), self._remove)
        return self._create_all(primitives)

    def _create_all(self, primitives: Sequence[Primitive]) -> dict[str, Outcome]:
        form = self._form(primitives[0])
        outcomes: dict[str, Outcome] = {}
        able = list(primitives)
        if form.orphans:
            there = self._reader.records(primitive.ref for primitive in primitives)
            outcomes = _GONE.outcomes(each for each in primitives if each.ref not in there)
            able = [each for each in primitives if each.ref in there]
        if form.batch is not None and len(able) > 1:
            return outcomes | self._create_together(form, form.batch, able)
        return outcomes | one_by_one(able, lambda each: (each,), self._create)

    def _create_together(
        self, form: NoteRecords, batch: NoteBatch, primitives: Sequence[Primitive]
    ) -> dict[str, Outcome]:
        api = self._api(primitives[0])
        items = [render(batch.item, api.names(**note_names(each))) for each in primitives]
        headers = {**batch.headers, **repeat_key(self._writes(primitives[0]), *primitives)}
        sent = batch.model_copy(update={"headers": headers})
        call = api.call(sent, api.names(items=items), writes=True)
        ids = [each.ref.id for each in primitives]
        told = ask_many(api, call, (batch.results, batch.result), ids)
        if all(each.whole for each in told) and not self._reader.is_blind(primitives[0].ref.object):
            # One row may have spoilt it for all.
            return one_by_one(primitives, lambda each: (each,), self._create_unless_there)
        outcomes: dict[str, Outcome] = {}
        for primitive, each in zip(primitives, told, strict=True):
            outcomes |= self._created(form, primitive, each)
        return outcomes

    def _create_unless_there(self, primitive: Primitive) -> dict[str, Outcome]:
        found = self._find(primitive)
        if found is not None:
            return _is_there(primitive, found)
        return self._create(primitive)

    def _create(self, primitive: Primitive) -> dict[str, Outcome]:
        form = self._form(primitive)
        header = repeat_key(self._writes(primitive), primitive)
        sent = form.create.model_copy(update={"headers": {**form.create.headers, **header}})
        api = self._api(primitive)
        call = api.call(sent, api.names(**note_names(primitive)), writes=True)
        return self._created(form, primitive, ask(api, call, gone=sent.gone))

    def _created(self, form: NoteRecords, primitive: Primitive, told: Told) -> dict[str, Outcome]:
        """With the new note's id, from the answer or by its marker."""
        if told.status is OutcomeStatus.CONFLICT:
            found = self._found_after(primitive)
            return told.outcomes([primitive]) if found is None else _is_there(primitive, found)
        if told.status is not OutcomeStatus.DONE:
            return told.outcomes([primitive])
        identifier = _created_id(form, told)
        if identifier is not None or self._reader.is_blind(primitive.ref.object):
            return {primitive.key: told.outcome(primitive, identifier)}
        found = self._found_after(primitive)
        if found is None:
            return Told(OutcomeStatus.UNKNOWN, "NOTE_NOT_SHOWN").outcomes([primitive])
        return {primitive.key: told.outcome(primitive, found.remote_id)}

    def _change(self, primitive: Primitive) -> dict[str, Outcome]:
        return self._existing(primitive, self._form(primitive).update)

    def _remove(self, primitive: Primitive) -> dict[str, Outcome]:
        return self._existing(primitive, self._form(primitive).remove)

    def _existing(self, primitive: Primitive, form: WriteCall | None) -> dict[str, Outcome]:
        """Write to a note that is there; one that is not there needs no removing."""
        if form is None:
            return Told(OutcomeStatus.REFUSED, "NOTE_FIXED").outcomes([primitive])
        identifier = primitive.remote_id
        if identifier is None:
            found = self._find(primitive)
            if found is None:
                return Told(OutcomeStatus.REFUSED, "NOTE_ID_UNKNOWN").outcomes([primitive])
            identifier = found.remote_id
        api = self._api(primitive)
        names = api.names(**note_names(primitive), note_id=identifier)
        told = ask(api, api.call(form, names, writes=True), gone=form.gone)
        if told.is_gone and self._has_record(primitive):
            is_removal = primitive.kind is PrimitiveKind.DELETE_NOTE
            told = _DONE if is_removal else Told(OutcomeStatus.CONFLICT, "NOTE_GONE")
        return {primitive.key: told.outcome(primitive, identifier)}

    def _has_record(self, primitive: Primitive) -> bool:
        """After a write: an error here must not look as if nothing had been sent."""
        try:
            return primitive.ref in self._reader.records([primitive.ref])
        except RemoteError:
            return False

    def _found_after(self, primitive: Primitive) -> NoteState | None:
        """As `_has_record`."""
        try:
            return self._find(primitive)
        except RemoteError:
            return None

    def _find(self, primitive: Primitive) -> NoteState | None:
        return self._reader.find_note(NoteRef(primitive.ref, primitive.target))

    def _api(self, primitive: Primitive) -> Api:
        return self._reader.api(primitive.ref.object)

    def _form(self, primitive: Primitive) -> NoteRecords:
        form = self._writes(primitive).notes
        if not isinstance(form, NoteRecords):
            raise ConfigurationError(
                f"{self._reader.description.name} has no notes that are records",
                "the plan was made with another description: make a new one",
            )
        return form

    def _writes(self, primitive: Primitive) -> Writes:
        return self._reader.description.writes[primitive.ref.object]


def _is_there(primitive: Primitive, found: NoteState) -> dict[str, Outcome]:
    """Its marker is on one note of one stay only: it was put, unless somebody changed it."""
    is_ours = found.text == primitive.after
    told = _DONE if is_ours else Told(OutcomeStatus.CONFLICT, "CHANGED")
    return {primitive.key: told.outcome(primitive, found.remote_id)}


def _created_id(form: NoteRecords, told: Told) -> str | None:
    place = form.created
    if place is None:
        return None
    found: Any = MISSING
    if told.reply is not None:
        found = told.reply.found(place)
    elif place.path is not None:
        found = look(told.body, place.path)
    return None if found is MISSING or found is None else str(found)
