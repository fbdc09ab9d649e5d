"""One lifecycle for all kinds of rules, as SQL: findings and open episodes become actions.

Set-based over `findings`, `inputs`, `current_customers` (what the CRM shows), `open_episodes` and
`held` (what stands by our own hand); never a loop over customers.
Undecided never adds and never removes; a protected customer is left exactly as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.compile_sql import CompiledEvaluation
from policies.model import Policy, Rule
from policies.sql_expression import literal

# What the journal says we hold in the CRM: one row a customer and rule.
_OPEN = "(customer VARCHAR, rule VARCHAR, number INTEGER, stage VARCHAR, evidence_key VARCHAR)"
_CLOSED = "(customer VARCHAR, rule VARCHAR, closed INTEGER)"
_HELD = (
    "(customer VARCHAR, rule VARCHAR, tags VARCHAR[], has_status BOOLEAN, status VARCHAR, "
    "status_original VARCHAR, marker VARCHAR, note_id VARCHAR, note VARCHAR)"
)
STATE_TABLES = (
    f"CREATE OR REPLACE TEMP TABLE open_episodes {_OPEN}",
    f"CREATE OR REPLACE TEMP TABLE closed_episodes {_CLOSED}",
    f"CREATE OR REPLACE TEMP TABLE held {_HELD}",
)

ACTIONS_TABLE = (
    "CREATE OR REPLACE TEMP TABLE actions (key VARCHAR, rule SMALLINT, stage SMALLINT, "
    "status VARCHAR, blocked SMALLINT, entering BOOLEAN, evidence_key VARCHAR)"
)


def action_statements(policy: Policy, compiled: CompiledEvaluation) -> list[str]:
    """SQL that fills `actions`: one row for each customer and rule that has something to say.

    `actions.status` is a row status of a plan; `stage` 0 means out; `blocked` is the number of
    the protection that stands in the way; `evidence_key` is equal when the deciding facts are.
    """
    statements = [ACTIONS_TABLE]
    for number, rule in enumerate(policy.rules):
        key = _evidence_key(compiled, rule)
        statements.append(_rule_actions(policy, number, rule, key))
    return statements


def _evidence_key(compiled: CompiledEvaluation, rule: Rule) -> str:
    """Only rules with a note need to know whether their facts have changed."""
    columns = compiled.evidence_columns(rule.id)[1:]
    if not rule.note or not columns:
        return "''"
    texts = (f"coalesce(CAST(i.{column} AS VARCHAR), '')" for column in columns)
    return f"md5(concat_ws(chr(31), {', '.join(texts)}))"


def _rule_actions(policy: Policy, number: int, rule: Rule, evidence_key: str) -> str:
    tags = [stage.tag for stage in rule.stages if stage.tag]
    foreign = _any_tag(
        tags, "list_contains(c.tags, {tag}) AND NOT coalesce(list_contains(h.tags, {tag}), FALSE)"
    )
    gone = _any_tag(tags, "list_contains(h.tags, {tag}) AND NOT list_contains(c.tags, {tag})")
    stage_name = _by_stage([literal(stage.name) for stage in rule.stages])
    return f"""
INSERT INTO actions
WITH state AS (
  SELECT f.key, {_effective_stage(policy, number)} AS stage, {_blocked(policy, rule)} AS blocked
  FROM findings f
), judged AS (
  SELECT s.key, s.stage, s.blocked, {evidence_key} AS evidence_key, e.number IS NULL AS entering,
    CASE
      WHEN s.blocked >= 0 THEN CASE WHEN s.stage > 0 THEN 'protected' END
      WHEN s.stage IS NULL THEN 'undecided'
      WHEN s.blocked IS NULL THEN
        CASE WHEN s.stage > 0 OR e.number IS NOT NULL THEN 'undecided' END
      WHEN s.stage = 0 THEN CASE WHEN e.number IS NOT NULL THEN 'change' END
      WHEN {foreign} THEN 'foreign'
      WHEN e.number IS NULL THEN 'change'
      WHEN {gone} OR (h.has_status AND c.status IS DISTINCT FROM h.status) THEN 'overruled'
      WHEN e.stage <> {stage_name} THEN 'change'
      WHEN {_repair(rule, evidence_key)} THEN 'change'
    END AS status
  FROM state s
  JOIN current_customers c ON c.key = s.key
  JOIN inputs i ON i.key = s.key
  LEFT JOIN open_episodes e ON e.customer = s.key AND e.rule = {literal(rule.id)}
  LEFT JOIN held h ON h.customer = s.key AND h.rule = {literal(rule.id)}
  WHERE s.stage IS NULL OR s.stage > 0 OR e.number IS NOT NULL
)
SELECT key, {number}, stage, status, blocked, entering, evidence_key
FROM judged WHERE status IS NOT NULL"""


def _effective_stage(policy: Policy, number: int) -> str:
    """The first void rule that holds decides; the later ones are then out.

    A stage that leaves no mark in the CRM is out as well: there is nothing to write, or to keep.
    """
    rule, own = policy.rules[number], f"f.s_{number}"
    cases = [
        f"WHEN {own} = {place} THEN 0"
        for place, stage in enumerate(rule.stages, start=1)
        if not (rule.note or stage.tag or stage.status)
    ]
    if rule.kind == "void":
        cases[:0] = [
            f"WHEN f.s_{other} > 0 THEN 0"
            for other in range(number)
            if policy.rules[other].kind == "void"
        ]
    return f"CASE {' '.join(cases)} ELSE {own} END" if cases else own


def _blocked(policy: Policy, rule: Rule) -> str:
    """The first protection that holds, -1 when none does, NULL when one cannot be told."""
    shields = [
        number
        for number, protection in enumerate(policy.protections)
        if rule.kind in protection.kinds
    ]
    if not shields:
        return "-1"
    holding = " ".join(f"WHEN f.p_{number} THEN {number}" for number in shields)
    unknown = " OR ".join(f"f.p_{number} IS NULL" for number in shields)
    return f"CASE {holding} WHEN {unknown} THEN NULL ELSE -1 END"


def _repair(rule: Rule, evidence_key: str) -> str:
    """What an open episode in the right stage may still lack, or has grown old."""
    lacks = []
    if any(stage.tag for stage in rule.stages):
        wanted = _by_stage([_text_or_null(stage.tag) for stage in rule.stages])
        lacks.append(f"NOT coalesce(list_contains(coalesce(h.tags, []), {wanted}), TRUE)")
    if any(stage.status for stage in rule.stages):
        wanted = _by_stage([_text_or_null(stage.status) for stage in rule.stages])
        lacks.append(f"(h.has_status IS NOT TRUE AND c.status <> {wanted})")
        lacks.append(f"(h.has_status IS NOT TRUE AND c.status IS NULL AND {wanted} IS NOT NULL)")
    if rule.note:
        lacks.append(f"h.marker IS NULL OR e.evidence_key <> {evidence_key}")
    return " OR ".join(lacks) if lacks else "FALSE"


def _by_stage(values: Sequence[str]) -> str:
    if len(values) == 1:
        return values[0]
    cases = " ".join(f"WHEN {place} THEN {value}" for place, value in enumerate(values, start=1))
    return f"CASE s.stage {cases} END"


def _any_tag(tags: Sequence[str], condition: str) -> str:
    if not tags:
        return "FALSE"
    parts = (condition.format(tag=literal(tag)) for tag in tags)
    return f"coalesce({' OR '.join(f'({part})' for part in parts)}, FALSE)"


def _text_or_null(value: str | None) -> str:
    return literal(value) if value else "NULL"
