"""What a policy wants to know of the customers beyond what the mapping fills. Costs time at
staging, so that only what is wanted is made."""

from __future__ import annotations

from dataclasses import dataclass

PHONE_VALID, EMAIL_VALID, MASS, BURST = "phone_valid", "email_valid", "mass", "burst"
DERIVABLE = frozenset({PHONE_VALID, EMAIL_VALID, MASS, BURST})


@dataclass(frozen=True, slots=True)
class Needs:
    """`fields`: the CRM's own fields by API name or path (`Owner.id`). `derive`: which derived
    columns, of `DERIVABLE`. `region`: the two letters of the country that phone numbers without a
    country belong to; without it they are neither valid nor invalid."""

    fields: frozenset[str] = frozenset()
    derive: frozenset[str] = frozenset()
    region: str | None = None

    def __post_init__(self) -> None:
        if unknown := self.derive - DERIVABLE:
            raise ValueError(f"nothing derives {', '.join(sorted(unknown))}")

    @property
    def derived(self) -> frozenset[str]:
        """What is made: a burst is told apart from a mass edit."""
        return self.derive | ({MASS} if BURST in self.derive else frozenset())


NO_NEEDS = Needs()
