"""Real signals to this process, as a run that asks and as one that does not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.interrupt import SIGNALS, stop_signal

each_signal = pytest.mark.parametrize("number", SIGNALS)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What listens afterwards is what listened before."""
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@each_signal
def test_a_run_that_asks_is_told_and_not_interrupted(number: signal.Signals) -> None:
    with stop_signal(lambda: False) as should_stop:
        assert not should_stop()
        signal.raise_signal(number)
        assert should_stop()


@each_signal
def test_a_run_that_never_asked_is_interrupted_at_once(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), stop_signal(lambda: False):
        signal.raise_signal(number)


def test_whoever_is_asked_twice_is_interrupted_at_once() -> None:
    with stop_signal(lambda: False) as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_run_may_be_asked_elsewhere(tmp_path: Path) -> None:
    asked = tmp_path / "stop"
    with stop_signal(asked.exists) as should_stop:
        assert not should_stop()
        asked.touch()
        assert should_stop()
