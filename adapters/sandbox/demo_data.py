"""Loads a made-up B2B company's CRM: the same one for the same seed, number and day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from adapters.sandbox import demo_names as words
from adapters.sandbox.demo_dealings import Dealings
from adapters.sandbox.demo_draw import DAY, OPEN_STAGES, Customer, Draw, Habit, Row, made
from adapters.sandbox.zoho.people import NewUser
from adapters.sandbox.zoho.store import Store

# One order in so many was never priced: its customer's value cannot be told.
UNPRICED = 600
# One telephone number in so many was cut off.
CUT_PHONE = 29
CUSTOMERS = 10_000
CHUNK = 10_000
# Customers in a hundred that another one is the parent of.
MEMBERS = 3
OWNERS_PER_TEAM = 4
RATINGS = ("Hot", "Warm", "Cold", None)
INDUSTRIES = ("Machinery", "Electronics", "Chemicals", "Logistics", "Retail", None)

# A starter policy (never ordered, no answer for 180 days, tried twice since, no open deal) finds
# half of the last kind.
HABITS = (
    Habit(0.56, (400, 1_500), (1, 300), (1, 9), (2, 150), (1, 6), 0.35),
    Habit(0.20, (900, 2_000), (370, 850), (1, 4), (30, 700), (0, 4), 0.08),
    Habit(0.18, (20, 500), (0, 0), (0, 0), (1, 170), (1, 4), 0.45),
    Habit(0.06, (200, 1_200), (0, 0), (0, 0), (181, 900), (1, 5), 0.20, 0.1),
)
# Type and status of a call, by whether it went out and was answered.
CALLS = {
    (True, True): ("Outbound", "Attended Dialled"),
    (True, False): ("Outbound", "Unattended Dialled"),
    (False, True): ("Inbound", "Received"),
    (False, False): ("Missed", "Missed"),
}


class Demo(Draw):
    """Draws one chunk of customers after another and what happened to them."""

    def __init__(self, store: Store, seed: int, today: date) -> None:
        super().__init__(seed, today, store.clock)
        self._store = store
        self._owners = self._hire()
        self._names: set[str] = set()
        self._numbers = {"account": 0, "order": 0}
        # Chance of its own: what it draws leaves everything else as it was.
        self._dealings = Dealings(store, f"{seed}:dealings", today)

    def load(self, count: int) -> None:
        """Insert `count` more customers with all that happened to them."""
        customers = [self._customer() for _ in range(count)]
        self._found(customers)
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
        ordered = self._store.insert("Sales_Orders", orders)
        notes = [note for customer in customers for note in self._notes(customer)]
        self._store.insert("Notes", notes)
        self._dealings.load(customers, dict(zip(ordered, orders, strict=True)))

    def _found(self, customers: list[Customer]) -> None:
        """Insert the accounts; the last few belong to groups that the others lead."""
        rows = [self._account(customer) for customer in customers]
        own = len(rows) - len(rows) * MEMBERS // 100
        numbers = self._store.insert("Accounts", rows[:own])
        members = self._dealings.members(rows[own:], numbers)
        numbers += self._store.insert("Accounts", members)
        for customer, number in zip(customers, numbers, strict=True):
            customer.id = number

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

    def _customer(self) -> Customer:
        habit = self.random.choices(HABITS, [kind.share for kind in HABITS])[0]
        # The inactive owner, last in the list, keeps few customers.
        owner = self._owners[-1] if self.chance(0.03) else self.pick(self._owners[:-1])
        return Customer(habit, owner, self._name(), self.moment(self.between(*habit.age)))

    def _name(self) -> str:
        parts = words.CHINESE if self.chance(0.6) else words.ENGLISH
        name = "".join(self.pick(part) for part in parts)
        if name in self._names:
            name = f"{name} {len(self._names) + 1}"
        self._names.add(name)
        return name

    def _account(self, customer: Customer) -> Row:
        self._numbers["account"] += 1
        number = self._numbers["account"]
        country, states = self.pick(words.PLACES)
        habit = customer.habit
        return {
            **made(customer.owner, customer.born),
            **self._dealings.terms(customer),
            "Modified_Time": self.moment(self.between(1, 60), customer.born),
            "Account_Name": customer.name,
            "Account_Number": f"C{number:06}",
            "Account_Type": "Customer" if habit.buys else "Prospect",
            "Industry": self.pick(INDUSTRIES),
            "Rating": self.pick(RATINGS),
            "Annual_Revenue": None if self.chance(0.3) else self.between(1, 900) * 100_000,
            "Employees": None if self.chance(0.2) else self.between(5, 4_000),
            # 555-0100 to 555-0199 are kept free for invented numbers.
            "Phone": None if self.chance(0.08) else _phone(number),
            "Email": None if self.chance(0.12) else f"c{number:06}@example.com",
            "Website": f"https://c{number:06}.example.com",
            "Billing_Country": None if self.chance(0.04) else country,
            "Billing_State": self.pick(states),
            "Customer_Status": "Active" if self.chance(0.2) else None,
            "Tag": [name for name, share in words.TAGS if self.chance(share)],
        }

    def _deals(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        if self.chance(habit.open_deal):
            yield self._deal(customer, self.pick(OPEN_STAGES), self.between(1, 170))
        if habit.buys and self.chance(0.4):
            yield self._deal(customer, "Closed Won", self.between(*habit.last_order))
        if self.chance(0.15):
            yield self._deal(customer, "Closed Lost", self.between(60, 800))

    def _deal(self, customer: Customer, stage: str, days: int) -> Row:
        is_open = stage in OPEN_STAGES
        closing = self.midnight + (1 if is_open else -1) * days * DAY
        return {
            **made(customer.owner, self.moment(days + 20, customer.born)),
            "Modified_Time": self.moment(days, customer.born),
            "Deal_Name": f"{self.pick(words.CALLS)} {customer.name}"[:120],
            "Account_Name": None if self.chance(0.005) else customer.id,
            "Stage": stage,
            "Amount": None if self.chance(0.05) else self.money(),
            "Closing_Date": None if self.chance(0.02) else self.day(closing),
            "Probability": self.between(10, 90) if is_open else 100 * (stage == "Closed Won"),
            "Currency": "CNY",
        }

    def _orders(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        if not habit.buys:
            return
        days = self.between(*habit.last_order)
        for _ in range(self.between(*habit.orders)):
            self._numbers["order"] += 1
            moment = self.moment(days, customer.born)
            number, total = self._numbers["order"], self.money()
            yield {
                **made(customer.owner, moment),
                "Subject": f"SO {number:07}",
                "SO_Number": f"SO{number:07}",
                "Account_Name": None if self.chance(0.003) else customer.id,
                "Status": "Cancelled" if self.chance(0.02) else "Delivered",
                "Sub_Total": total,
                "Grand_Total": None if number % UNPRICED == 0 else total,
                "Currency": "CNY",
                "Order_Date": None if self.chance(0.005) else self.text(moment),
            }
            days += self.between(15, 160)

    def _calls(self, customer: Customer) -> Iterator[Row]:
        habit = customer.habit
        days = self.between(*habit.last_call)
        for _ in range(self.between(*habit.calls)):
            moment = self.moment(days, customer.born)
            yield self._call(customer.owner, moment, customer.id, "Accounts", habit.answers)
            days += self.between(10, 120)

    def _deal_call(self, deal: Row, number: str) -> Row:
        return self._call(deal["Owner"], deal["Modified_Time"], number, "Deals", 0.7)

    def _call(self, owner: str, moment: int, target: str, module: str, answers: float) -> Row:
        answered = self.chance(answers)
        subject, outbound = self.pick(words.CALLS), self.chance(0.8)
        kind, status = CALLS[outbound, answered]
        return {
            **made(owner, moment),
            "Subject": subject,
            "Call_Type": kind,
            "Call_Start_Time": self.text(moment),
            "Call_Duration_in_seconds": self.between(20, 1_800) if answered else 0,
            "Call_Status": status,
            "Call_Result": "Interested" if answered else "No response/Busy",
            "What_Id": target,
            "$se_module": module,
        }

    def _notes(self, customer: Customer) -> Iterator[Row]:
        if self.chance(0.05):
            yield {
                **made(customer.owner, self.moment(self.between(1, 300), customer.born)),
                "Note_Title": None if self.chance(0.3) else self.pick(words.CALLS),
                "Note_Content": self.pick(words.NOTES),
                "Parent_Id": customer.id,
            }


def _phone(number: int) -> str:
    """Return one of the numbers kept free for invented ones; now and then its end is missing."""
    whole = f"+1 202 555 01{number % 100:02}"
    return whole[:-2] if number % CUT_PHONE == 0 else whole


def load_demo(store: Store, *, customers: int = CUSTOMERS, seed: int = 1, today: date) -> None:
    """Fill an empty store; everything that happened lies before `today`'s local midnight."""
    demo = Demo(store, seed, today)
    for first in range(0, customers, CHUNK):
        demo.load(min(CHUNK, customers - first))
