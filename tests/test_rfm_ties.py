"""Fifths of recency, frequency and money of every real customer, ties kept together, against
quantiles of plain SQL straight from the file (UCI Online Retail)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from policies.moment import AsOf
from policies.policy import parse_policy
from tests.policies.policy_world import (
    ALL_COMPLETE,
    duckdb_outcomes,
    new_world,
    python_outcomes,
)

DAY = "2011-12-10"
AS_OF = AsOf.midnight(date.fromisoformat(DAY), "UTC")
RANKED = {
    "recency": "days_since(last_order_at)",
    "frequency": "orders_count()",
    "monetary": "orders_amount()",
}
VALID = "CustomerID IS NOT NULL AND InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0"
ORDERS = f"""
SELECT CAST(CustomerID AS VARCHAR) AS customer, InvoiceNo AS id, min(InvoiceDate) AS placed,
  sum(CAST(UnitPrice AS DECIMAL(12, 3)) * Quantity) AS amount
FROM read_parquet('$file') WHERE {VALID} GROUP BY ALL"""
SECOND_OPINION = f"""
WITH said AS (
  SELECT customer, DATE '{DAY}' - CAST(max(placed) AS DATE) AS recency, count(*) AS frequency,
    sum(amount) AS monetary
  FROM invoices_of_file GROUP BY customer
), breaks AS (
  SELECT quantile_disc($what, [0.2, 0.4, 0.6, 0.8]) AS b FROM said
)
SELECT customer, 1 + len(list_filter(b, lambda x: $what > x)) FROM said, breaks"""


@pytest.fixture(scope="module")
def world(data_dir: Path) -> duckdb.DuckDBPyConnection:
    """Each invoice of valid lines is an order of its customer."""
    file = data_dir / "online_retail" / "online_retail.parquet"
    connection = new_world()
    connection.execute(
        f"CREATE TEMP TABLE invoices_of_file AS {ORDERS.replace('$file', str(file))}"
    )
    connection.execute(
        "INSERT INTO customers BY NAME SELECT DISTINCT customer AS key, [] AS tags, "
        "DATE '2010-01-01' AS first_seen_on FROM invoices_of_file"
    )
    connection.execute(
        "INSERT INTO orders BY NAME SELECT customer, id, 'file' AS source, placed AS happened_at, "
        "CAST(amount AS DECIMAL(18, 4)) AS amount, 'GBP' AS currency FROM invoices_of_file"
    )
    return connection


def test_fifths_are_right_for_every_customer_and_ties_stay_together(
    world: duckdb.DuckDBPyConnection,
) -> None:
    rules = "".join(
        f"- tier: {name}\n  bands:\n"
        + "".join(
            f'  - {{name: q{fifth}, when: "quintile({text}) = {fifth}"}}\n' for fifth in range(1, 6)
        )
        for name, text in RANKED.items()
    )
    policy = parse_policy(f"policy: 2\nname: rfm\nrules:\n{rules}")
    found, _ = duckdb_outcomes(world, policy, AS_OF, ALL_COMPLETE)
    by_python, _ = python_outcomes(world, policy, AS_OF, ALL_COMPLETE)
    assert len(found) == 4_338
    assert {key: outcome.stages for key, outcome in found.items()} == {
        key: outcome.stages for key, outcome in by_python.items()
    }
    for place, name in enumerate(RANKED):
        expected = dict(world.execute(SECOND_OPINION.replace("$what", name)).fetchall())
        assert {key: outcome.stages[place] for key, outcome in found.items()} == expected
        assert set(expected.values()) > {1, 5}
