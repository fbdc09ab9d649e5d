"""From changes to primitives, and from primitives to the fewest calls. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from adapters.waves import Run, waves
from connector.models import Change, Primitive, PrimitiveKind, Ref, Step, StepKind
from connector.ports import Batch, WriteLimit

OWNER_FIELD = "Owner"

# Rows and credits a call: Zoho v8 add-tags, update-records, create-notes, delete-notes and
# api-limits pages. That remove-tags takes as many as add-tags is not stated there, but reported.
# Only records have a switch for Zoho's automations (`trigger`).
WRITE_LIMITS: Mapping[PrimitiveKind, WriteLimit] = MappingProxyType(
    {
        PrimitiveKind.SET_FIELD: WriteLimit(batch=100, cost_rows=10, quiet=True),
        PrimitiveKind.CHANGE_OWNER: WriteLimit(batch=100, cost_rows=10, quiet=True),
        PrimitiveKind.ADD_TAG: WriteLimit(batch=500, cost_rows=50),
        PrimitiveKind.REMOVE_TAG: WriteLimit(batch=500, cost_rows=50),
        PrimitiveKind.PUT_NOTE: WriteLimit(batch=100, cost_rows=10),
        PrimitiveKind.DELETE_NOTE: WriteLimit(batch=100, cost_rows=100),
    }
)


class Operation(StrEnum):
    """The calls that write."""

    UPDATE = "update"
    ADD_TAGS = "add_tags"
    REMOVE_TAGS = "remove_tags"
    CREATE_NOTES = "create_notes"
    UPDATE_NOTES = "update_notes"
    DELETE_NOTES = "delete_notes"


_BY_KIND = {
    PrimitiveKind.SET_FIELD: Operation.UPDATE,
    PrimitiveKind.CHANGE_OWNER: Operation.UPDATE,
    PrimitiveKind.ADD_TAG: Operation.ADD_TAGS,
    PrimitiveKind.REMOVE_TAG: Operation.REMOVE_TAGS,
    PrimitiveKind.DELETE_NOTE: Operation.DELETE_NOTES,
}


def lower(change: Change) -> tuple[Primitive, ...]:
    """One primitive a step, in the change's order; a step that changes nothing has none."""
    steps = [step for step in change.steps if step.before != step.after]
    return tuple(
        Primitive(
            intent_id=change.intent_id,
            step=number,
            ref=change.ref,
            kind=_kind(step),
            target=OWNER_FIELD if step.kind is StepKind.OWNER else step.target,
            before=step.before,
            after=step.after,
            remote_id=step.remote_id,
        )
        for number, step in enumerate(steps)
    )


def _kind(step: Step) -> PrimitiveKind:
    match step.kind:
        case StepKind.FIELD:
            return PrimitiveKind.SET_FIELD
        case StepKind.OWNER:
            return PrimitiveKind.CHANGE_OWNER
        case StepKind.TAG:
            return PrimitiveKind.ADD_TAG if step.after else PrimitiveKind.REMOVE_TAG
        case StepKind.NOTE:
            return PrimitiveKind.DELETE_NOTE if step.after is None else PrimitiveKind.PUT_NOTE


@dataclass(frozen=True, slots=True)
class Group:
    """Primitives of one group may travel in one call."""

    operation: Operation
    object: str = ""
    tag: str = ""


def group_of(primitive: Primitive) -> Group:
    if primitive.kind is PrimitiveKind.PUT_NOTE:
        exists = primitive.before is not None
        return Group(Operation.UPDATE_NOTES if exists else Operation.CREATE_NOTES)
    operation = _BY_KIND[primitive.kind]
    if operation is Operation.DELETE_NOTES:
        return Group(operation)
    is_tag = operation in {Operation.ADD_TAGS, Operation.REMOVE_TAGS}
    return Group(operation, primitive.ref.object, primitive.target if is_tag else "")


def batches(primitives: Iterable[Primitive]) -> Iterator[Batch]:
    """As few calls as the steps of each intent allow."""
    for group, runs in waves(primitives, group_of, _joins):
        yield from _calls(group, runs)


def _joins(run: Run, primitive: Primitive) -> bool:
    group = group_of(primitive)
    if group.operation is not Operation.UPDATE or group != group_of(run[-1]):
        return False
    return primitive.target not in {each.target for each in run}


def _calls(group: Group, runs: list[Run]) -> Iterator[Batch]:
    """Fill calls up to the limit of rows; a field is never set twice in one call."""
    limit = WRITE_LIMITS[runs[0][0].kind].batch
    members: list[Primitive] = []
    rows: set[Ref | str] = set()
    fields: set[tuple[Ref, str]] = set()
    for run in runs:
        row = _row(group, run[0])
        taken = {(each.ref, each.target) for each in run}
        clashes = group.operation is Operation.UPDATE and not fields.isdisjoint(taken)
        if clashes or (row not in rows and len(rows) == limit):
            yield _batch(group, members, len(rows))
            members, rows, fields = [], set(), set()
        members += run
        rows.add(row)
        fields |= taken
    yield _batch(group, members, len(rows))


def _row(group: Group, primitive: Primitive) -> Ref | str:
    is_note = group.operation is Operation.CREATE_NOTES
    return primitive.key if is_note else _target(group, primitive)


def _target(group: Group, primitive: Primitive) -> Ref | str:
    by_id = group.operation in {Operation.UPDATE_NOTES, Operation.DELETE_NOTES}
    return primitive.remote_id or primitive.key if by_id else primitive.ref


def _batch(group: Group, members: list[Primitive], rows: int) -> Batch:
    limit = WRITE_LIMITS[members[0].kind]
    return Batch(group.operation.value, tuple(members), limit.cost * -(-rows // limit.cost_rows))
