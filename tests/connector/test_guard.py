from decimal import Decimal

import pytest

from connector.guard import tripped_cap
from policies.model import Limit, Limits


@pytest.mark.parametrize(
    ("limits", "kind", "entering", "customers", "phrase"),
    [
        (Limits(), "void", 900, 1_000, ""),
        (Limits(count=10), "void", 0, 1_000, ""),
        (Limits(count=10), "void", 10, 1_000, ""),
        (Limits(count=10), "void", 11, 1_000, "11 > 10"),
        (Limits(share=Decimal("0.05")), "void", 50, 1_000, ""),
        (Limits(share=Decimal("0.05")), "void", 51, 1_000, "51 > 5% of 1000"),
        (Limits(share=Decimal("0.025")), "void", 26, 1_000, "26 > 2.5% of 1000"),
        (Limits(share=Decimal("0.05")), "void", 50, 99, ""),
        (Limits(share=Decimal("0.05")), "void", 50, 100, "50 > 5% of 100"),
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
