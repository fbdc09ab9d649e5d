"""Case files: what they mean, all their problems at once, and decisions by the Python back end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policies.authoring.case_run import CaseRun, customer_facts
from policies.authoring.case_time import parse_moment
from policies.authoring.cases import (
    CaseFile,
    cases_without,
    load_all_cases,
    read_cases,
)
from policies.errors import FileProblems
from policies.model import Policy
from policies.moment import SourceState
from policies.policy import parse_policy
from policies.yaml_source import read_yaml

POLICY = parse_policy(
    """\
policy: 2
name: 客户政策
params: {quiet_days: 180, share: 0.5}
protect:
  - {id: 战略客户, when: has_tag('战略客户'), from: [void]}
rules:
  - void: 失联
    reason: lost_contact
    when: days_since(last_response_at) >= $quiet_days AND NOT phone_valid
    mark: {tag: 失联}
  - tier: 分层
    bands:
      - {name: A, when: quintile(orders_amount(365)) = 5, mark: {tag: A}}
      - {name: B, when: "abc(orders_amount(), 70, 90) = 'A'"}
      - {name: C, when: else, mark: {tag: C}}
"""
)
HEAD = "cases: 1\nas_of: 2026-06-01\ntimezone: Asia/Shanghai\n"


def read(text: str) -> CaseFile:
    return parsed(HEAD + text)


def parsed(text: str, policy: Policy = POLICY, zone: str | None = None) -> CaseFile:
    return read_cases(read_yaml(text, "cases.yaml"), policy, zone)


def customer(text: str) -> Any:
    return read(f"customers: [{{id: x, {text}}}]\n").customers[0]


def problems(text: str, *, head: str = HEAD) -> list[str]:
    with pytest.raises(FileProblems) as caught:
        parsed(head + text)
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_file() -> None:
    file = read(
        """\
name: 第一批
sources: {orders: since 2024-01-01, invoices: not pulled, deals: 完整}
params: {quiet_days: 120, share: 0.25}
people: [{id: wang, department: 华东}, {id: li, active: no, left: 2026-05-01}]
customers:
  - id: 老客户
    about: 战略客户
    is: {region: 华东, tags: [战略客户, 战略客户], created: 2023-01-05, owner: wang, group: g}
    orders: [{at: 2025-03-02, amount: 1200}]
    expect: {失联: no, 分层: C, 战略客户: protects}
