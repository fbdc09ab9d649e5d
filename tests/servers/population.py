"""Made-up companies with a past: the same for everybody who asks for the same count and day.

Nobody real: names say that they are examples, mail goes to example.com, and the telephone
numbers are those which Ofcom keeps for drama.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

State = Literal["open", "won", "lost"]

# (Ofcom, Telephone numbers for use in TV and radio drama programmes): a thousand numbers in each
DRAMA = (
    *("1134960", "1144960", "1154960", "1164960", "1174960", "1184960", "1214960", "1314960"),
    *("1414960", "1514960", "1614960", "1914980", "2079460", "1632960"),
)
PLACES = (("华东", "East"), ("华南", "South"), ("华北", "North"), ("西南", "West"))
TRADES = (("机械", "Machines"), ("电子", "Circuits"), ("纺织", "Cloth"), ("食品", "Food"))
OWNERS = ("u1", "u2", "u3")
QUIET = {0, 1, 2}
NEVER = 3


@dataclass(frozen=True)
class Activity:
    day: date
    kind: str
    text: str


@dataclass(frozen=True)
class Deal:
    day: date
    amount: Decimal
    state: State
    closed: date | None


@dataclass(frozen=True)
class Order:
    day: date
    amount: Decimal


@dataclass(frozen=True)
class Company:
    number: int
    name: str
    owner: str
    region: str
    industry: str
    created: date
    tags: tuple[str, ...]
    activities: tuple[Activity, ...]
    deals: tuple[Deal, ...]
    orders: tuple[Order, ...]

    @property
    def code(self) -> str:
        return f"C{self.number:05}"

    @property
    def email(self) -> str:
        return f"{self.code.lower()}@example.com"

    @property
    def phone(self) -> str:
        block, line = divmod(self.number, 1000)
        return f"+44{DRAMA[block % len(DRAMA)]}{line:03}"


def companies(count: int, today: date) -> Iterator[Company]:
    """Of ten, three fell silent more than 200 days ago, one never said a word, six are alive."""
    for number in range(1, count + 1):
        yield _company(number, today)


def _company(number: int, today: date) -> Company:
    place, trade = PLACES[number % len(PLACES)], TRADES[number // 4 % len(TRADES)]
    chinese = f"示例{place[0]}{trade[0]}有限公司{number}"
    english = f"Example {place[1]} {trade[1]} Ltd {number}"
    group = number % 10
    return Company(
        number=number,
        name=chinese if number % 2 else english,
        owner=OWNERS[number % len(OWNERS)],
        region=place[0],
        industry=trade[0],
        created=today - timedelta(days=700 + number % 300),
        tags=_tags(number),
        activities=tuple(_activities(number, group, today)),
        deals=tuple(_deals(number, group, today)),
        orders=tuple(_orders(number, group, today)),
    )


def _tags(number: int) -> tuple[str, ...]:
    tags = {"展会": number % 5 == 0, "vip": number % 11 == 0, "key-account": number % 17 == 0}
    return tuple(tag for tag, given in tags.items() if given)


def _activities(number: int, group: int, today: date) -> Iterator[Activity]:
    if group in QUIET:
        yield Activity(today - timedelta(days=200 + number * 37 % 400), "call", "没有人接电话")
    elif group != NEVER:
        latest = today - timedelta(days=1 + number * 7 % 90)
        yield Activity(latest, "visit", "Showed the new line")
        yield Activity(latest - timedelta(days=40), "call", "约了下次见面")


def _deals(number: int, group: int, today: date) -> Iterator[Deal]:
    amount = Decimal(number * 7919 % 900_000 + 10_000) / 100
    if group in QUIET:
        day = today - timedelta(days=400 + number % 200)
        yield Deal(day, amount, "lost", day + timedelta(days=30))
    elif group != NEVER:
        day = today - timedelta(days=10 + number % 60)
        yield Deal(day, amount, "open", None)
        if number % 2:
            yield Deal(day - timedelta(days=90), amount * 2, "won", day - timedelta(days=50))


def _orders(number: int, group: int, today: date) -> Iterator[Order]:
    if group in QUIET or group == NEVER:
        return
    for nth in range(1 + number % 4):
        amount = Decimal(number * 104_729 % 5_000_000 + 5_000) / 100
        yield Order(today - timedelta(days=5 + number % 80 + 90 * nth), amount)
