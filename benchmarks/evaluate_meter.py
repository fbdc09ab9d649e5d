"""What a part of `evaluate.py` takes: seconds on the clock, seconds of work, memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


class Meter:
    """Wall and CPU seconds since the last lap, and the peak memory so far."""

    def __init__(self) -> None:
        self.laps: dict[str, Figures] = {}
        self._start = time.perf_counter(), time.process_time()

    def lap(self, name: str) -> None:
        """Laps of one name add up."""
        wall, cpu = time.perf_counter(), time.process_time()
        lap = self.laps.setdefault(name, {"wall": 0.0, "cpu": 0.0})
        lap["wall"] += wall - self._start[0]
        lap["cpu"] += cpu - self._start[1]
        self._start = wall, cpu

    def pause(self) -> None:
        """Leave out what was done since the last lap."""
        self._start = time.perf_counter(), time.process_time()

    def result(self) -> Figures:
        total = {kind: sum(lap[kind] for lap in self.laps.values()) for kind in ("wall", "cpu")}
        return {"laps": self.laps, **total, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """What the kernel noted for this program alone; `getrusage` would inherit the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
