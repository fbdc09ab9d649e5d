"""Small worlds made up by hypothesis: both back ends agree, and the undecided are in no stage."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.moment import AsOf, SourceState
from policies.policy import parse_policy
from tests.policies.policy_world import (
    add_customer,
    duckdb_outcomes,
    insert,
    new_world,
    python_outcomes,
)

AS_OF = AsOf.midnight(date(2026, 3, 30), "Europe/Berlin")
FACTS = ("activities", "deals", "orders", "returns")

MOMENTS = st.sampled_from(["last_order_at", "last_activity_at", "created_at", "owned_since"])
NUMBERS = st.sampled_from(
    ["orders_count()", "open_deals", "won_deals", "activities_count(1)", "days_since(owned_since)"]
)
AMOUNTS = st.sampled_from(
    ["orders_amount()", "orders_amount(1)", "returns_amount()", "deals_amount()"]
)


def _leaf() -> st.SearchStrategy[str]:
    compared = st.sampled_from([">", "<", "=", "<>", ">=", "<="])
    return st.one_of(
        st.sampled_from(["phone IS NULL", "status = 'a'", "has_tag('x')", "status IN ('a', 'b')"]),
        st.builds("never({})".format, MOMENTS),
        st.builds("{} {} {}".format, MOMENTS, compared, MOMENTS),
        st.builds("days_since({}) {} {}".format, MOMENTS, compared, st.integers(0, 3)),
        st.builds("days_since(greatest({}, {})) > 0".format, MOMENTS, MOMENTS),
        st.builds("{} {} {}".format, NUMBERS, compared, st.integers(0, 2)),
        st.builds("{} / {} {} 1.5".format, AMOUNTS, NUMBERS, compared),
        st.builds("{} - {} * 2 {} 0.5".format, AMOUNTS, AMOUNTS, compared),
        st.builds("least({}, {}) {} 1".format, NUMBERS, NUMBERS, compared),
        st.builds("{} + {} {} {}".format, AMOUNTS, AMOUNTS, compared, AMOUNTS),
        st.builds("greatest({}, {}, 2) {} 1".format, AMOUNTS, AMOUNTS, compared),
        st.builds("rate({}, {}, min_n: 1, else: 2) {} 1".format, AMOUNTS, AMOUNTS, compared),
        st.builds(
            "if({} > {}, {} * 2, {}) {} {}".format,
            AMOUNTS,
            AMOUNTS,
            AMOUNTS,
            AMOUNTS,
            compared,
            AMOUNTS,
        ),
        st.builds("quintile({} + {}) {} 3".format, AMOUNTS, AMOUNTS, compared),
        st.builds("quintile({}) {} 3".format, st.one_of(AMOUNTS, NUMBERS), compared),
        st.builds("abc({}) = 'A'".format, AMOUNTS),
    )


CONDITIONS = st.recursive(
    _leaf(),
    lambda inner: st.one_of(
        st.builds("NOT ({})".format, inner),
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
    ),
    max_leaves=5,
)
INSTANTS = st.one_of(
    st.none(),
    st.integers(-3, 100).map(lambda hours: AS_OF.utc - timedelta(hours=hours)),
)
SOURCES = st.fixed_dictionaries(
    {
        fact: st.builds(
            SourceState,
            complete=st.sampled_from([True, True, True, False]),
            since=st.sampled_from([None, None, date(2026, 3, 29), date(2026, 3, 30)]),
        )
        for fact in FACTS
    }
)
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": INSTANTS,
            "owned_since": INSTANTS,
            "tags": st.sampled_from([[], ["x"]]),
            "status": st.sampled_from([None, "a", "c"]),
            "phone": st.sampled_from([None, "", "1"]),
            "first_seen_on": st.sampled_from([None, date(2026, 3, 30), date(2026, 3, 31)]),
        }
    ),
    min_size=1,
    max_size=7,
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(FACTS),
        st.integers(0, 6),
        st.fixed_dictionaries({"happened_at": INSTANTS, "recorded_at": INSTANTS}),
        st.fixed_dictionaries(
            {
                "amount": st.sampled_from([None, Decimal("0.5"), Decimal(3), Decimal("-1.25")]),
                "currency": st.sampled_from([None, "C", "C", "C", "E"]),
            }
        ),
        st.fixed_dictionaries(
            {"state": st.sampled_from([None, "open", "won", "lost"]), "closed_at": INSTANTS}
        ),
    ),
    max_size=14,
)


def _world(
    customers: list[dict[str, Any]],
    events: list[tuple[str, int, dict[str, datetime], dict[str, Any], dict[str, Any]]],
) -> duckdb.DuckDBPyConnection:
    connection = new_world()
    for number, values in enumerate(customers):
        add_customer(connection, f"A:{number}", **values)
    for fact, number, when, money, deal in events:
        extra = {} if fact == "activities" else money
        extra = {**extra, **deal} if fact == "deals" else extra
        insert(connection, fact, customer=f"A:{number}", **when, **extra)
    return connection


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONDITIONS, CONDITIONS, CUSTOMERS, EVENTS, SOURCES)
def test_both_back_ends_agree_and_the_undecided_are_in_no_stage(
    first: str,
    second: str,
    customers: list[dict[str, Any]],
    events: list[Any],
    sources: dict[str, SourceState],
) -> None:
    policy = parse_policy(
        "policy: 1\nname: p\nrules:\n- tier: r\n  bands:\n"
        f'  - {{name: a, when: "{first}"}}\n  - {{name: b, when: "{second}"}}\n'
        f'protect:\n- {{id: first, when: "{first}"}}\n- {{id: second, when: "{second}"}}\n'
    )
    connection = _world(customers, events)
    by_sql, sql_thresholds = duckdb_outcomes(connection, policy, AS_OF, sources)
    by_python, thresholds = python_outcomes(connection, policy, AS_OF, sources)
    assert sql_thresholds == thresholds
    assert by_sql == by_python
    expected = {(True, True): 1, (True, False): 1, (True, None): 1, (False, True): 2}
    undated = {f"A:{number}" for _, number, when, *_ in events if when["happened_at"] is None}
    for key, outcome in by_sql.items():
        holds = outcome.holds[:2]
        unknown = holds[0] is None or holds == (False, None)
        stage = None if unknown else expected.get(holds, 0)
        # An event that could have happened at any time leaves the whole rule undecided.
        assert outcome.stages in {(stage,), (None,) if key in undated else (stage,)}
