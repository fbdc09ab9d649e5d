"""Which rules of a run have a shadow (`policies.shadows`), and what is counted by it: only where
there is something to leave out, as each one costs as much as its rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import duckdb
import msgspec

from connector.plan_model import RuleCount
from policies.evaluation.row_sql import RowSql
from policies.model import Policy
from policies.moment import AsOf
from policies.shadows import LEFT_OUT, Shadow, Without, reads_activities, shadow_of


def shadows_of(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: AsOf
) -> tuple[Shadow, ...]:
    """Of `pool` rules about contacts: without late entries where customers stay in the rule and a
    tag of it can be taken away; without bursts wherever there is one. Reads `open_episodes`."""
    numbers = [
        number
        for number, rule in enumerate(policy.rules)
        if rule.kind == "pool" and reads_activities(rule)
    ]
    return tuple(_shadows(connection, policy, as_of, numbers)) if numbers else ()


def _shadows(
    connection: duckdb.DuckDBPyConnection, policy: Policy, as_of: AsOf, numbers: Sequence[int]
) -> Iterator[Shadow]:
    rows = connection.execute("SELECT DISTINCT rule FROM open_episodes").fetchall()
    rules = {number: policy.rules[number] for number in numbers}
    stays = {number: rule for number, rule in rules.items() if (rule.id,) in rows}
    marked = [number for number, rule in stays.items() if any(s.tag for s in rule.stages)]
    for without, those in ((Without.LATE, marked), (Without.BURST, numbers)):
        if those and _are_there(connection, as_of, without):
            yield from (shadow_of(policy, number, without) for number in those)


def _are_there(connection: duckdb.DuckDBPyConnection, as_of: AsOf, without: Without) -> bool:
    condition = RowSql(as_of, None).sql(LEFT_OUT[without])
    found = connection.execute(f"SELECT EXISTS (FROM activities r WHERE {condition})").fetchone()
    return found == (True,)


def with_bursts(
    connection: duckdb.DuckDBPyConnection, counts: Sequence[RuleCount], shadows: Iterable[Shadow]
) -> tuple[RuleCount, ...]:
    """The counts, each with how many customers are out of the rule only because of a burst."""
    those = [shadow for shadow in shadows if shadow.without is Without.BURST]
    if not those:
        return tuple(counts)
    sums = (f"count(*) FILTER ({only_by_burst(shadow)})" for shadow in those)
    found = connection.execute(f"SELECT {', '.join(sums)} FROM findings").fetchall()[0]
    bursts = {shadow.number: count for shadow, count in zip(those, found, strict=True)}
    return tuple(
        msgspec.structs.replace(count, burst=bursts.get(number, 0))
        for number, count in enumerate(counts)
    )


def only_by_burst(shadow: Shadow) -> str:
    """A condition over `findings`: out of the rule, and in it but for contacts in bursts."""
    return f"s_{shadow.number} = 0 AND {shadow.column} > 0"
