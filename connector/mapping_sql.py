"""From staged text to typed facts, in SQL. Nothing unreadable becomes a guess: it becomes NULL and
a problem that names record and field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from connector.mapping import CompiledMapping
from connector.mapping_file import Column, Condition, CustomerSource, FactSource, Form, Link, Source
from connector.marker import MARKER_LENGTH
from connector.row_shape import identifier
from policies.evaluation.sql_text import day_in_zone, literal
from policies.language.number_size import COUNT_DIGITS, known_type
from policies.language.vocabulary import SQL_TYPES, TABLES, Type
from policies.language.vocabulary import Column as TableColumn
from policies.languages import LANGUAGES
from policies.messages import message

_EPOCH = {Form.SECONDS: 1_000_000, Form.MILLISECONDS: 1_000}
# Years of four digits, none before 1900: others are not moments, and Python holds no more.
_YEAR = "(19|[2-9][0-9])[0-9]{2}([^0-9].*)?"
_FIRST_SECOND, _LAST_SECOND = -2_208_988_800, 253_402_214_400
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
class Seen:
    """When a load saw its records, in SQL: the workspace's day and the moment in UTC. `anew`: with
    another mapping than the load before."""

    today: str
    moment: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """When a row has a problem with a field, in SQL, and what to say about it. The `column` that
    it fills is then NULL."""

    column: str
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


def parsed(
    raw: str, kind: Type, zone: str, form: Form = Form.OFFSET, clock: str | None = None
) -> str:
    """A text expression as a value of `kind`; NULL where it cannot be read. `clock`: the zone of a
    moment without an offset, where it is not that of the days."""
    if kind is Type.TEXT:
        return f"nullif({raw}, '')"
    if kind is Type.INTEGER:
        # a plain cast would round 1.5 to 2
        whole = f"regexp_full_match({raw}, '-?0*[0-9]{{1,{COUNT_DIGITS}}}([.]0*)?')"
        return f"TRY_CAST(CASE WHEN {whole} THEN split_part({raw}, '.', 1) END AS BIGINT)"
    if kind is Type.BOOLEAN:
        return f"CASE {raw} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind is Type.DATE:
        moment = day_in_zone(_moment(raw, zone, form, clock), zone)
        day = f"CASE WHEN {_is_near(raw)} THEN TRY_CAST({raw} AS DATE) END"
        return f"CASE WHEN length({raw}) = 10 THEN {day} ELSE {moment} END"
    if kind is Type.MOMENT:
        return _moment(raw, zone, form, clock)
    return f"TRY_CAST({raw} AS {known_type(kind) if kind is Type.NUMBER else SQL_TYPES[kind]})"


def _moment(raw: str, zone: str, form: Form, clock: str | None = None) -> str:
    if form in _EPOCH:
        units = 1_000_000 // _EPOCH[form]
        number = f"TRY_CAST({raw} AS BIGINT)"
        near = f"{number} BETWEEN {_FIRST_SECOND * units} AND {_LAST_SECOND * units}"
        return f"CASE WHEN {near} THEN make_timestamp({number} * {_EPOCH[form]}) END"
    day = f"({_naive(raw, zone)})"
    offset = f"TRY_CAST({raw} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    # behind date, hour and minute only an offset has one of these
    tail = f"substr({raw}, 17)"
    has_offset = " OR ".join(f"contains({tail}, '{sign}')" for sign in "+-Z")
    rest = "NULL" if form is Form.OFFSET else _naive(raw, _NAIVE.get(form, clock or zone))
    return (
        f"CASE WHEN NOT {_is_near(raw)} THEN NULL "
        f"WHEN length({raw}) = 10 THEN {day} WHEN {has_offset} THEN {offset} ELSE {rest} END"
    )


def _is_near(raw: str) -> str:
    return f"regexp_full_match({raw}, '{_YEAR}')"


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


def _value(rule: Column, column: TableColumn, zone: str) -> str:
    if rule.path is None:
        return f"CAST({literal(rule.const or '')} AS {SQL_TYPES[column.type]})"
    raw = _raw(rule.path)
    if column.type is Type.TAGS:
        return raw
    if column.values and rule.values is None:
        # what a map writes was checked when it was read
        return f"CASE WHEN {raw} IN ({_listed(column.values)}) THEN {raw} END"
    value = parsed(_mapped(rule, raw), column.type, zone, rule.form, rule.zone)
    return _not_after(value, rule.latest, column, zone) if rule.latest else value


def _not_after(value: str, latest: Column, column: TableColumn, zone: str) -> str:
    """The earlier of the two; an empty bound is none, one that cannot be read leaves nothing."""
    bound = _value(latest, column, zone)
    unread = f"{_filled(latest)} AND {bound} IS NULL"
    # least passes over NULL
    return f"CASE WHEN {value} IS NOT NULL AND NOT ({unread}) THEN least({value}, {bound}) END"


def _filled(rule: Column) -> str:
    return f"coalesce({_raw(rule.path or '')}, '') <> ''"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(map(literal, values))


@cache
def _own_last_line() -> str:
    """A pattern for the line that notes of ours end with, in whichever language."""
    lines = {message(language, "note.marker", marker="\x1f") for language in LANGUAGES}
    marker = f"[A-Z2-7]{{{MARKER_LENGTH}}}"
    words = "|".join(re.escape(line).replace("\x1f", marker) for line in sorted(lines))
    return f"(^|\n)({words})\\s*$"


def _automated(rule: str, note: str) -> str:
    """A note of ours is nobody's activity, whatever the mapping says of its row."""
    own = f"regexp_matches(coalesce({_raw(note)}, ''), {literal(_own_last_line())})"
    return f"(coalesce({rule}, false) OR {own})"


