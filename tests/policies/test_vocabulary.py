"""The tables as data: types, names in two languages, and what a CRM forgets."""

from __future__ import annotations

from policies.metrics import METRICS
from policies.vocabulary import SQL_TYPES, TABLES, Type


def test_every_table_and_column_is_named_in_two_languages() -> None:
    for table in TABLES.values():
        assert table.zh != table.en
        assert all(column.label("zh-CN") != column.label("en") for column in table.columns)


def test_events_have_a_customer_and_two_clocks() -> None:
    events = {name for name, table in TABLES.items() if table.is_event}
    assert events == {"activities", "deals", "orders", "returns"}
    for name in events:
        names = set(TABLES[name].by_name)
        assert names >= {"customer", "id", "source", "happened_at", "recorded_at"}


def test_what_a_crm_forgets_is_marked() -> None:
    changeable = {column.name for column in TABLES["customers"].columns if column.changeable}
    named = "owner_id tags status phone email country region industry name"
    assert changeable == set(named.split())
    assert TABLES["customers"].column("tags").type is Type.TAGS


def test_metrics_stand_on_tables_and_types_have_sql() -> None:
    assert {metric.fact for metric in METRICS.values()} <= set(TABLES)
    assert set(SQL_TYPES) == set(Type)
    assert METRICS["orders_count"].label("en", 30) == "orders in 30 days"
    assert METRICS["orders_count"].label("zh-CN", 30) == "近30天订单数"
