"""The shape of a policy file, as pydantic models; `loading` gives it its meaning."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from policies.errors import NotUnderstoodError
from policies.language.number_text import number_meant, plain
from policies.languages import Language
from policies.loader.rule_schema import (
    Condition,
    Days,
    Identifier,
    Number,
    ParamValue,
    RuleItem,
    Shape,
)
from policies.model import VERBS, Kind

VERSION = 2


def _share(value: object) -> object:
    """`5%` or `0.05`."""
    if isinstance(value, str):
        number = value.removesuffix("%").strip()
        if not (value.endswith("%") and len(number) <= 20 and _is_number(number)):
            meant = number_meant(value)
            is_share = meant and 0 < Decimal(meant) <= 1
            hint = f"write {plain(Decimal(meant) * 100)}%" if is_share else ""
            raise NotUnderstoodError(f"expected a share such as 5%, found '{value[:40]}'", hint)
        value = Decimal(number) / 100
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    share = Decimal(value)
    if not 0 < share <= 1:
        limit = "more than 0%" if share <= 0 else "at most 100%"
        raise NotUnderstoodError(f"a share is {limit}", "write 5%, or 0.05")
    return share


def _is_number(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdecimal()


def _limit(value: object) -> object:
    """`3%` is a share, `50` a count."""
    if isinstance(value, str | Decimal):
        return {"share": value}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"count": value}
    return value


Share = Annotated[
    Decimal,
    Field(gt=0, le=1),
    BeforeValidator(_share, json_schema_input_type=str | float),
]


class ProtectShape(Shape):
    """Who is left alone, and by which kinds of rules."""

    id: Identifier
    when: Condition
    label: str | None = None
    kinds: list[Kind] = Field(alias="from", default_factory=lambda: list(VERBS))


class OffProtectShape(Shape):
    """A protection of the extended policy that does not hold here, or the default `new-owner`."""

    id: Identifier
    off: Literal[True]


def _off(value: Any) -> str:
    return "<off>" if isinstance(value, dict) and "off" in value else "<on>"


def _rates(value: Any) -> str:
    return "<file>" if isinstance(value, str) else "<list>"


class UnclaimedShape(Shape):
    """Where a customer goes that nobody claims."""

    after: Days
    move_to: Identifier


class PoolShape(Shape):
    """One shared pool; `when: else` on the last one takes the rest."""

    when: Condition
    unclaimed: UnclaimedShape | None = None
    label: str | None = None


class OffPoolShape(Shape):
    """A pool of the extended policy that there is none of here."""

    off: Literal[True]


class TermShape(Shape):
    """A part of a score: points where a condition holds, or a number times its weight."""

    when: Condition | None = None
    points: Number | None = None
    of: Condition | None = None
    weight: Number | None = None


class ScoreShape(Shape):
    """A weighted sum."""

    terms: list[TermShape] = Field(min_length=1)


class LimitShape(Shape):
    """How much may change in one run, whichever is lower."""

    share: Share | None = None
    count: int | None = Field(default=None, ge=1)


class OwnerLimitShape(LimitShape):
    """The same for the customers of one owner."""

    per: Literal["run", "day", "week", "month"] = "run"


class MoneyLimitShape(Shape):
    """What the customers who change in one run may come to together."""

    of: Condition
    at_most: Annotated[Number, WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]


class BacklogShape(Shape):
    """How the customers of a first run are worked off."""

    wave: int = Field(ge=1)
    order: Literal["oldest", "newest"] = "oldest"


_SHORT = str | int | float
ShortLimit = Annotated[
    LimitShape, BeforeValidator(_limit, json_schema_input_type=LimitShape | _SHORT)
]
ShortOwnerLimit = Annotated[
    OwnerLimitShape, BeforeValidator(_limit, json_schema_input_type=OwnerLimitShape | _SHORT)
]
Bands = Annotated[dict[Identifier, ShortLimit], Field(min_length=1)]


class LimitsShape(LimitShape):
    """The limits of a policy; `share` and `count` are another way to write `total`."""

    total: ShortLimit | None = None
    owner: ShortOwnerLimit | None = None
    rules: dict[Identifier, ShortLimit] = Field(default_factory=dict)
    tiers: dict[Identifier, Bands] = Field(default_factory=dict)
    money: MoneyLimitShape | None = None
    backlog: BacklogShape | None = None


class CalendarShape(Shape):
    """The days that count as workdays, and times in which nothing is done."""

    timezone: str | None = None
    holidays: str | None = None
    freeze: list[str] = Field(default_factory=list)


class RateShape(Shape):
    """From this day on, one unit of the currency is worth so many of the base."""

    date: str
    currency: str
    rate: Number


class MoneyShape(Shape):
    """The currency in which amounts are compared, and the rates: a list, or the name of a CSV
    file with the columns date, currency and rate beside the policy."""

    base: str | None = None
    rates: (
        Annotated[
            Annotated[list[RateShape], Tag("<list>")] | Annotated[str, Tag("<file>")],
            Discriminator(_rates),
        ]
        | None
    ) = None


FieldType = Literal["text", "integer", "number", "money", "boolean", "date", "moment"]


class PolicyShape(Shape):
    """A whole file."""

    policy: Literal[2]
    name: Identifier | None = None
    extends: str | None = None
    language: Language | None = None
    params: dict[Identifier, ParamValue] = Field(default_factory=dict)
    define: dict[Identifier, Condition] = Field(default_factory=dict)
    scores: dict[Identifier, ScoreShape] = Field(default_factory=dict)
    clocks: dict[str, Condition] = Field(default_factory=dict)
    fields: dict[Identifier, FieldType] = Field(default_factory=dict)
    money: MoneyShape | None = None
    calendar: CalendarShape | None = None
    group: (
        Annotated[
            list[str],
            BeforeValidator(
                lambda value: [value] if isinstance(value, str) else value,
                json_schema_input_type=str | list[str],
            ),
        ]
        | None
    ) = None
    protect: list[
        Annotated[
            Annotated[ProtectShape, Tag("<on>")] | Annotated[OffProtectShape, Tag("<off>")],
            Discriminator(_off),
        ]
    ] = Field(default_factory=list)
    pools: dict[
        Identifier,
        Annotated[
            Annotated[PoolShape, Tag("<on>")] | Annotated[OffPoolShape, Tag("<off>")],
            Discriminator(_off),
        ],
    ] = Field(default_factory=dict)
    rules: list[RuleItem] = Field(default_factory=list)
    limits: LimitsShape = LimitsShape()
