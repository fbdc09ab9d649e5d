"""Where quintiles and ABC classes break, over all customers: as a query, and in Python.

Equal values always share a class. Fewer than `MIN_CASES` customers, or amounts in more than one
currency, give no thresholds: the rank is then unknown for everybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate

from policies.inputs import InputPlan
from policies.sql_expression import ExpressionSql, is_small
from policies.tree import Rank, RankKind, scale

MIN_CASES = 5
ABC_SHARES = (80, 95)

Number = Decimal | int


def threshold_sql(plan: InputPlan, rank: Rank) -> str:
    """One row: four breaks of a quintile (a value up to the k-th is in fifth k), or the smallest
    values of class A and of class B."""
    value = ExpressionSql(plan, {}).sql(rank.value)
    if rank.kind is RankKind.ABC or not is_small(rank.value):
        value = f"CAST({value} AS DECIMAL(38,{scale(rank.value)}))"  # products and sums need room
    currencies = [plan.by_leaf[leaf] for leaf in plan.currencies(rank)]
    grouped = (
        f"WITH g AS (SELECT v, count(*) AS n FROM (SELECT {value} AS v FROM inputs) "
        "WHERE v IS NOT NULL GROUP BY v)"
    )
    usable = f"max(cases) >= {MIN_CASES}"
    if currencies:
        columns = " UNION ALL ".join(
            f"SELECT {item.currency_column} AS c FROM inputs" for item in currencies
        )
        grouped += f", k AS (SELECT coalesce(min(c) = max(c), TRUE) AS one_currency FROM ({columns}))"
        usable += " AND (SELECT one_currency FROM k)"
    if rank.kind is RankKind.QUINTILE:
        return _quintile_sql(grouped, usable)
    return _abc_sql(grouped, usable)


def _quintile_sql(grouped: str, usable: str) -> str:
    breaks = ", ".join(
        f"CASE WHEN {usable} THEN min(CASE WHEN upto * 5 >= cases * {fifth} THEN v END) END"
        for fifth in range(1, 5)
    )
    return (
        f"{grouped} SELECT {breaks} FROM (SELECT v, sum(n) OVER () AS cases, "
        "sum(n) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING) AS upto FROM g)"
    )


def _abc_sql(grouped: str, usable: str) -> str:
    breaks = ", ".join(
        f"CASE WHEN {usable} THEN "
        f"min(CASE WHEN v > 0 AND above * 100 < total * {share} THEN v END) END"
        for share in ABC_SHARES
    )
    return (
        f"{grouped} SELECT {breaks} FROM (SELECT v, sum(n) OVER () AS cases, "
        "sum(CASE WHEN v > 0 THEN v * n ELSE 0 END) OVER () AS total, "
        "sum(v * n) OVER (ORDER BY v DESC ROWS UNBOUNDED PRECEDING) - v * n AS above FROM g)"
    )


def thresholds_of(
    rank: Rank, values: Iterable[Number | None], currencies: Iterable[str | None] = ()
) -> tuple[Number | None, ...]:
    """The same from the customers' values in Python."""
    counts = Counter(value for value in values if value is not None)
    size = 4 if rank.kind is RankKind.QUINTILE else len(ABC_SHARES)
    known = {currency for currency in currencies if currency is not None}
    if counts.total() < MIN_CASES or len(known) > 1:
        return (None,) * size
    ordered = sorted(counts)
    if rank.kind is RankKind.QUINTILE:
        return _quintile_breaks(ordered, counts)
    return _abc_breaks(ordered, counts)


def _quintile_breaks(ordered: Sequence[Number], counts: Counter[Number]) -> tuple[Number, ...]:
    upto = list(accumulate(counts[value] for value in ordered))
    return tuple(
        next(value for value, n in zip(ordered, upto, strict=True) if n * 5 >= upto[-1] * fifth)
        for fifth in range(1, 5)
    )


def _abc_breaks(ordered: Sequence[Number], counts: Counter[Number]) -> tuple[Number | None, ...]:
    positive = [value for value in reversed(ordered) if value > 0]
    weights = [value * counts[value] for value in positive]
    total = sum(weights)
    above = accumulate(weights, initial=0)
    pairs = list(zip(positive, above, strict=False))
    return tuple(
        min((value for value, before in pairs if before * 100 < total * share), default=None)
        for share in ABC_SHARES
    )
