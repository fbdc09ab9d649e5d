"""Writing a plan to the CRM: window by window, call by call, each intent durable before its call.

Memory is that of one window. Which plan may be written at all is `apply`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice

import msgspec

from connector.drift import difference, read_requests
from connector.errors import Interrupted
from connector.guard import Rest
from connector.journal import Journal
from connector.journal_model import Claim, IntentState, OpenBatch, Sending
from connector.models import Outcome, OutcomeStatus, Primitive, Ref
from connector.plan_model import Plan, PlanRow
from connector.plan_walk import windows, writable_rows
from connector.ports import Adapter, Batch, Capabilities, RecordState
from connector.settle import Time, settle_batch
from policies.messages import message

# The second sends what settling proved absent in the first; more follow while they help.
_PASSES = 2
_REPORTS = 10  # lines of progress a plan


@dataclass(frozen=True, slots=True)
class Order:
    """What to write and how: `first` limits the rows, `strict` asks for conditional writes,
    `rest` tells which rules rest while it is written."""

    plan: Plan
    run_id: str
    user_id: str
    first: int | None
    strict: bool
    rest: Rest | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who runs a delivery: gives it time, may want it to stop, and is told how far it is."""

    time: Time
    should_stop: Callable[[], bool]
    progress: Callable[[str], None]


@dataclass(slots=True)
class _Window:
    """The rows at hand. `stopped` intents send nothing more; `touched` records were written to."""

    claims: dict[str, Claim]
    pending: tuple[Primitive, ...]
    stopped: set[str] = field(default_factory=set)
    touched: set[Ref] = field(default_factory=set)


