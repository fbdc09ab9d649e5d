"""A dozen customers whose second plan holds every kind of write, as files that can be copied."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.sandbox.zoho import Behaviour, Faults, Store, ZohoSandbox
from connector.models import PrimitiveKind
from connector.sync import open_journal
from connector.workspace import load_workspace
from tests.crm_sandbox import Client, make_workspace

DAY = 86_400
TIMEOUT_SECONDS = 3

POLICY = """
policy: 1
name: town
protect:
  - {id: key, when: has_tag('key-account'), from: [void, tier]}
rules:
  - void: lost
    reason: lost_contact
    when: days_since(last_activity_at) >= 180 AND orders_count() = 0
    mark: {tag: void-lost, status: 作废}
    note: true
  - tier: value
    bands:
      - {name: A, when: orders_amount(365) >= 1000, mark: {tag: tier-A}}
      - {name: C, when: else, mark: {tag: tier-C}}
    note: true
"""

EVERY_KIND = {
    ("set_field", "change"),
    ("add_tag", "change"),
    ("remove_tag", "change"),
    ("put_note", "create"),
    ("put_note", "change"),
    ("delete_note", "change"),
}


class Town:
    """What the customers are, and what happens to them between the first plan and the second."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._now = int(time.time())
        self._today = self._now // DAY * DAY

    def settle(self) -> None:
        rows = [
            {
                "Account_Name": f"客户 {number}",
                "Created_Time": self._today - 400 * DAY,
                "Customer_Status": "正常" if number % 2 else None,
                "Tag": ["vip"] if number % 3 else ["key-account"] if number == 9 else [],
            }
            for number in range(12)
        ]
        self.customers = self.store.insert("Accounts", rows)
        self.calls = [self._call(self.customers[number], days=20) for number in (4, 5)]
        self.orders = [self._order(self.customers[number], 5_000) for number in (6, 7, 8, 9)]
        self.store.add_note(self.customers[0], "请周五回电")

    def move_on(self) -> None:
        """Some leave a rule, some enter it, some change their class, some only the reason."""
        for left in self.customers[:2]:
            self._call(left, days=3)
        self._call(self.customers[2], days=200)
        for call in self.calls:
            self.store.delete(call)
        self.store.edit("Sales_Orders", self.orders[0], {"Grand_Total": 10})
        self._order(self.customers[8], 7_000)
        self._order(self.customers[10], 9_000)

    def _call(self, customer: str, *, days: int) -> str:
        call = {
            "Subject": "回访",
            "Call_Type": "Outbound",
            "Call_Start_Time": self.store.clock.text(self._today - days * DAY),
            "Call_Duration_in_seconds": 60,
            "What_Id": customer,
            "$se_module": "Accounts",
        }
        return self._insert("Calls", call)

    def _order(self, customer: str, total: int) -> str:
        order = {
            "Subject": "SO",
            "Account_Name": customer,
            "Status": "Delivered",
            "Sub_Total": total,
            "Grand_Total": total,
            "Currency": "CNY",
            "Order_Date": self.store.clock.text(self._today - 30 * DAY),
        }
        return self._insert("Sales_Orders", order)

    def _insert(self, module: str, row: dict[str, Any]) -> str:
        """Facts count from the day after they were recorded; a pull brings what changed now."""
        times = {"Created_Time": self._today - 2 * DAY, "Modified_Time": self._now}
        return self.store.insert(module, [row | times])[0]


@dataclass(frozen=True)
class World:
    """A client with a plan that waits to be applied."""

    folder: Path
    url: str
    plan: str

    @contextlib.contextmanager
    def copy(
        self, folder: Path, faults: Faults | None = None, behaviour: Behaviour | None = None
    ) -> Iterator[Client]:
        """A CRM and a workspace of their own, as they were."""
        shutil.copytree(self.folder, folder)
        with (
            Store(folder / "crm.sqlite") as store,
            ZohoSandbox(store, faults=faults, behaviour=behaviour) as server,
        ):
            settings = folder / "workspace" / "highseas.yaml"
            text = settings.read_text(encoding="utf-8").replace(self.url, server.url)
            settings.write_text(text, encoding="utf-8")
            yield Client(folder / "workspace", store, server)


def build_world(folder: Path, *, undo: bool = False) -> World:
    """A first plan applied, and a second one waiting; with `undo`, the way back from that one."""
    folder.mkdir(parents=True)
    with Store(folder / "crm.sqlite") as store, ZohoSandbox(store) as server:
        town = Town(store)
        town.settle()
        make_workspace(folder / "workspace", server.url, timeout_seconds=TIMEOUT_SECONDS)
        client = Client(folder / "workspace", store, server)
        (client.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        client.ok("plan")
        client.ok("apply", "--yes")
        town.move_on()
        plan: str = client.ok("plan")["plan"]["id"]
        assert _kinds(client, plan) == EVERY_KIND
        if undo:
            run = client.ok("apply", "--yes")["apply"]["run_id"]
            plan = client.ok("undo", run)["plan"]["id"]
        return World(folder, server.url, plan)


def _kinds(client: Client, plan: str) -> set[tuple[str, str]]:
    with open_journal(load_workspace(client.folder)) as journal:
        return {
            (
                each.kind.value,
                "create"
                if each.kind is PrimitiveKind.PUT_NOTE and each.before is None
                else "change",
            )
            for row in journal.rows(plan)
            for each in row.primitives
        }


def visible(client: Client) -> tuple[object, ...]:
    """What users see; a note counts by what it says and where, not by its id."""
    shown = client.store.snapshot()
    notes = sorted(value for key, value in shown.items() if key.startswith("Notes:"))
    return {key: shown[key] for key in shown if not key.startswith("Notes:")}, notes


def outcome(client: Client) -> dict[str, Any]:
    """All that must come out the same, whatever happened on the way."""
    with open_journal(load_workspace(client.folder)) as journal:
        return {
            "crm": visible(client),
            "receipts": sorted(
                (str(each.ref), each.kind, each.target, str(each.after))
                for each in journal.receipts()
            ),
            "holdings": [
                (each.customer, each.rule, each.kind, each.target, each.value, each.original)
                for each in journal.holdings()
            ],
            "episodes": [
                (each.customer, each.rule, each.number, each.stage, each.closed_at is None)
                for each in journal.episodes(open_only=False)
            ],
        }


def effective_writes(client: Client) -> list[tuple[str, str]]:
    """The writes that the CRM has acted on, in any order."""
    return sorted((each.method, each.path) for each in client.server.writes if each.acted)
