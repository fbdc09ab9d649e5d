"""The note that says why a customer is in a stage: a title, the deciding facts, the marker.

It holds dates and values, never day counts, so that it changes only when a fact does; the rule's
id stands in no sentence, and the last line is how the note is found again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from policies.messages import evidence_phrase, message
from policies.messages.catalogue import EvidenceLike
from policies.model import Rule
from policies.template import render_template

MAX_TITLE = 120


def render_note(
    rule: Rule, stage: str, evidence: Iterable[EvidenceLike], *, language: str, marker: str
) -> str:
    """The note's text; its first line is the title. A template replaces what stands between."""
    title = _title(rule.kind, rule.title, stage, language)
    separator = message(language, "note.separator")
    known = [item for item in evidence if item.state != "missing"]
    facts = separator.join(_one_line(evidence_phrase(language, item)) for item in known)
    reason = message(language, f"reason.{rule.reason}") if rule.reason else ""
    lines = [title]
    if rule.template is not None:
        names = {"title": title, "reason": reason, "facts": facts, "stage": stage}
        lines.append(render_template(rule.template, {**names, "label": rule.title}).strip())
    else:
        lines += [message(language, "note.reason", reason=reason)] if reason else []
        lines += [message(language, "note.facts", facts=facts)] if facts else []
    return "\n".join([*lines, message(language, "note.marker", marker=marker)])


@lru_cache(maxsize=1_024)
def _title(kind: str, rule: str, stage: str, language: str) -> str:
    title = _one_line(message(language, f"note.title_{kind}", rule=rule, stage=stage))
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"


def _one_line(text: str) -> str:
    return " ".join(text.split())
