"""From a customer's action to a plan row: which steps, which note, which primitives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import msgspec

from connector.marker import marker
from connector.models import Change, Primitive, Ref, Step, StepKind
from connector.plan_model import Evidence, PlanRow, RowStatus
from connector.ports import Adapter
from policies.evaluation.compile_sql import CompiledEvaluation
from policies.evaluation.inputs import missing_inputs
from policies.evaluation.sql_expression import literal
from policies.lifecycle import exit_order
from policies.model import RETIRED, Policy, Rule, Stage
from policies.moment import AsOf
from policies.notes import render_note

# Rows that change nothing are listed up to here for each rule and status; their counts are exact.
LISTED = 10_000
_FETCH = 2_000
# The order of a rule's rows.
STATUSES = ("change", "protected", "overruled", "foreign", "undecided")


@dataclass(frozen=True)
class PlanContext:
    """What a plan depends on beside the staged facts and the journal."""

    adapter: Adapter
    organisation: str
    policy: Policy
    as_of: AsOf
    language: str
    status_field: str | None = None

    @property
    def written_policy(self) -> Policy:
        """The policy without statuses, where the workspace names no field to write them to."""
        return self.policy if self.status_field else self.policy.without_status()


class _Action(NamedTuple):
    """One fetched row: the action, what the CRM shows, and what we hold there."""

    key: str
    status: str
    stage: int | None
    blocked: int | None
    evidence_key: str
    heir: str | None
    name: str | None
    version: str | None
    owner: str | None
    tags: Sequence[str]
    shown_status: str | None
    episode: int | None
    stage_before: str | None
    evidence_key_before: str | None
    closed: int | None
    held_tags: Sequence[str]
    has_status: bool | None
    held_status: str | None
    original_status: str | None
    marker: str | None
    note_id: str | None
    note: str | None


_COLUMNS = """
a.key, a.status, a.stage, a.blocked, {evidence_key}, a.heir,
c.name, c.version, c.owner_id, c.tags, c.status,
a.number, a.stage_before, a.evidence_key_before, a.closed, a.held_tags, a.has_status, a.held_status,
a.status_original, a.marker, a.note_id, a.note"""
_LISTED = """
CREATE OR REPLACE TEMP TABLE listed AS
SELECT a.*, k.place, e.number, e.stage AS stage_before, e.evidence_key AS evidence_key_before,
  d.closed, coalesce(h.tags, []) AS held_tags, h.has_status, h.status AS held_status,
  h.status_original, h.marker, h.note_id, h.note
FROM every_listed a
JOIN places k ON k.key = a.key
JOIN rules r ON r.number = a.rule
LEFT JOIN open_episodes e ON e.customer = a.key AND e.rule = r.id
LEFT JOIN closed_episodes d ON d.customer = a.key AND d.rule = r.id
LEFT JOIN held h ON h.customer = a.key AND h.rule = r.id"""
_ACTION_WIDTH = len(_Action._fields)

_ORDER = " ".join(f"WHEN {literal(status)} THEN {place}" for place, status in enumerate(STATUSES))


def show_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `current_customers`: what the CRM shows of the customers in `findings`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE current_customers AS "
        "SELECT key, name, version, owner_id, tags, status "
        "FROM warehouse.main.customers SEMI JOIN findings USING (key)"
    )


def gather_actions(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `listed`, the actions that become rows, and what is known of their customers.

    One pass over all customers for all rules; what a rule reads afterwards is small. Of a rule's
    rows that change nothing, the first by customer key are listed.
    """
    crowded = connection.execute(
        "SELECT rule, status FROM actions WHERE status <> 'change' "
        f"GROUP BY rule, status HAVING count(*) > {LISTED}"
    ).fetchall()
    wheres = [f"rule = {rule} AND status = {literal(status)}" for rule, status in crowded]
    whole = " AND ".join(f"NOT ({where})" for where in wheres) or "TRUE"
    listed = [f"SELECT * FROM actions WHERE {whole}"]
    listed += [
        f"(SELECT * FROM actions WHERE {where} ORDER BY key LIMIT {LISTED})" for where in wheres
    ]
    for statement in (
        f"CREATE OR REPLACE TEMP TABLE every_listed AS {' UNION ALL '.join(listed)}",
        "CREATE OR REPLACE TEMP TABLE places AS SELECT key, row_number() OVER () AS place "
        "FROM (SELECT DISTINCT key FROM every_listed)",
        _LISTED,
        "DROP TABLE every_listed",
        "CREATE OR REPLACE TEMP TABLE listed_customers AS "
        "SELECT k.place, c.name, c.version, c.owner_id, c.tags, c.status "
        "FROM current_customers c JOIN places k ON k.key = c.key",
        "CREATE OR REPLACE TEMP TABLE listed_inputs AS "
        "SELECT k.place, i.* EXCLUDE key FROM inputs i JOIN places k ON k.key = i.key",
        "DROP TABLE places",
    ):
        connection.execute(statement)


