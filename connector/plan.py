"""Decisions minus what the CRM shows: evaluates a policy and stores the plan. Writes no CRM."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from itertools import count

import duckdb

from connector.cost import plan_cost
from connector.engine import evaluate
from connector.guard import tripped_cap
from connector.journal import Journal
from connector.plan_model import Plan, PlanHeader, PlanRow, RuleCount
from connector.plan_rows import PlanContext, RuleRows, gather_actions
from connector.standing import load_standing
from connector.warehouse import Warehouse
from policies.compile_sql import CompiledEvaluation
from policies.lifecycle import action_statements
from policies.model import RETIRED, Policy


def build_plan(context: PlanContext, warehouse: Warehouse, journal: Journal) -> Plan:
    """Evaluate, compare with what stands, and store the plan row by row."""
    with warehouse.reading(context.as_of.day) as connection:
        connection.execute(
            "CREATE TEMP VIEW current_customers AS SELECT * FROM warehouse.main.customers"
        )
        compiled = evaluate(connection, context.policy, context.as_of)
        load_standing(connection, journal)
        written = context.written_policy.with_retired(_retired(connection, context.policy))
        for statement in action_statements(written):
            connection.execute(statement)
        gather_actions(connection)
        header = PlanHeader(
            organisation=context.organisation,
            as_of=context.as_of.moment.astimezone(UTC).isoformat(),
            policy_hash=context.policy.hash,
            customers=_customers(connection),
            rules=tuple(_counts(connection, written)),
            language=context.language,
        )
        plan = journal.store_plan(header, _rows(context, compiled, written, connection))
    calls, cost = plan_cost(context.adapter, journal, plan)
    journal.set_plan_cost(plan.id, calls, cost)
    return journal.plan(plan.id)


def _retired(connection: duckdb.DuckDBPyConnection, policy: Policy) -> list[str]:
    """Rules in which customers still stay, although the policy has them no more."""
    rows = connection.execute("SELECT DISTINCT rule FROM open_episodes ORDER BY rule").fetchall()
    known = {rule.id for rule in policy.rules}
    return [name for (name,) in rows if name not in known]


def _rows(
    context: PlanContext,
    compiled: CompiledEvaluation,
    written: Policy,
    connection: duckdb.DuckDBPyConnection,
) -> Iterator[PlanRow]:
    """Rows by rule, in the order of the policy; within a rule by customer key."""
    sequence = count()
    for number, rule in enumerate(written.rules):
        yield from RuleRows(context, compiled, number, rule).rows(connection, sequence)


def _customers(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM findings").fetchone()
    return int(row[0]) if row else 0


def _counts(connection: duckdb.DuckDBPyConnection, policy: Policy) -> Iterator[RuleCount]:
    customers = _customers(connection)
    current = [number for number, rule in enumerate(policy.rules) if rule.kind != RETIRED]
    sums = (f"coalesce(sum(CASE WHEN s_{number} > 0 THEN 1 ELSE 0 END), 0)" for number in current)
    totals = connection.execute(f"SELECT {', '.join(sums)} FROM findings").fetchone() or ()
    matched = dict(zip(current, totals, strict=True))
    found = connection.execute(
        "SELECT rule, status, count(*), sum(CASE WHEN entering AND stage > 0 THEN 1 ELSE 0 END), "
        "sum(CASE WHEN moving THEN 1 ELSE 0 END) FROM actions GROUP BY rule, status"
    ).fetchall()
    counts = {(number, status): total for number, status, total, _, _ in found}
    changing = {number: rest for number, status, _, *rest in found if status == "change"}
    for number, rule in enumerate(policy.rules):
        entering, moving = map(int, changing.get(number, (0, 0)))
        yield RuleCount(
            rule=rule.id,
            kind=rule.kind,
            matched=int(matched.get(number, 0)),
            changes=counts.get((number, "change"), 0),
            entering=entering,
            protected=counts.get((number, "protected"), 0),
            undecided=counts.get((number, "undecided"), 0),
            overruled=counts.get((number, "overruled"), 0),
            foreign=counts.get((number, "foreign"), 0),
            tripped=tripped_cap(policy.limits, rule.id, rule.kind, moving, customers),
        )
