"""The schema of mapping.yaml: sources, columns, conditions, links. No reading, no SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def as_text(value: Any) -> Any:
    """A YAML scalar as the text that the same JSON scalar becomes when it is staged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | Decimal) else value


Text = Annotated[str, BeforeValidator(as_text)]


class Form(StrEnum):
    """How a moment without an offset is written; by default it is a problem, never a guess."""

    OFFSET = "offset"
    UTC = "utc"
    LOCAL = "local"
    SECONDS = "epoch_seconds"
    MILLISECONDS = "epoch_milliseconds"


class Column(_Model):
    """Where one column comes from: a path, perhaps through a map of values, or a constant. `zone`:
    of the clocks that a moment without an offset was read off (`as: local`), where they are not the
    workspace's. `latest`: where the moment stands after which it cannot have been; the earlier one
    of the two counts."""

    path: str | None = Field(default=None, alias="from")
    values: dict[str, Text] | None = Field(default=None, alias="map")
    otherwise: Text | None = Field(default=None, alias="else")
    const: Text | None = None
    form: Form = Field(default=Form.OFFSET, alias="as")
    zone: str | None = None
    latest: Column | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _known_zone(self) -> Self:
        if self.zone is not None and self.form is not Form.LOCAL:
            raise ValueError("'zone' needs 'as: local'")
        if self.zone is not None and self.zone not in available_timezones():
            raise ValueError(f"'{self.zone}' is not a time zone; use a name such as Asia/Shanghai")
        return self

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.const is None):
            raise ValueError("a column needs a path (from) or a constant (const), and not both")
        if self.otherwise is not None and self.values is None:
            raise ValueError("'else' needs a 'map'")
        return self

    @model_validator(mode="after")
    def _bound_by_a_field(self) -> Self:
        if self.latest is not None and (self.path is None or self.values is not None):
            raise ValueError("'latest' goes with a path (from), and not with a 'map'")
        if self.latest is not None and not self.latest.is_plain:
            raise ValueError("'latest' is a path, or {from: path, as: ...}")
        return self

    @property
    def is_plain(self) -> bool:
        """Is it what stands in one field, and nothing else?"""
        return self.path is not None and self.values is None and self.latest is None

    def paths(self) -> Iterator[str]:
        bound = self.latest.path if self.latest else None
        yield from (path for path in (self.path, bound) if path)


class Condition(_Model):
    """What a field must be: one of `only`, or none of `never`. None stands for empty."""

    only: tuple[Text | None, ...] | None = Field(default=None, alias="in")
    never: tuple[Text | None, ...] | None = Field(default=None, alias="not")

    @model_validator(mode="before")
    @classmethod
    def _from_value(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value
        return {"in": value if isinstance(value, list) else [value]}

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if (self.only is None) == (self.never is None):
            raise ValueError("a condition is a value, a list, {in: [...]} or {not: [...]}")
        return self


class Link(_Model):
    """A path that holds the id of a record of another object; the customers' by default."""

    object: str | None = None
    id: str

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class Through(_Model):
    """The record between a fact and its customer (call → deal → account)."""

    object: str
    id: str = "id"
    customer: Link


class Source(_Model):
    """One object, perhaps filtered, that fills one table. `alias`: a record whose path is filled
    has become that customer. `since`: what is older was never pulled."""

    object: str = Field(min_length=1)
    id: str = "id"
    where: dict[str, Condition] = Field(default_factory=dict)
    columns: dict[str, Column] = Field(default_factory=dict)
    since: date | None = None

    def paths(self) -> Iterator[str]:
        yield from self.where
        yield from (path for column in self.columns.values() for path in column.paths())


class CustomerSource(Source):
    """Records that are customers. `group_key`: where the id of the parent record stands, of the
    same object by default; a parent and all below it are one group."""

    alias: Link | None = None
    group_key: Link | None = None

    def paths(self) -> Iterator[str]:
        yield from super().paths()
        yield from (link.id for link in (self.alias, self.group_key) if link)


class FactSource(Source):
    """Records that are events of a customer."""

    customer: Link
    through: Through | None = None

    def paths(self) -> Iterator[str]:
        yield from super().paths()
        yield self.customer.id


class NoteSource(_Model):
    """Where notes stand that highseas may have written; read only to find our own again."""

    object: str = Field(min_length=1)
    id: str = "id"
    customer: Link
    title: str | None = None
    text: str

    def fields(self) -> Iterator[str]:
        """The CRM's names of the fields that the paths begin with."""
        paths = (self.customer.id, self.text, *([self.title] if self.title else []))
        yield from dict.fromkeys(path.partition(".")[0] for path in paths)


class MappingFile(_Model):
    """The schema of mapping.yaml."""

    mapping: Literal[1]
    customers: tuple[CustomerSource, ...] = Field(min_length=1)
    people: tuple[Source, ...] = ()
    activities: tuple[FactSource, ...] = ()
    deals: tuple[FactSource, ...] = ()
    quotes: tuple[FactSource, ...] = ()
    orders: tuple[FactSource, ...] = ()
    returns: tuple[FactSource, ...] = ()
    invoices: tuple[FactSource, ...] = ()
    complaints: tuple[FactSource, ...] = ()
    surveys: tuple[FactSource, ...] = ()
    contracts: tuple[FactSource, ...] = ()
    notes: tuple[NoteSource, ...] = ()

    def sources(self, table: str) -> Sequence[Source]:
        found: Sequence[Source] = getattr(self, table)
        return found
