"""Times in which nothing is done to a customer: around a holiday, at the end of a period, or
between two dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from policies.errors import NotUnderstoodError
from policies.suggestion import nearest
from policies.workdays import (
    fold,
    holiday_names,
    is_workday,
    usual_names,
)

MAX_DAYS = 60

_DAY = timedelta(days=1)
_FORM = "write a name and days before and after, such as `春节 -5..+7`, or two dates"
_AROUND = re.compile(r"(.*\S)\s+([+-]?\d{1,3})\s*\.\.\s*([+-]?\d{1,3})")
_BETWEEN = re.compile(r"(\d{4}-\d\d-\d\d)\s*\.\.\s*(\d{4}-\d\d-\d\d)")
_SIGNS = str.maketrans("\uff0d\uff0b\u2212\u2013", "-+--")


class Anchor(StrEnum):
    """What a freeze is counted from."""

    HOLIDAY = "holiday"
    MONTH_END = "month-end"
    QUARTER_END = "quarter-end"
    YEAR_END = "year-end"
    DATES = "dates"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time without acts. `before` and `after`: days from the first and from the last day of the
    anchor. `names`: the holiday's names. `first` and `last`: the dates of a fixed one."""

    text: str
    anchor: Anchor
    before: int = 0
    after: int = 0
    names: frozenset[str] = frozenset()
    first: date = date.min
    last: date = date.max

    @property
    def name(self) -> str:
        """What it is counted from, as the author wrote it."""
        match = _AROUND.fullmatch(self.text)
        return match.group(1) if match and self.anchor is Anchor.HOLIDAY else self.anchor.value

    def covers(self, day: date, country: str) -> bool:
        """Is the day in it?"""
        if self.anchor is Anchor.DATES:
            return self.first <= day <= self.last
        return any(
            (first - day).days <= -self.before and (day - last).days <= self.after
            for first, last in self._spans(day, country)
        )

    def _spans(self, day: date, country: str) -> Iterator[tuple[date, date]]:
        years = range(max(day.year - 1, date.min.year), min(day.year + 1, date.max.year) + 1)
        for year in years:
            if self.anchor is Anchor.HOLIDAY:
                yield from _days_off(self.names, country, year)
            else:
                yield from ((end, end) for end in _ends(year, _MONTHS[self.anchor]))

    def meaning(self) -> list[object]:
        """What decides, for hashing."""
        dates = [self.first.isoformat(), self.last.isoformat()]
        return [self.anchor.value, self.before, self.after, sorted(self.names), *dates]


_MONTHS = {
    Anchor.MONTH_END: range(1, 13),
    Anchor.QUARTER_END: range(3, 13, 3),
    Anchor.YEAR_END: range(12, 13),
}


def _ends(year: int, months: Iterable[int]) -> Iterator[date]:
    for month in months:
        yield date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - _DAY


def _days_off(names: frozenset[str], country: str, year: int) -> Iterator[tuple[date, date]]:
    """The unbroken runs of days off that hold the holiday: what people call its days off."""
    known = holiday_names(country, year)
    days = {day for name in names for day in known.get(name, frozenset())}
    for day in sorted(days):
        yield _run_end(day, -_DAY, country), _run_end(day, _DAY, country)


def _run_end(day: date, step: timedelta, country: str) -> date:
    while date.min < day < date.max and not is_workday(country, day + step):
        day += step
    return day


def read_freeze(text: str, country: str) -> Freeze:
    """Read one line of `calendar: freeze:` for the calendar of a country."""
    written = " ".join(text.translate(_SIGNS).split())
    between = _BETWEEN.fullmatch(written)
    if between:
        return _between(written, *between.groups())
    around = _AROUND.fullmatch(written)
    if not around:
        raise NotUnderstoodError(f"'{text}' is no time to freeze", _FORM)
    name, before, after = around.group(1), int(around.group(2)), int(around.group(3))
    if before > after:
        raise NotUnderstoodError(f"'{text}' ends before it begins", f"write {after}..{before}")
    if max(abs(before), abs(after)) > MAX_DAYS:
        raise NotUnderstoodError(
            f"'{text}' reaches too far", f"at most {MAX_DAYS} days before and after"
        )
    anchor = _ANCHORS.get(fold(name))
    if anchor is not None:
        return Freeze(written, anchor, before, after)
    return Freeze(written, Anchor.HOLIDAY, before, after, _holiday(name, country))


def _between(text: str, first: str, last: str) -> Freeze:
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise NotUnderstoodError(f"'{text}' holds a day that does not exist") from None
    if start > end:
        raise NotUnderstoodError(f"'{text}' ends before it begins", f"write {last}..{first}")
    return Freeze(text, Anchor.DATES, first=start, last=end)


def _holiday(name: str, country: str) -> frozenset[str]:
    """The names in the library of what the author calls by one name."""
    usual = usual_names(country)
    asked = fold(name)
    for group in _SAME:
        found = usual & set(group)
        if asked in group and found:
            return found
    if asked in usual:
        return frozenset({asked})
    known = {alias for group in _SAME if usual & set(group) for alias in group}
    hint = nearest(asked, {*usual, *known, *_ANCHORS})
    raise NotUnderstoodError(f"'{name}' is no public holiday of {country}", hint or _FORM)


_ANCHORS = {
    "month-end": Anchor.MONTH_END,
    "月末": Anchor.MONTH_END,
    "月底": Anchor.MONTH_END,
    "monatsende": Anchor.MONTH_END,
    "quarter-end": Anchor.QUARTER_END,
    "季末": Anchor.QUARTER_END,
    "季度末": Anchor.QUARTER_END,
    "quartalsende": Anchor.QUARTER_END,
    "year-end": Anchor.YEAR_END,
    "年末": Anchor.YEAR_END,
    "年底": Anchor.YEAR_END,
    "jahresende": Anchor.YEAR_END,
}
# One holiday in the words of different languages, folded; the library's own are among them.
_SAME = (
    ("元旦", "新年", "new year's day", "new year", "neujahr", "neujahrstag"),
    ("春节", "农历新年", "spring festival", "chinese new year", "lunar new year", "frühlingsfest"),
    ("清明节", "清明", "tomb-sweeping day", "qingming", "qingmingfest"),
    ("劳动节", "五一", "labor day", "labour day", "may day", "erster mai", "tag der arbeit"),
    ("端午节", "端午", "dragon boat festival", "drachenbootfest"),
    ("中秋节", "中秋", "mid-autumn festival", "mondfest"),
    (
        "国庆节",
        "国庆",
        "十一",
        "national day",
        "nationalfeiertag",
        "tag der deutschen einheit",
        "german unity day",
        "independence day",
        "国家日",
    ),
    (
        "圣诞节",
        "圣诞",
        "christmas",
        "christmas day",
        "second day of christmas",
        "weihnachten",
        "erster weihnachtstag",
        "zweiter weihnachtstag",
        "christtag",
        "weihnachtstag",
    ),
    ("复活节", "easter", "easter monday", "ostern", "ostermontag", "karfreitag", "good friday"),
    ("pfingsten", "whitsun", "whit monday", "pentecost", "pfingstmontag"),
)
