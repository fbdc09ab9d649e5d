"""A workspace on a CRM kept in memory, run after run, for tests of what happens over many runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.memory import MemoryAdapter
from adapters.memory_crm import ManualClock
from adapters.memory_profile import PLAIN, Profile
from connector.apply import ApplyReport
from connector.models import Ref
from connector.plan_model import Plan, PlanRow
from connector.sync import Context, make_plan, make_undo, run_apply, running
from connector.workspace import Workspace, WorkspaceFile

MAPPING = """
mapping: 1
customers:
  - object: Accounts
    id: id
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
"""

POLICY = """
policy: 1
name: little
protect:
  - {id: key, when: region = 'key', from: [void, tier]}
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet'
    mark: {tag: quiet, status: void}
    note: true
"""


class Shop:
    """One workspace: its CRM, its clock, its policy."""

    def __init__(self, root: Path, policy: str = POLICY, profile: Profile = PLAIN) -> None:
        self.root = root
        self.clock = ManualClock()
        self.adapter = MemoryAdapter(profile, now=self.clock)
        self.crm = self.adapter.crm
        self.status_field: str | None = "status"
        self.settings: dict[str, Any] = {}  # more of highseas.yaml
        self.write_policy(policy)

    def write_policy(self, text: str) -> None:
        (self.root / "policy.yaml").write_text(text, encoding="utf-8")

    def customers(self, count: int, **fields: Any) -> tuple[Ref, ...]:
        """Customers who have been there for some days."""
        made = self.crm.seed("Accounts", count, **({"region": "north"} | fields))
        self.later(days=3)
        return made

    def later(self, **delta: float) -> None:
        self.clock.advance(timedelta(**delta).total_seconds())

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    def workspace(self) -> Workspace:
        settings = {
            "workspace": 1,
            "name": "shop",
            "timezone": "Asia/Shanghai",
            "crm": {"adapter": "memory", "status_field": self.status_field},
        }
        return Workspace(self.root, WorkspaceFile.model_validate(settings | self.settings))

    @property
    def context(self) -> Context:
        return Context(
            self.workspace, self.adapter, now=self.clock, sleep=self.sleep, mapping=MAPPING
        )

    def plan(self, **options: Any) -> Plan:
        with running(self.context, "plan") as journal:
            return make_plan(self.context, journal, **options).plan

    def apply(self, plan: Plan | None = None, **options: Any) -> ApplyReport:
        with running(self.context, "apply") as journal:
            return run_apply(
                self.context,
                journal,
                plan.id if plan else None,
                approver="tester",
                how="test",
                **options,
            )

    def go(self) -> ApplyReport:
        """An hour later: plan and apply."""
        self.later(hours=1)
        return self.apply(self.plan())

    def undo(self, run_id: str) -> Plan:
        with running(self.context, "undo") as journal:
            return make_undo(self.context, journal, run_id)

    def rows(self, plan: Plan) -> list[PlanRow]:
        with running(self.context, "show") as journal:
            return list(journal.rows(plan.id))

    def statuses(self, plan: Plan) -> list[tuple[str, str]]:
        return [(row.customer, row.status.value) for row in self.rows(plan)]

    def episodes(self) -> list[tuple[str, str, int, str, bool]]:
        with running(self.context, "show") as journal:
            return [
                (each.customer, each.rule, each.number, each.stage, each.closed_at is None)
                for each in journal.episodes(open_only=False)
            ]

    def holdings(self) -> list[tuple[str, str, str, Any, Any]]:
        with running(self.context, "show") as journal:
            return [
                (each.rule, each.kind.value, each.target, each.value, each.original)
                for each in journal.holdings()
            ]
