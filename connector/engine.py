"""Evaluation on the embedded engine: a policy's SQL run by DuckDB over the staged facts."""

from __future__ import annotations

import duckdb

from policies.evaluation.compile_sql import CompiledEvaluation, compile_evaluation
from policies.evaluation.sql_expression import Thresholds
from policies.model import Policy
from policies.moment import AsOf, SourceState
from policies.shadows import Shadow


def source_states(connection: duckdb.DuckDBPyConnection) -> dict[str, SourceState]:
    """How complete each facts table is, as the warehouse knows it."""
    rows = connection.execute(
        "SELECT fact, complete, since, pulled_at, untold FROM sources"
    ).fetchall()
    return {
        fact: SourceState(bool(complete), since, pulled_at, frozenset(untold))
        for fact, complete, since, pulled_at, untold in rows
    }


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    as_of: AsOf,
    standing: str | None = None,
    shadows: tuple[Shadow, ...] = (),
) -> tuple[CompiledEvaluation, Thresholds]:
    """Fill the temporary table `inputs` for every customer, and `findings`: for every customer too,
    or with `standing` for those of that table and those of whom a rule has something to say."""
    compiled = compile_evaluation(policy, as_of, source_states(connection), shadows)
    thresholds = fill_inputs(connection, compiled)
    connection.execute(compiled.findings_sql(thresholds, standing))
    return compiled, thresholds


def fill_inputs(connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation) -> Thresholds:
    """Fill the temporary table `inputs`; the thresholds over it."""
    for statement in compiled.inputs_statements:
        connection.execute(statement)
    thresholds = {}
    for name, query in compiled.threshold_queries:
        row = connection.execute(query).fetchone()
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY always gives one row
        thresholds[name] = row
    return thresholds