def _custom_fields(mapping: CompiledMapping) -> str:
    """The fields that the policy asks for, as text; one that is empty here is not there."""
    if not mapping.custom_fields:
        return f"CAST(NULL AS {SQL_TYPES[Type.FIELDS]})"
    entries = ", ".join(
        f"{{'k': {literal(path)}, 'v': nullif({_raw(path)}, '')}}" for path in mapping.custom_fields
    )
    return f"map_from_entries([x FOR x IN [{entries}] IF x.v IS NOT NULL])"


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


def customers_select(mapping: CompiledMapping, source: CustomerSource, seen: Seen) -> str:
    """Rows of `customers`."""
    derived = {
        "key": f'{literal(source.object + ":")} || s.":id"',
        "object": literal(source.object),
        "id": 's.":id"',
        "first_seen_on": f"coalesce(v.first_seen_on, {seen.today})",
        "fields": _custom_fields(mapping),
    }
    if "owned_since" not in source.columns:
        derived["owned_since"] = _owned_since(mapping, source, seen)
    columns = _select_list("customers", source, mapping.zone, derived)
    join = f"LEFT JOIN versions v ON v.key = {derived['key']}"
    return f"SELECT {columns} FROM {staged(source.object)} s {join} WHERE {where_sql(source)}"


def _owned_since(mapping: CompiledMapping, source: CustomerSource, seen: Seen) -> str:
    """Since when we have seen this owner. The first version tells it of those alone that the CRM
    created after the day of our first look at this object: nobody saw their time before."""
    table = TABLES["customers"]
    owner, created = (
        _value(rule, table.column(name), mapping.zone) if rule else "NULL"
        for name in ("owner_id", "created_at")
        for rule in [source.columns.get(name)]
    )
    prefix = literal(f"{source.object}:")
    midnight = f"CAST(min(first_seen_on) + 1 AS TIMESTAMP) AT TIME ZONE {literal(mapping.zone)}"
    looked = (
        f"(SELECT {midnight} AT TIME ZONE 'UTC' FROM versions WHERE starts_with(key, {prefix}))"
    )
    # the first pull of all needs no look at each one's creation
    since_created = f"WHEN {looked} IS NULL THEN NULL WHEN {created} >= {looked} THEN {created}"
    # an owner that the mapping did not name before is no change of owner
    unnamed = "WHEN v.owner_id IS NULL THEN NULL " if seen.anew else ""
    return (
        f"CASE WHEN {owner} IS NULL THEN NULL "
        f"WHEN v.key IS NULL THEN CASE {since_created} END "
        f"WHEN v.owner_id = {owner} THEN v.owned_since {unnamed}ELSE {seen.moment} END"
    )


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
    note = mapping.own_note(table, source.object)
    if note:
        rule, column = source.columns.get("automated"), TABLES[table].column("automated")
        mapped = _value(rule, column, mapping.zone) if rule else "false"
        derived["automated"] = _automated(mapped, note)
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
            value = _value(rule, column, zone)
        elif column.type is Type.TAGS:
            value = "CAST([] AS VARCHAR[])"
        else:
            value = f"CAST(NULL AS {SQL_TYPES[column.type]})"
        parts.append(f"{value} AS {identifier(column.name)}")
    return ", ".join(parts)


def doubts(mapping: CompiledMapping, table: str, source: Source) -> Iterator[Doubt]:
    """What can be wrong with a row of this source, column by column."""
    for name, rule in source.columns.items():
        column = TABLES[table].column(name)
        if rule.path is None or not _can_fail(rule, column):
            continue
        for part in filter(None, (rule.model_copy(update={"latest": None}), rule.latest)):
            missing = f"{_filled(part)} AND {_value(part, column, mapping.zone)} IS NULL"
            yield Doubt(name, missing, part.path or "", _complaint(part, column))
        if name == "happened_at":
            message = "is empty, and an event needs its moment"
            yield Doubt(name, f"NOT ({_filled(rule)})", rule.path, message)


def _can_fail(rule: Column, column: TableColumn) -> bool:
    """Can a field be filled and give no value?"""
    if column.type is not Type.TEXT:
        return column.type is not Type.TAGS
    return bool(column.values) if rule.values is None else rule.otherwise is None


def _complaint(rule: Column, column: TableColumn) -> str:
    if rule.values is not None and rule.otherwise is None:
        return _COMPLAINTS[Type.TEXT]
    if column.values:
        return f"is none of {', '.join(column.values)}; the mapping needs a map for it"
    return _COMPLAINTS[column.type]
