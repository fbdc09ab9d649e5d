"""Intents and their outcomes: what was about to be sent, and what became of it.

Functions on an open transaction; `journal.Journal` is their only caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    FromClause,
    RowMapping,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from connector.journal_model import (
    INTENDED,
    Claim,
    Confirmed,
    IntentState,
    OpenBatch,
    Partial,
    Receipt,
    Sending,
    Stopped,
    Tally,
)
from connector.journal_schema import intents, plan_rows, plans, runs
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind, StepKind
from connector.plan_model import PlanRow
from connector.projection import Done, Touched, presume, project, yield_notes

_PAGE = 1_000
_STOPPED = (
    OutcomeStatus.REFUSED.value,
    OutcomeStatus.CONFLICT.value,
    OutcomeStatus.PARKED.value,
    OutcomeStatus.UNKNOWN.value,
)
_TOUCHED = ("changed", "already_so")  # codes of `connector.drift.Difference`
_decode_primitive = msgspec.json.Decoder(Primitive).decode
_decode_row = msgspec.json.Decoder(PlanRow).decode


def intend(connection: Connection, plan: int, sending: Sending, now: datetime) -> None:
    """Write intents; one that was tried before under this plan is taken up again."""
    records = [_intent(plan, sending, claim, now) for claim in sending.claims]
    records += [
        _intent(plan, sending, claim, now)
        | {"state": outcome.status.value, "code": outcome.code, "detail": outcome.detail}
        | {"finished_at": now}
        for claim, outcome in sending.conflicts
    ]
    keys = [record["key"] for record in records]
    mine = and_(intents.c.plan == plan, intents.c.key.in_(keys))
    tried = set(connection.scalars(select(intents.c.key).where(mine)))
    fresh = [record for record in records if record["key"] not in tried]
    again = [record for record in records if record["key"] in tried]
    if fresh:
        connection.execute(insert(intents), fresh)
    if again:
        _retake(connection, plan, again)
    touched = [
        Touched(claim.row, claim.primitive)
        for claim, outcome in sending.conflicts
        if outcome.code in _TOUCHED and _is_note_of_ours(claim.primitive)
    ]
    if touched and not _is_undo(connection, plan):
        yield_notes(connection, touched, now)


def _is_note_of_ours(primitive: Primitive) -> bool:
    return primitive.kind.step_kind is StepKind.NOTE and primitive.before is not None


def _is_undo(connection: Connection, plan: int) -> bool:
    return connection.scalar(select(plans.c.policy_hash).where(plans.c.number == plan)) == ""


def _intent(plan: int, sending: Sending, claim: Claim, now: datetime) -> dict[str, Any]:
    primitive = claim.primitive
    return {
        "plan": plan,
        "key": primitive.key,
        "seq": claim.row.seq,
        "step": primitive.step,
        "steps": len(claim.row.primitives),
        "run_id": sending.run_id,
        "batch_id": sending.batch_id,
        "operation": sending.operation,
        "customer": claim.row.customer,
        "rule": claim.row.rule,
        "subject": f"{primitive.kind.step_kind}:{primitive.target}",
        "primitive": msgspec.json.encode(primitive),
        "state": INTENDED,
        "intended_at": now,
        "finished_at": None,
        "code": "",
        "detail": "",
        "remote_id": primitive.remote_id,
        "receipt": None,
    }


def _retake(connection: Connection, plan: int, records: list[dict[str, Any]]) -> None:
    names = ("run_id", "batch_id", "operation", "state", "intended_at", "finished_at")
    changed: dict[str, Any] = {name: bindparam(f"to_{name}") for name in (*names, "code", "detail")}
    this = and_(intents.c.plan == plan, intents.c.key == bindparam("wanted"))
    connection.execute(
        update(intents).where(this).values(changed),
        [
            {"wanted": record["key"]} | {f"to_{name}": record[name] for name in changed}
            for record in records
        ],
    )


def record(connection: Connection, plan: int, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write the outcomes of open intents, their receipts, and what follows from them.

    An intent that is no longer open keeps what it has, so recording twice is recording once.
    """
    found = _open_intents(connection, plan, [outcome.key for outcome in outcomes])
    answered = [outcome for outcome in outcomes if outcome.key in found]
    if not answered:
        return
    receipt = connection.scalar(select(func.coalesce(func.max(intents.c.receipt), 0))) or 0
    updates, done = [], []
    for outcome in answered:
        intent = found[outcome.key]
        values = _answer(intent, outcome, now)
        if outcome.status is OutcomeStatus.DONE:
            receipt += 1
            values["to_receipt"] = receipt
            done.append((intent, values["to_remote_id"]))
        updates.append(values)
    names = ("state", "finished_at", "code", "detail", "remote_id", "receipt")
    changed: dict[str, Any] = {name: bindparam(f"to_{name}") for name in names}
    this = intents.c.id == bindparam("wanted")
    connection.execute(update(intents).where(this).values(changed), updates)
    if done:
        _follow(connection, plan, done, now)
    unsure = [found[each.key] for each in answered if each.status is OutcomeStatus.UNKNOWN]
    if unsure:
        _presume(connection, plan, unsure)


