"""From the spool's pages to an object's staged table: the latest of each record."""

from __future__ import annotations

from typing import NamedTuple

import duckdb

from connector.errors import ProtocolError
from connector.facts import Slice, affected
from connector.mapping import CompiledMapping
from connector.mapping_sql import staged
from connector.row_shape import RowShape, identifier
from connector.spool import Manifest, Walk
from policies.evaluation.sql_text import literal, moment_literal
from policies.moment import utc_without_zone

# The credentials may not read such a field: nothing is known of it, and it is not empty.
MISSING = "is missing from every record"
_OTHER_LINES = {
    "n": "BIGINT",
    "d": "VARCHAR",
    "x": "STRUCT(id VARCHAR, field VARCHAR, message VARCHAR)",
}
_SWEEP_LINES = {"n": "BIGINT", "p": "VARCHAR[]"}


class UnreadableRowsError(ProtocolError):
    """What came can be read row by row, and not as records."""


class Incoming(NamedTuple):
    """What one walk brought: which of its object's rows are new (none, some, or all), and how many
    were missing from its sweep over all ids."""

    rows: Slice
    swept: int = 0


def read_incoming(
    connection: duckdb.DuckDBPyConnection, mapping: CompiledMapping, walk: Walk
) -> Incoming:
    """Stage one walk. The ids of some new rows are left in the temporary table `affected(name)`."""
    manifest, shape = walk.manifest, mapping.shapes[walk.manifest.object]
    name, full = manifest.object, manifest.since is None
    quiet = not (manifest.rows or manifest.deleted)
    if not full and quiet and not manifest.present:
        return Incoming(Slice.NONE)
    fresh = staged(f"{name}:new") if full else identifier("incoming")
    kind = "TABLE" if full else "TEMP TABLE"
    try:
        connection.execute(f"CREATE OR REPLACE {kind} {fresh} AS {_rows_sql(shape, walk)}")
    except duckdb.InvalidInputException:
        # its text quotes the row, and goes nowhere
        raise UnreadableRowsError(
            f"the CRM sent a record of {name} in which one field comes twice",
            "have it corrected in the CRM; nothing of this pull was staged",
        ) from None
    gone = _gone(connection, walk)
    if not gone:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE gone (id VARCHAR, n BIGINT, deleted BOOLEAN)"
        )
    swept = 0 if full else _sweep(connection, name, fresh, walk)
    if not full and quiet and not swept:
        return Incoming(Slice.NONE)
    _keep_latest(connection, fresh)
    if full:
        _replace(connection, name, fresh, manifest)
    else:
        _merge(connection, name, fresh)
    _tell(connection, name, manifest, mapping.may_lack(name))
    connection.execute("DROP TABLE gone")
    connection.execute("DROP TABLE IF EXISTS rejected")
    return Incoming(Slice.ALL if full else Slice.SOME, swept)


def _files(walk: Walk) -> str:
    return f"[{', '.join(literal(str(path)) for path in walk.files())}]"


def _read_json(walk: Walk, columns: dict[str, str]) -> str:
    described = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    return (
        f"read_json({_files(walk)}, format = 'newline_delimited', compression = 'zstd', "
        f"columns = {{{described}}})"
    )


def _rows_sql(shape: RowShape, walk: Walk) -> str:
    pulled_at = moment_literal(utc_without_zone(walk.manifest.started_at))
    if walk.manifest.parts:
        source = _read_json(walk, {"n": "BIGINT", "r": shape.column_type})
    else:
        source = f"(SELECT CAST(NULL AS BIGINT) AS n, CAST(NULL AS {shape.column_type}) AS r)"
    columns = f'n AS ":n", {pulled_at} AS ":pulled_at", {shape.select_list()}'
    return f"SELECT {columns} FROM {source} WHERE n IS NOT NULL AND r IS NOT NULL"


def _gone(connection: duckdb.DuckDBPyConnection, walk: Walk) -> bool:
    """Collect what was deleted or rejected; False when the walk met neither."""
    manifest = walk.manifest
    if not manifest.deleted and not manifest.rejected:
        return False
    source = _read_json(walk, _OTHER_LINES)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT id, max(n) AS n, "
        "arg_max(deleted, n) AS deleted "
        f"FROM (SELECT coalesce(d, x.id) AS id, n, d IS NOT NULL AS deleted FROM {source} "
        "WHERE d IS NOT NULL OR x IS NOT NULL) GROUP BY id"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE rejected AS "
        f"SELECT DISTINCT x.id AS id, x.field AS field, x.message AS message, n FROM {source} "
        "WHERE x IS NOT NULL"
    )
    return True


