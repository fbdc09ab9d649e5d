"""Spans of time in a policy: units, names of units in two languages, limits."""

from __future__ import annotations

import pytest

from policies.duration import Duration, parse_duration
from policies.errors import NotUnderstoodError


@pytest.mark.parametrize(
    ("text", "duration", "shown"),
    [
        ("180 days", Duration(180, "days"), "180 days"),
        ("1 day", Duration(1, "days"), "1 day"),
        ("7workdays", Duration(7, "workdays"), "7 workdays"),
        ("1 workday", Duration(1, "workdays"), "1 workday"),
        (" 30 Seconds ", Duration(30, "seconds"), "30 seconds"),
        ("2 hours", Duration(2, "hours"), "2 hours"),
        ("7 个工作日", Duration(7, "workdays"), "7 workdays"),
        ("30天", Duration(30, "days"), "30 days"),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, duration: Duration, shown: str) -> None:
    assert parse_duration(text) == duration
    assert str(duration) == shown


@pytest.mark.parametrize(
    ("text", "units", "message", "suggestion"),
    [
        ("soon", ("days",), "expected a number and a unit, found 'soon'", "write 10 days"),
        ("5", ("days",), "expected a number and a unit, found '5'", "write 10 days"),
        ("1.5 days", ("days",), "expected a number and a unit", "write 10 days"),
        ("7 dys", ("days", "workdays"), "'7 dys' is in no unit", "did you mean 'days'?"),
        ("7 hours", ("days", "workdays"), "'7 hours' is in no unit", "valid here: days, workdays"),
        ("0 days", ("days",), "'0 days' is no time to wait", "from 1 to 36,500 days"),
        ("99999 days", ("days",), "'99999 days' is no time to wait", "from 1 to 36,500 days"),
    ],
)
def test_anything_else_says_what_to_write(
    text: str, units: tuple[str, ...], message: str, suggestion: str
) -> None:
    with pytest.raises(NotUnderstoodError) as raised:
        parse_duration(text, units)
    assert raised.value.message.startswith(message)
    assert raised.value.suggestion == suggestion
