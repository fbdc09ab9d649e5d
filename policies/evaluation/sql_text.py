"""Constants, types, moments and local days as text of DuckDB SQL."""

from __future__ import annotations

from datetime import date, datetime

from policies.language.number_text import Value, scalar_text
from policies.language.vocabulary import SQL_TYPES, Type
from policies.moment import AsOf

# Sums are wider than the money that they are made of.
_INPUT_TYPES = {**SQL_TYPES, Type.MONEY: "DECIMAL(38,4)"}


def input_type(kind: Type) -> str:
    """The type of a column of `inputs`."""
    return _INPUT_TYPES[kind]


def literal(value: Value) -> str:
    """A constant as SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return scalar_text(value)


def moment_literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


def date_literal(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def day_in_zone(moment: str, zone: str) -> str:
    """The calendar day of a timestamp in UTC, as a zone counts it."""
    return f"CAST(({moment} AT TIME ZONE 'UTC') AT TIME ZONE {literal(zone)} AS DATE)"


def local_day(as_of: AsOf, moment: str, *, future: bool = False) -> str:
    """The local day of an instant; `future`: it may lie behind the moment of the run.

    DuckDB's time zones cost more than all else in `inputs`; adding an offset costs nothing. They
    are asked only for instants outside of the known offsets.
    """
    zoned = day_in_zone(moment, as_of.zone)
    cases = " ".join(
        f"WHEN {moment} >= {moment_literal(start)} "
        f"THEN CAST({moment} + to_seconds({offset}) AS DATE)"
        for start, offset in as_of.offsets
    )
    later = f"WHEN {moment} >= {moment_literal(as_of.utc)} THEN {zoned} " if future else ""
    return f"CASE {later}{cases} ELSE {zoned} END"
