from datetime import date
from decimal import Decimal

import pytest

from connector.guard import (
    Amount,
    BandCount,
    OwnerCount,
    pause,
    tripped_band,
    tripped_cap,
    tripped_money,
    tripped_owner_cap,
    tripped_owner_total,
    tripped_total,
)
from policies.calendar import Calendar
from policies.freezes import read_freeze
from policies.model import EXITS, KINDS, RETIRED, Limit, Limits, OwnerLimit

HALF = Decimal("0.5")
CHINA = Calendar(
    "CN", (read_freeze("2026-03-02..2026-03-03", "CN"), read_freeze("春节 -2..0", "CN"))
)


@pytest.mark.parametrize(
    ("limits", "kind", "entering", "customers", "phrase"),
    [
        (Limits(), "void", 900, 1_000, ""),
        (Limits(count=10), "void", 0, 1_000, ""),
        (Limits(count=10), "void", 10, 1_000, ""),
        (Limits(count=10), "void", 11, 1_000, "11 > 10"),
        (Limits(share=Decimal("0.05")), "void", 50, 1_000, ""),
        (Limits(share=Decimal("0.05")), "void", 51, 1_000, "51 > 5% * 1000"),
        (Limits(share=Decimal("0.025")), "void", 26, 1_000, "26 > 2.5% * 1000"),
        (Limits(share=Decimal("0.05")), "void", 50, 99, ""),
        (Limits(share=Decimal("0.05")), "void", 50, 100, "50 > 5% * 100"),
        (Limits(count=10, share=Decimal("0.05")), "tier", 900, 1_000, ""),
        (Limits(rules={"r": Limit(count=5)}), "tier", 6, 1_000, "6 > 5"),
        (Limits(count=10, rules={"r": Limit(count=50)}), "void", 11, 1_000, ""),
        (Limits(count=10, rules={"r": Limit(share=Decimal("0.5"))}), "void", 11, 1_000, "11 > 10"),
        (Limits(count=10, rules={"other": Limit(count=1)}), "void", 10, 1_000, ""),
    ],
)
def test_a_cap_trips_just_above_its_limit(
    limits: Limits, kind: str, entering: int, customers: int, phrase: str
) -> None:
    assert tripped_cap(limits, "r", kind, entering, customers) == phrase


@pytest.mark.parametrize(
    ("limits", "moving", "phrase"),
    [
        (Limits(), 1_000, ""),
        (Limits(count=10), 10, ""),
        (Limits(count=10), 11, "*: 11 > 10"),
        (Limits(share=Decimal("0.05")), 51, "*: 51 > 5% * 1000"),
        (Limits(rules={"r": Limit(count=1)}), 11, ""),
    ],
)
def test_the_total_of_all_rules_trips_just_above_its_limit(
    limits: Limits, moving: int, phrase: str
) -> None:
    assert tripped_total(limits, moving, 1_000) == phrase


def test_the_total_of_an_owner_trips_just_above_its_limit() -> None:
    limits = Limits(owner=OwnerLimit(count=5))
    assert tripped_owner_total(limits, [OwnerCount("a", 5, 9)]) == ""
    assert tripped_owner_total(limits, [OwnerCount("a", 6, 9)]) == "*: a: 6 > 5"
    assert tripped_owner_total(Limits(), [OwnerCount("a", 6, 9)]) == ""


@pytest.mark.parametrize(
    ("own", "kind", "owners", "phrase"),
    [
        (None, "void", [("a", 900, 1_000)], ""),
        (OwnerLimit(count=5), "void", [], ""),
        (OwnerLimit(count=5), "void", [("a", 5, 9), ("b", 5, 5)], ""),
        (OwnerLimit(count=5), "void", [("a", 5, 9), ("b", 6, 9)], "b: 6 > 5"),
        (OwnerLimit(count=5), "tier", [("a", 900, 1_000)], ""),
        (OwnerLimit(count=5), "pool", [("a", 6, 9)], "a: 6 > 5"),
        (OwnerLimit(count=5), RETIRED, [("a", 6, 9)], "a: 6 > 5"),
        (OwnerLimit(share=HALF), "task", [("a", 4, 8), ("b", 1, 1)], ""),
        (OwnerLimit(share=HALF), "task", [("a", 5, 9)], "a: 5 > 50% * 9"),
        (OwnerLimit(count=5, share=HALF), "task", [("a", 5, 9)], "a: 5 > 50% * 9"),
        (OwnerLimit(count=4, share=HALF), "task", [("a", 5, 90)], "a: 5 > 4"),
    ],
)
def test_an_owners_cap_trips_just_above_its_limit(
    own: OwnerLimit | None, kind: str, owners: list[tuple[str, int, int]], phrase: str
) -> None:
    counted = [OwnerCount(*item) for item in owners]
    assert tripped_owner_cap(Limits(owner=own), kind, counted) == phrase
    assert tripped_owner_cap(Limits(owner=own), kind, counted[::-1]) == phrase


