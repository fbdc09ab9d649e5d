"""The journal: everything that we did or were told. Runs, plans, approvals, intents, receipts.

Each public method is one transaction, durable when it returns. What a row means for holdings and
episodes stands in `journal_intents`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Engine,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import OperationalError

from connector import journal_intents, journal_plans, projection
from connector.errors import HighseasError, RefusedError
from connector.journal_bulk import CHUNK
from connector.journal_lookup import find, find_plan, next_number, plan_number, to_plan, to_run
from connector.journal_model import (
    Approval,
    Confirmed,
    Episode,
    Holding,
    IntentState,
    OpenBatch,
    Receipt,
    Run,
    Sending,
    Tally,
)
from connector.journal_schema import (
    Moment,
    intents,
    open_engine,
    plans,
    runs,
    writer,
)
from connector.models import Outcome
from connector.plan_model import (
    Fingerprint,
    Plan,
    PlanHeader,
    PlanRow,
    RowStatus,
)

RUNNING, BROKEN_OFF = "running", "broken off"
RESEED = "reseed"
_decode_row = msgspec.json.Decoder(PlanRow).decode


class Journal:
    """One workspace's journal. Open it with `Journal.open`; it is a context manager."""

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now

    @classmethod
    def open(cls, url_or_path: str | Path, *, now: Callable[[], datetime]) -> Self:
        """Open or create; `now` gives aware moments. A newer format than ours is refused."""
        return cls(open_engine(url_or_path), now)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Runs

    def begin_run(self, kind: str, plan_id: str | None = None) -> str:
        """Note that a run started; its id sorts by time. One that never ended was broken off."""
        now = self._now()
        with self._write() as connection:
            dead = update(runs).where(runs.c.status == RUNNING)
            connection.execute(dead.values(status=BROKEN_OFF))
            number = next_number(connection, runs)
            run_id = f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{number:04x}"
            record = {"number": number, "id": run_id, "kind": kind, "plan_id": plan_id}
            state = {"started_at": now, "status": RUNNING, "summary": b"{}"}
            connection.execute(insert(runs), record | state)
        return run_id

    def end_run(self, run_id: str, status: str, summary: Mapping[str, Any]) -> None:
        """Note how a run ended; `summary` is anything that JSON can hold."""
        values = {"status": status, "summary": msgspec.json.encode(summary)}
        with self._write() as connection:
            connection.execute(
                update(runs).where(runs.c.id == run_id).values(ended_at=self._now(), **values)
            )

    def runs(self, limit: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        query = select(runs).order_by(runs.c.number.desc()).limit(limit)
        with self._read() as connection:
            return [to_run(row) for row in connection.execute(query).mappings()]

    def run(self, run_id: str) -> Run:
        """One run; a unique beginning of its id is enough."""
        with self._read() as connection:
            return to_run(find(connection, runs, "run", run_id))

    # Plans

    def store_plan(self, header: PlanHeader, rows: Iterable[PlanRow]) -> Plan:
        """Stream a plan into the journal: all of it, or none. Rows come with `seq` ascending.

        `changes` and `primitives` count what apply would do, so not the rows of tripped rules.
        """
        with self._write() as connection:
            return journal_plans.store(connection, header, rows, self._now())

    def set_plan_cost(self, plan_id: str, calls: int, cost: int) -> None:
        """Note what applying the plan would cost; it is no part of the fingerprint."""
        self._set_plan(plan_id, calls=calls, cost=cost)

    def plan(self, plan_id: str | None = None) -> Plan:
        """One plan by its id or a unique beginning of it; None means the newest."""
        with self._read() as connection:
            return to_plan(find_plan(connection, plan_id))

    def rows(
        self, plan_id: str, *, after: int = -1, status: RowStatus | None = None
    ) -> Iterator[PlanRow]:
        """Stream a plan's rows behind `after`, in order; no transaction stays open in between."""
        for body in self._bodies(plan_id, after, status):
            yield _decode_row(body)

    def verify(self, plan_id: str) -> None:
        """Recompute the fingerprint from what is stored; refuse the plan if it differs."""
        with self._read() as connection:
            stored = find_plan(connection, plan_id)
        plan, fingerprint = to_plan(stored), Fingerprint(stored["header"])
        for body in self._bodies(plan_id, -1, None):
            fingerprint.add(body)
        if fingerprint.text() != plan.fingerprint:
            raise RefusedError(
                f"plan {plan.id} was altered: its rows give {fingerprint.text()[:12]}, "
                f"its fingerprint is {plan.fingerprint[:12]}",
                "plan anew, and find out who wrote to the journal",
            )

    def approve(self, plan_id: str, fingerprint: str, who: str, how: str) -> None:
        """Note who approved exactly this plan, and how."""
        with self._write() as connection:
            given = Approval(plan_id, fingerprint, who, how, self._now())
            journal_plans.approve(connection, given)

    def approval(self, plan_id: str) -> Approval | None:
        """The newest approval of a plan."""
        with self._read() as connection:
            return journal_plans.approval(connection, plan_id)

    def superseded_by(self, plan_id: str) -> str | None:
        """The newest plan that was made after this one and of which applying has begun."""
        with self._read() as connection:
            return journal_plans.superseded_by(connection, plan_id)

    def mark_started(self, plan_id: str) -> None:
        """Applying begins: older plans are stale from now on."""
        self._set_plan(plan_id, started_at=func.coalesce(plans.c.started_at, self._moment()))

    def mark_applied(self, plan_id: str) -> None:
        """Applying came to the plan's end, whatever became of each row."""
        self._set_plan(plan_id, applied_at=func.coalesce(plans.c.applied_at, self._moment()))

    def has_applied(self, policy_hash: str) -> bool:
        """Whether a plan of this very policy was once applied to its end."""
        mine = (plans.c.policy_hash == policy_hash) & plans.c.applied_at.is_not(None)
        with self._read() as connection:
            return connection.scalar(select(plans.c.number).where(mine).limit(1)) is not None

    # Intents and what they leave behind

    def intend(self, sending: Sending) -> None:
        """Make a call's primitives durable before it is made, and what was held back with them."""
        with self._write() as connection:
            number = plan_number(connection, sending.plan_id)
            journal_intents.intend(connection, number, sending, self._now())

    def record(self, plan_id: str, outcomes: Sequence[Outcome]) -> None:
        """Make outcomes durable, together with the receipts, holdings and episodes they cause."""
        with self._write() as connection:
            number = plan_number(connection, plan_id)
            journal_intents.record(connection, number, outcomes, self._now())

    def conclude(self, rows: Sequence[PlanRow]) -> None:
        """Bring the episodes of rows that need no write to the stage that the rows name."""
        with self._write() as connection:
            projection.conclude(connection, rows, self._now())

    def is_new(self) -> bool:
        """Whether nothing was ever sent, and nothing taken over from an earlier journal."""
        with self._read() as connection:
            told = select(runs.c.id).where(runs.c.kind == RESEED, runs.c.status == "done")
            sent = select(intents.c.plan).where(intents.c.state != "")
            return not any(connection.execute(query.limit(1)).first() for query in (told, sent))

    def adopt(self, stays: Iterable[tuple[Episode, Sequence[Holding]]]) -> None:
        """Take over what an earlier journal wrote, all or nothing."""
        with self._write() as connection:
            for episode, held in stays:
                projection.adopt(connection, episode, held)

    def intent_states(self, plan_id: str, first: int, last: int) -> dict[str, IntentState]:
        """Where the primitives of the rows from `first` to `last` stand, by their key."""
        with self._read() as connection:
            number = plan_number(connection, plan_id)
            return journal_intents.states(connection, number, first, last)

    def open_batches(self) -> list[OpenBatch]:
        """The calls of any run whose answers were never recorded, oldest first."""
        with self._read() as connection:
            return journal_intents.open_batches(connection)

    def tally(self, plan_id: str, cap: int = 100) -> Tally:
        """How far a plan is; its lists hold at most `cap` entries."""
        with self._read() as connection:
            number = plan_number(connection, plan_id)
            return journal_intents.tally(connection, number, cap)

    def confirmed(self, run_id: str) -> Iterator[Confirmed]:
        """A run's confirmed writes, last row first and last step first."""
        with self._read() as connection:
            yield from journal_intents.confirmed(connection, run_id)

    def receipts(self, after: int = 0) -> Iterator[Receipt]:
        """Confirmed writes behind the receipt number `after`, in order."""
        with self._read() as connection:
            yield from journal_intents.receipts(connection, after)

    def holdings(self) -> Iterator[Holding]:
        """What stands in the CRM as ours, by customer."""
        with self._read() as connection:
            yield from projection.holdings_in(connection)

    def episodes(self, *, open_only: bool = True, customer: str | None = None) -> Iterator[Episode]:
        """Stays of customers, or of one, in rules, by customer, rule and number."""
        with self._read() as connection:
            yield from projection.episodes_in(connection, open_only=open_only, customer=customer)

    def standing_episodes(self, customer: str | None = None) -> Iterator[tuple[Any, ...]]:
        """As `projection.standing_episodes` says: all stays, or those of one customer."""
        with self._read() as connection:
            yield from projection.standing_episodes(connection, customer)

    def entered_since(self, moment: datetime) -> Iterator[tuple[Any, ...]]:
        """As `projection.entered_since` says, for caps by the week or month."""
        with self._read() as connection:
            yield from projection.entered_since(connection, moment)

    def standing_holdings(self, customer: str | None = None) -> Iterator[tuple[Any, ...]]:
        """As `projection.standing_holdings` says: all that is ours, or on one customer."""
        with self._read() as connection:
            yield from projection.standing_holdings(connection, customer)

    def _read(self) -> Connection:
        return self._engine.connect()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with writer(self._engine).begin() as connection:
                yield connection
        except OperationalError as problem:
            raise HighseasError(
                f"the journal could not be written: {type(problem.orig).__name__}",
                "another program may hold it, or the disk is full; nothing half-written stays",
            ) from problem

    def _moment(self) -> BindParameter[datetime]:
        return literal(self._now(), Moment)

    def _bodies(self, plan_id: str, after: int, status: RowStatus | None) -> Iterator[bytes]:
        with self._read() as connection:
            number = plan_number(connection, plan_id)
        while True:
            with self._read() as connection:
                found = journal_plans.page(connection, number, after, status)
            yield from (body for _, body in found)
            if len(found) < CHUNK:
                return
            after = found[-1][0]

    def _set_plan(self, plan_id: str, **values: Any) -> None:
        with self._write() as connection:
            number = plan_number(connection, plan_id)
            connection.execute(update(plans).where(plans.c.number == number).values(values))
