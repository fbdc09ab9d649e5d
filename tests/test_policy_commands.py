"""The commands for authors of policies, through the command line and a CRM over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.authoring.metric_docs import metrics_page
from policies.languages import LANGUAGES
from policies.library import library_names, library_text
from policies.messages import counted, message
from policies.yaml_source import read_yaml
from tests.command_line import Answer
from tests.crm_sandbox import Client, sandbox_client
from tests.json_schema import is_valid

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "manufacturer.yaml"
POLICY = """\
policy: 2
name: 测试策略
params: {quiet_days: 180}
protect:
  - {id: 战略客户, when: field('Strategic'), from: [void]}
rules:
  - void: 失联
    reason: lost_contact
    when: >-
      days_since(last_activity_at) >= $quiet_days AND orders_count() = 0
      AND field('Grade') = 'B'
    mark: {tag: 待作废}
  - tier: 客户分层
    bands:
      - {name: 大, when: field('Credit_Limit') >= 250000, mark: {tag: 大客户}}
      - {name: 其他, when: else}
"""
PLAIN = """\
policy: 2
name: plain
params: {quiet_days: 180}
rules:
  - void: gone
    reason: lost_contact
    when: days_since(last_order_at) >= $quiet_days
    mark: {tag: gone}
"""
CASES = """\
cases: 1
as_of: 2026-06-01
timezone: Asia/Shanghai
customers:
  - id: quiet
    is: {created: 2023-01-05}
    orders: [{at: 180 days ago, amount: 5}]
    expect: {gone: GONE}
  - id: lively
    is: {created: 2023-01-05}
    orders: [{at: 179 days ago, amount: 5}]
    expect: {gone: no}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with sandbox_client(tmp_path_factory.mktemp("commands"), customers=200) as client:
        yield client


