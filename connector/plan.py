"""Decisions minus what the CRM shows: evaluates a policy and stores the plan. Writes no CRM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import count
from types import MappingProxyType

import duckdb

from connector.cost import plan_cost
from connector.engine import evaluate
from connector.guard import PERIOD_DAYS, OwnerCount, pause, tripped_cap, tripped_owner_cap
from connector.journal import Journal
from connector.plan_model import Plan, PlanHeader, PlanRow, RuleCount
from connector.plan_rows import (
    PlanContext,
    RuleRows,
    gather_actions,
    rule_batches,
    show_customers,
)
from connector.standing import load_recent, load_standing
from connector.warehouse import Warehouse
from policies.evaluation.compile_sql import CompiledEvaluation
from policies.evaluation.sql_expression import literal
from policies.lifecycle import action_statements
from policies.model import RETIRED, Policy
from policies.moment import AsOf


def build_plan(
    context: PlanContext,
    warehouse: Warehouse,
    journal: Journal,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Evaluate, compare with what stands, and store the plan row by row.

    `overrides` are the params that the policy was loaded with; a plan with any is for looking.
    """
    with warehouse.reading(context.as_of.day) as connection:
        load_standing(connection, journal)
        compiled = evaluate(connection, context.policy, context.as_of, "open_episodes")
        show_customers(connection)
        load_recent(connection, journal, _period_start(context))
        written = context.written_policy.with_retired(_retired(connection, context.policy))
        for statement in action_statements(written):
            connection.execute(statement)
        header = PlanHeader(
            organisation=context.organisation,
            as_of=context.as_of.moment.astimezone(UTC).isoformat(),
            policy_hash=context.policy.hash,
            customers=_customers(connection),
            rules=tuple(_counts(connection, written, context.as_of.day)),
            language=context.language,
            overrides=tuple(f"{name}={value}" for name, value in overrides.items()),
        )
        plan = journal.store_plan(header, _rows(context, compiled, written, connection))
    calls, cost = plan_cost(context.adapter, journal, plan)
    journal.set_plan_cost(plan.id, calls, cost)
    return journal.plan(plan.id)


def _period_start(context: PlanContext) -> datetime | None:
    """Since when a stay counts to an owner's cap; None when only this run counts."""
    own = context.policy.limits.owner
    days = PERIOD_DAYS.get(own.per) if own else None
    if days is None:
        return None
    first = context.as_of.window_day(days - 1)
    return AsOf.midnight(first, context.as_of.zone).moment


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
    for numbers in rule_batches(connection):
        gather_actions(connection, compiled, numbers)
        for number in numbers:
            rule = written.rules[number]
            yield from RuleRows(context, compiled, number, rule).rows(connection, sequence)


def _customers(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM inputs").fetchone()
    return int(row[0]) if row else 0


def _counts(
    connection: duckdb.DuckDBPyConnection, policy: Policy, day: date
) -> Iterator[RuleCount]:
    customers = _customers(connection)
    owners = _moving_by_owner(connection, policy) if policy.limits.owner else {}
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
            tripped=tripped_cap(policy.limits, rule.id, rule.kind, moving, customers)
            or tripped_owner_cap(policy.limits, rule.kind, owners.get(number, ())),
            paused=pause(policy.calendar, rule.kind, day),
        )


def _moving_by_owner(
    connection: duckdb.DuckDBPyConnection, policy: Policy
) -> dict[int, list[OwnerCount]]:
    """For each rule the owners whose customers would move, with those that entered it within the
    period of the cap; customers without an owner are left out, and owners of whom nobody moves."""
    numbers = [f"({number}, {literal(rule.id)})" for number, rule in enumerate(policy.rules)]
    rows = connection.execute(
        "WITH owned AS (SELECT owner_id, count(*) AS customers FROM warehouse.main.customers "
        "WHERE owner_id IS NOT NULL GROUP BY owner_id), moved AS ("
        "SELECT rule, key, TRUE AS now FROM actions WHERE status = 'change' AND moving UNION ALL "
        f"SELECT n.number, r.customer, FALSE FROM recent r JOIN (VALUES {', '.join(numbers)}) "
        "n(number, id) ON n.id = r.rule) "
        "SELECT m.rule, c.owner_id, count(DISTINCT m.key), any_value(o.customers) "
        "FROM moved m JOIN warehouse.main.customers c ON c.key = m.key "
        "JOIN owned o ON o.owner_id = c.owner_id "
        "GROUP BY m.rule, c.owner_id HAVING bool_or(m.now)"
    ).fetchall()
    found: dict[int, list[OwnerCount]] = {}
    for rule, *moved in rows:
        found.setdefault(rule, []).append(OwnerCount(*moved))
    return found
