"""What became of a batch whose answer was lost: found out by reading alone."""

from __future__ import annotations

from adapters.zoho.batches import Operation
from adapters.zoho.read import Reader
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind, Scalar
from connector.ports import Batch, NoteRef, NoteState, ReadRequest, RecordState

_NOTE_OPERATIONS = frozenset(
    {Operation.CREATE_NOTES, Operation.UPDATE_NOTES, Operation.DELETE_NOTES}
)


def settle(reader: Reader, batch: Batch) -> list[Outcome]:
    """Done, absent (it did not happen), conflict (something else stands there), or refused
    because the record is gone."""
    primitives = batch.primitives
    about_notes = Operation(batch.operation) in _NOTE_OPERATIONS
    fields = {p.target for p in primitives if p.kind is PrimitiveKind.SET_FIELD}
    notes = [NoteRef(p.ref, p.target, p.remote_id) for p in primitives] if about_notes else []
    refs = dict.fromkeys(primitive.ref for primitive in primitives)
    request = ReadRequest(tuple(refs), tuple(sorted(fields)), tuple(notes))
    states = {state.ref: state for state in reader.read(request)}
    return [_settled(primitive, states[primitive.ref]) for primitive in primitives]


def _settled(primitive: Primitive, state: RecordState) -> Outcome:
    if not state.exists:
        return Outcome(primitive.key, OutcomeStatus.REFUSED, "RECORD_GONE")
    if primitive.kind in {PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE}:
        return _settled_note(primitive, _note_of(primitive, state))
    if primitive.kind is PrimitiveKind.SET_FIELD and primitive.target not in state.fields:
        return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "FIELD_NOT_SHOWN")
    return Outcome(primitive.key, _compared(primitive, _live(primitive, state)))


def _live(primitive: Primitive, state: RecordState) -> Scalar:
    if primitive.kind is PrimitiveKind.CHANGE_OWNER:
        return state.owner
    if primitive.kind is PrimitiveKind.SET_FIELD:
        return state.fields[primitive.target]
    return primitive.target in state.tags


def _compared(primitive: Primitive, live: Scalar) -> OutcomeStatus:
    if live == primitive.after:
        return OutcomeStatus.DONE
    return OutcomeStatus.ABSENT if live == primitive.before else OutcomeStatus.CONFLICT


def _note_of(primitive: Primitive, state: RecordState) -> NoteState | None:
    for note in state.notes:
        if primitive.remote_id in {None, note.remote_id} and note.marker == primitive.target:
            return note
    return None


def _settled_note(primitive: Primitive, note: NoteState | None) -> Outcome:
    if primitive.kind is PrimitiveKind.DELETE_NOTE:
        status = OutcomeStatus.DONE if note is None else OutcomeStatus.ABSENT
        return Outcome(primitive.key, status, remote_id=primitive.remote_id)
    if primitive.before is None:
        # Its marker is on one note of one stay only: whatever its text is now, it was put.
        status = OutcomeStatus.ABSENT if note is None else OutcomeStatus.DONE
    else:
        status = _compared(primitive, note.text) if note else OutcomeStatus.CONFLICT
    return Outcome(primitive.key, status, remote_id=note.remote_id if note else None)
