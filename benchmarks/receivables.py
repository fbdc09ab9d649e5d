"""How punctually each customer pays: metrics of the language on a file of invoices.

    python benchmarks/receivables.py [--json] [--out FILE] [--as-of 2014-06-01]

An invoice counts once it is due and not disputed; below five of them a customer is not decided.
Data: `accounts_receivable/receivables.csv`, a vendor's sample of 2,466 invoices of 100 customers.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from metric_values import staged, values

from policies.language.number_text import plain
from policies.moment import AsOf

ROOT = Path(__file__).resolve().parent.parent
DATA = "accounts_receivable/receivables.csv"
ZONE = "UTC"
EXPRESSIONS = ("on_time_rate()", "mean_days_late()", "invoices_due()")


def tables(path: Path) -> dict[str, str]:
    """The file's rows as facts tables."""
    lines = f"FROM read_csv('{path}', all_varchar = true)"
    return {
        "customers": (
            "SELECT DISTINCT 'Accounts:' || customerID AS key, 'Accounts' AS object, "
            f"customerID AS id, [] AS tags, DATE '2012-01-01' AS first_seen_on {lines}"
        ),
        "invoices": (
            "SELECT 'Accounts:' || customerID AS customer, CAST(invoiceNumber AS VARCHAR) AS id, "
            f"'receivables' AS source, {_day('InvoiceDate')} AS happened_at, "
            f"{_day('InvoiceDate')} AS recorded_at, CAST({_day('DueDate')} AS DATE) AS due_on, "
            f"{_day('SettledDate')} AS settled_at, Disputed = 'Yes' AS disputed, "
            f"InvoiceAmount AS amount, 'USD' AS currency {lines}"
        ),
    }


def _day(column: str) -> str:
    return f"strptime({column}, '%m/%d/%Y')"


def measure(path: Path, day: date) -> list[dict[str, Any]]:
    """One row a customer, by id; None where too few invoices are due."""
    with staged(tables(path), ZONE) as connection:
        found = values(connection, EXPRESSIONS, AsOf.midnight(day, ZONE))
    return [
        {
            "customer_id": key.partition(":")[2],
            "on_time_rate": _text(on_time),
            "mean_days_late": _text(late),
            "invoices": due,
        }
        for key, (on_time, late, due) in sorted(found.items())
    ]


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def write(rows: list[dict[str, Any]], path: Path) -> None:
    names = ("customer_id", "on_time_rate", "mean_days_late")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([row[name] for name in names] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="One JSON object on stdout.")
    parser.add_argument("--out", type=Path, help="Write customer_id,on_time_rate,mean_days_late.")
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2014, 6, 1))
    arguments = parser.parse_args()
    data = Path(os.environ.get("HIGHSEAS_DATA") or ROOT.parent / "shared" / "data") / DATA
    if not data.exists():
        sys.exit(f"error: {data} is not there\nhint:  set HIGHSEAS_DATA to the folder of the data")
    rows = measure(data, arguments.as_of)
    if arguments.out:
        write(rows, arguments.out)
    undecided = sum(row["on_time_rate"] is None for row in rows)
    result = {"customers": len(rows), "undecided": undecided, "as_of": str(arguments.as_of)}
    if arguments.json:
        print(json.dumps({**result, "rows": rows}))
        return
    print(f"{len(rows)} customers as of {arguments.as_of}, {undecided} not decided")
    for row in rows:
        print(row["customer_id"], row["on_time_rate"] or "-", row["mean_days_late"] or "-")


if __name__ == "__main__":
    main()
