"""What the journal tells: runs, approvals, receipts, holdings, episodes. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.models import Outcome, Primitive, PrimitiveKind, Ref, Scalar, StepKind
from connector.plan_model import PlanRow

INTENDED = "intended"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program; `status` is running until it ended."""

    id: str
    kind: str
    plan_id: str | None
    started_at: datetime
    ended_at: datetime | None
    status: str
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Approval:
    """Who said yes to exactly this plan, and by which way."""

    plan_id: str
    fingerprint: str
    who: str
    how: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A write that the CRM confirmed. `seq` grows with time and has no gaps."""

    seq: int
    at: datetime
    ref: Ref
    kind: PrimitiveKind
    target: str
    after: Scalar
    remote_id: str | None


@dataclass(frozen=True, slots=True)
class Holding:
    """A value in the CRM that is ours: `original` is what stood there before we first wrote."""

    customer: str
    rule: str
    kind: StepKind
    target: str
    value: Scalar
    original: Scalar
    remote_id: str | None


@dataclass(frozen=True, slots=True)
class Episode:
    """The n-th stay of one customer in one rule."""

    customer: str
    rule: str
    number: int
    stage: str
    evidence_key: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A primitive together with the plan row that it serves."""

    row: PlanRow
    primitive: Primitive


@dataclass(frozen=True, slots=True)
class Sending:
    """One call about to be made: which run makes it under which plan, and what was held back.

    `conflicts` are the primitives that reading ruled out just before; they are not sent.
    """

    run_id: str
    plan_id: str
    batch_id: str
    operation: str
    claims: tuple[Claim, ...]
    conflicts: tuple[tuple[Claim, Outcome], ...] = ()


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A call whose answer was never recorded; `primitives` are those still open."""

    plan_id: str
    id: str
    operation: str
    intended_at: datetime
    primitives: tuple[Primitive, ...]


@dataclass(frozen=True, slots=True)
class IntentState:
    """Where one primitive of a plan stands, and which run brought it there."""

    state: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A primitive that was not done; code and detail say what stands in the way, without values."""

    customer: str
    rule: str
    kind: PrimitiveKind
    target: str
    state: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A change of which only the first steps were done."""

    customer: str
    rule: str
    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a plan is: primitives by state, changes done in full, and lists cut at a length."""

    counts: Mapping[str, int]
    changes_done: int
    stopped: tuple[Stopped, ...]
    stopped_total: int
    partial: tuple[Partial, ...]
    partial_total: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A write of one run with the row it served. `rewritten_by` is the newest later run of ours
    that wrote the same value, if any."""

    seq: int
    row: PlanRow
    primitive: Primitive
    remote_id: str | None
    rewritten_by: str | None
