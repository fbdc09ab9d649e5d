"""What holds for a whole policy: its calendar, its money and its groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import available_timezones

from policies.calendar import Calendar
from policies.errors import ConfigurationError, FileProblems, NotUnderstoodError
from policies.freezes import Freeze, read_freeze
from policies.language.vocabulary import EVENTS
from policies.loader.draft import Draft
from policies.loader.ledger import Ledger, Place, Placed
from policies.loader.schema import RateShape
from policies.money import ExchangeRate, Money, read_currency, read_rates
from policies.suggestion import nearest
from policies.workdays import read_country
from policies.yaml_source import read_text_file

T = TypeVar("T")

MAX_RATE = 10**10
RATE_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a policy, read."""

    calendar: Calendar | None
    timezone: str | None
    money: Money | None
    group: frozenset[str]


def read_settings(draft: Draft, folders: Mapping[str, Path | None], ledger: Ledger) -> Settings:
    """`folders`: where the files beside a policy file stand, by its name."""
    zone = draft.calendar.get("timezone")
    return Settings(
        _calendar(draft, ledger),
        None if zone is None else _timezone(zone, ledger),
        _money(draft, folders, ledger),
        _group(draft, ledger),
    )


def _timezone(item: Placed[str | list[str]], ledger: Ledger) -> str | None:
    name = str(item.value)
    if name in available_timezones():
        return name
    hint = nearest(name, available_timezones()) or "such as Asia/Shanghai or Europe/Berlin"
    ledger.add(item.place, f"'{name[:60]}' is no time zone", hint)
    return None


def _read(read: Callable[[str], T], place: Place, text: object, ledger: Ledger) -> T | None:
    """What the text stands for; None, and a problem, if it is not understood."""
    try:
        return read(str(text))
    except NotUnderstoodError as refusal:
        ledger.add(place, refusal.message, refusal.suggestion)
        return None


def _calendar(draft: Draft, ledger: Ledger) -> Calendar | None:
    freeze = draft.calendar.get("freeze")
    country = draft.calendar.get("holidays")
    if country is None:
        if freeze is not None and not draft.partial:
            ledger.add(freeze.place, "freeze: needs to know whose holidays", "add holidays: CN")
        return None
    code = _read(read_country, country.place, country.value, ledger)
    if code is None:
        return None
    return Calendar(code, _freezes(freeze, code, ledger) if freeze is not None else ())


def _freezes(item: Placed[str | list[str]], country: str, ledger: Ledger) -> tuple[Freeze, ...]:
    read = partial(read_freeze, country=country)
    found = (
        _read(read, item.place.at(number), text, ledger) for number, text in enumerate(item.value)
    )
    return tuple(freeze for freeze in found if freeze is not None)


def _money(draft: Draft, folders: Mapping[str, Path | None], ledger: Ledger) -> Money | None:
    rates = draft.money.get("rates")
    base = draft.money.get("base")
    if base is None:
        if rates is not None and not draft.partial:
            ledger.add(rates.place, "rates: needs a base currency", "add base: CNY")
        elif rates is not None and not isinstance(rates.value, str):
            _inline_rates(rates.place, rates.value, "", ledger)
        return None
    code = _read(read_currency, base.place, base.value, ledger)
    if code is None or rates is None:
        return None if code is None else Money(code)
    if isinstance(rates.value, str):
        folder = folders.get(rates.place.document.name)
        return Money(code, _rates_of_file(rates.place, rates.value, folder, code, ledger))
    return Money(code, _inline_rates(rates.place, rates.value, code, ledger))


def _rates_of_file(
    place: Place, name: str, folder: Path | None, base: str, ledger: Ledger
) -> tuple[ExchangeRate, ...]:
    if folder is None or Path(name).is_absolute() or not name.strip() or "\0" in name:
        hint = "write rates: rates.csv, beside the policy, or a list of rates"
        ledger.add(place, "the rates stand in a file beside the policy", hint)
        return ()
    try:
        return read_rates(read_text_file(folder / name, name), name, base)
    except FileProblems as refusal:
        ledger.problems += refusal.problems
    except ConfigurationError as refusal:
        ledger.add(place, refusal.message, refusal.hint)
    return ()


def _inline_rates(
    place: Place, rates: list[RateShape], base: str, ledger: Ledger
) -> tuple[ExchangeRate, ...]:
    found: dict[tuple[str, date], ExchangeRate] = {}
    for number, item in enumerate(rates):
        rate = _inline_rate(place.at(number), item, ledger)
        if rate is None:
            continue
        if rate.currency == base:
            message = f"{base} is the base currency"
            ledger.add(place.at(number, "currency"), message, "its rate is 1: leave it out")
        elif (rate.currency, rate.since) in found:
            ledger.add(place.at(number), f"{rate.currency} has a rate of this day already")
        found[rate.currency, rate.since] = rate
    return tuple(sorted(found.values()))


def _inline_rate(place: Place, item: RateShape, ledger: Ledger) -> ExchangeRate | None:
    before = len(ledger.problems)
    since, rate = date.min, Decimal(item.rate)
    try:
        since = date.fromisoformat(item.date)
    except ValueError:
        ledger.add(place.at("date"), f"'{item.date[:40]}' is no date", "write it as 2026-01-31")
    currency = _read(read_currency, place.at("currency"), item.currency, ledger) or ""
    if not 0 < rate < MAX_RATE or rate != round(rate, RATE_DECIMALS):
        hint = f"a number above 0 with at most {RATE_DECIMALS} decimals, such as 7.1884"
        ledger.add(place.at("rate"), "this is no rate", hint)
    return None if len(ledger.problems) > before else ExchangeRate(currency, since, rate)


def _group(draft: Draft, ledger: Ledger) -> frozenset[str]:
    if draft.group is None:
        return frozenset()
    for number, name in enumerate(draft.group.value):
        if name not in EVENTS:
            place = draft.group.place.at(number)
            ledger.add(place, f"there are no facts '{name[:60]}'", nearest(name, EVENTS))
    return frozenset(draft.group.value)
