"""A policy as the rest of the house sees it: frozen, resolved, with a hash of its meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from policies.tree import Node, Value, canonical, plain
from policies.vocabulary import LANGUAGE_VERSION

RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: its text as written and its typed tree."""

    text: str
    tree: Node


@dataclass(frozen=True, slots=True)
class Protection:
    """Customers for whom `when` holds, or is unknown, are not touched by rules of these kinds."""

    id: str
    when: Expression
    kinds: frozenset[str]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One outcome of a rule. `when` is None for the last band, which takes the rest."""

    name: str
    tag: str | None
    status: str | None
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; a void has one stage, a tier one for each band, first match wins; a retired one,
    which the policy no longer has, has none."""

    id: str
    kind: str
    stages: tuple[Stage, ...]
    reason: str | None = None
    note: bool = False
    template: str | None = None
    label: str = ""

    @property
    def title(self) -> str:
        return self.label or self.id

    @property
    def conditions(self) -> tuple[Expression, ...]:
        return tuple(stage.when for stage in self.stages if stage.when is not None)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` customers and at most `share` of all, whichever is lower."""

    count: int | None = None
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Limits(Limit):
    """The limits of the whole policy, and closer ones by rule id."""

    rules: Mapping[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """What a policy file means."""

    version: int
    name: str
    language: str | None
    params: Mapping[str, Value]
    protections: tuple[Protection, ...]
    rules: tuple[Rule, ...]
    limits: Limits

    def rule(self, rule_id: str) -> Rule:
        return next(rule for rule in self.rules if rule.id == rule_id)

    @property
    def managed_tags(self) -> frozenset[str]:
        """The tags that this policy adds and removes."""
        return frozenset(stage.tag for stage in self._stages() if stage.tag is not None)

    @property
    def conditions(self) -> tuple[Expression, ...]:
        of_rules = (condition for rule in self.rules for condition in rule.conditions)
        return (*of_rules, *(protection.when for protection in self.protections))

    def with_retired(self, names: Iterable[str]) -> Policy:
        """The policy and rules that stand in it no more: nobody is in one, all are to leave it."""
        gone = (Rule(name, RETIRED, ()) for name in names)
        return replace(self, rules=(*self.rules, *gone))

    def without_status(self) -> Policy:
        """The same decisions, marked by tags and notes alone."""
        rules = tuple(
            replace(rule, stages=tuple(replace(stage, status=None) for stage in rule.stages))
            for rule in self.rules
        )
        return replace(self, rules=rules)

    def _stages(self) -> Iterator[Stage]:
        for rule in self.rules:
            yield from rule.stages

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the resolved tree and the language version, whatever the layout."""
        meaning = json.dumps(self._meaning(), ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(meaning.encode()).hexdigest()

    def _meaning(self) -> list[object]:
        protections = [
            [item.id, item.label, sorted(item.kinds), canonical(item.when.tree)]
            for item in self.protections
        ]
        rules = [
            [rule.id, rule.kind, rule.reason, rule.note, rule.template, rule.label]
            + [_stage_meaning(stage) for stage in rule.stages]
            for rule in self.rules
        ]
        limits = [_limit_meaning(self.limits)]
        limits += [
            [name, *_limit_meaning(item)] for name, item in sorted(self.limits.rules.items())
        ]
        return [LANGUAGE_VERSION, self.version, self.language, protections, rules, limits]


def _stage_meaning(stage: Stage) -> list[object]:
    condition = None if stage.when is None else canonical(stage.when.tree)
    return [stage.name, stage.tag, stage.status, condition]


def _limit_meaning(limit: Limit) -> list[object]:
    return [limit.count, None if limit.share is None else plain(limit.share)]
