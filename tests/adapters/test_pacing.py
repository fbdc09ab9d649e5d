"""A pace that all threads and processes of a user keep together, and the day's quota."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from adapters import pacing
from adapters.calls import Call, ErrorTable, Reading
from adapters.http import HttpClient, HttpSettings, Timing
from adapters.pacing import Allowance, Pace
from connector.errors import QuotaError, UnavailableError

READ = Call("GET", "/things")
WRITE = Call("POST", "/things", writes=True)
DAY = 86_400


@pytest.fixture
def pace_of(fake_time: Any, tmp_path: Path) -> Any:
    def make(key: str = "one", **allowed: Any) -> Pace:
        timing = Timing(fake_time.clock, fake_time.sleep, fake_time.chance)
        return Pace("acme", Allowance(**allowed), key, timing=timing, cache_dir=tmp_path / "pace")

    return make


@pytest.fixture
def client_of(wire: Any, fake_time: Any, pace_of: Any) -> Iterator[Any]:
    opened: list[HttpClient] = []

    def make(settings: dict[str, Any] | None = None, **allowed: Any) -> HttpClient:
        client = HttpClient(
            "acme",
            lambda: wire.url,
            ErrorTable(lambda call, answer: Reading(), {}, {}),
            settings=HttpSettings(gate=pace_of(**allowed), **(settings or {})),
            timing=Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
        )
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def test_calls_within_the_window_leave_at_once_and_the_next_one_waits(
    pace_of: Any, fake_time: Any
) -> None:
    pace = pace_of(calls=3, seconds=60)
    assert [pace.take() for _ in range(3)] == [0, 0, 0]
    assert 60 <= pace.take() <= 60 * 1.02 + 0.001


def test_in_no_window_are_there_more_calls_than_allowed(pace_of: Any, fake_time: Any) -> None:
    pace = pace_of(calls=7, seconds=10)
    left = []
    for number in range(100):
        pace.take()
        left.append(fake_time.now)
        fake_time.now += (number % 5) * 0.37
    for at in left:
        assert sum(at <= other < at + 10 for other in left) <= 7
    assert left[-1] - left[0] <= 100 / 7 * 10 * 1.03


def test_pacers_with_one_key_count_together_and_others_do_not(pace_of: Any, fake_time: Any) -> None:
    first, second, other = pace_of(calls=2), pace_of(calls=2), pace_of("another", calls=2)
    first.take()
    second.take()
    assert other.take() == 0
    assert first.take() >= 60


def test_threads_count_together(pace_of: Any, fake_time: Any) -> None:
    pace = pace_of(calls=40, seconds=60)
    threads = [threading.Thread(target=lambda: [pace.take() for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fake_time.sleeps == []
    assert pace.take() >= 60


CHILD = """
import sys
from pathlib import Path
from adapters.http import Timing
from adapters.pacing import Allowance, Pace
pace = Pace("acme", Allowance(daily=1000), "one", timing=Timing(), cache_dir=Path(sys.argv[1]))
for _ in range(20):
    pace.take()
"""


def test_processes_count_together(tmp_path: Path) -> None:
    folder = tmp_path / "pace"
    running = [subprocess.Popen([sys.executable, "-c", CHILD, str(folder)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    pace = Pace("acme", Allowance(daily=61), "one", timing=Timing(), cache_dir=folder)
    pace.take()
    with pytest.raises(QuotaError):
        pace.take()


def test_a_day_that_is_used_up_is_said_with_the_next_one(pace_of: Any, fake_time: Any) -> None:
    pace = pace_of(daily=2)
    pace.take()
    pace.take()
    with pytest.raises(QuotaError, match="the 2 calls to acme") as caught:
        pace.take()
    assert "2026-09-22 00:00 UTC" in caught.value.hint
    assert fake_time.sleeps == []
    fake_time.now += DAY - fake_time.now % DAY
    assert pace.take() == 0


def test_a_clock_that_was_set_back_does_not_stop_the_work(pace_of: Any, fake_time: Any) -> None:
    pace = pace_of(calls=1, seconds=60)
    pace.take()
    fake_time.now -= 3 * 3600
    assert pace.take() == 0


def test_a_damaged_file_counts_as_empty_and_is_for_its_owner_alone(
    pace_of: Any, tmp_path: Path
) -> None:
    pace = pace_of(calls=1)
    pace.take()
    (file,) = (tmp_path / "pace").glob("*.json")
    assert {each.stat().st_mode & 0o777 for each in (tmp_path / "pace").iterdir()} == {0o600}
    file.write_bytes(b'{"parts": \xff')
    assert pace.take() == 0


def test_a_count_that_hangs_elsewhere_is_said(
    pace_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "_LOCK_SECONDS", 0.05)
    pace = pace_of(calls=1)
    with (
        FileLock(tmp_path / "pace" / "pace-one.lock"),
        pytest.raises(UnavailableError, match="counting the calls"),
    ):
        pace.take()


def test_every_request_of_a_call_passes_the_gate(wire: Any, client_of: Any, fake_time: Any) -> None:
    wire.say(503).say(503).say(200, b"fine")
    assert client_of(calls=2, seconds=60).send(READ).body == b"fine"
    assert fake_time.sleeps[:2] == [0.5, 1]
    assert sum(fake_time.sleeps) >= 60


def test_waiting_at_the_gate_does_not_use_up_the_time_for_retries(
    wire: Any, client_of: Any, fake_time: Any
) -> None:
    client = client_of({"total_seconds": 30}, calls=1, seconds=3600)
    wire.say(200).say(503).say(200, b"fine")
    client.send(READ)
    assert client.send(READ).body == b"fine"


def test_a_write_beyond_the_day_never_leaves(wire: Any, client_of: Any) -> None:
    wire.always(200)
    client = client_of(daily=1)
    client.send(READ)
    with pytest.raises(QuotaError):
        client.send(WRITE)
    assert len(wire.seen) == 1
    assert client.calls.writes == 0
