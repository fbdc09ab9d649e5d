"""A small CRM for the tests of pull and warehouse: pages of bytes, deletions, faults on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from connector.mapping import CompiledMapping, compile_mapping
from connector.models import PrimitiveKind, Ref, Scalar
from connector.needs import NO_NEEDS, Needs
from connector.ports import Page, PullRequest
from connector.pull import PullReport, pull
from connector.warehouse import Warehouse
from connector.workspace import Workspace, WorkspaceFile
from policies.moment import AsOf

MORNING = datetime(2026, 5, 14, 1, 0, tzinfo=UTC)

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
      phone: Phone
      status: $status_field
people:
  - object: users
    id: id
    columns: {name: full_name, active: {from: status, map: {active: true}, else: false}}
deals:
  - object: Deals
    id: id
    customer: Account_Name.id
    columns:
      happened_at: Created_Time
      amount: Amount
      stage: Stage
      state: {from: Stage, map: {Closed Won: won, Closed Lost: lost}, else: open}
orders:
  - object: Sales_Orders
    id: id
    customer: Account_Name.id
    where: {Status: {not: [Cancelled]}}
    columns: {happened_at: Order_Date, number: SO_Number, amount: Grand_Total, currency: Currency}
returns:
  - object: Sales_Orders
    id: id
    customer: Account_Name.id
    where: {Status: Cancelled}
    columns: {happened_at: Order_Date, amount: Grand_Total}
activities:
  - object: Calls
    id: id
    customer: What_Id.id
    where: {$se_module: Accounts}
    columns: {happened_at: Call_Start_Time, kind: {const: call}, seconds: Seconds}
  - object: Calls
    id: id
    customer: What_Id.id
    through: {object: Deals, customer: Account_Name.id}
    where: {$se_module: Deals}
    columns: {happened_at: Call_Start_Time, kind: {const: call}, seconds: Seconds}
"""

Row = dict[str, Any]


def account(number: int, **changes: Any) -> Row:
    row = {
        "id": str(number),
        "Account_Name": f"Firm {number}",
        "Owner": {"id": "7", "name": "Li"},
        "Created_Time": "2025-01-01T08:00:00+08:00",
        "Modified_Time": "2026-05-01T08:00:00+08:00",
        "Tag": [{"name": "vip", "id": "1"}],
        "Phone": None,
        "Stage_Now": "new",
    }
    return {**row, **changes}


def deal(number: int, customer: int | None, **changes: Any) -> Row:
    row = {
        "id": f"d{number}",
        "Account_Name": None if customer is None else {"id": str(customer)},
        "Created_Time": "2026-02-01",
        "Amount": 1200.5,
        "Stage": "Closed Won",
    }
    return {**row, **changes}


def order(number: int, customer: int, **changes: Any) -> Row:
    row = {
        "id": f"o{number}",
        "Account_Name": {"id": str(customer)},
        "Order_Date": "2026-03-01",
        "SO_Number": f"SO-{number}",
        "Grand_Total": "99.90",
        "Currency": "CNY",
        "Status": None,
    }
    return {**row, **changes}


def call(number: int, module: str, target: str, **changes: Any) -> Row:
    row = {
        "id": f"c{number}",
        "$se_module": module,
        "What_Id": {"id": target},
        "Call_Start_Time": "2026-04-01T10:00:00+08:00",
        "Seconds": 60,
    }
    return {**row, **changes}


def user(number: int, status: str = "active") -> Row:
    return {"id": str(number), "full_name": f"User {number}", "status": status}


@dataclass
class FakeCrm:
    """Its `rows` answer a full pull, its `changed` and `deleted` an incremental one."""

    rows: dict[str, list[Any]] = field(default_factory=dict)
    changed: dict[str, list[Any]] = field(default_factory=dict)
    deleted: dict[str, list[str]] = field(default_factory=dict)
    watermark: datetime | None = MORNING
    page_size: int = 2
    faults: dict[str, Callable[[PullRequest, int], None]] = field(default_factory=dict)
    requests: list[PullRequest] = field(default_factory=list)

    def pull(self, request: PullRequest) -> Iterator[Page]:
        self.requests.append(request)
        source = self.rows if request.since is None else self.changed
        rows = [_encoded(row) for row in source.get(request.object, [])]
        start = int(request.resume or 0)
        deleted = tuple(self.deleted.get(request.object, ())) if request.deletions else ()
        pages = max(1, -(-len(rows) // self.page_size))
        fault = self.faults.get(request.object)
        for number in range(start, pages):
            if fault is not None:
                fault(request, number)
            last = number == pages - 1
            yield Page(
                object=request.object,
                rows=tuple(rows[number * self.page_size : (number + 1) * self.page_size]),
                deleted=deleted if last else (),
                resume=None if last else str(number + 1),
                watermark=self.watermark if last else None,
            )

    def asked(self) -> list[str]:
        return sorted(request.object for request in self.requests)


@dataclass(frozen=True)
class Receipt:
    """A confirmed write, as the journal tells it."""

    seq: int
    at: datetime
    ref: Ref
    kind: PrimitiveKind
    target: str
    after: Scalar


def _encoded(row: Any) -> bytes:
    return row if isinstance(row, bytes) else json.dumps(row).encode()


@dataclass
class World:
    """A workspace, its CRM and a clock that stands still until it is told."""

    root: Path
    crm: FakeCrm
    workspace: Workspace
    moment: datetime = MORNING
    mapping: str = MAPPING

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.workspace, sleep=lambda _seconds: None)

    def pull(self, needs: Needs = NO_NEEDS, **options: Any) -> PullReport:
        return pull(
            self.workspace,
            self.crm,  # type: ignore[arg-type] # only pull() is asked
            self.warehouse,
            mapping=self.compiled_mapping(needs),
            now=lambda: self.moment,
            needs=needs,
            **options,
        )

    def compiled_mapping(self, needs: Needs = NO_NEEDS) -> CompiledMapping:
        return compile_mapping(
            self.mapping,
            "mapping.yaml",
            zone=self.workspace.zone,
            status_field=self.workspace.status_field,
            custom_fields=needs.fields,
        )

    def later(self, **delta: float) -> None:
        self.moment += timedelta(**delta)

    def ask(self, sql: str, known_by: datetime | None = None) -> list[tuple[Any, ...]]:
        with self.warehouse.reading(known_by) as connection:
            return connection.execute(sql).fetchall()

    def ask_of(self, day: int, sql: str) -> list[tuple[Any, ...]]:
        """The same, of what was known at the end of a day of May."""
        return self.ask(sql, AsOf.midnight(date(2026, 5, day + 1), self.workspace.zone).moment)


def make_world(root: Path, **config: Any) -> World:
    settings = {
        "workspace": 1,
        "name": "acme",
        "timezone": "Asia/Shanghai",
        "crm": {"adapter": "fake", "status_field": "Stage_Now"},
        **config,
    }
    workspace = Workspace(root, WorkspaceFile.model_validate(settings))
    crm = FakeCrm(
        rows={
            "Accounts": [account(number) for number in range(1, 6)],
            "users": [user(7), user(8, "deleted")],
            "Deals": [deal(1, 1), deal(2, 2, Stage="Talk"), deal(3, None)],
            "Sales_Orders": [order(1, 1), order(2, 2), order(3, 3, Status="Cancelled")],
            "Calls": [call(1, "Accounts", "1"), call(2, "Deals", "d2"), call(3, "Leads", "9")],
        }
    )
    return World(root, crm, workspace)
