"""The shapes of rules and of their process words in a policy file."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
)

from policies.duration import Duration, parse_duration
from policies.errors import NotUnderstoodError
from policies.model import KINDS, Kind
from policies.suggestion import described

Role = Literal["owner", "manager", "admin"]
Scalar = bool | int | Decimal | str


class Shape(BaseModel):
    """Strict and frozen: nothing is guessed, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _identifier(value: object) -> object:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            message = "a name must not be empty"
            raise ValueError(message)
        if text != value or "\n" in value or len(value) > 60:
            message = "a name is one line of at most 60 characters, without spaces around it"
            raise ValueError(message)
    return value


def _listed(value: object) -> object:
    """One thing stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _scalar(value: object) -> object:
    if isinstance(value, bool | int | Decimal | str):
        return value
    message = f"expected a number, a text, true or false, found {described(value)}"
    raise ValueError(message)


def _number(value: object) -> object:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    message = f"expected a number, found {described(value)}"
    raise ValueError(message)


def _in_units(*units: str) -> Callable[[object], Duration]:
    def read(value: object) -> Duration:
        if isinstance(value, str):
            return parse_duration(value, units)
        message = f"expected a number and a unit, found {described(value)}"
        raise NotUnderstoodError(message, f"write 10 {units[0]}")

    return read


ParamValue = Annotated[Scalar, PlainValidator(_scalar, json_schema_input_type=str | float | bool)]
Number = Annotated[int | Decimal, PlainValidator(_number, json_schema_input_type=float)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]
Condition = Annotated[str, Field(description="a condition of the policy language")]
Roles = Annotated[
    list[Role],
    BeforeValidator(_listed, json_schema_input_type=Role | list[Role]),
    Field(min_length=1),
]
Days = Annotated[
    Duration, PlainValidator(_in_units("days", "workdays"), json_schema_input_type=str)
]


class MarkShape(Shape):
    """What a stage writes: a tag, a value of the workspace's status field, other fields."""

    tag: Identifier | None = None
    status: Identifier | None = None
    field: dict[Identifier, ParamValue] = Field(default_factory=dict)


class TellShape(Shape):
    """Who is told, at the start or when so much of the wait is left."""

    at: Literal["start"] | None = None
    left: Days | None = None
    to: Roles
    text: Words | None = None


class ExtendShape(Shape):
    """How often and by how many days the wait may be made longer."""

    times: int = Field(ge=1, le=100)
    days: int = Field(ge=1, le=3_650)
    approve: Role


class ActShape(Shape):
    """What follows the wait; the verb is that of the rule's kind."""

    returned: Literal["auto", "review"] | None = Field(default=None, alias="return")
    archive: Literal["auto", "review"] | None = None
    offboard: Literal["auto", "review"] | None = None
    reason: Words | None = None
    open_records: Literal["keep", "move", "block"] = "keep"


class RevisitShape(Shape):
    """When the customer is asked again."""

    every: Days
    unless: Condition | None = None


class TodoShape(Shape):
    """A task for people."""

    to: Roles
    due: Days
    text: Words
    unless: Condition | None = None


class RuleShape(Shape):
    """What all rules can have."""

    label: str | None = None
    note: bool | str | None = None


class ProcessShape(RuleShape):
    """A rule with one condition, and what is asked of people and of time."""

    when: Condition
    mark: MarkShape = MarkShape()
    tell: list[TellShape] = Field(default_factory=list)
    wait: Days | None = None
    cancel: Condition | None = None
    extend: ExtendShape | None = None
    act: ActShape | None = None
    review: Annotated[
        list[Role], BeforeValidator(_listed, json_schema_input_type=Role | list[Role])
    ] = Field(default_factory=list)
    revisit: RevisitShape | None = None
    todo: TodoShape | None = None


class PoolRuleShape(ProcessShape):
    """A customer whose owner gives it back to a shared pool."""

    pool: Identifier


class TaskRuleShape(ProcessShape):
    """A customer that somebody has to do something about."""

    task: Identifier


class VoidRuleShape(ProcessShape):
    """A record that is no longer valid."""

    void: Identifier
    reason: Literal["lost_contact", "no_intent", "unqualified"]


class CleanoutRuleShape(ProcessShape):
    """A customer with whom the company ends its work."""

    cleanout: Identifier


class DefectRuleShape(ProcessShape):
    """A cooperation that goes badly: by the customer's conduct, or by our own service."""

    defect: Identifier
    axis: Literal["conduct", "service"]


class BandShape(Shape):
    """One class of a tier; `when: else` on the last one takes the rest."""

    name: Identifier
    when: Condition
    mark: MarkShape = MarkShape()


class TierRuleShape(RuleShape):
    """Classes of value; the first band that holds is the customer's."""

    tier: Identifier
    bands: list[BandShape] = Field(min_length=1)


class OffRuleShape(Shape):
    """A rule of the extended policy that does not hold here."""

    pool: Identifier | None = None
    task: Identifier | None = None
    void: Identifier | None = None
    cleanout: Identifier | None = None
    defect: Identifier | None = None
    tier: Identifier | None = None
    off: Literal[True]


def _rule_kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else {}
    kind = next((f"<{kind}>" for kind in KINDS if kind in keys), None)
    return "<off>" if kind is not None and "off" in keys else kind


AnyRule = (
    PoolRuleShape
    | TaskRuleShape
    | VoidRuleShape
    | CleanoutRuleShape
    | DefectRuleShape
    | TierRuleShape
)
RuleItem = Annotated[
    Annotated[PoolRuleShape, Tag("<pool>")]
    | Annotated[TaskRuleShape, Tag("<task>")]
    | Annotated[VoidRuleShape, Tag("<void>")]
    | Annotated[CleanoutRuleShape, Tag("<cleanout>")]
    | Annotated[DefectRuleShape, Tag("<defect>")]
    | Annotated[TierRuleShape, Tag("<tier>")]
    | Annotated[OffRuleShape, Tag("<off>")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule_kind",
        custom_error_message=f"a rule begins with its kind and its name: {', '.join(KINDS)}",
    ),
]


def kind_of(rule: AnyRule | OffRuleShape | ProcessShape) -> Kind:
    """The kind that a rule begins with."""
    return next(kind for kind in KINDS if getattr(rule, kind, None) is not None)


def name_of(rule: AnyRule | OffRuleShape) -> str:
    """The name behind it."""
    name: str = getattr(rule, kind_of(rule))
    return name
