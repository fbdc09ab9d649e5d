"""A policy as the rest of the house sees it: frozen, resolved, with a hash of its meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Literal, get_args

from policies.calendar import Calendar
from policies.condition import Expression
from policies.errors import Problem
from policies.language.number_text import Value
from policies.language.tree import Node
from policies.language.vocabulary import LANGUAGE_VERSION, Type
from policies.meaning import WHERE_GIVEN, meaning
from policies.money import Money
from policies.process import Backlog, FieldMark, Pool, Process
from policies.yaml_source import Document

RETIRED = "retired"
# The protection that the product brings along and a policy may replace or leave out.
NEW_OWNER = "new-owner"
Kind = Literal["pool", "task", "void", "cleanout", "defect", "tier"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What the kinds that end a relation do in the end. They leave a mark, so that it can be seen and
# undone, and of them one alone holds for a customer: the first.
VERBS: Mapping[Kind, str] = {"void": "archive", "cleanout": "offboard", "pool": "return"}
EXITS: tuple[str, ...] = tuple(VERBS)


@dataclass(frozen=True, slots=True)
class Protection:
    """Customers for whom `when` holds, or is unknown, are not touched by rules of these kinds.

    `certain`: it protects only where it is known to hold. `built_in`: it comes with the product.
    """

    id: str
    when: Expression
    kinds: frozenset[str]
    label: str = ""
    certain: bool = False
    built_in: bool = False

    @property
    def is_default(self) -> bool:
        """Does it come with the product, for a policy to replace or to leave out?"""
        return self.built_in and self.id == NEW_OWNER

    @property
    def label_key(self) -> str:
        """The message that names a protection of the product; empty for an author's own."""
        return f"guard.{self.id.replace('-', '_')}" if self.built_in else ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One outcome of a rule; the first that holds is the customer's. `when` is None for the last
    band of a tier, which takes the rest."""

    name: str
    tag: str | None
    status: str | None
    when: Expression | None
    fields: tuple[FieldMark, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a tier has one stage for each band, a pool rule one for each pool, any other has
    one; a retired one, which the policy no longer has, has none. `axis` of a defect: conduct
    (the customer's) or service (ours)."""

    id: str
    kind: str
    stages: tuple[Stage, ...]
    reason: str | None = None
    note: bool = False
    template: str | None = None
    label: str = ""
    axis: str | None = None
    process: Process | None = None

    @property
    def title(self) -> str:
        return self.label or self.id

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """What decides the stage; the conditions of process words decide nothing of it."""
        return tuple(stage.when for stage in self.stages if stage.when is not None)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` customers and at most `share` of all, whichever is lower."""

    count: int | None = None
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OwnerLimit(Limit):
    """The same for the customers of one owner, in each `per`: run, day, week or month."""

    per: str = "run"


@dataclass(frozen=True, slots=True)
class MoneyLimit:
    """What is counted of a customer, and to how much those who change may come together."""

    of: Expression
    at_most: Decimal


@dataclass(frozen=True, slots=True)
class Limits(Limit):
    """The limits of the whole policy, and closer ones by rule id, and by tier rule and band."""

    rules: Mapping[str, Limit] = field(default_factory=dict)
    owner: OwnerLimit | None = None
    backlog: Backlog | None = None
    tiers: Mapping[str, Mapping[str, Limit]] = field(default_factory=dict, metadata=WHERE_GIVEN)
    money: MoneyLimit | None = field(default=None, metadata=WHERE_GIVEN)


@dataclass(frozen=True)
class Policy:
    """What a policy file means.

    `protections`: the author's, then those of the product. `fields`, `clocks` and `scores` are the
    author's words; conditions hold them resolved. `documents`: the files by name, the policy's own
    last.
    """

    version: int
    name: str
    language: str | None
    params: Mapping[str, Value]
    protections: tuple[Protection, ...]
    rules: tuple[Rule, ...]
    limits: Limits
    pools: tuple[Pool, ...] = ()
    calendar: Calendar | None = None
    timezone: str | None = None
    money: Money | None = None
    group: frozenset[str] = frozenset()
    fields: Mapping[str, Type] = field(default_factory=dict)
    clocks: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, Node] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the files that were read."""
        return tuple(self.documents)

    def rule(self, rule_id: str) -> Rule:
        return next(rule for rule in self.rules if rule.id == rule_id)

    @property
    def base_currency(self) -> str:
        """The currency that amounts are converted to; empty where they stay as they are."""
        return self.money.base if self.money else ""

    @property
    def managed_tags(self) -> frozenset[str]:
        """The tags that this policy adds and removes."""
        return frozenset(stage.tag for stage in self._stages() if stage.tag is not None)

    @property
    def conditions(self) -> tuple[Expression, ...]:
        """What is asked of each customer: by rules, by protections, then by the limit of money."""
        of_rules = (condition for rule in self.rules for condition in rule.conditions)
        of_limits = [self.limits.money.of] if self.limits.money else []
        return (*of_rules, *(protection.when for protection in self.protections), *of_limits)

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
        """SHA-256 of all that changes a decision, a note or the process, and of the language
        version; whatever the layout, and however many files it was spread over."""
        text = json.dumps(self._meaning(), ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _meaning(self) -> list[object]:
        parts = (self.protections, self.rules, self.limits, self.pools)
        settings = (self.calendar, self.timezone, self.money, self.group)
        return [LANGUAGE_VERSION, self.version, self.language, meaning((*parts, *settings))]
