"""UCI Online Retail through the whole product: sandbox CRM, pull over HTTP, policy, plan.

541,909 real invoice lines become accounts and sales orders; cancellation invoices are returns;
lines without a customer are orders that belong to nobody. Nothing is applied.

    python benchmarks/online_retail.py --json --rfm-out rfm.csv

Data: Chen, D., Sain, S.L., Guo, K. (2012), UCI Machine Learning Repository 352.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import duckdb

from adapters import open_adapter
from adapters.sandbox.zoho import Credentials, Store, ZohoSandbox
from connector.engine import evaluate
from connector.payloads import pull_json
from connector.sync import Context, as_of_moment, make_plan, running
from connector.workspace import Workspace, load_workspace
from connector.workspace_files import NewWorkspace, create_workspace
from policies.policy import parse_policy

DATA = "online_retail/online_retail.parquet"
AS_OF = "2011-12-10"
ZONE = "Europe/London"

MAPPING = """
mapping: 1
customers:
  - object: Accounts
    id: id
    columns:
      name: Account_Name
      owner_id: Owner.id
      created_at: Created_Time
      modified_at: Modified_Time
      version: Modified_Time
      tags: "Tag[].name"
      country: Billing_Country
orders:
  - object: Sales_Orders
    id: id
    customer: Account_Name.id
    where: {Status: {not: [Cancelled]}}
    columns: &order
      happened_at: Created_Time
      recorded_at: Created_Time
      number: Subject
      amount: Grand_Total
returns:
  - object: Sales_Orders
    id: id
    customer: Account_Name.id
    where: {Status: Cancelled}
    columns:
      happened_at: Created_Time
      recorded_at: Created_Time
      number: Subject
      amount: Grand_Total
""".replace(" &order", "")

INVOICES = """
SELECT InvoiceNo, CustomerID, strftime(max(InvoiceDate), '%Y-%m-%dT%H:%M:%S'),
  sum(CAST(UnitPrice AS DECIMAL(12, 3)) * Quantity), count(*)
FROM lines WHERE {where} GROUP BY InvoiceNo, CustomerID ORDER BY InvoiceNo"""

SALES = "InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0"


POLICY = ROOT / "benchmarks" / "online_retail_policy.yaml"

RFM_POLICY = """
policy: 1
name: recency, frequency, money
rules:
  - tier: rfm
    note: false
    bands:
      - name: bought
        when: days_since(last_order_at) >= 0 AND orders_count() > 0 AND orders_amount() > 0
        mark: {tag: bought}
      - {name: never bought, when: else, mark: {tag: never bought}}
"""


@dataclass(frozen=True)
class Loaded:
    """What went into the sandbox; the last two count invoice lines."""

    customers: int
    orders: int
    returns: int
    orphan_orders: int
    orphan_lines: int
    lines: int


def data_path() -> Path:
    """The parquet file, below HIGHSEAS_DATA or beside the repository."""
    root = Path(os.environ.get("HIGHSEAS_DATA", ROOT.parent / "shared" / "data"))
    return root / DATA


def load(store: Store, parquet: Path) -> Loaded:
    """Fill the sandbox with one account a customer and one sales order an invoice."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW lines AS SELECT * FROM read_parquet('{parquet}')")
        customers = connection.execute(
            "SELECT CustomerID, strftime(min(InvoiceDate), '%Y-%m-%dT%H:%M:%S'), min(Country) "
            "FROM lines WHERE CustomerID IS NOT NULL GROUP BY CustomerID ORDER BY CustomerID"
        ).fetchall()
        ids = store.insert(
            "Accounts",
            (
                {
                    "Account_Name": str(number),
                    "Billing_Country": country,
                    "Created_Time": _with_offset(first),
                    "Modified_Time": _with_offset(first),
                }
                for number, first, country in customers
            ),
        )
        accounts = {row[0]: account for row, account in zip(customers, ids, strict=True)}
        kinds = {
            "orders": (f"CustomerID IS NOT NULL AND {SALES}", "Delivered"),
            "returns": ("CustomerID IS NOT NULL AND InvoiceNo LIKE 'C%'", "Cancelled"),
            "orphan_orders": ("CustomerID IS NULL", "Delivered"),
        }
        counts: dict[str, int] = {}
        lines = 0
        for kind, (where, status) in kinds.items():
            invoices = connection.execute(INVOICES.format(where=where)).fetchall()
            counts[kind] = len(invoices)
            lines = sum(invoice[4] for invoice in invoices)  # the last kind's: the orphans
            store.insert("Sales_Orders", _orders(invoices, accounts, status))
        total = connection.execute("SELECT count(*) FROM lines").fetchone()
        assert total is not None
    return Loaded(len(customers), **counts, orphan_lines=lines, lines=int(total[0]))


