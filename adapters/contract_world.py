"""What the conformance suite needs from an adapter's author, and the words that it is written in.

Third parties import all of it from `adapters.contract`. No pytest: a skip is `unittest.SkipTest`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from unittest import SkipTest

import msgspec

from connector.errors import RemoteError
from connector.models import (
    Change,
    Outcome,
    OutcomeStatus,
    Primitive,
    PrimitiveKind,
    Ref,
    Scalar,
    Step,
    StepKind,
)
from connector.ports import (
    Adapter,
    Batch,
    NoteLookup,
    NoteRef,
    Page,
    PullRequest,
    ReadRequest,
    RecordState,
)

MARKER = "CONTRACT7A"  # ten characters of base32, as a real marker


class Part(StrEnum):
    """What a world can do besides the necessary; a test that needs a missing part is skipped.

    `foreign_notes`: `add_note`. `delete`: `delete`. `lock`: `lock`. `lose_answer`: `lose_answer`.
    `drop_request`: `drop_request`.
    """

    FOREIGN_NOTES = "foreign_notes"
    DELETE = "delete"
    LOCK = "lock"
    LOSE_ANSWER = "lose_answer"
    DROP_REQUEST = "drop_request"


@dataclass(frozen=True, slots=True)
class Samples:
    """Values that may be written to a seeded record.

    `field` is (name, before, after) of a writable field: seeded records hold `before`. `owners` are
    (before, after). `native` are steps that lower to native calls, from the seeded state. What the
    CRM cannot write stays None or empty.
    """

    object: str
    pull_fields: tuple[str, ...]
    field: tuple[str, Scalar, Scalar] | None = None
    owners: tuple[str, str] | None = None
    tag: str = "highseas-contract"
    foreign_tag: str = "foreign-contract"
    native: tuple[Step, ...] = ()


class World(Protocol):
    """An adapter and the CRM behind it, as its other users see it; fresh for each test.

    Everything but `adapter` goes round the adapter. A world that lacks a part may raise in its
    method; the suite asks `parts` first.
    """

    @property
    def adapter(self) -> Adapter:
        """The adapter under test."""

    @property
    def samples(self) -> Samples:
        """What may be written."""

    @property
    def parts(self) -> frozenset[Part]:
        """What this world can do besides the necessary."""

    def seed(self, count: int) -> tuple[Ref, ...]:
        """Add so many records without tags and notes, and make pages small enough to be several."""

    def snapshot(self) -> Mapping[str, Any]:
        """By text form of the ref a mapping: `notes` (a list of texts), tags, owner and fields.

        Comparable, so nothing in it that changes by itself: no moments, no ids of notes.
        """

    def writes(self) -> int:
        """How many write requests the CRM has had."""

    def wait(self, seconds: float) -> None:
        """Let so much time pass; nothing to do where no write can still be under way."""

    def edit(self, ref: Ref) -> None:
        """Change the record as somebody else, so that its version moves."""

    def add_tag(self, ref: Ref, tag: str) -> None:
        """Tag the record as somebody else."""

    def add_note(self, ref: Ref, text: str) -> None:
        """Put a note as somebody else."""

    def delete(self, ref: Ref) -> None:
        """Delete the record as somebody else."""

    def lock(self, ref: Ref) -> None:
        """Lock the record, so that it cannot be written for now."""

    def lose_answer(self) -> None:
        """The next write is done, and its answer is lost."""

    def drop_request(self) -> None:
        """The next write is not done, and the sender cannot know."""


def needs(world: World, part: Part) -> None:
    """Skip the test, and say why, when the world lacks this part."""
    if part not in world.parts:
        raise SkipTest(f"the world has no part '{part.value}'")


def check(condition: bool, message: str) -> None:  # noqa: FBT001 - reads like an assert
    if not condition:
        raise AssertionError(message)


def change_of(world: World, ref: Ref) -> Change:
    """Everything at once that this CRM can take, short of native calls."""
    writable = world.adapter.describe().capabilities.writes
    steps = tuple(step for kind, step in _steps(world.samples) if kind in writable)
    if not steps:
        raise SkipTest("the adapter writes nothing but native calls")
    return Change(f"intent-{ref.id}", ref, "contract", steps)


def _steps(samples: Samples) -> Iterator[tuple[PrimitiveKind, Step]]:
    if samples.field is not None:
        yield PrimitiveKind.SET_FIELD, Step(StepKind.FIELD, *samples.field)
    if samples.owners is not None:
        yield PrimitiveKind.CHANGE_OWNER, Step(StepKind.OWNER, "", *samples.owners)
    yield PrimitiveKind.ADD_TAG, Step(StepKind.TAG, samples.tag, before=False, after=True)
    text = f"六个月无跟进，建议作废\nNo contact since 2026-05-01. {MARKER}"
    yield PrimitiveKind.PUT_NOTE, Step(StepKind.NOTE, MARKER, before=None, after=text)


def without_notes(change: Change) -> Change:
    """Notes are put once by contract, so nothing is promised about putting them twice."""
    steps = tuple(step for step in change.steps if step.kind is not StepKind.NOTE)
    if not steps:
        raise SkipTest("the adapter writes nothing but notes")
    return msgspec.structs.replace(change, steps=steps)


def batches_of(world: World, *changes: Change) -> list[Batch]:
    lowered = tuple(p for change in changes for p in world.adapter.lower(change))
    return list(world.adapter.batches(lowered))


def send_all(world: World, batches: list[Batch]) -> dict[str, Outcome]:
    """Send in order, as a run does."""
    outcomes: dict[str, Outcome] = {}
    for batch in batches:
        outcomes |= _matched(batch, world.adapter.send(batch))
    return outcomes


def settle_all(world: World, batches: list[Batch]) -> dict[str, Outcome]:
    """Settle after the lag, and insist that it only reads."""
    world.wait(world.adapter.describe().capabilities.note_lag_seconds)
    before, count = world.snapshot(), world.writes()
    outcomes: dict[str, Outcome] = {}
    for batch in batches:
        outcomes |= _matched(batch, world.adapter.settle(batch))
    check(world.writes() == count, "settle sent a write")
    check(world.snapshot() == before, "settle changed something in the CRM")
    return outcomes


def _matched(batch: Batch, outcomes: list[Outcome]) -> dict[str, Outcome]:
    keys = [primitive.key for primitive in batch.primitives]
    check([o.key for o in outcomes] == keys, "not one outcome a primitive, in their order")
    return {outcome.key: outcome for outcome in outcomes}


def expect(outcomes: Mapping[str, Outcome], status: OutcomeStatus) -> None:
    wrong = {key: f"{o.status} {o.code}" for key, o in outcomes.items() if o.status is not status}
    check(not wrong, f"expected {status} for all, but got {wrong}")


def expect_settled(
    world: World, batches: list[Batch], outcomes: Mapping[str, Outcome], status: OutcomeStatus
) -> None:
    """All of this status; a note that cannot be looked up has to stay unknown."""
    is_blind = world.adapter.describe().capabilities.note_lookup is NoteLookup.NONE
    for primitive in (p for batch in batches for p in batch.primitives):
        outcome = outcomes[primitive.key]
        is_note = primitive.kind is PrimitiveKind.PUT_NOTE
        wanted = OutcomeStatus.UNKNOWN if is_blind and is_note else status
        check(
            outcome.status is wanted,
            f"settle says {outcome.status} of {primitive.kind}, not {wanted}",
        )


def expect_not_sent(world: World, batch: Batch) -> None:
    """Unknown for all, or an error that tells that nothing arrived."""
    try:
        outcomes = send_all(world, [batch])
    except RemoteError:
        return
    expect(outcomes, OutcomeStatus.UNKNOWN)


def expect_read_back(world: World, batches: list[Batch], outcomes: Mapping[str, Outcome]) -> None:
    """What was sent is what `read` shows."""
    sent = [primitive for batch in batches for primitive in batch.primitives]
    notes = tuple(
        NoteRef(p.ref, p.target, outcomes[p.key].remote_id)
        for p in sent
        if p.kind is PrimitiveKind.PUT_NOTE
    )
    named = {p.target for p in sent if p.kind is PrimitiveKind.SET_FIELD}
    refs = tuple(dict.fromkeys(p.ref for p in sent))
    request = ReadRequest(refs, tuple(sorted(named)), notes)
    states = {state.ref: state for state in world.adapter.read(request)}
    is_blind = world.adapter.describe().capabilities.note_lookup is NoteLookup.NONE
    for primitive in sent:
        if not (is_blind and outcomes[primitive.key].remote_id is None and _is_note(primitive)):
            live = _live(states[primitive.ref], primitive)
            check(live == primitive.after, f"read does not show the {primitive.kind} just done")


def _is_note(primitive: Primitive) -> bool:
    return primitive.kind is PrimitiveKind.PUT_NOTE


def _live(state: RecordState, primitive: Primitive) -> Scalar:
    if primitive.kind is PrimitiveKind.ADD_TAG:
        return primitive.target in state.tags
    if primitive.kind is PrimitiveKind.CHANGE_OWNER:
        return state.owner
    if _is_note(primitive):
        found = [note.text for note in state.notes if note.marker == primitive.target]
        check(len(found) <= 1, "one note came back more than once")
        return found[0] if found else None
    return state.fields[primitive.target]


def pulled(world: World, **options: Any) -> list[Page]:
    samples = world.samples
    return list(world.adapter.pull(PullRequest(samples.object, samples.pull_fields, **options)))


def is_gone(pages: Iterable[Page], ref: Ref) -> bool:
    """Whether these pages tell that a record was deleted: by its id, or by a list of all others."""
    present = {identifier for page in pages for identifier in page.present}
    named = any(ref.id in page.deleted for page in pages)
    return named or (bool(present) and ref.id not in present)


def ids_of(page: Page) -> list[str]:
    return [str(json.loads(row)["id"]) for row in page.rows]


def states_of(world: World, refs: tuple[Ref, ...]) -> list[RecordState]:
    return list(world.adapter.read(ReadRequest(refs)))
