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
from policies.model import Policy


def build_plan(context: PlanContext, warehouse: Warehouse, journal: Journal) -> Plan:
    """Evaluate, compare with what stands, and store the plan row by row."""
    with warehouse.reading(context.as_of.day) as connection:
        connection.execute(
            "CREATE TEMP VIEW current_customers AS SELECT * FROM warehouse.main.customers"
        )
        compiled = evaluate(connection, context.policy, context.as_of)
        load_standing(connection, journal)
        for statement in action_statements(context.written_policy):
            connection.execute(statement)
        gather_actions(connection)
        header = PlanHeader(
            organisation=context.organisation,
            as_of=context.as_of.moment.astimezone(UTC).isoformat(),
            policy_hash=context.policy.hash,
            customers=_customers(connection),
            rules=tuple(_counts(connection, context.policy)),
            language=context.language,
        )
        plan = journal.store_plan(header, _rows(context, compiled, connection))
    calls, cost = plan_cost(context.adapter, journal, plan)
    journal.set_plan_cost(plan.id, calls, cost)
    return journal.plan(plan.id)


def _rows(
    context: PlanContext, compiled: CompiledEvaluation, connection: duckdb.DuckDBPyConnection
) -> Iterator[PlanRow]:
    """Rows by rule, in the order of the policy; within a rule by customer key."""
    sequence = count()
    for number in range(len(context.policy.rules)):
        yield from RuleRows(context, compiled, number).rows(connection, sequence)


def _customers(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM findings").fetchone()
    return int(row[0]) if row else 0


def _counts(connection: duckdb.DuckDBPyConnection, policy: Policy) -> Iterator[RuleCount]:
    customers = _customers(connection)
    matched = connection.execute(
        "SELECT "
        + ", ".join(
            f"coalesce(sum(CASE WHEN s_{number} > 0 THEN 1 ELSE 0 END), 0)"
            for number in range(len(policy.rules))
        )
        + " FROM findings"
    ).fetchone()
    found = connection.execute(
        "SELECT rule, status, count(*), sum(CASE WHEN entering AND stage > 0 THEN 1 ELSE 0 END) "
        "FROM actions GROUP BY rule, status"
    ).fetchall()
    counts = {(number, status): total for number, status, total, _ in found}
    entering = {number: int(new) for number, status, _, new in found if status == "change"}
    for number, rule in enumerate(policy.rules):
        new = entering.get(number, 0)
        yield RuleCount(
            rule=rule.id,
            kind=rule.kind,
            matched=int(matched[number]) if matched else 0,
            changes=counts.get((number, "change"), 0),
            entering=new,
            protected=counts.get((number, "protected"), 0),
            undecided=counts.get((number, "undecided"), 0),
            overruled=counts.get((number, "overruled"), 0),
            foreign=counts.get((number, "foreign"), 0),
            tripped=tripped_cap(policy.limits, rule.id, rule.kind, new, customers),
        )