@pytest.fixture
def client(running: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """One CRM for all, with one token; nothing here writes to it. Policy, sign-off and cases are a
    test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(running.folder.parent / "cache"))
    write(running, POLICY)
    speak(running, "zh-CN")
    for path in [running.folder / "signoff.yaml", *running.folder.glob("cases/*")]:
        path.unlink(missing_ok=True)
    return running


def write(client: Client, policy: str) -> None:
    (client.folder / "policy.yaml").write_text(policy, encoding="utf-8")


def write_cases(client: Client, expected: str) -> None:
    (client.folder / "cases").mkdir(exist_ok=True)
    text = CASES.replace("GONE", expected)
    (client.folder / "cases" / "orders.yaml").write_text(text, encoding="utf-8")


def speak(client: Client, language: str) -> None:
    path = client.folder / "highseas.yaml"
    text = re.sub(r"(?m)^language: .*$", f"language: {language}", path.read_text("utf-8"))
    path.write_text(text, encoding="utf-8")


def forget_schema(client: Client) -> None:
    (client.folder / ".highseas" / "schema.json").unlink(missing_ok=True)


def rows(client: Client) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.run("show", "--rows").out.splitlines()]


def no_traceback(answer: Answer) -> None:
    assert "Traceback" not in answer.err
    assert len(answer.err.splitlines()) == 2


# Fields of the CRM's own.


def test_a_policy_that_asks_for_fields_of_a_crm_never_asked_says_what_to_do(client: Client) -> None:
    forget_schema(client)
    requests = len(client.server.requests)
    answer = client.run("policy", "check")
    assert answer.code == 2
    assert "the type of field('Strategic') is not known" in answer.err
    assert "highseas check" in answer.err
    assert answer.err.count("is not known") == 3
    assert len(client.server.requests) == requests
    assert client.run("check").code == 0
    assert client.run("policy", "check").code == 0


def test_a_plan_asks_by_itself_and_pull_brings_the_fields(client: Client) -> None:
    forget_schema(client)
    plan = client.ok("plan")["plan"]
    tiers = {
        row["customer"].partition(":")[2]
        for row in rows(client)
        if row["rule"] == "客户分层" and row["status"] == "change"
    }
    accounts = [key.partition(":")[2] for key in client.store.snapshot() if key.startswith("Acc")]
    limits = {one: client.store.values(one).get("Credit_Limit") for one in accounts}
    assert tiers == {one for one, limit in limits.items() if limit and limit >= 250_000} != set()
    undecided = {count["rule"]: count["undecided"] for count in plan["header"]["rules"]}
    assert undecided["客户分层"] == sum(limit is None for limit in limits.values())


def test_a_field_that_the_crm_does_not_have_is_named_with_the_nearest(client: Client) -> None:
    write(client, POLICY.replace("'Grade'", "'Grate'"))
    answer = client.run("check")
    assert answer.code == 2
    assert "the CRM has no field('Grate') that a condition can read" in answer.err
    assert "did you mean 'Grade'?" in answer.err
    write(client, POLICY.replace("'Grade'", "'Grate'") + "fields: {Grate: text}\n")
    answer = client.run("check")
    assert answer.code == 2
    no_traceback(answer)
    assert "the CRM's customers have no field Grate" in answer.err
    assert "did you mean 'Grade'?" in answer.err


def test_only_a_field_of_unknown_type_makes_a_plan_ask_the_crm_for_its_fields(
    client: Client,
) -> None:
    assert client.run("check").code == 0
    requests = len(client.server.requests)
    write(client, POLICY.replace("field('Strategic')", "field('Strategic') = 'yes'"))
    answer = client.run("plan")
    assert answer.code == 2
    assert "field('Strategic')" in answer.err
    assert len(client.server.requests) == requests
    write(client, POLICY.replace("'Grade'", "'Grate'"))
    assert client.run("plan").code == 2
    assert len(client.server.requests) > requests


def test_a_declared_type_is_held_against_the_crm(client: Client) -> None:
    write(client, POLICY + "fields: {Strategic: boolean}\n")
    assert client.run("check").code == 0
    wrong = POLICY.replace("field('Strategic')", "field('Strategic') = 'yes'")
    write(client, wrong + "fields: {Strategic: text}\n")
    answer = client.run("check")
    assert answer.code == 2
    assert "field Strategic is boolean in the CRM, the policy says text" in answer.err


def test_explain_shows_fields_and_speaks_chinese(client: Client) -> None:
    client.ok("plan")
    row = next(row for row in rows(client) if row["stage_after"] == "大")
    text = client.run("policy", "explain", row["customer"]).out
    assert "字段" in text
    assert "Credit_Limit" in text
    assert "客户分层：是，大" in text
    assert "保护名单 战略客户：" in text
    assert "保护名单 曾下过订单：" in text
    assert not re.search(r"\b(has-ordered|won-deal|guard\.|metric\.|explain\.)", text)


# check, schema, docs


def test_check_gives_all_problems_with_places_and_fails(client: Client) -> None:
    write(client, POLICY)
    client.ok("check")  # the CRM tells the types of its fields
    write(
        client, POLICY.replace("orders_count", "order_count").replace("Credit_Limit') >=", "x') =")
    )
    answer = client.run("policy", "check")
    assert answer.code == 2
    places = re.findall(r"policy\.yaml:(\d+):\d+: ", answer.err)
    assert places == ["10", "15"]
    assert "did you mean 'orders_count'?" in answer.err


def test_check_gives_warnings_once_and_succeeds(client: Client) -> None:
    write(client, PLAIN.replace("policy: 2", "policy: 1"))
    said = client.ok("policy", "check")
    text = client.run("policy", "check").out
    assert text.count("version 1") == 1
    assert any("version 1" in warning for warning in said["warnings"])
    assert any("还没有人签署" in warning for warning in said["warnings"])
    assert any("没有用例覆盖“gone”" in warning for warning in said["warnings"])
    assert said["remarks"] == []
    assert f"{len(said['warnings'])} 条提示" in text


def test_check_tells_what_is_not_carried_out(client: Client) -> None:
    write(client, EXAMPLE.read_text("utf-8"))
    said = client.ok("policy", "check")
    assert any("tell、wait、cancel、extend、act、mark.field" in line for line in said["remarks"])
    assert any("pools.华东公海.unclaimed、limits.backlog" in line for line in said["remarks"])


def test_a_file_anywhere_can_be_checked(tmp_path: Path, client: Client) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(PLAIN, encoding="utf-8")
    assert client.ok("policy", "check", str(path))["name"] == "plain"
    path.write_text(POLICY, encoding="utf-8")
    answer = client.run("policy", "check", str(path))
    assert answer.code == 2
    assert "other.yaml:5:" in answer.err


def schema_of(client: Client) -> dict[str, Any]:
    text = client.run("policy", "schema").out
    schema: dict[str, Any] = json.loads(text)
    assert client.ok("policy", "schema")["schema"] == schema
    return schema


def shipped() -> Iterator[tuple[str, str]]:
    yield from ((name, library_text(name)) for name in library_names())
    yield EXAMPLE.name, EXAMPLE.read_text("utf-8")


@pytest.mark.parametrize(("name", "text"), list(shipped()))
def test_an_editor_accepts_the_policies_that_are_shipped(
    client: Client, name: str, text: str
) -> None:
    assert is_valid(read_yaml(text, name).value, schema_of(client))


SHORT = """\
policy: 2
name: short
language: en
group: orders
params: {days: 90, part: 0.5, word: x, flag: true}
pools:
  North: {when: region = 'north'}
  Rest: {when: else}
rules:
  - pool: back
    when: days_since(owned_since) >= $days
    mark: {tag: back}
    tell: [{at: start, to: owner}]
    review: owner
limits: {share: 20%, owner: 5%, rules: {back: 3}}
"""


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("policy: 2", "policy: 3"),
        ("name: short", "nmae: short"),
        ("name: short", "name: [short]"),
        ("days: 90", "days: [90]"),
        ("group: orders", "group: {orders: 1}"),
        ("pool: back", "poool: back"),
        ("review: owner", "review: chief"),
        ("at: start", "at: once"),
        ("share: 20%", "shares: 20%"),
        ("back: 3", "back: [3]"),
        ("when: days_since(owned_since) >= $days", "when: 3"),
        ("language: en", "language: fr"),
    ],
)
def test_an_editor_marks_what_the_loader_refuses(client: Client, was: str, now: str) -> None:
    schema = schema_of(client)
    assert is_valid(read_yaml(SHORT, "short.yaml").value, schema)
    write(client, SHORT)
    assert client.run("policy", "check").code == 0
    assert was in SHORT
    broken = SHORT.replace(was, now, 1)
    assert not is_valid(read_yaml(broken, "short.yaml").value, schema)
    write(client, broken)
    assert client.run("policy", "check").code == 2


def test_every_reference_of_the_schema_leads_somewhere(client: Client) -> None:
    schema = schema_of(client)
    references = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references == schema["$defs"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_docs_prints_the_page_of_metrics(client: Client, language: str) -> None:
    text = client.run("policy", "docs", "--language", language).out
    assert text.strip() == metrics_page(language).strip()
    assert client.ok("policy", "docs", "--language", language)["text"] in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_docs_speaks_the_language_of_the_workspace(client: Client, language: str) -> None:
    speak(client, language)
    assert client.run("policy", "docs").out.strip() == metrics_page(language).strip()


def test_docs_is_in_english_where_there_is_no_workspace(client: Client) -> None:
    config = client.folder / "highseas.yaml"
    text = config.read_text("utf-8")
    config.write_text("name: [", encoding="utf-8")
    try:
        assert client.run("policy", "docs").out.strip() == metrics_page("en").strip()
    finally:
        config.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("own", "workspace", "spoken"),
    [("", "zh-CN", "zh-CN"), ("", "de", "de"), ("language: en\n", "zh-CN", "en")],
)
def test_a_file_in_a_workspace_is_checked_in_its_own_language_else_the_workspaces(
    client: Client, tmp_path: Path, own: str, workspace: str, spoken: str
) -> None:
    speak(client, workspace)
    path = tmp_path / "other.yaml"
    path.write_text(PLAIN + own, encoding="utf-8")
    said = client.ok("policy", "check", str(path))
    total = message(
        spoken,
        "policy.checked",
        name="plain",
        rules=counted(spoken, "policy.rules", 1),
        hash=said["hash"][:16],
        warnings=counted(spoken, "policy.warnings", len(said["warnings"])),
    )
    assert total in client.run("policy", "check", str(path)).out


# test


@pytest.mark.parametrize("language", LANGUAGES)
def test_cases_that_hold_succeed_in_every_language(client: Client, language: str) -> None:
    write(client, PLAIN)
    write_cases(client, "yes")
    speak(client, language)
    answer = client.run("policy", "test")
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.splitlines()[-1] == message(language, "test.sum", files=1, all=2, passed=2)
    assert "test." not in answer.out
    assert client.ok("policy", "test")["passed"] is True


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_that_fails_is_named_with_its_evidence_in_every_language(
    client: Client, language: str
) -> None:
    write(client, PLAIN)
    write_cases(client, "no")
    speak(client, language)
    answer = client.run("policy", "test")
    assert answer.code == 1
    assert answer.err == ""
    failure, evidence, *_, total = answer.out.splitlines()
    assert failure.startswith("orders.yaml:8")
    assert "quiet" in failure
    assert failure.rstrip(".").endswith(message(language, "test.yes"))
    assert "2025-12-03" in evidence
    assert total == message(language, "test.sum", files=1, all=2, passed=1)
    said = client.run("--json", "policy", "test")
    assert said.code == 1
    assert said.json()["passed"] is False


def test_without_cases_what_is_untested_is_named(client: Client) -> None:
    write(client, PLAIN)
    answer = client.run("policy", "test")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == message("zh-CN", "test.untested", names="gone")


# signoff


def test_a_signature_is_kept_and_a_later_change_is_told_by_every_plan(client: Client) -> None:
    write(client, PLAIN)
    said = client.ok("policy", "signoff", "--name", "王敏")
    signed = yaml.safe_load((client.folder / "signoff.yaml").read_text("utf-8"))
    assert (signed["name"], signed["hash"]) == ("王敏", said["hash"])
    assert "王敏" in said["text"]
    assert not any("王敏" in line for line in client.ok("plan")["remarks"])
    write(client, PLAIN.replace("180", "120"))
    (line,) = client.ok("plan", "--offline")["remarks"]
    assert "王敏" in line
    assert "quiet_days" in line
    assert line in client.run("plan", "--offline").out
    assert line in client.run("check").out
    assert line in client.ok("policy", "check")["remarks"]
    warnings = client.ok("policy", "check")["warnings"]
    told = message("zh-CN", "lint.other.fact", name="quiet_days", now="120", signed="180")
    assert any(told in warning for warning in warnings)


def test_a_statement_is_printed_without_signing_it(client: Client) -> None:
    titles = set()
    for language in LANGUAGES:
        text = client.run("policy", "signoff", "--language", language).out
        assert "失联" in text
        assert not re.search(r"\b(signoff|prose|kind)\.\w", text)
        titles.add(text.splitlines()[0])
    assert len(titles) == len(LANGUAGES)
    assert not (client.folder / "signoff.yaml").exists()


# plan --set


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_with_another_parameter_is_for_looking(client: Client, language: str) -> None:
    speak(client, language)
    own = client.ok("plan")["plan"]
    looking = client.ok("plan", "--offline", "--set", "quiet_days=30")["plan"]
    matched = [plan["header"]["rules"][0]["matched"] for plan in (own, looking)]
    assert matched[0] < matched[1]
    assert looking["header"]["overrides"] == ["quiet_days=30"]
    assert own["header"]["overrides"] == []
    shown = client.run("show", looking["id"]).out.splitlines()[-1]
    assert shown == message(language, "plan.looking", params="quiet_days=30")
    assert "apply" not in shown
    writes = len(client.server.writes)
    answer = client.run("apply", looking["id"], "--yes")
    assert answer.code == 3
    no_traceback(answer)
    assert f"plan {looking['id']} was made with --set quiet_days=30" in answer.err
    assert "plan anew without --set" in answer.err
    assert len(client.server.writes) == writes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quiet_day=30", "the policy has no parameter 'quiet_day'"),
        ("quiet_days=soon", "the parameter 'quiet_days' cannot be set to that"),
        ("quiet_days", "quiet_days is not NAME=VALUE"),
        ("=30", "= is not NAME=VALUE"),
    ],
)
def test_a_parameter_that_cannot_be_set_is_told(client: Client, text: str, message: str) -> None:
    answer = client.run("-q", "plan", "--offline", "--set", text)
    assert answer.code == 2
    no_traceback(answer)
    assert message in answer.err


# Days on which nobody is acted upon


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_freeze_is_told_and_is_no_failure(client: Client, language: str) -> None:
    frozen = "calendar: {holidays: CN, freeze: [2020-01-01..2099-12-31]}\n"
    write(client, PLAIN + frozen)
    speak(client, language)
    answer = client.run("-q", "plan", "--exit-code")
    assert answer.code == 0
    reason = "2020-01-01..2099-12-31"
    assert message(language, "plan.paused", rule="gone", reason=reason) in answer.out.splitlines()
    plan = client.ok("show")["plan"]
    assert plan["header"]["rules"][0]["changes"] > 0
    assert (plan["changes"], plan["primitives"], plan["cost"]) == (0, 0, 0)
    assert {row["status"] for row in rows(client)} >= {"change"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_day_off_has_a_name_in_every_language(client: Client, language: str) -> None:
    client.ok("pull")
    write(client, PLAIN + "calendar: {holidays: CN}\n")
    speak(client, language)
    shown = client.run("-q", "plan", "--offline", "--as-of", "2026-05-24").out
    reason = message(language, "paused.day_off")
    assert message(language, "plan.paused", rule="gone", reason=reason) in shown.splitlines()
    assert "day_off" not in shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_for_review_is_told_by_check_and_by_every_plan(
    client: Client, language: str
) -> None:
    write(client, PLAIN.replace("void: gone\n    reason: lost_contact", "pool: gone"))
    speak(client, language)
    path = client.folder / "highseas.yaml"
    text = path.read_text("utf-8").partition("contact:")[0]
    path.write_text(f"{text}contact: {{not_logged: [phone]}}\n", encoding="utf-8")
    phone = message(language, "channel.phone")
    told = message(language, "policy.review_only", rules="gone", channels=phone)
    assert told in client.run("check").out.splitlines()
    line = message(language, "plan.review_only", rule="gone", channels=phone)
    answer = client.run("-q", "plan", "--exit-code")
    assert (answer.code, line in answer.out.splitlines()) == (0, True)
    assert client.ok("show")["plan"]["changes"] == 0
    path.write_text(text, encoding="utf-8")


# German


def test_german_output_shows_no_key_and_german_figures(client: Client) -> None:
    write(client, POLICY + "limits: {rules: {客户分层: 2.5%}}\n")
    speak(client, "de")
    plan = client.run("-q", "plan")
    assert plan.code == 5
    assert "über der Obergrenze, angehalten" in plan.out
    assert re.search(r"\d+ > 2,5% \* 200", plan.out)
    check = client.run("-q", "check")
    assert check.code == 0
    assert "Schlagwort setzen: 500 je Aufruf" in check.out
    pulled = client.run("-q", "pull")
    assert pulled.out.startswith("Objekt")
    keys = r"\b(plan|row|status|column|kind|metric|fact|check|primitive|policy|paused)\.[a-z_]+\b"
    for answer in (plan, check, pulled):
        assert not re.search(keys, answer.out.replace("policy.yaml", ""))


def test_the_german_demo_shows_no_key(tmp_path: Path, client: Client) -> None:
    keep = str(tmp_path / "kept")
    answer = client.run("demo", "--customers", "1100", "--language", "de", "--keep", keep)
    assert answer.code == 0, answer.err
    shown = answer.out + answer.err
    assert "das CRM ist wie zuvor" in shown
    assert "1.100 Kunden" in shown
    assert "1,100" not in shown
    assert not re.search(r"(?<!/)\b(demo|plan|row|column|kind|metric|fact|apply)\.[a-z_]+\b", shown)
