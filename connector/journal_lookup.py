"""Finding runs and plans by what a person types, and reading them from their tables."""

from __future__ import annotations

import difflib

import msgspec
from sqlalchemy import Connection, RowMapping, Table, func, select

from connector.errors import ConfigurationError
from connector.journal_model import Run
from connector.journal_schema import plans
from connector.plan_model import Plan, PlanHeader

_decode_header = msgspec.json.Decoder(PlanHeader).decode


def next_number(connection: Connection, table: Table) -> int:
    newest: int = connection.scalar(select(func.coalesce(func.max(table.c.number), 0))) or 0
    return newest + 1


def find_plan(connection: Connection, plan_id: str | None) -> RowMapping:
    if plan_id is not None:
        return find(connection, plans, "plan", plan_id)
    newest = select(plans).order_by(plans.c.number.desc()).limit(1)
    found = connection.execute(newest).mappings().one_or_none()
    if found is None:
        raise ConfigurationError("there is no plan yet", "make one with `highseas plan`")
    return found


def plan_number(connection: Connection, plan_id: str) -> int:
    """A plan's number in its table, by its id or a unique beginning of it."""
    exact = connection.scalar(select(plans.c.number).where(plans.c.id == plan_id))
    number: int = find_plan(connection, plan_id)["number"] if exact is None else exact
    return number


def find(connection: Connection, table: Table, word: str, wanted: str) -> RowMapping:
    exact = connection.execute(select(table).where(table.c.id == wanted)).mappings().one_or_none()
    if exact is not None:
        return exact
    starts = table.c.id.startswith(wanted, autoescape=True)
    found = connection.execute(select(table).where(starts).limit(2)).mappings().all()
    if wanted and len(found) == 1:
        return found[0]
    known = connection.scalars(select(table.c.id).order_by(table.c.number.desc()).limit(200)).all()
    near = difflib.get_close_matches(wanted, known, cutoff=0.4) or known[:3]
    said = f"{len(found)} or more {word}s begin with" if found else f"there is no {word}"
    raise ConfigurationError(
        f"{said} {wanted!r}",
        f"did you mean {', '.join(near)}?" if near else "nothing was recorded here yet",
    )


def to_run(row: RowMapping) -> Run:
    values = {name: row[name] for name in Run.__slots__ if name != "summary"}
    return Run(**values, summary=msgspec.json.decode(row["summary"]))


def to_plan(row: RowMapping) -> Plan:
    names = ("id", "fingerprint", "created_at", "changes", "primitives", "calls", "cost")
    values = {name: row[name] for name in names}
    applied = row["applied_at"] is not None
    return Plan(**values, header=_decode_header(row["header"]), applied=applied)
