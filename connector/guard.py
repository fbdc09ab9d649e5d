"""Before the first write: how many customers a rule may take at once, and on which days."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policies.calendar import Calendar
from policies.language.number_text import plain
from policies.model import EXITS, Limits, OwnerLimit

# Below this many customers a share says little: three of twenty are not a runaway rule.
SHARE_FLOOR = 100


# Stands before a cap that several rules exceed together.
TOGETHER = "*: "


def tripped_cap(limits: Limits, rule: str, kind: str, moving: int, customers: int) -> str:
    """The cap that a rule exceeds by itself, in one phrase with its numbers; empty if none.

    `moving` customers enter, leave or change their stage of the rule. The limits of the whole
    policy hold for each rule but those of kind `tier`: a tier relabels, and is capped only where
    the policy names it under `limits.rules`.
    """
    own = limits.rules.get(rule)
    count = own.count if own and own.count is not None else None
    share = own.share if own and own.share is not None else None
    if kind != "tier":
        count = limits.count if count is None else count
        share = limits.share if share is None else share
    return _exceeded(count, share, moving, customers)


def tripped_total(limits: Limits, moving: int, customers: int) -> str:
    """The cap of the whole policy, if it is exceeded by the customers who move in any rule of
    those without a limit of their own; empty if it is not."""
    phrase = _exceeded(limits.count, limits.share, moving, customers)
    return phrase and TOGETHER + phrase


def _exceeded(count: int | None, share: Decimal | None, moving: int, customers: int) -> str:
    if count is not None and moving > count:
        return f"{moving} > {count}"
    if share is not None and customers >= SHARE_FLOOR and moving > share * customers:
        return f"{moving} > {_percent(share)} * {customers}"
    return ""


# The periods of an owner's cap in days, the day of the plan among them; `run` is none.
PERIOD_DAYS = {"day": 1, "week": 7, "month": 30}


class OwnerCount(NamedTuple):
    """How many customers of one owner move, of how many that the owner has."""

    owner: str
    moving: int
    customers: int


def tripped_owner_cap(limits: Limits, kind: str, owners: Iterable[OwnerCount]) -> str:
    """The owner whose cap a rule exceeds most, in one phrase with its numbers; empty if none.

    A share lets at least one customer move. Tiers relabel, and are not capped by owner.
    """
    return "" if kind == "tier" else _exceeded_owner(limits.owner, owners)


def tripped_owner_total(limits: Limits, owners: Iterable[OwnerCount]) -> str:
    """The same of the customers who move in any of several rules."""
    phrase = _exceeded_owner(limits.owner, owners)
    return phrase and TOGETHER + phrase


def _exceeded_owner(own: OwnerLimit | None, owners: Iterable[OwnerCount]) -> str:
    if own is None:
        return ""
    for owner, moving, customers in sorted(owners, key=lambda item: (-item.moving, item.owner)):
        if own.count is not None and moving > own.count:
            return f"{owner}: {moving} > {own.count}"
        if own.share is not None and moving > 1 and moving > own.share * customers:
            return f"{owner}: {moving} > {_percent(own.share)} * {customers}"
    return ""


class BandCount(NamedTuple):
    """How many customers of a band move, of how many that it has; `doubtful` move too, and nobody
    can tell in which band of the tier they are."""

    tier: str
    band: str
    moving: int
    doubtful: int
    customers: int


def tripped_band(limits: Limits, bands: Iterable[BandCount], customers: int) -> str:
    """The first band whose cap the customers who move exceed, in one phrase with its numbers;
    empty if none. Whose band is not decided counts in each of them.

    A share lets at least one customer move.
    """
    for item in bands:
        own = limits.tiers[item.tier][item.band]
        moving = item.moving + item.doubtful
        figures = f"{item.tier} = {item.band}: {_doubted(str(item.moving), item.doubtful)}"
        if own.count is not None and moving > own.count:
            return f"{figures} > {own.count}"
        floor = customers >= SHARE_FLOOR and moving > 1
        if floor and own.share is not None and moving > own.share * item.customers:
            return f"{figures} > {_percent(own.share)} * {item.customers}"
    return ""


# Stands before sums of amounts.
MONEY = "money: "


class Amount(NamedTuple):
    """What the customers who move come to. Of so many of them it is `unknown`; `currencies` are
    those of the amounts, as far as they are not converted."""

    known: Decimal
    unknown: int
    currencies: tuple[str, ...] = ()


def tripped_money(at_most: Decimal, amount: Amount, currency: str = "") -> str:
    """The cap by money, if it is exceeded or nobody can tell that it is not, in one phrase with
    its numbers; empty if it is not."""
    limit = f"{plain(at_most)} {currency}".rstrip()
    if len(amount.currencies) > 1:
        listed = " + ".join(name or "?" for name in amount.currencies)
        return f"{MONEY}{listed} > {limit}"
    if amount.unknown or amount.known > at_most:
        return f"{MONEY}{_doubted(plain(amount.known), amount.unknown)} > {limit}"
    return ""


def _doubted(known: str, unknown: int) -> str:
    """A number and how many customers are not in it, though they may belong there."""
    return f"{known} + {unknown} ?" if unknown else known


# Stands before the channels by which contact is not logged.
NOT_LOGGED = "not_logged: "


def pause(calendar: Calendar | None, kind: str, day: date, not_logged: Collection[str] = ()) -> str:
    """Why a kind of rule rests on this day: `day_off`, or the freeze as it was written; empty if
    it does not. Only what ends a relation rests: labels and tasks go on.

    Where contact by some channel is `not_logged`, silence in the CRM is no proof of silence: what
    returns customers to a pool rests on every day, and is for review.
    """
    if kind == "pool" and not_logged:
        return NOT_LOGGED + ", ".join(not_logged)
    if calendar is None or kind not in EXITS:
        return ""
    freeze = calendar.frozen(day)
    if freeze is not None:
        return freeze.text
    return "" if calendar.is_workday(day) else "day_off"


@dataclass(frozen=True, slots=True)
class Rest:
    """What is asked once more while a plan is applied, for the day on which a call is made."""

    zone: str
    calendar: Calendar | None = None
    not_logged: tuple[str, ...] = ()
    _known: dict[tuple[str, date], str] = field(default_factory=dict, compare=False, repr=False)

    def reason(self, kind: str, moment: datetime) -> str:
        """Why a kind of rule rests at this moment, as `pause` says it; empty if it does not."""
        asked = kind, moment.astimezone(ZoneInfo(self.zone)).date()
        if asked not in self._known:
            self._known[asked] = pause(self.calendar, *asked, self.not_logged)
        return self._known[asked]


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
