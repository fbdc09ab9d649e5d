"""The port: all that highseas needs from a CRM. Public and typed.

Each verb takes one frozen object and gives one back, so that a new field never changes a signature.
Whatever a vendor does differently stays behind it. `docs/adapters.md` tells how to write one, and
`adapters.contract` checks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

import msgspec

from connector.models import Change, Outcome, Primitive, PrimitiveKind, Ref, Scalar


class Organisation(msgspec.Struct, frozen=True):
    """Who answers at the other end, and as whom we act. `id` is what a workspace pins."""

    id: str
    name: str
    timezone: str
    user_id: str
    user_name: str
    kind: str = "production"


class FieldInfo(msgspec.Struct, frozen=True):
    """One field of an object. `type` is one of text, integer, number, money, boolean, date,
    datetime, choice, tags, reference, other; `options` are the values a choice takes."""

    name: str
    type: str
    label: str = ""
    writable: bool = False
    options: tuple[str, ...] = ()


class ObjectInfo(msgspec.Struct, frozen=True):
    """One kind of record. `incremental` and `deletions` say what `pull` can do with it; an object
    that is not incremental is pulled in full each time.

    `reconcile_days`: some changes do not show in what changed (tags, notes), so that everything is
    wanted at least that often. `recipe` changes with the way in which the object is asked for: then
    what was pulled before is pulled anew, and a walk that broke off begins anew.
    """

    name: str
    label: str
    fields: tuple[FieldInfo, ...]
    incremental: bool = True
    deletions: bool = True
    reconcile_days: int | None = None
    recipe: str = ""


class NoteLookup(StrEnum):
    """How surely a note that we wrote can be found again by its marker."""

    CONSISTENT = "consistent"
    LAGGING = "lagging"
    NONE = "none"


class WriteLimit(msgspec.Struct, frozen=True):
    """How one kind of primitive is written: `batch` rows a call at most; `cost` units for every
    started `cost_rows` rows; `quiet` when the CRM's automations can be switched off for it."""

    batch: int
    cost: int = 1
    cost_rows: int = 1
    quiet: bool = False


class Capabilities(msgspec.Struct, frozen=True):
    """What this CRM can do, as data: read by the planner, shown by `check`.

    A kind of primitive that is not in `writes` cannot be written here. `read_batch` is how many
    records one `read` call fetches. `settle_seconds` is how long after sending a write may still
    arrive (request timeout and margin); `note_lag_seconds` how long a new note may stay invisible.
    """

    writes: Mapping[PrimitiveKind, WriteLimit]
    read_batch: int
    settle_seconds: float
    tag_length: int | None = None
    tags_per_record: int | None = None
    note_length: int | None = None
    note_lookup: NoteLookup = NoteLookup.NONE
    note_lag_seconds: float = 0.0
    conditional_writes: bool = False


class Schema(msgspec.Struct, frozen=True):
    """The CRM's objects by name, and its capabilities."""

    objects: Mapping[str, ObjectInfo]
    capabilities: Capabilities


class PullRequest(msgspec.Struct, frozen=True):
    """One walk over one object.

    `fields` are the CRM's names. `since`: only what changed at or after this moment (aware, UTC);
    None means everything. `resume`: the token of the last page that was kept; the walk goes on
    behind it. `deletions`: also what was deleted since then.
    """

    object: str
    fields: tuple[str, ...]
    since: datetime | None = None
    resume: str | None = None
    deletions: bool = True


class Page(msgspec.Struct, frozen=True):
    """What one answer held. `rows` are the records' own JSON objects as bytes, untouched.

    `deleted` are ids. `resume` continues the walk behind this page; None on the last one.
    `watermark`: every change up to this moment is covered once this page and all before it are
    kept; None when the page says nothing about it.

    `present`: for a CRM that does not tell what was deleted, ids of records that exist. Once one
    page of a walk over what changed has any, the walk has to name all of them over its pages (also
    those without a change): at its end whoever was known and is not among them was deleted.
    """

    object: str
    rows: tuple[bytes, ...]
    deleted: tuple[str, ...] = ()
    resume: str | None = None
    watermark: datetime | None = None
    present: tuple[str, ...] = ()


