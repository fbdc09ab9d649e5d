"""What a plan will cost, worked out with the adapter's own batching before anything is sent."""

from __future__ import annotations

from connector.journal import Journal
from connector.plan_model import Plan
from connector.plan_walk import windows, writable_rows
from connector.ports import Adapter


def store_cost(adapter: Adapter, journal: Journal, plan: Plan) -> Plan:
    """Note what applying the plan will cost: write calls, and what the CRM charges for them."""
    calls = cost = 0
    for window in windows(writable_rows(journal, plan)):
        primitives = tuple(primitive for row in window for primitive in row.primitives)
        for batch in adapter.batches(primitives):
            calls += 1
            cost += batch.cost
    journal.set_plan_cost(plan.id, calls, cost)
    return journal.plan(plan.id)
