"""Killed anywhere, with SIGKILL and over HTTP, an apply loses nothing and doubles nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters import fixed_mapping, open_adapter
from connector.apply import ApplyReport
from connector.sync import Context, open_journal, run_apply, running
from connector.workspace import load_workspace
from tests.crm_sandbox import Client
from tests.town import EVERY_KIND, World, build_world, effective_writes, outcome, visible

KILLER = Path(__file__).with_name("killer.py")
SHARDS = 4
KILLED = -9
LATER = timedelta(minutes=2)  # after the time in which a lost request could still arrive


class Nursery:
    """Starts processes that are to die; see `killer`."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, str(KILLER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def apply(self, client: Client, deadly: int) -> tuple[int, list[str]]:
        """`highseas apply --yes`, killed at a boundary: its exit code and what it passed."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        log = client.folder / "boundaries"
        job = {
            "argv": ["-C", str(client.folder), "apply", "--yes"],
            "deadly": deadly,
            "log": str(log),
            "out": str(client.folder / "output"),
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


def _never(seconds: float) -> None:
    pytest.fail(f"waited {seconds} s for what was long over")


def go_on(client: Client, plan: str) -> ApplyReport:
    """The same apply again, two minutes later by its own clock."""
    workspace = load_workspace(client.folder)
    context = Context(
        workspace,
        open_adapter(workspace),
        now=lambda: datetime.now(UTC) + LATER,
        sleep=_never,
        mapping=fixed_mapping("zoho"),
    )
    with running(context, "apply") as journal:
        return run_apply(context, journal, plan, approver="test", how="test")


def take_back(client: Client, plan: str) -> None:
    """Undo every run of a plan that wrote something, the last one first."""
    with open_journal(load_workspace(client.folder)) as journal:
        runs = [each.id for each in journal.runs(100) if each.plan_id == plan]
        wrote = [each for each in runs if next(iter(journal.confirmed(each)), None)]
    for run in wrote:
        client.ok("undo", run)
        client.ok("apply", "--yes")


def _loses_an_answer(boundary: str) -> bool:
    """Where the two runs share the work in a way of their own; once for every write."""
    return boundary.startswith("after ") and "/crm/" in boundary and " GET " not in boundary


def _check(client: Client, world: World, nursery: Nursery, deadly: int, expected: object) -> None:
    before = visible(client)
    code, passed = nursery.apply(client, deadly)
    assert code == KILLED
    assert go_on(client, world.plan).complete
    assert (outcome(client), effective_writes(client)) == expected
    assert client.ok("plan", "--offline")["plan"]["changes"] == 0
    if _loses_an_answer(passed[-1]):
        take_back(client, world.plan)
        assert visible(client) == before


@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_at_every_boundary_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, nursery: Nursery, shard: int
) -> None:
    world = build_world(tmp_path / "world")
    with world.copy(tmp_path / "undisturbed") as client:
        code, boundaries = nursery.apply(client, deadly=0)
        assert code == 0
        expected = outcome(client), effective_writes(client)
    assert len(boundaries) > 60
    writes = {each.partition("?")[0] for each in boundaries if _loses_an_answer(each)}
    assert len(writes) == len(EVERY_KIND)
    for number in range(1 + shard, len(boundaries) + 1, SHARDS):
        with world.copy(tmp_path / f"killed-{number}") as client:
            try:
                _check(client, world, nursery, number, expected)
            except AssertionError as error:
                error.add_note(f"killed at boundary {number}: {boundaries[number - 1]}")
                raise
