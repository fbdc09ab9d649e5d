"""The typed tree as DuckDB SQL: facts to inputs, inputs to thresholds, both to findings.

Facts are aggregated once a table with CASE sums; thresholds come from grouped values with running
sums over narrow columns; findings are row-local.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.inputs import EvidenceItem, Gaps, Input, InputPlan
from policies.inputs_sql import inputs_statements
from policies.model import Policy, Protection, Rule
from policies.moment import AsOf, SourceState
from policies.sql_expression import ExpressionSql, Thresholds
from policies.thresholds import threshold_sql


@dataclass(frozen=True)
class CompiledEvaluation:
    """The SQL of one policy as of one moment, and how to read evidence out of its tables.

    `inputs_statements`, run in their order, fill the temporary table `inputs`.
    """

    plan: InputPlan
    inputs_statements: tuple[str, ...]
    threshold_queries: tuple[tuple[str, str], ...]

    def findings_sql(self, thresholds: Thresholds) -> str:
        """`thresholds`: for each of `threshold_queries` the one row that it gave."""
        expressions = ExpressionSql(self.plan, thresholds)
        policy = self.plan.policy
        answers = {
            f"s_{place}": f"CAST({_stage_sql(rule, expressions)} AS SMALLINT)"
            for place, rule in enumerate(policy.rules)
        }
        dated = [
            f"{self._if_dated(rule.id, f's_{place}')} AS s_{place}"
            for place, rule in enumerate(policy.rules)
        ]
        for place, protection in enumerate(policy.protections):
            answers[f"p_{place}"] = expressions.sql(protection.when.tree)
            dated.append(f"{self._protects(protection, f'p_{place}')} AS p_{place}")
        named = "".join(f", {sql} AS {name}" for name, sql in answers.items())
        # Around the answers, not inside them: the engine shares what conditions have in common
        # only where it evaluates all of them.
        keys = [
            f"CASE WHEN s_{place} > 0 THEN {self.evidence_key(rule.id)} END AS k_{place}"
            for place, rule in enumerate(policy.rules)
            if rule.note
        ]
        return (
            f"CREATE OR REPLACE TEMP TABLE findings AS SELECT {', '.join(['key', *dated, *keys])} "
            f"FROM (SELECT *{named} FROM inputs)"
        )

    def _if_dated(self, name: str, sql: str) -> str:
        """Unknown for a customer with an event that could have happened at any time."""
        undated = self._undated(name)
        return f"CASE WHEN NOT ({' OR '.join(undated)}) THEN {sql} END" if undated else sql

    def _protects(self, protection: Protection, sql: str) -> str:
        dated = self._if_dated(protection.id, sql)
        return f"coalesce({dated}, FALSE)" if protection.certain else dated

    def _undated(self, name: str) -> tuple[str, ...]:
        return tuple(f"u_{fact}" for fact in self.plan.facts_of(name))

    def _unclear(self, name: str) -> tuple[Input, ...]:
        return tuple(item for item in self.plan.evidence_inputs(name) if item.may_be_unclear)

    def evidence_key(self, name: str) -> str:
        """An expression over `inputs` that is equal when the deciding facts are."""
        columns = [item.column for item in self.plan.evidence_inputs(name)]
        texts = [f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns]
        return f"md5(concat_ws(chr(31), {', '.join(texts)}))" if texts else "''"

    def evidence_columns(self, name: str) -> tuple[str, ...]:
        """Columns of `inputs` to fetch for a rule or a protection: what is not known of the
        customer, then the values."""
        unclear = (item.unclear_column for item in self._unclear(name))
        values = (item.column for item in self.plan.evidence_inputs(name))
        return ("h", *self._undated(name), *unclear, *values)

    def read_evidence(self, name: str, values: Sequence[object]) -> tuple[EvidenceItem, ...]:
        """Evidence from the values of `evidence_columns(name)`."""
        undated, unclear = self._undated(name), self._unclear(name)
        first, second = 1 + len(undated), 1 + len(undated) + len(unclear)
        flags = zip(undated, values[1:first], strict=True)
        doubts = zip(unclear, values[first:second], strict=True)
        gaps = Gaps(
            history_known=bool(values[0]),
            undated=frozenset(column.removeprefix("u_") for column, flag in flags if flag),
            unclear=frozenset(item.place for item, doubt in doubts if doubt),
        )
        return self.plan.evidence(name, values[second:], gaps)


def compile_evaluation(
    policy: Policy, as_of: AsOf, sources: Mapping[str, SourceState]
) -> CompiledEvaluation:
    """Compile a policy for one moment; `sources` says how complete each facts table is."""
    plan = InputPlan(policy, as_of, sources)
    queries = tuple(
        (f"t_{place}", threshold_sql(plan, rank)) for place, rank in enumerate(plan.ranks)
    )
    return CompiledEvaluation(plan, inputs_statements(plan), queries)


def _stage_sql(rule: Rule, expressions: ExpressionSql) -> str:
    parts = ["CASE"]
    otherwise = 0
    for number, stage in enumerate(rule.stages, 1):
        if stage.when is None:
            otherwise = number
        else:
            condition = expressions.sql(stage.when.tree)
            parts.append(f"WHEN {condition} THEN {number} WHEN ({condition}) IS NULL THEN NULL")
    if len(parts) == 1:
        return str(otherwise)
    return " ".join([*parts, f"ELSE {otherwise} END"])
