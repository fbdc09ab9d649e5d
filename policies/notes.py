"""The note that says why a customer is in a stage: a title, the deciding facts, the marker.

It holds dates and values, never day counts, so that it changes only when a fact does; the rule's
id stands in no sentence, and the last line is how the note is found again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from policies.evaluation.evidence import MISSING, EvidenceItem, Scalar
from policies.messages import evidence_phrase, message
from policies.messages.phrases import EvidenceLike
from policies.model import Rule
from policies.template import render_template

MAX_TITLE = 120
_PLACE = "\0"  # stands in no message
# Sums of days that grow with every day on which nothing happens.
_GROWING = ("open_deals_days", "invoices_days_late", "data_age")


def render_note(
    rule: Rule, stage: str, evidence: Iterable[EvidenceLike], *, language: str, marker: str
) -> str:
    """The note's text; its first line is the title. A template replaces what stands between."""
    title = _title(_title_key(rule, stage), rule.title, stage, language)
    phrases = (_fact(language, item.name, item.type, item.value, item.state) for item in evidence)
    facts = _said(language, "note.separator").join(filter(None, phrases))
    reason = _said(language, f"reason.{rule.reason}") if rule.reason else ""
    task = _one_line(rule.process.todo.text) if rule.process and rule.process.todo else ""
    lines = [title]
    if rule.template is not None:
        names = {"title": title, "reason": reason, "facts": facts, "stage": stage, "task": task}
        lines.append(render_template(rule.template, {**names, "label": rule.title}).strip())
    else:
        lines += [_said(language, "note.task", task=task)] if task else []
        lines += [_said(language, "note.reason", reason=reason)] if reason else []
        lines += [_around(language, "note.facts", "facts", facts)] if facts else []
    return "\n".join([*lines, _around(language, "note.marker", "marker", marker)])


def counts_days(name: str) -> bool:
    """Does an input, by the name that it has in a policy, grow by itself from day to day?"""
    return name.partition("(")[0] in _GROWING


def _title_key(rule: Rule, stage: str) -> str:
    """A defect is titled by its axis; a pool rule names the pool, unless there is only one."""
    if rule.kind == "pool" and stage != rule.id:
        return "note.title_pool_named"
    return f"note.title_{rule.kind}_{rule.axis}" if rule.axis else f"note.title_{rule.kind}"


@lru_cache(maxsize=1_024)
def _title(key: str, rule: str, stage: str, language: str) -> str:
    title = _one_line(message(language, key, rule=rule, stage=stage))
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"


@lru_cache(maxsize=1_024)  # the same in the notes of thousands of customers
def _said(language: str, key: str, **values: str) -> str:
    return message(language, key, **values)


def _around(language: str, key: str, name: str, value: str) -> str:
    """A message with one value that hardly comes twice."""
    return _said(language, key, **{name: _PLACE}).replace(_PLACE, value)


@lru_cache(maxsize=8_192, typed=True)
def _fact(language: str, name: str, kind: str, value: Scalar, state: str) -> str:
    """One fact in a note, or nothing for one that is no reason."""
    if state == MISSING or counts_days(name):
        return ""
    return _one_line(evidence_phrase(language, EvidenceItem(name, kind, value, state)))


def _one_line(text: str) -> str:
    return " ".join(text.split())
