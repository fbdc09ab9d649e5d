"""Rows of the facts tables as a case file writes them, read strictly by the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from policies.authoring.case_time import FORMS, CaseMoment, parse_days, parse_moment
from policies.errors import Problem
from policies.language.number_text import scalar_text
from policies.language.vocabulary import TABLES, Type
from policies.suggestion import nearest
from policies.yaml_source import Document, PathKey

MAX_TIMES = 1_000

# Filled in by the reader itself, or of no meaning for a decision.
_OWN = frozenset({"customer", "key", "object", "source", "version", "modified_at"})
_SUFFIXES = ("_at", "_on", "_id", "_key")
_OTHER_NAMES = {"happened_at": "at", "first_seen_on": "known_since"}
_REPEAT = ("times", "every")
YES = frozenset({"yes", "是", "ja"})
NO = frozenset({"no", "否", "nein"})


@cache
def column_names(table: str) -> Mapping[str, str]:
    """Every name that a case may use for a column: its own, and a short one."""
    columns = [item.name for item in TABLES[table].columns if item.name not in _OWN]
    if TABLES[table].is_event or table == "customers":
        columns.remove("id")
    short = {_short(name): name for name in columns}
    return {**short, **{name: name for name in columns}}


def _short(name: str) -> str:
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    ending = next((item for item in _SUFFIXES if name.endswith(item)), "")
    return name.removesuffix(ending)


@dataclass
class RowReader:
    """Reads rows of one document; what is wrong is collected in `problems`."""

    document: Document
    today: date
    zone: str
    problems: list[Problem] = field(default_factory=list)

    def complain(
        self, path: PathKey, message: str, suggestion: str = "", *, key: bool = False
    ) -> None:
        self.problems.append(self.document.problem(path, message, suggestion, key=key))

    def mapping(self, path: PathKey, value: object) -> dict[str, Any]:
        """A mapping, or nothing and a problem; an empty value is an empty mapping."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.complain(path, "expected keys and values")
        return {}

    def sequence(self, path: PathKey, value: object) -> list[Any]:
        if isinstance(value, list):
            return value
        if value is not None:
            self.complain(path, "expected a list", "write [ ... ] or a line with - for each")
        return []

    def row(self, table: str, path: PathKey, value: object) -> dict[str, Any]:
        """One row with every column of its table; columns that were not written are None."""
        names = column_names(table)
        row: dict[str, Any] = {item.name: None for item in TABLES[table].columns}
        for name, written in self.mapping(path, value).items():
            where: PathKey = (*path, name)
            if name not in names:
                self.complain(where, f"unknown key '{name}'", nearest(name, names), key=True)
            else:
                row[names[name]] = self.value(table, names[name], where, written)
        return row

    def events(self, table: str, path: PathKey, value: object) -> Iterator[dict[str, Any]]:
        """The rows of one customer; `times` and `every` repeat one."""
        for place, item in enumerate(self.sequence(path, value)):
            where: PathKey = (*path, place)
            written = dict(self.mapping(where, item))
            repeat = {name: written.pop(name) for name in _REPEAT if name in written}
            row = self.row(table, where, written)
            if "at" not in written and "happened_at" not in written:
                self.complain(where, "this row says not when it happened", "add at: 2026-05-01")
            yield from self._repeated(where, row, repeat)

    def _repeated(
        self, path: PathKey, row: dict[str, Any], repeat: Mapping[str, object]
    ) -> Iterator[dict[str, Any]]:
        times, every = repeat.get("times", 1), 0
        if type(times) is not int or not 1 <= times <= MAX_TIMES:
            self.complain((*path, "times"), f"expected a whole number from 1 to {MAX_TIMES}")
            times = 1
        if "every" in repeat:
            days = parse_days(str(repeat["every"]))
            if days is None:
                self.complain((*path, "every"), "expected a number of days", "write 30 days")
            every = days or 0
        happened = row["happened_at"]
        for place in range(times):
            moved: dict[str, Any] = {"id": f"{'-'.join(map(str, path))}-{place}"}
            if isinstance(happened, datetime):
                moved["happened_at"] = happened + timedelta(days=every * place)
            yield {**row, **moved}

    def value(self, table: str, column: str, path: PathKey, value: object) -> Any:
        """One value by the type of its column; None after a problem."""
        if value is None:
            return None
        item = TABLES[table].column(column)
        found, expectation = _READERS[item.type](self, path, value)
        if expectation:
            self.complain(path, expectation)
        elif item.values and found not in item.values:
            self.complain(
                path, f"'{found}' is not a value of {column}", nearest(found, item.values)
            )
        return found

    def moment(self, path: PathKey, value: object) -> CaseMoment | None:
        found = parse_moment(value, self.today) if isinstance(value, str) else None
        if found is None:
            self.complain(path, f"'{value}' is no day or moment", FORMS)
        return found


_Read = tuple[Any, str]


def _text(_reader: RowReader, _path: PathKey, value: object) -> _Read:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return scalar_text(value), ""
    return (value, "") if isinstance(value, str) else ("", "expected text")


def _integer(_reader: RowReader, _path: PathKey, value: object) -> _Read:
    return (value, "") if type(value) is int else (None, "expected a whole number")


def _number(_reader: RowReader, _path: PathKey, value: object) -> _Read:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value), ""
    return None, "expected a number"


def _boolean(_reader: RowReader, _path: PathKey, value: object) -> _Read:
    truth = truth_of(value)
    return truth, "" if truth is not None else "expected yes or no"


def _date(reader: RowReader, path: PathKey, value: object) -> _Read:
    found = reader.moment(path, value)
    if found is None:
        return None, ""
    return found.day, "this is a day, without a time" if found.clock else ""


def _moment(reader: RowReader, path: PathKey, value: object) -> _Read:
    found = reader.moment(path, value)
    return None if found is None else found.instant(reader.zone), ""


def _tags(_reader: RowReader, _path: PathKey, value: object) -> _Read:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(value)), ""
    return [], "expected a list of tags"


def _fields(reader: RowReader, path: PathKey, value: object) -> _Read:
    found: dict[str, str] = {}
    for name, item in reader.mapping(path, value).items():
        if isinstance(item, dict | list):
            reader.complain((*path, name), "expected one value")
        elif item is not None:
            found[name] = _field_text(item, reader.today)
    return found, ""


def _field_text(value: object, today: date) -> str:
    """A custom field as the CRM's text; a distance from the day of the run becomes a date."""
    text = scalar_text(value)
    moment = parse_moment(text, today)
    if moment is None or moment.clock is not None or text[:4].isdigit():
        return text
    return moment.day.isoformat()


_READERS: Mapping[Type, Callable[[RowReader, PathKey, object], _Read]] = {
    Type.TEXT: _text,
    Type.INTEGER: _integer,
    Type.NUMBER: _number,
    Type.MONEY: _number,
    Type.BOOLEAN: _boolean,
    Type.DATE: _date,
    Type.MOMENT: _moment,
    Type.TAGS: _tags,
    Type.FIELDS: _fields,
}


def truth_of(value: object) -> bool | None:
    """`true`, `yes`, 是 and their opposites."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else None
    return True if word in YES else False if word in NO else None
