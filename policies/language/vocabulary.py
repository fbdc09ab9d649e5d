"""The tables that policies are written against, as data. Mapping and warehouse build on it too.

What tables and columns are called in people's languages stands in `messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

LANGUAGE_VERSION = 2


class Type(StrEnum):
    """The types of columns and expressions. `number` is a decimal without a currency; `fields`
    holds the CRM's own fields that a policy asks for, as text by their API names."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    TAGS = "tags"
    FIELDS = "fields"


SQL_TYPES: Mapping[Type, str] = MappingProxyType(
    {
        Type.TEXT: "VARCHAR",
        Type.INTEGER: "BIGINT",
        Type.NUMBER: "DECIMAL(38,6)",
        Type.MONEY: "DECIMAL(18,4)",
        Type.BOOLEAN: "BOOLEAN",
        Type.DATE: "DATE",
        Type.MOMENT: "TIMESTAMP",
        Type.TAGS: "VARCHAR[]",
        Type.FIELDS: "MAP(VARCHAR, VARCHAR)",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    `changeable`: the CRM forgets its past, so that it is unknown before our first version of the
    record. `usable`: a condition may name it; in an event, one between the brackets of a metric.
    `settled_by`: another column of the row; before that moment the value was `before`, or nobody
    knows it now.
    `blank`: what an empty field says; None: nothing is known. `values`: the only ones there are.
    `derived`: made while staging; no mapping fills it. `closing`: where nothing fills it, nobody
    can tell what is still open.
    """

    name: str
    type: Type
    changeable: bool = False
    usable: bool = False
    settled_by: str = ""
    before: str = ""
    blank: bool | None = None
    values: tuple[str, ...] = ()
    derived: bool = False
    closing: bool = False

    @property
    def may_be_unknown(self) -> bool:
        return self.blank is None and self.name != "happened_at"


@dataclass(frozen=True, slots=True)
class Table:
    """A facts table; those with `happened_at` hold events of a customer."""

    name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        return self.by_name[name]

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def is_event(self) -> bool:
        return "happened_at" in self.by_name

    @property
    def usable(self) -> dict[str, Column]:
        """The columns that a condition may name."""
        return {column.name: column for column in self.columns if column.usable}


def _text(name: str) -> Column:
    return Column(name, Type.TEXT)


def _attribute(name: str, kind: Type = Type.TEXT, *values: str) -> Column:
    return Column(name, kind, changeable=True, usable=True, values=values)


def _detail(name: str, kind: Type = Type.TEXT, *values: str) -> Column:
    return Column(name, kind, usable=True, values=values)


def _flag(name: str, *, blank: bool = False, derived: bool = False) -> Column:
    return Column(name, Type.BOOLEAN, usable=True, blank=blank, derived=derived)


def _state(*values: str) -> Column:
    return Column(
        "state", Type.TEXT, usable=True, settled_by="closed_at", before="open", values=values
    )


# The stage in which a deal ended is not the one that it had before.
_STAGE = Column("stage", Type.TEXT, usable=True, settled_by="closed_at")


_EVENT = (
    _text("customer"),
    _text("id"),
    _text("source"),
    _detail("happened_at", Type.MOMENT),
    _detail("recorded_at", Type.MOMENT),
)
_MONEY = (_detail("amount", Type.MONEY), _detail("currency"))
_NUMBER = _text("number")
_FAULT = _detail("fault", Type.TEXT, "ours", "theirs")
_CLOSED = Column("closed_at", Type.MOMENT, usable=True, closing=True)

_CUSTOMERS = Table(
    "customers",
    (
        _text("key"),
        _text("object"),
        _text("id"),
        _attribute("name"),
        _attribute("owner_id"),
        Column("created_at", Type.MOMENT, usable=True),
        Column("modified_at", Type.MOMENT),
        Column("owned_since", Type.MOMENT, usable=True),
        _text("version"),
        Column("tags", Type.TAGS, changeable=True),
        _attribute("status"),
        _attribute("phone"),
        _attribute("email"),
        _attribute("country"),
        _attribute("region"),
        _attribute("industry"),
        _attribute("party", Type.TEXT, "company", "person", "sole_trader"),
        _attribute("do_not_contact", Type.BOOLEAN),
        _attribute("attitude"),
        Column("attitude_at", Type.MOMENT, changeable=True, usable=True),
        Column("group_key", Type.TEXT, changeable=True),
        Column("fields", Type.FIELDS, changeable=True),
        Column("phone_valid", Type.BOOLEAN, changeable=True, usable=True, derived=True),
        Column("email_valid", Type.BOOLEAN, changeable=True, usable=True, derived=True),
        Column("first_seen_on", Type.DATE, derived=True),
    ),
)
_PEOPLE = Table(
    "people",
    (
        _text("id"),
        _text("name"),
        Column("active", Type.BOOLEAN),
        Column("left_on", Type.DATE),
        _text("manager_id"),
        _text("department"),
        _text("region"),
        Column("absent_from", Type.DATE),
        Column("absent_to", Type.DATE),
    ),
)
# A call with its length, a visit with its check-in. `mass`: one of many recorded in one second;
# `burst`: one of many that its owner recorded for other customers within minutes.
_ACTIVITIES = Table(
    "activities",
    (
        *_EVENT,
        _detail(
            "kind", Type.TEXT, "call", "visit", "mail", "meeting", "message", "quote", "sample"
        ),
        _detail("direction", Type.TEXT, "ours", "theirs"),
        _detail("outcome", Type.TEXT, "reached", "no_answer", "refused"),
        _detail("seconds", Type.INTEGER),
        _detail("owner_id"),
        _flag("checked_in"),
        _flag("automated"),
        _flag("mass", derived=True),
        _flag("burst", derived=True),
    ),
)
_DEALS = Table("deals", (*_EVENT, _CLOSED, _STAGE, _state("open", "won", "lost"), *_MONEY))
_QUOTES = Table(
    "quotes",
    (
        *_EVENT,
        _NUMBER,
        _CLOSED,
        _detail("valid_until", Type.DATE),
        _state("open", "accepted", "declined"),
        *_MONEY,
    ),
)
_ORDERS = Table(
    "orders",
    (
        *_EVENT,
        _NUMBER,
        _flag("confirmed", blank=True),
        _detail("warranty_until", Type.DATE),
        *_MONEY,
    ),
)
_RETURNS = Table("returns", (*_EVENT, _NUMBER, _CLOSED, _detail("reason"), _FAULT, *_MONEY))
_INVOICES = Table(
    "invoices",
    (
        *_EVENT,
        _NUMBER,
        _detail("due_on", Type.DATE),
        Column("settled_at", Type.MOMENT, usable=True, closing=True),
        _flag("disputed"),
        _detail("milestone"),
        *_MONEY,
    ),
)
_COMPLAINTS = Table("complaints", (*_EVENT, _CLOSED, _detail("kind"), _FAULT))
_SURVEYS = Table(
    "surveys",
    (*_EVENT, _detail("kind", Type.TEXT, "csat", "nps"), _detail("score", Type.NUMBER)),
)
_CONTRACTS = Table(
    "contracts",
    (
        *_EVENT,
        _NUMBER,
        _detail("starts_on", Type.DATE),
        _detail("ends_on", Type.DATE),
        _detail("ended_at", Type.MOMENT),
        *_MONEY,
    ),
)
_SOURCES = Table(
    "sources",
    (
        _text("fact"),
        Column("complete", Type.BOOLEAN),
        Column("since", Type.DATE),
        Column("pulled_at", Type.MOMENT),
        Column("untold", Type.TAGS),
    ),
)

_TABLES = (
    _CUSTOMERS,
    _PEOPLE,
    _ACTIVITIES,
    _DEALS,
    _QUOTES,
    _ORDERS,
    _RETURNS,
    _INVOICES,
    _COMPLAINTS,
    _SURVEYS,
    _CONTRACTS,
    _SOURCES,
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _TABLES})
CUSTOMERS = TABLES["customers"]
PEOPLE = TABLES["people"]
EVENTS: Mapping[str, Table] = MappingProxyType(
    {table.name: table for table in _TABLES if table.is_event}
)

# What a condition may ask of the customer's owner; the value follows from `people`.
OWNER_ATTRIBUTES: Mapping[str, Column] = MappingProxyType(
    {
        name: Column(name, kind, usable=True)
        for name, kind in (
            ("owner_active", Type.BOOLEAN),
            ("owner_absent", Type.BOOLEAN),
            ("owner_manager_id", Type.TEXT),
            ("owner_department", Type.TEXT),
            ("owner_region", Type.TEXT),
        )
    }
)
ATTRIBUTES: Mapping[str, Column] = MappingProxyType({**CUSTOMERS.usable, **OWNER_ATTRIBUTES})
# A cooperation attitude is an opinion of its day: an older one counts as not on record.
STALE_ATTITUDE_DAYS = 180
# An event recorded more than this many days after it happened was entered late.
LATE_ENTRY_DAYS = 3
