"""The order of a run, told once: who answers, pull, plan, check, apply, stage what was written.

Everything that highseas does from end to end goes through a function of this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from connector import policy_fit
from connector.apply import ApplyConditions, ApplyReport, apply_plan
from connector.delivery import Caller
from connector.errors import (
    ConfigurationError,
    FileProblems,
    Interrupted,
    QuotaError,
    RefusedError,
    RemoteError,
    UnavailableError,
)
from connector.guard import Rest
from connector.journal import RESEED, Journal
from connector.lock import workspace_lock
from connector.mapping import CompiledMapping, compile_mapping
from connector.needs import Needs
from connector.plan import build_plan
from connector.plan_model import Plan
from connector.plan_rows import PlanContext
from connector.policy_fit import (
    check_policy_fits,
    load_client_policy,
    policy_needs,
    refuse_lacking,
)
from connector.ports import Adapter, Organisation, Schema, SelfDescribed
from connector.promises import Caveat, caveats
from connector.pull import PullReport, pull
from connector.remarks import contact_remarks, owner_remarks, plan_remarks
from connector.reseed import reseed
from connector.settle import Time
from connector.undo import plan_undo
from connector.warehouse import Warehouse
from connector.workspace import Workspace
from policies import messages
from policies.errors import UNTYPED_FIELD
from policies.model import Policy
from policies.moment import AsOf


def _now() -> datetime:
    return datetime.now(UTC)


def _quiet(_message: str) -> None:
    return None


@dataclass(frozen=True)
class Context:
    """One workspace with its CRM, and where time comes from and progress goes to."""

    workspace: Workspace
    adapter: Adapter
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = time.sleep
    progress: Callable[[str], None] = _quiet
    should_stop: Callable[[], bool] | None = None
    mapping: str = field(default="")

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.workspace)

    @cached_property
    def compiled_mapping(self) -> CompiledMapping:
        return self._compiled()

    def mapping_for(self, needs: Needs) -> CompiledMapping:
        """The mapping, with what a policy asks for of each customer besides."""
        return self._compiled(needs.fields) if needs.fields else self.compiled_mapping

    def _compiled(self, custom_fields: Collection[str] = ()) -> CompiledMapping:
        workspace = self.workspace
        return compile_mapping(
            self.mapping,
            workspace.mapping_path.name if workspace.mapping_path else "mapping.yaml",
            zone=workspace.zone,
            status_field=workspace.status_field,
            custom_fields=custom_fields,
        )

    def tell(self, key: str, **values: object) -> None:
        """Say how far the run is, in the workspace's language."""
        self.progress(messages.message(self.workspace.language, key, **values))


class Planned(NamedTuple):
    """A stored plan, the pull that came before it (None when planned offline), and what there is
    to say about the policy."""

    plan: Plan
    pulled: PullReport | None
    remarks: tuple[str, ...] = ()


class Checked(NamedTuple):
    """Who answered, what can be done there, and how policy and mapping stand to that."""

    organisation: Organisation
    schema: Schema
    policy: Policy
    remarks: tuple[str, ...]
    unkept: tuple[Caveat, ...]


@contextmanager
def running(context: Context, command: str) -> Iterator[Journal]:
    """Hold the workspace and its journal for one command.

    Raises RefusedError when another run holds the workspace.
    """
    context.workspace.prepare()
    with workspace_lock(context.workspace.state, command, context.now):
        context.workspace.stop_path.unlink(missing_ok=True)
        with open_journal(context.workspace, context.now) as journal:
            yield journal


def open_journal(workspace: Workspace, now: Callable[[], datetime] = _now) -> Journal:
    """The workspace's journal, made or migrated as needed."""
    return Journal.open(workspace.journal_path, now=now)


@contextmanager
def recorded(journal: Journal, kind: str) -> Iterator[dict[str, Any]]:
    """Note a run in the journal, and how it ended; what is put into the dict is its summary."""
    run = journal.begin_run(kind)
    summary: dict[str, Any] = {}
    status = "failed"
    try:
        yield summary
        status = "partial" if summary.get("partial") else "done"
    except (KeyboardInterrupt, Interrupted):
        status = "interrupted"
        raise
    finally:
        journal.end_run(run, status, summary)


def identify(context: Context) -> Organisation:
    """Ask the CRM who it is; refuse any other than the one this workspace belongs to."""
    organisation = context.adapter.identity()
    context.workspace.expect_organisation(organisation)
    return organisation


