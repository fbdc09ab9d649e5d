"""The whole way on servers that nobody here wrote: 5,000 customers in Kinto and in Tryton, by the
descriptions that come with highseas, on a good line and on a bad one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.rest.loading import preset
from tests.described_client import DescribedClient, described_client
from tests.servers.faulty_proxy import Fault, FaultyProxy
from tests.servers.kinto import KintoServer
from tests.servers.tryton import TrytonServer

pytest_plugins = ["tests.servers.fixtures"]

CUSTOMERS = 5_000
MEDDLED = 7  # which of the planned customers somebody else changes
TAG = "待作废"
MARKER = re.compile(r"编号 ([A-Z2-7]{10})")
POLICY = """\
policy: 2
name: 沉默客户
rules:
  - void: 失联
    reason: lost_contact
    when: days_since(last_order_at) >= 985 AND open_deals = 0
    mark: {tag: 待作废%s}
    note: true
limits: {share: 10%%}
"""
# Everything that a bad line does to an exchange, some times each.
BAD_LINE = (
    Fault("too_many", every=9, times=3, seconds=1),
    Fault("unavailable", every=13, times=3),
    Fault("cut_after", every=7, times=3, method="WRITE"),
    Fault("cut_before", every=5, times=3, method="WRITE"),
    Fault("torn", every=19, times=2),
    Fault("delay", every=23, times=2, seconds=0.5),
)


@dataclass(frozen=True)
class Crm:
    """A server with customers, and how a workspace reaches it. `meddle` is what somebody else does
    to a customer between plan and apply."""

    server: Any
    description: str
    policy: str
    settings: dict[str, Any]
    meddle: Callable[[Any], None]
    id_type: type

    def client(self, folder: Path, url: str) -> DescribedClient:
        settings = {"url": "/".join(url.split("/")[:3]), **self.settings}
        return described_client(folder, self.description, self.policy, settings)

    def customer(self, key: str) -> Any:
        """A customer as the server's own snapshot names it."""
        return self.id_type(key.partition(":")[2])


def impatient(name: str, beside: str) -> str:
    """A preset whose lost writes are looked for after two seconds already."""
    text = preset(name).text
    assert text.count(beside) == 1
    return text.replace(beside, f"{beside}\n    settle_seconds: 2")


def today() -> Any:
    return datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


@pytest.fixture
def kinto_crm(kinto: KintoServer, tmp_path: Path) -> Crm:
    kinto.seed_customers(CUSTOMERS, today())
    (tmp_path / "password").write_text(kinto.password)
    return Crm(
        server=kinto,
        description=impatient("kinto", "\n    owner: owner"),
        policy=POLICY % ", status: 失联",
        settings={
            "user": kinto.user,
            "password": f"file:{tmp_path / 'password'}",
            "status_field": "status",
        },
        meddle=lambda customer: kinto.edit(customer, status="on hold"),
        id_type=str,
    )


@pytest.fixture
def tryton_crm(tryton: TrytonServer, tmp_path: Path) -> Crm:
    tryton.seed_customers(CUSTOMERS, today())
    (tmp_path / "key").write_text(tryton.key)
    return Crm(
        server=tryton,
        description=impatient("tryton", "\nwrites:\n  party.party:"),
        policy=POLICY % "",
        settings={
            "database": "crm",
            "user": "admin",
            "key": f"file:{tmp_path / 'key'}",
            "customers": '[["code", "like", "C%"]]',
        },
        meddle=lambda customer: tryton.edit(customer, name="Renamed by a colleague"),
        id_type=int,
    )


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[Any]:
    """The customers who look different."""
    assert before["customers"].keys() == after["customers"].keys()
    own, now = before["customers"], after["customers"]
    return {customer for customer in own if own[customer] != now[customer]}


def whole_way(crm: Crm, client: DescribedClient) -> None:
    """Check, pull, plan, somebody else's edit, apply, apply again, undo."""
    server = crm.server
    untouched = server.snapshot()
    checked = client.done("check")
    assert {each["state"] for each in checked["findings"]} <= {"ok", "warning", "untried"}
    pulled = client.done("pull")["pull"]
    assert CUSTOMERS in {each["rows"] for each in pulled["objects"]}
    planned = client.done("plan")["plan"]
    assert 60 <= planned["changes"] <= 200
    assert server.snapshot() == untouched, "a preview wrote"

    rows = [json.loads(line) for line in client.run("show", "--rows").out.splitlines()]
    targets = {crm.customer(row["customer"]) for row in rows if row["status"] == "change"}
    assert len(targets) == planned["changes"]
    met = sorted(targets)[MEDDLED]
    crm.meddle(met)
    before = server.snapshot()

    report = client.done("apply", "--yes", code=5)["apply"]
    after = server.snapshot()
    assert report["counts"].keys() == {"done", "conflict"}
    assert report["changes_done"] == len(targets) - 1
    assert changed(before, after) == targets - {met}
    assert all(TAG in after["customers"][each]["tags"] for each in targets - {met})
    found = (MARKER.search(text) for _, text in after["notes"])
    notes = Counter(match[1] for match in found if match)
    assert len(notes) == len(targets) - 1
    assert set(notes.values()) == {1}, "a note was doubled"

    again = client.run("--json", "apply", planned["id"], "--yes").json()["apply"]
    assert again["writes"] == 0
    assert server.snapshot() == after

    client.done("undo", report["run_id"])
    assert client.done("apply", "--yes")["apply"]["counts"].keys() == {"done"}
    assert server.snapshot() == before, "undo left a difference"


def test_the_whole_way_on_kinto(kinto_crm: Crm, tmp_path: Path) -> None:
    whole_way(kinto_crm, kinto_crm.client(tmp_path / "kinto", kinto_crm.server.url))


def test_the_whole_way_on_tryton(tryton_crm: Crm, tmp_path: Path) -> None:
    whole_way(tryton_crm, tryton_crm.client(tmp_path / "tryton", tryton_crm.server.url))


def test_the_whole_way_on_kinto_over_a_bad_line(
    kinto_proxy: FaultyProxy, kinto_crm: Crm, tmp_path: Path
) -> None:
    over_a_bad_line(kinto_proxy, kinto_crm, tmp_path / "kinto")


def test_the_whole_way_on_tryton_over_a_bad_line(
    tryton_proxy: FaultyProxy, tryton_crm: Crm, tmp_path: Path
) -> None:
    over_a_bad_line(tryton_proxy, tryton_crm, tmp_path / "tryton")


def over_a_bad_line(proxy: FaultyProxy, crm: Crm, folder: Path) -> None:
    proxy.plan(*BAD_LINE)
    whole_way(crm, crm.client(folder, proxy.url(crm.server.url)))
    met = Counter(seen.fault for seen in proxy.exchanges() if seen.fault)
    assert met == {fault.kind: fault.times for fault in BAD_LINE}, "a fault was never met"
