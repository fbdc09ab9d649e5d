"""How each rule of a plan came out over all customers, and which caps that exceeds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

import duckdb
import msgspec

from connector.guard import (
    TOGETHER,
    OwnerCount,
    pause,
    tripped_cap,
    tripped_owner_cap,
    tripped_owner_total,
    tripped_total,
)
from connector.plan_caps import tripped_by_weight
from connector.plan_model import RuleCount
from policies.evaluation.sql_text import literal
from policies.model import RETIRED, Policy, Rule


def count_customers(connection: duckdb.DuckDBPyConnection) -> int:
    """All customers that there were as of the plan's moment."""
    row = connection.execute("SELECT count(*) FROM inputs").fetchone()
    return int(row[0]) if row else 0


def count_rules(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    day: date,
    not_logged: Collection[str] = (),
) -> tuple[RuleCount, ...]:
    """Each rule by itself, then what trips only if all that are left are taken together.
    `not_logged`: the channels by which contact is not logged."""
    moving: dict[int, int] = {}
    counts = [
        msgspec.structs.replace(each, paused=pause(policy.calendar, each.kind, day, not_logged))
        for each in _rule_by_rule(connection, policy, moving)
    ]
    for numbers, phrase in _tripped_together(connection, policy, counts, moving):
        for number in numbers:
            counts[number] = msgspec.structs.replace(counts[number], tripped=phrase)
    return tuple(counts)


def _rule_by_rule(
    connection: duckdb.DuckDBPyConnection, policy: Policy, moving: dict[int, int]
) -> Iterator[RuleCount]:
    """Fills `moving`: how many customers enter, leave or change their stage, by rule."""
    customers = count_customers(connection)
    owners = _moving_by_owner(connection, policy) if policy.limits.owner else {}
    current = [number for number, rule in enumerate(policy.rules) if rule.kind != RETIRED]
    sums = (f"coalesce(sum(CASE WHEN s_{number} > 0 THEN 1 ELSE 0 END), 0)" for number in current)
    totals = connection.execute(f"SELECT {', '.join(sums)} FROM findings").fetchone() or ()
    matched = dict(zip(current, totals, strict=True))
    found = connection.execute(
        "SELECT rule, status, count(*), sum(CASE WHEN entering AND stage > 0 THEN 1 ELSE 0 END), "
        "sum(CASE WHEN moving THEN 1 ELSE 0 END) FROM actions GROUP BY rule, status"
    ).fetchall()
    counts = {(number, status): total for number, status, total, _, _ in found}
    changing = {number: rest for number, status, _, *rest in found if status == "change"}
    for number, rule in enumerate(policy.rules):
        entering, moving[number] = map(int, changing.get(number, (0, 0)))
        weighed = [number] if moving[number] and _is_in_total(policy, rule) else []
        yield RuleCount(
            rule=rule.id,
            kind=rule.kind,
            matched=int(matched.get(number, 0)),
            changes=counts.get((number, "change"), 0),
            entering=entering,
            protected=counts.get((number, "protected"), 0),
            undecided=counts.get((number, "undecided"), 0),
            overruled=counts.get((number, "overruled"), 0),
            foreign=counts.get((number, "foreign"), 0),
            waiting=counts.get((number, "waiting"), 0),
            tripped=tripped_cap(policy.limits, rule.id, rule.kind, moving[number], customers)
            or tripped_by_weight(connection, policy, weighed, customers)
            or tripped_owner_cap(policy.limits, rule.kind, owners.get(number, ())),
        )


def _tripped_together(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    counts: Sequence[RuleCount],
    moving: Mapping[int, int],
) -> Iterator[tuple[list[int], str]]:
    """The rules that exceed a cap only together, and that cap. Those that are held back already
    take nobody; a tier relabels; and a rule with a limit of its own is counted for owners alone."""
    limits = policy.limits
    left = [
        number
        for number, count in enumerate(counts)
        if moving[number] and count.kind != "tier" and not (count.tripped or count.paused)
    ]
    capped = [number for number in left if _is_in_total(policy, policy.rules[number])]
    if len(capped) > 1:
        moved, customers = _count_moving(connection, capped), count_customers(connection)
        phrase = tripped_total(limits, moved, customers)
        if not phrase and (weighed := tripped_by_weight(connection, policy, capped, customers)):
            phrase = TOGETHER + weighed
        if phrase:
            yield capped, phrase
            left = [number for number in left if number not in capped]
    if left and limits.owner:
        owners = _moving_by_owner(connection, policy, together=left).get(0, ())
        if phrase := tripped_owner_total(limits, owners):
            yield left, phrase


def _is_in_total(policy: Policy, rule: Rule) -> bool:
    """Do its customers count in the caps of the whole policy?"""
    return rule.kind != "tier" and rule.id not in policy.limits.rules


def _count_moving(connection: duckdb.DuckDBPyConnection, rules: Collection[int]) -> int:
    row = connection.execute(
        "SELECT count(DISTINCT key) FROM actions WHERE status = 'change' AND moving "
        f"AND rule IN ({', '.join(map(str, rules))})"
    ).fetchone()
    return int(row[0]) if row else 0


def _moving_by_owner(
    connection: duckdb.DuckDBPyConnection, policy: Policy, together: Collection[int] | None = None
) -> dict[int, list[OwnerCount]]:
    """For each rule the owners whose customers would move, with those that entered it within the
    period of the cap; customers without an owner are left out, and owners of whom nobody moves.

    With `together`, under number 0: who would move in any of these rules, and who entered any rule
    but a tier.
    """
    names = ", ".join(
        f"({number}, {literal(rule.id)}, {number if together is None else 0}, "
        f"{together is None or number in together})"
        for number, rule in enumerate(policy.rules)
        if together is None or rule.kind != "tier"
    )
    rows = connection.execute(
        f"WITH counted(number, id, counts_as, moves) AS (VALUES {names}), "
        "owned AS (SELECT owner_id, count(*) AS customers FROM warehouse.main.customers "
        "WHERE owner_id IS NOT NULL GROUP BY owner_id), moved AS ("
        "SELECT n.counts_as, a.key, TRUE AS now FROM actions a "
        "JOIN counted n ON n.number = a.rule AND n.moves WHERE a.status = 'change' AND a.moving "
        "UNION ALL "
        "SELECT n.counts_as, r.customer, FALSE FROM recent r JOIN counted n ON n.id = r.rule) "
        "SELECT m.counts_as, c.owner_id, count(DISTINCT m.key), any_value(o.customers) "
        "FROM moved m JOIN warehouse.main.customers c ON c.key = m.key "
        "JOIN owned o ON o.owner_id = c.owner_id "
        "GROUP BY m.counts_as, c.owner_id HAVING bool_or(m.now)"
    ).fetchall()
    found: dict[int, list[OwnerCount]] = {}
    for number, *moved in rows:
        found.setdefault(number, []).append(OwnerCount(*moved))
    return found
