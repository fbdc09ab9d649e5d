"""Numbers and other scalars as text, one form for one value."""

from __future__ import annotations

from decimal import Decimal

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
