"""Cases run by both back ends: what failed and why, and what no case covers."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from connector import policy_test
from connector.policy_test import (
    check_policy,
    policy_check_lines,
    policy_test_lines,
    run_policy_tests,
)
from policies.authoring.signature import sign
from policies.errors import FileProblems
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.customer_facts import InputValues
from policies.evaluation.sql_expression import Thresholds
from policies.messages import message
from policies.policy import load_policy

POLICY = """\
policy: 2
name: 客户政策
params: {quiet_days: 180}
calendar: {holidays: CN}
group: [orders]
protect:
  - {id: 战略客户, when: has_tag('战略客户') OR owner_department = '大客户部', from: [pool]}
pools:
  华东公海: {when: region = '华东'}
  公司公海: {when: else}
rules:
  - pool: 超期未成交
    when: >-
      orders_count() = 0 AND days_since(greatest(last_followup_at, owned_since)) >= $quiet_days
    mark: {tag: 即将收回}
  - task: 老客户沉睡
    when: days_since(last_order_at) > greatest(90, 2 * order_interval_median)
    mark: {tag: 沉睡}
  - defect: 回款风险
    axis: conduct
    when: on_time_rate(365) < 0.6
    mark: {tag: 回款风险}
  - tier: 分层
    bands:
      - {name: A, when: abc(orders_amount(365)) = 'A', mark: {tag: A}}
      - {name: 新, when: days_since(created_at) < 30}
      - {name: C, when: else, mark: {tag: C}}
"""
CASES = """\
cases: 1
as_of: 2026-06-01
timezone: Asia/Shanghai
sources: {quotes: not pulled}
thresholds: {abc(orders_amount(365)): [1000, 10]}
people: [{id: wang, department: 大客户部}]
customers:
  - id: 老客户
    is: {region: 华东, created: 2023-01-05, owned_since: 2025-01-05, owner: wang, group: g}
    orders:
      - {at: 100 days ago, every: -, amount: 1200.50}
    activities: [{at: 2026-05-01 10:00, kind: call, direction: ours, seconds: 45}]
    expect:
      {超期未成交: no, 老客户沉睡: undecided, 战略客户: protects, 分层: A, 回款风险: undecided}
  - id: 集团成员
    is: {region: 华东, created: 2023-01-05, owned_since: 2025-01-05, group: g}
    expect: {超期未成交: no, 分层: A}
  - id: 沉睡
    is: {created: 2023-01-05}
    orders: [{at: 120 days ago, times: 2, every: 20 days, amount: 3}]
    expect: {老客户沉睡: yes, 分层: C}
  - id: 未成交
    is: {region: 华东, created: 2023-01-05, owned_since: 180 days ago, owner: nobody}
    expect: {超期未成交: 华东公海, 战略客户: undecided}
  - id: 新客户
    is: {created: 29 days ago, owned_since: 29 days ago, region: null}
    expect: {超期未成交: no, 分层: 新, 战略客户: undecided}
  - id: 不按时付款
    is: {created: 2023-01-05}
    invoices:
      - {at: 90 days ago, due: 60 days ago, settled: 50 days ago, times: 3}
      - {at: 90 days ago, due: 60 days ago, settled: 70 days ago, times: 2}
    expect: {回款风险: yes}
  - id: 明天的客户
    is: {created: in 1 day}
    expect: {分层: no, 老客户沉睡: no}
