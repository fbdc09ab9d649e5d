"""Finds what an earlier journal wrote: notes of ours in the CRM, by their markers.

Runs once, when a journal is new, before any plan: a lost journal must not write its notes twice.
Rules that write no note leave nothing to be found by; their tags then count as somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import duckdb
import msgspec

from connector.journal import Journal
from connector.journal_model import Episode, Holding
from connector.mapping import CompiledMapping
from connector.mapping_file import NoteSource
from connector.marker import MARKER_LENGTH, marker
from connector.models import Scalar, StepKind
from connector.plan_rows import PlanContext
from connector.ports import PullRequest
from connector.warehouse import Warehouse
from policies.model import Rule

# How many stays of one customer in one rule are tried; a customer that came and went more often
# than this would be a rule that flaps.
EPISODES_TRIED = 100
_LAST_LINE = re.compile(rf"(?:^|\n)[^\n]*\b([A-Z2-7]{{{MARKER_LENGTH}}})\s*$")


@dataclass(frozen=True, slots=True)
class FoundNote:
    """A note that may be ours: it ends with something that looks like a marker."""

    customer: str
    marker: str
    remote_id: str
    text: str


def reseed(
    context: PlanContext, mapping: CompiledMapping, warehouse: Warehouse, journal: Journal
) -> int:
    """Take notes of ours back into a new journal; how many were found.

    Raises RemoteError when the CRM does not let notes be listed: nothing can then be found again.
    """
    found = [note for source in mapping.file.notes for note in _notes(context, mapping, source)]
    ours = _latest(_recognised(context, found))
    with warehouse.reading() as connection:
        shown = _shown(connection, [note.customer for note, _, _ in ours])
    journal.adopt(
        _stay(context, note, rule, number, shown.get(note.customer)) for note, rule, number in ours
    )
    return len(ours)


def _notes(
    context: PlanContext, mapping: CompiledMapping, source: NoteSource
) -> Iterator[FoundNote]:
    request = PullRequest(source.object, tuple(source.fields()), deletions=False)
    owner = mapping.customer_object(source.customer)
    for page in context.adapter.pull(request):
        for row in page.rows:
            record: dict[str, Any] = msgspec.json.decode(row)
            title, content = _text(record, source.title), _text(record, source.text) or ""
            text = content if title is None else f"{title}\n{content}"
            last_line = _LAST_LINE.search(text)
            customer = _text(record, source.customer.id)
            if last_line and customer:
                remote_id = _text(record, source.id) or ""
                yield FoundNote(f"{owner}:{customer}", last_line[1], remote_id, text)


def _text(record: Any, path: str | None) -> str | None:
    """The text at a dotted path; None when there is none."""
    for part in (path or "").split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return None if record is None else str(record)


def _recognised(
    context: PlanContext, found: Sequence[FoundNote]
) -> Iterator[tuple[FoundNote, Rule, int]]:
    """Notes whose marker is that of some stay of their customer in some rule."""
    for note in found:
        stays = product(range(1, EPISODES_TRIED + 1), context.policy.rules)  # first stays first
        for number, rule in stays:
            if marker(context.organisation, note.customer, rule.id, number) == note.marker:
                yield note, rule, number
                break


def _latest(
    recognised: Iterable[tuple[FoundNote, Rule, int]],
) -> list[tuple[FoundNote, Rule, int]]:
    """Of each customer's notes in a rule the one of the last stay; people copy notes, too, and of
    copies the first counts."""
    latest: dict[tuple[str, str], tuple[FoundNote, Rule, int]] = {}
    for note, rule, number in recognised:
        key = note.customer, rule.id
        if key not in latest or latest[key][2] < number:
            latest[key] = note, rule, number
    return list(latest.values())


def _shown(
    connection: duckdb.DuckDBPyConnection, customers: Sequence[str]
) -> dict[str, tuple[list[str], str | None]]:
    rows = connection.execute(
        "SELECT key, tags, status FROM warehouse.main.customers WHERE key IN (SELECT unnest($1))",
        [list(customers)],
    ).fetchall()
    return {key: (tags, status) for key, tags, status in rows}


def _stay(
    context: PlanContext,
    note: FoundNote,
    rule: Rule,
    number: int,
    shown: tuple[list[str], str | None] | None,
) -> tuple[Episode, list[Holding]]:
    """The stay that the note belongs to, with the tag and the status that came with it."""
    tags, status = shown or ([], None)
    stage = next((stage for stage in rule.stages if stage.tag in tags), rule.stages[0])
    moment = context.as_of.moment
    episode = Episode(note.customer, rule.id, number, stage.name, "", moment, None)
    kept: list[tuple[StepKind, str, Scalar, Scalar, str | None]] = [
        (StepKind.NOTE, note.marker, note.text, None, note.remote_id)
    ]
    if stage.tag and stage.tag in tags:
        kept.append((StepKind.TAG, stage.tag, True, False, None))
    if context.status_field and stage.status and status == stage.status:
        kept.append((StepKind.FIELD, context.status_field, status, None, None))
    return episode, [
        Holding(note.customer, rule.id, kind, target, value, original, remote_id)
        for kind, target, value, original, remote_id in kept
    ]
