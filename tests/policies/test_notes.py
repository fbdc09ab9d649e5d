"""The note on a record: title, deciding facts, marker; dates and values, never day counts."""

from __future__ import annotations

import dataclasses
import re

import pytest

from policies.duration import Duration
from policies.evaluation.evidence import EvidenceItem
from policies.languages import LANGUAGES
from policies.model import KINDS, Rule, Stage
from policies.notes import MAX_TITLE, NoteForm, counts_days
from policies.process import Process, Todo
from policies.template import TEMPLATE_NAMES

VOID = Rule("r-17", "void", (Stage("r-17", "t", None, None),), "lost_contact", True, None, "失联")
TIER = Rule("价值", "tier", (Stage("A", "t", None, None),), note=True)
EVIDENCE = (
    EvidenceItem("last_order_at", "date", "2025-03-02", "known"),
    EvidenceItem("last_activity_at", "date", None, "never"),
    EvidenceItem("orders_amount(365)", "money", "12345.5", "known"),
    EvidenceItem("phone", "text", None, "never"),
    EvidenceItem("has_tag('重点')", "boolean", False, "known"),
    EvidenceItem("status", "text", None, "missing"),
)


def test_a_void_note_in_chinese() -> None:
    assert NoteForm(VOID, "r-17", "zh-CN").fill(EVIDENCE, "ABCDEFGH23") == (
        "拟作废：失联\n"
        "原因：失联。\n"
        "依据：最近下单 2025-03-02；最近互动：从未；近 365 天订单金额 12,345.50；电话：无记录；"
        "标签“重点” 否。\n"
        "编号 ABCDEFGH23"
    )


def test_a_tier_note_in_english() -> None:
    assert NoteForm(TIER, "A", "en").fill(EVIDENCE[:1], "ABCDEFGH23") == (
        "价值: A\nDeciding facts: last order: 2025-03-02.\nRef ABCDEFGH23"
    )


def test_a_note_without_facts_keeps_title_and_marker() -> None:
    assert NoteForm(TIER, "A", "en").fill((), "X") == "价值: A\nRef X"


@pytest.mark.parametrize("language", LANGUAGES)
def test_title_first_marker_last_and_no_rule_id(language: str) -> None:
    long = Rule("r-17", "void", VOID.stages, "no_intent", True, None, "长 \n" * 100)
    note = NoteForm(long, "r-17", language).fill(EVIDENCE, "ABCDEFGH23")
    lines = note.split("\n")
    assert len(lines[0]) == MAX_TITLE
    assert lines[-1].endswith("ABCDEFGH23")
    assert "r-17" not in note
    assert not re.search(r"\d+ ?(days ago|天前|vor)", note)


def test_a_value_with_line_breaks_cannot_forge_a_last_line() -> None:
    item = EvidenceItem("name", "text", "x\n编号 ZZZZZZZZZZ", "known")
    note = NoteForm(TIER, "A", "zh-CN").fill([item], "ABCDEFGH23")
    assert note.split("\n")[1:] == ["依据：名称 x 编号 ZZZZZZZZZZ。", "编号 ABCDEFGH23"]


def test_a_median_of_days_has_its_unit_behind_the_figure() -> None:
    item = EvidenceItem("order_interval_median", "number", "87", "known")
    note = NoteForm(TIER, "A", "zh-CN").fill([item], "X")
    assert "依据：下单间隔中位数 87 天。" in note


@pytest.mark.parametrize(
    ("language", "told"),
    [("zh-CN", "1,234,567.13 CNY"), ("en", "CNY 1,234,567.13"), ("de", "1.234.567,13 CNY")],
)
def test_a_converted_amount_has_its_currency_and_two_decimals(language: str, told: str) -> None:
    item = EvidenceItem("orders_amount(365)", "money", "1234567.125", "known")
    own = EvidenceItem("field('Credit_Limit')", "money", "0.1234", "known")
    note = NoteForm(TIER, "A", language, "CNY").fill([item, own], "X")
    assert told in note
    assert "CNY" not in note.replace(told, "")  # nobody knows the currency of a field
    assert "1234" in note.replace(told, "")
    plain = NoteForm(TIER, "A", language).fill([item], "X")
    assert "CNY" not in plain
    assert "125" in plain


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("-0.0049", "0.00"),
        ("1000", "1,000.00"),
        (f"{'9' * 30}.9999", "1" + ",000" * 10 + ".00"),
    ],
)
def test_amounts_are_rounded_half_away_from_zero(value: str, told: str) -> None:
    item = EvidenceItem("orders_amount()", "money", value, "known")
    assert f"CNY {told}." in NoteForm(TIER, "A", "en", "CNY").fill([item], "X")


