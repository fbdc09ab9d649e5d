"""The load step: from spooled pages to facts tables, in one transaction or not at all.

A watermark moves here, together with the data behind it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb
import msgspec

from connector import history
from connector.derived import Derived
from connector.facts import FactsBuild, Slice
from connector.incoming import read_incoming
from connector.mapping import FACTS, MAPPED, CompiledMapping
from connector.mapping_sql import Seen, staged
from connector.needs import NO_NEEDS, Needs
from connector.row_shape import Reject
from connector.shrink import Guard
from connector.spool import Walk
from connector.superseded import keep_superseded
from connector.warehouse import Warehouse
from connector.warehouse_tables import Pulled, get_meta, get_pulls, set_meta, table_names
from connector.written import forget_overtaken, lay_over
from policies.evaluation.sql_text import date_literal, moment_literal
from policies.moment import utc_without_zone


@dataclass(frozen=True)
class Loading:
    """What is to be staged: finished walks, and the objects that could not be read. `anew`: the
    file is of another version and is thrown away first. `needs`: what the policy wants besides."""

    walks: Sequence[Walk]
    unreadable: Sequence[str]
    now: datetime
    accept_shrink: bool = False
    anew: bool = False
    needs: Needs = NO_NEEDS


PROBLEMS_NAMED = 5  # of each object


@dataclass
class Staged:
    """What became of it, object by object. `swept`: records that a sweep did not find."""

    swept: dict[str, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Reject]] = field(default_factory=dict)


def stage(warehouse: Warehouse, mapping: CompiledMapping, loading: Loading) -> Staged:
    """Stage all walks in one transaction.

    Raises RefusedError, and changes nothing, when the pull looks empty, shrunken or blank-keyed.
    """
    Guard.refuse_blank_keys(mapping, loading.walks)
    if loading.anew:
        warehouse.discard()
    with warehouse.writing() as connection:
        connection.begin()
        try:
            staged = _Load(connection, warehouse, mapping, loading).run()
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return staged


class _Load:
    """One load; `slices` says which rows of which tables have to be made anew."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        warehouse: Warehouse,
        mapping: CompiledMapping,
        loading: Loading,
    ) -> None:
        self._connection = connection
        self._warehouse = warehouse
        self._mapping = mapping
        self._loading = loading

    def run(self) -> Staged:
        mapping, connection, loading = self._mapping, self._connection, self._loading
        remapped = get_meta(connection, "mapping") != mapping.hash
        fields = "\n".join(mapping.custom_fields)
        refilled = remapped or get_meta(connection, "fields") != fields
        changed = {
            walk.manifest.object: read_incoming(connection, mapping, walk) for walk in loading.walks
        }
        slices = {
            name: incoming.rows
            for name, incoming in changed.items()
            if incoming.rows is not Slice.NONE
        }
        swept = {name: incoming.swept for name, incoming in changed.items() if incoming.swept}
        if refilled:
            # without its staged table an object's rows cannot stay as another mapping made them
            remapped = self._forget_unmapped() or remapped
            names = mapping.shapes if remapped else mapping.customer_objects
            there = table_names(connection, "staged")
            slices |= {name: Slice.ALL for name in names if name in there}
        derived = Derived(connection, mapping, loading.needs)
        set_meta(connection, "mapping", mapping.hash)
        set_meta(connection, "fields", fields)
        set_meta(connection, "status_field", mapping.status_field or "")
        if slices or derived.missing:
            self._rebuild(Guard(connection, mapping, slices, swept), derived, anew=remapped)
        derived.record()
        self._record(recount=remapped or any(map(self._has_facts, slices)))
        return Staged(swept, self._problems(), self._orphans(), self._examples())

    def _rebuild(self, guard: Guard, derived: Derived, *, anew: bool) -> None:
        connection, warehouse, loading = self._connection, self._warehouse, self._loading
        history.sync_versions(connection, warehouse.history_path, warehouse.zone)
        today = self._today()
        now = moment_literal(utc_without_zone(loading.now))
        seen = Seen(date_literal(today), now, anew)
        build = FactsBuild(connection, self._mapping, seen, guard.slices)
        build.run()
        if not loading.accept_shrink:
            guard.refuse_loss()
        forget_overtaken(connection)
        lay_over(connection)
        scope = derived.fill(build)
        place = warehouse.history_path
        history.append_versions(connection, place, warehouse.zone, loading.now, scope)
        history.append_gone(connection, place, loading.now)
        if build.people_changed:
            history.append_people(connection, place, loading.now)
        if not anew:
            known = get_pulls(connection)
            flags = derived.known_flags
            keep_superseded(connection, place, build.made, known, flags, loading.now)

    def _today(self) -> date:
        row = self._connection.execute(
            "SELECT CAST(CAST(? AS TIMESTAMPTZ) AT TIME ZONE ? AS DATE)",
            [self._loading.now, self._warehouse.zone],
        ).fetchone()
        assert row is not None  # noqa: S101 - a query without FROM has one row
        day: date = row[0]
        return day

    def _forget_unmapped(self) -> bool:
        """Objects that the mapping no longer names, or of which it now wants more; True if any."""
        forgotten = False
        fresh = {walk.manifest.object for walk in self._loading.walks}
        for name, pulled in get_pulls(self._connection).items():
            if name in fresh or has_paths(self._mapping, name, pulled.paths):
                continue
            forgotten = True
            self._connection.execute(f"DROP TABLE IF EXISTS {staged(name)}")
            for table in ("pulls", "problems", "tombstones"):
                self._connection.execute(f"DELETE FROM {table} WHERE object = ?", [name])
        return forgotten

    def _has_facts(self, name: str) -> bool:
        return any(table != "people" for table in self._mapping.tables_of(name))

    def _record(self, *, recount: bool) -> None:
        """Watermarks, completeness and orphans: what the next run starts from."""
        connection = self._connection
        for walk in self._loading.walks:
            self._record_walk(walk)
        for name in self._loading.unreadable:
            connection.execute("UPDATE pulls SET readable = false WHERE object = ?", [name])
        if recount:
            self._count_orphans()
        connection.execute("DELETE FROM sources")
        pulls = get_pulls(connection)
        cut = self._with_rejects()
        for table in MAPPED:
            row = self._source(table, pulls, cut)
            connection.execute("INSERT INTO sources VALUES (?, ?, ?, ?, ?)", row)

    def _record_walk(self, walk: Walk) -> None:
        manifest, connection = walk.manifest, self._connection
        row = connection.execute(
            "SELECT watermark, full_at, orphans FROM pulls WHERE object = ?", [manifest.object]
        ).fetchone()
        before, full_at, orphans = row or (None, None, 0)
        started = utc_without_zone(manifest.started_at)
        full = manifest.since is None
        watermark = utc_without_zone(manifest.watermark) if manifest.watermark else None
        connection.execute("DELETE FROM pulls WHERE object = ?", [manifest.object])
        connection.execute(
            "INSERT INTO pulls VALUES (?, ?, ?, ?, ?, ?, ?, true, ?)",
            [
                manifest.object,
                watermark if full else max(filter(None, (before, watermark)), default=None),
                started if full else full_at,
                started,
                manifest.walk,
                paths_key(self._mapping, manifest.object),
                orphans,
                manifest.recipe,
            ],
        )

    def _count_orphans(self) -> None:
        counts: dict[str, int] = {}
        for table in FACTS:
            rows = self._connection.execute(
                f"SELECT source, count(*) FROM {table} f "
                "WHERE NOT EXISTS (FROM customers c WHERE c.key = f.customer) GROUP BY source"
            ).fetchall()
            for name, count in rows:
                counts[name] = counts.get(name, 0) + count
        self._connection.execute("UPDATE pulls SET orphans = 0")
        for name, count in counts.items():
            self._connection.execute("UPDATE pulls SET orphans = ? WHERE object = ?", [count, name])

    def _with_rejects(self) -> set[str]:
        """Objects of which a record is missing here, because it could not be staged."""
        rows = self._connection.execute(
            "SELECT DISTINCT object FROM problems WHERE field = '$' OR starts_with(field, '$.')"
        ).fetchall()
        return {name for (name,) in rows}

    def _source(self, table: str, pulls: Mapping[str, Pulled], cut: set[str]) -> list[object]:
        """A table is complete when each object it needs was pulled in full, can still be read,
        and had no event left out: nobody could say then that a customer never had one."""
        own = self._mapping.objects_of(table)
        needed = {*own, *(name for one in own for name in self._mapping.between(table, one))}
        found = [pulls[name] for name in needed if name in pulls]
        complete = bool(needed) and len(found) == len(needed)
        complete = complete and all(pull.readable and pull.full_at for pull in found)
        complete = complete and not (table in FACTS and cut & needed)
        since = [s.since for s in self._mapping.file.sources(table) if s.since is not None]
        pulled_at = min((utc_without_zone(pull.pulled_at) for pull in found), default=None)
        return [table, complete, max(since, default=None), pulled_at, self._mapping.untold(table)]

    def _problems(self) -> dict[str, int]:
        rows = self._connection.execute(
            "SELECT object, count(*) FROM problems GROUP BY object"
        ).fetchall()
        return dict(rows)

    def _examples(self) -> dict[str, list[Reject]]:
        """The first problems of each object: which record, which field, and why."""
        rows = self._connection.execute(
            "SELECT object, record_id, field, message FROM problems QUALIFY "
            "row_number() OVER (PARTITION BY object ORDER BY record_id, field, message) "
            f"<= {PROBLEMS_NAMED} ORDER BY ALL"
        ).fetchall()
        found: dict[str, list[Reject]] = {}
        for name, *place in rows:
            found.setdefault(name, []).append(Reject(*place))
        return found

    def _orphans(self) -> dict[str, int]:
        return dict(self._connection.execute("SELECT object, orphans FROM pulls").fetchall())


def paths_key(mapping: CompiledMapping, name: str) -> str:
    """What a staged table holds."""
    shape = mapping.shapes[name]
    return msgspec.json.encode([shape.id_path, *sorted(shape.paths)]).decode()


def has_paths(mapping: CompiledMapping, name: str, known: str) -> bool:
    """Does a staged table (its `paths_key`) hold all that is wanted of an object now? If not, the
    object is needed in full again."""
    if name not in mapping.shapes:
        return False
    id_path, *paths = msgspec.json.decode(known, type=list[str])
    shape = mapping.shapes[name]
    return id_path == shape.id_path and set(shape.paths) <= set(paths)