class RuleRows:
    """The rows of one rule of a plan."""

    def __init__(
        self, context: PlanContext, compiled: CompiledEvaluation, number: int, rule: Rule
    ) -> None:
        self._context = context
        self._compiled = compiled
        self._number = number
        self._rule = rule
        self._managed = frozenset(stage.tag for stage in self._rule.stages if stage.tag)
        self._shields = [
            protection.id
            for protection in context.policy.protections
            if rule.kind == RETIRED or rule.kind in protection.kinds
        ]
        self._names = () if rule.kind == RETIRED else (rule.id,)
        order = exit_order(context.policy)
        self._earlier = tuple(
            context.policy.rules[place].id
            for place in order
            if number in order and order[place] < order[number]
        )
        self._readers = {
            name: compiled.evidence_reader(name) for name in (*self._names, *self._shields)
        }

    def rows(
        self, connection: duckdb.DuckDBPyConnection, sequence: Iterator[int]
    ) -> Iterator[PlanRow]:
        """Stream the rows: changes and what stands in their way, then undecided; each by key."""
        for action, evidence, missing in self.evidence(connection):
            yield self._row(next(sequence), action, evidence, missing)

    def evidence(
        self, connection: duckdb.DuckDBPyConnection
    ) -> Iterator[tuple[_Action, tuple[Evidence, ...], tuple[str, ...]]]:
        """Stream the actions with the facts behind them, and what is missing for a decision."""
        for action, found in self._fetched(connection, self._names, "TRUE"):
            if action.status == RowStatus.UNDECIDED:
                break  # they come last, and the protections' evidence may be what they lack
            yield action, found.get(self._rule.id, ()), ()
        else:
            return
        names = (*self._names, *self._shields)
        undecided = f"a.status = {literal(RowStatus.UNDECIDED.value)}"
        for action, found in self._fetched(connection, names, undecided):
            yield action, found.get(self._rule.id, ()), self._missing(action, found)

    def _fetched(
        self, connection: duckdb.DuckDBPyConnection, names: Iterable[str], where: str
    ) -> Iterator[tuple[_Action, dict[str, tuple[Evidence, ...]]]]:
        """The actions, each with the evidence of the rule or protections of these names."""
        columns: list[str] = []
        parts = []
        for name in names:
            start = _ACTION_WIDTH + len(columns)
            columns += self._compiled.evidence_columns(name)
            parts.append((name, self._readers[name], slice(start, _ACTION_WIDTH + len(columns))))
        result = connection.execute(self._query(columns, where))
        while fetched := result.fetchmany(_FETCH):
            for values in fetched:
                action = _Action._make(values[:_ACTION_WIDTH])
                yield action, {name: reader(values[part]) for name, reader, part in parts}

    def _query(self, columns: Iterable[str], where: str) -> str:
        key = self._compiled.evidence_key(self._rule.id) if self._rule.note else "''"
        return f"""
SELECT {", ".join([_COLUMNS.format(evidence_key=key), *(f"i.{name}" for name in columns)])}
FROM listed a
JOIN listed_customers c ON c.place = a.place
JOIN listed_inputs i ON i.place = a.place
WHERE a.rule = {self._number} AND {where}
ORDER BY CASE a.status {_ORDER} END, a.key"""

    def _row(
        self,
        seq: int,
        action: _Action,
        evidence: tuple[Evidence, ...],
        missing: tuple[str, ...],
    ) -> PlanRow:
        stage = self._rule.stages[action.stage - 1] if action.stage else None
        row = PlanRow(
            seq=seq,
            status=RowStatus(action.status),
            customer=action.key,
            name=action.name or "",
            rule=self._rule.id,
            kind=self._rule.kind,
            stage_before=action.stage_before,
            stage_after=stage.name if stage else None,
            episode=action.episode or (action.closed or 0) + 1,
            evidence=evidence,
            evidence_key=action.evidence_key or "",
            evidence_key_before=action.evidence_key_before or "",
            blocked_by=self._blocked_by(action),
            missing=missing,
        )
        return self._with_primitives(row, stage, action) if row.status == "change" else row

    def _missing(
        self, action: _Action, found: Mapping[str, tuple[Evidence, ...]]
    ) -> tuple[str, ...]:
        """What an undecided row lacks: its rule, or the protections that may stand before it; else
        the rules that come first and cannot be told."""
        names = self._names if action.stage is None else self._shields
        unclear = [item for name in names for item in found[name]]
        return tuple(dict.fromkeys(missing_inputs(unclear))) or self._earlier

    def _blocked_by(self, action: _Action) -> str:
        if action.status == RowStatus.PROTECTED and action.blocked is not None:
            return self._context.policy.protections[action.blocked].id
        if action.status == RowStatus.FOREIGN:
            foreign = self._managed & set(action.tags) - set(action.held_tags)
            return ", ".join(sorted(foreign))
        return ""

    def _with_primitives(self, row: PlanRow, stage: Stage | None, action: _Action) -> PlanRow:
        steps = (*self._field(stage, action), *self._tags(stage, action), *self._note(row, action))
        intent = _intent_id(row)
        change = Change(intent, Ref.parse(row.customer), row.rule, steps)
        primitives: tuple[Primitive, ...] = self._context.adapter.lower(change)
        return msgspec.structs.replace(
            row,
            intent_id=intent,
            version=action.version,
            owner=action.owner,
            primitives=primitives,
            hands_on=action.heir or "",
        )

    def _field(self, stage: Stage | None, action: _Action) -> Iterator[Step]:
        name = self._context.status_field
        if name is None:
            return
        wanted = stage.status if stage else None
        shown = action.shown_status
        if wanted is None:
            if action.heir or not action.has_status or shown != action.held_status:
                return
            wanted = action.original_status
        if shown != wanted:
            yield Step(StepKind.FIELD, name, shown, wanted)

    def _tags(self, stage: Stage | None, action: _Action) -> Iterator[Step]:
        wanted = stage.tag if stage else None
        for tag in action.held_tags:
            if tag != wanted and tag in action.tags:
                yield Step(StepKind.TAG, tag, before=True, after=False)
        if wanted and wanted not in action.tags:
            yield Step(StepKind.TAG, wanted, before=False, after=True)

    def _note(self, row: PlanRow, action: _Action) -> Iterator[Step]:
        if not self._rule.note or row.stage_after is None:
            if action.marker:
                yield Step(StepKind.NOTE, action.marker, action.note, None, action.note_id)
            return
        name = action.marker or marker(
            self._context.organisation, row.customer, row.rule, row.episode
        )
        text = render_note(
            self._rule, row.stage_after, row.evidence, language=self._context.language, marker=name
        )
        if text != action.note:
            yield Step(StepKind.NOTE, name, action.note, text, action.note_id)


def _intent_id(row: PlanRow) -> str:
    """Names one change: the same decision about the same stay has the same id."""
    meaning = "\x1f".join(
        (row.customer, row.rule, str(row.episode), row.stage_after or "", row.evidence_key)
    )
    return hashlib.blake2b(meaning.encode(), digest_size=8).hexdigest()
