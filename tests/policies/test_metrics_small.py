"""Small facts made up by hypothesis: both back ends compute every metric alike."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.language.metrics import FORMULAS, METRICS
from policies.language.tree import Node
from policies.language.vocabulary import EVENTS, Column, Type
from policies.moment import AsOf, SourceState
from tests.policies.metric_world import (
    CALENDAR,
    MONEY,
    Comparison,
    instants_of,
    metric_texts,
    policy_of,
    tree_of,
)
from tests.policies.policy_world import add_customer, insert, new_world

AS_OF = AsOf.midnight(date(2026, 3, 30), "Europe/Berlin")
FACT_OF = {name: item.fact for name, item in (*METRICS.items(), *FORMULAS.items())}


@cache
def texts_of(fact: str) -> list[str]:
    return [text for text in metric_texts() if FACT_OF[text.partition("(")[0]] == fact]


def moments() -> st.SearchStrategy[datetime]:
    """Around the edges of windows, the change of clocks and the moment of the run."""
    edges = [AS_OF.utc, AS_OF.window_start(1), AS_OF.window_start(90), AS_OF.offsets[0][0]]
    steps = [timedelta(microseconds=-1), timedelta(0), timedelta(microseconds=1), timedelta(1)]
    return st.builds(
        lambda edge, step, days: edge + step - timedelta(days=days),
        st.sampled_from(edges),
        st.sampled_from(steps),
        st.sampled_from([0, 0, 1, 2, 90]),
    )


def values(column: Column) -> st.SearchStrategy[Any]:
    texts = column.values or ("a", "b")
    kinds: dict[Type, st.SearchStrategy[Any]] = {
        Type.TEXT: st.sampled_from(texts),
        Type.BOOLEAN: st.booleans(),
        Type.INTEGER: st.sampled_from([0, 30, 31]),
        Type.NUMBER: st.sampled_from([Decimal(4), Decimal("4.5"), Decimal(9)]),
        Type.MONEY: st.sampled_from([Decimal(300), Decimal("-1.25"), Decimal("0.3335")]),
        Type.DATE: st.integers(-3, 6).map(lambda days: AS_OF.day - timedelta(days=days)),
        Type.MOMENT: moments(),
    }
    if column.name == "currency":
        return st.sampled_from([None, "CNY", "CNY", "EUR", "XXX"])
    if column.name == "happened_at":
        return moments()
    return st.one_of(st.none(), kinds[column.type], kinds[column.type])


def rows(fact: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = [item for item in EVENTS[fact].columns if item.usable]
    return st.lists(
        st.fixed_dictionaries({item.name: values(item) for item in columns}), max_size=7
    )


SOURCES = st.sampled_from(
    [
        SourceState(complete=True),
        SourceState(complete=True),
        SourceState(complete=True, untold=frozenset({"closed_at", "settled_at"})),
        SourceState(complete=True, since=AS_OF.window_day(90)),
        SourceState(complete=True, since=AS_OF.window_day(1)),
        SourceState(complete=False),
    ]
)
SETTINGS = st.fixed_dictionaries(
    {
        "calendar": st.just(CALENDAR),
        "money": st.sampled_from([None, MONEY]),
        "group": st.sampled_from([frozenset(), frozenset(EVENTS)]),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(sorted(EVENTS)), SOURCES, SETTINGS)
def test_both_back_ends_compute_every_metric_alike(
    data: st.DataObject, fact: str, state: SourceState, policy_settings: dict[str, Any]
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(texts_of(fact)), min_size=1, max_size=6))
    connection = new_world()
    for number in range(3):
        add_customer(
            connection,
            f"A:{number}",
            group_key="G",
            first_seen_on=AS_OF.day - timedelta(number - 1),
        )
    for row in data.draw(rows(fact)):
        insert(connection, fact, customer=f"A:{data.draw(st.integers(0, 2))}", **row)
    trees: list[Node] = [tree_of(text) for text in chosen]
    policy = policy_of([*trees, *instants_of(trees)], **policy_settings)
    sources = {name: SourceState(complete=True) for name in EVENTS} | {fact: state}
    compared = Comparison(connection, policy, AS_OF, sources)
    assert compared.differences() == []
    assert compared.by_sql.evidence == compared.by_python.evidence
