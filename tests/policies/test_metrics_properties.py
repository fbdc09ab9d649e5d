"""What holds whatever the facts: order never matters, the past sees nothing of what came later,
the undecided are in no stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pytest

from policies.condition import Expression
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.customer_facts import CustomerFacts
from policies.language.tree import Node, Not
from policies.language.vocabulary import CUSTOMERS, EVENTS, Table, Type
from policies.model import Rule, Stage
from policies.moment import AsOf
from tests.policies.metric_world import (
    CALENDAR,
    CUSTOMER_TEXTS,
    MOMENTS,
    MONEY,
    SqlRun,
    asked_by,
    complete_sources,
    instants_of,
    metric_texts,
    metric_world,
    policy_of,
    tree_of,
)
from tests.policies.policy_world import customer_facts

SETTINGS: dict[str, Any] = {
    "calendar": CALENDAR,
    "money": MONEY,
    "group": frozenset({"orders", "complaints"}),
}


def trees() -> list[Node]:
    found = [tree_of(text) for text in (*metric_texts((0,)), *CUSTOMER_TEXTS)]
    return [*found, *instants_of(found)]


def run(connection: duckdb.DuckDBPyConnection, as_of: AsOf) -> SqlRun:
    policy = policy_of(trees(), **SETTINGS)
    return SqlRun(connection, compile_evaluation(policy, as_of, complete_sources(as_of)))


def test_the_order_of_rows_never_matters() -> None:
    as_of = MOMENTS[0]
    connection = metric_world(as_of, 80)
    before = run(connection, as_of)
    for name in (*EVENTS, "customers", "people"):
        connection.execute(
            f"CREATE OR REPLACE TABLE {name} AS FROM {name} ORDER BY hash(id || 'x')"
        )
    after = run(connection, as_of)
    assert after.rows == before.rows
    assert after.thresholds == before.thresholds
    evaluation = PythonEvaluation(
        policy_of(trees(), **{**SETTINGS, "group": frozenset()}), as_of, complete_sources(as_of)
    )
    for facts in customer_facts(connection).values():
        events = {fact: rows[::-1] for fact, rows in facts.events.items()}
        turned = CustomerFacts(facts.customer, events, facts.owner)
        assert evaluation.inputs(turned) == evaluation.inputs(facts)


def cut(connection: duckdb.DuckDBPyConnection, as_of: AsOf) -> None:
    """Leave what was known by then: later rows go, later moments are blank, what they settled is
    as it was before, and customers are as far as they had been seen."""
    moment = f"TIMESTAMP '{as_of.utc}'"
    for name, table in EVENTS.items():
        connection.execute(
            f"DELETE FROM {name} WHERE happened_at >= {moment} OR recorded_at >= {moment}"
        )
        _blank(connection, table, moment)
    connection.execute(f"DELETE FROM customers WHERE created_at >= {moment}")
    _blank(connection, CUSTOMERS, moment)
    unseen = f"first_seen_on IS NULL OR first_seen_on > DATE '{as_of.day}'"
    gone = ", ".join(
        f"{column.name} = {'[]' if column.type is Type.TAGS else 'NULL'}"
        for column in CUSTOMERS.columns
        if column.changeable
    )
    connection.execute(f"UPDATE customers SET {gone} WHERE {unseen}")


def _blank(connection: duckdb.DuckDBPyConnection, table: Table, moment: str) -> None:
    for column in table.columns:
        if column.settled_by:
            connection.execute(
                f"UPDATE {table.name} SET {column.name} = '{column.before}' "
                f"WHERE {column.settled_by} >= {moment}"
            )
    for column in table.columns:
        if column.type is Type.MOMENT:
            connection.execute(
                f"UPDATE {table.name} SET {column.name} = NULL WHERE {column.name} >= {moment}"
            )


@pytest.mark.parametrize("days", [0, 37, 400])
@pytest.mark.parametrize("place", [0, 3], ids=["Europe/Berlin", "America/Santiago"])
def test_the_past_sees_nothing_that_happened_or_was_recorded_later(place: int, days: int) -> None:
    now = MOMENTS[place]
    then = AsOf(now.moment - timedelta(days=days, hours=5), now.zone)
    connection = metric_world(now, 80)
    connection.execute(
        "UPDATE customers SET first_seen_on = first_seen_on - CAST(100 * (hash(id) % 6) AS INTEGER)"
    )
    with_all = run(connection, then)
    cut(connection, then)
    only_then = run(connection, then)
    assert with_all.names == only_then.names
    assert with_all.rows == only_then.rows
    assert with_all.thresholds == only_then.thresholds
    assert with_all.evidence == only_then.evidence


def test_the_undecided_are_in_no_stage() -> None:
    as_of = MOMENTS[2]
    connection = metric_world(as_of, 60)
    conditions = [asked_by(tree) for tree in trees()]
    rules = tuple(
        Rule(f"{name}-{place}", "void", (Stage(name, name, None, Expression("", tree)),))
        for place, condition in enumerate(conditions)
        for name, tree in (("yes", condition), ("no", Not(condition)))
    )
    policy = policy_of(trees(), **SETTINGS)
    policy = type(policy)(**{**vars(policy), "rules": rules})
    compiled = compile_evaluation(policy, as_of, complete_sources(as_of))
    found = SqlRun(connection, compiled)
    width = len(conditions)
    stages = ", ".join(f"s_{place}" for place in range(2 * width))
    answers = {
        row[0]: row[1:]
        for row in connection.execute(f"SELECT key, {stages} FROM findings").fetchall()
    }
    seen = set()
    for key, row in found.rows.items():
        for place, holds in enumerate(row[-width:]):
            yes, no = answers[key][2 * place : 2 * place + 2]
            expected = {True: (1, 0), False: (0, 1), None: (None, None)}[holds]
            assert (yes, no) == expected
            seen.add(holds)
    assert seen == {True, False, None}
