"""The conformance suite: what every adapter must keep, whoever wrote it.

It needs no pytest to be imported; pytest collects it from a subclass (`docs/adapters.md`).
"""

from __future__ import annotations

from datetime import UTC, timedelta
from unittest import SkipTest

import msgspec

from adapters.contract_world import (
    MARKER,
    Part,
    Samples,
    World,
    batches_of,
    change_of,
    expect,
    expect_not_sent,
    expect_read_back,
    expect_settled,
    ids_of,
    is_gone,
    needs,
    pulled,
    send_all,
    settle_all,
    states_of,
    without_notes,
)
from connector.models import Change, Outcome, OutcomeStatus, PrimitiveKind, Ref, StepKind, inverse
from connector.ports import Adapter, Batch, NoteLookup

__all__ = ["AdapterContract", "Part", "Samples", "World"]

DONE, CONFLICT, REFUSED = OutcomeStatus.DONE, OutcomeStatus.CONFLICT, OutcomeStatus.REFUSED
UNKNOWN, ABSENT, PARKED = OutcomeStatus.UNKNOWN, OutcomeStatus.ABSENT, OutcomeStatus.PARKED
SEEDED = 7  # records a test: several pages when a page holds 2 or 3


class AdapterContract:
    """Subclass it as `class TestMine(AdapterContract)` and give it a fixture `world`."""

    # Who answers, and what it can do.

    def test_identity_is_stable_and_named(self, world: World) -> None:
        first = world.adapter.identity()
        assert first == world.adapter.identity(), "identity differs between two calls"
        assert first.id, "an organisation without an id cannot be pinned"

    def test_adapter_has_all_verbs(self, world: World) -> None:
        assert isinstance(world.adapter, Adapter), "a verb of the port is missing"

    def test_describe_names_the_object_and_its_fields(self, world: World) -> None:
        schema = world.adapter.describe()
        assert schema == world.adapter.describe(), "describe differs between two calls"
        info = schema.objects[world.samples.object]
        known = {field.name: field for field in info.fields}
        assert set(world.samples.pull_fields) <= set(known), "a field is not described"
        if world.samples.field is not None:
            assert known[world.samples.field[0]].writable, "the sample field is not writable"

    def test_capabilities_make_sense(self, world: World) -> None:
        can = world.adapter.describe().capabilities
        assert can.read_batch >= 1, "read_batch below 1"
        assert can.settle_seconds > 0, "without settle_seconds a late write is done twice"
        for kind, limit in can.writes.items():
            assert min(limit.batch, limit.cost_rows) >= 1, f"{kind}: batch or cost_rows below 1"
        notes = PrimitiveKind.PUT_NOTE in can.writes
        assert not notes or can.note_lookup is not NoteLookup.LAGGING or can.note_lag_seconds > 0, (
            "a lagging lookup has to declare its bound"
        )

    # Pulling.

    def test_full_pull_gives_each_record_once(self, world: World) -> None:
        refs = world.seed(SEEDED)
        found = [identifier for page in pulled(world) for identifier in ids_of(page)]
        assert len(found) == len(set(found)), "a record came twice"
        assert {ref.id for ref in refs} <= set(found), "a record is missing from a full pull"

    def test_pages_end_with_a_watermark(self, world: World) -> None:
        world.seed(SEEDED)
        pages = pulled(world)
        assert all(page.resume for page in pages[:-1]), "a page in the middle cannot be resumed"
        assert pages[-1].resume is None, "the last page has a successor"
        assert pages[-1].watermark is not None, "the walk ends without a watermark"
        assert pages[-1].watermark.tzinfo is not None, "a watermark needs a time zone"

    def test_pull_resumes_behind_any_page(self, world: World) -> None:
        refs = world.seed(SEEDED)
        pages = pulled(world)
        for count, page in enumerate(pages[:-1], start=1):
            rest = pulled(world, resume=page.resume)
            found = [identifier for each in (*pages[:count], *rest) for identifier in ids_of(each)]
            assert {ref.id for ref in refs} <= set(found), f"rows lost behind page {count}"
            assert len(found) == len(set(found)), f"rows doubled behind page {count}"

    def test_overlapping_pull_loses_nothing(self, world: World) -> None:
        refs = world.seed(SEEDED)
        last = pulled(world)[-1].watermark
        assert last is not None, "the walk ends without a watermark"
        world.edit(refs[0])
        later = world.seed(1)
        since = last.astimezone(UTC) - timedelta(seconds=1)
        found = {i for page in pulled(world, since=since) for i in ids_of(page)}
        assert {refs[0].id, later[0].id} <= found, "a change is missing from the next pull"

    def test_pull_reports_deletions(self, world: World) -> None:
        needs(world, Part.DELETE)
        if not world.adapter.describe().objects[world.samples.object].deletions:
            raise SkipTest("the object does not report deletions")
        refs = world.seed(SEEDED)
        since = pulled(world)[-1].watermark
        assert since is not None, "the walk ends without a watermark"
        world.delete(refs[0])
        pages = pulled(world, since=since.astimezone(UTC) - timedelta(seconds=1))
        gone = {ref.id for ref in refs if is_gone(pages, ref)}
        assert refs[0].id in gone, "a deletion is missing"
        assert gone == {refs[0].id}, "a living record is called deleted"

    def test_pulling_and_reading_write_nothing(self, world: World) -> None:
        refs, before = world.seed(SEEDED), world.writes()
        pulled(world)
        states_of(world, refs)
        world.adapter.identity()
        world.adapter.describe()
        assert world.writes() == before, "a reading verb wrote"

    # Reading live values.

    def test_read_keeps_the_order_of_the_refs(self, world: World) -> None:
        refs = world.seed(SEEDED)
        for asked in (refs, refs[::-1]):
            assert tuple(state.ref for state in states_of(world, asked)) == asked, (
                "read out of order"
            )

    def test_read_of_a_missing_record_says_so(self, world: World) -> None:
        needs(world, Part.DELETE)
        refs = world.seed(3)
        world.delete(refs[1])
        assert [s.exists for s in states_of(world, refs)] == [True, False, True], "exists is wrong"

    def test_version_moves_with_an_edit(self, world: World) -> None:
        (ref,) = world.seed(1)
        before = states_of(world, (ref,))[0].version
        world.edit(ref)
        after = states_of(world, (ref,))[0].version
        assert before is not None, "a record without a version cannot be guarded"
        assert before != after, "the version did not move with an edit"

    # Lowering and grouping.

    def test_lower_and_batches_are_pure(self, world: World) -> None:
        change = change_of(world, world.seed(1)[0])
        before, count = world.snapshot(), world.writes()
        first = batches_of(world, change)
        assert first == batches_of(world, change), "lower or batches differ between two calls"
        assert (world.snapshot(), world.writes()) == (before, count), "lower or batches wrote"

    def test_lower_keeps_every_step_and_numbers_them(self, world: World) -> None:
        change = change_of(world, world.seed(1)[0])
        lowered = world.adapter.lower(change)
        assert len(lowered) >= len(change.steps), "a step was left out"
        assert len({p.key for p in lowered}) == len(lowered), "two primitives with one key"
        assert [p.step for p in lowered] == sorted(p.step for p in lowered), "steps out of order"
        assert {(p.ref, p.intent_id) for p in lowered} == {(change.ref, change.intent_id)}, (
            "a primitive of another record or intent"
        )
        writable = world.adapter.describe().capabilities.writes
        assert {p.kind for p in lowered} <= set(writable), "lowered to what cannot be written"

    def test_batches_keep_limits_order_and_every_primitive(self, world: World) -> None:
        can = world.adapter.describe().capabilities
        refs = tuple(Ref(world.samples.object, str(number)) for number in range(1, 252))
        lowered = tuple(p for ref in refs for p in world.adapter.lower(change_of(world, ref)))
        groups = list(world.adapter.batches(lowered))
        sent = [primitive for batch in groups for primitive in batch.primitives]
        assert sorted(p.key for p in sent) == sorted(p.key for p in lowered), "lost or doubled"
        for batch in groups:
            for kind in {p.kind for p in batch.primitives}:
                size = sum(p.kind is kind for p in batch.primitives)
                assert size <= can.writes[kind].batch, f"{kind}: batch over its limit"
            assert not batch.versions, "versions are the sender's to fill"
        for ref in refs:
            steps = [p.step for p in sent if p.ref == ref]
            assert steps == sorted(steps), "steps of one intent out of order"

    # Writing.

    def test_written_values_are_read_back(self, world: World) -> None:
        refs = world.seed(3)
        groups = batches_of(world, *(change_of(world, ref) for ref in refs))
        outcomes = send_all(world, groups)
        expect(outcomes, DONE)
        expect_read_back(world, groups, outcomes)

    def test_order_of_the_records_does_not_matter(self, world: World) -> None:
        refs = world.seed(3)
        groups = batches_of(world, *(change_of(world, ref) for ref in refs[::-1]))
        outcomes = send_all(world, groups)
        expect(outcomes, DONE)
        expect_read_back(world, groups, outcomes)

    def test_sending_what_is_true_changes_nothing(self, world: World) -> None:
        change = without_notes(change_of(world, world.seed(1)[0]))
        groups = batches_of(world, change)
        send_all(world, groups)
        before = world.snapshot()
        send_all(world, groups)
        assert world.snapshot() == before, "the second send changed something"

    def test_settle_after_send_is_idempotent(self, world: World) -> None:
        groups = batches_of(world, change_of(world, world.seed(1)[0]))
        sent = send_all(world, groups)
        first = settle_all(world, groups)
        expect_settled(world, groups, first, DONE)
        assert settle_all(world, groups) == first, "settle differs between two calls"
        for key, outcome in first.items():
            same = outcome.status is UNKNOWN or outcome.remote_id == sent[key].remote_id
            assert same, "settle found another note than send had put"

    def test_native_calls_work_and_come_back(self, world: World) -> None:
        if not world.samples.native:
            raise SkipTest("the samples have no native steps")
        (ref,) = world.seed(1)
        self._there_and_back(world, Change("native", ref, "contract", world.samples.native))

    def test_inverse_brings_everything_back(self, world: World) -> None:
        self._there_and_back(world, change_of(world, world.seed(1)[0]))

    def _there_and_back(self, world: World, change: Change) -> None:
        before = world.snapshot()
        groups = batches_of(world, change)
        there = send_all(world, groups)
        expect(there, DONE)
        expect_settled(world, groups, settle_all(world, groups), DONE)
        sent = [primitive for batch in groups for primitive in batch.primitives]
        back = tuple(
            inverse(p, intent_id="undo", step=number, remote_id=there[p.key].remote_id)
            for number, p in enumerate(reversed(sent))
        )
        assert world.snapshot() != before, "the change changed nothing"
        expect(send_all(world, list(world.adapter.batches(back))), DONE)
        assert world.snapshot() == before, "the inverse left a difference"

    # Other people's things.

    def test_foreign_tags_stay(self, world: World) -> None:
        change = change_of(world, world.seed(1)[0])
        if not any(step.kind is StepKind.TAG for step in change.steps):
            raise SkipTest("the adapter writes no tags")
        world.add_tag(change.ref, world.samples.foreign_tag)
        send_all(world, batches_of(world, change))
        state = states_of(world, (change.ref,))[0]
        assert world.samples.foreign_tag in state.tags, "a foreign tag was overwritten"
        self._there_and_back(world, _renamed_tag(change))

    def test_foreign_notes_stay(self, world: World) -> None:
        needs(world, Part.FOREIGN_NOTES)
        change = change_of(world, world.seed(1)[0])
        world.add_note(change.ref, "foreign note, not to be touched")
        before = world.snapshot()[str(change.ref)]
        self._there_and_back(world, change)
        assert world.snapshot()[str(change.ref)] == before, "a foreign note changed"

    # Bad days.

    def test_lost_answer_is_unknown_until_settled(self, world: World) -> None:
        needs(world, Part.LOSE_ANSWER)
        change = change_of(world, world.seed(1)[0])
        outcomes: dict[str, Outcome] = {}
        for batch in batches_of(world, change):
            world.lose_answer()
            expect(send_all(world, [batch]), UNKNOWN)
            found = settle_all(world, [batch])
            expect_settled(world, [batch], found, DONE)
            outcomes |= found
        expect_read_back(world, batches_of(world, change), outcomes)
        notes = world.snapshot()[str(change.ref)]["notes"]
        assert sum(MARKER in note for note in notes) <= 1, "a second note was put"

    def test_dropped_request_is_absent_and_may_be_sent_again(self, world: World) -> None:
        needs(world, Part.DROP_REQUEST)
        change = change_of(world, world.seed(1)[0])
        for batch in batches_of(world, change):
            before = world.snapshot()
            world.drop_request()
            expect_not_sent(world, batch)
            world.wait(world.adapter.describe().capabilities.settle_seconds)
            assert world.snapshot() == before, (
                "the request was to be dropped, and something changed"
            )
            expect_settled(world, [batch], settle_all(world, [batch]), ABSENT)
            expect(send_all(world, [batch]), DONE)

    def test_locked_record_is_parked(self, world: World) -> None:
        needs(world, Part.LOCK)
        change = change_of(world, world.seed(1)[0])
        world.lock(change.ref)
        before = world.snapshot()
        expect(send_all(world, batches_of(world, change)), PARKED)
        assert world.snapshot() == before, "a locked record was written"

    def test_missing_record_stops_only_itself(self, world: World) -> None:
        needs(world, Part.DELETE)
        refs = world.seed(3)
        groups = batches_of(world, *(change_of(world, ref) for ref in refs))
        world.delete(refs[1])
        outcomes = send_all(world, groups)
        for primitive in (p for batch in groups for p in batch.primitives):
            status = outcomes[primitive.key].status
            wanted = {CONFLICT, REFUSED} if primitive.ref == refs[1] else {DONE}
            assert status in wanted, f"{primitive.kind}: {status} with one record missing"

    def test_conditional_write_refuses_a_moved_record(self, world: World) -> None:
        batch, ref = self._conditional(world)
        old = batch.versions
        world.edit(ref)
        before = world.snapshot()
        expect(send_all(world, [batch]), CONFLICT)
        assert world.snapshot() == before, "a record that had moved was written"
        fresh = _versioned(world, batch, ref)
        assert fresh.versions != old, "the version did not move"
        expect(send_all(world, [fresh]), DONE)

    def _conditional(self, world: World) -> tuple[Batch, Ref]:
        if not world.adapter.describe().capabilities.conditional_writes:
            raise SkipTest("the adapter has no conditional writes")
        change = change_of(world, world.seed(1)[0])
        steps = tuple(step for step in change.steps if step.kind is StepKind.FIELD)
        only = msgspec.structs.replace(change, steps=steps[:1] or change.steps[:1])
        return _versioned(world, batches_of(world, only)[0], change.ref), change.ref


def _versioned(world: World, batch: Batch, ref: Ref) -> Batch:
    version = states_of(world, (ref,))[0].version
    assert version is not None, "a record without a version cannot be guarded"
    return msgspec.structs.replace(batch, versions={str(ref): version})


def _renamed_tag(change: Change) -> Change:
    """The same as another intent with another tag alone: the first one stands already."""
    (step,) = (step for step in change.steps if step.kind is StepKind.TAG)
    again = msgspec.structs.replace(step, target=f"{step.target}-2")
    return msgspec.structs.replace(change, intent_id=f"{change.intent_id}-2", steps=(again,))
