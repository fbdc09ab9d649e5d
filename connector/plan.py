"""Decisions minus what the CRM shows: evaluates a policy and stores the plan. Writes no CRM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from types import MappingProxyType

import duckdb

from connector.cost import store_cost
from connector.engine import evaluate
from connector.guard import PERIOD_DAYS
from connector.journal import Journal
from connector.plan_counts import count_customers, count_rules
from connector.plan_model import Plan, PlanHeader, PlanRow
from connector.plan_rows import (
    PlanContext,
    RuleRows,
    gather_actions,
    rule_batches,
    show_customers,
)
from connector.ranks import told_thresholds
from connector.shadows import shadows_of, with_bursts
from connector.standing import load_recent, load_standing
from connector.titles import titles_of
from connector.warehouse import Warehouse
from policies.evaluation.amounts_sql import amounts_statements
from policies.evaluation.compile_sql import CompiledEvaluation
from policies.lifecycle import action_statements
from policies.model import Policy
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
    with warehouse.reading(context.as_of.known_by) as connection:
        load_standing(connection, journal)
        shadows = shadows_of(connection, context.policy, context.as_of)
        compiled, thresholds = evaluate(
            connection, context.policy, context.as_of, "open_episodes", shadows
        )
        show_customers(connection)
        load_recent(connection, journal, _period_start(context))
        written = context.written_policy.with_retired(_retired(connection, context.policy))
        weighing = amounts_statements(compiled.plan, thresholds)
        for statement in (*action_statements(written, shadows), *weighing):
            connection.execute(statement)
        counts = count_rules(connection, written, context.as_of.day, context.not_logged)
        header = PlanHeader(
            organisation=context.organisation,
            as_of=context.as_of.moment.astimezone(UTC).isoformat(),
            policy_hash=context.policy.hash,
            customers=count_customers(connection),
            rules=with_bursts(connection, counts, shadows),
            language=context.language,
            overrides=tuple(f"{name}={value}" for name, value in overrides.items()),
            titles=titles_of(context.policy),
            replayed=context.as_of.known_by is not None,
            thresholds=told_thresholds(compiled.plan, thresholds, context.language),
            currency=context.policy.base_currency,
        )
        plan = journal.store_plan(header, _rows(context, compiled, written, connection))
    return store_cost(context.adapter, journal, plan)


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
