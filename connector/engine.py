"""Evaluation on the embedded engine: a policy's SQL run by DuckDB over the staged facts."""

from __future__ import annotations

import duckdb

from policies.compile_sql import CompiledEvaluation, compile_evaluation
from policies.model import Policy
from policies.moment import AsOf, SourceState


def source_states(connection: duckdb.DuckDBPyConnection) -> dict[str, SourceState]:
    """How complete each facts table is, as the warehouse knows it."""
    rows = connection.execute("SELECT fact, complete, since FROM sources").fetchall()
    return {fact: SourceState(bool(complete), since) for fact, complete, since in rows}


def evaluate(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: AsOf
) -> CompiledEvaluation:
    """Fill the temporary tables `inputs` and `findings` for every customer."""
    compiled = compile_evaluation(policy, as_of, source_states(connection))
    connection.execute(compiled.inputs_sql)
    thresholds = {}
    for name, query in compiled.threshold_queries:
        row = connection.execute(query).fetchone()
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY always gives one row
        thresholds[name] = row
    connection.execute(compiled.findings_sql(thresholds))
    return compiled
