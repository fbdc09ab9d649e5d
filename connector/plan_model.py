"""A plan as data: header and rows. Built by `plan`, stored by `journal`, executed by `apply`.

The fingerprint is SHA-256 over the header's canonical JSON, then each row's, in row order. What
differs between two plans of the same meaning (plan id, creation time) stands outside of both.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

import msgspec

from connector.models import Primitive
from policies.evaluation.evidence import EvidenceItem as Evidence

__all__ = [
    "PLAN_FORMAT",
    "Evidence",
    "Fingerprint",
    "Plan",
    "PlanHeader",
    "PlanRow",
    "RowStatus",
    "RuleCount",
    "Threshold",
    "encode_header",
    "encode_row",
]

PLAN_FORMAT = 3

_LONGEST_DAY = timedelta(hours=26)

_encoder = msgspec.json.Encoder(order="deterministic")


class RowStatus(StrEnum):
    """What a row says about one customer under one rule.

    `change`: to be applied. `protected`: the rule holds, a protection stands in the way.
    `undecided`: inputs are missing. `overruled`: somebody took back what we wrote.
    `foreign`: a managed tag that somebody else set stands in the way.
    `waiting`: it would leave by a contact that was entered late; a person confirms that first.
    `irreversible`: only in undo plans: a write that cannot be taken back.
    """

    CHANGE = "change"
    PROTECTED = "protected"
    UNDECIDED = "undecided"
    OVERRULED = "overruled"
    FOREIGN = "foreign"
    WAITING = "waiting"
    IRREVERSIBLE = "irreversible"


class PlanRow(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One customer under one rule. Its JSON leaves out what has its default.

    `customer` is the key `Object:id`. `stage_before` and `stage_after` are stage names, None for
    out. `episode` is the number of the stay that this row opens, changes or closes. `version` and
    `owner` are the record's as planned; None means not checked (undo). `evidence_key` names the
    deciding facts: equal keys, equal note. `blocked_by` is a protection's id, a tag's name (of a
    waiting row: the one to be taken away), or
    why a write cannot be undone (`unsupported`, or `run:ID` of our later run that wrote the value);
    `missing` the inputs that an undecided row lacks. `hands_on` is the rule that
    sets the customer's status when it leaves this one.
    """

    seq: int
    status: RowStatus
    customer: str
    name: str
    rule: str
    kind: str
    stage_before: str | None
    stage_after: str | None
    episode: int
    intent_id: str = ""
    version: str | None = None
    owner: str | None = None
    evidence: tuple[Evidence, ...] = ()
    evidence_key: str = ""
    evidence_key_before: str = ""
    primitives: tuple[Primitive, ...] = ()
    blocked_by: str = ""
    missing: tuple[str, ...] = ()
    hands_on: str = ""


class RuleCount(msgspec.Struct, frozen=True):
    """How one rule came out over all customers; `tripped` is the cap that is exceeded, as
    `connector.guard` phrases it, or empty; `paused` says why nobody is acted upon on this day, or
    is empty. `burst`: customers who are out of it only because of contacts entered in bursts.

    The rows of a rule that tripped or is paused stay in the plan and are not applied.
    """

    rule: str
    kind: str
    matched: int
    changes: int
    entering: int
    protected: int
    undecided: int
    overruled: int
    foreign: int
    tripped: str = ""
    paused: str = ""
    waiting: int = 0
    burst: int = 0


class Threshold(msgspec.Struct, frozen=True):
    """Where one rank broke over all customers.

    `name` says in words what is ranked; `kind`: `abc` or `quintile`; `type`: of what is ranked.
    `breaks`: the least values of class A and of class B, or the largest of the lower four fifths;
    None where too few customers have a value, or their values do not compare. `currency`: what
    amounts were converted to.
    """

    name: str
    kind: str
    type: str
    breaks: tuple[str | None, ...]
    currency: str = ""


class PlanHeader(msgspec.Struct, frozen=True, dict=True):
    """What a plan means, apart from its rows. `as_of` is ISO 8601 in UTC. For an undo plan
    `source_run` is the run it takes back, and `policy_hash` is empty. `overrides`: params of the
    policy that had another value for this plan, as NAME=VALUE; it is not applied. `titles`: the
    labels of rules and protections, by id. `thresholds`: where the ranks broke.
    `currency`: what the policy converts amounts to. `replayed`: what was seen after `as_of` did not
    count."""

    organisation: str
    as_of: str
    policy_hash: str
    customers: int
    rules: tuple[RuleCount, ...]
    language: str
    kind: str = "policy"
    source_run: str = ""
    overrides: tuple[str, ...] = ()
    titles: dict[str, str] = {}
    thresholds: tuple[Threshold, ...] = ()
    currency: str = ""
    replayed: bool = False
    format: int = PLAN_FORMAT

    @property
    def tripped(self) -> frozenset[str]:
        """The rules whose cap tripped: their rows are shown and not applied."""
        return frozenset(count.rule for count in self.rules if count.tripped)

    @cached_property
    def held_back(self) -> frozenset[str]:
        """The rules whose rows are shown and not applied: tripped, or paused for the day."""
        return frozenset(count.rule for count in self.rules if count.tripped or count.paused)

    def writes(self, row: PlanRow) -> bool:
        """Whether applying the plan writes this row of it."""
        return row.status is RowStatus.CHANGE and row.rule not in self.held_back


class Plan(msgspec.Struct, frozen=True):
    """A stored plan without its rows."""

    id: str
    fingerprint: str
    created_at: datetime
    header: PlanHeader
    changes: int
    primitives: int
    calls: int
    cost: int
    applied: bool = False

    @property
    def is_of_its_day(self) -> bool:
        """Made as of the last local midnight: what held on another day is no reason to write."""
        if self.header.replayed:
            return False
        ago = self.created_at - datetime.fromisoformat(self.header.as_of)
        return timedelta() <= ago <= _LONGEST_DAY


def encode_header(header: PlanHeader) -> bytes:
    """Canonical JSON of a header."""
    return _encoder.encode(header)


def encode_row(row: PlanRow) -> bytes:
    """Canonical JSON of a row: what is stored and what is hashed are the same bytes."""
    return _encoder.encode(row)


class Fingerprint:
    """Streams canonical JSON into SHA-256: the header's, then each row's."""

    def __init__(self, encoded_header: bytes) -> None:
        self._hash = hashlib.sha256(encoded_header)

    def add(self, encoded_row: bytes) -> None:
        self._hash.update(b"\n")
        self._hash.update(encoded_row)

    def text(self) -> str:
        return self._hash.hexdigest()
