"""The page of the language, in each of its languages: its policies, conditions and cases run, by
both back ends alike."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest

from policies.authoring.case_run import CaseRun
from policies.authoring.cases import read_cases
from policies.language.vocabulary import EVENTS, Type
from policies.languages import LANGUAGES
from policies.moment import AsOf
from policies.policy import parse_policy
from policies.yaml_source import read_yaml
from tests.policies.policy_world import (
    ALL_COMPLETE,
    Outcome,
    add_customer,
    duckdb_outcomes,
    insert,
    new_world,
    python_outcomes,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text("utf-8") for name in ("policies.md", "policies.zh-CN.md")}


def blocks(page: str, form: str) -> list[str]:
    found: list[str] = re.findall(rf"```{form}.*?)```", PAGES[page], re.DOTALL)
    return found


def policies(page: str) -> list[str]:
    return blocks(page, r"yaml\n(policy: 2\n")


def conditions(page: str) -> list[str]:
    return [line for block in blocks(page, r"sql\n(") for line in block.splitlines()]


AS_OF = AsOf.midnight(date(2026, 6, 1), "Asia/Shanghai")
FIELDS = {"Credit_Limit": Type.MONEY}


@cache
def small_world() -> duckdb.DuckDBPyConnection:
    """Twelve customers, the n-th with n rows in each facts table."""
    connection = new_world()
    for number in range(12):
        key = f"A:{number}"
        born = datetime(2022, 1, 1) + timedelta(days=130 * number)  # noqa: DTZ001 - UTC, as staged
        add_customer(
            connection,
            key,
            created_at=born,
            owned_since=born,
            first_seen_on=date(2022, 1, 1),
            region=("华东", "华南", None)[number % 3],
            tags=["战略客户", "key-account"] if number == 11 else [],
            owner_id="wang" if number % 2 else None,
            phone_valid=number % 2 == 0,
            email_valid=False,
            fields={"Credit_Limit": str(number * 10_000)},
        )
        for fact, table in EVENTS.items():
            extra = {"amount": number * 100, "currency": "CNY"} if "amount" in table.by_name else {}
            extra |= {"due_on": date(2026, 1, 1)} if fact == "invoices" else {}
            for nth in range(number):
                happened = datetime(2026, 5, 1) - timedelta(days=90 * nth)  # noqa: DTZ001
                insert(connection, fact, customer=key, id=str(nth), happened_at=happened, **extra)
    insert(connection, "people", id="wang", active=True)
    return connection


PULLED = {fact: replace(state, pulled_at=AS_OF.moment) for fact, state in ALL_COMPLETE.items()}


def outcomes(text: str) -> dict[str, Outcome]:
    policy = parse_policy(text, fields=FIELDS)
    by_sql, _ = duckdb_outcomes(small_world(), policy, AS_OF, PULLED)
    by_python, _ = python_outcomes(small_world(), policy, AS_OF, PULLED)
    assert by_sql == by_python
    return by_sql


@pytest.mark.parametrize("text", [text for page in PAGES for text in policies(page)])
def test_a_policy_of_the_page_decides_about_somebody(text: str) -> None:
    found = outcomes(text)
    assert len(found) == 12
    assert any(stage for outcome in found.values() for stage in outcome.stages)


@pytest.mark.parametrize(
    "condition", dict.fromkeys(text for page in PAGES for text in conditions(page))
)
def test_a_condition_of_the_page_can_be_decided(condition: str) -> None:
    text = (
        "policy: 2\nname: one\ncalendar: {holidays: CN}\nrules:\n"
        "- {tier: t, bands: [{name: A, when: \"abc(orders_amount()) = 'A'\"}]}\n"
        f'- {{task: x, when: "{condition}"}}\n'
    )
    found = {outcome.stages[1] for outcome in outcomes(text).values()}
    assert found - {None}, "nobody is decided"


@pytest.mark.parametrize("page", PAGES)
def test_the_cases_of_the_page_hold_for_its_first_policy(page: str) -> None:
    policy = parse_policy(policies(page)[0])
    (text,) = blocks(page, r"yaml\n(cases: 1\n")
    file = read_cases(read_yaml(text, page), policy)
    found = [decided.answers for decided in CaseRun(policy, file).decided()]
    for who, answers in zip(file.customers, found, strict=True):
        assert len(who.expect) >= 2
        assert all(item.agrees(answers[item.name]) for item in who.expect)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_policies_conditions_and_every_language(page: str) -> None:
    assert len(policies(page)) >= 2
    assert len(conditions(page)) >= 10
    assert all(f"`{language}`" in PAGES[page] for language in LANGUAGES)
