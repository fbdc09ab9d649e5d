"""The conformance suite against adapters that are broken on purpose: each test of it can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from unittest import SkipTest

import msgspec
import pytest

from adapters.contract import AdapterContract, Part
from adapters.contract_world import MARKER
from adapters.memory import MemoryAdapter
from adapters.memory_crm import AnswerLostError, Row, RowError
from adapters.memory_profile import (
    FXIAOKE_LIKE,
    KINTO_LIKE,
    LIFE_NORMAL,
    PLAIN,
    TRYTON_LIKE,
    Profile,
)
from adapters.memory_world import MemoryWorld
from connector.errors import UnavailableError
from connector.models import Change, Outcome, OutcomeStatus, Primitive, PrimitiveKind, Ref
from connector.ports import (
    Batch,
    NoteRef,
    NoteState,
    Organisation,
    Page,
    PullRequest,
    ReadRequest,
    RecordState,
    Schema,
)

TESTS = sorted(name for name in dir(AdapterContract) if name.startswith("test_"))


def verdict(test: str, world: MemoryWorld) -> str:
    """passed, skipped or failed: one test of the suite without pytest."""
    run: Callable[[MemoryWorld], None] = getattr(AdapterContract(), test)
    try:
        run(world)
    except SkipTest:
        return "skipped"
    except AssertionError:
        return "failed"
    return "passed"


class Restless(MemoryAdapter):
    """Calls itself something else each time."""

    numbers = count()

    def identity(self) -> Organisation:
        return msgspec.structs.replace(super().identity(), id=f"org-{next(self.numbers)}")


class Verbless(MemoryAdapter):
    settle = None  # type: ignore[assignment]


class Silent(MemoryAdapter):
    """Does not describe its fields, and says that nothing can arrive late."""

    def describe(self) -> Schema:
        schema = super().describe()
        objects = {
            name: msgspec.structs.replace(info, fields=info.fields[:1])
            for name, info in schema.objects.items()
        }
        can = msgspec.structs.replace(schema.capabilities, settle_seconds=0.0)
        return Schema(objects, can)


class LosesRowsAtPageEdges(MemoryAdapter):
    def pull(self, request: PullRequest) -> Iterator[Page]:
        for page in super().pull(request):
            yield msgspec.structs.replace(page, rows=page.rows[: 1 if page.resume else None])


class Timeless(MemoryAdapter):
    """Names no watermark and reports no deletions."""

    def pull(self, request: PullRequest) -> Iterator[Page]:
        for page in super().pull(request):
            yield msgspec.structs.replace(page, watermark=None)


class ForgetsDeletions(MemoryAdapter):
    def pull(self, request: PullRequest) -> Iterator[Page]:
        for page in super().pull(request):
            yield msgspec.structs.replace(page, deleted=())


class StartsOverOnResume(MemoryAdapter):
    def pull(self, request: PullRequest) -> Iterator[Page]:
        yield from super().pull(msgspec.structs.replace(request, resume=None))


class ForgetsWhatWasNeverChanged(MemoryAdapter):
    """Filters by a modification time that new records do not have."""

    def _changed(self, request: PullRequest, last: str) -> Iterator[Row]:
        for row in super()._changed(request, last):
            if request.since is None or row["modified"] is not None:
                yield row


class WritesOnRead(MemoryAdapter):
    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        self.crm.writes += 1
        yield from super().read(request)


class ReadsInItsOwnOrder(MemoryAdapter):
    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        yield from sorted(super().read(request), key=lambda state: state.ref)


class LeavesOutTheMissing(MemoryAdapter):
    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        yield from (state for state in super().read(request) if state.exists)


class Versionless(MemoryAdapter):
    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        for state in super().read(request):
            yield msgspec.structs.replace(state, version="1")


class CreatesTagsWhileLowering(MemoryAdapter):
    def lower(self, change: Change) -> tuple[Primitive, ...]:
        self.crm.writing(lambda: self.crm.tag_id(change.rule))
        return super().lower(change)


class DropsSteps(MemoryAdapter):
    def lower(self, change: Change) -> tuple[Primitive, ...]:
        return super().lower(change)[1:]


class BatchesWithoutLimit(MemoryAdapter):
    def batches(self, primitives: tuple[Primitive, ...]) -> Iterator[Batch]:
        yield Batch("all", primitives)


class WritesOneRecordABatch(MemoryAdapter):
    """Says done for all, does the first."""

    def _execute(self, batch: Batch) -> list[Outcome]:
        super()._execute(Batch(batch.operation, batch.primitives[:1]))
        return [Outcome(p.key, OutcomeStatus.DONE) for p in batch.primitives]


class TogglesTags(MemoryAdapter):
    def _write_tag(self, row: Row, primitive: Primitive) -> None:
        present = primitive.target not in self.crm.tag_names(row)
        self.crm.set_tag(row, primitive.target, present=present)


class SettlesBySending(MemoryAdapter):
    """Doubles notes."""

    def settle(self, batch: Batch) -> list[Outcome]:
        return self.send(batch)


class SettlesByHope(MemoryAdapter):
    def settle(self, batch: Batch) -> list[Outcome]:
        return [Outcome(p.key, OutcomeStatus.DONE) for p in batch.primitives]


class NeverRecovers(MemoryAdapter):
    def _write(self, primitive: Primitive) -> str | None:
        is_recovery = primitive.kind is PrimitiveKind.CALL and primitive.after == LIFE_NORMAL
        return None if is_recovery else super()._write(primitive)


class KeepsItsNotes(MemoryAdapter):
    def _write(self, primitive: Primitive) -> str | None:
        if primitive.kind is PrimitiveKind.DELETE_NOTE:
            return primitive.remote_id
        return super()._write(primitive)


class OverwritesTags(MemoryAdapter):
    def _write_tag(self, row: Row, primitive: Primitive) -> None:
        present = primitive.kind is PrimitiveKind.ADD_TAG
        self.crm.patch(row, {"tags": [primitive.target] if present else []})


class TakesAnyNoteForItsOwn(MemoryAdapter):
    def _note(self, row: Row, wanted: NoteRef) -> NoteState | None:
        for note in self.crm.search_notes(wanted.ref, ""):
            return NoteState(wanted.marker, note["id"], note["text"])
        return None


class RetriesBlindly(MemoryAdapter):
    """Doubles notes when an answer is lost."""

    def send(self, batch: Batch) -> list[Outcome]:
        try:
            return self.crm.writing(lambda: self._execute(batch))
        except AnswerLostError:
            return self.crm.writing(lambda: self._execute(batch))


class ClaimsRetriesAreUnknown(RetriesBlindly):
    """As before, and hides it."""

    def send(self, batch: Batch) -> list[Outcome]:
        before = len(self.crm._faults)
        outcomes = super().send(batch)
        if before == len(self.crm._faults):
            return outcomes
        return [Outcome(o.key, OutcomeStatus.UNKNOWN) for o in outcomes]


class RefusesTheLocked(MemoryAdapter):
    def send(self, batch: Batch) -> list[Outcome]:
        return [
            msgspec.structs.replace(outcome, status=OutcomeStatus.REFUSED)
            if outcome.status is OutcomeStatus.PARKED
            else outcome
            for outcome in super().send(batch)
        ]


class StopsAtTheFirstRefusal(MemoryAdapter):
    def _execute(self, batch: Batch) -> list[Outcome]:
        if any(self.crm.find(p.ref) is None for p in batch.primitives):
            raise RowError("NOT_FOUND")
        return super()._execute(batch)


class IgnoresVersions(MemoryAdapter):
    def _moved(self, batch: Batch) -> Iterator[Ref]:
        yield from ()


class MixesUpAnswers(MemoryAdapter):
    def send(self, batch: Batch) -> list[Outcome]:
        return super().send(batch)[::-1]


CAUGHT: list[tuple[type[MemoryAdapter], Profile, str]] = [
    (Restless, PLAIN, "test_identity_is_stable_and_named"),
    (Verbless, PLAIN, "test_adapter_has_all_verbs"),
    (Silent, PLAIN, "test_describe_names_the_object_and_its_fields"),
    (Silent, PLAIN, "test_capabilities_make_sense"),
    (LosesRowsAtPageEdges, PLAIN, "test_full_pull_gives_each_record_once"),
    (LosesRowsAtPageEdges, PLAIN, "test_pull_resumes_behind_any_page"),
    (Timeless, PLAIN, "test_pages_end_with_a_watermark"),
    (ForgetsDeletions, PLAIN, "test_pull_reports_deletions"),
    (StartsOverOnResume, PLAIN, "test_pull_resumes_behind_any_page"),
    (ForgetsWhatWasNeverChanged, TRYTON_LIKE, "test_overlapping_pull_loses_nothing"),
    (WritesOnRead, PLAIN, "test_pulling_and_reading_write_nothing"),
    (ReadsInItsOwnOrder, PLAIN, "test_read_keeps_the_order_of_the_refs"),
    (LeavesOutTheMissing, PLAIN, "test_read_of_a_missing_record_says_so"),
    (Versionless, PLAIN, "test_version_moves_with_an_edit"),
    (CreatesTagsWhileLowering, PLAIN, "test_lower_and_batches_are_pure"),
    (DropsSteps, PLAIN, "test_lower_keeps_every_step_and_numbers_them"),
    (BatchesWithoutLimit, PLAIN, "test_batches_keep_limits_order_and_every_primitive"),
    (WritesOneRecordABatch, PLAIN, "test_written_values_are_read_back"),
    (WritesOneRecordABatch, PLAIN, "test_order_of_the_records_does_not_matter"),
    (TogglesTags, PLAIN, "test_sending_what_is_true_changes_nothing"),
    (SettlesBySending, PLAIN, "test_settle_after_send_is_idempotent"),
    (SettlesByHope, PLAIN, "test_dropped_request_is_absent_and_may_be_sent_again"),
    (NeverRecovers, FXIAOKE_LIKE, "test_native_calls_work_and_come_back"),
    (KeepsItsNotes, PLAIN, "test_inverse_brings_everything_back"),
    (OverwritesTags, PLAIN, "test_foreign_tags_stay"),
    (OverwritesTags, KINTO_LIKE, "test_foreign_tags_stay"),
    (TakesAnyNoteForItsOwn, PLAIN, "test_foreign_notes_stay"),
    (RetriesBlindly, PLAIN, "test_lost_answer_is_unknown_until_settled"),
    (ClaimsRetriesAreUnknown, PLAIN, "test_lost_answer_is_unknown_until_settled"),
    (RefusesTheLocked, PLAIN, "test_locked_record_is_parked"),
    (StopsAtTheFirstRefusal, PLAIN, "test_missing_record_stops_only_itself"),
    (IgnoresVersions, KINTO_LIKE, "test_conditional_write_refuses_a_moved_record"),
    (MixesUpAnswers, PLAIN, "test_order_of_the_records_does_not_matter"),
]


@pytest.mark.parametrize(
    ("broken", "profile", "test"), CAUGHT, ids=[f"{b.__name__}-{p.name}-{t}" for b, p, t in CAUGHT]
)
def test_broken_adapter_is_caught(broken: type[MemoryAdapter], profile: Profile, test: str) -> None:
    sound = verdict(test, MemoryWorld(profile, voids=True))
    found = verdict(test, MemoryWorld(profile, voids=True, make=broken))
    assert (sound, found) == ("passed", "failed")


def test_every_test_of_the_suite_is_shown_to_fail() -> None:
    assert {test for _, _, test in CAUGHT} == set(TESTS)


def test_blind_retry_would_leave_two_notes() -> None:
    """What the suite caught above is the damage that it is meant to catch."""
    world = MemoryWorld(make=ClaimsRetriesAreUnknown)
    assert verdict("test_lost_answer_is_unknown_until_settled", world) == "failed"
    assert [MARKER in note for note in next(iter(world.snapshot().values()))["notes"]] == [True] * 2


@pytest.mark.parametrize("part", list(Part))
def test_missing_part_of_a_world_is_skipped_and_named(part: Part) -> None:
    skipped = []
    for test in TESTS:
        world = MemoryWorld()
        world.parts = frozenset(Part) - {part}
        try:
            getattr(AdapterContract(), test)(world)
        except SkipTest as skip:
            skipped.append(str(skip))
    assert f"the world has no part '{part.value}'" in skipped


def with_writes(*kinds: PrimitiveKind) -> type[MemoryAdapter]:
    """A sound adapter of a CRM in which only this can be written."""

    class Narrow(MemoryAdapter):
        def describe(self) -> Schema:
            schema = super().describe()
            writes = {kind: schema.capabilities.writes[kind] for kind in kinds}
            can = msgspec.structs.replace(schema.capabilities, writes=writes)
            return msgspec.structs.replace(schema, capabilities=can)

    return Narrow


@pytest.mark.parametrize(
    "kinds",
    [
        (),
        (PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE),
        (PrimitiveKind.ADD_TAG, PrimitiveKind.REMOVE_TAG),
        (PrimitiveKind.SET_FIELD,),
    ],
)
def test_narrow_adapter_is_never_failed_for_what_it_does_not_claim(
    kinds: tuple[PrimitiveKind, ...],
) -> None:
    make = with_writes(*kinds)
    found = {test: verdict(test, MemoryWorld(make=make)) for test in TESTS}
    assert "failed" not in found.values()
    assert found["test_full_pull_gives_each_record_once"] == "passed"


def test_sample_that_cannot_be_described_is_no_excuse() -> None:
    """A world without optional samples is still pulled, read and tagged."""
    found = {}
    for test in TESTS:
        world = MemoryWorld()
        samples = world.samples
        world.samples = type(samples)(samples.object, samples.pull_fields)
        found[test] = verdict(test, world)
    assert "failed" not in found.values()
    assert found["test_written_values_are_read_back"] == "passed"


class UnlistedDeletions(MemoryAdapter):
    def describe(self) -> Schema:
        schema = super().describe()
        objects = {
            name: msgspec.structs.replace(info, deletions=False)
            for name, info in schema.objects.items()
        }
        return msgspec.structs.replace(schema, objects=objects)


def test_object_that_does_not_report_deletions_is_not_asked_for_them() -> None:
    world = MemoryWorld(make=UnlistedDeletions)
    assert verdict("test_pull_reports_deletions", world) == "skipped"


class SaysThatNothingArrived(MemoryAdapter):
    """Knows that the request was dropped, and says so by an error."""

    def send(self, batch: Batch) -> list[Outcome]:
        outcomes = super().send(batch)
        if outcomes[0].status is OutcomeStatus.UNKNOWN:
            raise UnavailableError("no connection", "try again")
        return outcomes


def test_error_that_proves_that_nothing_arrived_is_allowed() -> None:
    world = MemoryWorld(make=SaysThatNothingArrived)
    test = "test_dropped_request_is_absent_and_may_be_sent_again"
    assert verdict(test, world) == "passed"
