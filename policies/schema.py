"""The shape of a policy file, as pydantic models; `policy.py` gives it its meaning."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

Kind = Literal["void", "tier"]
KINDS: tuple[Kind, ...] = ("void", "tier")


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


def _share(value: object) -> object:
    """`5%` or `0.05`."""
    if isinstance(value, str):
        number = value.removesuffix("%").strip()
        if value.endswith("%") and number.replace(".", "", 1).isdecimal():
            return Decimal(number) / 100
        message = f"expected a share such as 5%, found '{value[:40]}'"
        raise ValueError(message)
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


Identifier = Annotated[str, BeforeValidator(_identifier)]
Share = Annotated[
    Decimal,
    BeforeValidator(_share, json_schema_input_type=str | float),
    Field(gt=0, le=1),
]
ParamValue = bool | int | Decimal | str


class MarkShape(Shape):
    """What a stage writes: a tag, a value of the workspace's status field, or both."""

    tag: Identifier | None = None
    status: Identifier | None = None


class ProtectShape(Shape):
    """Who is left alone, and by which kinds of rules."""

    id: Identifier
    when: str
    label: str | None = None
    kinds: list[Kind] = Field(alias="from", default_factory=lambda: list(KINDS))


class VoidShape(Shape):
    """A record that is no longer valid."""

    void: Identifier
    label: str | None = None
    reason: Literal["lost_contact", "no_intent", "unqualified"]
    when: str
    mark: MarkShape
    note: bool | str = True


class BandShape(Shape):
    """One class of a tier; `when: else` on the last one takes the rest."""

    name: Identifier
    when: str
    mark: MarkShape = MarkShape()


class TierShape(Shape):
    """Classes of value; the first band that holds is the customer's."""

    tier: Identifier
    label: str | None = None
    bands: list[BandShape] = Field(min_length=1)
    note: bool | str = False


def _rule_kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else {}
    return next((f"<{kind}>" for kind in KINDS if kind in keys), None)


RuleShape = Annotated[
    Annotated[VoidShape, Tag("<void>")] | Annotated[TierShape, Tag("<tier>")],
    Discriminator(
        _rule_kind,
        custom_error_type="rule_kind",
        custom_error_message="a rule begins with its kind: void: NAME or tier: NAME",
    ),
]


class LimitShape(Shape):
    """How much may change in one run, whichever is lower."""

    share: Share | None = None
    count: int | None = Field(default=None, ge=1)


class LimitsShape(LimitShape):
    rules: dict[str, LimitShape] = Field(default_factory=dict)


class PolicyShape(Shape):
    """A whole file."""

    policy: Literal[1]
    name: Identifier
    language: Literal["zh-CN", "en"] | None = None
    params: dict[Identifier, ParamValue] = Field(default_factory=dict)
    define: dict[Identifier, str] = Field(default_factory=dict)
    protect: list[ProtectShape] = Field(default_factory=list)
    rules: list[RuleShape] = Field(min_length=1)
    limits: LimitsShape = LimitsShape()
