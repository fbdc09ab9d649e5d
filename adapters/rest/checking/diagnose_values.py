"""What the rows of a page show of the fields and moments that a description names. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from adapters.rest.checking.findings import counted, failed, listing, ok, warning
from adapters.rest.paths import MISSING, look, steps
from adapters.rest.pulling.moments import change_stamp, moment_of
from adapters.rest.schema.call_description import Form
from adapters.rest.schema.object_description import FieldForm, FieldType, Modified
from connector.ports import Finding

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
# Only what cannot be anybody's name is shown, and of its digits none.
_MOMENT = re.compile(r"[\d:.+\-TZ /]{4,40}")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
_AHEAD = timedelta(minutes=10)

Row = Mapping[str, Any]


def _is_whole(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and _WHOLE.fullmatch(value) is not None)


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} or (
        isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    )


def _is_date(value: Any) -> bool:
    """A number is one too: seconds since 1970."""
    try:
        return type(value) is int or datetime.fromisoformat(value) is not None
    except (TypeError, ValueError):
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or type(value) in {int, float}


_TYPES: Mapping[FieldType, Callable[[Any], bool]] = {
    "text": _is_text,
    "choice": _is_text,
    "integer": _is_whole,
    "number": _is_number,
    "money": _is_number,
    "boolean": lambda value: isinstance(value, bool) or value in ("true", "false"),
    "date": _is_date,
    "datetime": _is_date,
    "tags": lambda value: isinstance(value, list | str),
    "reference": lambda value: isinstance(value, str | dict) or type(value) is int,
}


def field_findings(
    part: str, fields: Mapping[str, FieldForm], rows: Sequence[Row], known: Sequence[str]
) -> Iterator[Finding]:
    """Fields that are described and not there, or of another type; and those that are there and
    not described. `known`: paths that the description uses elsewhere."""
    values = {name: _values(rows, name) for name in fields}
    absent = [name for name, found in values.items() if not found]
    if absent:
        yield warning(
            part,
            f"described, and in none of {counted(len(rows), 'row')}: {listing(absent)} "
            "(another name, or not for these credentials)",
        )
    for name, form in fields.items():
        yield from _type_findings(f"{part}.{name}", form, values[name])
    empty = [name for name, found in values.items() if found and not _filled(found)]
    seen = len(fields) - len(absent) - len(empty)
    if fields:
        text = f"{seen} of {counted(len(fields), 'described field')} seen with a value"
        yield ok(part, f"{text}; empty in every row: {listing(empty)}" if empty else text)
    used = {steps(path)[0] for path in (*fields, *known) if path}
    others = sorted({str(name) for row in rows for name in row} - used)
    if others:
        yield ok(part, f"there, and not described: {listing(others)}")


def modified_findings(
    part: str, modified: Modified, rows: Sequence[Row], zone: tzinfo, now: datetime | None
) -> Iterator[Finding]:
    """Whether the moments of change can be read, how they are written, and whether their zone can
    be right: none lies ahead of the CRM's own clock."""
    values = [change_stamp(row, modified) or None for row in rows]
    moments = [moment_of(value, modified.form, zone) for value in values]
    if not any(moments):
        yield failed(
            part, f"no row has a moment at '{modified.path}' that reads as {modified.form.value}"
        )
        return
    unread = sum(moment is None for moment in moments)
    if unread:
        yield warning(
            part,
            f"{counted(unread, 'row')} of {len(rows)} without a moment that can be read"
            + ("" if modified.created else ": is it null until the first change? name `created`"),
        )
    sample = next(value for value, moment in zip(values, moments, strict=True) if moment)
    if modified.form is Form.ISO and not _OFFSET.search(str(sample)):
        yield warning(part, "moments have no offset: say `as: utc`, or `as: local`")
    latest = max(moment for moment in moments if moment)
    if now is not None and latest > now + _AHEAD:
        yield warning(part, "some lie ahead of the CRM's own clock: `as` or `timezone` is wrong")
    shape = _MOMENT.fullmatch(str(sample))
    form = f", written like {re.sub('[0-9]', '9', str(sample))}" if shape else ""
    yield ok(part, f"moments of change can be read{form}")


def ascending(keys: Sequence[Any]) -> bool | None:
    """Do they rise, as numbers or as texts? None when there are too few to tell."""
    texts = [str(key) for key in keys if key is not MISSING and key is not None]
    if len(texts) < 2:
        return None
    if all(map(_WHOLE.fullmatch, texts)):
        numbers = [int(text) for text in texts]
        return all(a < b for a, b in pairwise(numbers))
    # collations differ in case and signs
    plain = [re.sub("[^0-9a-z]", "", text.lower()) for text in texts]
    return all(a <= b for a, b in pairwise(plain))


def falling(keys: Sequence[Any]) -> bool:
    return ascending(list(reversed(keys))) is True


def _values(rows: Sequence[Row], path: str) -> list[Any]:
    found = (look(row, path) for row in rows)
    return [value for value in found if value is not MISSING]


def _filled(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None and value != ""]


def _type_findings(part: str, form: FieldForm, values: list[Any]) -> Iterator[Finding]:
    filled = _filled(values)
    others = [value for value in filled if not _fits(value, form.type)]
    if others:
        kinds = sorted({_kind(value) for value in others})
        yield warning(
            part,
            f"described as {form.type}, and {' or '.join(kinds)} in {len(others)} of "
            f"{counted(len(filled), 'row')}",
        )
    if form.options and not others:
        strangers = sum(str(value) not in form.options for value in filled)
        if strangers:
            yield warning(part, f"{counted(strangers, 'row')} with a value outside of its options")


def _fits(value: Any, kind: FieldType) -> bool:
    fits = _TYPES.get(kind)
    return fits is None or fits(value)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "another text"
        case list():
            return "a list"
        case _:
            return "an object"