"""
    )
    assert (file.name, file.as_of.day, file.as_of.zone) == (
        "第一批",
        date(2026, 6, 1),
        "Asia/Shanghai",
    )
    assert file.sources["orders"].since == date(2024, 1, 1)
    assert not file.sources["invoices"].complete
    assert file.sources["deals"] == file.sources["surveys"]
    assert file.sources["deals"].from_the_beginning
    assert file.params == {"quiet_days": "120", "share": "0.25"}
    assert [(row["id"], row["active"], row["left_on"]) for row in file.people] == [
        ("wang", True, None),
        ("li", False, date(2026, 5, 1)),
    ]
    (who,) = file.customers
    assert who.row["tags"] == ["战略客户"]
    assert (who.row["owner_id"], who.row["group_key"], who.row["name"]) == ("wang", "g", "老客户")
    assert who.row["created_at"] == datetime(2023, 1, 4, 16)  # noqa: DTZ001 - UTC in the warehouse
    assert who.events["orders"][0]["amount"] == Decimal(1200)
    assert who.events["orders"][0]["customer"] == who.row["key"] == "Case:老客户"
    assert [(item.name, item.written, item.line) for item in who.expect] == [
        ("失联", "no", 13),
        ("分层", "C", 13),
        ("战略客户", "protects", 13),
    ]


@pytest.mark.parametrize(
    ("written", "day", "hour"),
    [
        ("2026-05-01", date(2026, 4, 30), 16),
        ("2026-05-01 10:00", date(2026, 5, 1), 2),
        ("2026-05-01T10:00:00+02:00", date(2026, 5, 1), 8),
        ("2026-05-01T10:00Z", date(2026, 5, 1), 10),
        ("31 days ago", date(2026, 4, 30), 16),
        ("1 day ago 20:00", date(2026, 5, 31), 12),
        ("31天前", date(2026, 4, 30), 16),
        ("in 2 days", date(2026, 6, 2), 16),
        ("2天后 01:00", date(2026, 6, 2), 17),
        ("today", date(2026, 5, 31), 16),
        ("今天 09:00", date(2026, 6, 1), 1),
    ],
)
def test_moments_in_many_forms(written: str, day: date, hour: int) -> None:
    moment = customer(f"orders: [{{at: {written}}}]").events["orders"][0]["happened_at"]
    assert (moment.date(), moment.hour) == (day, hour)


@pytest.mark.parametrize(
    "written",
    [
        "soon",
        "2026-13-01",
        "2026-05-01 25:00",
        "99999 days hence",
        "9999 99 days ago",
        "0001-01-01",
        "1899-12-31",
        "9999-12-31 23:00",
        "60000 days ago",
    ],
)
def test_what_is_no_moment_is_refused(written: str) -> None:
    (problem,) = problems(f"customers: [{{id: x, orders: [{{at: {written}}}]}}]\n")
    assert problem.startswith(f"cases.yaml:4:35: '{written}' is no day or moment - write 2026")


def test_moments_out_of_the_calendar_are_none() -> None:
    assert parse_moment("99999 days ago", date(100, 1, 1)) is None
    assert parse_moment("today", None) is None


def test_a_row_can_be_repeated() -> None:
    who = customer("orders: [{at: 90 days ago, every: 30 days, times: 3, amount: 5}]")
    days = [row["happened_at"].date() for row in who.events["orders"]]
    assert days == [date(2026, 3, 2), date(2026, 4, 1), date(2026, 5, 1)]
    assert len({row["id"] for row in who.events["orders"]}) == 3


def test_values_of_every_type() -> None:
    who = customer(
        "is: {name: 7, phone_valid: 是, email_valid: false, known_since: 2025-01-01, region: null, "
        "fields: {A: 1.50, B: true, C: 10 days ago, D: 2026-01-01, E: null, F: 5 days ago 10:00}}, "
        "invoices: [{at: today, due: in 3 days, disputed: yes}], "
        "activities: [{at: today, kind: call, seconds: 45, by: null}]".replace(
            ", by: null", ", owner: 3"
        )
    )
    row = who.row
    assert (row["name"], row["phone_valid"], row["email_valid"]) == ("7", True, False)
    assert (row["first_seen_on"], row["region"]) == (date(2025, 1, 1), None)
    assert row["fields"] == {
        "A": "1.5",
        "B": "true",
        "C": "2026-05-22",
        "D": "2026-01-01",
        "F": "5 days ago 10:00",
    }
    (invoice,) = who.events["invoices"]
    assert (invoice["due_on"], invoice["disputed"]) == (date(2026, 6, 4), True)
    (call,) = who.events["activities"]
    assert (call["seconds"], call["owner_id"]) == (45, "3")


def test_a_source_may_say_when_it_was_pulled() -> None:
    sources = read(
        "sources: {orders: {state: since 2024-01-01, pulled: 3 days ago}, deals: {}}\n"
        "customers: [{id: x}]\n"
    ).sources
    pulled = datetime(2026, 5, 28, 16)  # noqa: DTZ001 - UTC, as in the warehouse
    midnight = datetime(2026, 5, 31, 16)  # noqa: DTZ001
    assert sources["orders"] == SourceState(True, date(2024, 1, 1), pulled)
    assert sources["deals"] == SourceState(True, None, midnight)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer: 3\n", "4:1: unknown key 'customer' - did you mean 'customers'?"),
        ("customers: {}\n", "4:12: expected a list - write [ ... ] or a line with - for each"),
        ("customers: 3\n", "4:12: a case file needs a customer"),
        ("customers: [3]\n", "4:13: expected keys and values"),
        ("customers: [{expect: {}}]\n", "4:13: the key 'id' is missing"),
        ("customers: [{id: x}, {id: x}]\n", "4:27: 'x' stands here twice (line 4)"),
        (
            "customers: [{id: x, orderz: []}]\n",
            "4:21: unknown key 'orderz' - did you mean 'orders'?",
        ),
        (
            "customers: [{id: x, orders: [{amount: 1}]}]\n",
            "4:30: this row says not when it happened - add at: 2026-05-01",
        ),
        (
            "customers: [{id: x, orders: [{at: today, amout: 1}]}]\n",
            "4:42: unknown key 'amout' - did you mean 'amount'?",
        ),
        ("customers: [{id: x, orders: [{at: today, amount: x}]}]\n", "4:50: expected a number"),
        (
            "customers: [{id: x, activities: [{at: today, kind: vist}]}]\n",
            "4:52: 'vist' is not a value of kind - did you mean 'visit'?",
        ),
        (
            "customers: [{id: x, activities: [{at: today, seconds: 1.5}]}]\n",
            "4:55: expected a whole number",
        ),
        (
            "customers: [{id: x, orders: [{at: today, times: 0}]}]\n",
            "4:49: expected a whole number from 1 to 1000",
        ),
        (
            "customers: [{id: x, orders: [{at: today, every: week}]}]\n",
            "4:49: expected a number of days - write 30 days",
        ),
        (
            "customers: [{id: x, invoices: [{at: today, due: 2026-01-01 10:00}]}]\n",
            "4:49: this is a day, without a time",
        ),
        (
            "customers: [{id: x, invoices: [{at: today, due: soon}]}]\n",
            "4:49: 'soon' is no day or moment",
        ),
        ("customers: [{id: x, is: {phone_valid: maybe}}]\n", "4:39: expected yes or no"),
        ("customers: [{id: x, is: {phone_valid: 1}}]\n", "4:39: expected yes or no"),
        ("customers: [{id: x, is: {tags: vip}}]\n", "4:32: expected a list of tags"),
        ("customers: [{id: x, is: {region: [a]}}]\n", "4:34: expected text"),
        ("customers: [{id: x, is: {region: true}}]\n", "4:34: expected text"),
        ("customers: [{id: x, is: {fields: {A: [1]}}}]\n", "4:38: expected one value"),
        (
            "customers: [{id: x, expect: {失連: no}}]\n",
            "4:30: the policy has no rule or protection '失連'",
        ),
        (
            "customers: [{id: x, expect: {失联: 也许}}]\n",
            "4:34: '也许' is no answer of '失联' - valid here: no, undecided, yes, 失联",
        ),
        (
            "customers: [{id: x, expect: {战略客户: protect}}]\n",
            "4:36: 'protect' is no answer of '战略客户' - did you mean 'protects'?",
        ),
        ("params: {quiet_day: 3}\n", "4:10: unknown key 'quiet_day' - did you mean 'quiet_days'?"),
        ("sources: {order: complete}\n", "4:11: unknown key 'order' - did you mean 'orders'?"),
        (
            "sources: {orders: partly}\n",
            "4:19: this does not say how complete the source is - write in full, not pulled, or",
        ),
        (
            "sources: {orders: since then}\n",
            "4:19: this does not say how complete the source is",
        ),
        ("sources: {orders: 3}\n", "4:19: this does not say how complete the source is"),
        ("thresholds: {abc: [x]}\n", "4:19: expected a list of numbers - write [1, 2, 5, 9]"),
        ("people: [{department: x}]\n", "4:10: the key 'id' is missing"),
    ],
)
def test_problems_have_a_position_and_a_suggestion(text: str, expected: str) -> None:
    assert any(problem.startswith(f"cases.yaml:{expected}") for problem in problems(text)), (
        problems(text)
    )


def test_all_problems_are_reported_at_once() -> None:
    found = problems("", head="cases: 2\nas_of: 5\ntimezone: Mars\n")
    assert [item.partition(" - ")[0] for item in found] == [
        "cases.yaml:1:8: a case file begins with its version",
        "cases.yaml:2:8: expected the day of the run",
        "cases.yaml:3:11: expected a time zone",
    ]
    (problem,) = problems("", head="cases: 1\nas_of: 3 days ago\ntimezone: UTC\n")
    assert problem.endswith("expected the day of the run - write as_of: 2026-06-01")
    assert problems("customers: [{id: x}]\n", head="cases: 1\nas_of: 2026-06-01\n") == [
        "cases.yaml:1:1: expected a time zone - write timezone: Asia/Shanghai"
    ]
    assert problems("", head="- 1\n") == [
        "cases.yaml:1:1: a case file holds keys and values - begin with cases: 1"
    ]


def test_a_file_without_a_time_zone_has_that_of_the_policy_or_of_the_caller(
    tmp_path: Path,
) -> None:
    text = "cases: 1\nas_of: 2026-06-01\ncustomers: [{id: x}]\n"
    placed = replace(POLICY, timezone="Europe/Berlin")
    own = text + "timezone: UTC\n"
    assert parsed(text, placed, "Asia/Shanghai").as_of.zone == "Europe/Berlin"
    assert parsed(text, POLICY, "Asia/Shanghai").as_of.zone == "Asia/Shanghai"
    assert parsed(own, placed, "Asia/Shanghai").as_of.zone == "UTC"
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    (file,) = load_all_cases(tmp_path, POLICY, zone="Asia/Shanghai")
    assert file.as_of.zone == "Asia/Shanghai"


def test_the_folder_is_read_by_name_and_its_problems_together(tmp_path: Path) -> None:
    assert load_all_cases(tmp_path / "none", POLICY) == ()
    (tmp_path / "b.yaml").write_text(HEAD + "customers: [{id: x}]\n", "utf-8")
    (tmp_path / "a.yaml").write_text(HEAD + "customers: [{id: y}]\n", "utf-8")
    assert [item.file for item in load_all_cases(tmp_path, POLICY)] == ["a.yaml", "b.yaml"]
    assert load_all_cases(tmp_path, POLICY)[0].customers[0].id == "y"
    (tmp_path / "a.yaml").write_text("cases: 1\n", "utf-8")
    (tmp_path / "c.yaml").write_text("cases\n", "utf-8")
    with pytest.raises(FileProblems) as caught:
        load_all_cases(tmp_path, POLICY)
    assert {problem.file for problem in caught.value.problems} == {"a.yaml", "c.yaml"}


@pytest.mark.parametrize(
    ("rule", "written", "found", "agrees"),
    [
        ("失联", "yes", 1, True),
        ("失联", "true", 1, True),
        ("失联", "是", 0, False),
        ("失联", "no", 0, True),
        ("失联", "否", None, False),
        ("失联", "undecided", None, True),
        ("失联", "未判断", 0, False),
        ("分层", "C", 3, True),
        ("分层", "C", 2, False),
        ("分层", "A", None, False),
        ("分层", "yes", 2, True),
        ("战略客户", "protects", True, True),
        ("战略客户", "保护", False, False),
        ("战略客户", "false", False, True),
        ("战略客户", "数据不足", None, True),
    ],
)
def test_expectations(rule: str, written: str, found: int | None, agrees: bool) -> None:
    (expected,) = customer(f"expect: {{{rule}: {written}}}").expect
    assert expected.agrees(found) is agrees


def test_rules_without_a_case_are_named() -> None:
    file = read("customers: [{id: x, expect: {失联: no}}]\n")
    assert cases_without([file], POLICY) == ("分层", "战略客户")


def test_decisions_with_their_evidence() -> None:
    file = read(
        """\
