"""The benchmark on real invoices against a second opinion: plain SQL, straight from the file."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent
AS_OF = "DATE '2011-12-10'"
VALID = "CustomerID IS NOT NULL AND InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0"
AMOUNT = "CAST(UnitPrice AS DECIMAL(12, 3)) * Quantity"


@pytest.fixture(scope="module")
def lines(data_dir: Path) -> duckdb.DuckDBPyConnection:
    """The invoice lines as they are."""
    connection = duckdb.connect()
    parquet = data_dir / "online_retail" / "online_retail.parquet"
    connection.execute(f"CREATE VIEW lines AS SELECT * FROM read_parquet('{parquet}')")
    return connection


@pytest.fixture(scope="module")
def measured(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """What the benchmark prints and writes."""
    folder = tmp_path_factory.mktemp("online-retail")
    out = folder / "rfm.csv"
    command = [sys.executable, "benchmarks/online_retail.py", "--json", "--rfm-out", str(out)]
    environment = {
        **os.environ,
        "HIGHSEAS_DATA": str(data_dir),
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder),
    }
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    with out.open(newline="", encoding="utf-8") as file:
        return json.loads(run.stdout), list(csv.DictReader(file))


def one(lines: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = lines.execute(sql).fetchone()
    assert row is not None
    return row


def test_recency_frequency_and_money_are_right_for_every_customer(
    lines: duckdb.DuckDBPyConnection, measured: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    expected = lines.execute(
        f"SELECT CustomerID, {AS_OF} - max(CAST(InvoiceDate AS DATE)), "
        f"count(DISTINCT InvoiceNo), CAST(round(sum({AMOUNT}), 2) AS DECIMAL(18, 2)) "
        f"FROM lines WHERE {VALID} GROUP BY CustomerID ORDER BY CustomerID"
    ).fetchall()
    found = [
        (
            int(row["customer_id"]),
            int(row["recency_days"]),
            int(row["frequency"]),
            Decimal(row["monetary"]),
        )
        for row in measured[1]
    ]
    assert len(expected) == 4_338
    assert found == expected


def test_what_was_loaded_and_pulled_is_what_the_file_holds(
    lines: duckdb.DuckDBPyConnection, measured: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    figures = measured[0]
    expected = {
        "customers": "SELECT count(DISTINCT CustomerID) FROM lines",
        "orders": f"SELECT count(DISTINCT InvoiceNo) FROM lines WHERE {VALID}",
        "returns": "SELECT count(DISTINCT InvoiceNo) FROM lines "
        "WHERE CustomerID IS NOT NULL AND InvoiceNo LIKE 'C%'",
        "orphan_orders": "SELECT count(DISTINCT InvoiceNo) FROM lines WHERE CustomerID IS NULL",
        "orphan_lines": "SELECT count(*) FROM lines WHERE CustomerID IS NULL",
        "lines": "SELECT count(*) FROM lines",
    }
    assert figures["loaded"] == {name: one(lines, sql)[0] for name, sql in expected.items()}
    pulled = {item["object"]: item for item in figures["pulled"]["objects"]}
    assert pulled["Accounts"]["rows"] == figures["loaded"]["customers"]
    orders = figures["loaded"]["orders"] + figures["loaded"]["returns"]
    assert pulled["Sales_Orders"]["rows"] == orders + figures["loaded"]["orphan_orders"]
    assert pulled["Sales_Orders"]["orphans"] == figures["loaded"]["orphan_orders"]
    revenue = one(lines, f"SELECT round(sum({AMOUNT}), 2) FROM lines WHERE {VALID}")[0]
    assert Decimal(figures["revenue"]) == Decimal("8911407.90") == revenue.quantize(Decimal("0.01"))


CUSTOMERS = f"""
SELECT CustomerID,
  {AS_OF} - min(CAST(InvoiceDate AS DATE)) AS age,
  {AS_OF} - max(CASE WHEN {VALID} THEN CAST(InvoiceDate AS DATE) END) AS quiet,
  count(DISTINCT CASE WHEN {VALID} THEN InvoiceNo END) AS orders,
  count(DISTINCT CASE WHEN InvoiceNo LIKE 'C%' THEN InvoiceNo END) AS returned,
  coalesce(sum(CASE WHEN {VALID} AND CAST(InvoiceDate AS DATE) >= {AS_OF} - 365
    THEN {AMOUNT} END), 0) AS spent
FROM lines WHERE CustomerID IS NOT NULL GROUP BY CustomerID"""


def test_each_rule_caught_whom_the_file_says(
    lines: duckdb.DuckDBPyConnection, measured: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    rules = measured[0]["rules"]
    lines.execute(f"CREATE OR REPLACE TEMP TABLE customers AS {CUSTOMERS}")
    never = "orders = 0 AND age >= 180"
    assert (
        rules["never bought"]["matched"]
        == one(lines, f"SELECT count(*) FROM customers WHERE {never}")[0]
    )
    returns_only = "orders = 0 AND returned > 0"
    assert (
        rules["returns only"]["matched"]
        == one(lines, f"SELECT count(*) FROM customers WHERE {returns_only}")[0]
    )
    assert (
        rules["returns only"]["changes"]
        == one(lines, f"SELECT count(*) FROM customers WHERE {returns_only} AND NOT ({never})")[0]
    )
    assert rules["recency"]["stages"] == dict(
        lines.execute(
            "SELECT CASE WHEN coalesce(quiet, age) < 60 THEN 'active' "
            "WHEN coalesce(quiet, age) < 180 THEN 'cooling' ELSE 'dormant' END AS band, count(*) "
            "FROM customers GROUP BY band"
        ).fetchall()
    )
    assert rules["value"]["stages"] == dict(
        lines.execute(
            "SELECT CASE WHEN spent > 0 AND above * 100 < total * 80 THEN 'A' "
            "WHEN spent > 0 AND above * 100 < total * 95 THEN 'B' ELSE 'C' END AS class, count(*) "
            "FROM (SELECT spent, (SELECT sum(spent) FROM customers) AS total, "
            "coalesce((SELECT sum(o.spent) FROM customers o WHERE o.spent > c.spent), 0) AS above "
            "FROM customers c) GROUP BY class"
        ).fetchall()
    )
    assert all(rule["undecided"] == 0 for rule in rules.values())
