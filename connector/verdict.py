"""What a plan would make of one customer, rule by rule, from the same SQL as the plan.

It stores nothing, and looks at no cap: those count all customers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

import duckdb

from connector.guard import pause
from connector.journal_model import Episode
from connector.plan_rows import show_customers
from connector.shadows import only_by_burst
from policies.evaluation.compile_python import Explanation
from policies.evaluation.evidence import missing_inputs
from policies.lifecycle import action_statements, exit_order
from policies.model import Policy, Rule
from policies.moment import AsOf
from policies.shadows import Shadow, Without


class Outcome(StrEnum):
    """What comes of a rule for a customer: a row's status in a plan, or why there is no row.

    `protected` is also where it does not matter what the rule comes to. `stays`: already in,
    nothing to write. `earlier`: a rule that comes first takes the customer. `unmarked`: in, and the
    rule leaves no mark. `out`: the condition does not hold.
    """

    CHANGE = "change"
    PROTECTED = "protected"
    UNDECIDED = "undecided"
    OVERRULED = "overruled"
    FOREIGN = "foreign"
    WAITING = "waiting"
    STAYS = "stays"
    EARLIER = "earlier"
    UNMARKED = "unmarked"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`since`: the day on which the customer came in. `blocked_by`: protections that hold or cannot
    be told, or tags that somebody else set. `missing`: inputs. `first`: rules that come first, and
    hold or cannot be told. `paused`: why the rule rests on this day. `burst`: out only because of
    contacts that were entered in a burst."""

    rule: str
    kind: str
    outcome: Outcome
    stage_before: str | None = None
    stage_after: str | None = None
    since: date | None = None
    blocked_by: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    paused: str = ""
    burst: bool = False


