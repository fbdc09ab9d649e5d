"""The tables and metrics as data: what they hold, and that they fit together."""

from __future__ import annotations

import pytest

from policies.language.metrics import CLOCKS, METRICS, Aggregate, Metric
from policies.language.vocabulary import (
    ATTRIBUTES,
    CUSTOMERS,
    EVENTS,
    OWNER_ATTRIBUTES,
    SQL_TYPES,
    TABLES,
    Table,
    Type,
)


def test_events_have_a_customer_and_two_clocks() -> None:
    named = "activities deals quotes orders returns invoices complaints surveys contracts"
    assert set(EVENTS) == set(named.split())
    for table in EVENTS.values():
        assert set(table.by_name) >= {"customer", "id", "source", "happened_at", "recorded_at"}


def test_what_a_crm_forgets_is_marked() -> None:
    changeable = {column.name for column in CUSTOMERS.columns if column.changeable}
    named = (
        "owner_id tags status phone email country region industry name party do_not_contact "
        "attitude attitude_at group_key fields phone_valid email_valid"
    )
    assert changeable == set(named.split())
    assert CUSTOMERS.column("tags").type is Type.TAGS


def test_the_owner_of_a_customer_can_be_asked_about() -> None:
    assert set(ATTRIBUTES) == set(CUSTOMERS.usable) | set(OWNER_ATTRIBUTES)
    assert not set(OWNER_ATTRIBUTES) & set(CUSTOMERS.by_name)


def test_every_type_has_its_sql() -> None:
    assert set(SQL_TYPES) == set(Type)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_what_a_column_says_of_others_exists(table: Table) -> None:
    for column in table.columns:
        if column.settled_by:
            assert table.column(column.settled_by).type is Type.MOMENT
            assert not column.before or column.before in column.values
        assert column.blank is None or column.type is Type.BOOLEAN


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_stands_on_a_table_and_its_columns(metric: Metric) -> None:
    fact, value = metric.fact, metric.value
    assert fact in EVENTS
    assert {metric.clock, metric.after} <= {"", *CLOCKS}
    if metric.aggregate is Aggregate.SUM and value.isidentifier():
        assert EVENTS[fact].column(value).type is metric.type
