"""What to read just before a write, and whether the CRM still shows what the plan saw. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connector.models import Primitive, Ref, Scalar, StepKind
from connector.plan_model import PlanRow
from connector.ports import NoteRef, ReadRequest, RecordState


class Difference(NamedTuple):
    """Why a planned write no longer fits. `code` is one of `gone`, `already_so`, `changed`,
    `owner_changed`, `edited`; `detail` names what differs, never a value."""

    code: str
    detail: str


def read_requests(primitives: Sequence[Primitive], read_batch: int) -> Iterator[ReadRequest]:
    """Ask for the records, fields and notes that these primitives touch, in calls of one read."""
    by_ref: dict[Ref, list[Primitive]] = {}
    for primitive in primitives:
        by_ref.setdefault(primitive.ref, []).append(primitive)
    refs = tuple(by_ref)
    for start in range(0, len(refs), read_batch):
        wanted = refs[start : start + read_batch]
        mine = [each for ref in wanted for each in by_ref[ref]]
        fields = {each.target for each in mine if each.kind.step_kind is StepKind.FIELD}
        yield ReadRequest(
            refs=wanted,
            fields=tuple(sorted(fields)),
            notes=tuple(
                NoteRef(each.ref, each.target, each.remote_id)
                for each in mine
                if each.kind.step_kind is StepKind.NOTE
            ),
        )


def difference(
    row: PlanRow, primitive: Primitive, state: RecordState | None, user_id: str, *, begun: bool
) -> Difference | None:
    """Compare a record with the plan; None when the write may go out.

    `begun`: we have already written to this record since it was read for the plan, so that its
    owner and version are no longer those of the plan; the value itself is always compared.
    """
    if state is None or not state.exists:
        return Difference("gone", "record")
    live = live_value(primitive, state)
    if live != primitive.before:
        code = "already_so" if live == primitive.after else "changed"
        return Difference(code, subject(primitive))
    if begun:
        return None
    if row.owner is not None and state.owner != row.owner:
        return Difference("owner_changed", "owner")
    if _is_edited(row, state, user_id):
        return Difference("edited", "record")
    return None


def _is_edited(row: PlanRow, state: RecordState, user_id: str) -> bool:
    """By somebody else: own writes move the version too, and some CRMs name nobody."""
    moved = row.version is not None and state.version != row.version
    return moved and state.modified_by is not None and state.modified_by != user_id


def live_value(primitive: Primitive, state: RecordState) -> Scalar:
    """What the record shows where this primitive writes."""
    match primitive.kind.step_kind:
        case StepKind.TAG:
            return primitive.target in state.tags
        case StepKind.FIELD:
            return state.fields.get(primitive.target)
        case StepKind.OWNER:
            return state.owner
    return next((note.text for note in state.notes if note.marker == primitive.target), None)


def subject(primitive: Primitive) -> str:
    """What a primitive writes to, in words without values."""
    kind = primitive.kind.step_kind
    return f"{kind} {primitive.target}" if kind in {StepKind.TAG, StepKind.FIELD} else kind.value
