"""Applying a plan: the checks that come first, settling what earlier runs left open, the report.

How rows become calls stands in `delivery`, how lost answers are found again in `settle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from connector.delivery import Caller, Delivery, Order
from connector.errors import HighseasError, Interrupted, RefusedError
from connector.guard import Rest
from connector.journal import Journal
from connector.journal_model import INTENDED, Partial, Stopped
from connector.models import OutcomeStatus
from connector.plan_model import PLAN_FORMAT, Plan
from connector.ports import Adapter, Organisation
from connector.readback import read_back
from connector.settle import settle_open
from policies.messages import message

LISTED = 100  # exceptions that a report names
_WAITING = (INTENDED, OutcomeStatus.ABSENT.value, OutcomeStatus.PARKED.value)


@dataclass(frozen=True, slots=True)
class ApplyConditions:
    """What must hold for a plan to be written, and who said that it shall be.

    `organisation` is what the CRM answered a moment ago, and what the workspace is pinned to.
    `policy_hash` is that of the policy as it stands now (not looked at for an undo plan).
    `first`: only the first N changes of the plan. `strict`: use the CRM's conditional writes.
    `rest`: on which days which rules rest (not asked for an undo plan).
    """

    organisation: Organisation
    policy_hash: str
    max_age: timedelta
    approver: str
    how: str
    first: int | None = None
    strict: bool = False
    rest: Rest | None = None


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What one run did, and how far its plan is.

    `done` primitives were confirmed in this run, by `writes` calls after `reads` calls; `settled`
    were left open by earlier runs. `counts` (primitives by state) and `changes_done` (changes with
    all their primitives done) are of the plan as a whole. `exceptions` and `partial` name what was
    not done, up to a hundred each. `tripped` rules were left out, and so was what was not yet done
    of `paused` ones, which rest on the day of this run: each with the reason. `not_restored` is
    what reading back after an undo did not show. `complete`: of what was asked, nothing is missing.
    """

    run_id: str
    plan_id: str
    complete: bool
    counts: Mapping[str, int]
    changes_done: int
    done: int
    writes: int
    reads: int
    settled: int
    exceptions: tuple[Stopped, ...]
    exceptions_total: int
    partial: tuple[Partial, ...]
    partial_total: int
    tripped: tuple[str, ...]
    paused: Mapping[str, str]
    not_restored: tuple[Stopped, ...] = ()


def apply_plan(
    journal: Journal, adapter: Adapter, plan_id: str, conditions: ApplyConditions, caller: Caller
) -> ApplyReport:
    """Write a plan to the CRM: once, however often it is called and wherever it was killed.

    Raises RefusedError before anything is written, Interrupted between two calls, RemoteError
    when the CRM cannot be asked; the same call then goes on where this one ended.
    """
    plan = journal.plan(plan_id)
    check_plan(journal, plan, conditions, caller.time.clock())
    journal.approve(plan.id, plan.fingerprint, conditions.approver, conditions.how)
    kind = "undo" if plan.header.kind == "undo" else "apply"
    run_id = journal.begin_run(kind, plan.id)
    user_id = conditions.organisation.user_id
    rest = conditions.rest if kind == "apply" else None
    order = Order(plan, run_id, user_id, conditions.first, conditions.strict, rest)
    delivery = Delivery(journal, adapter, order, caller)
    settled = 0
    if journal.open_batches():
        caller.progress(message(plan.header.language, "progress.settling"))
    try:
        settled = settle_open(journal, adapter, caller.time)
        journal.mark_started(plan.id)
        delivery.run()
    except HighseasError as error:
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        report = _report(journal, order, delivery, settled)
        journal.end_run(run_id, status, asdict(replace(report, complete=False)))
        raise
    if conditions.first is None and not delivery.paused:
        journal.mark_applied(plan.id)
    report = _report(journal, order, delivery, settled)
    if kind == "undo":
        missing = tuple(read_back(journal, adapter, plan))
        complete = report.complete and not missing
        report = replace(report, not_restored=missing[:LISTED], complete=complete)
    journal.end_run(run_id, "done" if report.complete else "partial", asdict(report))
    return report


def check_plan(journal: Journal, plan: Plan, conditions: ApplyConditions, now: datetime) -> None:
    """Refuse a plan that is not what was approved, or that the world has moved away from."""
    again = "plan anew and review what it says now"
    header = plan.header
    if header.format != PLAN_FORMAT:
        raise RefusedError(
            f"plan {plan.id} has format {header.format}, this highseas applies {PLAN_FORMAT}", again
        )
    journal.verify(plan.id)
    age = now - plan.created_at
    if age > conditions.max_age:
        limit = _hours(conditions.max_age)
        raise RefusedError(f"plan {plan.id} is {_hours(age)} old, the limit is {limit}", again)
    if header.kind == "policy" and not plan.is_of_its_day:
        raise RefusedError(
            f"plan {plan.id} is as of {header.as_of}, not of the day on which it was made",
            "--as-of is for looking; plan without it what is to be applied",
        )
    if header.overrides:
        raise RefusedError(
            f"plan {plan.id} was made with --set {', '.join(header.overrides)}, "
            "which is for looking",
            "give the params these values in the policy itself, then plan anew without --set",
        )
    if header.kind == "policy" and header.policy_hash != conditions.policy_hash:
        raise RefusedError(
            f"plan {plan.id} was made by policy {header.policy_hash[:12]}, "
            f"the policy is now {conditions.policy_hash[:12]}",
            again,
        )
    if header.organisation != conditions.organisation.id:
        raise RefusedError(
            f"plan {plan.id} is for organisation {header.organisation}, "
            f"the CRM says that it is {conditions.organisation.id}",
            "check the credentials of this workspace; nothing was written",
        )
    newer = journal.superseded_by(plan.id)
    if newer is not None:
        raise RefusedError(f"plan {plan.id} is older than plan {newer}, which was applied", again)


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.1f} h"


def _report(journal: Journal, order: Order, delivery: Delivery, settled: int) -> ApplyReport:
    tally = journal.tally(order.plan.id)
    tripped = tuple(sorted(order.plan.header.tripped))
    is_waiting = any(tally.counts.get(state) for state in _WAITING)
    return ApplyReport(
        run_id=order.run_id,
        plan_id=order.plan.id,
        complete=not (is_waiting or tally.stopped_total or tripped or delivery.paused),
        counts=tally.counts,
        changes_done=tally.changes_done,
        done=delivery.done,
        writes=delivery.writes,
        reads=delivery.reads,
        settled=settled,
        exceptions=tally.stopped,
        exceptions_total=tally.stopped_total,
        partial=tally.partial,
        partial_total=tally.partial_total,
        tripped=tripped,
        paused=dict(delivery.paused),
    )
