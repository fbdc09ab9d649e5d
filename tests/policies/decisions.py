"""What a policy decides over a world of facts, and what would be written where something stands."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb

from connector.engine import fill_inputs
from connector.shadows import shadows_of
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.sql_text import literal
from policies.lifecycle import STATE_TABLES, action_statements
from policies.model import Policy
from policies.moment import AsOf, SourceState

Stages = dict[tuple[str, str], int | None]
Holds = dict[tuple[str, str], bool | None]


@dataclass(frozen=True)
class Decisions:
    """By customer and rule: the stage that was found (0: out, None: unknown), and the action, as
    its status and the stage it leads to. By customer and protection: whether it holds."""

    stages: Stages
    holds: Holds
    actions: dict[tuple[str, str], tuple[str, str | None]]

    @property
    def changes(self) -> dict[tuple[str, str], str | None]:
        """Who would enter, leave or change what."""
        return {key: stage for key, (status, stage) in self.actions.items() if status == "change"}


def decide(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    as_of: AsOf,
    sources: Mapping[str, SourceState],
    standing: int | None = None,
) -> Decisions:
    """`standing`: the seed of what stands in the CRM by our hand; None: nothing does."""
    _stand(connection, policy, standing)
    shadows = shadows_of(connection, policy, as_of)
    compiled = compile_evaluation(policy, as_of, sources, shadows)
    connection.execute(compiled.findings_sql(fill_inputs(connection, compiled)))
    stages, holds = _findings(connection, policy)
    for statement in action_statements(policy, shadows):
        connection.execute(statement)
    rows = connection.execute(
        "SELECT a.key, r.id, a.status, CASE WHEN a.status <> 'undecided' THEN g.name END "
        "FROM actions a JOIN rules r ON r.number = a.rule "
        "LEFT JOIN stages g ON g.rule = a.rule AND g.stage = a.stage"
    ).fetchall()
    actions = {(key, rule): (status, stage) for key, rule, status, stage in rows}
    assert len(actions) == len(rows), "one row for a customer and a rule"
    return Decisions(stages, holds, actions)


def _findings(connection: duckdb.DuckDBPyConnection, policy: Policy) -> tuple[Stages, Holds]:
    rules = [rule.id for rule in policy.rules]
    shields = [item.id for item in policy.protections]
    columns = [f"s_{place}" for place in range(len(rules))]
    columns += [f"p_{place}" for place in range(len(shields))]
    stages: Stages = {}
    holds: Holds = {}
    query = f"SELECT key, {', '.join(columns)} FROM findings"
    for key, *values in connection.execute(query).fetchall():
        for name, value in zip(rules, values, strict=False):
            stages[key, name] = value
        for name, value in zip(shields, values[len(rules) :], strict=True):
            holds[key, name] = value
    return stages, holds


def _stand(connection: duckdb.DuckDBPyConnection, policy: Policy, seed: int | None) -> None:
    """Episodes, holdings and what the CRM shows: mostly of one mind, sometimes not."""
    for statement in STATE_TABLES:
        connection.execute(statement)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE current_customers AS "
        "SELECT key, CAST([] AS VARCHAR[]) AS tags, CAST(NULL AS VARCHAR) AS status FROM customers"
    )
    if seed is None:
        return
    keys = [key for (key,) in connection.execute("SELECT key FROM customers").fetchall()]
    opened, held, shown = [], [], []
    for key in keys:
        tags: list[str] = []
        status = "NULL"
        for rule in policy.rules:
            for part in _stay(random.Random(f"{seed} {key} {rule.id}"), rule.id, policy):  # noqa: S311
                opened.append(f"({literal(key)}, {literal(rule.id)}, 1, {literal(part.stage)}, '')")
                held.append(f"({literal(key)}, {literal(rule.id)}, {part.holding})")
                tags += part.shown
                status = part.status if part.status != "NULL" else status
        shown.append(f"({literal(key)}, [{', '.join(map(literal, sorted(tags)))}], {status})")
    for table, rows in (("open_episodes", opened), ("held", held)):
        if rows:
            connection.execute(f"INSERT INTO {table} VALUES {', '.join(rows)}")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE current_customers AS SELECT CAST(key AS VARCHAR) AS key, "
        "CAST(tags AS VARCHAR[]) AS tags, CAST(status AS VARCHAR) AS status "
        f"FROM (VALUES {', '.join(shown)}) t(key, tags, status)"
    )


@dataclass(frozen=True)
class _Stay:
    stage: str
    holding: str
    shown: list[str]
    status: str


def _stay(chance: random.Random, rule_id: str, policy: Policy) -> Iterator[_Stay]:
    stages = [stage for stage in policy.rule(rule_id).stages if stage.tag]
    if not stages or chance.random() < 0.5:
        return
    stage = chance.choice(stages)
    tag = [literal(stage.tag)] if chance.random() < 0.9 else []
    shown = [str(stage.tag)] if chance.random() < 0.9 else []
    status = literal(stage.status) if stage.status and chance.random() < 0.9 else "NULL"
    has_status = status != "NULL"
    yield _Stay(
        stage.name,
        f"[{', '.join(tag)}]::VARCHAR[], {has_status}, {status}, NULL, 'MARK', 'n', 'text'",
        shown,
        status,
    )
