"""The facts tables, made from the staged tables: all of an object's rows, or only what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

import duckdb

from connector.groups import regroup
from connector.mapping import FACTS, MAPPED, CompiledMapping
from connector.mapping_file import FactSource, Source
from connector.mapping_sql import (
    Seen,
    alias_select,
    customers_select,
    doubts,
    fact_select,
    people_select,
    staged,
    where_sql,
)
from connector.row_shape import identifier
from connector.warehouse_tables import table_names
from policies.evaluation.sql_text import literal


class Slice(Enum):
    """Which of an object's rows have to be made anew."""

    NONE = "none"
    SOME = "some"
    ALL = "all"


def affected(name: str) -> str:
    """The temporary table with the ids of an object's changed records."""
    return identifier(f"affected {name}")


def leaving(table: str) -> str:
    """The temporary table with the rows that a build took out of a table of events."""
    return identifier(f"leaving {table}")


class FactsBuild:
    """Brings all facts tables in line with the staged tables. `slices` names what changed;
    `seen.anew` when the mapping did, so that rows may stand there which it no longer knows.

    `made`: of each table of events that it touched, a condition for the rows of which it did;
    those that it took out are left in `leaving(table)`, unless the mapping is new. `scopes` are
    the same, or all of the table where all rows of an object are new.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        mapping: CompiledMapping,
        seen: Seen,
        slices: Mapping[str, Slice],
    ) -> None:
        self._connection = connection
        self._mapping = mapping
        self._seen = seen
        self._slices = slices
        self._regrouped = False
        self._there = table_names(connection, "staged")
        self.made: dict[str, str] = {}
        self.scopes: dict[str, str] = {}
        own = [slices.get(name, Slice.NONE) for name in mapping.customer_objects]
        self.customers_changed = any(kind is not Slice.NONE for kind in own)

    @property
    def customer_scope(self) -> str:
        """A condition on `customers c`: those that this build made or put into another group."""
        scope = self._scope("customers", "c.object", "c.id") or "false"
        return f"{scope} OR c.key IN (SELECT key FROM regrouped)" if self._regrouped else scope

    @property
    def customers_whole(self) -> bool:
        return self._whole("customers")

    @property
    def people_changed(self) -> bool:
        return any(name in self._slices for name in self._mapping.objects_of("people"))

    def run(self) -> None:
        if self._seen.anew:
            for table in MAPPED:
                self._connection.execute(f"DELETE FROM {table}")
        self._customers()
        aliases_changed = self._aliases()
        self._groups()
        self._people()
        for table in FACTS:
            self._fact(table, everything=aliases_changed)
        for name, kind in self._slices.items():
            self._doubts(name, kind)

    def _scope(self, table: str, name_column: str, id_column: str) -> str:
        parts = []
        for name in self._mapping.objects_of(table):
            part = self._rows_of(name, self._slices.get(name, Slice.NONE), name_column, id_column)
            if part:
                parts.append(part)
        return " OR ".join(parts)

    @staticmethod
    def _rows_of(name: str, kind: Slice, name_column: str, id_column: str) -> str:
        if kind is Slice.NONE:
            return ""
        own = f"{name_column} = {literal(name)}"
        if kind is Slice.SOME:
            return f"({own} AND {id_column} IN (SELECT id FROM {affected(name)}))"
        return own

    def _customers(self) -> None:
        if not self.customers_changed:
            return
        scope = self._scope("customers", "object", "id")
        self._delete("customers", scope, whole=self._whole("customers"))
        for source in self._mapping.file.customers:
            self._insert("customers", source, customers_select(self._mapping, source, self._seen))

    def _aliases(self) -> bool:
        """Resolve which records became which customers, chains included; True if that changed."""
        sources = [source for source in self._mapping.file.customers if source.alias]
        if not sources or not self.customers_changed:
            return False
        selects = [
            alias_select(self._mapping, source)
            for source in sources
            if source.object in self._there
        ]
        if not selects:
            return False
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE resolved AS WITH RECURSIVE "
            f"direct AS ({' UNION ALL '.join(selects)}), "
            "chain AS (SELECT alias, key, 1 AS depth FROM direct UNION ALL "
            "SELECT chain.alias, direct.key, depth + 1 FROM chain "
            "JOIN direct ON direct.alias = chain.key WHERE depth < 10) "
            "SELECT alias, arg_max(key, depth) AS key FROM chain GROUP BY alias"
        )
        changed = self._connection.execute(
            "SELECT EXISTS (FROM (FROM resolved EXCEPT FROM aliases)) "
            "OR EXISTS (FROM (FROM aliases EXCEPT FROM resolved))"
        ).fetchone()
        self._connection.execute("DELETE FROM aliases")
        self._connection.execute("INSERT INTO aliases FROM resolved")
        self._connection.execute("DROP TABLE resolved")
        return changed == (True,)

    def _groups(self) -> None:
        sources = [source for source in self._mapping.file.customers if source.group_key]
        found = [source for source in sources if source.object in self._there]
        if found and self.customers_changed:
            regroup(self._connection, found)
            self._regrouped = True

    def _people(self) -> None:
        if not self.people_changed:
            return
        self._connection.execute("DELETE FROM people")
        for source in self._mapping.file.people:
            if source.object in self._there:
                self._connection.execute(
                    f"INSERT INTO people BY NAME {people_select(self._mapping, source)}"
                )

    def _fact(self, table: str, *, everything: bool) -> None:
        kinds = {
            name: Slice.ALL if everything else self._fact_slice(table, name)
            for name in self._mapping.objects_of(table)
        }
        parts = [self._rows_of(name, kind, "source", "id") for name, kind in kinds.items()]
        condition = " OR ".join(filter(None, parts))
        whole = bool(kinds) and all(kind is Slice.ALL for kind in kinds.values())
        if not condition:
            return
        self.made[table] = condition
        self.scopes[table] = "true" if Slice.ALL in kinds.values() else condition
        if not self._seen.anew:
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {leaving(table)} AS FROM {table} WHERE {condition}"
            )
        self._delete(table, condition, whole=whole)
        aliases = self._connection.execute("SELECT EXISTS (FROM aliases)").fetchone() == (True,)
        sources: tuple[FactSource, ...] = getattr(self._mapping.file, table)
        for source in sources:
            select = fact_select(self._mapping, table, source, aliases=aliases)
            self._insert(table, source, select, kinds[source.object])

    def _fact_slice(self, table: str, name: str) -> Slice:
        """A record in between has changed: its facts may belong to somebody else now."""
        if any(other in self._slices for other in self._mapping.between(table, name)):
            return Slice.ALL
        return self._slices.get(name, Slice.NONE)

    def _whole(self, table: str) -> bool:
        names = self._mapping.objects_of(table)
        return all(self._slices.get(name) is Slice.ALL for name in names)

    def _delete(self, table: str, condition: str, *, whole: bool) -> None:
        where = "" if whole else f" WHERE {condition}"
        self._connection.execute(f"DELETE FROM {table}{where}")

    def _insert(self, table: str, source: Source, select: str, kind: Slice | None = None) -> None:
        kind = kind or self._slices.get(source.object, Slice.NONE)
        if kind is Slice.NONE or not self._needed_exist(source):
            return
        if kind is Slice.SOME:
            select += f' AND s.":id" IN (SELECT id FROM {affected(source.object)})'
        self._connection.execute(f"INSERT INTO {table} BY NAME {select}")

    def _needed_exist(self, source: Source) -> bool:
        through = getattr(source, "through", None)
        return source.object in self._there and (through is None or through.object in self._there)

    def _doubts(self, name: str, kind: Slice) -> None:
        """Collect what could not be read. Rows that the CRM sent anew are looked at anew."""
        own = literal(name)
        for statement in self._doubt_selects(name, kind):
            self._connection.execute(f"INSERT INTO problems SELECT DISTINCT {own}, {statement}")

    def _gaps(self, table: str, name: str, columns: list[str]) -> set[str]:
        """Those of the columns that are empty in some row: to read none of the others once more is
        cheaper. A note of ours has a value in `automated`, whatever the CRM says there."""
        own = {"customers": "object", "people": literal(name)}.get(table, "source")
        wanted = list(dict.fromkeys(columns))
        counts = ", ".join(f"count(*) > count({identifier(column)})" for column in wanted)
        if not wanted:
            return set()
        row = self._connection.execute(
            f"SELECT {counts} FROM {table} WHERE {own} = {literal(name)}"
        ).fetchall()[0]
        gaps = {column for column, gap in zip(wanted, row, strict=True) if gap}
        return gaps | ({"automated"} if self._mapping.own_note(table, name) else set())

    def _doubt_selects(self, name: str, kind: Slice) -> Iterator[str]:
        scope = "true"
        if kind is Slice.SOME:
            scope = f's.":id" IN (SELECT id FROM {affected(name)})'
        for table in MAPPED:
            for source in self._mapping.sources_of(table, name):
                found = list(doubts(self._mapping, table, source))
                if kind is Slice.ALL and self._needed_exist(source):
                    gaps = self._gaps(table, name, [doubt.column for doubt in found])
                    found = [doubt for doubt in found if doubt.column in gaps]
                if not found:
                    continue
                cases = ", ".join(
                    f"CASE WHEN {doubt.condition} THEN "
                    f"{{'f': {literal(doubt.field)}, 'm': {literal(doubt.message)}}} END"
                    for doubt in found
                )
                any_doubt = " OR ".join(f"({doubt.condition})" for doubt in found)
                yield (
                    f'id, d.f, d.m FROM (SELECT s.":id" AS id, unnest([{cases}]) AS d '
                    f"FROM {staged(name)} s WHERE {where_sql(source)} AND {scope} "
                    f"AND ({any_doubt})) WHERE d IS NOT NULL"
                )
