"""From a customer's action to a plan row: which steps, which note, which primitives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from connector.marker import marker
from connector.models import Change, Primitive, Ref, Step, StepKind
from connector.plan_model import Evidence, PlanRow, RowStatus
from connector.ports import Adapter
from policies.evaluation.compile_sql import CompiledEvaluation
from policies.evaluation.evidence import missing_inputs
from policies.evaluation.sql_text import literal
from policies.lifecycle import exit_order
from policies.model import RETIRED, Policy, Rule, Stage
from policies.moment import AsOf
from policies.notes import NoteForm

# Rows that change nothing are listed up to here for each rule and status; their counts are exact.
LISTED = 10_000
# Rows that are gathered at a time; one rule with more is gathered alone.
GATHERED = 100_000
_FETCH = 500
# The order of a rule's rows.
STATUSES = ("change", "waiting", "protected", "overruled", "foreign", "undecided")
_STATUS = {status.value: status for status in RowStatus}


@dataclass(frozen=True)
class PlanContext:
    """What a plan depends on beside the staged facts and the journal. `not_logged`: the channels by
    which contact is not logged."""

    adapter: Adapter
    organisation: str
    policy: Policy
    as_of: AsOf
    language: str
    status_field: str | None = None
    not_logged: tuple[str, ...] = ()

    @property
    def written_policy(self) -> Policy:
        """The policy without statuses, where the workspace names no field to write them to."""
        return self.policy if self.status_field else self.policy.without_status()


class _Action(NamedTuple):
    """One fetched row: the action, what the CRM shows, and what we hold there.

    From `version` on only a change has all of it; tags are those of foreign and waiting ones too.
    """

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
    doubtful: Sequence[int]


class _Stay(NamedTuple):
    """One stay of a customer in a rule, by its number."""

    customer: str
    rule: str
    number: int


_COLUMNS = """
key, status, stage, blocked, {evidence_key}, heir, name, version, owner_id, tags, shown_status,
number, stage_before, evidence_key_before, closed, held_tags, has_status, held_status,
status_original, marker, note_id, note, {doubtful} AS doubtful"""
# The exits of this customer that cannot be told, by their order.
_DOUBTFUL = """
(SELECT list(c.exit ORDER BY c.exit) FROM candidates c
WHERE c.key = listed.key AND c.stage IS NULL AND c.exit <= {order})"""
# What only a change needs is left out of the other rows.
_LISTED = """
CREATE TEMP TABLE listed AS
SELECT a.rule, a.entering, CAST(CASE a.status {order} END AS TINYINT) AS place,
  a.key, a.status, a.stage, a.blocked, a.heir, c.name,
  CASE WHEN {changes} THEN c.version END AS version,
  CASE WHEN {changes} THEN c.owner_id END AS owner_id,
  CASE WHEN {tagged} THEN c.tags END AS tags,
  CASE WHEN {changes} THEN c.status END AS shown_status,
  e.number, e.stage AS stage_before, e.evidence_key AS evidence_key_before, d.closed,
  CASE WHEN {tagged} THEN coalesce(h.tags, []) END AS held_tags,
  CASE WHEN {changes} THEN h.has_status END AS has_status,
  CASE WHEN {changes} THEN h.status END AS held_status,
  CASE WHEN {changes} THEN h.status_original END AS status_original,
  CASE WHEN {changes} THEN h.marker END AS marker,
  CASE WHEN {changes} THEN h.note_id END AS note_id,
  CASE WHEN {changes} THEN h.note END AS note{facts}
