"""What confirmed writes mean: which values in the CRM are ours, and who stays in which rule.

Holdings and episodes are written here alone, inside the transaction of the receipts that cause
them. All statements work on sets of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, insert, or_, select, update

from connector.journal_model import Episode, Holding
from connector.journal_schema import episodes, holdings
from connector.models import Primitive, PrimitiveKind, Scalar, StepKind
from connector.plan_model import PlanRow

_PAGE = 1_000

_HoldingKey = tuple[str, StepKind, str]
_EpisodeKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Done:
    """One confirmed primitive, the row it serves, and the id that the CRM gave to its note."""

    row: PlanRow
    primitive: Primitive
    remote_id: str | None


@dataclass(frozen=True, slots=True)
class Touched:
    """A primitive that was held back because somebody else has touched its value, and its row."""

    row: PlanRow
    primitive: Primitive


def project(
    connection: Connection,
    done: Sequence[Done],
    complete: Sequence[PlanRow],
    now: datetime,
    *,
    is_undo: bool,
) -> None:
    """Follow confirmed writes; `complete` are the rows of which every primitive is done now."""
    _project_holdings(connection, done, is_undo=is_undo)
    rows = {item.row.seq: item.row for item in done}
    _stage(connection, [row for row in rows.values() if row.stage_after is not None], now)
    left = [row for row in complete if row.stage_after is None]
    _close(connection, left, now)
    if not is_undo:
        _release(connection, left)


def presume(connection: Connection, notes: Sequence[Done]) -> None:
    """Hold notes that may have been written."""
    if notes:
        _project_holdings(connection, notes, is_undo=False)


def conclude(connection: Connection, rows: Sequence[PlanRow], now: datetime) -> None:
    """Follow rows that need no write. They open no episode: no receipt says that it began."""
    known = _known_episodes(connection, rows)
    staged = [row for row in rows if row.stage_after is not None and _key(row) in known]
    _stage(connection, staged, now)
    left = [row for row in rows if row.stage_after is None]
    _close(connection, left, now)
    _release(connection, left)


def yield_notes(connection: Connection, touched: Sequence[Touched], now: datetime) -> None:
    """Follow notes of ours that somebody else has changed or removed: they are no longer ours to
    delete, and what they should say now is not proposed again."""
    gone = [item for item in touched if item.primitive.kind is PrimitiveKind.DELETE_NOTE]
    if gone:
        this = and_(
            holdings.c.customer == bindparam("of"),
            holdings.c.kind == StepKind.NOTE.value,
            holdings.c.target == bindparam("name"),
        )
        keys = [{"of": item.row.customer, "name": item.primitive.target} for item in gone]
        connection.execute(delete(holdings).where(this), keys)
    conclude(connection, [item.row for item in touched if item.row.stage_after is not None], now)


def adopt(connection: Connection, episode: Episode, held: Sequence[Holding]) -> None:
    """Take over a stay and what came with it (at least its note), as the CRM shows them."""
    connection.execute(insert(episodes), [asdict(episode)])
    connection.execute(insert(holdings), [_holding_record(item) for item in held])


def holdings_in(connection: Connection) -> Iterator[Holding]:
    """Stream all holdings, but for the tags of others that we removed: those only wait for undo."""
    order = (holdings.c.customer, holdings.c.kind, holdings.c.target)
    stands = or_(holdings.c.kind != StepKind.TAG.value, holdings.c.value != b"false")
    query = select(holdings).where(stands).order_by(*order)
    for row in connection.execution_options(yield_per=_PAGE).execute(query).mappings():
        yield _holding(row)


def episodes_in(
    connection: Connection, *, open_only: bool, customer: str | None = None
) -> Iterator[Episode]:
    """Stream episodes, of all customers or of one."""
    query = select(episodes).order_by(*episodes.primary_key.columns)
    if customer is not None:
        query = query.where(episodes.c.customer == customer)
    if open_only:
        query = query.where(episodes.c.closed_at.is_(None))
    for row in connection.execution_options(yield_per=_PAGE).execute(query).mappings():
        yield Episode(**row)


def standing_episodes(
    connection: Connection, customer: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Stream customer, rule, number, stage, evidence key and whether it ended: what a plan needs of
    episodes, without the cost of objects."""
    c = episodes.c
    ended = c.closed_at.is_not(None).label("ended")
    query = select(c.customer, c.rule, c.number, c.stage, c.evidence_key, ended)
    if customer is not None:
        query = query.where(episodes.c.customer == customer)
    yield from connection.execution_options(yield_per=_PAGE).execute(query)


