"""DuckDB and Python agree on every metric and formula, from generated facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from policies.language.tree import Attribute, IsBlank, Node
from policies.language.vocabulary import EVENTS
from policies.moment import AsOf, SourceState
from tests.policies.metric_world import (
    CALENDAR,
    CUSTOMER_TEXTS,
    MOMENTS,
    MONEY,
    Comparison,
    complete_sources,
    instants_of,
    metric_texts,
    metric_world,
    policy_of,
    tree_of,
    windowed_intervals,
)

GROUP = frozenset({"orders", "activities", "surveys"})
SETTINGS: Sequence[dict[str, Any]] = (
    {"calendar": CALENDAR},
    {"calendar": CALENDAR, "money": MONEY},
    {"calendar": CALENDAR, "group": GROUP},
    {"calendar": CALENDAR, "money": MONEY, "group": frozenset(EVENTS)},
)


def trees(conditions: Sequence[int]) -> list[Node]:
    found = [tree_of(text) for text in (*metric_texts(conditions), *CUSTOMER_TEXTS)]
    blank = IsBlank(Attribute("owner_manager_id"))
    return [*found, *instants_of(found), *windowed_intervals(), blank]


def incomplete_sources(as_of: AsOf) -> dict[str, SourceState]:
    """Some not pulled, some cut off at the edge of a window or beside it."""
    states = [
        SourceState(complete=True, since=as_of.window_day(90)),
        SourceState(complete=True, since=as_of.window_day(89)),
        SourceState(complete=False),
        SourceState(complete=True, since=date(2020, 1, 1)),
    ]
    return {fact: states[place % 4] for place, fact in enumerate(EVENTS)}


def compared(as_of: AsOf, customers: int, settings: dict[str, Any], **more: Any) -> Comparison:
    sources = more.get("sources") or complete_sources(as_of)
    connection = metric_world(as_of, customers)
    policy = policy_of(trees(more.get("conditions", (0, 1))), **settings)
    result = Comparison(connection, policy, as_of, sources)
    assert result.differences() == []
    assert result.by_sql.thresholds == result.by_python.thresholds
    assert result.by_sql.evidence == result.by_python.evidence
    return result


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[item.zone for item in MOMENTS])
def test_every_metric_comes_out_alike(place: int) -> None:
    result = compared(MOMENTS[place], 150, SETTINGS[place], conditions=(place % 2,))
    seen = {
        (name.split()[0], value is None)
        for row in result.by_sql.rows.values()
        for name, value in zip(result.by_sql.names, row, strict=True)
        if name.startswith("value")
    }
    assert seen == {("value", True), ("value", False)}


@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[item.zone for item in MOMENTS])
def test_incomplete_sources_come_out_alike(place: int) -> None:
    as_of = MOMENTS[place]
    compared(as_of, 60, SETTINGS[place], sources=incomplete_sources(as_of), conditions=(0,))


@pytest.mark.heavy
@pytest.mark.parametrize("place", range(len(MOMENTS)), ids=[item.zone for item in MOMENTS])
def test_every_metric_of_thousands_of_customers_comes_out_alike(place: int) -> None:
    compared(MOMENTS[place], 1_500, SETTINGS[place - 1])