def check_workspace(context: Context) -> Checked:
    """Ask the CRM anew what it can do, and hold the policy against it. Reads only."""
    workspace, language = context.workspace, context.workspace.language
    organisation = identify(context)
    schema = known_schema(context, fresh=True)
    policy = client_policy(context)
    check_fits(context, policy)
    as_of = as_of_moment(workspace, None, context.now())
    remarks = (
        *plan_remarks(policy, workspace, context.warehouse, as_of),
        *owner_remarks(policy, context.compiled_mapping, context.warehouse, language),
        *contact_remarks(policy, workspace.not_logged, language),
    )
    return Checked(organisation, schema, policy, remarks, unkept_promises(context))


def refresh(
    context: Context, policy: Policy, *, full: bool = False, accept_shrink: bool = False
) -> PullReport:
    """Bring the staged copy up to date, with what the policy asks for."""
    identify(context)
    adapter = context.adapter
    free = isinstance(adapter, SelfDescribed) and adapter.describes_itself
    objects = known_schema(context, fresh=free).objects
    needs = policy_needs(policy, context.workspace)
    return pull(
        context.workspace,
        adapter,
        context.warehouse,
        mapping=context.mapping_for(needs),
        full=full,
        accept_shrink=accept_shrink,
        now=context.now,
        progress=context.progress,
        objects=objects,
        needs=needs,
    )


def make_plan(
    context: Context,
    journal: Journal,
    *,
    as_of: str | None = None,
    offline: bool = False,
    overrides: Mapping[str, str] | None = None,
) -> Planned:
    """Pull (unless offline), evaluate the policy and store what would change. Writes no CRM.

    `overrides` of the policy's params make a plan for looking: it is not applied.
    """
    policy = client_policy(context, overrides, offline=offline)
    moment = as_of_moment(context.workspace, as_of, context.now())
    pulled = None
    if not offline:
        pulled = refresh(context, policy)
        check_fits(context, policy)
    organisation = context.workspace.known_organisation()
    if organisation is None:
        message = "nothing has been pulled into this workspace yet"
        raise ConfigurationError(message, "run `highseas plan` without --offline first")
    workspace = context.workspace
    planning = PlanContext(
        context.adapter,
        organisation,
        policy,
        moment,
        policy.language or workspace.language,
        workspace.status_field,
        workspace.not_logged,
    )
    if offline:
        refuse_lacking(policy, workspace, context.warehouse)
    else:
        find_own_notes(context, journal, planning)
    stage_written(context, journal)  # what a killed run could not stage
    context.tell("progress.evaluating")
    with recorded(journal, "plan") as summary:
        plan = build_plan(planning, context.warehouse, journal, overrides or {})
        summary.update(plan=plan.id, changes=plan.changes)
    return Planned(plan, pulled, plan_remarks(policy, workspace, context.warehouse, moment))


def find_own_notes(context: Context, journal: Journal, planning: PlanContext) -> None:
    """With a new journal, take back what an earlier one wrote. A CRM that does not list notes is
    no reason to stop: a note is still looked for on its record when an answer is lost."""
    if not journal.is_new():
        return
    run = journal.begin_run(RESEED)
    try:
        found = reseed(planning, context.compiled_mapping, context.warehouse, journal)
    except (UnavailableError, QuotaError):
        raise  # it may well list them later: the next plan asks again
    except RemoteError as error:
        context.tell("progress.notes_unseen", reason=error.message)
        journal.end_run(run, "failed", {"error": error.message})
        return
    journal.end_run(run, "done", {"found": found})
    if found:
        context.tell("progress.notes_found", count=found)


def known_schema(context: Context, *, fresh: bool = False) -> Schema:
    """What the CRM can do, as it said at the last `check`; asked once and then remembered."""
    return policy_fit.known_schema(context.workspace, context.adapter, fresh=fresh)


def unkept_promises(context: Context) -> tuple[Caveat, ...]:
    """What cannot be promised with this CRM, for the objects that this workspace pulls."""
    pulled = context.compiled_mapping.shapes
    days = context.workspace.config.pull.full_every_days
    return caveats(known_schema(context), pulled, days)


def client_policy(
    context: Context, overrides: Mapping[str, str] | None = None, *, offline: bool = False
) -> Policy:
    """The client's policy. Where it asks for fields that the CRM is not known to have, the CRM is
    asked, unless offline: it was never asked before, or has got them since."""
    workspace = context.workspace
    try:
        return load_client_policy(workspace, overrides)
    except FileProblems as broken:
        if offline or not any(item.about == UNTYPED_FIELD for item in broken.problems):
            raise
        known_schema(context, fresh=True)
        return load_client_policy(workspace, overrides)