def _presume(connection: Connection, plan: int, unsure: Sequence[RowMapping]) -> None:
    """Hold a new note of which nobody can tell as if it were there: no plan writes it again."""
    primitives = [(intent, _decode_primitive(intent["primitive"])) for intent in unsure]
    notes = [(intent, each) for intent, each in primitives if _is_new_note(each)]
    rows = _rows_of(connection, plan, {intent["seq"] for intent, _ in notes})
    presume(connection, [Done(rows[intent["seq"]], each, None) for intent, each in notes])


def _is_new_note(primitive: Primitive) -> bool:
    return primitive.kind is PrimitiveKind.PUT_NOTE and primitive.before is None


def _rows_of(connection: Connection, plan: int, wanted: set[int]) -> dict[int, PlanRow]:
    served = select(plan_rows.c.seq, plan_rows.c.body).where(
        plan_rows.c.plan == plan, plan_rows.c.seq.in_(wanted)
    )
    return {seq: _decode_row(body) for seq, body in connection.execute(served)}


def _open_intents(connection: Connection, plan: int, keys: list[str]) -> dict[str, RowMapping]:
    query = select(intents).where(
        intents.c.plan == plan, intents.c.key.in_(keys), intents.c.state == INTENDED
    )
    return {row["key"]: row for row in connection.execute(query).mappings()}


def _answer(intent: RowMapping, outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "wanted": intent["id"],
        "to_state": outcome.status.value,
        "to_finished_at": now,
        "to_code": outcome.code,
        "to_detail": outcome.detail,
        "to_remote_id": outcome.remote_id or intent["remote_id"],
        "to_receipt": None,
    }


def _follow(
    connection: Connection, plan: int, done: list[tuple[RowMapping, str | None]], now: datetime
) -> None:
    wanted = {intent["seq"] for intent, _ in done}
    rows = _rows_of(connection, plan, wanted)
    writes = [
        Done(rows[intent["seq"]], _decode_primitive(intent["primitive"]), remote_id)
        for intent, remote_id in done
    ]
    finished = (
        select(intents.c.seq)
        .where(intents.c.plan == plan, intents.c.seq.in_(wanted))
        .where(intents.c.state == OutcomeStatus.DONE.value)
        .group_by(intents.c.seq)
        .having(func.count() == func.max(intents.c.steps))
    )
    complete = [rows[seq] for seq in connection.scalars(finished)]
    project(connection, writes, complete, now, is_undo=_is_undo(connection, plan))


def states(connection: Connection, plan: int, first: int, last: int) -> dict[str, IntentState]:
    """The states of the primitives of rows `first` to `last`."""
    query = select(intents.c.key, intents.c.state, intents.c.run_id).where(
        intents.c.plan == plan, intents.c.seq.between(first, last)
    )
    return {key: IntentState(state, run_id) for key, state, run_id in connection.execute(query)}


def open_batches(connection: Connection) -> list[OpenBatch]:
    """Group the open intents by the call that they were made for."""
    query = (
        select(intents, plans.c.id.label("plan_id"))
        .join_from(intents, plans)
        .where(intents.c.state == INTENDED)
        .order_by(intents.c.batch_id, intents.c.id)
    )
    found = connection.execute(query).mappings().all()
    return [_batch(list(part)) for _, part in groupby(found, key=lambda row: row["batch_id"])]


def _batch(rows: list[RowMapping]) -> OpenBatch:
    return OpenBatch(
        plan_id=rows[0]["plan_id"],
        id=rows[0]["batch_id"],
        operation=rows[0]["operation"],
        intended_at=rows[0]["intended_at"],
        primitives=tuple(_decode_primitive(row["primitive"]) for row in rows),
    )