def _orders(
    invoices: list[tuple[Any, ...]], accounts: dict[int, str], status: str
) -> Iterator[dict[str, Any]]:
    for number, customer, moment, amount, _lines in invoices:
        yield {
            "Subject": number,
            "Account_Name": accounts.get(customer),
            "Grand_Total": float(amount),
            "Status": status,
            "Created_Time": _with_offset(moment),
            "Modified_Time": _with_offset(moment),
        }


def _with_offset(text: str) -> str:
    """The shop's local time with the offset that London had then."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).isoformat()


def run(parquet: Path, folder: Path, rfm_out: Path | None) -> dict[str, Any]:
    """Load, pull, evaluate and plan; returns the figures."""
    started = time.perf_counter()
    with Store(zone=ZONE) as store:
        loaded = load(store, parquet)
        loading = time.perf_counter() - started
        with ZohoSandbox(store) as server:
            workspace = _workspace(folder, server.url)
            context = Context(workspace, open_adapter(workspace), mapping=MAPPING)
            with running(context, "benchmark") as journal:
                planned = make_plan(context, journal, as_of=AS_OF)
                stages = Counter(
                    (row.rule, row.stage_after) for row in journal.rows(planned.plan.id)
                )
    syncing = time.perf_counter() - started - loading
    plan, pulled = planned.plan, planned.pulled
    assert pulled is not None
    rfm = list(_rfm(context))
    if rfm_out is not None:
        _write_rfm(rfm_out, rfm)
    return {
        "as_of": AS_OF,
        "loaded": vars(loaded),
        "pulled": pull_json(pulled),
        "customers": plan.header.customers,
        "customers_with_purchase": len(rfm),
        "revenue": str(sum((row.monetary for row in rfm), start=Decimal(0))),
        "rules": {
            rule.rule: {
                "matched": rule.matched,
                "undecided": rule.undecided,
                "changes": rule.changes,
                "tripped": rule.tripped,
                "stages": {
                    stage: number for (name, stage), number in stages.items() if name == rule.rule
                },
            }
            for rule in plan.header.rules
        },
        "seconds": {"loading": round(loading, 1), "sync": round(syncing, 1)},
    }


def _workspace(folder: Path, url: str) -> Workspace:
    secrets = folder / "sandbox-credentials"
    secrets.mkdir(parents=True)
    names = ("client_id", "client_secret", "refresh_token")
    credentials = Credentials()
    for name in names:
        (secrets / name).write_text(getattr(credentials, name))
    settings = {
        "accounts_url": url,
        "api_url": url,
        **{name: f"file:sandbox-credentials/{name}" for name in names},
    }
    create_workspace(folder, NewWorkspace("online-retail", "zoho", settings, timezone=ZONE))
    (folder / "policy.yaml").write_text(POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    return load_workspace(folder)


@dataclass(frozen=True)
class Rfm:
    """One customer with at least one valid purchase."""

    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal


def _rfm(context: Context) -> Iterator[Rfm]:
    """Recency, frequency and money as the product's own metrics have them."""
    as_of = as_of_moment(context.workspace, AS_OF, context.now())
    with context.warehouse.reading(as_of.known_by) as connection:
        compiled, _ = evaluate(connection, parse_policy(RFM_POLICY), as_of)
        columns = compiled.evidence_columns("rfm")
        rows = connection.execute(
            f"SELECT c.name, {', '.join(f'i.{column}' for column in columns)} "
            "FROM inputs i JOIN warehouse.main.customers c ON c.key = i.key "
            "ORDER BY CAST(c.name AS INTEGER)"
        ).fetchall()
    for name, *values in rows:
        evidence = {item.name: item for item in compiled.read_evidence("rfm", values)}
        last = evidence["last_order_at"]
        if last.state == "known":
            recency = (as_of.day - date.fromisoformat(str(last.value))).days
            frequency = int(str(evidence["orders_count()"].value))
            money = Decimal(str(evidence["orders_amount()"].value)).quantize(Decimal("0.01"))
            yield Rfm(name, recency, frequency, money)


def _write_rfm(path: Path, rows: list[Rfm]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "recency_days", "frequency", "monetary"])
        writer.writerows(
            [row.customer_id, row.recency_days, row.frequency, row.monetary] for row in rows
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rfm-out", type=Path, help="write recency, frequency, money as CSV")
    arguments = parser.parse_args()
    parquet = data_path()
    if not parquet.exists():
        sys.exit(f"error: {parquet} is not there\nhint:  set HIGHSEAS_DATA to the data folder")
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        figures = run(parquet, Path(folder) / "workspace", arguments.rfm_out)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name}: {json.dumps(value, ensure_ascii=False)}")


if __name__ == "__main__":
    main()
