"""From staged text to typed facts, in SQL. Nothing unreadable becomes a guess: it becomes NULL and
a problem that names record and field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connector.mapping import (
    Column,
    CompiledMapping,
    Condition,
    CustomerSource,
    FactSource,
    Form,
    Link,
    Source,
)
from connector.row_shape import identifier, literal
from policies.vocabulary import SQL_TYPES, TABLES, Type

_EPOCH = {Form.SECONDS: 1_000_000, Form.MILLISECONDS: 1_000}
_NAIVE = {Form.UTC: "UTC"}
_COMPLAINTS: Mapping[Type, str] = {
    Type.TEXT: "has a value that the map does not name",
    Type.INTEGER: "is not a whole number",
    Type.NUMBER: "is not a number",
    Type.MONEY: "is not an amount",
    Type.BOOLEAN: "is neither true nor false",
    Type.DATE: "is not a date",
    Type.MOMENT: "is not a date, nor a moment with its offset",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """When a row has a problem with a field, in SQL, and what to say about it."""

    condition: str
    field: str
    message: str


def staged(name: str) -> str:
    """The staged table of an object."""
    return f"staged.{identifier(name)}"


def table_ddl(name: str) -> str:
    columns = ", ".join(
        f"{identifier(column.name)} {SQL_TYPES[column.type]}" for column in TABLES[name].columns
    )
    return f"{name} ({columns})"


def local_day(moment: str, zone: str) -> str:
    """The calendar day of a UTC timestamp in a zone."""
    return f"CAST(({moment} AT TIME ZONE 'UTC') AT TIME ZONE {literal(zone)} AS DATE)"


def parsed(raw: str, kind: Type, zone: str, form: Form = Form.OFFSET) -> str:
    """A text expression as a value of `kind`; NULL where it cannot be read."""
    if kind is Type.TEXT:
        return f"nullif({raw}, '')"
    if kind is Type.INTEGER:
        # a plain cast would round 1.5 to 2
        whole = f"regexp_full_match({raw}, '-?[0-9]+([.]0*)?')"
        return f"TRY_CAST(CASE WHEN {whole} THEN split_part({raw}, '.', 1) END AS BIGINT)"
    if kind is Type.BOOLEAN:
        return f"CASE {raw} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind is Type.DATE:
        moment = local_day(_moment(raw, zone, form), zone)
        return f"CASE WHEN length({raw}) = 10 THEN TRY_CAST({raw} AS DATE) ELSE {moment} END"
    if kind is Type.MOMENT:
        return _moment(raw, zone, form)
    return f"TRY_CAST({raw} AS {SQL_TYPES[kind]})"


def _moment(raw: str, zone: str, form: Form) -> str:
    if form in _EPOCH:
        return f"TRY(make_timestamp(TRY_CAST({raw} AS BIGINT) * {_EPOCH[form]}))"
    day = f"({_naive(raw, zone)})"
    offset = f"TRY_CAST({raw} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    # behind date, hour and minute only an offset has one of these
    tail = f"substr({raw}, 17)"
    has_offset = " OR ".join(f"contains({tail}, '{sign}')" for sign in "+-Z")
    rest = "NULL" if form is Form.OFFSET else _naive(raw, _NAIVE.get(form, zone))
    return (
        f"CASE WHEN length({raw}) = 10 THEN {day} WHEN {has_offset} THEN {offset} ELSE {rest} END"
    )


def _naive(raw: str, zone: str) -> str:
    return f"TRY_CAST({raw} AS TIMESTAMP) AT TIME ZONE {literal(zone)} AT TIME ZONE 'UTC'"


def _raw(path: str) -> str:
    return f"s.{identifier(path)}"


def _mapped(column: Column, raw: str) -> str:
    if column.values is None:
        return raw
    whens = " ".join(
        f"WHEN {literal(key)} THEN {literal(value)}" for key, value in column.values.items()
    )
    rest = "NULL" if column.otherwise is None else literal(column.otherwise)
    # no value stays no value: 'else' is for values that the map does not name
    return (
        f"CASE WHEN nullif({raw}, '') IS NULL THEN NULL ELSE CASE {raw} {whens} ELSE {rest} END END"
    )


def _value(column: Column, kind: Type, zone: str) -> str:
    if column.path is None:
        return f"CAST({literal(column.const or '')} AS {SQL_TYPES[kind]})"
    if kind is Type.TAGS:
        return _raw(column.path)
    return parsed(_mapped(column, _raw(column.path)), kind, zone, column.form)


def _condition(path: str, test: Condition) -> str:
    values = test.only if test.only is not None else test.never or ()
    texts = [literal(value) for value in values if value is not None]
    raw = f"nullif({_raw(path)}, '')"
    found = f"coalesce({raw} IN ({', '.join(texts)}), false)" if texts else "false"
    if None in values:
        found = f"({found} OR {raw} IS NULL)"
    return found if test.only is not None else f"NOT {found}"


def where_sql(source: Source) -> str:
    """The conditions of a source over its staged table `s`."""
    conditions = [_condition(path, test) for path, test in source.where.items()]
    if isinstance(source, CustomerSource) and source.alias:
        conditions.append(f"nullif({_raw(source.alias.id)}, '') IS NULL")
    return " AND ".join(conditions) or "true"


def _customer_key(mapping: CompiledMapping, link: Link, table: str) -> str:
    prefix = literal(f"{mapping.customer_object(link)}:")
    return f"{prefix} || nullif({table}.{identifier(link.id)}, '')"


def customers_select(mapping: CompiledMapping, source: Source, today: str) -> str:
    """Rows of `customers`; `today` is a SQL date, for customers never seen before."""
    derived = {
        "key": f'{literal(source.object + ":")} || s.":id"',
        "object": literal(source.object),
        "id": 's.":id"',
        "first_seen_on": f"coalesce(v.first_seen_on, {today})",
    }
    columns = _select_list("customers", source, mapping.zone, derived)
    join = f"LEFT JOIN versions v ON v.key = {derived['key']}"
    return f"SELECT {columns} FROM {staged(source.object)} s {join} WHERE {where_sql(source)}"


def people_select(mapping: CompiledMapping, source: Source) -> str:
    """Rows of `people`."""
    columns = _select_list("people", source, mapping.zone, {"id": 's.":id"'})
    return f"SELECT {columns} FROM {staged(source.object)} s WHERE {where_sql(source)}"


def fact_select(mapping: CompiledMapping, table: str, source: FactSource, *, aliases: bool) -> str:
    """Rows of a facts table; a row without a customer stays, with NULL, to be counted."""
    joins = ""
    if source.through is None:
        key = _customer_key(mapping, source.customer, "s")
    else:
        through = source.through
        key = _customer_key(mapping, through.customer, "t")
        joins = f' LEFT JOIN {staged(through.object)} t ON t.":id" = {_raw(source.customer.id)}'
    if aliases:
        joins += f" LEFT JOIN aliases a ON a.alias = {key}"
        key = f"coalesce(a.key, {key})"
    derived = {"customer": key, "id": 's.":id"', "source": literal(source.object)}
    columns = _select_list(table, source, mapping.zone, derived)
    return f"SELECT {columns} FROM {staged(source.object)} s{joins} WHERE {where_sql(source)}"


def alias_select(mapping: CompiledMapping, source: CustomerSource) -> str:
    """Pairs (alias, key) of records that became another customer."""
    link = source.alias or Link(id=source.id)
    alias = f'{literal(source.object + ":")} || s.":id"'
    key = _customer_key(mapping, link, "s")
    return f"SELECT {alias} AS alias, {key} AS key FROM {staged(source.object)} s WHERE {key} <> ''"


def _select_list(table: str, source: Source, zone: str, derived: Mapping[str, str]) -> str:
    parts = []
    for column in TABLES[table].columns:
        rule = source.columns.get(column.name)
        if column.name in derived:
            value = derived[column.name]
        elif rule is not None:
            value = _value(rule, column.type, zone)
        elif column.type is Type.TAGS:
            value = "CAST([] AS VARCHAR[])"
        else:
            value = f"CAST(NULL AS {SQL_TYPES[column.type]})"
        parts.append(f"{value} AS {identifier(column.name)}")
    return ", ".join(parts)


def doubts(mapping: CompiledMapping, table: str, source: Source) -> Iterator[Doubt]:
    """What can be wrong with a row of this source, column by column."""
    for name, column in source.columns.items():
        kind = TABLES[table].column(name).type
        needed = name == "happened_at"
        plain_text = kind is Type.TEXT and (column.values is None or column.otherwise is not None)
        if column.path is None or kind is Type.TAGS or (plain_text and not needed):
            continue
        raw = _raw(column.path)
        missing = f"{_value(column, kind, mapping.zone)} IS NULL"
        filled = f"coalesce({raw}, '') <> ''"
        complaint = _COMPLAINTS[kind]
        if column.values is not None and column.otherwise is None:
            complaint = _COMPLAINTS[Type.TEXT]
        yield Doubt(f"{filled} AND {missing}", column.path, complaint)
        if needed:
            yield Doubt(f"NOT ({filled})", column.path, "is empty, and an event needs its moment")


__all__ = [
    "Doubt",
    "alias_select",
    "customers_select",
    "doubts",
    "fact_select",
    "local_day",
    "parsed",
    "people_select",
    "staged",
    "table_ddl",
    "where_sql",
]
