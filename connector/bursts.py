"""Activities that were not made one by one: mass edits, and bursts before a deadline.

Flags only: what they mean is the policy's business.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from policies.evaluation.sql_text import day_in_zone

# Nobody records a score of customers in one second by hand: that is an import or a bulk edit.
MASS_CUSTOMERS = 20
# Ten customers in ten minutes is a minute each, typing included: rather caught up on than done.
BURST_CUSTOMERS = 10
BURST_SECONDS = 600

# Owners and times fall into so many lots by their hash: a table of counts that fits in memory.
_LOTS = 1 << 22
_SECOND = "date_trunc('second', recorded_at)"
# Rows at most BURST_SECONDS apart stand in one slot or in two that touch.
_SLOT = f"(epoch_us(recorded_at) // {BURST_SECONDS * 1_000_000})"
_KNOWN = "owner_id IS NOT NULL AND recorded_at IS NOT NULL"


def mark(
    connection: duckdb.DuckDBPyConnection,
    zone: str,
    *,
    bursts: bool,
    changed: tuple[str, str] | None = None,
) -> None:
    """Set the flags of all activities, or of those that `changed` and all that stand around them:
    a condition for those that came, and a table of those that went.

    A mass edit is no burst, so that its flag is always set. A burst ends with the day in `zone`:
    what is decided as of a midnight hangs on nothing that was recorded later.
    """
    if changed is not None:
        _around(connection, *changed)
    _mark_mass(
        connection, f" AND (owner_id, {_SECOND}) IN (FROM touched_seconds)" if changed else ""
    )
    if bursts:
        _mark_bursts(connection, zone, near=changed is not None)
    if changed is not None:
        connection.execute("DROP TABLE touched_seconds")
        connection.execute("DROP TABLE touched_slots")


def _around(connection: duckdb.DuckDBPyConnection, came: str, went: str) -> None:
    """The owners with the seconds and the slots in which something came or went."""
    both = (
        f"SELECT owner_id, recorded_at FROM activities WHERE ({came}) AND {_KNOWN} "
        f"UNION ALL SELECT owner_id, recorded_at FROM {went} WHERE {_KNOWN}"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE touched_seconds AS SELECT DISTINCT owner_id, "
        f"{_SECOND} AS at FROM ({both})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE touched_slots AS SELECT DISTINCT owner_id, "
        f"{_SLOT} AS slot FROM ({both})"
    )


def _crowded(groups: Collection[str], least: int, rows: str) -> str:
    """A condition for rows of which so many may stand in one of their groups. It lets some pass
    that stand alone and costs far less than to count each of millions of groups."""
    found = []
    for group in groups:
        lot = f"hash(owner_id, {group}) % {_LOTS}"
        full = f"SELECT {lot} FROM activities WHERE {rows} GROUP BY ALL HAVING count(*) >= {least}"
        found.append(f"{lot} IN ({full})")
    return f"({' OR '.join(found)})"


def _mark_mass(connection: duckdb.DuckDBPyConnection, area: str) -> None:
    rows = f"{_KNOWN}{area}"
    maybe = _crowded([_SECOND], MASS_CUSTOMERS, rows)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE crowded AS "
        f"SELECT owner_id, {_SECOND} AS at FROM activities WHERE {rows} AND {maybe} "
        f"GROUP BY ALL HAVING count(DISTINCT customer) >= {MASS_CUSTOMERS}"
    )
    crowded = f"coalesce((owner_id, {_SECOND}) IN (FROM crowded), false)"
    connection.execute(f"UPDATE activities SET mass = NULL WHERE mass{area} AND NOT {crowded}")
    connection.execute(f"UPDATE activities SET mass = true WHERE mass IS NULL{area} AND {crowded}")
    connection.execute("DROP TABLE crowded")


def _mark_bursts(connection: duckdb.DuckDBPyConnection, zone: str, *, near: bool) -> None:
    """Rows by hand in any stretch of BURST_SECONDS with enough customers of their owner."""
    rows = f"{_KNOWN} AND automated IS NOT true AND mass IS NOT true"
    rows += f" AND {_near(2)}" if near else ""
    # a stretch lies whole within two slots of the one or of the other pairing
    maybe = _crowded([f"{_SLOT} // 2", f"({_SLOT} + 1) // 2"], BURST_CUSTOMERS, rows)
    day = day_in_zone("recorded_at", zone)
    window = f"PARTITION BY owner_id, {day} ORDER BY recorded_at RANGE BETWEEN"
    stretch = f"INTERVAL {BURST_SECONDS} SECONDS"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE bursting AS SELECT place FROM (SELECT place, "
        f"max(ends) OVER ({window} CURRENT ROW AND {stretch} FOLLOWING) AS inside FROM ("
        "SELECT rowid AS place, owner_id, recorded_at, count(DISTINCT customer) OVER "
        f"({window} {stretch} PRECEDING AND CURRENT ROW) >= {BURST_CUSTOMERS} AS ends "
        f"FROM activities WHERE {rows} AND {maybe})) WHERE inside"
    )
    area = f" AND {_near(1)}" if near else ""
    found = "rowid IN (FROM bursting)"
    connection.execute(f"UPDATE activities SET burst = NULL WHERE burst{area} AND NOT {found}")
    connection.execute(f"UPDATE activities SET burst = true WHERE burst IS NULL{area} AND {found}")
    connection.execute("DROP TABLE bursting")


def _near(slots: int) -> str:
    """Rows of an owner at most so many slots from where something came or went."""
    near = f"SELECT owner_id, slot + unnest(range({-slots}, {slots + 1})) FROM touched_slots"
    return f"(owner_id, {_SLOT}) IN ({near})"
