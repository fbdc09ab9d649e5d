"""Amounts in one base currency, by dated rates that a person wrote down: pure."""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cached_property
from itertools import groupby

from policies.errors import FileProblems, NotUnderstoodError, Problem
from policies.language.number_size import is_known
from policies.language.number_text import plain
from policies.language.vocabulary import Type

COLUMNS = ("date", "currency", "rate")

# An amount and a rate have at most 18 digits each, so that their product is exact.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_UP)
_SMALLEST = Decimal("0.0001")
_CODE = re.compile(r"[A-Z]{3}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RATE = re.compile(r"\d{1,10}(?:\.\d{1,8})?", re.ASCII)
_WORDS = {
    "rmb": "CNY",
    "人民币": "CNY",
    "元": "CNY",
    "\xa5": "CNY",
    "欧元": "EUR",
    "euro": "EUR",
    "\u20ac": "EUR",
    "美元": "USD",
    "dollar": "USD",
    "$": "USD",
    "港币": "HKD",
    "日元": "JPY",
    "英镑": "GBP",
    "\xa3": "GBP",
}


@dataclass(frozen=True, slots=True, order=True)
class ExchangeRate:
    """From this day on, one unit of the currency is worth `rate` units of the base."""

    currency: str
    since: date
    rate: Decimal


@dataclass(frozen=True)
class Money:
    """The base currency of a policy and what the others are worth."""

    base: str
    rates: tuple[ExchangeRate, ...] = ()

    def rate(self, currency: str | None, day: date | None) -> Decimal | None:
        """The last rate on or before the day; a blank currency is the base; None: not known."""
        if not currency or currency == self.base:
            return Decimal(1)
        if day is None:
            return None
        rates = self._by_currency.get(currency, ())
        place = bisect_right(rates, day, key=lambda item: item.since)
        return rates[place - 1].rate if place else None

    def converted(self, amount: Decimal, currency: str | None, day: date | None) -> Decimal | None:
        """The amount in the base currency, to four decimals, half away from zero; None: not known,
        or too large to be an amount."""
        rate = self.rate(currency, day)
        if rate is None:
            return None
        found = _CONTEXT.quantize(_CONTEXT.multiply(amount, rate), _SMALLEST)
        return found if is_known(found, Type.MONEY) else None

    def meaning(self) -> list[object]:
        """What decides, for hashing."""
        rates = [
            [item.currency, item.since.isoformat(), plain(item.rate)] for item in sorted(self.rates)
        ]
        return [self.base, rates]

    @cached_property
    def _by_currency(self) -> Mapping[str, tuple[ExchangeRate, ...]]:
        groups = groupby(sorted(self.rates), key=lambda item: item.currency)
        return {currency: tuple(rates) for currency, rates in groups}


def read_currency(text: str) -> str:
    """The code of a currency, ISO 4217: `CNY`."""
    code = _WORDS.get(text.strip().casefold())
    if code is None and _CODE.fullmatch(text):
        return text
    if code is None and _CODE.fullmatch(text.strip().upper()):
        code = text.strip().upper()
    hint = f"did you mean '{code}'?" if code else "three capital letters, such as CNY or EUR"
    raise NotUnderstoodError(f"'{text}' is no code of a currency", hint)


def read_rates(text: str, name: str, base: str) -> tuple[ExchangeRate, ...]:
    """The rates of a CSV file with the columns date, currency, rate. Raises `FileProblems`."""
    reader = _RateReader(name, base)
    rates = tuple(sorted(reader.rates(text)))
    if reader.problems:
        raise FileProblems(reader.problems)
    return rates


class _RateReader:
    """One pass over a file; a line with a problem is noted and left out."""

    def __init__(self, name: str, base: str) -> None:
        self._name = name
        self._base = base
        self._lines: dict[tuple[str, date], int] = {}
        self.problems: list[Problem] = []

    def rates(self, text: str) -> Iterator[ExchangeRate]:
        rows = self._rows(text)
        _, heads = next(rows, (1, []))
        columns = [head.casefold() for head in heads]
        if sorted(columns) != sorted(COLUMNS):
            self._problem(1, f"the first line is not {','.join(COLUMNS)}", "name the columns there")
            return
        for line, cells in rows:
            if len(cells) != len(columns):
                self._problem(line, f"expected {len(columns)} cells, found {len(cells)}")
                continue
            rate = self._rate(line, dict(zip(columns, cells, strict=True)))
            if rate is not None:
                yield rate

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(text.removeprefix("\ufeff").splitlines(), strict=True)
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield reader.line_num, stripped
        except csv.Error as error:
            self._problem(reader.line_num, f"this is not readable CSV ({error})")

    def _rate(self, line: int, cells: Mapping[str, str]) -> ExchangeRate | None:
        before = len(self.problems)
        currency = self._currency(line, cells["currency"])
        since = self._since(line, cells["date"])
        rate = self._number(line, cells["rate"])
        if len(self.problems) > before:
            return None
        earlier = self._lines.setdefault((currency, since), line)
        if earlier != line:
            message = f"{currency} has a rate of this day already, in line {earlier}"
            self._problem(line, message, "keep one of them")
            return None
        return ExchangeRate(currency, since, rate)

    def _currency(self, line: int, text: str) -> str:
        try:
            currency = read_currency(text)
        except NotUnderstoodError as refusal:
            self._problem(line, refusal.message, refusal.suggestion)
            return ""
        if currency == self._base:
            self._problem(line, f"{currency} is the base currency", "its rate is 1: leave it out")
        return currency

    def _since(self, line: int, text: str) -> date:
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self._problem(line, f"'{text}' is no date", "write it as 2026-01-31")
        return date.min

    def _number(self, line: int, text: str) -> Decimal:
        rate = Decimal(text) if _RATE.fullmatch(text) else Decimal(0)
        if rate <= 0:
            hint = "a number above 0 with at most 8 decimals and a point, such as 7.1884"
            self._problem(line, f"'{text}' is no rate", hint)
        return rate

    def _problem(self, line: int, message: str, suggestion: str = "") -> None:
        self.problems.append(Problem(self._name, line, 1, message, suggestion))
