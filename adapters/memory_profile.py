"""How the CRM kept in memory behaves: its tags, notes, native calls and limits, as data.

A profile names no customer and holds no state; the records live in `adapters.memory_crm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connector.models import PrimitiveKind
from connector.ports import Capabilities, NoteLookup, WriteLimit

LIFE_FIELD = "life_status"
LIFE_NORMAL = "normal"
LIFE_INVALID = "invalid"
LIFE_IN_CHANGE = "in_change"
POOL_FIELD = "high_seas_id"
NOTE_FIELD = "remark"


class TagModel(StrEnum):
    """`native`: calls add and remove a name. `array`: a field that is rewritten as a whole.
    `linked`: many-to-many by id, with a catalogue of names. `none`: no tags."""

    NATIVE = "native"
    ARRAY = "array"
    LINKED = "linked"
    NONE = "none"


class NoteModel(StrEnum):
    """`child`: records of their own. `field`: text appended to a field. `none`: no notes."""

    CHILD = "child"
    FIELD = "field"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of CRM.

    `one_request`: all that is written to one record travels in one request. `native`: fields that
    change by calls of their own. `null_modified`: no modification time until the first change.
    `deletions`: a pull tells what was deleted.
    """

    name: str
    capabilities: Capabilities
    tags: TagModel = TagModel.NATIVE
    notes: NoteModel = NoteModel.CHILD
    one_request: bool = False
    native: frozenset[str] = frozenset()
    null_modified: bool = False
    deletions: bool = True

    @property
    def tag_field(self) -> str:
        return "categories" if self.tags is TagModel.LINKED else "tags"


_FIELDS = (PrimitiveKind.SET_FIELD, PrimitiveKind.CHANGE_OWNER)
_TAGS = (PrimitiveKind.ADD_TAG, PrimitiveKind.REMOVE_TAG)
_NOTES = (PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE)


def _writes(
    kinds: tuple[PrimitiveKind, ...], limit: WriteLimit
) -> Mapping[PrimitiveKind, WriteLimit]:
    return dict.fromkeys(kinds, limit)


PLAIN = Profile(
    name="plain",
    capabilities=Capabilities(
        writes=_writes((*_FIELDS, *_TAGS, *_NOTES), WriteLimit(batch=100, cost_rows=50)),
        read_batch=100,
        settle_seconds=30.0,
        tag_length=25,
        tags_per_record=10,
        note_length=32_000,
        note_lookup=NoteLookup.CONSISTENT,
    ),
)

# Fxiaoke: every write is one record; the tag endpoints are not published; notes are sales records
# that a search finds after a while (openapi_v2: data/update, data/invalid, ActiveRecordObj).
FXIAOKE_LIKE = Profile(
    name="fxiaoke_like",
    capabilities=Capabilities(
        writes=_writes((*_FIELDS, *_NOTES, PrimitiveKind.CALL), WriteLimit(batch=1)),
        read_batch=100,
        settle_seconds=60.0,
        note_lookup=NoteLookup.LAGGING,
        note_lag_seconds=10.0,
    ),
    tags=TagModel.NONE,
    native=frozenset({LIFE_FIELD, POOL_FIELD}),
    deletions=False,
)

# Kinto: one PATCH a record, up to 200 of them in POST /v1/batch, each with its own If-Match.
KINTO_LIKE = Profile(
    name="kinto_like",
    capabilities=Capabilities(
        writes=_writes((*_FIELDS, *_TAGS, *_NOTES), WriteLimit(batch=200, quiet=True)),
        read_batch=200,
        settle_seconds=30.0,
        note_lookup=NoteLookup.CONSISTENT,
        conditional_writes=True,
    ),
    tags=TagModel.ARRAY,
    notes=NoteModel.FIELD,
    one_request=True,
)

# Tryton: PUT of one record; write_date is null until the first one; notes are ir.note records.
TRYTON_LIKE = Profile(
    name="tryton_like",
    capabilities=Capabilities(
        writes=_writes((*_FIELDS, *_TAGS, *_NOTES), WriteLimit(batch=1)),
        read_batch=100,
        settle_seconds=30.0,
        note_lookup=NoteLookup.CONSISTENT,
    ),
    tags=TagModel.LINKED,
    null_modified=True,
)
