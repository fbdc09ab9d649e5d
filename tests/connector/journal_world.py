"""A journal and a CRM in memory side by side, and short ways to write plans. No tests here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection

from adapters.memory import MemoryAdapter
from adapters.memory_crm import ManualClock
from adapters.memory_profile import PLAIN, Profile
from connector.apply import ApplyConditions, ApplyReport, apply_plan
from connector.delivery import Caller
from connector.journal import Journal
from connector.models import Change, Outcome, Ref, Scalar, Step, StepKind
from connector.plan_model import Plan, PlanHeader, PlanRow, RowStatus, RuleCount
from connector.ports import Adapter, Batch, ReadRequest, RecordState
from connector.settle import Time

POLICY_HASH = "a" * 64


class KilledError(BaseException):
    """The process ends here: nothing catches it, nothing cleans up after it."""


class Fuse:
    """Counts the points at which a process can die, and dies at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.passed = 0

    def burn(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise KilledError


class MortalJournal(Journal):
    """Dies before or after a commit."""

    fuse: Fuse

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with super()._write() as connection:
            yield connection
            self.fuse.burn()
        self.fuse.burn()


class MortalAdapter:
    """Dies before or after a write request; all else is the adapter's own."""

    def __init__(self, adapter: MemoryAdapter, fuse: Fuse) -> None:
        self._adapter = adapter
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def send(self, batch: Batch) -> list[Outcome]:
        self._fuse.burn()
        outcomes = self._adapter.send(batch)
        self._fuse.burn()
        return outcomes


class Desk:
    """One workspace: its CRM, its clock and its journal, which can be closed and opened again."""

    def __init__(self, path: Path, profile: Profile = PLAIN) -> None:
        self.path = path / "journal.sqlite"
        self.clock = ManualClock()
        self.adapter = MemoryAdapter(profile, now=self.clock)
        self.crm = self.adapter.crm
        self.journal = Journal.open(self.path, now=self.clock)
        self.waited = 0.0
        self.said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.journal.close()

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self.clock.advance(seconds)

    def state(self, ref: Ref) -> RecordState:
        return next(self.adapter.read(ReadRequest((ref,))))

    def row(self, seq: int, ref: Ref, *steps: Step, **other: Any) -> PlanRow:
        """One customer's change; version and owner are as the CRM shows them now."""
        state = self.state(ref)
        rule = other.setdefault("rule", "sleeping")
        intent_id = f"{rule}-{ref.id}"
        values: dict[str, Any] = {
            "status": RowStatus.CHANGE,
            "name": f"Customer {ref.id}",
            "kind": "void",
            "stage_before": None,
            "stage_after": "out",
            "episode": 1,
            "version": state.version,
            "owner": state.owner,
            "evidence_key": "k1",
        }
        return PlanRow(
            seq=seq,
            customer=str(ref),
            intent_id=intent_id,
            primitives=self.adapter.lower(Change(intent_id, ref, rule, steps)) if steps else (),
            **(values | other),
        )

    def plan(self, *rows: PlanRow, **header: Any) -> Plan:
        return self.journal.store_plan(self.header(**header), rows)

    def header(self, **other: Any) -> PlanHeader:
        values: dict[str, Any] = {
            "organisation": self.adapter.identity().id,
            "as_of": "2026-01-01T00:00:00+00:00",
            "policy_hash": POLICY_HASH,
            "customers": 10,
            "rules": (rule_count("sleeping"),),
            "language": "en",
        }
        return PlanHeader(**(values | other))

    def conditions(self, **other: Any) -> ApplyConditions:
        values: dict[str, Any] = {
            "organisation": self.adapter.identity(),
            "policy_hash": POLICY_HASH,
            "max_age": timedelta(hours=24),
            "approver": "ann",
            "how": "terminal",
        }
        return ApplyConditions(**(values | other))

    def apply(
        self,
        plan: Plan,
        *,
        journal: Journal | None = None,
        adapter: Adapter | None = None,
        should_stop: Any = None,
        **conditions: Any,
    ) -> ApplyReport:
        return apply_plan(
            journal or self.journal,
            adapter or self.adapter,
            plan.id,
            self.conditions(**conditions),
            Caller(Time(self.clock, self.sleep), should_stop or (lambda: False), self.said.append),
        )

    def apply_until_killed(self, plan: Plan, fuse: Fuse) -> None:
        """Apply in a process of its own, as it were, that dies when the fuse is burnt."""
        with MortalJournal.open(self.path, now=self.clock) as journal:
            journal.fuse = fuse
            self.apply(plan, journal=journal, adapter=MortalAdapter(self.adapter, fuse))


def rule_count(rule: str, **other: Any) -> RuleCount:
    names = ("matched", "changes", "entering", "protected", "undecided", "overruled", "foreign")
    return RuleCount(rule=rule, kind="void", **(dict.fromkeys(names, 0) | other))


def tag(name: str, *, on: bool = True) -> Step:
    return Step(StepKind.TAG, name, not on, on)


def field(name: str, before: Scalar, after: Scalar) -> Step:
    return Step(StepKind.FIELD, name, before, after)


def owner(before: str | None, after: str | None) -> Step:
    return Step(StepKind.OWNER, "", before, after)


def note(marker: str, after: str | None, before: str | None = None, at: str | None = None) -> Step:
    return Step(StepKind.NOTE, marker, before, after, at)