class Delivery:
    """One walk through a plan; counts what it sends, reads and gets confirmed. `paused`: the rules
    of which something was left out, as they rest on the day of the call, and why."""

    def __init__(self, journal: Journal, adapter: Adapter, order: Order, caller: Caller) -> None:
        self._journal = journal
        self._adapter = adapter
        self._order = order
        self._caller = caller
        self.writes = 0
        self.reads = 0
        self.done = 0
        self.paused: dict[str, str] = {}
        self._handled = 0
        self._batches = 0
        self._has_absent = False

    def run(self) -> None:
        """Send all that has not been sent; raises Interrupted between two calls."""
        for number in count(1):
            confirmed = self.done
            self._has_absent = False
            rows = islice(writable_rows(self._journal, self._order.plan), self._order.first)
            for window in windows(rows):
                self._deliver_window(window)
            if not self._has_absent or (number >= _PASSES and self.done == confirmed):
                return

    def _deliver_window(self, rows: list[PlanRow]) -> None:
        plan_id = self._order.plan.id
        states = self._journal.intent_states(plan_id, rows[0].seq, rows[-1].seq)
        window = self._open(rows, states)
        for batch in self._adapter.batches(window.pending):
            self._deliver(batch, window)
        without_writes = [row for row in rows if not row.primitives]
        if without_writes:
            self._journal.conclude(without_writes)

    def _open(self, rows: list[PlanRow], states: Mapping[str, IntentState]) -> _Window:
        claims = {
            primitive.key: Claim(row, primitive) for row in rows for primitive in row.primitives
        }
        window = _Window(claims, ())
        pending = []
        for key, claim in claims.items():
            state = states.get(key)
            if self._is_open(state) and claim.primitive.intent_id not in window.stopped:
                pending.append(claim.primitive)
            elif state is not None and state.state == OutcomeStatus.DONE:
                window.touched.add(claim.primitive.ref)
            else:
                window.stopped.add(claim.primitive.intent_id)
        window.pending = tuple(pending)
        return window

    def _is_open(self, state: IntentState | None) -> bool:
        """Never tried, proven absent, or parked by an earlier run."""
        if state is None or state.state == OutcomeStatus.ABSENT:
            return True
        return state.state == OutcomeStatus.PARKED and state.run_id != self._order.run_id

    def _deliver(self, batch: Batch, window: _Window) -> None:
        """Re-read what a call touches, hold back what no longer fits, and send the rest."""
        wanted = self._awake(batch, window)
        if not wanted:
            return
        if self._caller.should_stop():
            raise Interrupted(
                f"stopped after {self.done:,} confirmed writes of plan {self._order.plan.id}",
                f"go on with `highseas apply {self._order.plan.id}`",
            )
        live = self._read(wanted)
        fitting, conflicts = self._compare(wanted, live, window)
        if conflicts:
            self._journal.intend(self._sending(batch.operation, (), conflicts))
        whole = len(fitting) == len(batch.primitives)
        parts: Iterable[Batch] = (batch,) if whole else self._adapter.batches(tuple(fitting))
        for part in parts:
            self._send(self._guarded(part, live), window)
        self._report(len(batch.primitives))

    def _awake(self, batch: Batch, window: _Window) -> list[Primitive]:
        """What of a call is still wanted; a change whose rule rests by now sends nothing more."""
        wanted = []
        for primitive in batch.primitives:
            if primitive.intent_id in window.stopped:
                continue
            if self._rests(window.claims[primitive.key].row):
                window.stopped.add(primitive.intent_id)
            else:
                wanted.append(primitive)
        return wanted

    def _rests(self, row: PlanRow) -> bool:
        rest = self._order.rest
        reason = rest.reason(row.kind, self._caller.time.clock()) if rest else ""
        if reason:
            self.paused[row.rule] = reason
        return bool(reason)

    def _read(self, primitives: list[Primitive]) -> dict[Ref, RecordState]:
        live = {}
        for request in read_requests(primitives, self._capabilities.read_batch):
            self.reads += 1
            live.update({state.ref: state for state in self._adapter.read(request)})
        return live

    def _compare(
        self, wanted: list[Primitive], live: Mapping[Ref, RecordState], window: _Window
    ) -> tuple[list[Primitive], list[tuple[Claim, Outcome]]]:
        fitting, conflicts = [], []
        for primitive in wanted:
            if primitive.intent_id in window.stopped:
                continue
            claim = window.claims[primitive.key]
            state, begun = live.get(primitive.ref), primitive.ref in window.touched
            found = difference(claim.row, primitive, state, self._order.user_id, begun=begun)
            if found is None:
                fitting.append(primitive)
                continue
            window.stopped.add(primitive.intent_id)
            outcome = Outcome(primitive.key, OutcomeStatus.CONFLICT, found.code, found.detail)
            conflicts.append((claim, outcome))
        return fitting, conflicts

    def _guarded(self, batch: Batch, live: Mapping[Ref, RecordState]) -> Batch:
        if not (self._order.strict and self._capabilities.conditional_writes):
            return batch
        seen = {primitive.ref: live[primitive.ref].version for primitive in batch.primitives}
        versions = {str(ref): version for ref, version in seen.items() if version is not None}
        return msgspec.structs.replace(batch, versions=versions)

    def _send(self, batch: Batch, window: _Window) -> None:
        claims = tuple(window.claims[each.key] for each in batch.primitives)
        sending = self._sending(batch.operation, claims)
        self._journal.intend(sending)
        self.writes += 1
        answers = {outcome.key: outcome for outcome in self._adapter.send(batch)}
        told = [each for each in answers.values() if each.status is not OutcomeStatus.UNKNOWN]
        self._journal.record(self._order.plan.id, told)
        known = {each.key for each in told}
        lost = tuple(each for each in batch.primitives if each.key not in known)
        if lost:
            told += self._settle(sending, lost)
        self._follow(told, window)

    def _settle(self, sending: Sending, lost: tuple[Primitive, ...]) -> list[Outcome]:
        time = self._caller.time
        batch = OpenBatch(sending.plan_id, sending.batch_id, sending.operation, time.clock(), lost)
        return settle_batch(self._journal, self._adapter, self._capabilities, batch, time)

    def _follow(self, outcomes: list[Outcome], window: _Window) -> None:
        for outcome in outcomes:
            primitive = window.claims[outcome.key].primitive
            if outcome.status is OutcomeStatus.DONE:
                self.done += 1
                window.touched.add(primitive.ref)
                continue
            window.stopped.add(primitive.intent_id)
            self._has_absent |= outcome.status is OutcomeStatus.ABSENT

    def _sending(
        self,
        operation: str,
        claims: tuple[Claim, ...],
        conflicts: Iterable[tuple[Claim, Outcome]] = (),
    ) -> Sending:
        self._batches += 1
        return Sending(
            run_id=self._order.run_id,
            plan_id=self._order.plan.id,
            batch_id=f"{self._order.run_id}/{self._batches:06d}",
            operation=operation,
            claims=claims,
            conflicts=tuple(conflicts),
        )

    def _report(self, primitives: int) -> None:
        total = self._order.plan.primitives
        before, self._handled = self._handled, min(self._handled + primitives, total)
        if before * _REPORTS // total != self._handled * _REPORTS // total:
            counts = {"count": self._handled, "total": total}
            language = self._order.plan.header.language
            self._caller.progress(message(language, "progress.writes", **counts))

    @cached_property
    def _capabilities(self) -> Capabilities:
        """Asked for only when there is something to send: it may cost calls."""
        return self._adapter.describe().capabilities
