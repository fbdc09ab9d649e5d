"""mapping.yaml: which objects of the CRM fill which facts table. Reads, checks, asks for fields.

Its schema stands in `mapping_file`, the SQL that follows from it in `mapping_sql`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from connector.errors import FileProblems, Problem
from connector.mapping_file import (
    Column,
    Link,
    MappingFile,
    Source,
)
from connector.row_shape import PathError, RowShape, is_list_path, split_path
from policies.language.vocabulary import TABLES, Type
from policies.language.vocabulary import Column as TableColumn
from policies.suggestion import nearest
from policies.validation import problems_from_validation
from policies.yaml_source import Document, read_yaml

STATUS_PLACEHOLDER = "$status_field"
_IDENTITY = frozenset({"key", "object", "id", "customer", "source"})
FACTS = tuple(name for name, table in TABLES.items() if table.is_event)
MAPPED = ("customers", "people", *FACTS)


@dataclass(frozen=True)
class CompiledMapping:
    """A mapping for one workspace: what to ask of each object, and which tables it fills.

    `custom_fields` are asked of every customer besides; `hash` does not cover them.
    """

    file: MappingFile
    zone: str
    status_field: str | None
    shapes: Mapping[str, RowShape]
    hash: str
    custom_fields: tuple[str, ...] = ()

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

    def own_note(self, table: str, name: str) -> str | None:
        """Where the text of a note of ours would stand among the activities of an object."""
        if table != "activities":
            return None
        return next((note.text for note in self.file.notes if note.object == name), None)

    def may_lack(self, name: str) -> frozenset[str]:
        """Fields that an object need not have: the policy asks for them, of all customers alike."""
        if len(self.customer_objects) == 1 or name not in self.customer_objects:
            return frozenset()
        mapped = {
            path.partition(".")[0].removesuffix("[]")
            for table in MAPPED
            for source in self.sources_of(table, name)
            for path in source.paths()
        }
        return frozenset(field.partition(".")[0] for field in self.custom_fields) - mapped

    def untold(self, table: str) -> list[str]:
        """The columns that would say what is still open, and that nothing fills."""
        sources = self.file.sources(table)
        closing = (column.name for column in TABLES[table].columns if column.closing)
        return [name for name in closing if not any(name in one.columns for one in sources)]

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
    text: str,
    name: str,
    *,
    zone: str,
    status_field: str | None,
    custom_fields: Collection[str] = (),
) -> CompiledMapping:
    """Read and check a mapping for one workspace. Raises `FileProblems` with all problems.

    `custom_fields`: the CRM's own fields that the policy asks for, by API name or path.
    """
    document = read_yaml(text, name)
    try:
        file = MappingFile.model_validate(document.value)
    except ValidationError as error:
        raise FileProblems(problems_from_validation(document, error, MappingFile)) from None
    file = _with_status(file, status_field)
    problems = list(_column_problems(document, file))
    shapes: dict[str, RowShape] = {}
    if not problems:
        shapes, problems = _shapes(document, file, custom_fields)
    if problems:
        raise FileProblems(problems)
    described = f"{zone}\n{status_field}\n{file.model_dump_json()}"
    digest = hashlib.sha256(described.encode()).hexdigest()
    fields = tuple(sorted(set(custom_fields)))
    return CompiledMapping(file, zone, status_field, shapes, digest, fields)


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
        valid = mappable(table)
        for number, source in enumerate(file.sources(table)):
            place = (table, number, "columns")
            for name, column in source.columns.items():
                if name not in valid:
                    message = f"{table} has no column '{name}' to fill"
                    yield document.problem((*place, name), message, nearest(name, valid), key=True)
                    continue
                for message, hint in _faults(table, valid[name], column):
                    yield document.problem((*place, name), message, hint)
            for name in source.where:
                if is_list_path(name):
                    message = "a condition cannot look into a list"
                    yield document.problem((table, number, "where", name), message, key=True)
            if table in FACTS and "happened_at" not in source.columns:
                message = "an event needs the column 'happened_at'"
                yield document.problem(place, message)


def _faults(table: str, known: TableColumn, column: Column) -> Iterator[tuple[str, str]]:
    """What of a column's rule does not go with the column."""
    for path in column.paths():
        if _is_misfit(known.type, path):
            yield f"'{known.name}' and '{path}' do not fit: only tags are a list", ""
    if column.latest and known.type not in {Type.DATE, Type.MOMENT}:
        yield f"'{known.name}' is no day and no moment: 'latest' has no place here", ""
    for value in _strangers(known, column):
        yield (
            f"'{value}' is none of the values of {table}.{known.name}",
            nearest(value, known.values),
        )


def mappable(table: str) -> dict[str, TableColumn]:
    """The columns that `columns:` may fill."""
    return {
        column.name: column
        for column in TABLES[table].columns
        if not column.derived
        and column.type is not Type.FIELDS
        and column.name not in _IDENTITY | {"group_key"}
    }


def _strangers(known: TableColumn, column: Column) -> Iterator[str]:
    """What the file itself writes into a column that takes other values only."""
    written = (column.const, column.otherwise, *(column.values or {}).values())
    if known.values:
        yield from dict.fromkeys(text for text in written if text and text not in known.values)


def _is_misfit(kind: Type, path: str) -> bool:
    return (kind is Type.TAGS) != is_list_path(path)


def _shapes(
    document: Document, file: MappingFile, custom_fields: Collection[str]
) -> tuple[dict[str, RowShape], list[Problem]]:
    identifiers: dict[str, str] = {}
    paths: dict[str, list[str]] = {}
    problems: list[Problem] = []
    texts = {note.object: note.text for note in file.notes}
    for table in MAPPED:
        for number, source in enumerate(file.sources(table)):
            own = texts.get(source.object) if table == "activities" else None
            for name, own_id, wanted in _wanted(source, own):
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
    problems = problems or list(_custom_problems(document, file, paths, custom_fields))
    if problems:
        return {}, problems
    customers = {source.object for source in file.customers}
    return {
        name: RowShape(name, identifiers[name], wanted, custom_fields if name in customers else ())
        for name, wanted in paths.items()
    }, []


def _custom_problems(
    document: Document,
    file: MappingFile,
    paths: Mapping[str, Sequence[str]],
    custom_fields: Collection[str],
) -> Iterator[Problem]:
    """Fields of the policy that cannot be read beside what the mapping reads already."""
    for number, source in enumerate(file.customers):
        for field in sorted(custom_fields):
            try:
                _raise_if_unreadable(source, paths[source.object], field)
            except PathError as error:
                message = f"the policy asks for field('{field}'), and {error}"
                yield document.problem(("customers", number), message)


def _raise_if_unreadable(source: Source, paths: Sequence[str], field: str) -> None:
    if is_list_path(field):
        raise PathError("a condition cannot look into a list")
    RowShape(source.object, source.id, paths, (field,))


def _wanted(source: Source, own_note: str | None) -> Iterator[tuple[str, str, list[str]]]:
    yield source.object, source.id, [*source.paths(), *([own_note] if own_note else [])]
    through = getattr(source, "through", None)
    if through is not None:
        yield through.object, through.id, [through.customer.id]
