"""From changes to primitives, and from primitives to the fewest calls that the API allows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import msgspec

from adapters.rest.schema.description import Description
from adapters.rest.schema.write_description import (
    NoteField,
    NoteRecords,
    TagCommands,
    TagLinks,
    TagList,
    Writes,
)
from adapters.waves import Run, waves
from connector.errors import ConfigurationError
from connector.models import Change, Primitive, PrimitiveKind, Ref, Step, StepKind
from connector.ports import Batch


class Operation(StrEnum):
    """The calls that write. An `update` may carry all that is written to a record."""

    UPDATE = "update"
    LINK_TAG = "link_tag"
    CREATE_NOTES = "create_notes"
    UPDATE_NOTE = "update_note"
    DELETE_NOTE = "delete_note"


def kinds(writes: Writes) -> Iterator[PrimitiveKind]:
    """What can be written to a record of this object."""
    if writes.update is not None:
        yield PrimitiveKind.SET_FIELD
    if writes.owner is not None:
        yield PrimitiveKind.CHANGE_OWNER
    if isinstance(writes.tags, TagList | TagCommands | TagLinks):
        yield from (PrimitiveKind.ADD_TAG, PrimitiveKind.REMOVE_TAG)
    if isinstance(writes.notes, NoteRecords | NoteField):
        yield PrimitiveKind.PUT_NOTE
    if isinstance(writes.notes, NoteField) or (
        isinstance(writes.notes, NoteRecords) and writes.notes.remove is not None
    ):
        yield PrimitiveKind.DELETE_NOTE


def operation_of(writes: Writes, primitive: Primitive) -> Operation:
    """The call that a primitive goes with."""
    operation = operation_for(writes, primitive.kind)
    is_change = operation is Operation.CREATE_NOTES and primitive.before is not None
    return Operation.UPDATE_NOTE if is_change else operation


def operation_for(writes: Writes, kind: PrimitiveKind) -> Operation:
    """The call that a kind of primitives goes with, where a note is a new one."""
    match kind.step_kind:
        case StepKind.TAG if isinstance(writes.tags, TagLinks):
            return Operation.LINK_TAG
        case StepKind.NOTE if not isinstance(writes.notes, NoteField):
            is_new = kind is PrimitiveKind.PUT_NOTE
            return Operation.CREATE_NOTES if is_new else Operation.DELETE_NOTE
    return Operation.UPDATE


def rows_of(writes: Writes, operation: Operation) -> int:
    """How many records, or new notes, one call of this operation takes."""
    if operation is Operation.UPDATE and writes.batch is not None:
        return writes.batch.size
    notes = writes.notes
    if operation is Operation.CREATE_NOTES and isinstance(notes, NoteRecords) and notes.batch:
        return notes.batch.size
    return 1


def lower(description: Description, change: Change) -> tuple[Primitive, ...]:
    """The change's steps in their order; a step that changes nothing has none, and a note that
    cannot be changed is deleted and put anew."""
    writes = description.writes.get(change.ref.object, Writes())
    able = frozenset(kinds(writes))
    found: list[Primitive] = []
    for step in change.steps:
        for kind, part in _parts(writes, step):
            if kind not in able:
                raise ConfigurationError(
                    f"{description.name} cannot write {kind.value} to {change.ref.object}",
                    "leave that out of the policy, or add it to `writes` of the description",
                )
            target = writes.owner if part.kind is StepKind.OWNER else part.target
            primitive = Primitive(
                intent_id=change.intent_id,
                step=len(found),
                ref=change.ref,
                kind=kind,
                target=target or "",
                before=part.before,
                after=part.after,
                remote_id=part.remote_id,
            )
            found.append(primitive)
    return tuple(found)


def _parts(writes: Writes, step: Step) -> Iterator[tuple[PrimitiveKind, Step]]:
    if step.before == step.after:
        return
    match step.kind:
        case StepKind.FIELD:
            yield PrimitiveKind.SET_FIELD, step
        case StepKind.OWNER:
            yield PrimitiveKind.CHANGE_OWNER, step
        case StepKind.TAG:
            yield PrimitiveKind.ADD_TAG if step.after else PrimitiveKind.REMOVE_TAG, step
        case StepKind.NOTE if step.after is None:
            yield PrimitiveKind.DELETE_NOTE, step
        case StepKind.NOTE if step.before is not None and _is_fixed(writes):
            yield PrimitiveKind.DELETE_NOTE, msgspec.structs.replace(step, after=None)
            anew = msgspec.structs.replace(step, before=None, remote_id=None)
            yield PrimitiveKind.PUT_NOTE, anew
        case StepKind.NOTE:
            yield PrimitiveKind.PUT_NOTE, step


def _is_fixed(writes: Writes) -> bool:
    notes = writes.notes
    return isinstance(notes, NoteRecords) and notes.update is None and notes.remove is not None


@dataclass(frozen=True, slots=True)
class _Group:
    """Primitives of one group may travel in one call."""

    operation: Operation
    object: str


def batches(description: Description, primitives: Iterable[Primitive]) -> Iterator[Batch]:
    """As few calls as the steps of each intent allow."""
    every = list(primitives)
    groups = {each.key: _group(description, each) for each in every}
    joins = partial(_joins, groups)
    for group, runs in waves(every, lambda each: groups[each.key], joins):
        limit = rows_of(description.writes[group.object], group.operation)
        yield from _calls(group, runs, limit)


def _group(description: Description, primitive: Primitive) -> _Group:
    name = primitive.ref.object
    return _Group(operation_of(description.writes[name], primitive), name)


def _joins(groups: Mapping[str, _Group], run: Run, primitive: Primitive) -> bool:
    group = groups[primitive.key]
    if group.operation is not Operation.UPDATE or group != groups[run[-1].key]:
        return False
    return run[0].ref == primitive.ref and _place(primitive) not in {_place(each) for each in run}


def _calls(group: _Group, runs: Iterable[Run], limit: int) -> Iterator[Batch]:
    """Fill calls up to the limit of rows. Two intents meet on one record only where they commute:
    where they write to different places."""
    members: list[Primitive] = []
    rows: set[Ref | str] = set()
    places: set[tuple[Ref, str, str]] = set()
    for run in _by_record(runs) if group.operation is Operation.UPDATE else runs:
        row = run[0].ref if group.operation is Operation.UPDATE else run[0].key
        taken = {_place(each) for each in run}
        if members and (not places.isdisjoint(taken) or (row not in rows and len(rows) == limit)):
            yield Batch(group.operation.value, tuple(members))
            members, rows, places = [], set(), set()
        members += run
        rows.add(row)
        places |= taken
    yield Batch(group.operation.value, tuple(members))


def _by_record(runs: Iterable[Run]) -> Iterator[Run]:
    """What several intents do to one record side by side, so that one call can hold it."""
    by_ref: dict[Ref, list[Run]] = defaultdict(list)
    for run in runs:
        by_ref[run[0].ref].append(run)
    return (run for each in by_ref.values() for run in each)


def _place(primitive: Primitive) -> tuple[Ref, str, str]:
    """Where a primitive writes: a tag and a field of one name are two places, the owner is the
    field that holds it."""
    kind = primitive.kind.step_kind
    place = StepKind.FIELD if kind is StepKind.OWNER else kind
    return primitive.ref, place, primitive.target
