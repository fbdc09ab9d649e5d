"""The words of each language: complete, alike in what they take, and free of insults."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Formatter

import pytest

from policies.evaluation.evidence import EvidenceItem
from policies.language.metrics import CLOCKS, FORMULAS, FUNCTIONS, METRICS
from policies.language.vocabulary import ATTRIBUTES, EVENTS, TABLES
from policies.languages import LANGUAGES
from policies.loader.guards import DEFAULT_IDS, GUARD_IDS
from policies.messages import (
    catalogue,
    condition_words,
    evidence_phrase,
    has_message,
    input_label,
    message,
    metric_label,
    table_label,
    value_text,
)
from policies.messages.catalogue import _shipped, parts, read_messages
from policies.model import KINDS, RETIRED
from policies.yaml_source import read_yaml

HARSH = re.compile(
    "缺陷|无价值|清退|垃圾|劣质|黑名单|淘汰|defect|worthless|bad customer|blacklist|junk|"
    "wertlos|schlecht|mangelhaft|Problemkunde|schwarze Liste",
    re.IGNORECASE,
)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def wanted_labels() -> set[str]:
    keys = {f"table.{name}" for name in TABLES}
    keys |= {f"column.{name}" for name in ATTRIBUTES}
    keys |= {f"metric.{name}" for name in METRICS} | {f"formula.{name}" for name in FORMULAS}
    keys |= {f"unit.{metric.unit}" for metric in METRICS.values()}
    keys |= {f"function.{name}" for name in FUNCTIONS} | {f"clock.{name}" for name in CLOCKS}
    keys |= {f"docs.function.{name}" for name in FUNCTIONS}
    keys |= {f"kind.{name}" for name in (*KINDS, RETIRED, "undo")}
    keys |= {f"note.title_{kind}" for kind in KINDS}
    keys |= {f"guard.{name.replace('-', '_')}" for name in (*GUARD_IDS, *DEFAULT_IDS)}
    keys |= {"axis.conduct", "axis.service"}
    for table in (TABLES["customers"], *EVENTS.values()):
        for column in table.usable.values():
            if table.is_event:
                keys.add(f"column.{table.name}.{column.name}")
            keys |= {f"value.{table.name}.{column.name}.{value}" for value in column.values}
    return keys


def test_every_language_of_the_product_is_shipped() -> None:
    assert set(parts(resources.files("policies.messages"))) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_can_be_named_has_a_label(language: str) -> None:
    assert wanted_labels() <= set(catalogue(language))
    assert all(text.strip() for key, text in catalogue(language).items() if key != "demo.blank")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_labels_of_metrics_are_the_same(language: str) -> None:
    labels = [metric_label(language, name) for name in (*METRICS, *FORMULAS)]
    assert sorted(labels) == sorted(set(labels))


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_have_the_same_keys_and_the_same_placeholders(language: str) -> None:
    theirs, english = catalogue(language), catalogue("en")
    assert set(theirs) == set(english)
    for key, text in theirs.items():
        assert placeholders(text) == placeholders(english[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_stands_in_two_files_of_a_language(language: str) -> None:
    files = [read_messages(file) for file in _shipped()[language]]
    assert sum(len(messages) for messages in files) == len(catalogue(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_are_strict_yaml(language: str) -> None:
    for file in _shipped()[language]:
        assert read_yaml(file.read_text("utf-8"), file.name).value


def test_no_two_languages_are_the_same_file() -> None:
    for first, second in (("zh-CN", "en"), ("zh-CN", "de"), ("en", "de")):
        same = [key for key in wanted_labels() if catalogue(first)[key] == catalogue(second)[key]]
        assert len(same) < len(wanted_labels()) / 10, (first, second)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_insults_a_customer(language: str) -> None:
    for key, text in catalogue(language).items():
        assert not HARSH.search(text), key


def test_words_for_people_are_those_of_the_field() -> None:
    words = {
        "kind.pool": "公海",
        "kind.void": "作废",
        "kind.cleanout": "终止合作",
        "kind.undo": "撤回",
        "axis.conduct": "回款/合作风险",
        "axis.service": "服务待改善",
        "status.undecided": "数据不足，未判断",
        "status.protected": "保护名单",
    }
    assert {key: catalogue("zh-CN")[key] for key in words} == words
    assert "收回到公海" in catalogue("zh-CN")["note.title_pool"]
    assert catalogue("en")["kind.cleanout"] == "offboarding"
    assert catalogue("en")["status.undecided"] == "not enough data"
    assert catalogue("de")["status.undecided"] == "zu wenig Daten"


def test_a_new_file_is_a_new_language(tmp_path: Path) -> None:
    (tmp_path / "fr.yaml").write_text("plan: {none: Rien à changer.}\n", encoding="utf-8")
    (tmp_path / "fr.labels.yaml").write_text("table: {orders: commandes}\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a language", encoding="utf-8")
    found = parts(tmp_path)
    assert list(found) == ["fr"]
    messages = {key: text for file in found["fr"] for key, text in read_messages(file).items()}
    assert messages == {"plan.none": "Rien à changer.", "table.orders": "commandes"}


def test_an_unknown_language_speaks_english_and_an_unknown_key_shows_itself() -> None:
    assert message("fr", "plan.none") == "Nothing to change."
    assert message("en", "no.such.key", count=1) == "no.such.key"
    assert message("en", "outcome.done") == "{count} done"
    assert has_message("fr", "plan.none")
    assert not has_message("en", "no.such.key")


@pytest.mark.parametrize(
    ("language", "kind", "value", "text"),
    [
        ("en", "money", "1234567.5", "1,234,567.50"),
        ("en", "money", "-0.1234", "-0.1234"),
        ("en", "money", "3", "3.00"),
        ("en", "number", "1234.5", "1,234.5"),
        ("en", "number", "3", "3"),
        ("en", "integer", 1234, "1,234"),
        ("en", "boolean", True, "yes"),
        ("en", "text", "1234", "1234"),
        ("en", "date", "2025-03-02", "2025-03-02"),
        ("en", "text", None, "none"),
        ("de", "money", "1234567.5", "1.234.567,50"),
        ("de", "number", "-1234.5", "-1.234,5"),
        ("de", "integer", 1234567, "1.234.567"),
        ("de", "boolean", False, "nein"),
        ("de", "text", "1,234.5", "1,234.5"),
        ("de", "date", "2025-03-02", "2025-03-02"),
        ("zh-CN", "money", "1234.5", "1,234.50"),
        ("zh-CN", "boolean", True, "是"),
    ],
)
def test_one_renderer_for_numbers_and_dates(
    language: str, kind: str, value: str | int | bool | None, text: str
) -> None:
    assert value_text(language, kind, value) == text


LABELS = {
    "orders_count()": ("订单数", "orders", "Aufträge"),
    "orders_count(365)": ("近 365 天订单数", "orders in 365 days", "Aufträge in 365 Tagen"),
    "orders_amount(90)": (
        "近 90 天订单金额",
        "amount of orders in 90 days",
        "Auftragswert in 90 Tagen",
    ),
    "complaints_count(365, fault = 'ours')": (
        "近 365 天投诉数（责任方 = 我方）",
        "complaints in 365 days (responsible = us)",
        "Reklamationen in 365 Tagen (verantwortlich = wir)",
    ),
    "last_activity_at(kind IN ('visit', 'call') AND NOT automated)": (
        "最近互动（类型 属于 (拜访, 电话) 且 非 系统自动）",
        "last contact (kind one of (visit, call) and not automatic)",
        "letzter Kontakt (Art eines von (Besuch, Anruf) und nicht automatisch)",
    ),
    "orders_count(30, days_since(warranty_until) > 4.5 OR currency = 'it''s')": (
        "近 30 天订单数（距今天数(质保期至) > 4.5 或 币种 = “it's”）",
        'orders in 30 days (days since(warranty until) > 4.5 or currency = "it\'s")',
        "Aufträge in 30 Tagen (Tage seit(Gewährleistung bis) > 4.5 oder Währung = „it's“)",
    ),
    "orders_count(3 < amount)": (
        "订单数（3 < 金额）",
        "orders (3 < amount)",
        "Aufträge (3 < Betrag)",
    ),
    "last_order_at": ("最近下单", "last order", "letzter Auftrag"),
    "open_deals": ("进行中商机", "open deals", "offene Verkaufschancen"),
    "owner_active": ("负责人在职", "owner is active", "Betreuer aktiv"),
    "field('Credit_Limit')": (
        "字段“Credit_Limit”",
        'field "Credit_Limit"',
        "Feld „Credit_Limit“",
    ),
    "has_tag('x')": ("标签“x”", 'tag "x"', "Schlagwort „x“"),
    "data_age('orders')": (
        "订单数据距今天数",
        "age of the data on orders in days",
        "Alter der Daten in Tagen (Aufträge)",
    ),
    "odd": ("odd", "odd", "odd"),
    "odd(3)": ("odd(3)", "odd(3)", "odd(3)"),
    "a b": ("a b", "a b", "a b"),
}


@pytest.mark.parametrize("name", LABELS)
def test_inputs_are_named_in_words(name: str) -> None:
    found = tuple(input_label(language, name) for language in ("zh-CN", "en", "de"))
    assert found == LABELS[name]


def test_formulas_and_tables_have_labels_too() -> None:
    assert metric_label("zh-CN", "on_time_rate", 365) == "近 365 天按时付款率"
    assert table_label("de", "orders") == "Aufträge"
    assert table_label("de", "elsewhere") == "elsewhere"
    assert condition_words("zh-CN", "deals", "state = 'won'") == "状态 = 赢单"
    assert condition_words("en", "orders", "days_since(happened_at) > 3").startswith("days since(")


def said(name: str, kind: str, value: str | int | bool | None, state: str = "known") -> list[str]:
    item = EvidenceItem(name, kind, value, state)
    return [evidence_phrase(language, item) for language in ("zh-CN", "en", "de")]


def test_facts_are_said_with_their_values() -> None:
    assert said("orders_count(365)", "integer", 1200) == [
        "近 365 天订单数 1,200",
        "orders in 365 days: 1,200",
        "Aufträge in 365 Tagen: 1.200",
    ]
    assert said("last_order_at", "date", "2025-03-02")[0] == "最近下单 2025-03-02"
    assert said("owner_active", "boolean", False) == [
        "负责人在职 否",
        "owner is active: no",
        "Betreuer aktiv: nein",
    ]
    assert said("party", "text", "sole_trader")[0] == "主体类型 个体工商户"
    assert said("party", "text", "other")[1] == "party: other"
    assert said("owner_department", "text", "Nord")[2] == "Abteilung des Betreuers: Nord"


def test_never_blank_and_missing_are_told_apart() -> None:
    never = said("last_order_at", "date", None, "never")
    assert never == ["最近下单：从未", "last order: never", "letzter Auftrag: noch nie"]
    blank = ["电话：无记录", "phone: not on record", "Telefon: keine Angabe"]
    assert said("phone", "text", None, "never") == blank
    assert said("field('Start')", "date", None, "never")[1] == 'field "Start": not on record'
    assert said("order_interval_median", "number", None, "never")[2].endswith(": keine Angabe")
    missing = said("phone", "text", None, "missing")
    assert missing == ["电话：数据不足", "phone: not enough data", "Telefon: zu wenig Daten"]


def test_one_and_true_are_not_the_same_fact() -> None:
    assert said("open_deals", "integer", 1)[1] == "open deals: 1"
    assert said("open_deals", "integer", True)[1] == "open deals: yes"
