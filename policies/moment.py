"""The moment that a run is made for, local days and windows, and how complete each source is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

MAX_OFFSETS = 12
OFFSET_YEARS = 30
# What lies before is no moment of a customer, but how a program writes that there is none.
FIRST_YEAR = 1900
_ONE_DAY = timedelta(days=1)


def utc_without_zone(moment: datetime) -> datetime:
    """The moment as the warehouse writes it. One that has no zone is in UTC already."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


@dataclass(frozen=True)
class AsOf:
    """An instant, and the zone whose calendar days count.

    `known_by`: what was seen later does not count either; None: everything seen so far does.
    """

    moment: datetime
    zone: str
    known_by: datetime | None = None

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            message = "the moment of a run needs a time zone"
            raise ValueError(message)

    @classmethod
    def midnight(cls, day: date, zone: str) -> AsOf:
        """The moment at which the local day `day` begins."""
        return cls(local_midnight(day, ZoneInfo(zone)), zone)

    @property
    def replayed(self) -> AsOf:
        """The same moment, decided from what had been seen by then."""
        return replace(self, known_by=self.moment)

    @cached_property
    def utc(self) -> datetime:
        """The moment as the warehouse writes it: UTC without a zone."""
        return utc_without_zone(self.moment)

    @cached_property
    def day(self) -> date:
        return self.moment.astimezone(self._zone).date()

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def window_day(self, days: int) -> date:
        """The first local day of a window of `days` days."""
        return self.day - timedelta(days=days)

    def window_start(self, days: int) -> datetime:
        """The first instant of a window of `days` days, in UTC without a zone."""
        return self.day_start(self.window_day(days))

    def day_start(self, day: date) -> datetime:
        """The first instant of a local day, in UTC without a zone."""
        return utc_without_zone(local_midnight(day, self._zone))

    @cached_property
    def offsets(self) -> tuple[tuple[datetime, int], ...]:
        """Since when (UTC without a zone) which offset in seconds holds, the newest first.

        The last `MAX_OFFSETS` of them within `OFFSET_YEARS` before the moment.
        """
        return tuple(_offsets(self.utc, self._zone))

    def local_day(self, moment: datetime) -> date:
        """The local day of an instant that is written in UTC, with or without its zone."""
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(self._zone).date()


def _offset(clock: datetime, zone: ZoneInfo) -> timedelta:
    """Of an instant in UTC; as `fromutc` wants it, `clock` carries the zone for which it asks."""
    return zone.fromutc(clock).utcoffset() or timedelta()


def _offsets(moment: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, int]]:
    """Walk back day by day; where the offset of a day differs, the change lies in between."""
    found = 0
    clock = moment.replace(tzinfo=zone)
    offset = _offset(clock, zone)
    for _ in range(OFFSET_YEARS * 365):
        before = clock - _ONE_DAY
        earlier = _offset(before, zone)
        if earlier != offset:
            yield _change(before, clock, zone), round(offset.total_seconds())
            found += 1
            offset = earlier
        if found == MAX_OFFSETS:
            return
        clock = before
    yield clock.replace(tzinfo=None), round(offset.total_seconds())


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second at which the offset is that of `after`, in UTC without a zone."""
    start = before.replace(microsecond=0)
    low, high = 0, round((after - start).total_seconds()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        changed = _offset(start + timedelta(seconds=middle), zone) == _offset(after, zone)
        low, high = (low, middle) if changed else (middle, high)
    return (start + timedelta(seconds=high)).replace(tzinfo=None)


@cache
def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which a local day begins.

    Where clocks jump over midnight, `fold=0` reads the skipped time with the offset that was
    valid before the jump, which is the jump itself: the first instant of that day.
    """
    return datetime.combine(day, time.min, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class SourceState:
    """`complete`: pulled in full. `since`: the first day that it covers, None = all days.
    `pulled_at`: when it was pulled last. `untold`: the columns that no mapping fills."""

    complete: bool
    since: date | None = None
    pulled_at: datetime | None = None
    untold: frozenset[str] = frozenset()

    @property
    def from_the_beginning(self) -> bool:
        return self.complete and self.since is None

    def covers(self, first_day: date | None) -> bool:
        """Is everything known from `first_day` on (None: from the beginning)?"""
        if not self.complete or self.since is None:
            return self.complete
        return first_day is not None and first_day >= self.since
