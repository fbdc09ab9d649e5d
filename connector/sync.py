"""The order of a run, told once: who answers, pull, plan, check, apply, stage what was written.

Everything that highseas does from end to end goes through a function of this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec

from connector.apply import ApplyConditions, ApplyReport, apply_plan
from connector.errors import (
    ConfigurationError,
    Interrupted,
    QuotaError,
    RefusedError,
    RemoteError,
    UnavailableError,
)
from connector.journal import RESEED, Journal
from connector.lock import workspace_lock
from connector.mapping import CompiledMapping, compile_mapping
from connector.plan import build_plan
from connector.plan_model import Plan
from connector.plan_rows import PlanContext
from connector.ports import Adapter, FieldInfo, Organisation, Schema
from connector.pull import PullReport, pull
from connector.reseed import reseed
from connector.undo import plan_undo
from connector.warehouse import Warehouse
from connector.workspace import Workspace, replace_file
from policies import messages
from policies.model import Policy
from policies.moment import AsOf
from policies.policy import load_policy

_STATUS_TYPES = frozenset({"text", "choice", "other"})


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

    @property
    def compiled_mapping(self) -> CompiledMapping:
        workspace = self.workspace
        return compile_mapping(
            self.mapping, "mapping.yaml", zone=workspace.zone, status_field=workspace.status_field
        )

    def tell(self, key: str, **values: object) -> None:
        """Say how far the run is, in the workspace's language."""
        self.progress(messages.message(self.workspace.language, key, **values))


class Planned(NamedTuple):
    """A stored plan, and the pull that came before it (None when planned offline)."""

    plan: Plan
    pulled: PullReport | None


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


def refresh(context: Context, *, full: bool = False, accept_shrink: bool = False) -> PullReport:
    """Bring the staged copy up to date."""
    identify(context)
    return pull(
        context.workspace,
        context.adapter,
        context.warehouse,
        mapping=context.mapping,
        full=full,
        accept_shrink=accept_shrink,
        now=context.now,
        progress=context.progress,
    )


def make_plan(
    context: Context, journal: Journal, *, as_of: str | None = None, offline: bool = False
) -> Planned:
    """Pull (unless offline), evaluate the policy and store what would change. Writes no CRM."""
    policy = load_policy(context.workspace.policy_path)
    moment = as_of_moment(context.workspace, as_of, context.now())
    pulled = None
    if not offline:
        pulled = refresh(context)
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
    )
    if not offline:
        find_own_notes(context, journal, planning)
    stage_written(context, journal)  # what a killed run could not stage
    context.tell("progress.evaluating")
    with recorded(journal, "plan") as summary:
        plan = build_plan(planning, context.warehouse, journal)
        summary.update(plan=plan.id, changes=plan.changes)
    return Planned(plan, pulled)


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


def _refuse_unmarked(policy: Policy) -> None:
    """Without a status field, tags and notes have to do."""
    for rule in policy.rules:
        if rule.kind == "void" and not (rule.note or rule.stages[0].tag):
            message = (
                f"rule {rule.id} marks by status alone, and the workspace names no field for it"
            )
            raise ConfigurationError(message, "set crm.status_field, or give the rule a tag")


def known_schema(context: Context, *, fresh: bool = False) -> Schema:
    """What the CRM can do, as it said at the last `check`; asked once and then remembered."""
    path = context.workspace.schema_path
    if path.exists() and not fresh:
        with suppress(msgspec.DecodeError):  # as another version of highseas wrote it
            return msgspec.json.decode(path.read_bytes(), type=Schema)
    schema = context.adapter.describe()
    replace_file(path, msgspec.json.encode(schema))
    return schema


def as_of_moment(workspace: Workspace, day: str | None, now: datetime) -> AsOf:
    """Local midnight of a day of the workspace's zone (today when none is given)."""
    try:
        chosen = date.fromisoformat(day) if day else now.astimezone(workspace.zone_info).date()
    except ValueError:
        message = f"--as-of {day} is not a date"
        raise ConfigurationError(message, "write it as 2026-05-31") from None
    return AsOf.midnight(chosen, workspace.zone)


def check_fits(context: Context, policy: Policy) -> None:
    """Refuse a policy that this CRM could not take. Before that the CRM is asked anew: it may have
    changed since the last `check`."""
    objects = context.compiled_mapping.customer_objects
    try:
        check_policy_fits(policy, known_schema(context), context.workspace, objects)
    except ConfigurationError:
        schema = known_schema(context, fresh=True)
        check_policy_fits(policy, schema, context.workspace, objects)


def check_policy_fits(
    policy: Policy, schema: Schema, workspace: Workspace, objects: Collection[str] | None = None
) -> None:
    """Refuse a policy whose tags or statuses this CRM could not take. `objects` are those whose
    records are customers; when they are not named, one that can take them is enough."""
    limit = schema.capabilities.tag_length
    for tag in sorted(policy.managed_tags):
        if limit is not None and len(tag) > limit:
            message = f"tag {tag!r} has {len(tag)} characters, this CRM takes {limit}"
            raise ConfigurationError(message, "shorten it in policy.yaml")
    wanted = {stage.status for rule in policy.rules for stage in rule.stages if stage.status}
    name = workspace.status_field
    if name is None:
        _refuse_unmarked(policy)
        return
    if not wanted:
        return
    described = [about for key, about in schema.objects.items() if not objects or key in objects]
    fields = [info for about in described for info in about.fields if info.name == name]
    if not fields:
        raise ConfigurationError(f"the CRM has no field {name}", "correct crm.status_field")
    misfits = list(filter(None, (_misfit(info, wanted) for info in fields)))
    if misfits and (objects is not None or len(misfits) == len(fields)):
        raise misfits[0]


def _misfit(info: FieldInfo, wanted: set[str]) -> ConfigurationError | None:
    """Why a field cannot show these statuses."""
    hint = "correct crm.status_field"
    if not info.writable:
        return ConfigurationError(f"field {info.name} cannot be written", hint)
    if info.type not in _STATUS_TYPES:
        message = f"field {info.name} holds a {info.type} and cannot show a status"
        return ConfigurationError(message, hint)
    unknown = sorted(wanted - set(info.options)) if info.options else []
    if unknown:
        message = f"{info.name} has no option {', '.join(unknown)}"
        return ConfigurationError(message, f"it takes: {', '.join(info.options)}")
    return None


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
    conditions = ApplyConditions(
        organisation=organisation,
        policy_hash=current_policy_hash(context.workspace, plan),
        max_age=context.workspace.max_age,
        approver=approver,
        how=how,
        first=first,
    )
    try:
        return apply_plan(
            journal,
            context.adapter,
            plan.id,
            conditions,
            clock=context.now,
            sleep=context.sleep,
            should_stop=context.should_stop or context.workspace.stop_path.exists,
            progress=context.progress,
        )
    finally:
        stage_written(context, journal)


def managed_tags(workspace: Workspace) -> frozenset[str]:
    """The tags that this workspace's policy adds and removes."""
    return load_policy(workspace.policy_path).managed_tags


def current_policy_hash(workspace: Workspace, plan: Plan) -> str:
    """The hash that the plan must still have: an undo plan binds to its run, not to a policy."""
    return load_policy(workspace.policy_path).hash if plan.header.kind == "policy" else ""


def stage_written(context: Context, journal: Journal) -> None:
    """Show confirmed writes in the staged copy, so that the next plan does not ask again."""
    warehouse = context.warehouse
    if warehouse.exists():
        warehouse.stage_receipts(journal.receipts(after=warehouse.staged_receipt_seq()))


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
