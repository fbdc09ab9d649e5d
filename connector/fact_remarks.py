"""What there is to say about the facts that a policy decides by: activities that count as no
contact, follow-ups in bursts, amounts in several currencies. Numbers only, nobody is named."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from connector.bursts import BURST_CUSTOMERS, BURST_SECONDS, MASS_CUSTOMERS
from connector.needs import BURST, MASS
from connector.policy_fit import derived_columns, money_tables
from connector.warehouse import Warehouse
from policies.evaluation.row_sql import RowSql
from policies.evaluation.sql_text import literal, moment_literal
from policies.language.metrics import METRICS
from policies.language.rows import all_of, metric_rows
from policies.language.scope import Scope
from policies.messages import message, table_label
from policies.model import Policy
from policies.moment import AsOf

_BURSTS = "burst_followups"


def fact_remarks(policy: Policy, warehouse: Warehouse, as_of: AsOf, language: str) -> list[str]:
    """One line each, in the language; none before the first pull."""
    derived = derived_columns(policy)
    tables = () if policy.money else money_tables(policy)
    if not (MASS in derived or BURST in derived or tables) or not warehouse.exists():
        return []
    with warehouse.reading(as_of.known_by) as connection:
        return [
            *_activities(connection, policy, as_of, language),
            *_currencies(connection, tables, as_of, language),
        ]


def _activities(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: AsOf, language: str
) -> Iterator[str]:
    derived = derived_columns(policy)
    if not derived & {MASS, BURST}:
        return
    mass = "mass AND automated IS NOT true"
    burst = _burst_condition(policy, as_of) if BURST in derived else "false"
    found = connection.execute(
        f"SELECT count(*), count(*) FILTER ({mass}), count(*) FILTER ({burst}) "
        f"FROM activities r WHERE {_visible(as_of)}"
    ).fetchone()
    total, edits, bursts = found or (0, 0, 0)
    if edits:
        figures = {"count": edits, "total": total, "customers": MASS_CUSTOMERS}
        yield message(language, "policy.mass", **figures)
    if bursts:
        minutes = BURST_SECONDS // 60
        figures = {"count": bursts, "customers": BURST_CUSTOMERS, "minutes": minutes}
        yield message(language, "policy.bursts", **figures)


def _burst_condition(policy: Policy, as_of: AsOf) -> str:
    """Valid follow-ups in bursts, as the policy defines a follow-up."""
    scope = Scope(params=policy.params, clocks=policy.clocks)
    condition = all_of(*(metric_rows(METRICS[_BURSTS], None, scope) or ()))
    return RowSql(as_of, policy.money).sql(condition) if condition else "false"


def _currencies(
    connection: duckdb.DuckDBPyConnection, tables: tuple[str, ...], as_of: AsOf, language: str
) -> Iterator[str]:
    """Without a base currency amounts are compared as they stand."""
    if not tables:
        return
    each = (
        f"SELECT {literal(table)}, list_sort(list(DISTINCT currency)) FROM {table} "
        f"WHERE amount IS NOT NULL AND currency <> '' AND {_visible(as_of)}"
        for table in tables
    )
    rows = connection.execute(" UNION ALL ".join(each)).fetchall()
    found = {table: names for table, names in rows if names}
    if len({name for names in found.values() for name in names}) < 2:
        return
    separator = message(language, "list.separator")
    parts = [
        message(
            language,
            "policy.currencies_of",
            table=table_label(language, table),
            currencies=separator.join(found[table]),
        )
        for table in tables
        if table in found
    ]
    tables_text = message(language, "note.separator").join(parts)
    yield message(language, "policy.currencies", tables=tables_text)


def _visible(as_of: AsOf) -> str:
    moment = moment_literal(as_of.utc)
    return f"happened_at < {moment} AND (recorded_at IS NULL OR recorded_at < {moment})"
