"""The example of a manufacturer, on a CRM over HTTP: from the first plan to the undo of its run, on
a workday, on a day off and in a freeze."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters import open_adapter
from adapters.demo_mapping import demo_mapping
from adapters.sandbox.demo_data import load_demo
from adapters.sandbox.zoho import Store, ZohoSandbox
from connector.explain import explain_customer
from connector.explain_text import explanation_lines
from connector.plan_model import Plan, PlanRow, RuleCount
from connector.remarks import policy_remarks
from connector.sync import Context, as_of_moment, make_plan, make_undo, run_apply, running
from connector.workspace import load_workspace
from policies.authoring.signoff import render_signoff
from policies.policy import load_policy
from tests.crm_sandbox import make_workspace

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "manufacturer.yaml"
ZONE = ZoneInfo("Asia/Shanghai")
WORKDAY = date(2026, 5, 20)
SUNDAY = date(2026, 5, 24)
QUARTER_END = date(2026, 6, 29)  # a Monday
EXITS = {"pool", "void", "cleanout"}
# What this company maps beside the demo's own: since when an owner has a customer, contracts and
# returns.
OWNED = (
    "created_at: Created_Time\n",
    "created_at: Created_Time\n      owned_since: Created_Time\n",
)
MORE = """
contracts:
  - object: Quotes
    id: id
    customer: Account_Name.id
    where: {Quote_Stage: Closed Won}
    columns: {happened_at: Created_Time, recorded_at: Created_Time, ends_on: Valid_Till}
returns:
  - object: Sales_Orders
    id: id
    customer: Account_Name.id
    where: {Status: Cancelled}
    columns: {happened_at: Created_Time, recorded_at: Created_Time, closed_at: Modified_Time}
