"""Numbers and other scalars as text, one form for one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from policies.signs import plain_text

# What a number may be followed by, in lower case, and what it stands for.
UNITS: Mapping[str, Decimal] = MappingProxyType(
    {
        **dict.fromkeys(("", "days", "day", "d", "天", "日", "tage", "tagen"), Decimal(1)),
        **dict.fromkeys(("workdays", "workday", "工作日", "werktage", "werktagen"), Decimal(1)),
        **dict.fromkeys(("元", "rmb", "cny", "eur", "euro", "€", "usd"), Decimal(1)),
        **dict.fromkeys(("千", "k", "tsd"), Decimal(1_000)),
        **dict.fromkeys(("万", "萬"), Decimal(10_000)),
        **dict.fromkeys(("mio", "million"), Decimal(10**6)),
        **dict.fromkeys(("亿", "億"), Decimal(10**8)),
        **dict.fromkeys(("%", "prozent"), Decimal("0.01")),
    }
)
# Digits in groups of three, whole numbers and decimals, by both customs.
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_BY_POINTS = re.compile(r"[1-9]\d{0,2}(?:(?:\.\d{3})+,\d+|(?:\.\d{3}){2,})", re.ASCII)
_DECIMAL = re.compile(r"\d+(?:[.,]\d+)?", re.ASCII)
_WRITTEN = re.compile(r"(-?)(\d(?:[\d.,]{0,28}\d)?)\s*(\D{0,9})", re.ASCII)

Value = bool | int | Decimal | str


def shortest(value: Value) -> Value:
    """The number without decimals that say nothing; anything else as it is."""
    if not isinstance(value, Decimal):
        return value
    text = plain(value)
    return Decimal(text) if "." in text else int(text)


def plain(value: Decimal) -> str:
    """A decimal as text, without an exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def scalar_text(value: object) -> str:
    """A scalar of YAML as text again."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)


def number_meant(text: str) -> str:
    """The number that a text such as `60%`, `100,000`, `0,6` or `1.5万` stands for, as a condition
    has it; empty if it stands for none."""
    match = _WRITTEN.fullmatch(plain_text(text).strip())
    unit = UNITS.get(match.group(3).strip(" .").lower()) if match else None
    if match is None or unit is None:
        return ""
    digits = match.group(2)
    if _GROUPED.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _BY_POINTS.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif _DECIMAL.fullmatch(digits):
        digits = digits.replace(",", ".")
    else:
        return ""
    return match.group(1) + plain(Decimal(digits) * unit)
