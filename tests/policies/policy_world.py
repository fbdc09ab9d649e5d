"""A world of facts in DuckDB and both back ends run over it, for the tests of this room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.customer_facts import CustomerFacts, with_groups
from policies.evaluation.evidence import EvidenceItem
from policies.language.vocabulary import EVENTS, SQL_TYPES, TABLES
from policies.library import library_text
from policies.model import Policy
from policies.moment import AsOf, SourceState
from policies.policy import parse_policy

FACTS = tuple(EVENTS)
ALL_COMPLETE = {fact: SourceState(complete=True) for fact in (*FACTS, "people")}


@dataclass(frozen=True)
class Outcome:
    """What one back end says of one customer."""

    stages: tuple[int | None, ...]
    holds: tuple[bool | None, ...]
    evidence: tuple[tuple[EvidenceItem, ...], ...]


def library_policy(name: str) -> Policy:
    return parse_policy(library_text(name), f"{name}.yaml")


def new_world() -> duckdb.DuckDBPyConnection:
    """Empty facts tables, made from the vocabulary."""
    connection = duckdb.connect()
    for table in TABLES.values():
        columns = ", ".join(f"{item.name} {SQL_TYPES[item.type]}" for item in table.columns)
        connection.execute(f"CREATE TABLE {table.name} ({columns})")
    return connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, **values: Any) -> None:
    """One row; columns that are not named are NULL."""
    names = ", ".join(values)
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def add_customer(connection: duckdb.DuckDBPyConnection, key: str = "A:1", **values: Any) -> None:
    insert(connection, "customers", **({"key": key, "tags": []} | values))


def duckdb_outcomes(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    as_of: AsOf,
    sources: Mapping[str, SourceState],
) -> tuple[dict[str, Outcome], dict[str, tuple[Any, ...]]]:
    """Findings and evidence by customer key, and the thresholds."""
    compiled = compile_evaluation(policy, as_of, sources)
    for statement in compiled.inputs_statements:
        connection.execute(statement)
    thresholds = {}
    for name, query in compiled.threshold_queries:
        row = connection.execute(query).fetchone()
        assert row is not None
        thresholds[name] = row
    connection.execute(compiled.findings_sql(thresholds))
    names = [*(rule.id for rule in policy.rules), *(item.id for item in policy.protections)]
    columns = [compiled.evidence_columns(name) for name in names]
    flat = [f"i.{column}" for group in columns for column in group]
    rules, shields = len(policy.rules), len(policy.protections)
    found = [f"f.s_{number}" for number in range(rules)]
    found += [f"f.p_{number}" for number in range(shields)]
    columns_sql = ", ".join(["f.key", *found, *flat])
    rows = connection.execute(
        f"SELECT {columns_sql} FROM findings f JOIN inputs i ON i.key = f.key"
    )
    outcomes = {}
    while batch := rows.fetchmany(5_000):
        for row in batch:
            start = 1 + rules + shields
            evidence = []
            for name, group in zip(names, columns, strict=True):
                evidence.append(compiled.read_evidence(name, row[start : start + len(group)]))
                start += len(group)
            findings = row[1 : 1 + rules], row[1 + rules : 1 + rules + shields]
            outcomes[row[0]] = Outcome(*findings, tuple(evidence))
    return outcomes, thresholds


def python_outcomes(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    as_of: AsOf,
    sources: Mapping[str, SourceState],
) -> tuple[dict[str, Outcome], Mapping[str, Any]]:
    """The same from the rows, in Python."""
    evaluation = PythonEvaluation(policy, as_of, sources)
    inputs = {}
    everyone = customer_facts(connection)
    if policy.group:
        everyone = with_groups(everyone, as_of, policy.group)
    for key, facts in everyone.items():
        values = evaluation.inputs(facts)
        if values is not None:
            inputs[key] = values
    thresholds = evaluation.thresholds(inputs.values())
    outcomes = {}
    for key, values in inputs.items():
        result = evaluation.explain(values, thresholds)
        outcomes[key] = Outcome(
            tuple(rule.stage for rule in result.rules),
            tuple(item.holds for item in result.protections),
            tuple(item.evidence for item in (*result.rules, *result.protections)),
        )
    return outcomes, thresholds


def customer_facts(connection: duckdb.DuckDBPyConnection) -> dict[str, CustomerFacts]:
    """Every customer with its rows."""
    events: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(dict)
    for fact in FACTS:
        for row in _rows(connection, fact):
            events[row["customer"]].setdefault(fact, []).append(row)
    people = {row["id"]: row for row in _rows(connection, "people")}
    return {
        row["key"]: CustomerFacts(row, events.get(row["key"], {}), people.get(row["owner_id"]))
        for row in _rows(connection, "customers")
    }


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [item[0] for item in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
