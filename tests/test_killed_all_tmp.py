"""Killed anywhere, with SIGKILL and over HTTP, an apply loses nothing and doubles nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters import default_mapping, open_adapter
from adapters.sandbox.zoho import Store, ZohoSandbox
from connector.apply import ApplyReport
from connector.sync import Context, open_journal, run_apply, running
from connector.workspace import load_workspace
from tests.crm_sandbox import Client, make_workspace

ROOT = Path('/work/main')
SHARDS = 4
KILLED = -9
DAY = 86_400
LATER = timedelta(minutes=2)  # after the time in which a lost request could still arrive

POLICY = """
policy: 1
name: killed
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


@dataclass(frozen=True)
class World:
    """A client before the apply that is going to be killed, as files that can be copied."""

    folder: Path
    url: str
    plan: str
    kinds: frozenset[tuple[str, bool, bool]]

    @contextlib.contextmanager
    def copy(self, folder: Path) -> Iterator[Client]:
        """A CRM and a workspace of their own, as they were."""
        shutil.copytree(self.folder, folder)
        with Store(folder / "crm.sqlite") as store, ZohoSandbox(store) as server:
            settings = folder / "workspace" / "highseas.yaml"
            text = settings.read_text(encoding="utf-8").replace(self.url, server.url)
            settings.write_text(text, encoding="utf-8")
            yield Client(folder / "workspace", store, server)


class Nursery:
    """Starts processes that are to die; see `killer`."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "killer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def apply(self, client: Client, deadly: int) -> tuple[int, list[str]]:
        """`highseas apply --yes`, killed at a boundary: its exit code and what it passed."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        log, out = client.folder / "boundaries", client.folder / "output"
        job = {
            "argv": ["-C", str(client.folder), "apply", "--yes"],
            "deadly": deadly,
            "log": str(log),
            "out": str(out),
        }
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return code, log.read_text(encoding="utf-8").splitlines()

    def close(self) -> None:
        self._server.communicate(timeout=30)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.close()


@dataclass
class Town:
    """A dozen customers, and what happens to them between the first plan and the second."""

    store: Store

    def __post_init__(self) -> None:
        self._now = int(time.time())
        self._today = self._now // DAY * DAY

    def settle(self) -> None:
        old = self._today - 400 * DAY
        rows = [
            {
                "Account_Name": f"客户 {number}",
                "Created_Time": old,
                "Customer_Status": "正常" if number % 2 else None,
                "Tag": ["vip"] if number % 3 else ["key-account"] if number == 9 else [],
            }
            for number in range(12)
        ]
        self.customers = self.store.insert("Accounts", rows)
        self.calls = [self._call(self.customers[number], days=20) for number in (4, 5)]
        self.orders = [self._order(self.customers[number], 5_000) for number in (6, 7, 8, 9)]
        self.store.add_note(self.customers[0], "请周五回电", by=self.store.api_user)

    def move_on(self) -> None:
        """Some leave, some enter, some change their class, some only the reason."""
        first = self.customers
        self._call(first[0], days=3)
        self._call(first[1], days=3)
        self._call(first[2], days=200)
        for call in self.calls:
            self.store.delete(call)
        self.store.edit("Sales_Orders", self.orders[0], {"Grand_Total": 10})
        self._order(first[10], 9_000)
        self._order(first[8], 7_000)

    def _call(self, customer: str, *, days: int) -> str:
        call = {
            "Subject": "回访",
            "Call_Type": "Outbound",
            "Call_Start_Time": self.store.clock.text(self._today - days * DAY),
            "Call_Duration_in_seconds": 60,
            "What_Id": customer,
            "$se_module": "Accounts",
            **self._recorded(),
        }
        return self.store.insert("Calls", [call])[0]

    def _recorded(self) -> dict[str, int]:
        """Facts count from the day after they were recorded; a pull brings what was changed now."""
        return {"Created_Time": self._today - 2 * DAY, "Modified_Time": self._now}

    def _order(self, customer: str, total: int) -> str:
        order = {
            "Subject": "SO",
            "Account_Name": customer,
            "Status": "Delivered",
            "Sub_Total": total,
            "Grand_Total": total,
            "Currency": "CNY",
            "Order_Date": self.store.clock.text(self._today - 30 * DAY),
            **self._recorded(),
        }
        return self.store.insert("Sales_Orders", [order])[0]


