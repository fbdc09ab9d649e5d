"""Notes and messages: what people read, in each language."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from policies.inputs import EvidenceItem
from policies.messages import (
    catalogue,
    evidence_phrase,
    has_message,
    language_names,
    message,
    value_text,
)
from policies.model import Rule, Stage
from policies.notes import MAX_TITLE, render_note
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
    assert render_note(VOID, "r-17", EVIDENCE, language="zh-CN", marker="ABCDEFGH23") == (
        "作废：失联\n"
        "原因：失联。\n"
        "依据：最近下单 2025-03-02；最近互动：从未；近365天订单金额 12,345.50；电话：无记录；"
        "标签“重点” 否。\n"
        "编号 ABCDEFGH23"
    )


def test_a_tier_note_in_english() -> None:
    assert render_note(TIER, "A", EVIDENCE[:1], language="en", marker="ABCDEFGH23") == (
        "价值: A\nDeciding facts: last order 2025-03-02.\nRef ABCDEFGH23"
    )


def test_a_note_without_facts_keeps_title_and_marker() -> None:
    assert render_note(TIER, "A", (), language="en", marker="X") == "价值: A\nRef X"


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_title_first_marker_last_and_no_rule_id(language: str) -> None:
    long = Rule("r-17", "void", VOID.stages, "no_intent", True, None, "长 \n" * 100)
    note = render_note(long, "r-17", EVIDENCE, language=language, marker="ABCDEFGH23")
    lines = note.split("\n")
    assert len(lines[0]) == MAX_TITLE
    assert lines[-1].endswith("ABCDEFGH23")
    assert "r-17" not in note
    assert not re.search(r"\d+ ?(days ago|天前)", note)


def test_a_value_with_line_breaks_cannot_forge_a_last_line() -> None:
    item = EvidenceItem("name", "text", "x\n编号 ZZZZZZZZZZ", "known")
    note = render_note(TIER, "A", [item], language="zh-CN", marker="ABCDEFGH23")
    assert note.split("\n")[1:] == ["依据：名称 x 编号 ZZZZZZZZZZ。", "编号 ABCDEFGH23"]


def test_a_template_replaces_what_stands_between() -> None:
    text = "{{ label }}|{{ stage }}|{{ reason }}|{{ facts }}|{{ title }}\n"
    rule = Rule("r", "void", VOID.stages, "unqualified", True, text, "<b>")
    note = render_note(rule, "s", EVIDENCE[:1], language="en", marker="X")
    assert note == (
        "Archived: <b>\n"
        "<b>|s|outside of the target profile|last order 2025-03-02|Archived: <b>\n"
        "Ref X"
    )
    assert all(f"{{{{ {name} }}}}" in text for name in TEMPLATE_NAMES)


def test_catalogues_hold_the_same_keys_and_the_same_names() -> None:
    names = {
        language: {
            key: {name for _, name, _, _ in Formatter().parse(text) if name}
            for key, text in catalogue(language).items()
        }
        for language in language_names()
    }
    assert {"en", "zh-CN"} <= set(names)
    assert all(found == names["en"] for found in names.values())


def test_words_for_people_are_those_of_the_field() -> None:
    words = {key: catalogue("zh-CN")[key] for key in ("kind.void", "status.undecided")}
    assert words == {"kind.void": "作废", "status.undecided": "数据不足，未判断"}
    assert catalogue("en")["status.undecided"] == "not enough data"
    for language in language_names():
        text = "\n".join(catalogue(language).values())
        assert not re.search("缺陷|无价值|清退|defect|worthless", text)


def test_an_unknown_language_speaks_english_and_an_unknown_key_shows_itself() -> None:
    assert message("fr", "plan.none") == "Nothing to change."
    assert message("en", "no.such.key", count=1) == "no.such.key"
    assert message("en", "outcome.done") == "{count} done"
    assert has_message("fr", "plan.none")
    assert not has_message("en", "no.such.key")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("money", "1234567.5", "1,234,567.50"),
        ("money", "-0.1234", "-0.1234"),
        ("money", "3", "3.00"),
        ("number", "1234.5", "1,234.5"),
        ("number", "3", "3"),
        ("integer", 1234, "1,234"),
        ("boolean", True, "yes"),
        ("text", "1234", "1234"),
        ("date", "2025-03-02", "2025-03-02"),
        ("text", None, "none"),
    ],
)
def test_one_renderer_for_numbers_and_dates(
    kind: str, value: str | int | bool | None, text: str
) -> None:
    assert value_text("en", kind, value) == text


def test_facts_have_labels_whatever_their_form() -> None:
    phrases = {
        name: evidence_phrase("en", EvidenceItem(name, "integer", 2, "known"))
        for name in ("orders_count()", "orders_count(90)", "open_deals", "phone", "odd", "odd(3)")
    }
    assert phrases == {
        "orders_count()": "orders 2",
        "orders_count(90)": "orders in 90 days 2",
        "open_deals": "open deals 2",
        "phone": "phone 2",
        "odd": "odd 2",
        "odd(3)": "odd(3) 2",
    }
    missing = EvidenceItem("phone", "text", None, "missing")
    assert evidence_phrase("zh-CN", missing) == "电话：数据不足"