people: [{id: wang}]
thresholds: {"quintile( orders_amount(365) )": [1, 2, 3, 4], "abc(orders_amount(), 70, 90)": [9, 5]}
customers:
  - {id: a, is: {created: 2020-01-01, phone_valid: no, tags: [战略客户], owner: wang}}
  - {id: b, is: {created: 2020-01-01, phone_valid: no}, orders: [{at: 2026-05-01, amount: 7.5}]}
  - {id: c, is: {created: in 1 day}}
"""
    )
    run = CaseRun(POLICY, file)
    first, second, third = run.decided()
    assert (first.answers["失联"], first.answers["分层"], first.answers["战略客户"]) == (1, 3, True)
    assert second.answers["分层"] == 1
    assert third.answers == {}
    assert third.explanation is None
    assert first.explanation is not None
    assert first.explanation.rules[0].evidence
    assert run.thresholds == {"t_0": (1, 2, 3, 4), "t_1": (9, 5)}
    owners = customer_facts(file, POLICY)
    assert owners["Case:a"].owner == file.people[0]
    assert owners["Case:b"].owner is None


def test_thresholds_come_from_the_customers_of_the_file() -> None:
    rows = "".join(
        f"  - {{id: c{amount}, orders: [{{at: 2026-05-01, amount: {amount}}}]}}\n"
        for amount in range(1, 6)
    )
    run = CaseRun(POLICY, read(f"customers:\n{rows}"))
    assert run.thresholds["t_0"] == (1, 2, 3, 4)
    assert [answers["分层"] for answers in run.answers()][-1] == 1


@pytest.mark.parametrize(("customers", "unranked"), [(4, {"分层"}), (5, set())])
def test_too_few_customers_for_a_rank_are_told_apart_from_missing_facts(
    customers: int, unranked: set[str]
) -> None:
    rows = "".join(
        f"  - {{id: c{amount}, orders: [{{at: 2026-05-01, amount: {amount}}}]}}\n"
        for amount in range(1, customers + 1)
    )
    first, *_ = CaseRun(POLICY, read(f"customers:\n{rows}")).decided()
    assert first.unranked == unranked
    unpulled = read(f"sources: {{orders: not pulled}}\ncustomers:\n{rows}")
    first, *_ = CaseRun(POLICY, unpulled).decided()
    assert first.answers["分层"] is None
    assert first.unranked == set()


@pytest.mark.parametrize(
    ("name", "breaks", "expected"),
    [
        ("quintile(orders_amount(364))", "1, 2, 3, 4", "no condition asks for quintile("),
        ("quintile(orders_amount(365))", "1, 2", "quintile(orders_amount(365)) has 4 thresholds"),
    ],
)
def test_thresholds_that_fit_no_condition_are_refused(
    name: str, breaks: str, expected: str
) -> None:
    file = read(f"thresholds: {{{name}: [{breaks}]}}\ncustomers: [{{id: x}}]\n")
    with pytest.raises(FileProblems) as caught:
        CaseRun(POLICY, file).answers()
    assert caught.value.problems[0].message.startswith(expected)
    assert caught.value.problems[0].line == 4