def _sweep(connection: duckdb.DuckDBPyConnection, name: str, fresh: str, walk: Walk) -> int:
    """Note as deleted, at the sweep's first line, whoever is known and not among its ids; a record
    that came behind that line was made meanwhile. Returns how many of the staged ones are gone."""
    if not walk.manifest.present:
        return 0
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE present AS SELECT n, unnest(p) AS id "
        f"FROM {_read_json(walk, _SWEEP_LINES)} WHERE p IS NOT NULL"
    )
    first = connection.execute("SELECT min(n) FROM present").fetchall()[0][0]
    known = (
        f'SELECT ":id" AS id, 0 AS n, true AS staged FROM {staged(name)} '
        f'UNION ALL SELECT ":id", ":n", false FROM {fresh} '
        "UNION ALL SELECT id, n, false FROM gone"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE missing AS "
        f"SELECT id, bool_or(staged) AS staged FROM ({known}) k "
        "WHERE id <> '' AND NOT EXISTS (FROM present p WHERE p.id = k.id) "
        "AND NOT EXISTS (FROM gone g WHERE g.id = k.id AND g.deleted) "
        "GROUP BY id HAVING max(n) < $1",
        [first],
    )
    connection.execute("DELETE FROM gone USING missing m WHERE gone.id = m.id")
    connection.execute("INSERT INTO gone SELECT id, $1, true FROM missing", [first])
    count = connection.execute("SELECT count(*) FROM missing WHERE staged").fetchall()[0][0]
    connection.execute("DROP TABLE present")
    connection.execute("DROP TABLE missing")
    return int(count)


def _keep_latest(connection: duckdb.DuckDBPyConnection, fresh: str) -> None:
    """Of several versions of a record the one read last stands, and so does what happened last:
    a deletion after a version takes it away, a version after a deletion is a record restored."""
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE twice AS SELECT ":id" AS id, max(":n") AS n FROM {fresh} '
        'GROUP BY ":id" HAVING count(*) > 1'
    )
    connection.execute(
        f'DELETE FROM {fresh} f USING twice WHERE f.":id" = twice.id AND f.":n" < twice.n'
    )
    connection.execute("DROP TABLE twice")
    connection.execute(
        f'DELETE FROM gone USING {fresh} f WHERE gone.id = f.":id" AND gone.n < f.":n"'
    )
    connection.execute(
        f'DELETE FROM {fresh} f USING gone WHERE f.":id" = gone.id AND f.":n" < gone.n'
    )


def _replace(
    connection: duckdb.DuckDBPyConnection, name: str, fresh: str, manifest: Manifest
) -> None:
    table = staged(name)
    connection.execute(f"DELETE FROM problems WHERE object = {literal(name)}")
    connection.execute(f'CREATE TABLE IF NOT EXISTS {table} (":id" VARCHAR)')
    connection.execute(
        f'INSERT INTO tombstones SELECT {literal(name)}, o.":id", ? FROM {table} o '
        f'WHERE NOT EXISTS (FROM {fresh} f WHERE f.":id" = o.":id")',
        [utc_without_zone(manifest.started_at)],
    )
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE {fresh} RENAME TO {identifier(name)}")


def _merge(connection: duckdb.DuckDBPyConnection, name: str, fresh: str) -> None:
    table, ids = staged(name), affected(name)
    connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {ids} AS SELECT ":id" AS id FROM {fresh} '
        "UNION SELECT id FROM gone"
    )
    connection.execute(f'DELETE FROM {table} t USING {ids} i WHERE t.":id" = i.id')
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {fresh}")
    connection.execute(f"DROP TABLE {fresh}")
    connection.execute(
        f"DELETE FROM problems USING {ids} i WHERE object = {literal(name)} AND record_id = i.id"
    )


def _tell(
    connection: duckdb.DuckDBPyConnection, name: str, manifest: Manifest, may_lack: frozenset[str]
) -> None:
    """Tombstones for what is gone, none for what is back; problems for what was rejected."""
    own = literal(name)
    connection.execute(
        f"DELETE FROM tombstones t WHERE object = {own} AND "
        f'(EXISTS (FROM {staged(name)} s WHERE s.":id" = t.id) '
        "OR EXISTS (FROM gone WHERE gone.id = t.id AND deleted))"
    )
    connection.execute(
        f"INSERT INTO tombstones SELECT {own}, id, ? FROM gone WHERE deleted",
        [utc_without_zone(manifest.started_at)],
    )
    if manifest.rejected:
        connection.execute(
            f"INSERT INTO problems SELECT {own}, r.id, r.field, r.message FROM rejected r "
            "WHERE r.id = '' OR EXISTS (FROM gone g WHERE g.id = r.id AND g.n = r.n)"
        )
    if manifest.rows and manifest.since is None:
        connection.execute(
            f"INSERT INTO problems SELECT {own}, '', unnest($1::VARCHAR[]), {literal(MISSING)}",
            [[field for field in manifest.unseen if field not in may_lack]],
        )
