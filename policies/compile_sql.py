"""The typed tree as DuckDB SQL: facts to inputs, inputs to thresholds, both to findings.

Facts are aggregated once a table with CASE sums; thresholds come from grouped values with running
sums over narrow columns; findings are row-local.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.inputs import EvidenceItem, Gaps, Input, InputPlan
from policies.metrics import Aggregate, Filter, Metric
from policies.model import Policy, Rule
from policies.moment import AsOf, SourceState
from policies.sql_expression import ExpressionSql, Thresholds, literal
from policies.thresholds import threshold_sql
from policies.tree import Attribute, HasTag, MetricValue
from policies.vocabulary import ATTRIBUTES, SQL_TYPES, Type

# Sums are wider than the money that they are made of.
_INPUT_TYPES = {**SQL_TYPES, Type.MONEY: "DECIMAL(38,4)"}


@dataclass(frozen=True)
class CompiledEvaluation:
    """The SQL of one policy as of one moment, and how to read evidence out of its tables."""

    plan: InputPlan
    inputs_sql: str
    threshold_queries: tuple[tuple[str, str], ...]

    def findings_sql(self, thresholds: Thresholds) -> str:
        """`thresholds`: for each of `threshold_queries` the one row that it gave."""
        expressions = ExpressionSql(self.plan, thresholds)
        policy = self.plan.policy
        answers = {
            f"s_{place}": (rule.id, f"CAST({_stage_sql(rule, expressions)} AS SMALLINT)")
            for place, rule in enumerate(policy.rules)
        }
        for place, protection in enumerate(policy.protections):
            answers[f"p_{place}"] = (protection.id, expressions.sql(protection.when.tree))
        named = ", ".join(f"{sql} AS {name}" for name, (_, sql) in answers.items())
        # Around the answers, not inside them: the engine shares what conditions have in common
        # only where it evaluates all of them.
        dated = ", ".join(
            f"{self._if_dated(of, name)} AS {name}" for name, (of, _) in answers.items()
        )
        keys = [
            f", CASE WHEN s_{place} > 0 THEN {self.evidence_key(rule.id)} END AS k_{place}"
            for place, rule in enumerate(policy.rules)
            if rule.note
        ]
        return (
            f"CREATE OR REPLACE TEMP TABLE findings AS SELECT key, {dated}"
            f"{''.join(keys)} FROM (SELECT *, {named} FROM inputs)"
        )

    def _if_dated(self, name: str, sql: str) -> str:
        """Unknown for a customer with an event that could have happened at any time."""
        undated = self._undated(name)
        return f"CASE WHEN NOT ({' OR '.join(undated)}) THEN {sql} END" if undated else sql

    def _undated(self, name: str) -> tuple[str, ...]:
        return tuple(f"u_{fact}" for fact in self.plan.facts_of(name))

    def evidence_key(self, name: str) -> str:
        """An expression over `inputs` that is equal when the deciding facts are."""
        columns = [item.column for item in self.plan.evidence_inputs(name)]
        texts = [f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns]
        return f"md5(concat_ws(chr(31), {', '.join(texts)}))" if texts else "''"

    def evidence_columns(self, name: str) -> tuple[str, ...]:
        """Columns of `inputs` to fetch for a rule or a protection: what is not known of the
        customer, then the values."""
        values = (item.column for item in self.plan.evidence_inputs(name))
        return ("h", *self._undated(name), *values)

    def read_evidence(self, name: str, values: Sequence[object]) -> tuple[EvidenceItem, ...]:
        """Evidence from the values of `evidence_columns(name)`."""
        undated = self._undated(name)
        first = 1 + len(undated)
        flags = zip(undated, values[1:first], strict=True)
        gaps = Gaps(
            history_known=bool(values[0]),
            undated=frozenset(column.removeprefix("u_") for column, flag in flags if flag),
        )
        return self.plan.evidence(name, values[first:], gaps)


def compile_evaluation(
    policy: Policy, as_of: AsOf, sources: Mapping[str, SourceState]
) -> CompiledEvaluation:
    """Compile a policy for one moment; `sources` says how complete each facts table is."""
    plan = InputPlan(policy, as_of, sources)
    queries = tuple(
        (f"t_{place}", threshold_sql(plan, rank)) for place, rank in enumerate(plan.ranks)
    )
    return CompiledEvaluation(plan, _inputs_sql(plan), queries)


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


def _inputs_sql(plan: InputPlan) -> str:
    moment = _moment(plan.as_of.utc)
    day = f"DATE '{plan.as_of.day.isoformat()}'"
    columns = ["c.key AS key", f"coalesce(c.first_seen_on <= {day}, FALSE) AS h"]
    joins: list[str] = []
    for fact in plan.facts:
        columns_of_fact = list(_aggregates(plan, fact))
        joins.append(_join(plan, fact, columns_of_fact))
        columns.append(f"coalesce(f_{fact}.u, FALSE) AS u_{fact}")
    for item in plan.inputs:
        columns += _columns(plan, item, day)
    return (
        f"CREATE OR REPLACE TEMP TABLE inputs AS SELECT {', '.join(columns)} FROM customers c "
        f"{' '.join(joins)} WHERE c.created_at IS NULL OR c.created_at < {moment}"
    )


def _of_fact(plan: InputPlan, fact: str) -> Iterator[tuple[Input, MetricValue, Metric]]:
    for item in plan.inputs:
        metric = item.metric
        if metric and metric.fact == fact and item.available and isinstance(item.leaf, MetricValue):
            yield item, item.leaf, metric


def _join(plan: InputPlan, fact: str, aggregates: list[str]) -> str:
    moment = _moment(plan.as_of.utc)
    happened = f"happened_at < {moment}"
    days = [leaf.days for _, leaf, _ in _of_fact(plan, fact)]
    windows = [window for window in days if window is not None]
    if len(windows) == len(days):
        happened += f" AND happened_at >= {_moment(plan.as_of.window_start(max(windows)))}"
    return (
        f"LEFT JOIN (SELECT customer, bool_or(happened_at IS NULL) AS u, {', '.join(aggregates)} "
        f"FROM {fact} WHERE (happened_at IS NULL OR ({happened})) "
        f"AND (recorded_at IS NULL OR recorded_at < {moment}) "
        f"GROUP BY customer) f_{fact} ON f_{fact}.customer = c.key"
    )


def _aggregates(plan: InputPlan, fact: str) -> Iterator[str]:
    for item, leaf, metric in _of_fact(plan, fact):
        window = "TRUE"
        if leaf.days is not None:
            window = f"happened_at >= {_moment(plan.as_of.window_start(leaf.days))}"
        yield f"{_aggregate(plan, metric, window)} AS a_{item.place}"
        if item.currency:
            yield f"min({_currency_in(window)}) AS c_{item.place}"


def _aggregate(plan: InputPlan, metric: Metric, window: str) -> str:
    if metric.aggregate is Aggregate.LAST:
        return "max(happened_at)"
    if metric.aggregate is Aggregate.FIRST:
        return "min(happened_at)"
    if metric.aggregate is Aggregate.SUM:
        currency = _currency_in(window)
        unknown = f"max(CASE WHEN {window} AND amount IS NULL THEN 1 ELSE 0 END) = 1"
        return (
            f"CASE WHEN min({currency}) <> max({currency}) OR {unknown} THEN NULL "
            f"ELSE coalesce(sum(CASE WHEN {window} THEN amount END), 0) END"
        )
    if metric.filter is Filter.ALL:
        return "count(*)" if window == "TRUE" else _count(window)
    known = "max(CASE WHEN state IS NULL THEN 1 ELSE 0 END) = 0"
    return f"CASE WHEN {known} THEN {_count(_deal_condition(plan, metric.filter))} END"


def _count(condition: str) -> str:
    return f"CAST(sum(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)"


def _currency_in(window: str) -> str:
    return f"CASE WHEN {window} THEN coalesce(currency, '') END"


def _deal_condition(plan: InputPlan, which: Filter) -> str:
    """A deal that was closed later than the moment was open then."""
    moment = _moment(plan.as_of.utc)
    if which is Filter.OPEN:
        return f"(state = 'open' OR closed_at >= {moment})"
    return f"(state = 'won' AND (closed_at IS NULL OR closed_at < {moment}))"


def _columns(plan: InputPlan, item: Input, day: str) -> Iterator[str]:
    raw = _raw(plan, item, day)
    value = raw
    if item.type is Type.DATE:
        value = _local_day(plan.as_of, raw)
    if not item.available:
        value = "NULL"
    yield f"CAST({value} AS {_INPUT_TYPES[item.type]}) AS {item.column}"
    if item.instant:
        instant = raw if item.available else "NULL"
        yield f"CAST({instant} AS TIMESTAMP) AS {item.instant_column}"
    if item.currency and item.metric:
        table = f"f_{item.metric.fact}"
        yield f"CASE WHEN NOT {table}.u THEN {table}.c_{item.place} END AS {item.currency_column}"


def _raw(plan: InputPlan, item: Input, day: str) -> str:
    leaf = item.leaf
    if isinstance(leaf, HasTag):
        tagged = f"list_contains(c.tags, {literal(leaf.tag)})"
        return f"CASE WHEN c.first_seen_on <= {day} THEN {tagged} END"
    if isinstance(leaf, Attribute):
        if ATTRIBUTES[leaf.name].changeable:
            return f"CASE WHEN c.first_seen_on <= {day} THEN nullif(c.{leaf.name}, '') END"
        return f"CASE WHEN c.{leaf.name} < {_moment(plan.as_of.utc)} THEN c.{leaf.name} END"
    metric = item.metric
    assert metric is not None  # noqa: S101 - a leaf is an attribute, a tag or a metric
    table = f"f_{metric.fact}"
    value = f"{table}.a_{item.place}"
    if metric.type is Type.MOMENT:
        return f"CASE WHEN NOT {table}.u THEN {value} END"
    return f"CASE WHEN {table}.customer IS NULL THEN 0 WHEN NOT {table}.u THEN {value} END"


def _local_day(as_of: AsOf, moment: str) -> str:
    """The local day of an instant.

    DuckDB's time zones cost more than all else in `inputs`; adding an offset costs nothing. They
    are asked only for instants older than the known offsets.
    """
    cases = " ".join(
        f"WHEN {moment} >= {_moment(start)} THEN CAST({moment} + to_seconds({offset}) AS DATE)"
        for start, offset in as_of.offsets
    )
    zoned = f"({moment} AT TIME ZONE 'UTC') AT TIME ZONE {literal(as_of.zone)}"
    return f"CASE {cases} ELSE CAST({zoned} AS DATE) END"


def _moment(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"