"""


class Clock:
    """Goes on like any other clock, from noon of a day that a test chooses."""

    def __init__(self, day: date) -> None:
        self.move(day)

    def move(self, day: date) -> None:
        noon = datetime.combine(day, time(12), ZONE)
        self._ahead = noon - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead


class Company:
    """A workspace with the example as its policy, on a CRM of 400 customers."""

    def __init__(self, folder: Path, store: Store, server: ZohoSandbox, clock: Clock) -> None:
        self.folder = folder
        self.store = store
        self.server = server
        self.clock = clock
        self.mapping = demo_mapping().replace(*OWNED, 1) + MORE
        make_workspace(folder, server.url)
        (folder / "policy.yaml").write_bytes(EXAMPLE.read_bytes())
        self.workspace = load_workspace(folder)

    @property
    def context(self) -> Context:
        adapter = open_adapter(self.workspace)
        return Context(self.workspace, adapter, now=self.clock, mapping=self.mapping)

    def plan(self, **options: Any) -> Plan:
        with running(self.context, "plan") as journal:
            return make_plan(self.context, journal, **options).plan

    def apply(self, plan: Plan) -> Any:
        with running(self.context, "apply") as journal:
            return run_apply(self.context, journal, plan.id, approver="tester", how="test")

    def undo(self, run_id: str) -> Plan:
        with running(self.context, "undo") as journal:
            return make_undo(self.context, journal, run_id)

    def rows(self, plan: Plan) -> list[PlanRow]:
        with running(self.context, "show") as journal:
            return list(journal.rows(plan.id))


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    clock = Clock(WORKDAY)
    with Store(now=clock) as store:
        load_demo(store, customers=400, today=WORKDAY)
        with ZohoSandbox(store) as server:
            yield Company(tmp_path / "workspace", store, server, clock)


def counts(plan: Plan) -> dict[str, RuleCount]:
    return {count.rule: count for count in plan.header.rules}


def test_on_a_workday_nothing_rests_and_every_kind_of_rule_has_an_answer(company: Company) -> None:
    plan = company.plan()
    assert plan.header.customers == 400
    assert {count.kind for count in plan.header.rules} == {"pool", "task", "void", "defect", "tier"}
    assert not any(count.paused for count in plan.header.rules)
    found = counts(plan)
    assert found["超期未成交"].matched > 0
    assert found["value"].changes > 300
    tripped = plan.header.tripped
    assert "老客户沉睡" in tripped
    assert not {"value", "service-recovery"} & tripped
    assert {row.rule for row in company.rows(plan)} > {"超期未成交", "老客户沉睡", "value"}


def test_the_run_is_applied_once_and_taken_back_without_a_trace(company: Company) -> None:
    before = company.store.snapshot()
    plan = company.plan()
    run = company.apply(plan)
    assert run.done == plan.primitives > 300
    assert run.exceptions_total == 0
    assert set(run.tripped) == plan.header.tripped
    applied, writes = company.store.snapshot(), len(company.server.writes)
    assert applied != before
    again = company.apply(plan)
    assert (again.done, again.writes) == (0, 0)
    assert company.plan().primitives == 0
    assert len(company.server.writes) == writes
    assert company.store.snapshot() == applied
    undone = company.apply(company.undo(run.run_id))
    assert undone.complete
    assert undone.done == run.done
    assert company.store.snapshot() == before


@pytest.mark.parametrize(
    ("day", "reason"), [(SUNDAY, "day_off"), (QUARTER_END, "quarter-end -5..0")]
)
def test_what_ends_a_relation_rests_and_labels_go_on(
    company: Company, day: date, reason: str
) -> None:
    company.clock.move(day)
    plan = company.plan()
    paused = {count.kind: count.paused for count in plan.header.rules}
    assert paused == {kind: reason if kind in EXITS else "" for kind in paused}
    resting = {row.customer for row in company.rows(plan) if row.rule == "超期未成交"}
    assert resting
    report = company.apply(plan)
    assert report.done == plan.primitives > 300
    tags = {tag for row in company.store.snapshot().values() for tag in _ours(row)}
    assert "客户C" in tags
    assert not {"即将收回", "待作废"} & tags


def _ours(shown: str) -> list[str]:
    known = ("客户A", "客户B", "客户C", "即将收回", "待作废")
    return [tag for tag in known if f'"{tag}"' in shown]


def test_what_rested_is_done_on_the_next_workday(company: Company) -> None:
    company.clock.move(SUNDAY)
    company.apply(company.plan())
    company.clock.move(SUNDAY + timedelta(days=1))
    plan = company.plan()
    found = counts(plan)["超期未成交"]
    assert found.paused == ""
    assert found.changes > 0
    assert counts(plan)["value"].changes < 20


def test_where_facts_are_not_mapped_nobody_is_in_the_pool(company: Company) -> None:
    company.mapping = demo_mapping()
    plan = company.plan()
    found = counts(plan)["超期未成交"]
    assert (found.matched, found.changes) == (0, 0)
    assert found.undecided > 0
    missing = {name for row in company.rows(plan) if row.rule == found.rule for name in row.missing}
    assert len(missing) == 2
    assert "owned_since" in missing


def test_a_customer_is_explained_in_chinese(company: Company) -> None:
    plan = company.plan()
    row = next(row for row in company.rows(plan) if row.rule == "超期未成交")
    moment = as_of_moment(company.workspace, None, company.clock())
    explained = explain_customer(company.workspace, row.customer, moment)
    text = "\n".join(explanation_lines(explained, "zh-CN"))
    assert row.name in text
    assert "超期未成交：是" in text
    assert "现负责人接手日期" in text
    assert "保护名单 曾下过订单：否" in text
    assert "has-ordered" not in text
    assert "{" not in text


def test_the_statement_to_sign_is_chinese_and_tells_what_is_not_carried_out() -> None:
    policy = load_policy(EXAMPLE)
    text = render_signoff(policy, "zh-CN", signed=None)
    for rule in policy.rules:
        assert rule.title in text
    for word in (
        "华东公海",
        "7** 个工作日",
        "春节前 5 天至后 7 天",
        "每位负责人每周最多变更 **5**",
    ):
        assert word in text
    remarks = "\n".join(policy_remarks(policy, EXAMPLE, "zh-CN", WORKDAY))
    assert "tell、wait、cancel、extend、act、mark.field" in remarks
    assert "pools.华东公海.unclaimed、limits.backlog" in remarks
