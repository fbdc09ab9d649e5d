"""Ages of open opportunities for every account, against plain SQL straight from the files."""

from __future__ import annotations

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
# Cut off behind six decimals; fewer than five closed opportunities give no rate.
SECOND_OPINION = """
WITH deals AS (
  SELECT account, close_value,
    DATE '$day' - engage_date AS age,
    CASE WHEN close_date < DATE '$day' THEN DATE '$day' - close_date END AS closed,
    deal_stage AS stage
  FROM read_csv('$folder/sales_pipeline.csv')
  WHERE engage_date < DATE '$day' AND account IS NOT NULL
), told AS (
  SELECT account,
    count(*) FILTER (closed IS NULL) AS open_deals,
    coalesce(max(age) FILTER (closed IS NULL), DATE '$day' - DATE '2016-01-01') AS oldest_days,
    coalesce(sum(age) FILTER (closed IS NULL), 0) AS ages,
    count(*) FILTER (closed <= 365 AND stage = 'Won') AS won,
    count(*) FILTER (closed <= 365 AND stage = 'Lost') AS lost,
    coalesce(sum(age - closed) FILTER (closed <= 365 AND stage = 'Won'), 0) AS days,
    coalesce(sum(close_value) FILTER (age <= 365 AND closed IS NOT NULL AND stage = 'Won'), 0)
      AS amount
  FROM deals GROUP BY account
)
SELECT a.account, coalesce(open_deals, 0), coalesce(oldest_days, DATE '$day' - DATE '2016-01-01'),
  coalesce(ages * 1000000 // nullif(open_deals, 0), 0),
  coalesce(won, 0),
  CASE WHEN won + lost >= 5 THEN won * 1000000 // (won + lost) END,
  CASE WHEN won >= 5 THEN days * 1000000 // won END,
  coalesce(amount, 0)
FROM read_csv('$folder/accounts.csv') a LEFT JOIN told ON told.account = a.account
"""


@pytest.mark.parametrize("day", ["2017-10-01", "2018-01-01", "2017-01-15"])
def test_pipeline_ages_are_right_for_every_account(data_dir: Path, day: str) -> None:
    run = subprocess.run(
        [sys.executable, "benchmarks/pipeline.py", "--json", "--as-of", day],
        cwd=ROOT,
        env={**os.environ, "HIGHSEAS_DATA": str(data_dir), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    rows: list[dict[str, Any]] = json.loads(run.stdout)["rows"]
    sql = SECOND_OPINION.replace("$folder", str(data_dir / "maven_crm")).replace("$day", day)
    expected = {name: rest for name, *rest in duckdb.sql(sql).fetchall()}
    assert len(rows) == len(expected) == 85
    for row in rows:
        opened, oldest, age, won, rate, days, amount = expected[row["account"]]
        assert (row["open_deals"], row["oldest_days"], row["won_year"]) == (opened, oldest, won)
        assert Decimal(row["mean_age"]) == Decimal(age) / 1_000_000
        assert _decimal(row["win_rate"]) == _millionths(rate)
        assert _decimal(row["mean_days_to_win"]) == _millionths(days)
        assert Decimal(row["won_amount"]) == amount


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _millionths(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value) / 1_000_000
