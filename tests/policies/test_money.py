"""Amounts in the base currency: which rate counts, how it is rounded, what a file may hold."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import FileProblems, NotUnderstoodError
from policies.money import ExchangeRate, Money, read_currency, read_rates

RATES = """date,currency,rate
2026-01-01,EUR,7.8
2026-03-01,EUR,8.25
2026-01-01,USD,7.1884
"""


@pytest.fixture
def money() -> Money:
    return Money("CNY", read_rates(RATES, "rates.csv", "CNY"))


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), Decimal("7.8")),
        (date(2026, 2, 28), Decimal("7.8")),
        (date(2026, 3, 1), Decimal("8.25")),
        (date(2030, 1, 1), Decimal("8.25")),
    ],
)
def test_the_last_rate_on_or_before_the_day_counts(
    money: Money, day: date, rate: Decimal | None
) -> None:
    assert money.rate("EUR", day) == rate


def test_the_base_and_a_blank_currency_are_worth_one_on_every_day(money: Money) -> None:
    assert [money.rate(text, date.min) for text in ("CNY", "", None)] == [1, 1, 1]


def test_an_amount_without_a_rate_is_not_known(money: Money) -> None:
    assert money.converted(Decimal(5), "JPY", date(2026, 5, 1)) is None
    assert money.converted(Decimal(5), "EUR", date(2025, 5, 1)) is None


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("100", "780.0000"),
        ("0.0001", "0.0008"),
        ("-0.0001", "-0.0008"),
        ("12345678901234.5678", "96296295429629.6288"),
    ],
)
def test_amounts_have_four_decimals(money: Money, amount: str, expected: str) -> None:
    assert str(money.converted(Decimal(amount), "EUR", date(2026, 1, 5))) == expected


@pytest.mark.parametrize(("sign", "expected"), [("", "0.0001"), ("-", "-0.0001")])
def test_half_of_the_last_decimal_goes_away_from_zero(sign: str, expected: str) -> None:
    money = Money("CNY", (ExchangeRate("XXX", date(2026, 1, 1), Decimal("0.5")),))
    assert str(money.converted(Decimal(f"{sign}0.0001"), "XXX", date(2026, 1, 1))) == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("1000000.0000", "9999999999999999.9900"),
        ("-1000000.0000", "-9999999999999999.9900"),
        ("1000000.0001", None),
        ("99999999999999.9999", None),
    ],
)
def test_what_has_more_digits_than_an_amount_is_not_known(amount: str, expected: str) -> None:
    rate = Decimal("9999999999.99999999")
    money = Money("CNY", (ExchangeRate("XXX", date(2026, 1, 1), rate),))
    found = money.converted(Decimal(amount), "XXX", date(2026, 1, 1))
    assert (found and str(found)) == expected


def test_the_order_of_the_file_does_not_matter(money: Money) -> None:
    head, *lines = RATES.splitlines()
    turned = read_rates("\n".join([head, *reversed(lines)]), "rates.csv", "CNY")
    assert turned == money.rates
    assert Money("CNY", tuple(reversed(money.rates))).meaning() == money.meaning()
    assert money.meaning()[0] == "CNY"


def test_a_file_of_a_spreadsheet_is_read() -> None:
    text = "\ufeffCurrency,Rate,Date\r\nEUR, 7.8 ,2026-01-01\r\n,,\r\n"
    expected = (ExchangeRate("EUR", date(2026, 1, 1), Decimal("7.8")),)
    assert read_rates(text, "rates.csv", "CNY") == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-02-30,EUR,7.8", "'2026-02-30' is no date"),
        ("1.2.2026,EUR,7.8", "'1.2.2026' is no date"),
        ("2026-01-01,eur,7.8", "did you mean 'EUR'?"),
        ("2026-01-01,人民币,7.8", "did you mean 'CNY'?"),
        ("2026-01-01,CNY,1", "CNY is the base currency"),
        ("2026-01-01,EUR,0", "'0' is no rate"),
        ("2026-01-01,EUR,-7.8", "'-7.8' is no rate"),
        ("2026-01-01,EUR,7.123456789", "at most 8 decimals"),
        ('2026-01-01,EUR,"7,8"', "'7,8' is no rate"),
        ("2026-01-01,EUR,NaN", "'NaN' is no rate"),
        ("2026-01-01,EUR", "expected 3 cells, found 2"),
        ("2026-01-01,USD,7.5\n2026-01-01,USD,7.6", "USD has a rate of this day already, in line 3"),
        ('2026-01-01,EUR,"7.8', "not readable CSV"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line: str, message: str) -> None:
    text = f"date,currency,rate\n2025-01-01,EUR,7\n{line}\n"
    with pytest.raises(FileProblems, match=r"rates\.csv:[34]:1: ") as error:
        read_rates(text, "rates.csv", "CNY")
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "date;currency;rate\n", "date,currency\n"])
def test_a_file_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(FileProblems, match="the first line is not date,currency,rate"):
        read_rates(text, "rates.csv", "CNY")


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(FileProblems) as error:
        read_rates("date,currency,rate\nx,EUR,0\n2026-01-01,€,1\n", "rates.csv", "CNY")
    assert [item.line for item in error.value.problems] == [2, 2, 3]


def test_a_currency_is_a_code() -> None:
    assert read_currency("CNY") == "CNY"
    with pytest.raises(NotUnderstoodError) as error:
        read_currency("yuan")
    assert error.value.suggestion == "three capital letters, such as CNY or EUR"


@given(st.text(max_size=80))
def test_any_text_is_a_file_of_rates_or_a_list_of_problems(text: str) -> None:
    for content in (text, f"date,currency,rate\n{text}"):
        found = attempt(content)
        assert found.problems if isinstance(found, FileProblems) else all(r.rate > 0 for r in found)


def attempt(content: str) -> tuple[ExchangeRate, ...] | FileProblems:
    try:
        return read_rates(content, "rates.csv", "CNY")
    except FileProblems as refusal:
        return refusal


def test_a_common_name_that_looks_like_a_code_is_no_code() -> None:
    with pytest.raises(NotUnderstoodError) as raised:
        read_currency("RMB")
    assert raised.value.suggestion == "did you mean 'CNY'?"