def entered_since(connection: Connection, moment: datetime) -> Iterator[tuple[Any, ...]]:
    """Stream customer and rule of the stays that began at or after a moment."""
    c = episodes.c
    query = select(c.customer, c.rule).where(c.opened_at >= moment).distinct()
    yield from connection.execution_options(yield_per=_PAGE).execute(query)


def standing_holdings(
    connection: Connection, customer: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Stream customer, rule, kind, target, value and original (both as raw JSON), and note id."""
    c, raw = holdings.c, msgspec.Raw
    query = select(c.customer, c.rule, c.kind, c.target, c.value, c.original, c.remote_id)
    if customer is not None:
        query = query.where(holdings.c.customer == customer)
    rows = connection.execution_options(yield_per=_PAGE).execute(query)
    for whose, rule, kind, target, value, original, remote_id in rows:
        yield whose, rule, kind, target, raw(value), raw(original), remote_id


def _project_holdings(connection: Connection, done: Sequence[Done], *, is_undo: bool) -> None:
    held = _held_by(connection, {item.row.customer for item in done})
    touched: set[_HoldingKey] = set()
    for item in done:
        kind = item.primitive.kind.step_kind
        key = (item.row.customer, kind, item.primitive.target)
        touched.add(key)
        after = _held_after(item, kind, held.pop(key, None), is_undo=is_undo)
        if after is not None:
            held[key] = after
    _replace(connection, touched, held)


def _held_after(
    item: Done, kind: StepKind, held: Holding | None, *, is_undo: bool
) -> Holding | None:
    """What is held of one value once this primitive is done; nothing if it is as we found it.

    A tag that somebody else had set and that undo puts back is theirs again; one that a policy
    adds is ours, whatever was there in former times. A value that somebody has put in the place
    of ours is what has to come back.
    """
    primitive = item.primitive
    is_ours = held is not None and held.value == primitive.before
    original: Scalar = held.original if held is not None and is_ours else primitive.before
    if kind is StepKind.NOTE:
        original = None
    elif primitive.kind is PrimitiveKind.ADD_TAG and not is_undo:
        original = False
    if primitive.after == original:
        return None
    return Holding(
        customer=item.row.customer,
        rule=item.row.rule,
        kind=kind,
        target=primitive.target,
        value=primitive.after,
        original=original,
        remote_id=item.remote_id,
    )


def _held_by(connection: Connection, customers: set[str]) -> dict[_HoldingKey, Holding]:
    query = select(holdings).where(holdings.c.customer.in_(customers))
    found = [_holding(row) for row in connection.execute(query).mappings()]
    return {(item.customer, item.kind, item.target): item for item in found}


def _holding(row: RowMapping) -> Holding:
    return Holding(
        customer=row["customer"],
        rule=row["rule"],
        kind=StepKind(row["kind"]),
        target=row["target"],
        value=msgspec.json.decode(row["value"]),
        original=msgspec.json.decode(row["original"]),
        remote_id=row["remote_id"],
    )


def _replace(
    connection: Connection, touched: set[_HoldingKey], held: dict[_HoldingKey, Holding]
) -> None:
    gone = delete(holdings).where(
        holdings.c.customer == bindparam("of"),
        holdings.c.kind == bindparam("sort"),
        holdings.c.target == bindparam("name"),
    )
    keys = sorted(touched)
    connection.execute(
        gone, [{"of": of, "sort": sort.value, "name": name} for of, sort, name in keys]
    )
    standing = [held[key] for key in keys if key in held]
    if standing:
        connection.execute(insert(holdings), [_holding_record(item) for item in standing])


def _holding_record(item: Holding) -> dict[str, Any]:
    return {
        "customer": item.customer,
        "kind": item.kind.value,
        "target": item.target,
        "rule": item.rule,
        "value": msgspec.json.encode(item.value),
        "original": msgspec.json.encode(item.original),
        "remote_id": item.remote_id,
    }


def _key(row: PlanRow) -> _EpisodeKey:
    return row.customer, row.rule, row.episode


def _known_episodes(connection: Connection, rows: Sequence[PlanRow]) -> dict[_EpisodeKey, bool]:
    """The stays of these rows' customers, and whether each is open."""
    customers = {row.customer for row in rows}
    is_open = episodes.c.closed_at.is_(None)
    columns = (episodes.c.customer, episodes.c.rule, episodes.c.number, is_open)
    query = select(*columns).where(episodes.c.customer.in_(customers))
    return {
        (customer, rule, number): bool(still)
        for customer, rule, number, still in connection.execute(query)
    }


_THIS_EPISODE = and_(
    episodes.c.customer == bindparam("of"),
    episodes.c.rule == bindparam("under"),
    episodes.c.number == bindparam("nth"),
)


def _address(row: PlanRow) -> dict[str, Any]:
    return {"of": row.customer, "under": row.rule, "nth": row.episode}


def _stage(connection: Connection, rows: Sequence[PlanRow], now: datetime) -> None:
    """Open episodes, or bring them to another stage, also ones that had been closed: but not
    beside a later stay, for nobody is in a rule twice."""
    if not rows:
        return
    known = _known_episodes(connection, rows)
    taken = {(customer, rule): number for (customer, rule, number), still in known.items() if still}
    alone = [row for row in rows if taken.get((row.customer, row.rule), row.episode) == row.episode]
    old = [row for row in alone if _key(row) in known]
    new = [row for row in alone if _key(row) not in known]
    if new:
        connection.execute(insert(episodes), [_episode_record(row, now) for row in new])
    if old:
        restage = update(episodes).where(_THIS_EPISODE)
        restage = restage.values(
            stage=bindparam("to"), evidence_key=bindparam("because"), closed_at=None
        )
        connection.execute(
            restage,
            [_address(row) | {"to": row.stage_after, "because": row.evidence_key} for row in old],
        )


def _episode_record(row: PlanRow, now: datetime) -> dict[str, Any]:
    return {
        "customer": row.customer,
        "rule": row.rule,
        "number": row.episode,
        "stage": row.stage_after,
        "evidence_key": row.evidence_key,
        "opened_at": now,
        "closed_at": None,
    }


def _close(connection: Connection, rows: Sequence[PlanRow], now: datetime) -> None:
    if rows:
        still_open = episodes.c.closed_at.is_(None)
        close = update(episodes).where(_THIS_EPISODE, still_open).values(closed_at=bindparam("at"))
        connection.execute(close, [_address(row) | {"at": now} for row in rows])


def _release(connection: Connection, rows: Sequence[PlanRow]) -> None:
    """A stay is over: what of ours is still noted for it, somebody else has taken away. Tags of
    others that we removed go on waiting for undo; a status goes over to the rule that has it now,
    together with what stood there before."""
    mine = and_(holdings.c.customer == bindparam("of"), holdings.c.rule == bindparam("under"))
    handed_on = [row for row in rows if row.hands_on]
    if handed_on:
        status = holdings.c.kind == StepKind.FIELD.value
        over = update(holdings).where(mine, status).values(rule=bindparam("to"))
        connection.execute(over, [_stay(row) | {"to": row.hands_on} for row in handed_on])
    if rows:
        of_others = and_(holdings.c.kind == StepKind.TAG.value, holdings.c.value == b"false")
        connection.execute(delete(holdings).where(mine, ~of_others), [_stay(row) for row in rows])


def _stay(row: PlanRow) -> dict[str, str]:
    return {"of": row.customer, "under": row.rule}
