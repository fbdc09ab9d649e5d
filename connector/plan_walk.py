"""How a stored plan is walked: the rows that are written, in windows that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from connector.journal import Journal
from connector.plan_model import Plan, PlanRow, RowStatus

# Large enough that a tag's last, half-filled call of each window does not count.
WINDOW_ROWS = 10_000


def writable_rows(journal: Journal, plan: Plan) -> Iterator[PlanRow]:
    """The rows that applying the plan writes, in their order."""
    rows = journal.rows(plan.id, status=RowStatus.CHANGE)
    return filter(plan.header.writes, rows)


def windows(rows: Iterator[PlanRow]) -> Iterator[list[PlanRow]]:
    while window := list(islice(rows, WINDOW_ROWS)):
        yield window