""".replace(" every: -,", "")


@pytest.fixture
def policy_path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, "utf-8")
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.yaml").write_text(CASES, "utf-8")
    return path


def test_cases_that_hold(policy_path: Path) -> None:
    report = run_policy_tests(policy_path)
    assert [(item.customer, item.rule, item.got) for item in report.failures] == []
    assert report.disagreements == ()
    assert report.passed
    assert (report.files, len(report.results)) == (1, 17)
    assert report.untested == ()
    assert {item.got for item in report.results} == {
        "no",
        "yes",
        "undecided",
        "protects",
        "A",
        "C",
        "新",
        "华东公海",
        "absent",
    }


def test_a_case_that_fails_shows_its_evidence(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text(CASES.replace("回款风险: yes", "回款风险: no"), "utf-8")
    report = run_policy_tests(policy_path, edges=False)
    assert not report.passed
    assert report.gaps == ()
    (failure,) = report.failures
    assert (failure.expected, failure.got) == ("no", "yes")
    assert (failure.file, failure.line) == ("a.yaml", 33)
    assert {item.name: item.value for item in failure.evidence}["invoices_due(365)"] == 5
    lines = policy_test_lines(report, "zh-CN")
    assert lines[0].endswith("应为 否，实际为 是")
    assert any("5" in line for line in lines[1:3])


def test_a_customer_who_did_not_exist_yet_is_in_no_rule(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text(CASES.replace("分层: no, 老", "分层: undecided, 老"), "utf-8")
    (failure,) = run_policy_tests(policy_path, edges=False).failures
    assert (failure.got, failure.evidence) == ("absent", ())


def test_the_parameters_of_a_file_are_set(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text("params: {quiet_days: 181}\n" + CASES, "utf-8")
    failed = {item.customer for item in run_policy_tests(policy_path, edges=False).failures}
    assert failed == {"未成交"}


def test_edges_and_rules_without_a_case_fail_nothing(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text(CASES.replace("回款风险: yes", "分层: C").replace(", 回款风险: undecided", ""))
    report = run_policy_tests(policy_path)
    assert report.passed
    assert report.untested == ("回款风险",)
    assert report.gaps
    assert "回款风险" not in {gap.rule for gap in report.gaps}
    lines = policy_test_lines(report, "en")
    assert sum("no case covers the edge of" in line for line in lines) > 1


def test_without_cases_everything_is_untested(policy_path: Path, tmp_path: Path) -> None:
    report = run_policy_tests(policy_path, tmp_path / "none")
    assert (report.passed, report.files, report.gaps) == (True, 0, ())
    assert len(report.untested) == 5


def test_a_rank_over_too_few_customers_is_said_beside_the_failure(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    given = "thresholds: {abc(orders_amount(365)): [1000, 10]}\n"
    few = CASES.replace(given, "").partition("  - id: 未成交")[0]
    cases.write_text(few, "utf-8")
    report = run_policy_tests(policy_path, edges=False)
    hint = "a rank needs 5 customers in the file, or thresholds:"
    assert {(item.rule, item.got, item.hint) for item in report.failures} == {
        ("分层", "undecided", hint)
    }
    assert policy_test_lines(report, "en")[0].endswith(f"expected A, got undecided - {hint}")
    cases.write_text(few.replace("老客户沉睡: undecided", "老客户沉睡: no"), "utf-8")
    failures = run_policy_tests(policy_path, edges=False).failures
    assert {item.hint for item in failures if item.rule == "老客户沉睡"} == {""}


def test_cases_without_a_time_zone_are_in_that_of_the_caller(policy_path: Path) -> None:
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text(CASES.replace("timezone: Asia/Shanghai\n", ""), "utf-8")
    assert run_policy_tests(policy_path, edges=False, zone="Asia/Shanghai").passed
    assert check_policy(policy_path, zone="Asia/Shanghai")[0].name == "客户政策"
    with pytest.raises(FileProblems) as caught:
        check_policy(policy_path)
    assert "write timezone: Asia/Shanghai" in str(caught.value.problems[0])


def test_the_report_is_plain_data(policy_path: Path) -> None:
    payload = json.loads(json.dumps(run_policy_tests(policy_path).payload(), ensure_ascii=False))
    assert payload["passed"] is True
    assert {"results", "disagreements", "untested", "gaps"} < set(payload)


def test_back_ends_that_disagree_are_a_fault(
    policy_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python back end is made to err, for there is no known way to make them differ."""
    right = PythonEvaluation.findings

    def wrong(
        evaluation: PythonEvaluation, inputs: InputValues, thresholds: Thresholds
    ) -> tuple[tuple[int | None, ...], tuple[bool | None, ...]]:
        stages, holds = right(evaluation, inputs, thresholds)
        return (0, *stages[1:]), holds

    monkeypatch.setattr(PythonEvaluation, "findings", wrong)
    report = run_policy_tests(policy_path, edges=False)
    said = {item.customer: (item.rule, item.duckdb, item.python) for item in report.disagreements}
    assert said["未成交"] == ("超期未成交", "华东公海", "no")
    assert not report.passed
    assert len(policy_test_lines(report, "en")) > 2


def test_checking_a_policy_reads_its_cases_and_its_sign_off(policy_path: Path) -> None:
    policy, found = check_policy(policy_path)
    assert policy.name == "客户政策"
    assert [item.message for item in found if "signed off" in item.message]
    signed = sign(load_policy(policy_path), "Wang", date(2026, 6, 1))
    assert [str(item) for item in check_policy(policy_path, signed=signed)[1]] == []
    cases = policy_path.parent / "cases" / "a.yaml"
    cases.write_text(CASES.replace("超期未成交: no", "超期未成变: no"), "utf-8")
    with pytest.raises(FileProblems) as caught:
        check_policy(policy_path)
    assert "did you mean '超期未成交'?" in str(caught.value.problems[0])


def test_the_folder_of_the_cases_has_a_name() -> None:
    assert policy_test.CASES_FOLDER == "cases"


def test_a_policy_is_checked_and_tested_in_its_own_language_or_in_the_one_asked_for(
    policy_path: Path,
) -> None:
    policy_path.write_text(POLICY.replace("policy: 2", "policy: 2\nlanguage: zh-CN"), "utf-8")
    policy, found = check_policy(policy_path)
    assert any("还没有人签署" in item.message for item in found)
    lines = policy_check_lines(policy, found, ["remark"])
    assert lines[-2:] == [
        "remark",
        f"客户政策：4 条规则，没有错误，{len(found)} 条提示（指纹 {policy.hash[:16]}）",
    ]
    assert policy_check_lines(policy, (), (), "en") == [
        f"客户政策: 4 rules, no problems, 0 warnings (hash {policy.hash[:16]})"
    ]
    assert any("signed off" in item.message for item in check_policy(policy_path, language="en")[1])
    gaps = run_policy_tests(policy_path).gaps
    assert all("用例" in gap.problem.message for gap in gaps)
    assert gaps
    german = run_policy_tests(policy_path, language="de")
    assert policy_test_lines(german)[-1] == policy_test_lines(german, "de")[-1]
    german_sum = message("de", "test.sum", files=1, all=17, passed=17)
    assert policy_test_lines(german)[-1] == german_sum
    assert {gap.problem.suggestion.split(",")[0] for gap in german.gaps} == {
        "einen Kunden ergänzen"
    }
    cases = policy_path.parent / "cases" / "a.yaml"
    given = "thresholds: {abc(orders_amount(365)): [1000, 10]}\n"
    cases.write_text(CASES.replace(given, "").partition("  - id: 未成交")[0], "utf-8")
    hints = {item.hint for item in run_policy_tests(policy_path, edges=False).failures}
    assert "排名需要文件中有 5 个客户，或写明 thresholds:" in hints
