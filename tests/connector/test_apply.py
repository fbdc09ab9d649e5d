"""Applying: the checks before it, conflicts, lost answers, stopping, and twice being once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory import MemoryAdapter
from adapters.memory_crm import Fault
from adapters.memory_profile import KINTO_LIKE, PLAIN, Profile
from connector.errors import Interrupted, RefusedError, UnavailableError
from connector.models import Outcome, OutcomeStatus, PrimitiveKind, Ref, Step
from connector.plan_model import Plan, PlanRow, RowStatus
from connector.plan_walk import WINDOW_ROWS
from connector.ports import Batch, NoteLookup, ReadRequest, RecordState, WriteLimit
from tests.connector.journal_world import Desk, field, note, owner, rule_count, tag


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield made


def _tags(desk: Desk, ref: Ref) -> frozenset[str]:
    return desk.state(ref).tags


def _lookup(kind: NoteLookup, **other: Any) -> Profile:
    """The plain CRM with notes that are found again less surely."""
    capabilities = msgspec.structs.replace(PLAIN.capabilities, note_lookup=kind, **other)
    return Profile(name="plain", capabilities=capabilities)


# Checks


def _one_change(desk: Desk, **header: Any) -> Plan:
    ref = desk.crm.seed("Accounts", 1)[0]
    return desk.plan(desk.row(0, ref, tag("asleep")), **header)


def _refused(desk: Desk, plan: Plan, match: str, **conditions: Any) -> None:
    with pytest.raises(RefusedError, match=match):
        desk.apply(plan, **conditions)
    assert desk.crm.writes == 0
    assert desk.journal.runs() == []
    assert desk.journal.approval(plan.id) is None


def test_a_plan_of_another_format_is_refused(desk: Desk) -> None:
    _refused(desk, _one_change(desk, format=0), "format 0, this highseas applies 3")


def test_a_plan_that_is_too_old_is_refused_with_both_ages(desk: Desk) -> None:
    plan = _one_change(desk)
    desk.clock.advance(2 * 3_600 + 1)
    _refused(desk, plan, r"is 2\.0 h old, the limit is 2\.0 h", max_age=timedelta(hours=2))


def test_a_plan_of_another_policy_is_refused_with_both_hashes(desk: Desk) -> None:
    plan = _one_change(desk)
    _refused(desk, plan, "policy aaaaaaaaaaaa, the policy is now bbbbbb", policy_hash="b" * 64)


def test_an_undo_plan_binds_to_no_policy(desk: Desk) -> None:
    plan = _one_change(desk, kind="undo", policy_hash="")
    assert desk.apply(plan, policy_hash="b" * 64).complete
    assert desk.journal.runs()[0].kind == "undo"


def test_a_plan_for_another_organisation_is_refused_with_both_ids(desk: Desk) -> None:
    plan = _one_change(desk)
    other = msgspec.structs.replace(desk.adapter.identity(), id="org-2")
    _refused(
        desk, plan, "organisation memory-plain, the CRM says that it is org-2", organisation=other
    )


def test_an_altered_plan_is_refused(desk: Desk) -> None:
    plan = _one_change(desk)
    with desk.journal._write() as connection:
        connection.exec_driver_sql("DELETE FROM plan_rows")
    _refused(desk, plan, "was altered")


def test_a_plan_older_than_one_that_was_begun_is_stale(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    older = desk.plan(desk.row(0, ref, tag("asleep")))
    newer = desk.plan(desk.row(0, ref, tag("asleep")))
    desk.apply(newer)
    with pytest.raises(RefusedError, match=f"{older.id} is older than plan {newer.id}"):
        desk.apply(older)


# What goes out


def test_a_plan_is_written_and_told(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    plan = desk.plan(
        desk.row(0, one, tag("asleep"), note("M1", "slept\nM1"), field("status", None, "void")),
        desk.row(1, two, owner("u1", "u2"), tag("asleep")),
    )
    report = desk.apply(plan)
    assert report.complete
    assert (report.done, report.changes_done, report.counts) == (5, 2, {"done": 5})
    assert (report.exceptions, report.partial, report.settled) == ((), (), 0)
    assert desk.crm.writes == report.writes == 4
    assert desk.state(two).owner == "u2"
    assert desk.crm.snapshot()[str(one)]["notes"] == ["slept\nM1"]
    run = desk.journal.run(report.run_id)
    assert (run.kind, run.status, run.summary["done"]) == ("apply", "done", 5)
    approval = desk.journal.approval(plan.id)
    assert approval is not None
    assert (approval.who, approval.how) == ("ann", "terminal")
    assert desk.journal.plan(plan.id).applied
    assert desk.said[-1] == "5 of 5 writes"


def test_second_apply_sends_nothing(desk: Desk) -> None:
    plan = _one_change(desk)
    desk.apply(plan)
    reads, writes = desk.crm.reads, desk.crm.writes
    report = desk.apply(plan)
    assert (report.writes, report.reads, report.done) == (0, 0, 0)
    assert report.complete
    assert (desk.crm.reads - reads, desk.crm.writes - writes) == (1, 0)  # identity


def test_calls_are_as_few_as_the_batch_limit_allows(desk: Desk) -> None:
    refs = desk.crm.seed("Accounts", 250)
    report = desk.apply(desk.plan(*(desk.row(n, ref, tag("asleep")) for n, ref in enumerate(refs))))
    assert (report.writes, report.reads, report.done) == (3, 3, 250)


def test_only_changes_of_untripped_rules_are_written(desk: Desk) -> None:
    one, two, three = desk.crm.seed("Accounts", 3)
    plan = desk.plan(
        desk.row(0, one, tag("asleep")),
        desk.row(1, two, tag("asleep"), status=RowStatus.PROTECTED),
        desk.row(2, three, tag("vip"), rule="tiers"),
        rules=(rule_count("sleeping"), rule_count("tiers", tripped="1 > 0")),
    )
    report = desk.apply(plan)
    assert (report.done, report.tripped, report.complete) == (1, ("tiers",), False)
    assert [_tags(desk, ref) for ref in (one, two, three)] == [{"asleep"}, set(), set()]


def test_the_first_few_are_the_same_few_again(desk: Desk) -> None:
    refs = desk.crm.seed("Accounts", 5)
    plan = desk.plan(*(desk.row(n, ref, tag("asleep")) for n, ref in enumerate(refs)))
    assert [desk.apply(plan, first=2).done for _ in range(2)] == [2, 0]
    assert not desk.journal.plan(plan.id).applied
    assert desk.apply(plan).done == 3
    assert desk.journal.plan(plan.id).applied


def test_rows_without_writes_close_their_episodes(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    desk.apply(desk.plan(desk.row(0, ref, tag("asleep"))))
    report = desk.apply(desk.plan(desk.row(0, ref, stage_before="out", stage_after=None)))
    assert report.complete
    assert list(desk.journal.episodes()) == []


def test_a_dry_run_touches_nothing(desk: Desk) -> None:
    _one_change(desk)
    assert desk.crm.writes == 0
    assert list(desk.journal.holdings()) == []
    assert list(desk.journal.episodes(open_only=False)) == []


# Conflicts

Meddle = Callable[[Desk, Ref], object]
_STATUS = field("status", None, "void")
_NOTE = note("M1", "text\nM1")
_CONFLICTS: dict[str, tuple[Step, Meddle, str, str]] = {
    "record gone": (tag("new"), lambda desk, ref: desk.crm.delete(ref), "gone", "record"),
    "tag there already": (
        tag("new"),
        lambda desk, ref: desk.crm.add_tag(ref, "new"),
        "already_so",
        "tag new",
    ),
    "tag gone already": (
        tag("old", on=False),
        lambda desk, ref: desk.crm.remove_tag(ref, "old"),
        "already_so",
        "tag old",
    ),
    "field as wanted": (
        _STATUS,
        lambda desk, ref: desk.crm.edit(ref, status="void"),
        "already_so",
        "field status",
    ),
    "field changed": (
        _STATUS,
        lambda desk, ref: desk.crm.edit(ref, status="active"),
        "changed",
        "field status",
    ),
    "owner changed": (
        _STATUS,
        lambda desk, ref: desk.crm.change_owner(ref, "u9"),
        "owner_changed",
        "owner",
    ),
    "other edit": (_NOTE, lambda desk, ref: desk.crm.edit(ref, name="Renamed"), "edited", "record"),
    "note there already": (
        _NOTE,
        lambda desk, ref: desk.crm.add_note(ref, "text\nM1"),
        "already_so",
        "note",
    ),
    "note rewritten": (
        _NOTE,
        lambda desk, ref: desk.crm.add_note(ref, "other M1"),
        "changed",
        "note",
    ),
}


@pytest.mark.parametrize("name", _CONFLICTS)
def test_what_somebody_changed_since_the_plan_is_a_conflict_and_named(
    desk: Desk, name: str
) -> None:
    step, meddle, code, detail = _CONFLICTS[name]
    one, two = desk.crm.seed("Accounts", 2)
    for ref in (one, two):
        desk.crm.add_tag(ref, "old")
    plan = desk.plan(*(desk.row(n, ref, step) for n, ref in enumerate((one, two))))
    meddle(desk, one)
    report = desk.apply(plan)
    assert [(e.customer, e.state, e.code, e.detail) for e in report.exceptions] == [
        (str(one), "conflict", code, detail)
    ]
    assert not report.complete
    assert report.changes_done == 1
    assert desk.apply(plan).writes == 0
    assert desk.journal.run(report.run_id).status == "partial"


def test_an_owner_who_changed_stops_a_change_of_owner(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, owner("u1", "u2")))
    desk.crm.change_owner(ref, "u9")
    (exception,) = desk.apply(plan).exceptions
    assert (exception.code, exception.detail) == ("changed", "owner")
    assert exception.kind is PrimitiveKind.CHANGE_OWNER


def test_a_conflict_stops_the_later_steps_and_is_told_as_partial(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, field("status", None, "void"), tag("new"), note("M", "t\nM")))
    desk.crm.add_tag(ref, "new")
    row = next(desk.journal.rows(plan.id))
    # The version is no matter here: only the tag stands in the way, after the field was written.
    plan = desk.plan(msgspec.structs.replace(row, version=None))
    report = desk.apply(plan)
    assert report.counts == {"done": 1, "conflict": 1}
    (partial,) = report.partial
    assert (partial.customer, partial.done, partial.steps) == (str(ref), 1, 3)
    assert desk.crm.snapshot()[str(ref)]["notes"] == []


def test_steps_of_one_call_stop_together(tmp_path: Path) -> None:
    with Desk(tmp_path, KINTO_LIKE) as desk:
        one, two = desk.crm.seed("Accounts", 2)
        steps = (field("status", None, "void"), tag("new"), note("M", "text"))
        plan = desk.plan(
            *(desk.row(n, ref, *steps, version=None) for n, ref in enumerate((one, two)))
        )
        desk.crm.edit(one, status="active")
        report = desk.apply(plan)
        assert report.counts == {"conflict": 1, "done": 3}
        assert _tags(desk, one) == set()
        assert _tags(desk, two) == {"new"}


def test_own_writes_since_the_plan_are_no_conflict(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"))
    desk.apply(desk.plan(desk.row(0, ref, field("status", None, "watched"), rule="other")))
    assert desk.apply(desk.plan(row)).complete


def test_what_the_crms_own_automation_edits_after_our_write_is_no_conflict(desk: Desk) -> None:
    class Automated(MemoryAdapter):
        def send(self, batch: Batch) -> list[Outcome]:
            outcomes = super().send(batch)
            self.crm.edit(batch.primitives[0].ref, name="Renamed by a workflow")
            return outcomes

    automated = Automated(PLAIN, now=desk.clock)
    automated.crm = desk.crm
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, _STATUS, _NOTE))
    assert desk.apply(plan, adapter=automated).complete


def test_two_rules_may_write_to_one_customer(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, tag("asleep")), desk.row(1, ref, tag("tier-c"), rule="tiers"))
    assert desk.apply(plan).done == 2
    assert {(h.rule, h.target) for h in desk.journal.holdings()} == {
        ("sleeping", "asleep"),
        ("tiers", "tier-c"),
    }


class _Late(MemoryAdapter):
    """Somebody edits a record between our read and our write."""

    def send(self, batch: Batch) -> list[Outcome]:
        self.crm.edit(batch.primitives[0].ref, name="Renamed")
        return super().send(batch)


@pytest.mark.parametrize("strict", [True, False])
def test_strict_uses_the_vendors_conditional_write(tmp_path: Path, strict: bool) -> None:
    with Desk(tmp_path, KINTO_LIKE) as desk:
        late = _Late(KINTO_LIKE, now=desk.clock)
        late.crm = desk.crm
        ref = desk.crm.seed("Accounts", 1)[0]
        plan = desk.plan(desk.row(0, ref, tag("asleep")))
        report = desk.apply(plan, adapter=late, strict=strict)
        assert report.counts == ({"conflict": 1} if strict else {"done": 1})


def test_a_record_without_a_version_is_written_unconditionally(tmp_path: Path) -> None:
    class Versionless(MemoryAdapter):
        def read(self, request: Any) -> Iterator[Any]:
            for state in super().read(request):
                yield msgspec.structs.replace(state, version=None)

    with Desk(tmp_path, KINTO_LIKE) as desk:
        versionless = Versionless(KINTO_LIKE, now=desk.clock)
        versionless.crm = desk.crm
        ref = desk.crm.seed("Accounts", 1)[0]
        plan = desk.plan(desk.row(0, ref, tag("asleep"), version=None))
        assert desk.apply(plan, adapter=versionless, strict=True).complete


# Answers that are not "done"


def test_parked_is_tried_again_by_a_later_apply_of_the_same_plan(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, tag("asleep"), note("M", "t\nM")))
    desk.crm.lock(ref)
    report = desk.apply(plan)
    assert (report.counts, report.complete, report.writes) == ({"parked": 1}, False, 1)
    desk.crm.unlock(ref)
    assert desk.apply(plan).counts == {"done": 2}


def test_parked_is_not_tried_twice_in_one_run(desk: Desk) -> None:
    class Lossy(MemoryAdapter):
        lost = False

        def send(self, batch: Batch) -> list[Outcome]:
            if batch.primitives[0].kind is PrimitiveKind.PUT_NOTE and not self.lost:
                self.lost = True
                return []
            return super().send(batch)

    lossy = Lossy(PLAIN, now=desk.clock)
    lossy.crm = desk.crm
    one, two = desk.crm.seed("Accounts", 2)
    plan = desk.plan(desk.row(0, one, tag("asleep")), desk.row(1, two, _NOTE))
    desk.crm.lock(one)
    report = desk.apply(plan, adapter=lossy)
    assert report.counts == {"parked": 1, "done": 1}
    assert report.writes == 3  # the tag, the note that got lost, the note


def test_refused_is_final_for_the_plan(desk: Desk) -> None:
    plan = _one_change(desk)
    desk.crm.fail_next(Fault.REFUSE)
    report = desk.apply(plan)
    assert [(e.state, e.code) for e in report.exceptions] == [("refused", "REFUSED")]
    assert desk.apply(plan).writes == 0


@pytest.mark.parametrize(("fault", "writes"), [(Fault.LOSE, 1), (Fault.LATE, 1), (Fault.DROP, 2)])
def test_a_lost_answer_is_settled_at_once_and_only_what_is_absent_sent_again(
    desk: Desk, fault: Fault, writes: int
) -> None:
    plan = _one_change(desk)
    desk.crm.fail_next(fault)
    report = desk.apply(plan)
    assert (report.complete, report.done, report.writes) == (True, 1, writes)
    assert desk.waited == PLAIN.capabilities.settle_seconds


def test_a_request_that_gets_lost_twice_waits_for_the_next_run(desk: Desk) -> None:
    plan = _one_change(desk)
    desk.crm.fail_next(Fault.DROP, Fault.DROP)
    report = desk.apply(plan)
    assert (report.counts, report.complete) == ({"absent": 1}, False)
    assert desk.apply(plan).complete


def test_only_the_lost_rows_of_a_call_are_settled(desk: Desk) -> None:
    class Forgetful(MemoryAdapter):
        asked = 0

        def send(self, batch: Batch) -> list[Outcome]:
            return super().send(batch)[:1]

        def settle(self, batch: Batch) -> list[Outcome]:
            self.asked += len(batch.primitives)
            return super().settle(batch)

    forgetful = Forgetful(PLAIN, now=desk.clock)
    forgetful.crm = desk.crm
    refs = desk.crm.seed("Accounts", 3)
    plan = desk.plan(*(desk.row(n, ref, tag("asleep")) for n, ref in enumerate(refs)))
    report = desk.apply(plan, adapter=forgetful)
    assert (report.done, report.writes, forgetful.asked) == (3, 1, 2)


def test_what_nobody_can_tell_stays_unknown_and_is_never_sent_again(desk: Desk) -> None:
    class Silent(MemoryAdapter):
        def send(self, batch: Batch) -> list[Outcome]:
            return []

        def settle(self, batch: Batch) -> list[Outcome]:
            return []

    silent = Silent(PLAIN, now=desk.clock)
    silent.crm = desk.crm
    plan = _one_change(desk)
    report = desk.apply(plan, adapter=silent)
    assert [(e.state, e.code) for e in report.exceptions] == [("unknown", "no_answer")]
    again = desk.apply(plan)
    assert (again.writes, again.counts, again.complete) == (0, {"unknown": 1}, False)


def test_a_new_note_that_lags_is_read_twice_before_it_is_sent_again(tmp_path: Path) -> None:
    profile = _lookup(NoteLookup.LAGGING, note_lag_seconds=60.0, settle_seconds=5.0)
    with Desk(tmp_path, profile) as desk:
        ref = desk.crm.seed("Accounts", 1)[0]
        plan = desk.plan(desk.row(0, ref, note("M", "text\nM")))
        desk.crm.fail_next(Fault.LOSE)
        report = desk.apply(plan)
        assert (report.complete, report.writes, desk.waited) == (True, 1, 65.0)
        assert desk.crm.snapshot()[str(ref)]["notes"] == ["text\nM"]


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.DROP])
def test_a_new_note_that_cannot_be_found_again_stays_unknown(tmp_path: Path, fault: Fault) -> None:
    class Sure(MemoryAdapter):
        """Says absent where it cannot know."""

        def settle(self, batch: Batch) -> list[Outcome]:
            return [Outcome(each.key, OutcomeStatus.ABSENT) for each in batch.primitives]

    profile = _lookup(NoteLookup.NONE)
    with Desk(tmp_path, profile) as desk:
        sure = Sure(profile, now=desk.clock)
        sure.crm = desk.crm
        ref = desk.crm.seed("Accounts", 1)[0]
        plan = desk.plan(desk.row(0, ref, note("M", "text\nM")))
        desk.crm.fail_next(fault)
        report = desk.apply(plan, adapter=sure)
        assert [(e.state, e.code) for e in report.exceptions] == [("unknown", "no_lookup")]
        assert desk.apply(plan, adapter=sure).writes == 0


# Broken off


class _Broken(MemoryAdapter):
    """The connection goes down with the n-th write, which still arrives."""

    broken_at = 1
    sent = 0

    def send(self, batch: Batch) -> list[Outcome]:
        self.sent += 1
        outcomes = super().send(batch)
        if self.sent == self.broken_at:
            raise UnavailableError("the CRM does not answer", "try again later")
        return outcomes


def _broken(desk: Desk) -> _Broken:
    adapter = _Broken(desk.adapter.profile, now=desk.clock)
    adapter.crm = desk.crm
    return adapter


def test_a_network_error_ends_the_run_and_the_next_one_goes_on(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, tag("asleep"), note("M", "text\nM")))
    with pytest.raises(UnavailableError):
        desk.apply(plan, adapter=_broken(desk))
    run = desk.journal.runs()[0]
    assert (run.status, run.summary["complete"]) == ("failed", False)
    assert len(desk.journal.open_batches()) == 1
    report = desk.apply(plan)
    assert (report.settled, report.done, report.complete) == (1, 1, True)
    assert desk.crm.writes == 2


def test_what_another_plan_left_open_is_settled_and_not_sent(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    older = desk.plan(desk.row(0, one, tag("asleep")))
    with pytest.raises(UnavailableError):
        desk.apply(older, adapter=_broken(desk))
    newer = desk.plan(desk.row(0, two, tag("asleep")))
    report = desk.apply(newer)
    assert (report.settled, report.writes, report.complete) == (1, 1, True)
    assert desk.journal.tally(older.id).counts == {"done": 1}
    assert len(list(desk.journal.holdings())) == 2


def test_what_another_plan_never_got_out_is_dropped(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    older = desk.plan(desk.row(0, one, tag("asleep")))
    broken = _broken(desk)
    broken.crm.fail_next(Fault.DROP)
    with pytest.raises(UnavailableError):
        desk.apply(older, adapter=broken)
    report = desk.apply(desk.plan(desk.row(0, two, tag("asleep"))))
    assert (report.settled, report.writes) == (1, 1)
    assert desk.journal.tally(older.id).counts == {"absent": 1}
    assert _tags(desk, one) == set()


def test_settling_does_not_wait_for_what_is_long_past(desk: Desk) -> None:
    plan = _one_change(desk)
    with pytest.raises(UnavailableError):
        desk.apply(plan, adapter=_broken(desk))
    desk.clock.advance(3_600)
    desk.apply(plan)
    assert desk.waited == 0


def test_stopping_ends_after_the_call_in_flight(desk: Desk) -> None:
    refs = desk.crm.seed("Accounts", 250)
    plan = desk.plan(*(desk.row(n, ref, tag("asleep")) for n, ref in enumerate(refs)))
    with pytest.raises(Interrupted, match="after 100 confirmed writes") as caught:
        desk.apply(plan, should_stop=lambda: desk.crm.writes >= 1)
    assert f"highseas apply {plan.id}" in caught.value.hint
    assert (desk.crm.writes, desk.journal.open_batches()) == (1, [])
    assert desk.journal.runs()[0].status == "interrupted"
    assert desk.apply(plan).done == 150


# Twice is once, and memory

_STEPS = st.lists(
    st.sampled_from(
        [
            tag("asleep"),
            tag("foreign", on=False),
            field("status", None, "void"),
            owner("u1", "u2"),
            note("M", "text\nM"),
        ]
    ),
    unique=True,
    max_size=5,
)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(_STEPS, max_size=5),
    meddled=st.sets(st.integers(0, 4)),
    faults=st.lists(st.sampled_from([None, *Fault]), max_size=4),
)
def test_twice_is_once(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[list[Any]],
    meddled: set[int],
    faults: list[Fault | None],
) -> None:
    with Desk(tmp_path_factory.mktemp("twice")) as desk:
        refs = desk.crm.seed("Accounts", 5, tags=["foreign", "vip"])
        plan = desk.plan(*(desk.row(n, refs[n], *wanted) for n, wanted in enumerate(steps)))
        for number in meddled:
            desk.crm.edit(refs[number], name="Renamed", status="active")
        desk.crm.fail_next(*(fault for fault in faults if fault))
        desk.apply(plan)
        once = desk.apply(plan)
        before, writes = desk.crm.snapshot(), desk.crm.writes
        twice = desk.apply(plan)
        if not {"absent", "parked"} & set(once.counts):
            assert desk.crm.snapshot() == before
            assert desk.crm.writes == writes
            assert twice.counts == once.counts
        assert sum(once.counts.values()) <= plan.primitives
        assert len(list(desk.journal.receipts())) == once.counts.get("done", 0)


class _Instant(MemoryAdapter):
    """A CRM that keeps nothing: all records are there, without tags, and every write is done."""

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        return (RecordState(ref, exists=True, owner="u1") for ref in request.refs)

    def send(self, batch: Batch) -> list[Outcome]:
        return [Outcome(each.key, OutcomeStatus.DONE) for each in batch.primitives]


def _long(desk: Desk, size: int) -> Iterator[PlanRow]:
    row = desk.row(0, desk.crm.seed("Accounts", 1)[0], tag("asleep"), version=None)
    for seq in range(size):
        ref = Ref("Accounts", str(seq))
        primitive = msgspec.structs.replace(row.primitives[0], intent_id=f"i{seq}", ref=ref)
        yield msgspec.structs.replace(
            row, seq=seq, customer=str(ref), intent_id=f"i{seq}", primitives=(primitive,)
        )


def test_memory_is_that_of_a_window_however_long_the_plan(tmp_path: Path) -> None:
    large = dict.fromkeys(PLAIN.capabilities.writes, WriteLimit(batch=500))
    capabilities = msgspec.structs.replace(PLAIN.capabilities, writes=large, read_batch=500)
    with Desk(tmp_path, Profile("plain", capabilities)) as desk:
        instant = _Instant(desk.adapter.profile, now=desk.clock)
        plan, stored = _peak(
            lambda: desk.journal.store_plan(desk.header(), _long(desk, 3 * WINDOW_ROWS))
        )
        _, one_window = _peak(lambda: desk.apply(plan, adapter=instant, first=WINDOW_ROWS))
        report, two = _peak(lambda: desk.apply(plan, adapter=instant, first=3 * WINDOW_ROWS))
    assert (report.done, report.writes) == (2 * WINDOW_ROWS, 2 * WINDOW_ROWS // 500)
    assert two < 1.3 * one_window
    assert stored < one_window


T = TypeVar("T")


def _peak(action: Callable[[], T]) -> tuple[T, int]:
    """What an action gives, and the most memory that it held at a time, in bytes."""
    tracemalloc.start()
    result = action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak
