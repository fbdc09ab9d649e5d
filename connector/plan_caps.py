"""The caps by tier and by money, held against the customers who move in some rules of a plan. Asks
the database nothing where a policy has neither."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import duckdb

from connector.guard import Amount, BandCount, tripped_band, tripped_money
from policies.language.vocabulary import Type
from policies.model import Policy


def tripped_by_weight(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    rules: Collection[int],
    customers: int,
) -> str:
    """The cap that the customers who move in any of these rules exceed, each counted once; empty
    if none. `customers`: how many there are in all."""
    if not rules:
        return ""
    moving = (
        "SELECT DISTINCT key FROM actions WHERE status = 'change' AND moving "
        f"AND rule IN ({', '.join(map(str, rules))})"
    )
    limits = policy.limits
    phrase = tripped_band(limits, _bands(connection, policy, moving), customers)
    if phrase or limits.money is None:
        return phrase
    is_money = limits.money.of.tree.type is Type.MONEY
    currency = policy.money.base if is_money and policy.money else ""
    return tripped_money(limits.money.at_most, _amount(connection, moving), currency)


def _bands(
    connection: duckdb.DuckDBPyConnection, policy: Policy, moving: str
) -> Iterator[BandCount]:
    """The bands with a cap, in the order of the policy. Who moves, and who is in a band, has a row
    in `findings`."""
    for number, rule in enumerate(policy.rules):
        capped = policy.limits.tiers.get(rule.id)
        if capped is None:
            continue
        found = connection.execute(
            f"SELECT f.s_{number}, count(*), count(m.key) FROM findings f "
            f"LEFT JOIN ({moving}) m ON m.key = f.key GROUP BY f.s_{number}"
        ).fetchall()
        counts = {stage: (int(total), int(moved)) for stage, total, moved in found}
        _, doubtful = counts.get(None, (0, 0))
        for place, stage in enumerate(rule.stages, start=1):
            if stage.name in capped:
                total, moved = counts.get(place, (0, 0))
                yield BandCount(rule.id, stage.name, moved, doubtful, total)


def _amount(connection: duckdb.DuckDBPyConnection, moving: str) -> Amount:
    row = connection.execute(
        f"WITH moved AS (SELECT amount, currencies FROM ({moving}) LEFT JOIN amounts USING (key)), "
        "named AS (SELECT DISTINCT unnest(currencies) AS currency FROM moved) "
        "SELECT coalesce(sum(amount), 0), count(*) FILTER (amount IS NULL), "
        "(SELECT coalesce(list(currency ORDER BY currency), []) FROM named "
        "WHERE currency IS NOT NULL) FROM moved"
    ).fetchone()
    known, unknown, currencies = row or (0, 0, ())
    return Amount(known, int(unknown), tuple(currencies))
