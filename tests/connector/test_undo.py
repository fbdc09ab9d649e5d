"""Undo: the way back from a run, what cannot come back, and the way back from the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.memory_crm import Fault
from adapters.memory_profile import FXIAOKE_LIKE, PLAIN, POOL_FIELD, Profile
from connector.errors import ConfigurationError, RefusedError
from connector.models import PrimitiveKind
from connector.plan_model import Plan, PlanRow, RowStatus
from connector.undo import plan_undo
from tests.connector.journal_world import Desk, field, note, owner, tag


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield made


def _undo(desk: Desk, run_id: str) -> Plan:
    return plan_undo(desk.journal, desk.adapter, run_id, now=desk.clock)


def _rows(desk: Desk, plan: Plan) -> list[PlanRow]:
    return list(desk.journal.rows(plan.id))


def _all_kinds(desk: Desk) -> Plan:
    one, two = desk.crm.seed("Accounts", 2, tags=["vip"])
    steps = (
        field("status", None, "void"),
        tag("asleep"),
        tag("vip", on=False),
        note("M1", "text\nM1"),
        owner("u1", "u2"),
    )
    return desk.plan(desk.row(0, one, *steps), desk.row(1, two, tag("asleep"), stage_before="near"))


def test_undo_leaves_the_crm_as_it_was(desk: Desk) -> None:
    plan = _all_kinds(desk)
    before = desk.crm.snapshot()
    run_id = desk.apply(plan).run_id
    assert desk.crm.snapshot() != before
    undo = _undo(desk, run_id)
    assert desk.crm.snapshot() != before
    report = desk.apply(undo)
    assert (report.complete, report.done) == (True, plan.primitives)
    assert desk.crm.snapshot() == before
    assert list(desk.journal.holdings()) == []


def test_an_undo_plan_tells_what_it_takes_back(desk: Desk) -> None:
    plan = _all_kinds(desk)
    run_id = desk.apply(plan).run_id
    undo = _undo(desk, run_id)
    assert (undo.header.kind, undo.header.source_run) == ("undo", run_id)
    assert (undo.header.policy_hash, undo.header.as_of) == ("", "2026-01-01T00:00:00+00:00")
    assert (undo.changes, undo.primitives) == (2, 6)
    assert (undo.calls, undo.cost) == (5, 5)
    (count,) = undo.header.rules
    assert (count.rule, count.kind, count.changes, count.entering) == ("sleeping", "void", 2, 0)
    first, second = _rows(desk, undo)
    assert [first.customer, second.customer] == ["Accounts:2", "Accounts:1"]
    assert (first.stage_before, first.stage_after) == ("out", "near")
    assert (first.version, first.owner) == (None, None)
    assert [each.kind for each in second.primitives] == [
        PrimitiveKind.CHANGE_OWNER,
        PrimitiveKind.DELETE_NOTE,
        PrimitiveKind.ADD_TAG,
        PrimitiveKind.REMOVE_TAG,
        PrimitiveKind.SET_FIELD,
    ]


def test_planning_an_undo_twice_gives_the_same_fingerprint(desk: Desk) -> None:
    run_id = desk.apply(_all_kinds(desk)).run_id
    assert _undo(desk, run_id).fingerprint == _undo(desk, run_id).fingerprint


def test_episodes_go_back_to_their_stage_and_evidence(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    desk.apply(desk.plan(desk.row(0, ref, tag("near"), stage_after="near")))
    steps = (tag("near", on=False), tag("far"))
    stages = {"stage_before": "near", "stage_after": "far", "evidence_key_before": "k1"}
    moved = desk.plan(desk.row(0, ref, *steps, evidence_key="k2", **stages))
    run_id = desk.apply(moved).run_id
    desk.apply(_undo(desk, run_id))
    (episode,) = desk.journal.episodes()
    assert (episode.stage, episode.evidence_key) == ("near", "k1")


def test_undoing_an_entry_closes_the_episode_and_undoing_an_exit_opens_it(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    entry = desk.apply(desk.plan(desk.row(0, ref, tag("asleep")))).run_id
    stages = {"stage_before": "out", "stage_after": None}
    leave = desk.apply(desk.plan(desk.row(0, ref, tag("asleep", on=False), **stages))).run_id
    assert list(desk.journal.episodes()) == []
    desk.apply(_undo(desk, leave))
    assert [each.stage for each in desk.journal.episodes()] == ["out"]
    desk.apply(_undo(desk, entry))
    assert list(desk.journal.episodes()) == []
    assert desk.crm.snapshot()[str(ref)]["tags"] == []


def test_a_foreign_tag_that_undo_puts_back_is_not_ours(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1, tags=["vip"])[0]
    removed = desk.apply(desk.plan(desk.row(0, ref, tag("vip", on=False))))
    assert list(desk.journal.holdings()) == []
    desk.apply(_undo(desk, removed.run_id))
    assert list(desk.journal.holdings()) == []
    desk.crm.remove_tag(ref, "vip")
    desk.apply(desk.plan(desk.row(0, ref, tag("vip"))))
    assert [each.target for each in desk.journal.holdings()] == ["vip"]


def test_an_own_tag_that_undo_puts_back_is_ours(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    desk.apply(desk.plan(desk.row(0, ref, tag("asleep"))))
    removed = desk.apply(desk.plan(desk.row(0, ref, tag("asleep", on=False))))
    desk.apply(_undo(desk, removed.run_id))
    assert [each.target for each in desk.journal.holdings()] == ["asleep"]


def test_undo_can_be_undone(desk: Desk) -> None:
    plan = _all_kinds(desk)
    run_id = desk.apply(plan).run_id
    after = desk.crm.snapshot()
    held = [(h.customer, h.kind, h.target, h.value, h.original) for h in desk.journal.holdings()]
    undone = desk.apply(_undo(desk, run_id)).run_id
    report = desk.apply(_undo(desk, undone))
    assert report.complete
    assert desk.crm.snapshot() == after
    assert held == [
        (h.customer, h.kind, h.target, h.value, h.original) for h in desk.journal.holdings()
    ]
    assert len(list(desk.journal.episodes())) == 2


def test_only_what_was_confirmed_is_taken_back(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = desk.plan(desk.row(0, ref, tag("asleep"), note("M", "text\nM")))
    desk.crm.fail_next(Fault.REFUSE)
    with pytest.raises(RefusedError, match="wrote nothing"):
        _undo(desk, desk.apply(plan).run_id)


def test_what_somebody_touched_since_stays_and_is_named(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    plan = desk.plan(
        *(desk.row(n, ref, field("status", None, "void")) for n, ref in enumerate((one, two)))
    )
    run_id = desk.apply(plan).run_id
    desk.crm.edit(one, status="active")
    desk.crm.edit(two, name="Renamed")
    report = desk.apply(_undo(desk, run_id))
    assert [(e.customer, e.code, e.detail) for e in report.exceptions] == [
        (str(one), "changed", "field status")
    ]
    snapshot = desk.crm.snapshot()
    assert snapshot[str(one)]["fields"]["status"] == "active"
    assert snapshot[str(two)]["fields"]["status"] is None


def test_a_second_undo_names_the_first_and_changes_nothing(desk: Desk) -> None:
    run_id = desk.apply(_all_kinds(desk)).run_id
    undone = desk.apply(_undo(desk, run_id)).run_id
    again = _undo(desk, run_id)
    assert (again.changes, again.primitives) == (0, 0)
    assert {row.blocked_by for row in _rows(desk, again)} == {f"run:{undone}"}
    assert desk.apply(again).writes == 0


def test_an_older_run_does_not_take_back_what_a_later_one_wrote(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    older = desk.apply(desk.plan(desk.row(0, ref, field("status", None, "watched"), tag("a"))))
    desk.apply(desk.plan(desk.row(0, ref, field("status", "watched", "void"))))
    desk.apply(_undo(desk, older.run_id))
    snapshot = desk.crm.snapshot()[str(ref)]
    assert (snapshot["fields"]["status"], snapshot["tags"]) == ("void", [])


def test_what_the_crm_cannot_take_back_is_a_row_that_says_why(tmp_path: Path) -> None:
    writes = dict(PLAIN.capabilities.writes)
    del writes[PrimitiveKind.DELETE_NOTE]
    profile = Profile("plain", msgspec.structs.replace(PLAIN.capabilities, writes=writes))
    with Desk(tmp_path, profile) as desk:
        ref = desk.crm.seed("Accounts", 1)[0]
        plan = desk.plan(desk.row(0, ref, tag("asleep"), note("M", "text\nM")))
        undo = _undo(desk, desk.apply(plan).run_id)
        stays, back = _rows(desk, undo)
        assert (stays.status, stays.blocked_by) == (RowStatus.IRREVERSIBLE, "unsupported")
        assert [each.kind for each in stays.primitives] == [PrimitiveKind.DELETE_NOTE]
        assert [each.kind for each in back.primitives] == [PrimitiveKind.REMOVE_TAG]
        assert (undo.changes, undo.primitives) == (1, 1)
        assert desk.apply(undo).complete
        assert desk.crm.snapshot()[str(ref)]["notes"] == ["text\nM"]


def test_native_calls_come_back(tmp_path: Path) -> None:
    with Desk(tmp_path, FXIAOKE_LIKE) as desk:
        one, two = desk.crm.seed("Accounts", 2)
        plan = desk.plan(
            desk.row(0, one, field("life_status", "normal", "invalid")),
            desk.row(1, two, owner("u1", None), field(POOL_FIELD, None, "p")),
        )
        before = desk.crm.snapshot()
        run_id = desk.apply(plan).run_id
        assert {(h.target, h.value, h.original) for h in desk.journal.holdings()} == {
            ("life_status", "invalid", "normal"),
            (POOL_FIELD, "p", None),
            ("", None, "u1"),
        }
        assert desk.apply(_undo(desk, run_id)).complete
        assert desk.crm.snapshot() == before


def test_an_unknown_run_and_a_run_without_a_plan_have_no_way_back(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="there is no run"):
        _undo(desk, "2020")
    with pytest.raises(RefusedError, match="wrote nothing"):
        _undo(desk, desk.journal.begin_run("pull"))


_STEPS = st.lists(
    st.sampled_from(
        [
            tag("asleep"),
            tag("vip", on=False),
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
    steps=st.lists(_STEPS, min_size=1, max_size=4),
    faults=st.lists(st.sampled_from([None, *Fault]), max_size=4),
)
def test_undo_after_apply_is_the_start(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[list[Any]],
    faults: list[Fault | None],
) -> None:
    with Desk(tmp_path_factory.mktemp("undo")) as desk:
        refs = desk.crm.seed("Accounts", 4, tags=["vip"])
        before = desk.crm.snapshot()
        plan = desk.plan(*(desk.row(n, refs[n], *wanted) for n, wanted in enumerate(steps)))
        desk.crm.fail_next(*(fault for fault in faults if fault))
        report = desk.apply(plan)
        desk.crm._faults.clear()
        if report.done == 0:
            return
        undone = desk.apply(_undo(desk, report.run_id))
        assert undone.complete
        assert desk.crm.snapshot() == before
        assert list(desk.journal.holdings()) == []
        assert list(desk.journal.episodes()) == []
