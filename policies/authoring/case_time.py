"""The moments of a case file: dates, local times and distances from the day of the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from policies.moment import FIRST_YEAR, AsOf, local_midnight, utc_without_zone

FORMS = "write 2026-05-01, 2026-05-01 10:00, 180 days ago, in 30 days or today"

_AGO = re.compile(r"([0-9]{1,5})\s*(?:days?\s+ago|天前)(?:\s+(.+))?", re.IGNORECASE)
_AHEAD = re.compile(r"(?:in\s+([0-9]{1,5})\s+days?|([0-9]{1,5})\s*天后)(?:\s+(.+))?", re.IGNORECASE)
_TODAY = re.compile(r"(?:today|今天)(?:\s+(.+))?", re.IGNORECASE)
_ABSOLUTE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T](.+))?")
_DURATION = re.compile(r"([0-9]{1,5})\s*(?:days?|天)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CaseMoment:
    """A local day, with the time of that day if one was written, and the offset if one was."""

    day: date
    clock: time | None = None

    def instant(self, zone: str) -> datetime:
        """UTC without a zone, as the warehouse holds it; a bare day is its local midnight."""
        local = ZoneInfo(zone)
        if self.clock is None:
            return utc_without_zone(local_midnight(self.day, local))
        written = datetime.combine(self.day, self.clock)
        aware = written if written.tzinfo else written.replace(tzinfo=local)
        return utc_without_zone(aware)


def parse_moment(text: str, today: date | None) -> CaseMoment | None:
    """Read any of `FORMS`; None for anything else, and for what lies too far away to be meant.
    Without `today` only absolute ones."""
    try:
        found = _parse(text.strip(), today)
    except (ValueError, OverflowError):
        return None
    if found is None or found.day.year < FIRST_YEAR:
        return None
    return None if found.clock and found.day.year == MAXYEAR else found


def _parse(text: str, today: date | None) -> CaseMoment | None:
    if match := _ABSOLUTE.fullmatch(text):
        return CaseMoment(date.fromisoformat(match[1]), _clock(match[2]))
    if today is None:
        return None
    if match := _TODAY.fullmatch(text):
        return CaseMoment(today, _clock(match[1]))
    if match := _AGO.fullmatch(text):
        return CaseMoment(today - timedelta(days=int(match[1])), _clock(match[2]))
    if match := _AHEAD.fullmatch(text):
        days = int(match[1] or match[2])
        return CaseMoment(today + timedelta(days=days), _clock(match[3]))
    return None


def _clock(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def parse_days(text: str) -> int | None:
    """`30 days` as a number."""
    match = _DURATION.fullmatch(text.strip())
    return int(match[1]) if match else None


def as_of_moment(text: str, zone: str) -> AsOf | None:
    """The moment of the cases: a day is its local midnight."""
    found = parse_moment(text, None)
    if found is None:
        return None
    return AsOf(found.instant(zone).replace(tzinfo=UTC), zone)
