"""What a limit by money counts of each customer: both back ends alike, and at no cost elsewhere."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from policies.evaluation.amounts_sql import amounts_statements
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.inputs import InputPlan
from policies.model import Policy
from policies.moment import AsOf
from policies.policy import parse_policy
from tests.policies.policy_world import (
    ALL_COMPLETE,
    add_customer,
    customer_facts,
    duckdb_outcomes,
    insert,
    new_world,
    python_outcomes,
)

AS_OF = AsOf.midnight(date(2026, 6, 1), "Asia/Shanghai")
LONG_AGO = datetime(2025, 3, 1)  # noqa: DTZ001 - UTC, as staged
TEXT = """
policy: 2
name: p
rules:
  - {task: spent, when: orders_amount() + returns_amount() > 100, mark: {tag: t}}
  - {tier: value, bands: [{name: A, when: abc(orders_amount()) = 'A'}, {name: C, when: else}]}
"""
EXPRESSIONS = (
    "orders_amount()",
    "orders_amount(90) - returns_amount()",
    "orders_amount() * 0.35",
    "orders_count()",
    "if(abc(orders_amount()) = 'A', 100, 1.5)",
    "if(orders_amount() > 100, orders_amount(), returns_amount())",
    "rate(returns_amount(), orders_amount(), min_n 1, else 0)",
    "days_since(last_order_at)",
    "field('Credit_Limit')",
)


def limited(of: str, more: str = "") -> Policy:
    limits = f'limits: {{money: {{of: "{of}", at_most: 5}}}}\n'
    fields = "fields: {Credit_Limit: money}\n"
    return parse_policy(f"{TEXT}{fields}{more}{limits}")


def world() -> duckdb.DuckDBPyConnection:
    """Customers by the currencies of their orders; one with an order of which nobody knows when."""
    connection = new_world()
    orders: dict[str, list[tuple[Any, Any, Any]]] = {
        "A:none": [],
        "A:one": [(LONG_AGO, "70.25", "CNY"), (LONG_AGO, "80", "CNY")],
        "A:other": [(LONG_AGO, "5000", "EUR")],
        "A:both": [(LONG_AGO, "1", "CNY"), (LONG_AGO, "2", "EUR")],
        "A:blank": [(LONG_AGO, "9", None)],
        "A:unread": [(None, "3", "CNY")],
        "A:unsaid": [(LONG_AGO, None, "CNY")],
        "A:large": [(LONG_AGO, "99999999999999", "CNY")],
    }
    for key, rows in orders.items():
        born = LONG_AGO
        add_customer(connection, key, created_at=born, fields={"Credit_Limit": "12.5"})
        for at, amount, currency in rows:
            values = {"happened_at": at, "amount": amount, "currency": currency, "confirmed": True}
            insert(connection, "orders", customer=key, **values)
    insert(
        connection, "returns", customer="A:one", happened_at=LONG_AGO, amount="300", currency="CNY"
    )
    return connection


def amounts(policy: Policy, connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Any, Any]]:
    """Of everybody: all of them change."""
    _, thresholds = duckdb_outcomes(connection, policy, AS_OF, ALL_COMPLETE)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE actions AS SELECT key, 'change' AS status, TRUE AS moving "
        "FROM inputs"
    )
    for statement in amounts_statements(InputPlan(policy, AS_OF, ALL_COMPLETE), thresholds):
        connection.execute(statement)
    rows = connection.execute("SELECT key, amount, currencies FROM amounts").fetchall()
    return {key: (amount, set(found) - {None}) for key, amount, found in rows}


@pytest.mark.parametrize("of", EXPRESSIONS)
def test_both_back_ends_count_the_same(of: str) -> None:
    policy, connection = limited(of), world()
    assert policy.limits.money is not None
    tree = policy.limits.money.of.tree
    evaluation = PythonEvaluation(policy, AS_OF, ALL_COMPLETE)
    facts = customer_facts(connection).items()
    inputs = {key: values for key, each in facts if (values := evaluation.inputs(each))}
    thresholds = evaluation.thresholds(inputs.values())
    expected = {key: evaluation.values([tree], each, thresholds)[0] for key, each in inputs.items()}
    assert len(expected) == 8
    found = amounts(policy, connection)
    assert {key: amount for key, (amount, _) in found.items()} == {
        key: None if value is None else max(0, Decimal(value)) for key, value in expected.items()
    }


def test_currencies_are_those_of_what_is_added_up_unless_it_is_converted() -> None:
    found = amounts(limited("orders_amount()"), world())
    assert {key: names for key, (_, names) in found.items() if names} == {
        "A:one": {"CNY"},
        "A:other": {"EUR"},
        "A:both": {"CNY"},  # and not known: the other one says so
        "A:blank": {""},
        "A:unsaid": {"CNY"},
        "A:large": {"CNY"},
    }
    assert found["A:both"][0] is None
    for of, more in (
        ("orders_count()", ""),
        ("if(orders_amount() > 100, 2, 1)", ""),
        ("orders_amount()", "money: {base: CNY}\n"),
    ):
        named = {
            name for _, names in amounts(limited(of, more), world()).values() for name in names
        }
        assert named == set()


def test_only_who_changes_is_looked_at() -> None:
    connection, policy = world(), limited("orders_count()")
    _, thresholds = duckdb_outcomes(connection, policy, AS_OF, ALL_COMPLETE)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE actions AS FROM (VALUES ('A:one', 'change', TRUE), "
        "('A:both', 'change', FALSE), ('A:other', 'protected', TRUE)) t(key, status, moving)"
    )
    (statement,) = amounts_statements(InputPlan(policy, AS_OF, ALL_COMPLETE), thresholds)
    connection.execute(statement)
    assert connection.execute("SELECT key, amount FROM amounts").fetchall() == [("A:one", 2)]


@pytest.mark.parametrize("of", EXPRESSIONS)
def test_decisions_and_their_evidence_are_those_without_the_limit(of: str) -> None:
    connection = world()
    for outcomes in (duckdb_outcomes, python_outcomes):
        without, _ = outcomes(connection, parse_policy(TEXT), AS_OF, ALL_COMPLETE)
        found, _ = outcomes(connection, limited(of), AS_OF, ALL_COMPLETE)
        assert found == without


def test_a_policy_without_a_limit_by_money_compiles_as_it_always_did() -> None:
    plain = parse_policy(TEXT)
    banded = parse_policy(TEXT + "limits: {tiers: {value: {A: 2}}}")
    first, second = (compile_evaluation(each, AS_OF, ALL_COMPLETE) for each in (plain, banded))
    assert first.inputs_statements == second.inputs_statements
    assert first.threshold_queries == second.threshold_queries
    breaks = {name: (1, 1) for name, _ in first.threshold_queries}
    assert first.findings_sql(breaks) == second.findings_sql(breaks)
    assert amounts_statements(second.plan, breaks) == []