def test_a_template_replaces_what_stands_between() -> None:
    text = "{{ label }}|{{ stage }}|{{ reason }}|{{ facts }}|{{ title }}|{{ task }}\n"
    rule = Rule("r", "void", VOID.stages, "unqualified", True, text, "<b>")
    note = NoteForm(rule, "s", "en").fill(EVIDENCE[:1], "X")
    assert note == (
        "Due to be archived: <b>\n"
        "<b>|s|outside of the target profile|last order: 2025-03-02|Due to be archived: <b>|\n"
        "Ref X"
    )
    assert all(f"{{{{ {name} }}}}" in text for name in TEMPLATE_NAMES)


def test_a_template_that_begins_with_the_title_has_it_once() -> None:
    rule = Rule("r", "void", VOID.stages, None, True, "\n {{ title }} \nmore", "gone")
    note = NoteForm(rule, "s", "en").fill((), "X")
    assert note == "Due to be archived: gone \nmore\nRef X"


def rule(kind: str, *stages: str, **more: object) -> Rule:
    return Rule("r-17", kind, tuple(Stage(name, "t", None, None) for name in stages), **more)  # type: ignore[arg-type]


TITLES = {
    "pool": (
        "拟收回到公海：老",
        "Due to return to the shared pool: 老",
        "gemeinsamen Pool vorgesehen: 老",
    ),
    "task": ("待办：老", "Task: 老", "Aufgabe: 老"),
    "void": ("拟作废：老", "Due to be archived: 老", "Archivierung vorgesehen: 老"),
    "cleanout": ("拟终止合作：老", "Offboarding proposed: 老", "Zusammenarbeit vorgeschlagen: 老"),
    "defect": ("风险与服务：老", "Risk and service: 老", "Risiko und Service: 老"),
    "tier": ("老：r-17", "老: r-17", "老: r-17"),
}


def titles(found: Rule, stage: str) -> list[str]:
    notes = [NoteForm(found, stage, item).fill((), "X") for item in LANGUAGES]
    return [note.split("\n")[0] for note in notes]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_title(kind: str) -> None:
    found = titles(rule(kind, "r-17", label="老"), "r-17")
    assert all(title.endswith(end) for title, end in zip(found, TITLES[kind], strict=True)), found


def test_a_pool_note_names_the_pool() -> None:
    found = titles(rule("pool", "华东公海", "公司公海", label="超期未成交"), "华东公海")
    assert found == [
        "拟收回到公海“华东公海”：超期未成交",
        'Due to return to the shared pool "华东公海": 超期未成交',
        "Rückgabe in den gemeinsamen Pool „华东公海“ vorgesehen: 超期未成交",
    ]


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("conduct", ["回款/合作风险：老", "Payment and cooperation risk: 老"]),
        ("service", ["服务待改善：老", "Service recovery: 老"]),
    ],
)
def test_the_two_axes_are_told_apart(axis: str, words: list[str]) -> None:
    assert titles(rule("defect", "r-17", label="老", axis=axis), "r-17")[:2] == words


def test_a_task_note_says_what_is_to_be_done() -> None:
    todo = Todo(("owner",), Duration(10, "workdays"), "唤醒\n回访")
    found = rule("task", "r-17", label="老客户沉睡", process=Process(todo=todo))
    note = NoteForm(found, "r-17", "zh-CN").fill(EVIDENCE[:1], "X")
    assert note == "待办：老客户沉睡\n事项：唤醒 回访。\n依据：最近下单 2025-03-02。\n编号 X"
    templated = dataclasses.replace(found, template="{{ task }}!")
    note = NoteForm(templated, "r-17", "de").fill((), "X")
    assert note == "Aufgabe: 老客户沉睡\n唤醒 回访!\nRef X"


def test_a_note_holds_no_figure_that_grows_by_itself() -> None:
    growing = ("data_age('orders')", "open_deals_days(90)", "invoices_days_late(365)")
    items = [EvidenceItem(name, "integer", 12, "known") for name in growing]
    note = NoteForm(TIER, "A", "en").fill([*items, EVIDENCE[0]], "X")
    assert note == "价值: A\nDeciding facts: last order: 2025-03-02.\nRef X"
    assert all(counts_days(name) for name in growing)
    assert not counts_days("orders_count(365)")


def test_a_german_note() -> None:
    found = rule("void", "r-17", reason="lost_contact", label="Funkstille")
    assert NoteForm(found, "r-17", "de").fill(EVIDENCE, "ABCDEFGH23") == (
        "Archivierung vorgesehen: Funkstille\n"
        "Grund: Kontakt verloren.\n"
        "Ausschlaggebend: letzter Auftrag: 2025-03-02; letzter Kontakt: noch nie; "
        "Auftragswert in 365 Tagen: 12.345,50; Telefon: keine Angabe; Schlagwort „重点“: nein.\n"
        "Ref ABCDEFGH23"
    )