def test_the_owner_with_the_most_customers_is_named_and_of_equals_the_first() -> None:
    owners = [OwnerCount("c", 7, 9), OwnerCount("b", 8, 9), OwnerCount("a", 8, 9)]
    assert tripped_owner_cap(Limits(owner=OwnerLimit(count=5)), "void", owners) == "a: 8 > 5"


# Of a band: how many of it move, of how many that it has, and how many move of whom it is unknown.
@pytest.mark.parametrize(
    ("own", "moving", "doubtful", "of", "customers", "phrase"),
    [
        (Limit(count=2), 2, 0, 9, 9, ""),
        (Limit(count=2), 3, 0, 9, 9, "value = A: 3 > 2"),
        (Limit(count=2), 1, 1, 9, 9, ""),
        (Limit(count=2), 1, 2, 9, 9, "value = A: 1 + 2 ? > 2"),
        (Limit(count=2), 0, 3, 0, 9, "value = A: 0 + 3 ? > 2"),
        (Limit(share=HALF), 5, 0, 10, 100, ""),
        (Limit(share=HALF), 6, 0, 10, 100, "value = A: 6 > 50% * 10"),
        (Limit(share=HALF), 6, 0, 10, 99, ""),
        (Limit(share=HALF), 1, 0, 1, 100, ""),
        (Limit(share=HALF), 2, 0, 3, 100, "value = A: 2 > 50% * 3"),
        (Limit(share=HALF), 0, 1, 0, 100, ""),
        (Limit(share=HALF), 0, 2, 0, 100, "value = A: 0 + 2 ? > 50% * 0"),
        (Limit(count=7, share=HALF), 8, 0, 10, 100, "value = A: 8 > 7"),
        (Limit(count=7, share=HALF), 6, 0, 10, 100, "value = A: 6 > 50% * 10"),
    ],
)
def test_a_cap_of_a_band_trips_just_above_its_limit(
    own: Limit, moving: int, doubtful: int, of: int, customers: int, phrase: str
) -> None:
    limits = Limits(tiers={"value": {"A": own}})
    band = BandCount("value", "A", moving, doubtful, of)
    assert tripped_band(limits, [band], customers) == phrase


def test_the_first_band_that_is_above_its_cap_is_named() -> None:
    limits = Limits(tiers={"value": {"A": Limit(count=5), "B": Limit(count=1), "C": Limit(1)}})
    bands = [BandCount("value", name, 3, 0, 9) for name in "ABC"]
    assert tripped_band(limits, bands, 27) == "value = B: 3 > 1"


@pytest.mark.parametrize(
    ("amount", "currency", "phrase"),
    [
        (Amount(Decimal(0), 0), "", ""),
        (Amount(Decimal("1000.0000"), 0, ("EUR",)), "CNY", ""),
        (Amount(Decimal("1000.0001"), 0), "", "money: 1000.0001 > 1000"),
        (Amount(Decimal(2000), 0), "CNY", "money: 2000 > 1000 CNY"),
        (Amount(Decimal(2000), 3), "CNY", "money: 2000 + 3 ? > 1000 CNY"),
        (Amount(Decimal(5), 1), "", "money: 5 + 1 ? > 1000"),
        (Amount(Decimal(5), 0, ("", "EUR", "USD")), "", "money: ? + EUR + USD > 1000"),
    ],
)
def test_a_cap_by_money_trips_just_above_its_limit_and_where_nobody_can_tell(
    amount: Amount, currency: str, phrase: str
) -> None:
    assert tripped_money(Decimal(1000), amount, currency) == phrase


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2026, 3, 4), ""),
        (date(2026, 3, 7), "day_off"),
        (date(2026, 2, 28), ""),  # a Saturday that is worked
        (date(2026, 3, 2), "2026-03-02..2026-03-03"),
        (date(2026, 2, 17), "春节 -2..0"),
        (date(2026, 2, 13), "春节 -2..0"),
        (date(2026, 10, 1), "day_off"),
    ],
)
def test_what_ends_a_relation_rests_on_days_off_and_in_freezes(day: date, reason: str) -> None:
    assert {kind: pause(CHINA, kind, day) for kind in KINDS} == {
        kind: reason if kind in EXITS else "" for kind in KINDS
    }


def test_without_a_calendar_there_is_no_day_off() -> None:
    assert pause(None, "void", date(2026, 10, 1)) == ""