def _build(folder: Path, scene: str) -> World:
    with Store(_made(folder) / "crm.sqlite") as store, ZohoSandbox(store) as server:
        town = Town(store)
        town.settle()
        make_workspace(folder / "workspace", server.url, timeout_seconds=5)
        client = Client(folder / "workspace", store, server)
        (client.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        plan = client.ok("plan")["plan"]["id"]
        if scene != "first":
            client.ok("apply", "--yes")
            town.move_on()
            plan = client.ok("plan")["plan"]["id"]
        if scene == "undo":
            run = client.ok("apply", "--yes")["apply"]["run_id"]
            plan = client.ok("undo", run)["plan"]["id"]
        with open_journal(load_workspace(client.folder)) as journal:
            kinds = frozenset(
                (each.kind.value, each.before is None, each.after is None)
                for row in journal.rows(plan)
                for each in row.primitives
            )
        return World(folder, server.url, plan, kinds)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _visible(client: Client) -> tuple[object, ...]:
    """What users see; a note counts by what it says and where, not by its id."""
    shown = client.store.snapshot()
    notes = sorted(value for key, value in shown.items() if key.startswith("Notes:"))
    rest = {key: value for key, value in shown.items() if not key.startswith("Notes:")}
    return rest, notes


def _outcome(client: Client) -> dict[str, Any]:
    """All that must come out the same, however often the process died."""
    with open_journal(load_workspace(client.folder)) as journal:
        return {
            "crm": _visible(client),
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


def _acted(client: Client) -> list[tuple[str, str]]:
    """The writes that had an effect, in any order."""
    return sorted((each.method, each.path) for each in client.server.writes if each.acted)


def _go_on(client: Client, plan: str) -> ApplyReport:
    """The same apply again, two minutes later by its own clock."""

    def never(seconds: float) -> None:
        pytest.fail(f"waited {seconds} s for what was long over")

    workspace = load_workspace(client.folder)
    context = Context(
        workspace,
        open_adapter(workspace),
        now=lambda: datetime.now(UTC) + LATER,
        sleep=never,
        mapping=default_mapping("zoho"),
    )
    with running(context, "apply") as journal:
        return run_apply(context, journal, plan, approver="test", how="test")


def _take_back(client: Client, plan: str) -> None:
    """Undo every run of a plan that wrote something, the last one first."""
    with open_journal(load_workspace(client.folder)) as journal:
        runs = [each.id for each in journal.runs(100) if each.plan_id == plan]
        wrote = [each for each in runs if next(iter(journal.confirmed(each)), None)]
    for each in wrote:
        client.ok("undo", each)
        client.ok("apply", "--yes")


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("scene", ["first", "second", "undo"])
def test_killed_at_every_boundary_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, nursery: Nursery, scene: str, shard: int
) -> None:
    world = _build(tmp_path / "world", scene)
    with world.copy(tmp_path / "undisturbed") as client:
        before = _visible(client)
        code, boundaries = nursery.apply(client, deadly=0)
        assert code == 0
        expected, writes = _outcome(client), _acted(client)
    assert len(boundaries) > 30
    for deadly in range(1 + shard, len(boundaries) + 1, SHARDS):
        with world.copy(tmp_path / f"killed-{deadly}") as client:
            code, passed = nursery.apply(client, deadly)
            where = f"boundary {deadly}: {passed[-1]}"
            assert code == KILLED, where
            report = _go_on(client, world.plan)
            assert report.complete, where
            assert _outcome(client) == expected, where
            assert _acted(client) == writes, where
            assert client.ok("plan", "--offline")["plan"]["changes"] == 0, where
            _take_back(client, world.plan)
            assert _visible(client) == before, where
