"""The workdays of a country and the times in which nothing is done: pure, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from policies.freezes import Freeze
from policies.workdays import is_workday, year_of


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
