"""How fast a server may be asked: calls in a window and calls a day, by all processes together."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from adapters.cache_file import CacheFile
from adapters.http import Timing
from connector.errors import QuotaError

_log = logging.getLogger("highseas.pacing")
# A window is counted in this many parts: the file stays small, and a wait is at most this share
# of the window longer than it had to be.
_PARTS = 50
_LOCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `calls` in any `seconds`, and `daily` from one UTC midnight to the next."""

    calls: int | None = None
    seconds: float = 60.0
    daily: int | None = None


class _Spent(msgspec.Struct, frozen=True):
    """What the file holds. `parts`: how many calls left in each part of the window, by its number
    since 1970."""

    parts: dict[int, int] = {}
    day: str = ""
    today: int = 0


class Pace:
    """Lets calls pass one by one. `key` names the file: one for each server and set of
    credentials. Safe to use from several threads."""

    def __init__(
        self,
        vendor: str,
        allowance: Allowance,
        key: str,
        *,
        timing: Timing,
        cache_dir: Path | None = None,
    ) -> None:
        self._vendor = vendor
        self._allowance = allowance
        self._timing = timing
        self._lock = threading.Lock()
        self._file = CacheFile(cache_dir, "pace", f"pace-{key}", _Spent, _LOCK_SECONDS)

    def take(self) -> float:
        """Wait until one more call may leave, and say for how many seconds that was.

        Raises QuotaError when the day's calls are used up.
        """
        begun = self._timing.clock()
        while True:
            free_at = self._taken()
            now = self._timing.clock()
            if free_at is None:
                return now - begun
            _log.debug("%s: waiting %.1f s for the next call", self._vendor, free_at - now)
            self._timing.sleep(max(free_at - now, 0.001))

    def _taken(self) -> float | None:
        """None when the call may leave and is counted; otherwise when to ask again."""
        with self._lock, self._file.locked(f"counting the calls to {self._vendor}"):
            now = self._timing.clock()
            spent = self._recent(self._file.load(), now)
            daily = self._allowance.daily
            if daily is not None and spent.today >= daily:
                raise self._used_up(daily, now)
            free_at = self._free_at(spent)
            if free_at is None:
                self._file.store(self._with_one_more(spent, now))
            return free_at

    @property
    def _part_seconds(self) -> float:
        return self._allowance.seconds / _PARTS

    def _recent(self, spent: _Spent, now: float) -> _Spent:
        """Without what is over. Nor with what lies ahead: this machine's clock was set back."""
        newest = int(now / self._part_seconds)
        oldest = int((now - self._allowance.seconds) / self._part_seconds)
        parts = {part: calls for part, calls in spent.parts.items() if oldest <= part <= newest}
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        return _Spent(parts, day, spent.today if spent.day == day else 0)

    def _free_at(self, spent: _Spent) -> float | None:
        if self._allowance.calls is None or sum(spent.parts.values()) < self._allowance.calls:
            return None
        # The oldest part has left the window as a whole when its last moment has.
        return (min(spent.parts) + 1) * self._part_seconds + self._allowance.seconds

    def _with_one_more(self, spent: _Spent, now: float) -> _Spent:
        part = int(now / self._part_seconds)
        parts = {**spent.parts, part: spent.parts.get(part, 0) + 1}
        return _Spent(
            parts if self._allowance.calls is not None else {}, spent.day, spent.today + 1
        )

    def _used_up(self, daily: int, now: float) -> QuotaError:
        today = datetime.fromtimestamp(now, UTC).date()
        return QuotaError(
            f"the {daily} calls to {self._vendor} that its description allows a day are used up",
            f"a new day begins at {today + timedelta(days=1)} 00:00 UTC: run the command again"
            " then, it goes on where it stopped",
        )
