"""mapping.yaml: which objects of the CRM fill which facts table. Reads, checks, asks for fields.

The SQL that follows from it stands in `mapping_sql`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from connector.errors import FileProblems, Problem
from connector.row_shape import PathError, RowShape, is_list_path, split_path
from policies.validation import nearest, problems_from_validation
from policies.vocabulary import TABLES, Type
from policies.yaml_source import Document, read_yaml

STATUS_PLACEHOLDER = "$status_field"
DERIVED = frozenset({"key", "object", "id", "customer", "source", "first_seen_on"})
FACTS = tuple(name for name, table in TABLES.items() if table.is_event)
MAPPED = ("customers", "people", *FACTS)


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
    """Where one column comes from: a path, perhaps through a map of values, or a constant."""

    path: str | None = Field(default=None, alias="from")
    values: dict[str, Text] | None = Field(default=None, alias="map")
    otherwise: Text | None = Field(default=None, alias="else")
    const: Text | None = None
    form: Form = Field(default=Form.OFFSET, alias="as")

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.path is None) == (self.const is None):
            raise ValueError("a column needs a path (from) or a constant (const), and not both")
        if self.otherwise is not None and self.values is None:
            raise ValueError("'else' needs a 'map'")
        return self


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
        yield from (column.path for column in self.columns.values() if column.path)


class CustomerSource(Source):
    """Records that are customers."""

    alias: Link | None = None

    def paths(self) -> Iterator[str]:
        yield from super().paths()
        if self.alias:
            yield self.alias.id


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
    orders: tuple[FactSource, ...] = ()
    returns: tuple[FactSource, ...] = ()
    notes: tuple[NoteSource, ...] = ()

    def sources(self, table: str) -> Sequence[Source]:
        found: Sequence[Source] = getattr(self, table)
        return found


@dataclass(frozen=True)
class CompiledMapping:
    """A mapping for one workspace: what to ask of each object, and which tables it fills."""

    file: MappingFile
    zone: str
    status_field: str | None
    shapes: Mapping[str, RowShape]
    hash: str

    @property
    def customer_objects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(source.object for source in self.file.customers))

    def customer_object(self, link: Link) -> str:
        return link.object or self.customer_objects[0]

    def sources_of(self, table: str, name: str) -> list[Source]:
        return [source for source in self.file.sources(table) if source.object == name]

    def objects_of(self, table: str) -> tuple[str, ...]:
        """The objects whose records stand in a table."""
        return tuple(dict.fromkeys(source.object for source in self.file.sources(table)))

    def between(self, table: str, name: str) -> frozenset[str]:
        """The objects that records of `name` go through to find their customer."""
        found = (getattr(source, "through", None) for source in self.sources_of(table, name))
        return frozenset(through.object for through in found if through is not None)

    def tables_of(self, name: str) -> tuple[str, ...]:
        """The tables that depend on an object, through others too."""
        return tuple(
            table
            for table in MAPPED
            if any(
                name == own or name in self.between(table, own) for own in self.objects_of(table)
            )
        )


def compile_mapping(
    text: str, name: str, *, zone: str, status_field: str | None
) -> CompiledMapping:
    """Read and check a mapping for one workspace. Raises `FileProblems` with all problems."""
    document = read_yaml(text, name)
    try:
        file = MappingFile.model_validate(document.value)
    except ValidationError as error:
        raise FileProblems(problems_from_validation(document, error, MappingFile)) from None
    file = _with_status(file, status_field)
    problems = list(_column_problems(document, file))
    shapes: dict[str, RowShape] = {}
    if not problems:
        shapes, problems = _shapes(document, file)
    if problems:
        raise FileProblems(problems)
    described = f"{zone}\n{status_field}\n{file.model_dump_json()}"
    digest = hashlib.sha256(described.encode()).hexdigest()
    return CompiledMapping(file, zone, status_field, shapes, digest)


def _with_status(file: MappingFile, status_field: str | None) -> MappingFile:
    customers = tuple(
        source.model_copy(update={"columns": dict(_filled(source.columns, status_field))})
        for source in file.customers
    )
    return file.model_copy(update={"customers": customers})


def _filled(
    columns: Mapping[str, Column], status_field: str | None
) -> Iterator[tuple[str, Column]]:
    for name, column in columns.items():
        if column.path != STATUS_PLACEHOLDER:
            yield name, column
        elif status_field is not None:
            yield name, column.model_copy(update={"path": status_field})


def _column_problems(document: Document, file: MappingFile) -> Iterator[Problem]:
    for table in MAPPED:
        valid = set(TABLES[table].by_name) - DERIVED
        for number, source in enumerate(file.sources(table)):
            place = (table, number, "columns")
            for name, column in source.columns.items():
                if name not in valid:
                    message = f"{table} has no column '{name}' to fill"
                    yield document.problem((*place, name), message, nearest(name, valid), key=True)
                elif column.path and _is_misfit(TABLES[table].column(name).type, column.path):
                    message = f"'{name}' and '{column.path}' do not fit: only tags are a list"
                    yield document.problem((*place, name), message)
            for name in source.where:
                if is_list_path(name):
                    message = "a condition cannot look into a list"
                    yield document.problem((table, number, "where", name), message, key=True)
            if table in FACTS and "happened_at" not in source.columns:
                message = "an event needs the column 'happened_at'"
                yield document.problem(place, message)


def _is_misfit(kind: Type, path: str) -> bool:
    return (kind is Type.TAGS) != is_list_path(path)


def _shapes(document: Document, file: MappingFile) -> tuple[dict[str, RowShape], list[Problem]]:
    identifiers: dict[str, str] = {}
    paths: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for table in MAPPED:
        for number, source in enumerate(file.sources(table)):
            for name, own_id, wanted in _wanted(source):
                if identifiers.setdefault(name, own_id) != own_id:
                    message = f"the id of {name} is '{identifiers[name]}' elsewhere in this file"
                    problems.append(document.problem((table, number), message))
                paths.setdefault(name, []).extend(wanted)
            try:
                for path in source.paths():
                    split_path(path)
                RowShape(source.object, source.id, paths[source.object])
            except PathError as error:
                problems.append(document.problem((table, number), str(error)))
    if problems:
        return {}, problems
    return {name: RowShape(name, identifiers[name], paths[name]) for name in paths}, []


def _wanted(source: Source) -> Iterator[tuple[str, str, list[str]]]:
    yield source.object, source.id, list(source.paths())
    through = getattr(source, "through", None)
    if through is not None:
        yield through.object, through.id, [through.customer.id]