class NoteRef(msgspec.Struct, frozen=True):
    """A note that we wrote, or may have written: its record, its marker and, if known, its id."""

    ref: Ref
    marker: str
    remote_id: str | None = None


class ReadRequest(msgspec.Struct, frozen=True):
    """Live values just before a write: tags, owner and version of each record, the named fields,
    and the notes asked for."""

    refs: tuple[Ref, ...]
    fields: tuple[str, ...] = ()
    notes: tuple[NoteRef, ...] = ()


class NoteState(msgspec.Struct, frozen=True):
    """A note as it stands in the CRM; `text` is title and content, joined by a line break."""

    marker: str
    remote_id: str
    text: str


class RecordState(msgspec.Struct, frozen=True):
    """A record as it stands in the CRM now. `version` is whatever the CRM calls its modification
    moment or counter; `modified_by` the user id behind it, where the CRM tells."""

    ref: Ref
    exists: bool
    tags: frozenset[str] = frozenset()
    owner: str | None = None
    fields: Mapping[str, Scalar] = {}
    notes: tuple[NoteState, ...] = ()
    version: str | None = None
    modified_by: str | None = None


class Batch(msgspec.Struct, frozen=True):
    """Primitives that travel in one call; `operation` is the adapter's own name for that call.

    `versions`: by the text form of a ref, the version that the record had when it was re-read; put
    in by the sender, never by `batches`. Where there are conditional writes, a record that has
    another version by now is a conflict and is not written. Empty: write without a condition.
    """

    operation: str
    primitives: tuple[Primitive, ...]
    cost: int = 1
    versions: Mapping[str, str] = {}


class Finding(msgspec.Struct, frozen=True):
    """What trying one part of an adapter's settings showed. `part` says where, such as
    `objects.customers.list`; `state` is one of ok, warning, failed, untried; `text` is one line in
    plain words, without a value of any record."""

    part: str
    state: Literal["ok", "warning", "failed", "untried"]
    text: str


@runtime_checkable
class SelfDescribed(Protocol):
    """What an adapter may say besides: `describe` makes no call, as the adapter was told all of it.
    Then what was remembered of it is never relied upon."""

    describes_itself: bool


@runtime_checkable
class Diagnosing(Protocol):
    """What an adapter may have besides: it tries, part by part, what it was told about its CRM."""

    def diagnose(self) -> Iterator[Finding]:
        """Reads only. A part that fails is a finding, never an error."""


@runtime_checkable
class Adapter(Protocol):
    """A CRM. Translates, never decides. Safe to use from several threads.

    Raises `connector.errors.RemoteError` and its kin when the CRM cannot be asked; a row that the
    CRM refuses is an `Outcome`, not an error.
    """

    def identity(self) -> Organisation:
        """Who answers; exactly one call, and the cheapest check of the credentials."""

    def describe(self) -> Schema:
        """Objects, fields, options and capabilities."""

    def pull(self, request: PullRequest) -> Iterator[Page]:
        """Walk one object, page by page, in an order in which nothing is lost while it changes."""

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        """One state for each ref, in their order; a record that is gone has `exists=False`."""

    def lower(self, change: Change) -> tuple[Primitive, ...]:
        """Translate a change into primitives. Pure: no call, same answer each time."""

    def batches(self, primitives: tuple[Primitive, ...]) -> Iterator[Batch]:
        """Group primitives into calls. Pure. Keeps the step order within an intent."""

    def send(self, batch: Batch) -> list[Outcome]:
        """Write one batch; one outcome for each primitive, in their order. Never writes twice."""

    def settle(self, batch: Batch) -> list[Outcome]:
        """Find out by reading alone what became of a batch whose answer was lost."""
