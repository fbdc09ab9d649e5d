"""The workdays of a country and the times in which nothing is done: pure, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from policies.freezes import Anchor, Freeze, read_freeze
from policies.workdays import NotUnderstoodError, is_workday, read_country, year_of

__all__ = ["Anchor", "Calendar", "Freeze", "NotUnderstoodError", "read_country", "read_freeze"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The calendar of a country or of one of its parts: `CN`, `DE-BY`."""

    country: str
    freeze: tuple[Freeze, ...] = ()

    def is_workday(self, day: date) -> bool:
        return is_workday(self.country, day)

    def frozen(self, day: date) -> Freeze | None:
        """The first freeze that the day is in."""
        return next((item for item in self.freeze if item.covers(day, self.country)), None)

    def is_open(self, day: date) -> bool:
        """May a customer be acted upon on this day?"""
        return self.is_workday(day) and self.frozen(day) is None

    def workday_index(self, first: date, last: date) -> tuple[tuple[date, int], ...]:
        """Each day with the number of workdays from `first` to it, both included; the difference
        of two is the number of workdays after the one up to the other."""
        rows: list[tuple[date, int]] = []
        total = 0
        for number in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(number)
            total += self.is_workday(day)
            rows.append((day, total))
        return tuple(rows)

    def workdays_between(self, a: date, b: date) -> int:
        """How many workdays d there are with a < d <= b; below zero when b is before a."""
        if b < a:
            return -self.workdays_between(b, a)
        days = range(a.toordinal() + 1, b.toordinal() + 1)
        return sum(self.is_workday(date.fromordinal(number)) for number in days)

    def add_workdays(self, day: date, n: int) -> date:
        """The n-th workday after the day, or before it if n is below zero; the day itself for 0.
        At the ends of time it stays there."""
        step = _DAY if n > 0 else -_DAY
        left = abs(n)
        while left and date.min < day < date.max:
            day += step
            left -= self.is_workday(day)
        return day

    def uncovered_years(self, first: date, last: date) -> tuple[int, ...]:
        """The years whose days off are not known, or not yet settled (调休)."""
        years = range(first.year, last.year + 1)
        return tuple(year for year in years if not self._covers(year))

    def _covers(self, year: int) -> bool:
        known = year_of(self.country, year)
        return bool(known.holidays) and known.arranged

    def meaning(self) -> list[object]:
        """What decides, for hashing."""
        return [self.country, [item.meaning() for item in self.freeze]]
