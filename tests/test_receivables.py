"""Punctuality of every customer of the invoice file, against plain SQL straight from the file."""

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
# Cut off behind six decimals, as the language divides.
SECOND_OPINION = """
SELECT customerID, count(*) AS due,
  count(*) FILTER (coalesce(settled, DATE '$day') <= DueDate) * 1000000 // count(*) AS on_time,
  sum(greatest(0, coalesce(settled, DATE '$day') - DueDate)) * 1000000 // count(*) AS late
FROM (SELECT *, CASE WHEN SettledDate < DATE '$day' THEN SettledDate END AS settled
      FROM read_csv('$file'))
WHERE NOT Disputed AND DueDate < DATE '$day' AND InvoiceDate < DATE '$day'
GROUP BY customerID HAVING count(*) >= 5
"""


def measured(data_dir: Path, folder: Path, day: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    out = folder / "receivables.csv"
    command = [sys.executable, "benchmarks/receivables.py", "--json", "--as-of", day]
    run = subprocess.run(
        [*command, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "HIGHSEAS_DATA": str(data_dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    with out.open(newline="", encoding="utf-8") as file:
        return json.loads(run.stdout), list(csv.DictReader(file))


@pytest.mark.parametrize("day", ["2014-06-01", "2013-04-15", "2012-06-30"])
def test_rates_are_right_for_every_customer(data_dir: Path, tmp_path: Path, day: str) -> None:
    file = data_dir / "accounts_receivable" / "receivables.csv"
    sql = SECOND_OPINION.replace("$file", str(file)).replace("$day", day)
    expected = {
        customer: (due, Decimal(on_time) / 1_000_000, Decimal(late) / 1_000_000)
        for customer, due, on_time, late in duckdb.sql(sql).fetchall()
    }
    said, rows = measured(data_dir, tmp_path, day)
    assert len(rows) == said["customers"] == 100
    decided = {row["customer_id"]: row for row in rows if row["on_time_rate"]}
    assert decided.keys() == expected.keys()
    assert said["undecided"] == 100 - len(expected)
    due = {row["customer_id"]: row["invoices"] for row in said["rows"]}
    for customer, (cases, on_time, late) in expected.items():
        row = decided[customer]
        found = due[customer], Decimal(row["on_time_rate"]), Decimal(row["mean_days_late"])
        assert found == (cases, on_time, late)
    assert all(not row["mean_days_late"] for row in rows if not row["on_time_rate"])


def test_figures_of_the_whole_file(data_dir: Path, tmp_path: Path) -> None:
    said, _ = measured(data_dir, tmp_path, "2014-06-01")
    assert sum(row["invoices"] for row in said["rows"]) == 1_905
    assert said["undecided"] == 7
