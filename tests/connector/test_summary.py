"""What commands say to people, in the language of the workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.apply import ApplyReport
from connector.journal import BROKEN_OFF, RUNNING
from connector.journal_model import Run
from connector.plan_model import Plan, PlanHeader
from connector.ports import Capabilities
from connector.summary import (
    Voice,
    apply_lines,
    init_lines,
    missing_names,
    plan_lines,
    preview,
    runs_lines,
    stop_lines,
)
from policies.languages import LANGUAGES
from policies.messages import message
from tests.connector.journal_world import rule_count

each_language = pytest.mark.parametrize("language", LANGUAGES)


def run(status: str) -> Run:
    started = datetime(2026, 5, 14, 1, tzinfo=UTC)
    return Run("20260514-1", "plan", None, started, None, status, {})


@each_language
@pytest.mark.parametrize(
    "status", ["done", "partial", "failed", "interrupted", RUNNING, BROKEN_OFF]
)
def test_the_state_of_a_run_is_said_in_the_language(status: str, language: str) -> None:
    line = runs_lines([run(status)], language, "Asia/Shanghai")[-1]
    key = f"run_state.{status.replace(' ', '_')}"
    assert line.rstrip().endswith(message(language, key))
    assert "run_state" not in line
    assert "2026-05-14 09:00:00" in line


def test_a_new_workspace_says_what_was_written_and_what_comes_next() -> None:
    lines = init_lines([Path("a/highseas.yaml")], "zh-CN", "highseas -C a")
    assert lines == ["已写入 a/highseas.yaml", "下一步：highseas -C a check"]
    assert init_lines([], "en", "highseas") == ["Next: highseas check"]


def test_what_is_not_decided_although_nothing_is_missing_says_why() -> None:
    few = {language: missing_names((), language) for language in LANGUAGES}
    assert few["zh-CN"] == "样本太少，或数值无法相互比较"
    assert few["en"] == "too few cases, or values that do not compare"
    assert all(few.values())
    assert missing_names(["orders_count"], "zh-CN") == "订单数"


def test_who_is_asked_to_stop_is_named() -> None:
    assert stop_lines(": plan (process 7)", "de") == ["um Halt gebeten: plan (process 7)"]
    assert stop_lines("", "zh-CN") == ["这里没有正在运行的任务"]


@pytest.mark.parametrize(
    ("language", "cap", "line"),
    [
        ("en", "1200 > 5% * 20000", "quiet: over the cap, stopped (1,200 > 5% * 20,000)"),
        (
            "en",
            "*: u1: 1200 > 5",
            "quiet: over the cap, stopped (u1: 1,200 > 5, all rules together)",
        ),
        ("zh-CN", "*: u1: 6 > 5", "quiet：超出上限，已暂停（各规则合计 u1: 6 > 5）"),
        (
            "de",
            "*: 1200 > 5",
            "quiet: über der Obergrenze, angehalten (1.200 > 5, alle Regeln zusammen)",
        ),
        ("en", "u: 1: 6 > 5", "quiet: over the cap, stopped (u: 1: 6 > 5)"),
        ("en", "value = A: 3 > 2", "quiet: over the cap, stopped (Customer value A: 3 > 2)"),
        (
            "en",
            "*: value = A: 1 + 2000 ? > 5% * 40",
            "quiet: over the cap, stopped (Customer value A: "
            "1 (and 2,000 more whose class is not decided) > 5% * 40, all rules together)",
        ),
        (
            "zh-CN",
            "value = A: 0 + 2 ? > 1",
            "quiet：超出上限，已暂停（Customer value A: 0（另有 2 个客户类别未判断） > 1）",
        ),
        (
            "de",
            "value = A: 0 + 2 ? > 1",
            "quiet: über der Obergrenze, angehalten (Customer value A: "
            "0 (dazu 2, deren Klasse nicht feststeht) > 1)",
        ),
        (
            "en",
            "*: money: 120000.5 > 100000 CNY",
            "quiet: over the cap, stopped (amount 120,000.5 > 100,000 CNY, all rules together)",
        ),
        (
            "zh-CN",
            "money: 120000 + 3 ? > 100000",
            "quiet：超出上限，已暂停（金额 120,000（另有 3 个客户金额不明） > 100,000）",
        ),
        (
            "de",
            "money: 20000.5 + 3 ? > 100000 EUR",
            "quiet: über der Obergrenze, angehalten "
            "(Betrag 20.000,5 (bei 3 weiteren unbekannt) > 100.000 EUR)",
        ),
        (
            "en",
            "money: ? + CNY + EUR > 1000",
            "quiet: over the cap, stopped (amounts in ? + CNY + EUR cannot be added up, cap 1,000)",
        ),
        (
            "zh-CN",
            "money: CNY + EUR > 1000",
            "quiet：超出上限，已暂停（CNY + EUR 的金额无法相加，上限 1,000）",
        ),
        (
            "de",
            "*: money: CNY + EUR > 1000",
            "quiet: über der Obergrenze, angehalten (Beträge in CNY + EUR lassen sich nicht "
            "addieren, Obergrenze 1.000, alle Regeln zusammen)",
        ),
    ],
)
def test_a_cap_is_told_with_its_figures_and_whose_it_is(language: str, cap: str, line: str) -> None:
    header = PlanHeader(
        "o",
        "2026-01-01T00:00:00+00:00",
        "",
        10,
        (rule_count("quiet", tripped=cap),),
        "en",
        titles={"value": "Customer value"},
    )
    created = datetime(2026, 1, 1, tzinfo=UTC)
    plan = Plan("p0001-aaaaaa", "a" * 64, created, header, 0, 0, 0, 0)
    voice = Voice(language, "Asia/Shanghai", "highseas")
    lines = plan_lines(plan, preview(()), voice, Capabilities({}, 100, 0))
    assert line in lines
    assert message(language, "plan.none") not in lines


@each_language
def test_what_rested_while_a_plan_was_applied_is_told_as_the_plan_tells_it(language: str) -> None:
    paused = {"quiet": "day_off", "back": "春节 -5..+7"}
    report = ApplyReport(
        "r1", "p1", False, {}, 0, 0, 0, 0, 0, (), 0, (), 0, tripped=(), paused=paused
    )
    reasons = {"back": "春节 -5..+7", "quiet": message(language, "paused.day_off")}
    assert apply_lines(report, Voice(language, "Asia/Shanghai"))[1:] == [
        message(language, "plan.paused", rule=rule, reason=reason)
        for rule, reason in reasons.items()
    ]
