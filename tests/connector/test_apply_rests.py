"""Applying on a day off: what ends a relation is left for the next workday, all else goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.memory import MemoryAdapter
from adapters.memory_profile import PLAIN
from connector.apply import ApplyReport
from connector.guard import Rest
from connector.models import Outcome
from connector.plan_model import Plan
from connector.ports import Batch
from policies.calendar import Calendar
from tests.connector.journal_world import Desk, note, rule_count, tag

# Of 2026 the 2nd of January is a Friday and a workday there.
REST = Rest("Europe/Berlin", Calendar("DE-BY"))
RULES = (rule_count("sleeping"), rule_count("tiers"))
RESTING = {"sleeping": "day_off"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        made.clock.advance(34 * 3_600)  # Friday, 11:00 there
        yield made


def _plan(desk: Desk, *rows: Any, **header: Any) -> Plan:
    return desk.plan(*rows, as_of="2026-01-01T23:00:00+00:00", rules=RULES, **header)


def _apply(desk: Desk, plan: Plan, **other: Any) -> ApplyReport:
    return desk.apply(plan, rest=REST, max_age=timedelta(days=9), **other)


def test_what_rests_is_left_until_the_next_workday(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    plan = _plan(
        desk,
        desk.row(0, one, tag("asleep"), note("M1", "slept\nM1")),
        desk.row(1, two, tag("A"), rule="tiers", kind="tier"),
    )
    desk.clock.advance(13 * 3_600)  # Saturday, 00:00 there
    report = _apply(desk, plan)
    assert (report.paused, report.done, report.complete) == (RESTING, 1, False)
    assert (desk.crm.notes, desk.state(one).tags) == ({}, frozenset())
    assert not desk.journal.plan(plan.id).applied
    assert desk.journal.run(report.run_id).summary["paused"] == RESTING
    desk.clock.advance(48 * 3_600)
    report = _apply(desk, plan)
    assert (report.paused, report.done, report.complete) == ({}, 2, True)
    assert desk.journal.plan(plan.id).applied


def test_a_run_that_goes_on_past_midnight_stops_there_for_what_rests(desk: Desk) -> None:
    class Slow(MemoryAdapter):
        def send(self, batch: Batch) -> list[Outcome]:
            outcomes = super().send(batch)
            desk.clock.advance(14 * 3_600)
            return outcomes

    slow = Slow(PLAIN, now=desk.clock)
    slow.crm = desk.crm
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = _plan(desk, desk.row(0, ref, tag("asleep"), note("M1", "slept\nM1")))
    report = _apply(desk, plan, adapter=slow)
    assert (report.paused, report.done, report.partial_total) == (RESTING, 1, 1)
    assert (desk.state(ref).tags, desk.crm.notes) == (frozenset({"asleep"}), {})
    desk.clock.advance(48 * 3_600)
    assert _apply(desk, plan).complete
    assert desk.crm.snapshot()[str(ref)]["notes"] == ["slept\nM1"]


def test_what_an_earlier_run_parked_rests_too(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = _plan(desk, desk.row(0, ref, tag("asleep")))
    desk.crm.lock(ref)
    assert _apply(desk, plan).counts == {"parked": 1}
    assert desk.journal.plan(plan.id).applied
    desk.clock.advance(24 * 3_600)
    assert _apply(desk, plan).paused == RESTING
    desk.crm.unlock(ref)
    desk.clock.advance(48 * 3_600)
    assert _apply(desk, plan).counts == {"done": 1}


def test_an_undo_plan_rests_on_no_day(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    plan = _plan(desk, desk.row(0, ref, tag("asleep")), kind="undo", policy_hash="")
    desk.clock.advance(24 * 3_600)
    assert _apply(desk, plan).complete
