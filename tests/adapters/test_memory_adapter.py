"""The reference adapter: it passes the conformance suite in every profile, and plays its part."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from adapters.contract import AdapterContract
from adapters.memory import MemoryAdapter
from adapters.memory_crm import Fault, ManualClock
from adapters.memory_profile import (
    FXIAOKE_LIKE,
    KINTO_LIKE,
    PLAIN,
    TRYTON_LIKE,
    NoteModel,
    Profile,
)
from adapters.memory_world import MemoryWorld
from connector.errors import ConfigurationError, UnavailableError
from connector.models import (
    Change,
    Outcome,
    OutcomeStatus,
    Primitive,
    PrimitiveKind,
    Ref,
    Step,
    StepKind,
    inverse,
)
from connector.ports import (
    Adapter,
    Batch,
    NoteLookup,
    NoteRef,
    PullRequest,
    ReadRequest,
    RecordState,
)

NOTE_KINDS = {PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE}


def without_notes(profile: Profile) -> Profile:
    can = profile.capabilities
    writes = {kind: limit for kind, limit in can.writes.items() if kind not in NOTE_KINDS}
    can = msgspec.structs.replace(can, writes=writes, note_lookup=NoteLookup.NONE)
    return replace(profile, capabilities=can, notes=NoteModel.NONE)


def blind(profile: Profile) -> Profile:
    can = msgspec.structs.replace(profile.capabilities, note_lookup=NoteLookup.NONE)
    return replace(profile, capabilities=can)


WORLDS = {
    **{each.name: (each, False) for each in (PLAIN, FXIAOKE_LIKE, KINTO_LIKE, TRYTON_LIKE)},
    "fxiaoke_like, voiding": (FXIAOKE_LIKE, True),
    "plain without notes": (without_notes(PLAIN), False),
    "plain, notes not to be found": (blind(PLAIN), False),
}


class TestMemoryAdapterKeepsTheContract(AdapterContract):
    @pytest.fixture(params=WORLDS)
    def world(self, request: pytest.FixtureRequest) -> MemoryWorld:
        profile, voids = WORLDS[request.param]
        return MemoryWorld(profile, voids=voids)


def lowered(adapter: Adapter, ref: Ref, *steps: Step) -> tuple[Primitive, ...]:
    return adapter.lower(Change(f"i{ref.id}", ref, "rule", steps))


def apply(adapter: Adapter, *primitives: Primitive) -> list[Outcome]:
    return [o for batch in adapter.batches(primitives) for o in adapter.send(batch)]


def statuses(outcomes: list[Outcome]) -> list[OutcomeStatus]:
    return [outcome.status for outcome in outcomes]


def state(adapter: Adapter, ref: Ref, *notes: NoteRef, fields: tuple[str, ...] = ()) -> RecordState:
    (found,) = adapter.read(ReadRequest((ref,), fields, notes))
    return found


def tag(name: str, *, present: bool = True) -> Step:
    return Step(StepKind.TAG, name, not present, present)


def note(text: str | None, before: str | None = None, remote_id: str | None = None) -> Step:
    return Step(StepKind.NOTE, "MARKER7A2B", before, text, remote_id)


VOID = Step(StepKind.FIELD, "life_status", "normal", "invalid")
TO_POOL = Step(StepKind.FIELD, "high_seas_id", None, "pool-1")
OWNERLESS = Step(StepKind.OWNER, "", "u1", None)


class TestFxiaokeLike:
    @pytest.fixture
    def adapter(self) -> MemoryAdapter:
        return MemoryAdapter(FXIAOKE_LIKE)

    def test_reason_is_noted_before_the_void_and_undo_recovers_first(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        there = lowered(adapter, ref, VOID, note("gone"))
        assert [p.kind for p in there] == [PrimitiveKind.PUT_NOTE, PrimitiveKind.CALL]
        outcomes = apply(adapter, *there)
        back = [
            inverse(p, intent_id="u", step=n, remote_id=outcomes[1 - n].remote_id)
            for n, p in enumerate(reversed(there))
        ]
        assert [p.kind for p in back] == [PrimitiveKind.CALL, PrimitiveKind.DELETE_NOTE]
        assert statuses(apply(adapter, *back)) == [OutcomeStatus.DONE] * 2

    def test_recovery_goes_before_what_needs_a_living_record(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, life_status="invalid")
        recover = Step(StepKind.FIELD, "life_status", "invalid", "normal")
        done = lowered(adapter, ref, note("back"), recover)
        assert [p.kind for p in done] == [PrimitiveKind.CALL, PrimitiveKind.PUT_NOTE]
        assert statuses(apply(adapter, *done)) == [OutcomeStatus.DONE] * 2

    def test_invalid_record_takes_no_edit(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, life_status="invalid")
        field = lowered(adapter, ref, Step(StepKind.FIELD, "status", None, "watched"))
        (outcome,) = apply(adapter, *field)
        assert (outcome.status, outcome.code) == (OutcomeStatus.REFUSED, "INVALID_STATE")

    def test_only_a_normal_record_is_voided(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, life_status="ineffective")
        assert statuses(apply(adapter, *lowered(adapter, ref, VOID))) == [OutcomeStatus.REFUSED]

    def test_void_that_needs_approval_is_parked_and_not_sent_anew(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        adapter.crm.approval = True
        (batch,) = adapter.batches(lowered(adapter, ref, VOID))
        assert statuses(adapter.send(batch)) == [OutcomeStatus.PARKED]
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.PARKED]
        assert statuses(adapter.send(batch)) == [OutcomeStatus.PARKED]
        assert state(adapter, ref, fields=("life_status",)).fields == {"life_status": "in_change"}

    def test_second_void_sends_nothing_anew(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        primitives = lowered(adapter, ref, VOID)
        apply(adapter, *primitives)
        before = state(adapter, ref).version
        assert statuses(apply(adapter, *primitives)) == [OutcomeStatus.DONE]
        assert state(adapter, ref).version == before

    def test_pool_call_alone_is_refused(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        call = Primitive("i", 0, ref, PrimitiveKind.CALL, "high_seas_id", None, "pool-1")
        assert [o.code for o in apply(adapter, call)] == ["OWNER_REQUIRED"]

    def test_return_to_the_pool_moves_pool_and_owner_in_one_call(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        there = lowered(adapter, ref, TO_POOL, OWNERLESS)
        assert len(list(adapter.batches(there))) == 1
        assert statuses(apply(adapter, *there)) == [OutcomeStatus.DONE] * 2
        found = state(adapter, ref, fields=("high_seas_id",))
        assert (found.owner, found.fields["high_seas_id"]) == (None, "pool-1")

    def test_move_to_the_pool_without_an_owner_step_is_refused(
        self, adapter: MemoryAdapter
    ) -> None:
        with pytest.raises(ConfigurationError, match="what becomes of the owner"):
            lowered(adapter, Ref("Accounts", "1"), TO_POOL)

    def test_pool_call_without_its_owner_is_refused_by_the_crm(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, high_seas_id="pool-1", owner=None)
        call = Primitive("i", 0, ref, PrimitiveKind.CALL, "high_seas_id", "pool-1", None)
        owner = Primitive("i", 1, ref, PrimitiveKind.CHANGE_OWNER, "", None, None)
        assert {o.code for o in apply(adapter, call, owner)} == {"OWNER_REQUIRED"}

    def test_unclaimed_customer_of_a_pool_is_edited_by_nobody(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, high_seas_id="pool-1", owner=None)
        field = lowered(adapter, ref, Step(StepKind.FIELD, "status", None, "watched"))
        (outcome,) = apply(adapter, *field)
        assert (outcome.status, outcome.code) == (OutcomeStatus.REFUSED, "NO_PERMISSION")

    def test_pool_pairs_of_two_records_stay_apart(self, adapter: MemoryAdapter) -> None:
        refs = adapter.crm.seed("Accounts", 2)
        there = [p for ref in refs for p in lowered(adapter, ref, TO_POOL, OWNERLESS)]
        assert [len(b.primitives) for b in adapter.batches(tuple(there))] == [2, 2]

    def test_void_beside_an_owner_change_is_no_pair(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        there = lowered(adapter, ref, VOID, Step(StepKind.OWNER, "", "u1", "u2"))
        assert [len(batch.primitives) for batch in adapter.batches(there)] == [1, 1]

    def test_new_note_is_found_by_its_marker_only_after_the_lag(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (batch,) = adapter.batches(lowered(adapter, ref, note("why MARKER7A2B")))
        (sent,) = adapter.send(batch)
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.ABSENT]
        assert state(adapter, ref, NoteRef(ref, "MARKER7A2B", sent.remote_id)).notes
        assert isinstance(adapter.now, ManualClock)
        adapter.now.advance(adapter.profile.capabilities.note_lag_seconds)
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.DONE]

    def test_tags_cannot_be_lowered(self, adapter: MemoryAdapter) -> None:
        with pytest.raises(ConfigurationError, match="cannot write add_tag"):
            lowered(adapter, Ref("Accounts", "1"), tag("gold"))


class TestKintoLike:
    @pytest.fixture
    def adapter(self) -> MemoryAdapter:
        return MemoryAdapter(KINTO_LIKE)

    def test_one_record_takes_one_request_and_one_version(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        steps = (tag("gold"), note("why"), Step(StepKind.FIELD, "status", None, "watched"))
        (batch,) = adapter.batches(lowered(adapter, ref, *steps))
        version = state(adapter, ref).version
        assert version is not None
        guarded = msgspec.structs.replace(batch, versions={str(ref): version})
        assert statuses(adapter.send(guarded)) == [OutcomeStatus.DONE] * 3
        assert adapter.crm.writes == 1

    def test_stale_version_stops_its_own_record_alone(self, adapter: MemoryAdapter) -> None:
        moved, still = adapter.crm.seed("Accounts", 2)
        seen = {str(ref): str(state(adapter, ref).version) for ref in (moved, still)}
        adapter.crm.edit(moved, name="Other")
        primitives = [p for ref in (moved, still) for p in lowered(adapter, ref, tag("gold"))]
        (batch,) = adapter.batches(tuple(primitives))
        outcomes = adapter.send(msgspec.structs.replace(batch, versions=seen))
        assert statuses(outcomes) == [OutcomeStatus.CONFLICT, OutcomeStatus.DONE]

    def test_array_keeps_the_tags_of_others(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        adapter.crm.add_tag(ref, "vip")
        apply(adapter, *lowered(adapter, ref, tag("gold")))
        apply(adapter, *lowered(adapter, ref, tag("gold", present=False)))
        assert state(adapter, ref).tags == {"vip"}

    def test_notes_in_a_field_leave_the_text_around_them(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, remark="Call Mondays only\n")
        (put,) = lowered(adapter, ref, note("first"))
        apply(adapter, put)
        adapter.crm.add_note(ref, "Prefers mail")
        wanted = NoteRef(ref, "MARKER7A2B")
        assert state(adapter, ref, wanted).notes[0].text == "first"
        apply(adapter, *lowered(adapter, ref, note("second", before="first")))
        assert state(adapter, ref, wanted).notes[0].text == "second"
        apply(adapter, *lowered(adapter, ref, note(None, before="second")))
        assert state(adapter, ref, wanted).notes == ()
        text = state(adapter, ref, fields=("remark",)).fields["remark"]
        assert text == "Call Mondays only\nPrefers mail\n"


class TestTrytonLike:
    @pytest.fixture
    def adapter(self) -> MemoryAdapter:
        return MemoryAdapter(TRYTON_LIKE)

    def test_lowering_needs_no_catalogue(self, adapter: MemoryAdapter) -> None:
        reads = adapter.crm.reads
        (primitive,) = lowered(adapter, Ref("Accounts", "1"), tag("gold"))
        assert primitive.target == "gold"
        assert (adapter.crm.reads, adapter.crm.catalogue) == (reads, {})

    def test_tags_are_kept_by_id_and_read_by_name(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        adapter.crm.add_tag(ref, "vip")
        apply(adapter, *lowered(adapter, ref, tag("gold")))
        assert state(adapter, ref).tags == {"vip", "gold"}
        (page,) = adapter.pull(PullRequest("Accounts", ("categories",)))
        row = json.loads(page.rows[0])
        assert row["categories"] == [{"id": 1, "name": "vip"}, {"id": 2, "name": "gold"}]

    def test_record_never_changed_has_a_version_and_is_pulled(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (page,) = adapter.pull(PullRequest("Accounts", ("modified", "created")))
        row = json.loads(page.rows[0])
        assert row["modified"] is None
        assert state(adapter, ref).version == row["created"]
        since = adapter.now() - timedelta(seconds=1)
        (again,) = adapter.pull(PullRequest("Accounts", (), since=since))
        assert len(again.rows) == 1


class TestPlain:
    @pytest.fixture
    def adapter(self) -> MemoryAdapter:
        return MemoryAdapter()

    def test_existing_note_is_changed_and_removed_by_its_id(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (put,) = apply(adapter, *lowered(adapter, ref, note("first")))
        change = note("second", before="first", remote_id=put.remote_id)
        (batch,) = adapter.batches(lowered(adapter, ref, change))
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.ABSENT]
        assert adapter.send(batch)[0].remote_id == put.remote_id
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.DONE]
        assert [n["text"] for n in adapter.crm.notes.values()] == ["second"]

    def test_change_of_a_note_that_somebody_removed_is_refused(
        self, adapter: MemoryAdapter
    ) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (put,) = apply(adapter, *lowered(adapter, ref, note("first")))
        assert put.remote_id is not None
        adapter.crm.delete_note(put.remote_id)
        change = note("second", before="first", remote_id=put.remote_id)
        (outcome,) = apply(adapter, *lowered(adapter, ref, change))
        assert outcome.code == "NOT_FOUND"

    def test_removal_of_a_note_settles_by_its_absence(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (put,) = apply(adapter, *lowered(adapter, ref, note("first")))
        gone = note(None, before="first", remote_id=put.remote_id)
        (batch,) = adapter.batches(lowered(adapter, ref, gone))
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.ABSENT]
        adapter.send(batch)
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.DONE]

    def test_removing_a_note_that_is_gone_is_done(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        gone = lowered(adapter, ref, note(None, before="first", remote_id="n9"))
        assert statuses(apply(adapter, *gone)) == [OutcomeStatus.DONE]

    def test_edited_note_is_read_as_it_stands(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (put,) = apply(adapter, *lowered(adapter, ref, note("first")))
        assert put.remote_id is not None
        adapter.crm.edit_note(put.remote_id, "not so")
        found = state(adapter, ref, NoteRef(ref, "MARKER7A2B", put.remote_id))
        assert found.notes[0].text == "not so"

    def test_late_write_lands_after_the_settling_time(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (batch,) = adapter.batches(lowered(adapter, ref, tag("gold")))
        adapter.crm.fail_next(Fault.LATE)
        assert statuses(adapter.send(batch)) == [OutcomeStatus.UNKNOWN]
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.ABSENT]
        assert isinstance(adapter.now, ManualClock)
        adapter.now.advance(adapter.profile.capabilities.settle_seconds)
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.DONE]

    def test_refused_request_refuses_every_row(self, adapter: MemoryAdapter) -> None:
        refs = adapter.crm.seed("Accounts", 2)
        adapter.crm.fail_next(Fault.REFUSE)
        outcomes = apply(adapter, *(p for ref in refs for p in lowered(adapter, ref, tag("gold"))))
        assert statuses(outcomes) == [OutcomeStatus.REFUSED] * 2
        assert {tuple(row["tags"]) for row in adapter.crm.snapshot().values()} == {()}

    def test_crm_that_is_down_answers_nothing(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (batch,) = adapter.batches(lowered(adapter, ref, tag("gold")))
        adapter.crm.down = True
        with pytest.raises(UnavailableError):
            adapter.identity()
        with pytest.raises(UnavailableError):
            adapter.send(batch)
        adapter.crm.down = False
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.ABSENT]

    def test_unlocked_record_can_be_written_again(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        adapter.crm.lock(ref)
        primitives = lowered(adapter, ref, tag("gold"))
        assert statuses(apply(adapter, *primitives)) == [OutcomeStatus.PARKED]
        adapter.crm.unlock(ref)
        assert statuses(apply(adapter, *primitives)) == [OutcomeStatus.DONE]

    def test_settle_tells_a_third_value_from_before_and_after(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        (batch,) = adapter.batches(lowered(adapter, ref, Step(StepKind.OWNER, "", "u1", "u2")))
        adapter.crm.change_owner(ref, "u3")
        assert statuses(adapter.settle(batch)) == [OutcomeStatus.CONFLICT]
        adapter.crm.delete(ref)
        (gone,) = adapter.settle(batch)
        assert (gone.status, gone.code) == (OutcomeStatus.CONFLICT, "NOT_FOUND")

    def test_other_people_take_tags_away(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        adapter.crm.add_tag(ref, "vip")
        adapter.crm.add_tag(ref, "vip")
        adapter.crm.remove_tag(ref, "vip")
        found = state(adapter, ref)
        assert (found.tags, found.modified_by) == (frozenset(), "other")

    def test_equal_value_leaves_the_version_alone(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        before = state(adapter, ref).version
        apply(adapter, *lowered(adapter, ref, Step(StepKind.OWNER, "", "u1", "u1")))
        assert state(adapter, ref).version == before

    def test_pull_without_deletions_reports_none(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1)
        since = adapter.now() - timedelta(seconds=1)
        adapter.crm.delete(ref)
        (silent,) = adapter.pull(PullRequest("Accounts", (), since=since, deletions=False))
        (told,) = adapter.pull(PullRequest("Accounts", (), since=since))
        assert (silent.deleted, told.deleted) == ((), (ref.id,))

    def test_record_that_changes_during_the_walk_comes_with_the_next(self) -> None:
        adapter = MemoryAdapter(page_size=2)
        refs = adapter.crm.seed("Accounts", 5)
        walk = adapter.pull(PullRequest("Accounts", ("name",)))
        pages = [next(walk)]
        adapter.crm.edit(refs[0], name="Changed behind the cursor")
        pages += walk
        since = pages[-1].watermark
        (page,) = adapter.pull(PullRequest("Accounts", ("name",), since=since))
        assert [json.loads(row)["id"] for row in page.rows] == [refs[0].id]

    def test_read_asks_in_chunks(self, adapter: MemoryAdapter) -> None:
        refs = adapter.crm.seed("Accounts", 250)
        before = adapter.crm.reads
        assert len(list(adapter.read(ReadRequest(refs)))) == 250
        assert adapter.crm.reads - before == 3

    def test_operations_that_come_late_are_sent_together(self, adapter: MemoryAdapter) -> None:
        first, second = adapter.crm.seed("Accounts", 2)
        field = Step(StepKind.FIELD, "status", None, "watched")
        primitives = (
            *lowered(adapter, first, tag("a")),
            *lowered(adapter, second, tag("a"), field),
        )
        found = [batch.operation for batch in adapter.batches(primitives)]
        assert found == ["set_field", "add_tag"]

    def test_cost_counts_every_started_block_of_rows(self, adapter: MemoryAdapter) -> None:
        refs = adapter.crm.seed("Accounts", 151)
        primitives = tuple(p for ref in refs for p in lowered(adapter, ref, tag("a")))
        batches = list(adapter.batches(primitives))
        assert [(len(b.primitives), b.cost) for b in batches] == [(100, 2), (51, 2)]

    def test_threads_share_one_adapter(self, adapter: MemoryAdapter) -> None:
        refs = adapter.crm.seed("Accounts", 40)
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(
                pool.map(lambda r: apply(adapter, *lowered(adapter, r, tag("a"))), refs)
            )
        assert {o.status for found in outcomes for o in found} == {OutcomeStatus.DONE}
        assert adapter.crm.writes == 40
        assert all(row["tags"] == ["a"] for row in adapter.crm.snapshot().values())

    def test_snapshot_knows_no_moments(self, adapter: MemoryAdapter) -> None:
        (ref,) = adapter.crm.seed("Accounts", 1, name="Acme")
        adapter.crm.add_note(ref, "hello")
        picture = {"name": "Acme", "status": None}
        expected = {"tags": [], "owner": "u1", "fields": picture, "notes": ["hello"]}
        assert adapter.crm.snapshot() == {str(ref): expected}


def test_blind_note_stays_unknown_and_is_known_by_its_id_alone() -> None:
    adapter = MemoryAdapter(blind(PLAIN))
    (ref,) = adapter.crm.seed("Accounts", 1)
    (batch,) = adapter.batches(lowered(adapter, ref, note("why MARKER7A2B")))
    (sent,) = adapter.send(batch)
    assert statuses(adapter.settle(batch)) == [OutcomeStatus.UNKNOWN]
    assert state(adapter, ref, NoteRef(ref, "MARKER7A2B")).notes == ()
    assert state(adapter, ref, NoteRef(ref, "MARKER7A2B", sent.remote_id)).notes


def test_versions_mean_nothing_where_writes_are_unconditional() -> None:
    adapter = MemoryAdapter()
    (ref,) = adapter.crm.seed("Accounts", 1)
    (batch,) = adapter.batches(lowered(adapter, ref, tag("gold")))
    guarded = Batch(batch.operation, batch.primitives, versions={str(ref): "old"})
    assert statuses(adapter.send(guarded)) == [OutcomeStatus.DONE]
