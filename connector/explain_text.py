"""An explanation for people: first what comes of it, then rule by rule why. No decisions here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from connector.explain import CustomerExplanation
from connector.grounds import Grounds, asked_of, ranks_of, scores_of
from connector.ranks import rank_text, score_lines
from connector.remarks import pause_reason
from connector.render import one_line
from connector.summary import missing_names
from connector.titles import Titles, titles_of
from connector.verdict import Outcome, Verdict
from policies.authoring.prose import Teller, teller
from policies.evaluation.compile_python import Explanation, ProtectionResult, RuleResult
from policies.evaluation.evidence import EvidenceItem, missing_inputs
from policies.language.tree import Node
from policies.messages import evidence_phrase, message
from policies.model import Rule


def explanation_lines(explained: CustomerExplanation, language: str) -> list[str]:
    """What a plan would make of the customer; then each rule's answer with the parts of its
    condition, the facts behind it, and the protections that concern it."""
    day, name = explained.as_of.day.isoformat(), one_line(explained.name)
    lines = [message(language, "explain.title", name=name, customer=explained.key, day=day)]
    if explained.plan is not None:
        lines.append(message(language, "explain.as_planned", plan=explained.plan.id))
        if explained.other_policy:
            lines.append(message(language, "explain.other_policy"))
    elif explained.other_day:
        lines.append(message(language, f"explain.{explained.other_day}"))
    if explained.explanation is None or explained.grounds is None:
        return [*lines, message(language, "explain.not_yet")]
    text = _Text(explained, explained.explanation, explained.grounds, language)
    return [*lines, *text.lines()]


@dataclass(frozen=True)
class _Text:
    explained: CustomerExplanation
    explanation: Explanation
    grounds: Grounds
    language: str

    def lines(self) -> Iterator[str]:
        yield ""
        yield self._say("outcome")
        for verdict in self.explained.verdicts:
            shown = self._outcome(verdict)
            title = self._titles.rule(verdict.rule)
            yield "  " + message(self.language, "verdict.line", rule=title, outcome=shown)
        if any(verdict.outcome is Outcome.CHANGE for verdict in self.explained.verdicts):
            yield "  " + self._say("no_limits")
        for rule, result in zip(self.explained.policy.rules, self.explanation.rules, strict=True):
            yield ""
            yield self._answer(rule, result)
            yield from (f"  {line}" for line in self._why(rule, result))

    def _say(self, key: str, **values: object) -> str:
        return message(self.language, f"explain.{key}", **values)

    @cached_property
    def _titles(self) -> Titles:
        return Titles(titles_of(self.explained.policy), self.language)

    @cached_property
    def _teller(self) -> Teller:
        return teller(self.explained.policy, self.language, marked=False)

    # What comes of it

    def _outcome(self, verdict: Verdict) -> str:
        shown = self._told(verdict)
        if verdict.burst:
            shown = message(self.language, "verdict.burst", outcome=shown)
        if verdict.paused and verdict.outcome is Outcome.CHANGE:
            reason = pause_reason(verdict.paused, self.language)
            return message(self.language, "verdict.paused", outcome=shown, reason=reason)
        return shown

    def _told(self, verdict: Verdict) -> str:
        key = str(verdict.outcome)
        if verdict.outcome is Outcome.CHANGE:
            key = self._change(verdict)
        if verdict.outcome is Outcome.UNDECIDED:
            key = "unclear" if verdict.blocked_by else "missing"
        if verdict.outcome is Outcome.UNDECIDED and verdict.first:
            return message(self.language, "row.waits", rules=self._titles.rules(verdict.first))
        before, after = (
            self._titles.stage(stage, verdict.rule)
            for stage in (verdict.stage_before, verdict.stage_after)
        )
        return message(
            self.language,
            f"verdict.{key}",
            before=before,
            after=after,
            since=verdict.since,
            blocked=self._blocked(verdict),
            missing=missing_names(verdict.missing, self.language),
            rules=self._titles.rules(verdict.first),
        )

    def _blocked(self, verdict: Verdict) -> str:
        if verdict.outcome in {Outcome.FOREIGN, Outcome.WAITING}:  # tags, not protections
            return message(self.language, "list.separator").join(verdict.blocked_by)
        return self._titles.protections(verdict.blocked_by)

    def _change(self, verdict: Verdict) -> str:
        if verdict.stage_after is not None:
            return "renews" if verdict.stage_after == verdict.stage_before else "change"
        return "yields" if verdict.first else "leaves"

    # Why

    def _answer(self, rule: Rule, result: RuleResult) -> str:
        word = "unknown" if result.stage is None else "in" if result.stage else "out"
        if word == "in" and result.stage_name == rule.id:
            word = "in_plain"
        return self._say(word, rule=rule.title, stage=result.stage_name or "")

    def _why(self, rule: Rule, result: RuleResult) -> Iterator[str]:
        for name, tree in asked_of(rule, self.explained.policy):
            yield from self._condition(name, tree)
        for rank in ranks_of(rule):
            yield rank_text(rank, self.grounds, self._teller, self.explained.policy)
        for _, score in scores_of(rule, self.explained.policy):
            yield from score_lines(score, self.grounds, self._teller)
        yield from (self._fact(item) for item in result.evidence)
        if result.stage is None:
            missing = missing_names(missing_inputs(result.evidence), self.language)
            yield message(self.language, "row.missing", missing=missing)
        kinds = {item.id: item.kinds for item in self.explained.policy.protections}
        concerned = [item for item in self.explanation.protections if rule.kind in kinds[item.id]]
        unread = [item.id for item in concerned if self._is_unread(item)]
        yield from (self._protection(item) for item in concerned if item.id not in unread)
        if unread:
            yield self._say("unread", protections=self._titles.protections(unread))

    def _fact(self, item: EvidenceItem) -> str:
        return evidence_phrase(self.language, item, self.explained.policy.base_currency)

    def _is_unread(self, result: ProtectionResult) -> bool:
        return result.id in self.grounds.unread and not result.holds

    def _condition(self, name: str, tree: Node) -> Iterator[str]:
        """The parts of a condition, each with what it came to; named where a rule has several."""
        joined, parts = self._teller.parts(tree)
        indent = ""
        if name:
            told = self._part(name, self.grounds.values[tree], negated=False)
            if len(parts) == 1:
                yield message(self.language, "verdict.line", rule=told, outcome=parts[0][0])
                return
            yield told
            indent = "  "
        if len(parts) > 1:
            yield f"{indent}{self._say(joined)}"
            indent += "  "
        for text, node, negated in parts:
            yield indent + self._part(text, self.grounds.values[node], negated=negated)

    def _part(self, text: str, value: bool | None, *, negated: bool) -> str:  # noqa: FBT001 - three answers
        if value is None:
            return self._say("part_unknown", text=text)
        return self._say("part_yes" if value is not negated else "part_no", text=text)

    def _protection(self, result: ProtectionResult) -> str:
        shown = self._titles.protection(result.id)
        word = {True: "protected", False: "unprotected", None: "unclear"}[result.holds]
        separator = message(self.language, "note.separator")
        facts = separator.join(self._fact(item) for item in result.evidence)
        told = self._say(word, protection=shown)
        return self._say("with_facts", told=told, facts=facts) if facts else told
