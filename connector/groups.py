"""Which customers belong together: a parent record and all below it carry the key of the root."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from connector.mapping_file import CustomerSource, Link
from connector.mapping_sql import staged, where_sql
from connector.row_shape import identifier
from policies.evaluation.sql_text import literal

# Deeper trees are taken for circles; of a circle's members the smallest key stands for all.
DEEPEST = 12


def regroup(connection: duckdb.DuckDBPyConnection, sources: Iterable[CustomerSource]) -> None:
    """Set `group_key` of all customers. The keys of those that changed are left in the temporary
    table `regrouped`. A customer without parent and children is in no group: NULL."""
    selects = [_parents(source, source.group_key) for source in sources if source.group_key]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE roots AS WITH RECURSIVE "
        f"named AS ({' UNION ALL '.join(selects)}), "
        "direct AS (SELECT n.key, coalesce(a.key, n.parent) AS parent FROM named n "
        "LEFT JOIN aliases a ON a.alias = n.parent "
        "WHERE coalesce(a.key, n.parent) <> n.key), "
        "chain AS (SELECT key, parent AS root, 1 AS depth FROM direct UNION ALL "
        "SELECT chain.key, direct.parent, depth + 1 FROM chain "
        f"JOIN direct ON direct.key = chain.root WHERE depth < {DEEPEST}) "
        f"SELECT key, CASE WHEN max(depth) = {DEEPEST} THEN min(root) "
        "ELSE arg_max(root, depth) END AS root FROM chain GROUP BY key"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE regrouped AS SELECT c.key, "
        "coalesce(r.root, CASE WHEN c.key IN (SELECT root FROM roots) THEN c.key END) AS root "
        "FROM customers c LEFT JOIN roots r ON r.key = c.key"
    )
    connection.execute(
        "DELETE FROM regrouped USING customers c "
        "WHERE c.key = regrouped.key AND c.group_key IS NOT DISTINCT FROM regrouped.root"
    )
    connection.execute(
        "UPDATE customers SET group_key = r.root FROM regrouped r WHERE customers.key = r.key"
    )
    connection.execute("DROP TABLE roots")


def _parents(source: CustomerSource, link: Link) -> str:
    own, parent = literal(f"{source.object}:"), literal(f"{link.object or source.object}:")
    path = f"s.{identifier(link.id)}"
    return (
        f'SELECT {own} || s.":id" AS key, {parent} || {path} AS parent '
        f"FROM {staged(source.object)} s WHERE nullif({path}, '') IS NOT NULL "
        f"AND {where_sql(source)}"
    )