@dataclass(frozen=True)
class Judged:
    """The one customer whose `findings`, `open_episodes` and `held` are there. `policy` is the one
    that is written, with `explanation` of the same."""

    connection: duckdb.DuckDBPyConnection
    policy: Policy
    as_of: AsOf
    explanation: Explanation
    stays: Mapping[str, Episode]
    not_logged: tuple[str, ...] = ()
    shadows: tuple[Shadow, ...] = ()

    def verdicts(self) -> Iterator[Verdict]:
        """One for each rule, and for each rule that the policy no longer has."""
        show_customers(self.connection)
        for statement in action_statements(self._written, self.shadows):
            self.connection.execute(statement)
        actions = {row["rule"]: row for row in self._table("actions")}
        for number, rule in enumerate(self._written.rules):
            action = actions.get(number)
            found = self._acted(number, rule, action) if action else self._still(number, rule)
            stay = self.stays.get(rule.id)
            yield replace(
                found,
                stage_before=stay.stage if stay else None,
                since=self.as_of.local_day(stay.opened_at) if stay else None,
                paused=pause(self.policy.calendar, rule.kind, self.as_of.day, self.not_logged),
                burst=number in self._bursts,
            )

    @cached_property
    def _written(self) -> Policy:
        known = {rule.id for rule in self.policy.rules}
        return self.policy.with_retired(sorted(set(self.stays) - known))

    @cached_property
    def _bursts(self) -> frozenset[int]:
        """The rules that it is out of only because of a burst."""
        those = [shadow for shadow in self.shadows if shadow.without is Without.BURST]
        found = (
            self.connection.execute(f"FROM findings WHERE {only_by_burst(shadow)}").fetchone()
            for shadow in those
        )
        pairs = zip(those, found, strict=True)
        return frozenset(shadow.number for shadow, row in pairs if row is not None)

    @cached_property
    def _candidates(self) -> dict[int, dict[str, Any]]:
        return {row["rule"]: row for row in self._table("candidates")}

    def _table(self, name: str) -> list[dict[str, Any]]:
        result = self.connection.execute(f"SELECT * FROM {name}")
        names = [item[0] for item in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def _acted(self, number: int, rule: Rule, action: Mapping[str, Any]) -> Verdict:
        """The plan has a row."""
        outcome, stage = Outcome(action["status"]), action["stage"]
        verdict = Verdict(
            rule.id, rule.kind, outcome, stage_after=rule.stages[stage - 1].name if stage else None
        )
        if outcome is Outcome.PROTECTED:
            return replace(verdict, blocked_by=self._shield(action["blocked"]))
        if outcome is Outcome.FOREIGN:
            return replace(verdict, blocked_by=self._foreign(rule))
        if outcome is Outcome.WAITING:
            return replace(verdict, blocked_by=self._standing(rule))
        if outcome is Outcome.CHANGE and stage == 0:
            return replace(verdict, first=self._first(number, holding=True))
        return self._undecided(number, verdict) if outcome is Outcome.UNDECIDED else verdict

    def _undecided(self, number: int, verdict: Verdict) -> Verdict:
        """The rule itself cannot be told, one that comes first, or a protection."""
        if self._own_stage(number) is None:
            missing = missing_inputs(self.explanation.rules[number].evidence)
            return replace(verdict, missing=missing)
        if first := self._first(number, holding=False):
            return replace(verdict, first=first)
        blocked_by, missing = self._unclear(verdict.kind)
        return replace(verdict, blocked_by=blocked_by, missing=missing)

    def _still(self, number: int, rule: Rule) -> Verdict:
        """The plan has no row."""
        stage, blocked = self._own_stage(number), self._blocked(number)
        verdict = Verdict(
            rule.id,
            rule.kind,
            Outcome.OUT,
            stage_after=rule.stages[stage - 1].name if stage else None,
        )
        first = self._first(number, holding=True)
        if stage != 0 and first:
            return replace(verdict, outcome=Outcome.EARLIER, first=first, stage_after=None)
        if blocked >= 0 and (stage is None or rule.id in self.stays):
            return replace(verdict, outcome=Outcome.PROTECTED, blocked_by=self._shield(blocked))
        if stage == 0:
            return verdict
        outcome = Outcome.STAYS if rule.id in self.stays else Outcome.UNMARKED
        return replace(verdict, outcome=outcome)

    def _own_stage(self, number: int) -> int | None:
        """What the rule by itself came to; nobody is in a rule that is no more."""
        rules = self.explanation.rules
        return rules[number].stage if number < len(rules) else 0

    def _blocked(self, number: int) -> int:
        found = self._candidates.get(number, {}).get("blocked")
        return -1 if found is None else int(found)

    def _first(self, number: int, *, holding: bool) -> tuple[str, ...]:
        """The exits before this one that hold: the first of them; or that cannot be told: all."""
        order = exit_order(self._written)
        if number not in order:
            return ()
        stages = [
            (self._written.rules[other].id, self._stage_of(self._candidates[other]))
            for other, place in order.items()
            if place < order[number] and other in self._candidates
        ]
        if holding:
            return tuple(name for name, stage in stages if stage)[:1]
        return tuple(name for name, stage in stages if stage is None)

    @staticmethod
    def _stage_of(candidate: Mapping[str, Any]) -> int | None:
        """Who waits in a rule is in it still."""
        stage: int | None = candidate["stage"]
        return 1 if candidate["late"] else stage

    def _shield(self, number: int) -> tuple[str, ...]:
        return (self.policy.protections[number].id,)

    def _unclear(self, kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The protections of which it cannot be told, and for lack of what."""
        kinds = {item.id: item.kinds for item in self.policy.protections}
        those = [
            item
            for item in self.explanation.protections
            if item.holds is None and kind in kinds[item.id]
        ]
        evidence = [fact for item in those for fact in item.evidence]
        missing = tuple(dict.fromkeys(missing_inputs(evidence)))
        return tuple(item.id for item in those), missing

    def _foreign(self, rule: Rule) -> tuple[str, ...]:
        shown, held = self._tags(rule)
        return tuple(sorted(shown - held))

    def _standing(self, rule: Rule) -> tuple[str, ...]:
        shown, held = self._tags(rule)
        return tuple(sorted(shown & held))

    def _tags(self, rule: Rule) -> tuple[set[str], set[str]]:
        """Those of the rule that the CRM shows, and those that we hold."""
        managed = {stage.tag for stage in rule.stages if stage.tag}
        shown = {tag for row in self._table("current_customers") for tag in row["tags"]}
        held = {
            tag
            for row in self._table("held")
            if row["rule"] == rule.id
            for tag in row["tags"] or ()
        }
        return managed & shown, held