def tally(connection: Connection, plan: int, cap: int) -> Tally:
    """Count a plan's primitives and changes in SQL; lists are cut at `cap`."""
    mine = intents.c.plan == plan
    by_state = (
        select(intents.c.state, func.count().label("rows")).where(mine).group_by(intents.c.state)
    )
    counts = {row.state: row.rows for row in connection.execute(by_state)}
    groups = _groups(plan)
    begun = and_(groups.c.done > 0, groups.c.done < groups.c.steps)
    partial = select(groups).where(begun).order_by(groups.c.seq).limit(cap)
    stopped = select(intents).where(mine, intents.c.state.in_(_STOPPED)).order_by(intents.c.id)
    return Tally(
        counts=counts,
        changes_done=_count(connection, groups, groups.c.done == groups.c.steps),
        stopped=tuple(_stopped(row) for row in connection.execute(stopped.limit(cap)).mappings()),
        stopped_total=sum(counts.get(state, 0) for state in _STOPPED),
        partial=tuple(
            Partial(row.customer, row.rule, row.done, row.steps)
            for row in connection.execute(partial)
        ),
        partial_total=_count(connection, groups, begun),
    )


def _groups(plan: int) -> Subquery:
    done = case((intents.c.state == OutcomeStatus.DONE.value, 1), else_=0)
    return (
        select(
            intents.c.seq,
            func.min(intents.c.customer).label("customer"),
            func.min(intents.c.rule).label("rule"),
            func.sum(done).label("done"),
            func.max(intents.c.steps).label("steps"),
        )
        .where(intents.c.plan == plan)
        .group_by(intents.c.seq)
        .subquery()
    )


def _count(connection: Connection, table: FromClause, condition: Any) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _stopped(row: RowMapping) -> Stopped:
    primitive = _decode_primitive(row["primitive"])
    return Stopped(
        customer=row["customer"],
        rule=row["rule"],
        kind=primitive.kind,
        target=primitive.target,
        state=row["state"],
        code=row["code"],
        detail=row["detail"],
    )


def confirmed(connection: Connection, run_id: str) -> Iterator[Confirmed]:
    """Stream a run's confirmed writes backwards, each with the later run that wrote something else
    in its place. What later runs wrote and took back again stands in nobody's way."""
    later, newest = intents.alias("later"), intents.alias("newest")
    is_note = intents.c.subject.startswith(f"{StepKind.NOTE}:")
    same = or_(
        later.c.subject == intents.c.subject,
        # The note of another stay in the same rule has taken the place of this one's.
        and_(is_note, later.c.rule == intents.c.rule)
        & later.c.subject.startswith(f"{StepKind.NOTE}:"),
    )
    last = (
        select(later.c.id)
        .where(later.c.customer == intents.c.customer, same)
        .where(later.c.receipt > intents.c.receipt, later.c.run_id != run_id)
        .order_by(later.c.receipt.desc())
        .limit(1)
        .scalar_subquery()
    )
    served = and_(plan_rows.c.plan == intents.c.plan, plan_rows.c.seq == intents.c.seq)
    query = (
        select(
            intents.c.seq,
            plan_rows.c.body,
            intents.c.primitive,
            intents.c.remote_id,
            newest.c.run_id,
            newest.c.primitive,
            newest.c.remote_id,
        )
        .join_from(intents, plan_rows, served)
        .outerjoin(newest, newest.c.id == last)
        .where(intents.c.plan.in_(_plan_of(run_id)), intents.c.run_id == run_id)
        .where(intents.c.state == OutcomeStatus.DONE.value)
        .order_by(intents.c.seq.desc(), intents.c.step.desc())
    )
    for seq, body, written, remote_id, by, rewritten, newest_id in _stream(connection, query):
        row, primitive = _decode_row(body), _decode_primitive(written)
        if rewritten is not None and _decode_primitive(rewritten).after == primitive.after:
            yield Confirmed(seq, row, primitive, newest_id, None)
        else:
            yield Confirmed(seq, row, primitive, remote_id, by)


def receipts(connection: Connection, after: int) -> Iterator[Receipt]:
    """Stream receipts behind `after`."""
    columns = (intents.c.receipt, intents.c.finished_at, intents.c.primitive, intents.c.remote_id)
    query = select(*columns).where(intents.c.receipt > after).order_by(intents.c.receipt)
    for seq, at, body, remote_id in _stream(connection, query):
        primitive = _decode_primitive(body)
        yield Receipt(
            seq=seq,
            at=at,
            ref=primitive.ref,
            kind=primitive.kind,
            target=primitive.target,
            after=primitive.after,
            remote_id=remote_id,
        )


def _stream(connection: Connection, query: Any) -> Iterable[Any]:
    return connection.execution_options(yield_per=_PAGE).execute(query)


def _plan_of(run_id: str) -> Any:
    return (
        select(plans.c.number)
        .join_from(plans, runs, plans.c.id == runs.c.plan_id)
        .where(runs.c.id == run_id)
    )
