"""A workspace on a CRM in memory that has facts of several tables, and days that pass."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.memory import MemoryAdapter
from connector.engine import evaluate
from connector.models import Ref
from connector.plan_model import Plan
from connector.ports import FieldInfo, Page, PullRequest
from connector.sync import Context, client_policy
from connector.warehouse import Warehouse
from policies.moment import AsOf
from tests.little_crm import Shop

OBJECTS = ("Accounts", "People", "Calls", "Orders", "Deals", "Complaints", "Invoices")
ZONE = "Asia/Shanghai"
_EVENT = (
    "customer: customer\n    columns:\n      happened_at: happened\n      recorded_at: created\n"
)
MAPPING = f"""
mapping: 1
customers:
  - object: Accounts
    id: id
    group_key: parent
    columns:
      name: name
      owner_id: owner
      created_at: created
      modified_at: modified
      version: modified
      tags: "tags[]"
      status: $status_field
      industry: industry
      region: region
      party: party
      phone: phone
      do_not_contact: silent
      attitude: attitude
      attitude_at: asked
people:
  - object: People
    columns: {{name: name, active: active, department: department, absent_from: absent}}
activities:
  - object: Calls
    {_EVENT}      kind: kind
      direction: direction
      outcome: outcome
      seconds: seconds
      owner_id: owner
orders:
  - object: Orders
    customer: customer
    columns: {{happened_at: happened, amount: amount, currency: currency}}
deals:
  - object: Deals
    {_EVENT}      closed_at: closed
      state: state
complaints:
  - object: Complaints
    {_EVENT}      closed_at: closed
      fault: fault
invoices:
  - object: Invoices
    {_EVENT}      due_on: due
      settled_at: settled
      amount: amount
"""


class _FactCrm(MemoryAdapter):
    """With a field of the client's own."""

    def _fields(self) -> Iterator[FieldInfo]:
        yield from super()._fields()
        yield FieldInfo("Size", "number")


