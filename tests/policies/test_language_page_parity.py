"""What the pages of the language tell: all that the code reads, and in each language the same."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest
from pydantic import BaseModel

from connector.commands.policy import policy as policy_commands
from policies.language.metrics import CLOCKS, FORMULAS, FUNCTIONS, METRICS
from policies.language.vocabulary import ATTRIBUTES, EVENTS
from policies.languages import LANGUAGES
from policies.loader.rule_schema import (
    CleanoutRuleShape,
    DefectRuleShape,
    MarkShape,
    PoolRuleShape,
    TaskRuleShape,
    TierRuleShape,
    VoidRuleShape,
)
from policies.loader.schema import (
    CalendarShape,
    LimitsShape,
    MoneyLimitShape,
    MoneyShape,
    PolicyShape,
    PoolShape,
    ProtectShape,
)
from policies.model import KINDS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text("utf-8") for name in ("policies.md", "policies.zh-CN.md")}
ENGLISH, CHINESE = PAGES.values()
RULES: tuple[type[BaseModel], ...] = (
    PoolRuleShape,
    TaskRuleShape,
    VoidRuleShape,
    CleanoutRuleShape,
    DefectRuleShape,
    TierRuleShape,
)
CODE = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"[A-Za-z][A-Za-z_-]*")
FIGURE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[ ]?%)?")
HEADING_OR_BLOCK = re.compile(r"#+|```\w+")
ANCHOR = re.compile(r"\]\(#([^)]+)\)")


def keys(shape: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in shape.model_fields.items()}


def outside_of_blocks(page: str) -> str:
    return re.sub(r"```.*?```", "", page, flags=re.DOTALL)


def sections(page: str) -> list[str]:
    return re.split(r"\n(?=#)", outside_of_blocks(page))


def paragraphs(page: str) -> list[str]:
    parts = re.split(r"\n{2,}", outside_of_blocks(page))
    return [part for part in parts if part and not part.startswith("#")]


def code_words(text: str) -> set[str]:
    return {word for code in CODE.findall(text) for word in WORD.findall(code)}


def tables(page: str) -> list[list[str]]:
    """The rows of each table, without its head."""
    lines = outside_of_blocks(page).splitlines()
    runs = [list(run) for told, run in groupby(lines, lambda line: line.startswith("|")) if told]
    return [run[2:] for run in runs]


def first_cells(table: list[str]) -> list[str]:
    return [code for row in table for code in CODE.findall(row.split("|")[1])]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_table_of_the_file_has_every_key_of_a_policy(page: str) -> None:
    listed = first_cells(tables(page)[0])
    assert set(listed) == keys(PolicyShape)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_table_of_kinds_has_every_kind(page: str) -> None:
    assert set(first_cells(tables(page)[1])) == set(KINDS)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_key_of_a_rule_is_told(page: str) -> None:
    told = set(first_cells(tables(page)[2]))
    of_kinds = code_words("\n".join(tables(page)[1]))
    assert set().union(*map(keys, RULES)) <= told | of_kinds
    assert told - {"mark.field", "unclaimed", "limits.backlog"} <= keys(PoolRuleShape)
    assert "field" in keys(MarkShape)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("shape", [CalendarShape, MoneyShape, MoneyLimitShape, ProtectShape])
def test_every_key_of_a_section_is_told(page: str, shape: type[BaseModel]) -> None:
    assert keys(shape) <= set(WORD.findall(page))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_key_of_limits_and_of_pools_is_told(page: str) -> None:
    assert keys(LimitsShape) <= code_words(page)
    assert keys(PoolShape) <= code_words(page)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_table_of_tools_has_every_command(page: str) -> None:
    told = [cell.split()[2] for cell in first_cells(tables(page)[3])]
    assert sorted(told) == sorted(policy_commands.commands)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_link_within_the_page_leads_to_a_heading(page: str) -> None:
    titles = re.findall(r"^#+ (.*)$", outside_of_blocks(page), re.MULTILINE)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    assert ANCHOR.findall(page)
    assert set(ANCHOR.findall(page)) <= anchors


def shape_of(page: str) -> list[str]:
    """What follows what: headings by level, tables by rows, blocks by kind, paragraphs."""
    found = []
    for part in re.split(r"\n{2,}", re.sub(r"(```\w+\n).*?```", r"\1", page, flags=re.DOTALL)):
        if part.startswith("|"):
            found.append(f"table of {len(part.splitlines())}")
        else:
            found.append((HEADING_OR_BLOCK.match(part) or ["paragraph"])[0])
    return found


def test_the_pages_have_the_same_sections_paragraphs_and_tables() -> None:
    assert shape_of(CHINESE) == shape_of(ENGLISH)


def test_the_tables_of_both_pages_define_the_same() -> None:
    assert [first_cells(table) for table in tables(CHINESE)] == [
        first_cells(table) for table in tables(ENGLISH)
    ]


def language_words() -> set[str]:
    """Everything that is typed as it is, in whatever language a policy is written."""
    columns = {column for table in EVENTS.values() for column in table.by_name}
    shapes: set[type[BaseModel]] = {
        *RULES,
        PolicyShape,
        CalendarShape,
        MoneyShape,
        LimitsShape,
        MoneyLimitShape,
    }
    named = {*METRICS, *FORMULAS, *FUNCTIONS, *ATTRIBUTES, *CLOCKS, *columns}
    return named.union(*map(keys, shapes), KINDS, LANGUAGES, policy_commands.commands)


@pytest.mark.parametrize("part", range(len(sections(ENGLISH))))
def test_a_section_uses_the_same_words_of_the_language_on_both_pages(part: int) -> None:
    said = [code_words(sections(page)[part]) & language_words() for page in (ENGLISH, CHINESE)]
    assert said[0] == said[1]


def test_the_conditions_of_both_pages_use_the_same_words() -> None:
    english, chinese = (
        set(WORD.findall("\n".join(re.findall(r"```sql\n(.*?)```", page, re.DOTALL))))
        for page in (ENGLISH, CHINESE)
    )
    assert english & language_words() <= chinese


def test_every_figure_of_the_english_prose_stands_on_the_chinese_page() -> None:
    """Paragraph by paragraph; examples may have figures of their own."""
    english, chinese = (
        [
            {figure.replace(" ", "") for figure in FIGURE.findall(CODE.sub("", part))}
            for part in paragraphs(page)
        ]
        for page in (ENGLISH, CHINESE)
    )
    missing = [ours - theirs for ours, theirs in zip(english, chinese, strict=True)]
    assert not any(missing), missing


def test_every_sentence_has_its_counterpart() -> None:
    """The English page has a sentence on each line; a Chinese one ends with its own full stop."""
    for english, chinese in zip(paragraphs(ENGLISH), paragraphs(CHINESE), strict=True):
        if not english.startswith("|"):
            assert len(english.splitlines()) == max(1, chinese.count("。")), chinese
