"""Workdays with known facts, and the edges of freezes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.calendar import Calendar
from policies.errors import NotUnderstoodError
from policies.freezes import read_freeze
from policies.workdays import read_country, year_of

T = TypeVar("T")
CHINA = Calendar("CN")
BAVARIA = Calendar("DE-BY")
BERLIN = Calendar("DE-BE")


# State Council notices for 2025 and 2026.
@pytest.mark.parametrize(
    "day",
    ["2025-01-26", "2025-02-08", "2025-09-28", "2026-01-04", "2026-02-28", "2026-10-10"],
)
def test_a_weekend_day_that_was_swapped_is_worked(day: str) -> None:
    assert date.fromisoformat(day).weekday() >= 5
    assert CHINA.is_workday(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2025-01-28", "2025-02-04"),
        ("2025-05-01", "2025-05-05"),
        ("2025-10-01", "2025-10-08"),
        ("2026-01-01", "2026-01-03"),
        ("2026-02-15", "2026-02-23"),
        ("2026-10-01", "2026-10-07"),
    ],
)
def test_the_chinese_holidays_are_off_to_the_day(first: str, last: str) -> None:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    assert not any(CHINA.is_workday(day) for day in days)
    assert CHINA.is_workday(end + timedelta(days=1))


@pytest.mark.parametrize(
    ("day", "bavaria", "berlin"),
    [
        ("2026-01-06", False, True),  # Epiphany
        ("2026-06-04", False, True),  # Corpus Christi
        ("2027-03-08", True, False),  # Women's Day, a Monday
        ("2026-04-03", False, False),  # Good Friday
        ("2026-04-04", False, False),  # a Saturday
        ("2026-04-07", True, True),
    ],
)
def test_the_laender_have_their_own_holidays(day: str, bavaria: bool, berlin: bool) -> None:
    found = date.fromisoformat(day)
    assert (BAVARIA.is_workday(found), BERLIN.is_workday(found)) == (bavaria, berlin)


def test_workdays_pass_over_the_spring_festival() -> None:
    index = dict(CHINA.workday_index(date(2026, 2, 13), date(2026, 3, 2)))
    assert index[date(2026, 2, 14)] - index[date(2026, 2, 13)] == 1
    assert index[date(2026, 2, 23)] - index[date(2026, 2, 14)] == 0
    assert index[date(2026, 2, 24)] - index[date(2026, 2, 14)] == 1
    assert index[date(2026, 3, 2)] - index[date(2026, 2, 13)] == 7


def test_the_index_gives_every_difference() -> None:
    index = dict(CHINA.workday_index(date(2025, 12, 20), date(2026, 3, 10)))
    days = sorted(index)
    assert (days[0], days[-1]) == (date(2025, 12, 20), date(2026, 3, 10))
    for a in days[::7]:
        for b in (day for day in days if day >= a):
            between = sum(CHINA.is_workday(day) for day in days if a < day <= b)
            assert index[b] - index[a] == between


def test_the_ends_of_time_are_no_error() -> None:
    frozen = Calendar("CN", (read_freeze("year-end -5..+5", "CN"),))
    assert frozen.frozen(date.min) is None
    assert frozen.frozen(date.max) is not None
    festival = Calendar("DE-BY", (read_freeze("Weihnachten -1..+1", "DE-BY"),))
    assert festival.frozen(date.min) is None


def test_years_without_an_arrangement_are_named() -> None:
    last = max(year_of_arrangement())
    found = CHINA.uncovered_years(date(2025, 6, 1), date(last + 2, 1, 1))
    assert found == (last + 1, last + 2)
    assert CHINA.uncovered_years(date(1940, 1, 1), date(1940, 1, 1)) == (1940,)
    assert CHINA.uncovered_years(date(2025, 6, 1), date(2026, 12, 31)) == ()


def year_of_arrangement() -> list[int]:
    return [year for year in range(2001, 2060) if year_of("CN", year).arranged]


def test_a_country_without_swapped_days_is_covered_from_its_first_holidays_on() -> None:
    assert BAVARIA.uncovered_years(date(2026, 1, 1), date(2040, 1, 1)) == ()
    assert BAVARIA.uncovered_years(date(1900, 1, 1), date(1900, 1, 1)) == (1900,)


def spans(text: str, country: str, year: int) -> list[tuple[str, str]]:
    """First and last days of the freezes of a year."""
    calendar = Calendar(country, (read_freeze(text, country),))
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    found = [day for day in days if calendar.frozen(day)]
    starts = [day for day in found if calendar.frozen(day - timedelta(days=1)) is None]
    ends = [day for day in found if calendar.frozen(day + timedelta(days=1)) is None]
    return [(a.isoformat(), b.isoformat()) for a, b in zip(starts, ends, strict=False)]


@pytest.mark.parametrize(
    ("text", "country", "year", "expected"),
    [
        ("春节 -5..+7", "CN", 2025, [("2025-01-23", "2025-02-11")]),
        ("Spring Festival -5..+7", "CN", 2025, [("2025-01-23", "2025-02-11")]),
        ("Chinese New Year -5..7", "CN", 2025, [("2025-01-23", "2025-02-11")]),
        ("frühlingsfest \uff0d5..\uff0b7", "CN", 2025, [("2025-01-23", "2025-02-11")]),
        ("国庆 0..0", "CN", 2025, [("2025-10-01", "2025-10-08")]),
        ("National Day 1..2", "CN", 2025, [("2025-10-02", "2025-10-10")]),
        ("Ostern -1..+1", "DE-BY", 2026, [("2026-04-02", "2026-04-07")]),
        ("圣诞 0..0", "DE-BY", 2026, [("2026-12-25", "2026-12-27")]),
        ("Heilige Drei Könige 0..0", "DE-BY", 2026, [("2026-01-06", "2026-01-06")]),
        ("Epiphany -1..1", "DE-BY", 2026, [("2026-01-05", "2026-01-07")]),
        (
            "quarter-end -5..0",
            "CN",
            2026,
            [
                ("2026-03-26", "2026-03-31"),
                ("2026-06-25", "2026-06-30"),
                ("2026-09-25", "2026-09-30"),
                ("2026-12-26", "2026-12-31"),
            ],
        ),
        ("Jahresende -2 .. -1", "DE-BE", 2026, [("2026-12-29", "2026-12-30")]),
        ("年底 1..3", "CN", 2026, [("2026-01-01", "2026-01-03")]),
        ("2026-02-01 .. 2026-02-02", "DE-BE", 2026, [("2026-02-01", "2026-02-02")]),
    ],
)
def test_a_freeze_begins_and_ends_on_its_days(
    text: str, country: str, year: int, expected: list[tuple[str, str]]
) -> None:
    assert spans(text, country, year) == expected


def test_the_ends_of_months_follow_the_month() -> None:
    calendar = Calendar("CN", (read_freeze("month-end 0..0", "CN"),))
    days = [date(2028, 1, 1) + timedelta(days=number) for number in range(366)]
    ends = [day.day for day in days if calendar.frozen(day)]
    assert ends == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def test_a_frozen_day_names_its_freeze_and_is_not_open() -> None:
    freezes = (read_freeze("春节 -5..+7", "CN"), read_freeze("quarter-end -5..0", "CN"))
    calendar = Calendar("CN", freezes)
    assert calendar.frozen(date(2026, 3, 31)) is freezes[1]
    assert [item.name for item in freezes] == ["春节", "quarter-end"]
    assert read_freeze("2026-02-01..2026-02-02", "CN").name == "dates"


def test_the_same_freeze_in_other_words_means_the_same() -> None:
    chinese = Calendar("CN", (read_freeze("春节 -5..+7", "CN"),))
    english = Calendar("CN", (read_freeze("Spring  Festival -5 .. 7", "CN"),))
    assert chinese.meaning() == english.meaning()
    assert chinese.meaning() != Calendar("CN", (read_freeze("春节 -5..+8", "CN"),)).meaning()


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("春节", "'春节' is no time to freeze", "such as `春节 -5..+7`"),
        ("春节 7..-5", "'春节 7..-5' ends before it begins", "write -5..7"),
        ("春节 -100..0", "'春节 -100..0' reaches too far", "at most 60 days"),
        ("Sprig Festival 0..1", "'Sprig Festival' is no public holiday of CN", "'spring festival'"),
        ("quarterend 0..1", "'quarterend' is no public holiday of CN", "'quarter-end'"),
        ("圣诞 -1..1", "'圣诞' is no public holiday of CN", "two dates"),
        ("2026-02-30..2026-03-01", "holds a day that does not exist", ""),
        ("2026-03-02..2026-03-01", "ends before it begins", "write 2026-03-01..2026-03-02"),
    ],
)
def test_a_freeze_that_says_nothing_is_refused(text: str, message: str, suggestion: str) -> None:
    with pytest.raises(NotUnderstoodError) as error:
        read_freeze(text, "CN")
    assert message in error.value.message
    assert suggestion in error.value.suggestion


@pytest.mark.parametrize(
    ("text", "code"),
    [("CN", "CN"), (" cn ", "CN"), ("DE-BY", "DE-BY"), ("de-augsburg", "DE-Augsburg")],
)
def test_a_country_is_read_by_its_code(text: str, code: str) -> None:
    assert read_country(text) == code


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("China", "did you mean 'CN'?"),
        ("CHN", "did you mean 'CN'?"),
        ("中国", "did you mean 'CN'?"),
        ("Hong Kong", "did you mean 'HK'?"),
        ("DE-Bayern", "did you mean 'DE-BY'?"),
        ("DE-XX", "valid here: DE-Augsburg, DE-BB,"),
        ("CN-BJ", "write CN"),
        ("Germny", "did you mean 'DE'?"),
        ("CNN", "did you mean 'CN'?"),
        ("Atlantis", "write the code of a country, such as CN or DE-BY"),
    ],
)
def test_an_unknown_country_is_refused_with_the_nearest(text: str, suggestion: str) -> None:
    with pytest.raises(NotUnderstoodError) as error:
        read_country(text)
    assert suggestion in error.value.suggestion


def test_the_large_library_is_loaded_only_when_a_day_is_asked_for() -> None:
    code = (
        "import sys, policies.calendar as c; x = c.Calendar('CN'); assert 'holidays' not in "
        "sys.modules; x.is_workday(__import__('datetime').date(2026, 1, 1)); "
        "assert 'holidays' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"[春节a-z-]{0,8} [-+]?\d{1,4}\.\.[-+]?\d{1,4}"))
)
def test_any_text_is_a_freeze_or_a_plain_problem(text: str) -> None:
    found = attempt(lambda: read_freeze(text, "CN"))
    if isinstance(found, NotUnderstoodError):
        assert found.message
    else:
        assert found.covers(date(2026, 2, 17), "CN") in {True, False}


@given(st.text(max_size=12))
def test_any_text_is_a_country_or_a_plain_problem(text: str) -> None:
    found = attempt(lambda: read_country(text))
    if isinstance(found, NotUnderstoodError):
        assert found.suggestion
    else:
        assert year_of(found, 2026).weekend <= set(range(7))


def attempt(read: Callable[[], T]) -> T | NotUnderstoodError:
    try:
        return read()
    except NotUnderstoodError as refusal:
        return refusal
