"""Repeatable chance over a calendar that ends at one local midnight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.zoho.clock import OrgClock

DAY = 86_400
OPEN_STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")

Row = dict[str, Any]


@dataclass(frozen=True)
class Habit:
    """How a kind of customer behaves: shares of 1, days before today, orders, calls. `answers`: the
    part of the calls in which somebody was reached."""

    share: float
    age: tuple[int, int]
    last_order: tuple[int, int]
    orders: tuple[int, int]
    last_call: tuple[int, int]
    calls: tuple[int, int]
    open_deal: float
    answers: float = 0.7

    @property
    def buys(self) -> bool:
        return self.orders[1] > 0


@dataclass
class Customer:
    habit: Habit
    owner: str
    name: str
    born: int
    id: str = ""


class Draw:
    """Draws numbers, moments and money; the same ones for the same seed and day."""

    def __init__(self, seed: str | int, today: date, clock: OrgClock) -> None:
        self.random = Random(seed)  # noqa: S311 (repeatable on purpose, nothing secret)
        self.midnight = int(datetime.combine(today, time(), ZoneInfo(clock.zone_name)).timestamp())
        self._clock = clock

    def between(self, low: int, high: int) -> int:
        return low + int(self.random.random() * (high - low + 1))

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.random.random() * len(choices))]

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def moment(self, days: int, after: int = 0) -> int:
        """Return a working hour `days` before today, never before `after`."""
        return max(after, self.midnight - days * DAY + self.between(8 * 3_600, 18 * 3_600))

    def money(self) -> float:
        return round(self.random.lognormvariate(10.0, 1.1), 2)

    def text(self, moment: int) -> str:
        return self._clock.text(moment)

    def day(self, moment: int) -> str:
        return self.text(moment)[:10]


def made(owner: str, moment: int) -> Row:
    """Return who made a record, and when."""
    return {**dict.fromkeys(("Owner", "Created_By", "Modified_By"), owner), "Created_Time": moment}
