"""Loads a made-up B2B company's CRM: the same one for the same seed, number and day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox import demo_names as words
from adapters.sandbox.zoho.people import NewUser
from adapters.sandbox.zoho.store import Store

# One order in so many was never priced: its customer's value cannot be told.
UNPRICED = 600
CUSTOMERS = 10_000
CHUNK = 10_000
DAY = 86_400
OWNERS_PER_TEAM = 4
OPEN_STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")
RATINGS = ("Hot", "Warm", "Cold", None)
INDUSTRIES = ("Machinery", "Electronics", "Chemicals", "Logistics", "Retail", None)

Row = dict[str, Any]


@dataclass(frozen=True)
class Habit:
    """How a kind of customer behaves: shares of 1, days before today, orders."""

    share: float
    age: tuple[int, int]
    last_order: tuple[int, int]
    orders: tuple[int, int]
    last_call: tuple[int, int]
    calls: tuple[int, int]
    open_deal: float


# A starter policy (never ordered, silent for 180 days, no open deal) finds most of the last kind.
HABITS = (
    Habit(0.56, (400, 1_500), (1, 300), (1, 9), (2, 150), (1, 6), 0.35),
    Habit(0.20, (900, 2_000), (370, 850), (1, 4), (30, 700), (0, 4), 0.08),
    Habit(0.18, (20, 500), (0, 0), (0, 0), (1, 170), (1, 4), 0.45),
    Habit(0.06, (200, 1_200), (0, 0), (0, 0), (181, 900), (0, 3), 0.20),
)


@dataclass
class Customer:
    habit: Habit
    owner: str
    name: str
    born: int
    id: str = ""


class Demo:
    """Draws one chunk of customers after another and what happened to them."""

    def __init__(self, store: Store, seed: int, today: date) -> None:
        self._store = store
        self._random = Random(seed)  # noqa: S311 (repeatable on purpose, nothing secret)
        zone = ZoneInfo(store.clock.zone_name)
        self._midnight = int(datetime.combine(today, time(), zone).timestamp())
        self._owners = self._hire()
        self._names: set[str] = set()
        self._numbers = {"account": 0, "order": 0}

    def load(self, count: int) -> None:
        """Insert `count` more customers with their deals, orders, calls and notes."""
        customers = [self._customer() for _ in range(count)]
        rows = [self._account(customer) for customer in customers]
        for customer, number in zip(customers, self._store.insert("Accounts", rows), strict=True):
            customer.id = number
        deals = [deal for customer in customers for deal in self._deals(customer)]
        numbers = self._store.insert("Deals", deals)
        calls = [call for customer in customers for call in self._calls(customer)]
        calls += [
            self._deal_call(deal, number)
            for deal, number in zip(deals, numbers, strict=True)
            if deal["Stage"] in OPEN_STAGES
        ]
        self._store.insert("Calls", calls)
        orders = [order for customer in customers for order in self._orders(customer)]
        self._store.insert("Sales_Orders", orders)
        notes = [note for customer in customers for note in self._notes(customer)]
        self._store.insert("Notes", notes)

    def _hire(self) -> list[str]:
        owners = []
        for team in words.TEAMS:
            boss = NewUser(f"{team} Manager", f"{team.encode().hex()}@example.com", role="Manager")
            manager = self._store.add_user(boss)
            for number in range(1, OWNERS_PER_TEAM + 1):
                gone = team == words.TEAMS[-1] and number == OWNERS_PER_TEAM
                owner = NewUser(
                    f"{team} Sales {number}",
                    f"{team.encode().hex()}{number}@example.com",
                    status="inactive" if gone else "active",
                    manager=manager,
                    region=team,
                    department="Sales",
                )
                owners.append(self._store.add_user(owner))
        return owners

    def _between(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def _pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self._random.random() * len(choices))]

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _moment(self, days: int, after: int = 0) -> int:
        """Return a working hour `days` before today, never before `after`."""
        return max(after, self._midnight - days * DAY + self._between(8 * 3_600, 18 * 3_600))

    def _customer(self) -> Customer:
        habit = self._random.choices(HABITS, [kind.share for kind in HABITS])[0]
        # The inactive owner, last in the list, keeps few customers.
        owner = self._owners[-1] if self._chance(0.03) else self._pick(self._owners[:-1])
        return Customer(habit, owner, self._name(), self._moment(self._between(*habit.age)))

    def _name(self) -> str:
        parts = words.CHINESE if self._chance(0.6) else words.ENGLISH
        name = "".join(self._pick(part) for part in parts)
        if name in self._names:
            name = f"{name} {len(self._names) + 1}"
        self._names.add(name)
        return name

    def _account(self, customer: Customer) -> Row:
        self._numbers["account"] += 1
        number = self._numbers["account"]
        country, states = self._pick(words.PLACES)
        habit = customer.habit
        return {
            **self._made(customer.owner, customer.born),
            "Modified_Time": self._moment(self._between(1, 60), customer.born),
            "Account_Name": customer.name,
            "Account_Number": f"C{number:06}",
            "Account_Type": "Customer" if habit.orders[1] else "Prospect",
            "Industry": self._pick(INDUSTRIES),
            "Rating": self._pick(RATINGS),
            "Annual_Revenue": None if self._chance(0.3) else self._between(1, 900) * 100_000,
            "Employees": None if self._chance(0.2) else self._between(5, 4_000),
            # 555-0100 to 555-0199 are kept free for invented numbers.
            "Phone": None if self._chance(0.08) else f"+1 202 555 01{number % 100:02}",
            "Email": None if self._chance(0.12) else f"c{number:06}@example.com",
            "Website": f"https://c{number:06}.example.com",
            "Billing_Country": None if self._chance(0.04) else country,
            "Billing_State": self._pick(states),
            "Customer_Status": "Active" if self._chance(0.2) else None,
            "Tag": [name for name, share in words.TAGS if self._chance(share)],
        }

    def _made(self, owner: str, moment: int) -> Row:
        made = dict.fromkeys(("Owner", "Created_By", "Modified_By"), owner)
        return {**made, "Created_Time": moment}

    def _deals(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        if self._chance(habit.open_deal):
            yield self._deal(customer, self._pick(OPEN_STAGES), self._between(1, 170))
        if habit.orders[1] and self._chance(0.4):
            yield self._deal(customer, "Closed Won", self._between(*habit.last_order))
        if self._chance(0.15):
            yield self._deal(customer, "Closed Lost", self._between(60, 800))

    def _deal(self, customer: Customer, stage: str, days: int) -> Row:
        is_open = stage in OPEN_STAGES
        closing = self._midnight + (1 if is_open else -1) * days * DAY
        return {
            **self._made(customer.owner, self._moment(days + 20, customer.born)),
            "Modified_Time": self._moment(days, customer.born),
            "Deal_Name": f"{self._pick(words.CALLS)} {customer.name}"[:120],
            "Account_Name": None if self._chance(0.005) else customer.id,
            "Stage": stage,
            "Amount": None if self._chance(0.05) else self._money(),
            "Closing_Date": None if self._chance(0.02) else self._day(closing),
            "Probability": self._between(10, 90) if is_open else 100 * (stage == "Closed Won"),
            "Currency": "CNY",
        }

    def _orders(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        if not habit.orders[1]:
            return
        days = self._between(*habit.last_order)
        for _ in range(self._between(*habit.orders)):
            self._numbers["order"] += 1
            moment = self._moment(days, customer.born)
            number, total = self._numbers["order"], self._money()
            yield {
                **self._made(customer.owner, moment),
                "Subject": f"SO {number:07}",
                "SO_Number": f"SO{number:07}",
                "Account_Name": None if self._chance(0.003) else customer.id,
                "Status": "Cancelled" if self._chance(0.02) else "Delivered",
                "Sub_Total": total,
                "Grand_Total": None if number % UNPRICED == 0 else total,
                "Currency": "CNY",
                "Order_Date": None if self._chance(0.005) else self._text(moment),
            }
            days += self._between(15, 160)

    def _calls(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        days = self._between(*habit.last_call)
        for _ in range(self._between(*habit.calls)):
            moment = self._moment(days, customer.born)
            yield self._call(customer.owner, moment, customer.id, "Accounts")
            days += self._between(10, 120)

    def _deal_call(self, deal: Row, number: str) -> Row:
        return self._call(deal["Owner"], deal["Modified_Time"], number, "Deals")

    def _call(self, owner: str, moment: int, target: str, module: str) -> Row:
        answered = self._chance(0.7)
        return {
            **self._made(owner, moment),
            "Subject": self._pick(words.CALLS),
            "Call_Type": "Outbound" if self._chance(0.8) else "Inbound",
            "Call_Start_Time": self._text(moment),
            "Call_Duration_in_seconds": self._between(20, 1_800) if answered else 0,
            "Call_Status": "Completed",
            "Call_Result": "Interested" if answered else "No response/Busy",
            "What_Id": target,
            "$se_module": module,
        }

    def _notes(self, customer: Customer) -> Iterator[Row]:
        if self._chance(0.05):
            yield {
                **self._made(customer.owner, self._moment(self._between(1, 300), customer.born)),
                "Note_Title": None if self._chance(0.3) else self._pick(words.CALLS),
                "Note_Content": self._pick(words.NOTES),
                "Parent_Id": customer.id,
            }

    def _money(self) -> float:
        return round(self._random.lognormvariate(10.0, 1.1), 2)

    def _text(self, moment: int) -> str:
        return self._store.clock.text(moment)

    def _day(self, moment: int) -> str:
        return self._text(moment)[:10]


def load_demo(store: Store, *, customers: int = CUSTOMERS, seed: int = 1, today: date) -> None:
    """Fill an empty store; everything that happened lies before `today`'s local midnight."""
    demo = Demo(store, seed, today)
    for first in range(0, customers, CHUNK):
        demo.load(min(CHUNK, customers - first))
