"""Trouble on the wire during pull, apply and undo: no write is doubled, and a rerun completes."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters import fixed_mapping
from adapters.http import Timing
from adapters.sandbox.zoho import Behaviour, Fault
from adapters.zoho import ZohoAdapter, read_settings
from connector.apply import ApplyReport
from connector.errors import HighseasError
from connector.journal import Journal
from connector.sync import Context, make_plan, run_apply, running
from connector.workspace import load_workspace
from tests.crm_sandbox import Client
from tests.process import highseas
from tests.town import TIMEOUT_SECONDS, World, build_world, effective_writes, outcome, visible

PATIENCE_SECONDS = 30
FOREVER = 1_000_000
MOST_RUNS = 3  # a run tries what did not arrive once more; here its next step breaks as well
WRITES = (
    ("PUT", "/crm/v8/Accounts"),
    ("POST", "*/add_tags"),
    ("POST", "*/remove_tags"),
    ("POST", "/crm/v8/Notes"),
    ("PUT", "/crm/v8/Notes"),
    ("DELETE", "/crm/v8/Notes"),
)
READS = ("Accounts", "Accounts/deleted", "Calls", "Calls/deleted", "Sales_Orders", "users", "org")
INVALID_TOKEN = {"code": "INVALID_TOKEN", "status": "error", "message": "invalid oauth token"}
BUSY = {"code": "TOO_MANY_REQUESTS", "status": "error", "message": "try later"}

FAULTS = {
    "dropped before it acted": Fault(drop="before"),
    "dropped after it acted": Fault(drop="after"),
    "dropped midway": Fault(drop="midway"),
    "500 without acting": Fault(status=500),
    "503 without acting": Fault(status=503),
    "503 after it acted": Fault(status=503, act=True),
    "429": Fault(status=429, body=BUSY, headers={"Retry-After": "1"}),
    "401": Fault(status=401, body=INVALID_TOKEN),
    "twice in a row": Fault(drop="after", times=2),
}
OUTAGES = {
    "dropped": Fault(drop="before"),
    "acted upon and dropped": Fault(drop="after"),
    "503": Fault(status=503),
    "429": Fault(status=429, body=BUSY),
    "401": Fault(status=401, body=INVALID_TOKEN),
}

Expected = tuple[dict[str, Any], list[tuple[str, str]]]


class Time:
    """A clock that moves when somebody sleeps, and not otherwise."""

    def __init__(self) -> None:
        self._start = datetime.now(UTC).timestamp()
        self._slept = 0.0
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self._start + self._slept

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += seconds


@contextmanager
def session(client: Client, own_time: Time) -> Iterator[tuple[Context, Journal]]:
    """What a command works with, on a clock of its own."""
    workspace = load_workspace(client.folder)
    adapter = ZohoAdapter(
        read_settings(workspace.settings, workspace.secret),
        timing=Timing(own_time.clock, own_time.sleep),
    )
    mapping = fixed_mapping("zoho")
    context = Context(workspace, adapter, own_time.now, own_time.sleep, mapping=mapping)
    with running(context, "test") as journal:
        yield context, journal


def apply(client: Client, plan: str, own_time: Time | None = None) -> ApplyReport:
    with session(client, own_time or Time()) as (context, journal):
        return run_apply(context, journal, plan, approver="test", how="test")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    folder = tmp_path_factory.mktemp("worlds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return {
            "apply": build_world(folder / "apply"),
            "undo": build_world(folder / "undo", undo=True),
        }


@pytest.fixture(scope="module")
def undisturbed(
    worlds: dict[str, World], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Expected]:
    folder = tmp_path_factory.mktemp("undisturbed")
    expected = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for name, world in worlds.items():
            with world.copy(folder / name) as client:
                assert apply(client, world.plan).complete
                expected[name] = (outcome(client), effective_writes(client))
    return expected


def break_writes(client: Client, fault: Fault) -> None:
    """The first call of every kind of write meets the fault."""
    for method, path in WRITES:
        client.server.faults.add(replace(fault, method=method, path=path))


@pytest.mark.parametrize("scene", ["apply", "undo"])
@pytest.mark.parametrize("name", FAULTS)
def test_every_kind_of_write_survives(
    tmp_path: Path,
    worlds: dict[str, World],
    undisturbed: dict[str, Expected],
    scene: str,
    name: str,
) -> None:
    world = worlds[scene]
    with world.copy(tmp_path / "world") as client:
        break_writes(client, FAULTS[name])
        assert any(apply(client, world.plan).complete for _ in range(MOST_RUNS))
        assert (outcome(client), effective_writes(client)) == undisturbed[scene]
        assert apply(client, world.plan).writes == 0


@pytest.mark.parametrize("scene", ["apply", "undo"])
@pytest.mark.parametrize("nth", [3, 14])
@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage_stops_the_run_and_the_next_one_completes_it(
    tmp_path: Path,
    worlds: dict[str, World],
    undisturbed: dict[str, Expected],
    scene: str,
    nth: int,
    name: str,
) -> None:
    world = worlds[scene]
    with world.copy(tmp_path / "world") as client:
        client.server.faults.add(replace(OUTAGES[name], path="/crm/*", nth=nth, times=FOREVER))
        own_time = Time()
        with pytest.raises(HighseasError) as caught:
            apply(client, world.plan, own_time)
        assert caught.value.exit_code == 1
        client.server.faults.clear()
        assert apply(client, world.plan, own_time).complete
        assert (outcome(client), effective_writes(client)) == undisturbed[scene]


@pytest.mark.parametrize("name", FAULTS)
def test_a_pull_reads_again_what_was_lost(
    tmp_path: Path, worlds: dict[str, World], name: str
) -> None:
    with worlds["apply"].copy(tmp_path / "world") as client:
        expected = client.ok("plan", "--offline")["plan"]["fingerprint"]
        for path in READS:
            fault = replace(FAULTS[name], method="GET", path=f"/crm/v8/{path}")
            client.server.faults.add(fault)
        with session(client, Time()) as (context, journal):
            planned = make_plan(context, journal)
        assert planned.pulled is not None
        assert not planned.pulled.partial
        assert planned.plan.fingerprint == expected
        assert client.server.writes == []


@pytest.mark.parametrize("name", OUTAGES)
def test_a_pull_in_an_outage_fails_and_takes_nothing_from_the_next_one(
    tmp_path: Path, worlds: dict[str, World], name: str
) -> None:
    with worlds["apply"].copy(tmp_path / "world") as client:
        expected = client.ok("plan", "--offline")["plan"]["fingerprint"]
        client.server.faults.add(replace(OUTAGES[name], path="/crm/*", nth=3, times=FOREVER))
        with pytest.raises(HighseasError) as caught, session(client, Time()) as opened:
            make_plan(*opened)
        assert caught.value.exit_code == 1
        client.server.faults.clear()
        for arguments in (["plan", "--offline"], ["plan"]):
            assert client.ok(*arguments)["plan"]["fingerprint"] == expected


def test_one_unreadable_object_is_told_and_makes_the_plan_partial(
    tmp_path: Path, worlds: dict[str, World]
) -> None:
    with worlds["apply"].copy(tmp_path / "world") as client:
        forbidden = Fault(path="*/Calls", status=401, body=INVALID_TOKEN, times=FOREVER)
        client.server.faults.add(forbidden)
        answer = client.run("--json", "plan")
        assert answer.code == 5
        assert answer.json()["pull"]["partial"]
        assert "Calls" in client.run("pull").out


def test_a_write_that_arrives_after_its_client_gave_up_is_not_sent_again(
    tmp_path: Path, worlds: dict[str, World], undisturbed: dict[str, Expected]
) -> None:
    """The server sits on each write until the client, having given up, waits to settle it."""
    world, given_up, arrived = worlds["apply"], threading.Event(), threading.Event()

    def sit_on_it(seconds: float) -> None:
        assert given_up.wait(PATIENCE_SECONDS)

    class SettlingTime(Time):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds > TIMEOUT_SECONDS:
                writes = len(effective_writes(client))
                given_up.set()
                wait_until(lambda: len(effective_writes(client)) > writes)
                arrived.set()

    with world.copy(tmp_path / "world", behaviour=Behaviour(sleep=sit_on_it)) as client:
        client.server.faults.add(Fault(method="POST", path="/crm/v8/Notes", delay=1))
        assert apply(client, world.plan, SettlingTime()).complete
        assert arrived.is_set()
        assert (outcome(client), effective_writes(client)) == undisturbed["apply"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextmanager
def slow_apply(client: Client) -> Iterator[subprocess.Popen[str]]:
    """`highseas apply` in a process of its own, in the middle of its writes."""
    client.server.faults.add(Fault(path="*", method="P*", delay=0.2, times=FOREVER))
    with highseas("-C", str(client.folder), "--json", "apply", "--yes") as process:
        wait_until(lambda: bool(client.server.writes) or process.poll() is not None)
        assert process.poll() is None
        yield process


def ask_with_a_signal(number: int) -> Callable[[Client, subprocess.Popen[str]], None]:
    return lambda _, process: process.send_signal(number)


def ask_with_stop(client: Client, _process: subprocess.Popen[str]) -> None:
    assert client.ok("stop")["asked"]


ASKING = {
    "stop": ask_with_stop,
    "SIGTERM": ask_with_a_signal(signal.SIGTERM),
    "Ctrl-C": ask_with_a_signal(signal.SIGINT),
}


@pytest.mark.parametrize("way", ASKING)
def test_asked_to_stop_it_ends_after_the_call_in_flight(
    tmp_path: Path,
    worlds: dict[str, World],
    undisturbed: dict[str, Expected],
    way: str,
) -> None:
    world = worlds["apply"]
    with world.copy(tmp_path / "world") as client:
        with slow_apply(client) as process:
            ASKING[way](client, process)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 130, err
        assert f"apply {world.plan}`" in err
        assert '"exit_code": 130' in out
        assert 0 < len(effective_writes(client)) < len(undisturbed["apply"][1])
        client.server.faults.clear()
        assert client.ok("apply", "--yes")["apply"]["settled"] == 0
        assert (outcome(client), effective_writes(client)) == undisturbed["apply"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pull_ends_soon_when_told_to_and_the_next_one_goes_on(
    tmp_path: Path, worlds: dict[str, World], number: int
) -> None:
    with worlds["apply"].copy(tmp_path / "world") as client:
        expected = client.ok("plan", "--offline")["plan"]["fingerprint"]
        client.server.faults.add(Fault(method="GET", path="/crm/v8/Calls", delay=1))
        with highseas("-C", str(client.folder), "plan") as process:
            wait_until(
                lambda: any(each.path.endswith("/Accounts") for each in client.server.requests)
            )
            process.send_signal(number)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out) == (130, ""), err
        assert err.splitlines()[-2] == "error: interrupted"
        assert client.ok("plan")["plan"]["fingerprint"] == expected


def test_a_second_run_is_refused_and_names_the_first(
    tmp_path: Path, worlds: dict[str, World], undisturbed: dict[str, Expected]
) -> None:
    with worlds["apply"].copy(tmp_path / "world") as client:
        with slow_apply(client) as process:
            second = client.run("apply", "--yes")
            assert second.code == 3
            assert f"apply (process {process.pid})" in second.err
            process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        assert (outcome(client), effective_writes(client)) == undisturbed["apply"]
        assert visible(client) == undisturbed["apply"][0]["crm"]
