"""What a description says its API has and can do, in the words of the port. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from adapters.rest.schema.description import Description
from adapters.rest.schema.object_description import ObjectForm, Read
from adapters.rest.schema.write_description import NoteField, NoteRecords, Writes
from adapters.rest.writing.batches import kinds, operation_for, rows_of
from connector.models import PrimitiveKind
from connector.ports import (
    Capabilities,
    FieldInfo,
    NoteLookup,
    ObjectInfo,
    Schema,
    WriteLimit,
)

_SETTLE_MARGIN_SECONDS = 30.0
_READ_BATCH = 100  # where nothing is written, nothing is read either
_SURENESS = (NoteLookup.NONE, NoteLookup.LAGGING, NoteLookup.CONSISTENT)

T = TypeVar("T", int, float)


def describe(description: Description) -> Schema:
    """Objects with the fields that the description lists; what all writable objects can do."""
    objects = {name: _object(description, name, form) for name, form in description.objects.items()}
    return Schema(objects, _capabilities(description))


def conditional(description: Description, name: str) -> bool:
    """Whether a write to this object can be refused when the record has moved."""
    writes, form = description.writes.get(name), description.objects[name]
    has_version = form.version or form.version_header or form.modified
    if writes is None or writes.update is None or writes.locking is None:
        return False
    return has_version is not None


def _object(description: Description, name: str, form: ObjectForm) -> ObjectInfo:
    writable = description.writes.get(name, Writes()).update is not None
    fields = tuple(
        FieldInfo(key, each.type, each.label, each.writable and writable, each.options)
        for key, each in form.fields.items()
    )
    if form.id not in form.fields:
        fields = (FieldInfo(form.id, "text"), *fields)
    changes = form.changes
    told = (changes.tombstone if changes else None) or form.deleted or form.sweep
    return ObjectInfo(
        name,
        form.label or name,
        fields,
        incremental=changes is not None,
        deletions=told is not None,
        reconcile_days=changes.reconcile_days if changes else None,
        recipe=_recipe(description, form),
    )


def _recipe(description: Description, form: ObjectForm) -> str:
    """Names all that decides which rows come, and how they look."""
    parts = (description.server, description.values, form)
    text = "\n".join(part.model_dump_json(exclude={"label", "read"}) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _capabilities(description: Description) -> Capabilities:
    settle = description.pacing.timeout_seconds + _SETTLE_MARGIN_SECONDS
    every = list(description.writes.values())
    if not every:
        return Capabilities({}, _READ_BATCH, settle)
    writes = _limits(every)
    notes = [each.notes for each in every]
    records = [each for each in notes if isinstance(each, NoteRecords)]
    has_notes = PrimitiveKind.PUT_NOTE in writes
    return Capabilities(
        writes=writes,
        read_batch=min(_read_batch(description.objects[n].read) for n in description.writes),
        settle_seconds=max(each.settle_seconds or settle for each in every),
        tag_length=_least(every, lambda each: each.tag_length),
        tags_per_record=_least(every, lambda each: each.tags_per_record),
        note_length=min(each.length for each in notes if isinstance(each, NoteRecords | NoteField))
        if has_notes
        else None,
        note_lookup=_weakest(each.lookup for each in records) if has_notes else NoteLookup.NONE,
        note_lag_seconds=max((each.lag_seconds for each in records), default=0.0),
        conditional_writes=all(conditional(description, name) for name in description.writes),
    )


def _limits(every: list[Writes]) -> dict[PrimitiveKind, WriteLimit]:
    """Of several writable objects the lesser: a policy does not say which one it means."""
    shared = [kind for kind in kinds(every[0]) if all(kind in set(kinds(w)) for w in every)]
    quiet = all(each.quiet for each in every)
    return {kind: _limit(kind, every, quiet=quiet) for kind in shared}


def _limit(kind: PrimitiveKind, every: list[Writes], *, quiet: bool) -> WriteLimit:
    rows = min(rows_of(each, operation_for(each, kind)) for each in every)
    return WriteLimit(batch=rows, cost_rows=rows, quiet=quiet)


def _read_batch(read: Read | None) -> int:
    return read.batch if read is not None and read.many is not None else 1


def _weakest(lookups: Iterable[NoteLookup]) -> NoteLookup:
    """A note in a field is seen as surely as the record itself."""
    return min(lookups, key=_SURENESS.index, default=NoteLookup.CONSISTENT)


def _least(every: Iterable[Writes], limit: Callable[[Writes], int | None]) -> int | None:
    return min(_told(limit(each) for each in every), default=None)


def _told(limits: Iterable[int | None]) -> Iterator[int]:
    return (each for each in limits if each is not None)
