"""How old the open opportunities of each account are: metrics on a file of a sales pipeline.

    python benchmarks/pipeline.py [--json] [--as-of 2017-10-01]

Opportunities count from their engagement; mere prospects and those without an account are left out.
Data: `maven_crm/*.csv`, invented by Maven Analytics.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

from metric_values import staged, values

from policies.language.number_text import plain
from policies.moment import AsOf

ROOT = Path(__file__).resolve().parent.parent
ZONE = "UTC"
EXPRESSIONS = {
    "open_deals": "open_deals",
    "oldest_days": "days_since(oldest_open_deal_at, else: created_at)",
    "mean_age": "open_deals_age_mean(else: 0)",
    "won_year": "deals_won(365)",
    "win_rate": "win_rate(365)",
    "mean_days_to_win": "mean_days_to_win(365)",
    "won_amount": "deals_amount(365, state = 'won')",
}


def tables(folder: Path) -> dict[str, str]:
    """The files' rows as facts tables."""
    return {
        "customers": (
            "SELECT 'Accounts:' || account AS key, 'Accounts' AS object, account AS id, "
            "account AS name, [] AS tags, TIMESTAMP '2016-01-01' AS created_at, "
            f"DATE '2016-01-01' AS first_seen_on FROM read_csv('{folder}/accounts.csv')"
        ),
        "deals": (
            "SELECT 'Accounts:' || account AS customer, opportunity_id AS id, 'file' AS source, "
            "CAST(engage_date AS TIMESTAMP) AS happened_at, "
            "CAST(engage_date AS TIMESTAMP) AS recorded_at, "
            "CAST(close_date AS TIMESTAMP) AS closed_at, deal_stage AS stage, "
            "CASE deal_stage WHEN 'Won' THEN 'won' WHEN 'Lost' THEN 'lost' ELSE 'open' END "
            "AS state, "
            "coalesce(close_value, 0) AS amount, 'USD' AS currency "
            f"FROM read_csv('{folder}/sales_pipeline.csv') "
            "WHERE deal_stage <> 'Prospecting' AND account IS NOT NULL"
        ),
    }


def measure(folder: Path, day: date) -> list[dict[str, Any]]:
    """One row an account, by name; None is not decided."""
    with staged(tables(folder), ZONE) as connection:
        found = values(connection, tuple(EXPRESSIONS.values()), AsOf.midnight(day, ZONE))
    return [
        {"account": key.partition(":")[2]}
        | {
            name: value if value is None or isinstance(value, int) else plain(value)
            for name, value in zip(EXPRESSIONS, row, strict=True)
        }
        for key, row in sorted(found.items())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="One JSON object on stdout.")
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2017, 10, 1))
    arguments = parser.parse_args()
    data = Path(os.environ.get("HIGHSEAS_DATA") or ROOT.parent / "shared" / "data") / "maven_crm"
    if not data.exists():
        sys.exit(f"error: {data} is not there\nhint:  set HIGHSEAS_DATA to the folder of the data")
    rows = measure(data, arguments.as_of)
    if arguments.json:
        print(json.dumps({"as_of": str(arguments.as_of), "rows": rows}))
        return
    for row in rows:
        print(*row.values())


if __name__ == "__main__":
    main()
