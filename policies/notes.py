"""The note that says why a customer is in a stage: a title, the deciding facts, the marker.

It holds dates and values, never day counts, so that it changes only when a fact does; the rule's
id stands in no sentence, and the last line is how the note is found again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from policies.evaluation.evidence import MISSING, EvidenceItem
from policies.messages import evidence_phrase, message
from policies.model import Rule
from policies.template import render_template

MAX_TITLE = 120
_PLACE = "\0"  # stands in no message
# Sums of days that grow with every day on which nothing happens.
_GROWING = ("open_deals_days", "invoices_days_late", "data_age")


class NoteForm:
    """The notes of one stage of a rule in one language: all that is the same for each customer is
    made once. `base`: the currency that the policy converts amounts to."""

    def __init__(self, rule: Rule, stage: str, language: str, base: str = "") -> None:
        self._language = language
        self._base = base
        self._separator = message(language, "note.separator")
        self._template = rule.template
        task = _one_line(rule.process.todo.text) if rule.process and rule.process.todo else ""
        self._names = {
            "title": _title(rule, stage, language),
            "reason": message(language, f"reason.{rule.reason}") if rule.reason else "",
            "stage": stage,
            "task": task,
            "label": rule.title,
        }
        self._head = "\n".join(self._said("title", "task", "reason"))
        self._facts = message(language, "note.facts", facts=_PLACE)
        self._last = message(language, "note.marker", marker=_PLACE)

    def fill(self, evidence: Iterable[EvidenceItem], marker: str) -> str:
        """A note's text; its first line is the title. A template replaces what stands between,
        and the title where it begins with it."""
        told = [_fact(self._language, item, self._base) for item in evidence]
        facts = self._separator.join(filter(None, told))
        last = self._last.replace(_PLACE, marker)
        if self._template is not None:
            text = render_template(self._template, {**self._names, "facts": facts}).strip()
            title, own = self._names["title"], text.partition("\n")[0].strip()
            return f"{text}\n{last}" if own == title else f"{title}\n{text}\n{last}"
        if not facts:
            return f"{self._head}\n{last}"
        return f"{self._head}\n{self._facts.replace(_PLACE, facts)}\n{last}"

    def _said(self, first: str, *names: str) -> Iterator[str]:
        """The first as it stands, the others in their sentences, where there are any."""
        yield self._names[first]
        for name in names:
            if self._names[name]:
                yield message(self._language, f"note.{name}", **{name: self._names[name]})


def counts_days(name: str) -> bool:
    """Does an input, by the name that it has in a policy, grow by itself from day to day?"""
    return name.partition("(")[0] in _GROWING


def _title_key(rule: Rule, stage: str) -> str:
    """A defect is titled by its axis; a pool rule names the pool, unless there is only one."""
    if rule.kind == "pool" and stage != rule.id:
        return "note.title_pool_named"
    return f"note.title_{rule.kind}_{rule.axis}" if rule.axis else f"note.title_{rule.kind}"


def _title(rule: Rule, stage: str, language: str) -> str:
    said = message(language, _title_key(rule, stage), rule=rule.title, stage=stage)
    title = _one_line(said)
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"


@lru_cache(maxsize=8_192)  # dates, counts and names come again in thousands of notes
def _fact(language: str, item: EvidenceItem, base: str) -> str:
    """One fact in a note, or nothing for one that is no reason."""
    if item.state == MISSING or counts_days(item.name):
        return ""
    return _one_line(evidence_phrase(language, item, base))


def _one_line(text: str) -> str:
    return " ".join(text.split())
