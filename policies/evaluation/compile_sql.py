"""The typed tree as DuckDB SQL: facts to inputs, inputs to thresholds, both to findings.

Facts are aggregated once a table with CASE sums; thresholds come from grouped values with running
sums over narrow columns; findings are row-local.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from policies.evaluation.evidence import KNOWN, NEVER, EvidenceItem, Gaps, scalar
from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.inputs_sql import inputs_statements
from policies.evaluation.sql_expression import ExpressionSql, Thresholds
from policies.evaluation.thresholds import threshold_sql
from policies.language.tree import Rank
from policies.model import Policy, Protection, Rule
from policies.moment import AsOf, SourceState
from policies.notes import counts_days
from policies.shadows import Shadow

_REMEMBERED = 1_000  # values of a column


@dataclass(frozen=True)
class CompiledEvaluation:
    """The SQL of one policy as of one moment, and how to read evidence out of its tables.

    `inputs_statements`, run in their order, fill the temporary table `inputs`.
    """

    plan: InputPlan
    inputs_statements: tuple[str, ...]
    threshold_queries: tuple[tuple[str, str], ...]

    def findings_sql(self, thresholds: Thresholds, standing: str | None = None) -> str:
        """`thresholds`: for each of `threshold_queries` the one row that it gave.

        `standing`: a table with a column `customer`; then only those customers are kept, and those
        of whom a rule has something to say: they are in it, or nobody can tell.
        """
        expressions = _FindingsSql(self.plan, thresholds)
        rules = tuple(enumerate(self.plan.policy.rules))
        # each rule, and those without some activities, by its column and that of its conditions
        judged = {f"s_{place}": (f"b_{place}", rule) for place, rule in rules}
        judged |= {item.column: (f"b_{item.column}", item.rule) for item in self.plan.shadows}
        conditions = {
            f"{name}_{number}": expressions.sql(stage.when.tree)
            for name, rule in judged.values()
            for number, stage in enumerate(rule.stages, 1)
            if stage.when is not None
        }
        doubts = self._doubts()
        stages = {
            column: _plus(
                f"CAST({_stage_sql(name, rule)} AS SMALLINT)",
                doubts.get(self._undated(rule.id), ""),
            )
            for column, (name, rule) in judged.items()
        }
        shields = {
            f"p_{place}": self._protects(protection, expressions.sql(protection.when.tree))
            for place, protection in enumerate(self.plan.policy.protections)
        }
        keys = {
            f"k_{place}": f"CASE WHEN s_{place} > 0 THEN {self.evidence_key(rule.id)} END"
            for place, rule in rules
            if rule.note
        }
        # In layers: the engine shares what conditions have in common only where it evaluates all
        # of them, and nothing of what stands inside a CASE.
        source = "inputs"
        nulls = {
            name: f"CASE WHEN {sql} THEN NULL ELSE CAST(0 AS SMALLINT) END"
            for sql, name in ((" OR ".join(u), n) for u, n in doubts.items())
        }
        for layer in (expressions.ranks, conditions | nulls, stages):
            if layer:
                source = f"(SELECT *, {_named(layer)} FROM {source})"
        columns = ["key", *stages, *([_named(shields | keys)] if shields | keys else [])]
        return (
            f"CREATE OR REPLACE TEMP TABLE findings AS SELECT {', '.join(columns)} FROM {source}"
            f"{self._speaking(standing) if standing else ''}"
        )

    def _speaking(self, standing: str) -> str:
        """Of whom a rule has something to say, or has not only for some activities."""
        stages = [f"s_{place}" for place in range(len(self.plan.policy.rules))]
        stages += [f"coalesce({shadow.column}, 0)" for shadow in self.plan.shadows]
        answers = " + ".join(("CAST(0 AS INTEGER)", *stages))
        return f" WHERE coalesce({answers}, 1) <> 0 OR key IN (SELECT customer FROM {standing})"

    def _doubts(self) -> dict[tuple[str, ...], str]:
        """For each set of facts tables that a rule looks at, a column that is NULL for a customer
        with an event there that could have happened at any time, and else nought."""
        sets = dict.fromkeys(self._undated(rule.id) for rule in self.plan.policy.rules)
        return {those: f"n_{place}" for place, those in enumerate(filter(None, sets))}

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
        """An expression over `inputs` that is equal when the deciding facts are; what grows from
        day to day by itself decides nothing anew."""
        inputs = self.plan.evidence_inputs(name)
        columns = [item.column for item in inputs if not counts_days(item.name)]
        texts = [f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns]
        return f"md5(concat_ws(chr(31), {', '.join(texts)}))" if texts else "''"

    def evidence_columns(self, name: str) -> tuple[str, ...]:
        """Columns of `inputs` to fetch for a rule or a protection: what is not known of the
        customer, then the values."""
        unclear = (item.unclear_column for item in self._unclear(name))
        mixed = (mix.column for mix in self.plan.mixes_of(name))
        values = (item.column for item in self.plan.evidence_inputs(name))
        return ("h", *self._undated(name), *unclear, *mixed, *values)

    def read_evidence(self, name: str, values: Sequence[object]) -> tuple[EvidenceItem, ...]:
        """Evidence from the values of `evidence_columns(name)`."""
        undated, unclear = self._undated(name), self._unclear(name)
        mixes = self.plan.mixes_of(name)
        first, second = 1 + len(undated), 1 + len(undated) + len(unclear)
        third = second + len(mixes)
        flags = zip(undated, values[1:first], strict=True)
        doubts = zip(unclear, values[first:second], strict=True)
        mixed = zip(mixes, values[second:third], strict=True)
        gaps = Gaps(
            history_known=bool(values[0]),
            undated=frozenset(column.removeprefix("u_") for column, flag in flags if flag),
            unclear=frozenset(item.place for item, doubt in doubts if doubt),
            mixed=frozenset(mix.place for mix, differ in mixed if differ),
        )
        return self.plan.evidence(name, values[third:], gaps)

    def evidence_reader(self, name: str) -> EvidenceReader:
        """`read_evidence` for many customers."""
        flags = len(self.evidence_columns(name)) - len(self.plan.evidence_inputs(name))
        return EvidenceReader(self, name, flags)

    @cached_property
    def all_evidence_columns(self) -> tuple[str, ...]:
        """What `evidence_columns` gives for all rules and protections."""
        policy = self.plan.policy
        names = [rule.id for rule in policy.rules] + [item.id for item in policy.protections]
        return tuple(dict.fromkeys(c for name in names for c in self.evidence_columns(name)))


class EvidenceReader:
    """Reads the evidence of one rule or protection, customer by customer. Of most of them all is
    clear: then a value that is not there means the same for each, and what comes again is made
    once.

    `columns` are expressions over columns of `inputs`: what is not known of the customer, as one
    list that is NULL where all is clear, then the values.
    """

    def __init__(self, compiled: CompiledEvaluation, name: str, flags: int) -> None:
        self._compiled = compiled
        self._name = name
        found = compiled.evidence_columns(name)
        history, *doubts = found[:flags]
        clear = " AND ".join((history, *(f"{doubt} IS NOT TRUE" for doubt in doubts)))
        unclear = f"CASE WHEN {clear} THEN NULL ELSE [{', '.join(found[:flags])}] END"
        self.columns = (unclear, *found[flags:])
        inputs = compiled.plan.evidence_inputs(name)
        self._named = [(item.name, item.type_name) for item in inputs]
        self._known: list[dict[object, EvidenceItem]] = [
            {None: EvidenceItem(item.name, item.type_name, None, item.empty_state)}
            for item in inputs
        ]
        leaves = [item.leaf for item in inputs]
        self._fallbacks = [
            (leaves.index(leaf), [leaves.index(other) for other in others])
            for leaf, others in compiled.plan.fallbacks_of(name).items()
        ]

    def __call__(self, values: Sequence[object]) -> tuple[EvidenceItem, ...]:
        """Evidence from the values of `columns`."""
        flags, *known = values
        if isinstance(flags, list):
            return self._compiled.read_evidence(self._name, [*flags, *known])
        items = [
            remembered.get(value) or self._make(place, value)
            for place, (remembered, value) in enumerate(zip(self._known, known, strict=True))
        ]
        if self._fallbacks:
            unused = {
                place
                for place, others in self._fallbacks
                if not any(items[other].state == NEVER for other in others)
            }
            items = [item for place, item in enumerate(items) if place not in unused]
        return tuple(items)

    def _make(self, place: int, value: object) -> EvidenceItem:
        name, kind = self._named[place]
        item = EvidenceItem(name, kind, scalar(value), KNOWN)
        if len(self._known[place]) < _REMEMBERED:
            self._known[place][value] = item
        return item


def compile_evaluation(
    policy: Policy,
    as_of: AsOf,
    sources: Mapping[str, SourceState],
    shadows: tuple[Shadow, ...] = (),
) -> CompiledEvaluation:
    """Compile a policy for one moment; `sources` says how complete each facts table is."""
    plan = InputPlan(policy, as_of, sources, shadows)
    queries = tuple(
        (f"t_{place}", threshold_sql(plan, rank)) for place, rank in enumerate(plan.ranks)
    )
    return CompiledEvaluation(plan, inputs_statements(plan), queries)


class _FindingsSql(ExpressionSql):
    """Ranks are columns of their own; `ranks` defines those that were met."""

    def __init__(self, plan: InputPlan, thresholds: Thresholds) -> None:
        super().__init__(plan, thresholds)
        self.ranks: dict[str, str] = {}
        self._places = {rank: f"q_{place}" for place, rank in enumerate(plan.ranks)}

    def rank(self, node: Rank) -> str:
        name = self._places[node]
        if name not in self.ranks:
            self.ranks[name] = super().rank(node)
        return name


def _named(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in columns.items())


def _plus(left: str, right: str) -> str:
    return f"{left} + {right}" if right else left


def _stage_sql(name: str, rule: Rule) -> str:
    """The number of the first stage that holds, 0 for none; NULL where that cannot be told.
    `name`: what the columns of its conditions begin with."""
    conditions = [
        (number, f"{name}_{number}")
        for number, stage in enumerate(rule.stages, 1)
        if stage.when is not None
    ]
    otherwise = max((n for n, stage in enumerate(rule.stages, 1) if stage.when is None), default=0)
    if not conditions:
        return str(otherwise)
    if otherwise == 0 and [number for number, _ in conditions] == [1]:
        return conditions[0][1]
    cases = (f"WHEN {name} THEN {n} WHEN {name} IS NULL THEN NULL" for n, name in conditions)
    return f"CASE {' '.join(cases)} ELSE {otherwise} END"
