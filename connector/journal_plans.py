"""Plans and their approvals: stored row by row, read page by page.

Functions on an open transaction; `journal.Journal` is their only caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from connector.errors import RefusedError
from connector.journal_bulk import CHUNK, insert_rows
from connector.journal_lookup import find_plan, next_number, plan_number, to_plan
from connector.journal_model import Approval
from connector.journal_schema import approvals, plan_rows, plans
from connector.plan_encoding import PlanEncoding
from connector.plan_model import Plan, PlanHeader, PlanRow, RowStatus, encode_header


def store(
    connection: Connection, header: PlanHeader, rows: Iterable[PlanRow], now: datetime
) -> Plan:
    """Write a plan while its rows come; what it is called is known at the end."""
    encoding = PlanEncoding(next_number(connection, plans), header)
    key = {"number": encoding.number, "id": f"p{encoding.number:04d}", "fingerprint": ""}
    zeros = {"changes": 0, "primitives": 0, "calls": 0, "cost": 0}
    meaning = {"policy_hash": header.policy_hash, "header": encode_header(header)}
    connection.execute(insert(plans), key | zeros | meaning | {"created_at": now})
    insert_rows(connection, encoding.records(rows))
    fingerprint = encoding.fingerprint.text()
    this = plans.c.number == encoding.number
    values = {
        "id": f"p{encoding.number:04d}-{fingerprint[:6]}",
        "fingerprint": fingerprint,
        "changes": encoding.changes,
        "primitives": encoding.primitives,
    }
    connection.execute(update(plans).where(this).values(values))
    return to_plan(connection.execute(select(plans).where(this)).mappings().one())


def page(
    connection: Connection, plan: int, after: int, status: RowStatus | None
) -> Sequence[Row[int, bytes]]:
    """The next rows behind `after`, as stored; fewer than `CHUNK` are the last ones."""
    query = select(plan_rows.c.seq, plan_rows.c.body).where(plan_rows.c.plan == plan)
    if status is not None:
        query = query.where(plan_rows.c.status == status.value)
    query = query.where(plan_rows.c.seq > after).order_by(plan_rows.c.seq).limit(CHUNK)
    return connection.execute(query).all()


def approve(connection: Connection, approval: Approval) -> None:
    """Note an approval, unless it is for something else than the plan is."""
    found = find_plan(connection, approval.plan_id)
    if approval.fingerprint != found["fingerprint"]:
        raise RefusedError(
            f"the approval is for {approval.fingerprint[:12]}, "
            f"plan {found['id']} is {found['fingerprint'][:12]}",
            "look at the plan again and approve what it is now",
        )
    who = {"who": approval.who, "how": approval.how, "at": approval.at}
    connection.execute(
        insert(approvals), {"plan": found["number"], "fingerprint": approval.fingerprint} | who
    )


def approval(connection: Connection, plan_id: str) -> Approval | None:
    """The newest approval of a plan."""
    given = approvals.c
    query = (
        select(plans.c.id, given.fingerprint, given.who, given.how, given.at)
        .join_from(approvals, plans)
        .where(plans.c.id == plan_id)
        .order_by(given.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Approval(*row)


def superseded_by(connection: Connection, plan_id: str) -> str | None:
    """The newest plan that was made after this one and of which applying has begun."""
    started = plans.c.number > plan_number(connection, plan_id), plans.c.started_at.is_not(None)
    newest = select(plans.c.id).where(*started).order_by(plans.c.number.desc()).limit(1)
    return connection.scalar(newest)
