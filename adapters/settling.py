"""What became of primitives whose answer was lost, told from the record as it stands now.

Shared by the adapters. Pure: reading the record is each adapter's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind, Scalar, StepKind
from connector.ports import Batch, NoteRef, NoteState, ReadRequest, RecordState

RECORD_GONE = "RECORD_GONE"


def settle_by_reading(
    read: Callable[[ReadRequest], Iterator[RecordState]], batch: Batch, *, blind: bool = False
) -> list[Outcome]:
    """Done, absent (it did not happen), conflict (something else stands there), or refused because
    the record is gone. `blind`: a new note cannot be looked up and stays unknown."""
    primitives = batch.primitives
    refs = dict.fromkeys(primitive.ref for primitive in primitives)
    fields = {p.target for p in primitives if p.kind is PrimitiveKind.SET_FIELD}
    notes = [
        NoteRef(each.ref, each.target, each.remote_id)
        for each in primitives
        if each.kind.step_kind is StepKind.NOTE
    ]
    request = ReadRequest(tuple(refs), tuple(sorted(fields)), tuple(notes))
    states = {state.ref: state for state in read(request)}
    return [_settled(each, states[each.ref], blind=blind) for each in primitives]


def live_note(primitive: Primitive, state: RecordState) -> NoteState | None:
    """The note that a primitive is about, by its id where that is known."""
    for note in state.notes:
        if primitive.remote_id in {None, note.remote_id} and note.marker == primitive.target:
            return note
    return None


def _settled(primitive: Primitive, state: RecordState, *, blind: bool) -> Outcome:
    if not state.exists:
        return Outcome(primitive.key, OutcomeStatus.REFUSED, RECORD_GONE)
    if primitive.kind.step_kind is StepKind.NOTE:
        is_unseen = blind and _is_new(primitive)
        return _unknown(primitive) if is_unseen else _note(primitive, live_note(primitive, state))
    if primitive.kind is PrimitiveKind.SET_FIELD and primitive.target not in state.fields:
        return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "FIELD_NOT_SHOWN")
    return Outcome(primitive.key, compared(primitive, _live(primitive, state)))


def _is_new(primitive: Primitive) -> bool:
    return primitive.kind is PrimitiveKind.PUT_NOTE and primitive.remote_id is None


def _unknown(primitive: Primitive) -> Outcome:
    return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "NO_LOOKUP")


def _live(primitive: Primitive, state: RecordState) -> Scalar:
    if primitive.kind is PrimitiveKind.CHANGE_OWNER:
        return state.owner
    if primitive.kind is PrimitiveKind.SET_FIELD:
        return state.fields[primitive.target]
    return primitive.target in state.tags


def compared(primitive: Primitive, live: Scalar) -> OutcomeStatus:
    """Done when the value stands there, absent when the old one still does."""
    if live == primitive.after:
        return OutcomeStatus.DONE
    return OutcomeStatus.ABSENT if live == primitive.before else OutcomeStatus.CONFLICT


def _note(primitive: Primitive, note: NoteState | None) -> Outcome:
    if primitive.kind is PrimitiveKind.DELETE_NOTE:
        status = OutcomeStatus.DONE if note is None else OutcomeStatus.ABSENT
        return Outcome(primitive.key, status, remote_id=primitive.remote_id)
    if primitive.before is None:
        # Its marker is on one note of one stay only: whatever its text is now, it was put.
        status = OutcomeStatus.ABSENT if note is None else OutcomeStatus.DONE
    else:
        status = compared(primitive, note.text) if note else OutcomeStatus.CONFLICT
    return Outcome(primitive.key, status, remote_id=note.remote_id if note else None)