FROM ({actions}) a
JOIN rules r ON r.number = a.rule
JOIN current_customers c ON c.key = a.key
JOIN inputs i ON i.key = a.key
LEFT JOIN open_episodes e ON e.customer = a.key AND e.rule = r.id
LEFT JOIN closed_episodes d ON d.customer = a.key AND d.rule = r.id
LEFT JOIN held h ON h.customer = a.key AND h.rule = r.id"""
_CHANGES = "a.status = 'change'"
_TAGGED = "a.status IN ('change', 'foreign', 'waiting')"
_ACTION_WIDTH = len(_Action._fields)

_ORDER = " ".join(f"WHEN {literal(status)} THEN {place}" for place, status in enumerate(STATUSES))


def show_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `current_customers`: what the CRM shows of the customers in `findings`."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE current_customers AS "
        "SELECT key, name, version, owner_id, tags, status "
        "FROM warehouse.main.customers SEMI JOIN findings USING (key)"
    )


def rule_batches(connection: duckdb.DuckDBPyConnection) -> list[list[int]]:
    """The numbers of the rules that have rows, in their order, so that the rows of a batch can be
    gathered together: what is held at a time does not grow with the number of rules."""
    counts = connection.execute(
        "SELECT rule, sum(n) FROM (SELECT rule, CASE WHEN status = 'change' THEN count(*) "
        f"ELSE least(count(*), {LISTED}) END AS n FROM actions GROUP BY rule, status) "
        "GROUP BY rule ORDER BY rule"
    ).fetchall()
    batches: list[list[int]] = []
    room = 0
    for rule, count in counts:
        if count > room:
            batches.append([])
            room = GATHERED
        batches[-1].append(rule)
        room -= count
    return batches


def gather_actions(
    connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation, rules: Sequence[int]
) -> None:
    """Fill `listed`: the actions of these rules that become rows, with all that is known of their
    customers.

    One pass over all customers for many rules; what a rule reads afterwards is small. Of a rule's
    rows that change nothing, the first by customer key are listed.
    """
    these = f"rule IN ({', '.join(map(str, rules))})"
    crowded = connection.execute(
        f"SELECT rule, status FROM actions WHERE {these} AND status <> 'change' "
        f"GROUP BY rule, status HAVING count(*) > {LISTED}"
    ).fetchall()
    wheres = [f"rule = {rule} AND status = {literal(status)}" for rule, status in crowded]
    whole = " AND ".join((these, *(f"NOT ({where})" for where in wheres)))
    listed = [f"SELECT * FROM actions WHERE {whole}"]
    listed += [
        f"(SELECT * FROM actions WHERE {where} ORDER BY key LIMIT {LISTED})" for where in wheres
    ]
    facts = "".join(f", i.{name}" for name in compiled.all_evidence_columns)
    connection.execute("DROP TABLE IF EXISTS temp.listed")  # not two of them at a time
    connection.execute(
        _LISTED.format(
            order=_ORDER,
            changes=_CHANGES,
            tagged=_TAGGED,
            facts=facts,
            actions=" UNION ALL ".join(listed),
        )
    )


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
            if rule.kind in protection.kinds
        ]
        self._names = () if rule.kind == RETIRED else (rule.id,)
        self._forms = {
            stage.name: NoteForm(rule, stage.name, context.language, context.policy.base_currency)
            for stage in rule.stages
        }
        exits = exit_order(context.policy)
        self._exits = {place: context.policy.rules[other].id for other, place in exits.items()}
        self._place = exits.get(number, 0)

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
        for action, found in self._fetched(connection, self._names):
            if action.status == RowStatus.UNDECIDED:
                break  # they come last, and the protections' evidence may be what they lack
            yield action, found[0] if found else (), ()
        else:
            return
        names = (*self._names, *self._shields)
        for action, found in self._fetched(connection, names, undecided=True):
            evidence = found[0] if self._names else ()
            yield action, evidence, self._missing(action, dict(zip(names, found, strict=True)))

    def _fetched(
        self,
        connection: duckdb.DuckDBPyConnection,
        names: Sequence[str],
        *,
        undecided: bool = False,
    ) -> Iterator[tuple[_Action, list[tuple[Evidence, ...]]]]:
        """The actions, each with the evidence of the rule or protections of these names."""
        columns: list[str] = []
        parts = []
        for name in names:
            reader = self._compiled.evidence_reader(name)
            start = _ACTION_WIDTH + len(columns)
            columns += reader.columns
            parts.append((reader, slice(start, _ACTION_WIDTH + len(columns))))
        result = connection.execute(self._query(columns, undecided=undecided))
        while fetched := result.fetchmany(_FETCH):
            for values in fetched:
                action = _Action._make(values[:_ACTION_WIDTH])
                yield action, [reader(values[part]) for reader, part in parts]

    def _query(self, columns: Iterable[str], *, undecided: bool) -> str:
        key = self._compiled.evidence_key(self._rule.id) if self._rule.note else "''"
        where = f"status = {literal(RowStatus.UNDECIDED.value)}" if undecided else "TRUE"
        doubtful = _DOUBTFUL.format(order=self._place) if undecided and self._place else "[]"
        known = _COLUMNS.format(evidence_key=key, doubtful=doubtful)
        return (
            f"SELECT {', '.join([known, *columns])} FROM listed "
            f"WHERE rule = {self._number} AND {where} ORDER BY place, key"
        )

    def _row(
        self,
        seq: int,
        action: _Action,
        evidence: tuple[Evidence, ...],
        missing: tuple[str, ...],
    ) -> PlanRow:
        stage = self._rule.stages[action.stage - 1] if action.stage else None
        status = _STATUS[action.status]
        episode = action.episode or (action.closed or 0) + 1
        intent = ""
        primitives: tuple[Primitive, ...] = ()
        if status is RowStatus.CHANGE:
            stay = _Stay(action.key, self._rule.id, episode)
            intent = _intent_id(stay, stage, action.evidence_key or "")
            note = self._note(stay, stage, action, evidence)
            steps = (*self._field(stage, action), *self._tags(stage, action), *note)
            change = Change(intent, Ref.parse(stay.customer), stay.rule, steps)
            primitives = self._context.adapter.lower(change)
        return PlanRow(
            seq=seq,
            status=status,
            customer=action.key,
            name=action.name or "",
            rule=self._rule.id,
            kind=self._rule.kind,
            stage_before=action.stage_before,
            stage_after=stage.name if stage else None,
            episode=episode,
            intent_id=intent,
            version=action.version,
            owner=action.owner,
            evidence=evidence,
            evidence_key=action.evidence_key or "",
            evidence_key_before=action.evidence_key_before or "",
            primitives=primitives,
            blocked_by=self._blocked_by(status, action),
            missing=missing,
            hands_on=action.heir or "",
        )

    def _missing(
        self, action: _Action, found: Mapping[str, tuple[Evidence, ...]]
    ) -> tuple[str, ...]:
        """What an undecided row lacks: its rule, or the protections that may stand before it; else
        the rules that come first and cannot be told of this customer."""
        if action.stage is None and action.doubtful and self._place not in action.doubtful:
            return tuple(self._exits[place] for place in action.doubtful)
        names = self._names if action.stage is None else self._shields
        unclear = [item for name in names for item in found[name]]
        return tuple(dict.fromkeys(missing_inputs(unclear)))

    def _blocked_by(self, status: RowStatus, action: _Action) -> str:
        if status is RowStatus.PROTECTED and action.blocked is not None:
            return self._context.policy.protections[action.blocked].id
        if status is RowStatus.FOREIGN:
            foreign = self._managed & set(action.tags) - set(action.held_tags)
            return ", ".join(sorted(foreign))
        if status is RowStatus.WAITING:
            own = self._managed & set(action.tags) & set(action.held_tags)
            return ", ".join(sorted(own))
        return ""

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

    def _note(
        self, stay: _Stay, stage: Stage | None, action: _Action, evidence: tuple[Evidence, ...]
    ) -> Iterator[Step]:
        if not self._rule.note or stage is None:
            if action.marker:
                yield Step(StepKind.NOTE, action.marker, action.note, None, action.note_id)
            return
        name = action.marker or marker(self._context.organisation, *stay)
        text = self._forms[stage.name].fill(evidence, name)
        if text != action.note:
            yield Step(StepKind.NOTE, name, action.note, text, action.note_id)


def _intent_id(stay: _Stay, stage: Stage | None, evidence_key: str) -> str:
    """Names one change: the same decision about the same stay has the same id."""
    after = stage.name if stage else ""
    meaning = "\x1f".join((stay.customer, stay.rule, str(stay.number), after, evidence_key))
    return hashlib.blake2b(meaning.encode(), digest_size=8).hexdigest()
