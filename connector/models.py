"""The nouns that planner, journal and adapters share: references, changes, primitives, outcomes.

All are frozen msgspec structs, because plans and journals store them as JSON and hash that JSON.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

Scalar = str | int | bool | None


class Ref(msgspec.Struct, frozen=True, order=True, gc=False):
    """One record of the CRM. Its text form `Accounts:123` is the customer key everywhere."""

    object: str
    id: str

    def __str__(self) -> str:
        return f"{self.object}:{self.id}"

    @classmethod
    def parse(cls, key: str) -> Ref:
        """Read the text form; an id may itself hold colons."""
        name, _, identifier = key.partition(":")
        return cls(name, identifier)


class StepKind(StrEnum):
    """What a step of a change means, in no vendor's words."""

    FIELD = "field"
    OWNER = "owner"
    TAG = "tag"
    NOTE = "note"


class Step(msgspec.Struct, frozen=True, gc=False):
    """One thing that a change wants to be so.

    `target` is the tag's name, the field's name in the CRM, the note's marker, or empty (owner).
    `before` and `after` are values: for a tag True or False (present or not), for a note its whole
    text or None (absent), for an owner a user id. `remote_id` is the id of a note that exists.
    """

    kind: StepKind
    target: str
    before: Scalar
    after: Scalar
    remote_id: str | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """What should become of one customer under one rule; an adapter lowers it into primitives."""

    intent_id: str
    ref: Ref
    rule: str
    steps: tuple[Step, ...]


class PrimitiveKind(StrEnum):
    """What can be sent to a CRM, one record at a time or in batches."""

    SET_FIELD = "set_field"
    CHANGE_OWNER = "change_owner"
    ADD_TAG = "add_tag"
    REMOVE_TAG = "remove_tag"
    PUT_NOTE = "put_note"
    DELETE_NOTE = "delete_note"
    CALL = "call"

    @property
    def step_kind(self) -> StepKind:
        """What kind of step this carries out."""
        return _STEP_KINDS[self]


_STEP_KINDS = {
    PrimitiveKind.SET_FIELD: StepKind.FIELD,
    PrimitiveKind.CHANGE_OWNER: StepKind.OWNER,
    PrimitiveKind.ADD_TAG: StepKind.TAG,
    PrimitiveKind.REMOVE_TAG: StepKind.TAG,
    PrimitiveKind.PUT_NOTE: StepKind.NOTE,
    PrimitiveKind.DELETE_NOTE: StepKind.NOTE,
    PrimitiveKind.CALL: StepKind.FIELD,
}


class Primitive(msgspec.Struct, frozen=True, gc=False):
    """The smallest write: one value of one record, before and after.

    `step` orders the primitives of one intent: all of step 0 come before step 1.
    Values are as in `Step`. A `CALL` changes the field `target` by operations of the CRM's own (for
    a void: the life status); the adapter picks the operation by `before` and `after`, so that the
    inverse is the same primitive with the two exchanged.
    """

    intent_id: str
    step: int
    ref: Ref
    kind: PrimitiveKind
    target: str
    before: Scalar
    after: Scalar
    remote_id: str | None = None

    @property
    def key(self) -> str:
        """Unique in a plan."""
        return f"{self.intent_id}.{self.step}"


_INVERSE = {
    PrimitiveKind.ADD_TAG: PrimitiveKind.REMOVE_TAG,
    PrimitiveKind.REMOVE_TAG: PrimitiveKind.ADD_TAG,
}


def inverse(primitive: Primitive, *, intent_id: str, step: int, remote_id: str | None) -> Primitive:
    """The primitive that takes this one back; `remote_id` is the note's id from the receipt."""
    kind = _INVERSE.get(primitive.kind, primitive.kind)
    if kind is PrimitiveKind.PUT_NOTE and primitive.before is None:
        kind = PrimitiveKind.DELETE_NOTE
    elif kind is PrimitiveKind.DELETE_NOTE:
        kind, remote_id = PrimitiveKind.PUT_NOTE, None
    return msgspec.structs.replace(
        primitive,
        intent_id=intent_id,
        step=step,
        kind=kind,
        before=primitive.after,
        after=primitive.before,
        remote_id=remote_id,
    )


class OutcomeStatus(StrEnum):
    """What became of a primitive.

    `done`: the CRM confirmed it, or reading shows it. `refused`: the CRM said no, for good.
    `conflict`: the CRM shows something else than the planned before. `parked`: not now (locked, in
    approval), worth another try. `unknown`: nobody can tell; never sent again by itself.
    `absent`: only from `settle`: reading proves that it did not happen, so it may be sent.
    """

    DONE = "done"
    REFUSED = "refused"
    CONFLICT = "conflict"
    PARKED = "parked"
    UNKNOWN = "unknown"
    ABSENT = "absent"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The CRM's answer to one primitive. `code` is the vendor's; `detail` names no customer."""

    key: str
    status: OutcomeStatus
    code: str = ""
    detail: str = ""
    remote_id: str | None = None
