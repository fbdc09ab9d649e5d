"""Spans of time as a policy writes them: `180 days`, `7 workdays`, `30 seconds`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.errors import NotUnderstoodError
from policies.suggestion import nearest

MAX_COUNT = 36_500

# Seconds, hours and days pass anywhere; workdays are those of the policy's calendar.
UNITS = ("seconds", "hours", "days", "workdays")

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **{unit: unit for unit in UNITS},
        **{unit.removesuffix("s"): unit for unit in UNITS},
        "秒": "seconds",
        "小时": "hours",
        "个小时": "hours",
        "天": "days",
        "日": "days",
        "工作日": "workdays",
        "个工作日": "workdays",
    }
)
_FORM = re.compile(r"([0-9]{1,9})\s*([^\W\d_]+)")


@dataclass(frozen=True, slots=True)
class Duration:
    """`count` whole units, one of UNITS."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count != 1 else self.unit.removesuffix('s')}"


def parse_duration(text: str, units: tuple[str, ...] = UNITS) -> Duration:
    """Read a span in one of these units. Raises `NotUnderstoodError`."""
    shown = text[:40]
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise NotUnderstoodError(
            f"expected a number and a unit, found '{shown}'", f"write 10 {units[0]}"
        )
    count, word = int(match.group(1)), match.group(2).lower()
    unit = _WORDS.get(word, word)
    if unit not in units:
        raise NotUnderstoodError(
            f"'{shown}' is in no unit that can be used here", nearest(word, units)
        )
    if not 1 <= count <= MAX_COUNT:
        raise NotUnderstoodError(f"'{shown}' is no time to wait", f"from 1 to {MAX_COUNT:,} {unit}")
    return Duration(count, unit)
