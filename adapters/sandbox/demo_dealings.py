"""What happens around deals and orders: quotes, invoices, cases, visits, contacts, groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from adapters.sandbox import demo_names as words
from adapters.sandbox.demo_draw import DAY, Customer, Draw, Row, made
from adapters.sandbox.zoho.store import Store

CHANNELS = ("Direct", "Dealer", "Online", "Tender")
MILESTONES = (("Deposit", 0.3), ("Acceptance", 0.6), ("Retention", 0.1))
INVOICED_DAYS = 400
# One of the first owners calls so many customers within minutes on the last evening.
BURST_CALLS, BURST_SECONDS, BURST_OWNERS = 30, 15, 2


@dataclass(frozen=True)
class Payer:
    """How a customer pays: days after the due date; shares of 1 that it leaves open, disputes."""

    share: float
    late: tuple[int, int]
    unpaid: float
    disputed: float


PAYERS = (
    Payer(0.70, (-25, 0), 0.01, 0.01),
    Payer(0.20, (-5, 20), 0.03, 0.02),
    Payer(0.10, (15, 80), 0.25, 0.08),
)


class Dealings(Draw):
    """Draws on its own, so that the customers and their orders do not depend on it."""

    def __init__(self, store: Store, seed: str, today: date) -> None:
        super().__init__(seed, today, store.clock)
        self._store = store
        self._invoices = 0

    def terms(self, customer: Customer) -> Row:
        """Return the company's own fields of an account."""
        channels = [name for name in CHANNELS if self.chance(0.3)]
        limit = self.between(1, 50) * 10_000 if customer.habit.buys and self.chance(0.8) else None
        until = self.midnight + self.between(-300, 500) * DAY
        return {
            "Credit_Limit": limit,
            "Grade": self.pick(("A", "B", "C", None)),
            "Frame_Contract_Until": self.day(until) if self.chance(0.15) else None,
            "Strategic": self.chance(0.05),
            "Discount": self.between(1, 15) if self.chance(0.4) else None,
            "Channels": channels or None,
            "Credit_Left": limit and round(limit * self.random.random(), 2),
        }

    def members(self, rows: Sequence[Row], heads: Sequence[str]) -> list[Row]:
        """Return the accounts with a parent among `heads`."""
        return [{**row, "Parent_Account": self.pick(heads)} for row in rows]

    def load(self, customers: Sequence[Customer], orders: Mapping[str, Row]) -> None:
        """Insert what these customers, whose orders are given by id, bring about."""
        insert = self._store.insert
        contacts = [row for customer in customers for row in self._contacts(customer)]
        insert("Calls", self._contact_calls(contacts, insert("Contacts", contacts)))
        insert("Events", [row for customer in customers for row in self._events(customer)])
        insert("Quotes", [row for customer in customers for row in self._quotes(customer)])
        insert("Cases", [row for customer in customers for row in self._cases(customer)])
        payers = {
            customer.id: self.random.choices(PAYERS, [payer.share for payer in PAYERS])[0]
            for customer in customers
            if customer.habit.buys and self.chance(0.5)
        }
        insert("Invoices", list(self._all_invoices(orders, payers)))
        insert("Calls", list(self._burst(customers)))

    def _contacts(self, customer: Customer) -> Iterator[Row]:
        if self.chance(0.12):
            yield {
                **made(customer.owner, customer.born),
                "Last_Name": f"{self.pick(words.CHINESE_FIRST)}{self.pick(words.CHINESE_SECOND)}",
                "Account_Name": customer.id,
                "Email_Opt_Out": self.chance(0.1),
            }

    def _contact_calls(self, contacts: Sequence[Row], numbers: Sequence[str]) -> list[Row]:
        """Return calls that are about a person and name no company."""
        return [
            {
                **self._call(contact["Owner"], self._since(contact["Created_Time"], 300)),
                "Who_Id": number,
            }
            for contact, number in zip(contacts, numbers, strict=True)
            if self.chance(0.8)
        ]

    def _since(self, born: int, days: int) -> int:
        return self.moment(self.between(1, days), born)

    def _call(self, owner: str, moment: int, seconds: int | None = None) -> Row:
        return {
            **made(owner, moment),
            "Subject": self.pick(words.CALLS),
            "Call_Type": "Outbound",
            "Call_Start_Time": self.text(moment),
            "Call_Duration_in_seconds": self.between(20, 900) if seconds is None else seconds,
            "Call_Status": "Attended Dialled",
        }

    def _burst(self, customers: Sequence[Customer]) -> Iterator[Row]:
        owner = sorted({customer.owner for customer in customers}, key=int)[:BURST_OWNERS][-1]
        theirs = [one for one in customers if one.owner == owner][:BURST_CALLS]
        evening = self.midnight - DAY + 17 * 3_600 + 1_800
        for number, customer in enumerate(theirs):
            moment = max(evening + number * BURST_SECONDS, customer.born)
            call = self._call(customer.owner, moment, seconds=31)
            yield {**call, "What_Id": customer.id, "$se_module": "Accounts"}

    def _events(self, customer: Customer) -> Iterator[Row]:
        if not self.chance(0.2):
            return
        for _ in range(self.between(1, 2)):
            moment = self._since(customer.born, 240)
            checked_in = self.chance(0.7)
            yield {
                **made(customer.owner, max(customer.born, moment - self.between(0, 9) * DAY)),
                "Modified_Time": moment + 300,
                "Event_Title": self.pick(words.VISITS),
                "Start_DateTime": self.text(moment),
                "End_DateTime": self.text(moment + 3_600),
                "Check_In_Time": self.text(moment + 300) if checked_in else None,
                "$event_cancelled": not checked_in and self.chance(0.2),
                "What_Id": customer.id,
                "$se_module": "Accounts",
            }

    def _quotes(self, customer: Customer) -> Iterator[Row]:
        if not self.chance(0.2 if customer.habit.open_deal > 0.1 else 0.05):
            return
        days = self.between(1, 250)
        moment = self.moment(days, customer.born)
        stages = ("Delivered", "Negotiation") if days < 60 else ("Closed Won", "Closed Lost")
        total = self.money()
        yield {
            **made(customer.owner, moment),
            "Modified_Time": self.moment(self.between(1, days), moment),
            "Subject": f"{self.pick(words.CALLS)} {customer.name}"[:120],
            "Account_Name": customer.id,
            "Quote_Stage": self.pick((*stages, "Draft")),
            "Valid_Till": self.day(moment + self.between(20, 90) * DAY),
            "Sub_Total": total,
            "Grand_Total": total,
            "Currency": "CNY",
        }

    def _cases(self, customer: Customer) -> Iterator[Row]:
        if not self.chance(0.08 if customer.habit.buys else 0.02):
            return
        for _ in range(self.between(1, 2)):
            days = self.between(1, 400)
            moment = self.moment(days, customer.born)
            closed = self.chance(0.95 if days > 40 else 0.5)
            changed = self.moment(self.between(max(1, days - 30), days), moment)
            yield {
                **made(customer.owner, moment),
                "Modified_Time": changed if closed else moment,
                "Subject": self.pick(words.CASES),
                "Account_Name": customer.id,
                "Status": "Closed" if closed else self.pick(("New", "On Hold", "Escalated")),
                "Type": self.pick(("Problem", "Problem", "Question", None)),
                "Case_Origin": self.pick(("Email", "Phone", "Web")),
                "Fault": self.pick(("Ours", "Customer", None)),
            }

    def _all_invoices(
        self, orders: Mapping[str, Row], payers: Mapping[str, Payer]
    ) -> Iterator[Row]:
        first = self.midnight - INVOICED_DAYS * DAY
        for number, order in orders.items():
            payer = payers.get(order["Account_Name"] or "")
            if payer and order["Created_Time"] >= first and order["Status"] == "Delivered":
                yield from self._invoices_of(order, number, payer)

    def _invoices_of(self, order: Row, number: str, payer: Payer) -> Iterator[Row]:
        parts = MILESTONES if self.chance(0.15) else ((None, 1.0),)
        for step, (milestone, part) in enumerate(parts):
            moment = order["Created_Time"] + (2 + 30 * step) * DAY
            if moment >= self.midnight:
                return
            self._invoices += 1
            yield self._invoice(order, moment, payer) | {
                "Sales_Order": number,
                "Milestone": milestone,
                "Grand_Total": order["Grand_Total"] and round(order["Grand_Total"] * part, 2),
            }

    def _invoice(self, order: Row, moment: int, payer: Payer) -> Row:
        due = moment + self.pick((30, 30, 60)) * DAY
        paid = max(moment, due + self.between(*payer.late) * DAY)
        is_paid = paid < self.midnight and not self.chance(payer.unpaid)
        return {
            **made(order["Owner"], moment),
            "Modified_Time": paid if is_paid else moment,
            "Subject": f"INV {self._invoices:07}",
            "Invoice_Number": f"INV{self._invoices:07}",
            "Account_Name": order["Account_Name"],
            "Status": "Delivered",
            "Invoice_Date": self.day(moment),
            "Due_Date": self.day(due),
            "Currency": order["Currency"],
            "Paid_On": self.day(paid) if is_paid else None,
            "Disputed": self.chance(payer.disputed),
        }