def as_of_moment(workspace: Workspace, day: str | None, now: datetime) -> AsOf:
    """Local midnight of a day of the workspace's zone (today when none is given). What was seen
    after it counts for today alone: a tag set this morning protects today."""
    today = now.astimezone(workspace.zone_info).date()
    try:
        chosen = date.fromisoformat(day) if day else today
    except ValueError:
        message = f"--as-of {day} is not a date"
        raise ConfigurationError(message, "write it as 2026-05-31") from None
    as_of = AsOf.midnight(chosen, workspace.zone)
    return as_of.replayed if chosen < today else as_of


def check_fits(context: Context, policy: Policy) -> None:
    """Refuse a policy that this CRM could not take. Before that the CRM is asked anew: it may have
    changed since the last `check`."""
    objects = context.compiled_mapping.customer_objects
    try:
        check_policy_fits(policy, known_schema(context), context.workspace, objects)
    except ConfigurationError:
        schema = known_schema(context, fresh=True)
        check_policy_fits(policy, schema, context.workspace, objects)


def run_apply(
    context: Context,
    journal: Journal,
    plan_id: str | None,
    *,
    approver: str,
    how: str,
    first: int | None = None,
) -> ApplyReport:
    """Apply a stored plan, and stage what the CRM confirmed, however the run ends."""
    plan = journal.plan(plan_id)
    organisation = identify(context)
    policy = current_policy(context.workspace, plan)
    conditions = ApplyConditions(
        organisation=organisation,
        policy_hash=policy.hash if policy else "",
        max_age=context.workspace.max_age,
        approver=approver,
        how=how,
        first=first,
        strict=context.workspace.config.apply.guard == "strict",
        rest=current_rest(context.workspace, policy) if policy else None,
    )
    should_stop = context.should_stop or context.workspace.stop_path.exists
    caller = Caller(Time(context.now, context.sleep), should_stop, context.progress)
    try:
        return apply_plan(journal, context.adapter, plan.id, conditions, caller)
    finally:
        stage_written(context, journal)


def managed_tags(workspace: Workspace) -> frozenset[str]:
    """The tags that this workspace's policy adds and removes."""
    return load_client_policy(workspace).managed_tags


def current_policy(workspace: Workspace, plan: Plan) -> Policy | None:
    """The policy that the plan must still be of: an undo plan binds to its run, not to a policy."""
    return load_client_policy(workspace) if plan.header.kind == "policy" else None


def current_rest(workspace: Workspace, policy: Policy) -> Rest:
    """What rests while a plan is applied, as the workspace and its policy say it now."""
    return Rest(workspace.zone, policy.calendar, workspace.not_logged)


def stage_written(context: Context, journal: Journal) -> None:
    """Show confirmed writes in the staged copy, so that the next plan does not ask again."""
    warehouse = context.warehouse
    last = warehouse.staged_receipt_seq()
    if last is not None:
        warehouse.stage_receipts(journal.receipts(after=last))


def make_undo(context: Context, journal: Journal, run_id: str) -> Plan:
    """Plan the way back from one run; an ordinary plan that is then applied like any other."""
    return plan_undo(journal, context.adapter, run_id, now=context.now)


def sync_and_apply(context: Context, journal: Journal, planned: Planned) -> ApplyReport:
    """Apply a fresh plan by standing approval.

    Raises RefusedError for a first run, a changed policy or more changes than approved.
    """
    standing = context.workspace.config.approval
    plan = planned.plan
    if standing is None:
        message = "sync --apply needs a standing approval, and highseas.yaml has none"
        hint = f"review with `highseas show`, then apply it: highseas apply {plan.id}"
        raise RefusedError(message, hint)
    if not plan.header.policy_hash.startswith(standing.policy):
        message = f"the policy is not the approved one ({standing.policy})"
        hint = f"apply {plan.id} by hand, then approve policy {plan.header.policy_hash[:16]}"
        raise RefusedError(message, hint)
    if not journal.has_applied(plan.header.policy_hash):
        message = "a policy's first run is never applied by standing approval"
        raise RefusedError(message, f"review it, then: highseas apply {plan.id}")
    if plan.changes > standing.changes:
        message = f"{plan.changes} changes are more than the {standing.changes} approved"
        raise RefusedError(message, f"review them, then: highseas apply {plan.id}")
    return run_apply(
        context, journal, plan.id, approver="highseas.yaml", how=f"standing:{standing.policy}"
    )
