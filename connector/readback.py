"""After an undo: does the CRM show what stood there before? By reading alone."""

from __future__ import annotations

from collections.abc import Iterator

from connector.drift import live_value, read_requests, subject
from connector.journal import Journal
from connector.journal_model import Stopped
from connector.models import OutcomeStatus, Primitive
from connector.plan_model import Plan, PlanRow
from connector.plan_walk import windows, writable_rows
from connector.ports import Adapter

NOT_RESTORED = "not_restored"


def read_back(journal: Journal, adapter: Adapter, plan: Plan) -> Iterator[Stopped]:
    """Name each confirmed write of a plan that the CRM does not show."""
    read_batch = adapter.describe().capabilities.read_batch
    for window in windows(writable_rows(journal, plan)):
        states = journal.intent_states(plan.id, window[0].seq, window[-1].seq)
        done = {
            primitive.key: (row, primitive)
            for row in window
            for primitive in row.primitives
            if primitive.key in states and states[primitive.key].state == OutcomeStatus.DONE
        }
        yield from _differences(adapter, done, read_batch)


def _differences(
    adapter: Adapter, done: dict[str, tuple[PlanRow, Primitive]], read_batch: int
) -> Iterator[Stopped]:
    primitives = [primitive for _, primitive in done.values()]
    shown = {
        state.ref: state
        for request in read_requests(primitives, read_batch)
        for state in adapter.read(request)
    }
    for row, primitive in done.values():
        state = shown.get(primitive.ref)
        if state is None or live_value(primitive, state) != primitive.after:
            yield Stopped(
                customer=row.customer,
                rule=row.rule,
                kind=primitive.kind,
                target=primitive.target,
                state=NOT_RESTORED,
                code=NOT_RESTORED,
                detail=subject(primitive),
            )
