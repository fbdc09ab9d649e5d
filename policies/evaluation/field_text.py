"""Fields of the CRM as text, and the one way of reading them as numbers, days and moments.

Both back ends read by these patterns, so that neither guesses what the other refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from types import MappingProxyType

from policies.evaluation.sql_text import literal
from policies.language.number_size import FIELD_DIGITS
from policies.language.vocabulary import SQL_TYPES, Type
from policies.moment import utc_without_zone

_DAY = "(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_OFFSET = "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
_NUMBER = rf"[+-]?[0-9]{{1,{FIELD_DIGITS}}}(\.[0-9]{{1,12}})?"
PATTERNS: Mapping[Type, str] = MappingProxyType(
    {
        Type.INTEGER: rf"[+-]?[0-9]{{1,{FIELD_DIGITS}}}(\.0+)?",
        Type.NUMBER: _NUMBER,
        Type.MONEY: _NUMBER,
        Type.BOOLEAN: "true|false|True|False|TRUE|FALSE|1|0",
        Type.DATE: _DAY,
        Type.MOMENT: f"{_DAY}[T ]{_TIME}{_OFFSET}?",
    }
)
# An amount with more decimals than ours may need one digit more when it is rounded.
_WIDE = {Type.MONEY: "DECIMAL(38,4)"}
_YES = ("true", "1")


def field_sql(name: str, kind: Type) -> tuple[str, str]:
    """The field's text, NULL when blank, and its value, NULL when it cannot be read."""
    text = f"nullif(trim(c.fields[{literal(name)}]), '')"
    if kind is Type.TEXT:
        return text, text
    readable = f"regexp_full_match({text}, {literal(PATTERNS[kind])})"
    return text, f"CASE WHEN {readable} THEN {_value_sql(text, kind)} END"


def _value_sql(text: str, kind: Type) -> str:
    if kind is Type.BOOLEAN:
        return f"lower({text}) IN ('true', '1')"
    if kind is Type.INTEGER:
        return f"TRY_CAST(split_part({text}, '.', 1) AS BIGINT)"
    if kind is Type.MOMENT:
        offset = f"regexp_full_match({text}, {literal('.*' + _OFFSET)})"
        zoned = f"CASE WHEN {offset} THEN {text} ELSE {text} || 'Z' END"
        return f"TRY_CAST({zoned} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    return f"TRY_CAST({text} AS {_WIDE.get(kind, SQL_TYPES[kind])})"


def field_value(text: str | None, kind: Type) -> tuple[str | None, object]:
    """The same in Python."""
    held = (text or "").strip(" ") or None
    if held is None or kind is Type.TEXT:
        return held, held
    if not re.fullmatch(PATTERNS[kind], held):
        return held, None
    return held, _value(held, kind)


def _value(text: str, kind: Type) -> object:
    if kind is Type.BOOLEAN:
        return text.lower() in _YES
    if kind is Type.INTEGER:
        return int(text.partition(".")[0])
    if kind is Type.DATE:
        return _valid_day(text)
    if kind is Type.MOMENT:
        return _valid_moment(text)
    places = 4 if kind is Type.MONEY else 6
    return Decimal(text).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _valid_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _valid_moment(text: str) -> datetime | None:
    try:
        return utc_without_zone(datetime.fromisoformat(text))
    except ValueError:
        return None
