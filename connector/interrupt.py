"""How a run is asked to end: SIGTERM, Ctrl-C, or in whatever other way its caller names."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signal(asked_elsewhere: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """True once somebody asked this run to stop: by a signal, or elsewhere.

    A run that asks ends by itself between two calls; any other one, and whoever is asked twice,
    is interrupted at once.
    """
    asked: list[int] = []
    is_asking = False

    def remember(number: int, _frame: object) -> None:
        asked.append(number)
        if not is_asking or len(asked) > 1:
            raise KeyboardInterrupt

    def should_stop() -> bool:
        nonlocal is_asking
        is_asking = True
        return bool(asked) or asked_elsewhere()

    before = [(number, signal.signal(number, remember)) for number in SIGNALS]
    try:
        yield should_stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)
