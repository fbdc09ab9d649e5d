"""What a plan will cost, worked out with the adapter's own batching before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from connector.journal import Journal
from connector.plan_model import Plan, PlanRow, RowStatus
from connector.ports import Adapter

# Large enough that a tag's last, half-filled call of each window does not count.
WINDOW_ROWS = 10_000


def plan_cost(adapter: Adapter, journal: Journal, plan: Plan) -> tuple[int, int]:
    """Write calls, and what the CRM charges for them."""
    held_back = plan.header.held_back
    rows = (
        row for row in journal.rows(plan.id, status=RowStatus.CHANGE) if row.rule not in held_back
    )
    calls = cost = 0
    for window in _windows(rows):
        primitives = tuple(primitive for row in window for primitive in row.primitives)
        for batch in adapter.batches(primitives):
            calls += 1
            cost += batch.cost
    return calls, cost


def _windows(rows: Iterator[PlanRow]) -> Iterator[list[PlanRow]]:
    while window := list(islice(rows, WINDOW_ROWS)):
        yield window
