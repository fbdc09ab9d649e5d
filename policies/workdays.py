"""Days off of a country, from the `holidays` library: the only module that knows the library.

It is large, so that it is imported when the first day is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from policies.errors import NotUnderstoodError

if TYPE_CHECKING:
    from holidays import HolidayBase

_LANGUAGES = ("zh_CN", "en_US", "de")
# Countries that announce each year which weekend days are worked instead: without the
# announcement a year is a guess.
_ANNOUNCED_YEARLY = frozenset({"BY", "CN", "HU", "LV", "RU", "UZ", "VN"})
_SAMPLE = range(2020, 2031)
_REMARK = re.compile(r"\s*[(（].*$")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Year:
    """The days off of a year that have a name, and the weekend days that are worked."""

    holidays: frozenset[date]
    weekend: frozenset[int]
    worked: frozenset[date]
    arranged: bool


@cache
def year_of(country: str, year: int) -> Year:
    found = _load(country, year)
    announced = getattr(found, "special_public_holidays", {})
    known = country.partition("-")[0] not in _ANNOUNCED_YEARLY or year in announced
    return Year(
        frozenset(found), frozenset(found.weekend), frozenset(found.weekend_workdays), known
    )


def is_workday(country: str, day: date) -> bool:
    year = year_of(country, day.year)
    if day.weekday() in year.weekend:
        return day in year.worked
    return day not in year.holidays


@cache
def holiday_names(country: str, year: int) -> Mapping[str, frozenset[date]]:
    """The days of each holiday by its names, folded, in every language that is known."""
    names: dict[str, set[date]] = {}
    for language in (None, *_LANGUAGES):
        found = _load(country, year, language)
        for day in found:
            for name in found.get_list(day):
                for form in {name, _REMARK.sub("", name)}:
                    names.setdefault(fold(form), set()).add(day)
    return {name: frozenset(days) for name, days in names.items() if not _DIGIT.search(name)}


@cache
def usual_names(country: str) -> frozenset[str]:
    """The names of all holidays of the country in the years around now, folded."""
    return frozenset(name for year in _SAMPLE for name in holiday_names(country, year))


def fold(name: str) -> str:
    return " ".join(name.casefold().replace("’", "'").split())


def read_country(text: str) -> str:
    """The code of a country, with one of its parts if named: `CN`, `DE-BY`."""
    written, _, part = text.strip().partition("-")
    country = written.upper()
    codes = {names[1] for names in _registry().values()}
    if country not in codes:
        raise NotUnderstoodError(f"no calendar is known for '{text}'", _country_hint(written))
    if not part:
        return country
    parts = {item.casefold(): item for item in _library().country_holidays(country).subdivisions}
    if part.casefold() not in parts:
        raise NotUnderstoodError(f"'{part}' is no part of {country}", _part_hint(country, part))
    return f"{country}-{parts[part.casefold()]}"


def _country_hint(written: str) -> str:
    names = {name.replace("_", " "): codes[1] for name, codes in _registry().items()}
    names |= {code.casefold(): codes[1] for codes in _registry().values() for code in codes}
    names |= _NAMES
    close = difflib.get_close_matches(written.casefold(), names, n=1, cutoff=0.75)
    if close:
        return f"did you mean '{names[close[0]]}'?"
    return "write the code of a country, such as CN or DE-BY"


_NAMES = {
    "中国": "CN",
    "中国大陆": "CN",
    "香港": "HK",
    "台湾": "TW",
    "德国": "DE",
    "deutschland": "DE",
    "美国": "US",
    "usa": "US",
    "england": "GB",
    "uk": "GB",
    "österreich": "AT",
    "schweiz": "CH",
}


def _part_hint(country: str, part: str) -> str:
    of_country = _library().country_holidays(country)
    aliases = {name.casefold(): code for name, code in of_country.subdivisions_aliases.items()}
    if part.casefold() in aliases:
        return f"did you mean '{country}-{aliases[part.casefold()]}'?"
    codes = sorted(of_country.subdivisions)
    if not codes:
        return f"write {country}"
    return f"valid here: {', '.join(f'{country}-{code}' for code in codes)}"


def _load(country: str, year: int, language: str | None = None) -> HolidayBase:
    code, _, part = country.partition("-")
    library = _library()
    found: HolidayBase = library.country_holidays(
        code, subdiv=part or None, years=year, language=language, expand=False
    )
    return found


def _library() -> Any:
    return importlib.import_module("holidays")


def _registry() -> Mapping[str, tuple[str, ...]]:
    registry: Mapping[str, tuple[str, ...]] = importlib.import_module("holidays.registry").COUNTRIES
    return registry
