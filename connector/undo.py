"""The way back from a run: an ordinary plan made of the inverse of what the run confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count, groupby

import msgspec

from connector.cost import store_cost
from connector.errors import RefusedError
from connector.journal import Journal
from connector.journal_model import Confirmed
from connector.models import Primitive, inverse
from connector.plan_model import PLAN_FORMAT, Plan, PlanRow, RowStatus, RuleCount
from connector.ports import Adapter, Capabilities


def plan_undo(
    journal: Journal, adapter: Adapter, run_id: str, *, now: Callable[[], datetime]
) -> Plan:
    """Store a plan that restores what a run changed, last change first.

    Applying it compares the live values like any plan, so what somebody else has touched since
    becomes a conflict. What cannot be taken back at all is a row that says why.
    Raises RefusedError when the run wrote nothing.
    """
    run = journal.run(run_id)
    capabilities = adapter.describe().capabilities
    changes: Counter[tuple[str, str]] = Counter()
    for row in undo_rows(journal, run.id, capabilities):
        changes[row.rule, row.kind] += row.status is RowStatus.CHANGE
    if run.plan_id is None or not changes:
        raise RefusedError(f"run {run.id} wrote nothing", "list the runs with `highseas runs`")
    header = msgspec.structs.replace(
        journal.plan(run.plan_id).header,
        as_of=now().astimezone(UTC).isoformat(),
        policy_hash="",
        rules=tuple(_count(rule, kind, changes[rule, kind]) for rule, kind in sorted(changes)),
        kind="undo",
        source_run=run.id,
        format=PLAN_FORMAT,
    )
    plan = journal.store_plan(header, undo_rows(journal, run.id, capabilities))
    return store_cost(adapter, journal, plan)


def undo_rows(journal: Journal, run_id: str, capabilities: Capabilities) -> Iterator[PlanRow]:
    """Stream the inverse of a run: a row for each changed customer and rule, and one for each
    write that stays."""
    numbers = count()
    confirmed = journal.confirmed(run_id)
    for _, group in groupby(confirmed, key=lambda item: item.seq):
        for row in _rows_back(run_id, list(group), capabilities):
            yield msgspec.structs.replace(row, seq=next(numbers))


def _rows_back(
    run_id: str, items: list[Confirmed], capabilities: Capabilities
) -> Iterator[PlanRow]:
    """The way back from one row; `items` are its confirmed writes, last step first."""
    back: list[Primitive] = []
    for item in items:
        primitive = inverse(
            item.primitive,
            intent_id=f"{run_id}:{item.seq}",
            step=len(back),
            remote_id=item.remote_id,
        )
        obstacle = _obstacle(item, primitive, capabilities)
        if obstacle:
            yield _row(item.row, RowStatus.IRREVERSIBLE, (primitive,), obstacle)
        else:
            back.append(primitive)
    if back:
        yield _row(items[0].row, RowStatus.CHANGE, tuple(back))


def _obstacle(item: Confirmed, primitive: Primitive, capabilities: Capabilities) -> str:
    """Why a write is not taken back; empty if it can be."""
    if item.rewritten_by is not None:
        return f"run:{item.rewritten_by}"
    return "" if primitive.kind in capabilities.writes else "unsupported"


def _row(
    source: PlanRow, status: RowStatus, primitives: tuple[Primitive, ...], obstacle: str = ""
) -> PlanRow:
    return PlanRow(
        seq=source.seq,
        status=status,
        customer=source.customer,
        name=source.name,
        rule=source.rule,
        kind=source.kind,
        stage_before=source.stage_after,
        stage_after=source.stage_before,
        episode=source.episode,
        intent_id=primitives[0].intent_id,
        evidence_key=source.evidence_key_before,
        evidence_key_before=source.evidence_key,
        primitives=primitives,
        blocked_by=obstacle,
    )


def _count(rule: str, kind: str, changes: int) -> RuleCount:
    return RuleCount(
        rule=rule,
        kind=kind,
        matched=changes,
        changes=changes,
        entering=0,
        protected=0,
        undecided=0,
        overruled=0,
        foreign=0,
    )
