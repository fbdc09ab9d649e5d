"""Expressions of the policy language for every customer of facts that stand in files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import duckdb

from connector.engine import evaluate
from connector.warehouse import Warehouse
from policies.evaluation.sql_expression import ExpressionSql
from policies.language.tree import Compare
from policies.moment import AsOf
from policies.policy import parse_policy

Values = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Place:
    """Where the warehouse of one measurement stands."""

    folder: Path
    zone: str

    @property
    def warehouse_path(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def history_path(self) -> Path:
        return self.folder / "history"


@contextmanager
def staged(tables: Mapping[str, str], zone: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse open for reading. `tables`: a query for the rows of each facts table, which then
    counts as pulled in full."""
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        warehouse = Warehouse(Place(Path(folder), zone))
        with warehouse.writing() as connection:
            for table, query in tables.items():
                connection.execute(f"INSERT INTO {table} BY NAME {query}")
                connection.execute("INSERT INTO sources VALUES (?, TRUE, NULL, NULL, [])", [table])
            connection.execute("INSERT INTO meta VALUES ('loaded_on', '2000-01-01')")
        with warehouse.reading() as connection:
            yield connection


def values(
    connection: duckdb.DuckDBPyConnection, expressions: tuple[str, ...], as_of: AsOf
) -> Values:
    """The numbers of each customer by key, in the order of `expressions`; None is not decided."""
    rules = "\n".join(
        f'  - {{tier: r{place}, bands: [{{name: x, when: "{text} >= 0"}}]}}'
        for place, text in enumerate(expressions)
    )
    policy = parse_policy(f"policy: 2\nname: values\nrules:\n{rules}\n")
    compiled, _ = evaluate(connection, policy, as_of)
    columns = []
    for condition in policy.conditions[: len(expressions)]:
        assert isinstance(condition.tree, Compare)
        columns.append(ExpressionSql(compiled.plan, {}).sql(condition.tree.left))
    rows = connection.execute(f"SELECT key, {', '.join(columns)} FROM inputs").fetchall()
    return {key: tuple(found) for key, *found in rows}