class FactShop(Shop):
    """`chance` decides what happens in the CRM: the same for the same seed."""

    def __init__(self, root: Path, policy: str, seed: int) -> None:
        super().__init__(root, policy)
        self.adapter = _FactCrm(now=self.clock, objects=OBJECTS)
        self.crm = self.adapter.crm
        self.chance = random.Random(seed)  # noqa: S311 - a story, not a secret
        self.people = self.crm.seed("People", 3, active=True, department="a")
        self.accounts: list[Ref] = []
        self.events: list[Ref] = []
        self.shuffled: int | None = None

    @property
    def context(self) -> Context:
        adapter: Any = self.adapter
        if self.shuffled is not None:
            adapter = Shuffled(self.adapter, self.shuffled)
        return Context(self.workspace, adapter, now=self.clock, sleep=self.sleep, mapping=MAPPING)

    @property
    def today(self) -> AsOf:
        local = self.clock().astimezone(ZoneInfo(ZONE))
        return AsOf.midnight(local.date(), ZONE)

    def wait_until(self, hour: int, minute: int) -> None:
        """Let the next such time of the workspace's day come."""
        local = self.clock().astimezone(ZoneInfo(ZONE))
        then = local.replace(hour=hour, minute=minute)
        self.later(seconds=((then - local) % timedelta(days=1)).total_seconds())

    def settle(self, customers: int) -> None:
        """New customers with some past."""
        for _ in range(customers):
            (ref,) = self.crm.seed("Accounts", 1, **self._attributes())
            self.accounts.append(ref)

    def happen(self, events: int, back_days: int = 400) -> None:
        """New records of what happened, now or long ago: many are recorded late."""
        for _ in range(events):
            name = self.chance.choice(OBJECTS[2:])
            (ref,) = self.crm.seed(name, 1, **self._event(back_days))
            self.events.append(ref)

    def move_on(self) -> None:
        """What people change in a day: customers, colleagues, what happened, and what ends."""
        for ref in self.chance.sample(self.accounts, len(self.accounts) // 2):
            changes = self._attributes()
            changes.pop("tags")
            names = self.chance.sample(sorted(changes), 4)
            self.crm.edit(ref, **{name: changes[name] for name in names})
            turn = self._one(self.crm.add_tag, self.crm.remove_tag)
            turn(ref, "x")
        for ref in self.chance.sample(self.people, 1):
            self.crm.edit(ref, active=self.chance.random() < 0.5, department=self._one("a", "b"))
        for ref in self.events:
            if ref.object in {"Deals", "Complaints", "Invoices"} and self.chance.random() < 0.1:
                self._end(ref)
            elif self.chance.random() < 0.1:
                self._correct(ref)
        self._forget(self.accounts)
        self._forget(self.events)
        self.settle(1)
        self.happen(12)

    def _correct(self, ref: Ref) -> None:
        """Somebody writes another thing about what happened, or gives it to another customer."""
        others = self._event(400)
        names = ("customer", "happened", "outcome", "amount", "currency", "fault", "kind")
        name = self._one(*names)
        self.crm.edit(ref, **{name: others[name]})

    def _forget(self, refs: list[Ref]) -> None:
        gone = refs.pop(self.chance.randrange(len(refs)))
        self.crm.delete(gone)

    def _end(self, ref: Ref) -> None:
        row = self.crm.objects[ref.object][ref.id]
        now = self.clock().isoformat()
        if ref.object == "Invoices" and row["settled"] is None:
            self.crm.edit(ref, settled=now)
        elif ref.object == "Deals" and row["closed"] is None:
            self.crm.edit(ref, closed=now, state=self._one("won", "lost"))
        elif row["closed"] is None:
            self.crm.edit(ref, closed=now)

    def _one(self, *values: Any) -> Any:
        return self.chance.choice(values)

    def _attributes(self) -> dict[str, Any]:
        days = self.chance.randrange(1, 300)
        return {
            "owner": self._one(None, *(ref.id for ref in self.people)),
            "tags": self._one([], [], ["x"]),
            "industry": self._one("a", "b", None),
            "region": self._one("north", "south", "west", "key"),
            "party": self._one("company", "person", None),
            "phone": self._one("010-62628888", "12", None),
            "silent": self._one(True, False, None),
            "attitude": self._one("good", "bad", "bad", None),
            "asked": (self.clock() - timedelta(days=days)).isoformat(),
            "Size": self._one("2", "5", None),
            "parent": self._one(None, None, *(ref.id for ref in self.accounts[:2])),
        }

    def _event(self, back_days: int) -> dict[str, Any]:
        hours = self.chance.randrange(24 * self._one(1, 3, back_days))
        happened = self.clock() - timedelta(hours=hours)
        return {
            "customer": self.chance.choice(self.accounts).id,
            "happened": happened.isoformat(),
            "kind": self._one("call", "visit", None),
            "direction": self._one("ours", "theirs"),
            "outcome": self._one("reached", "no_answer", "refused"),
            "seconds": self._one(0, 60, None),
            "amount": self._one(*("100", "250.5", "800") * 9, None),
            "currency": self._one("CNY", "CNY", "CNY", "EUR"),
            "state": "open",
            "closed": None,
            "settled": None,
            "fault": self._one("ours", "theirs", None),
            "due": (happened + timedelta(days=self._one(2, 30))).date().isoformat(),
        }

    def findings(self, as_of: AsOf) -> dict[str, tuple[Any, ...]]:
        """What the staged copy says as of a moment, by customer."""
        policy = client_policy(self.context)
        with Warehouse(self.workspace).reading(as_of.known_by) as connection:
            evaluate(connection, policy, as_of)
            rows = connection.execute("SELECT * FROM findings").fetchall()
        return {key: tuple(rest) for key, *rest in rows}

    def written(self, plan: Plan) -> set[tuple[str, str, str, tuple[Any, ...]]]:
        """Of each row of a plan its customer, rule and status, and what would be written."""
        return {
            (row.customer, row.rule, row.status.value, row.primitives) for row in self.rows(plan)
        }


class Shuffled:
    """The same CRM with its records in any order, on pages of any size; some come twice."""

    def __init__(self, adapter: MemoryAdapter, seed: int) -> None:
        self._adapter = adapter
        self._seed = seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def pull(self, request: PullRequest) -> Iterator[Page]:
        chance = random.Random(f"{self._seed} {request.object}")  # noqa: S311 - an order
        pages = list(self._adapter.pull(request))
        rows = [row for page in pages for row in page.rows]
        rows += chance.sample(rows, len(rows) // 4)
        chance.shuffle(rows)
        place = 0
        while len(rows) > (size := chance.randrange(1, 9)):
            place += 1
            kept, rows = rows[:size], rows[size:]
            yield Page(request.object, tuple(kept), (), f"page {place}", None)
        yield Page(request.object, tuple(rows), pages[-1].deleted, None, pages[-1].watermark)
