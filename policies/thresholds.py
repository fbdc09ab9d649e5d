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
from policies.metrics import MIN_CASES
from policies.number_size import scale
from policies.sql_expression import ExpressionSql, is_small
from policies.tree import Rank, RankKind

Number = Decimal | int


def threshold_sql(plan: InputPlan, rank: Rank) -> str:
    """One row: four breaks of a quintile (a value up to the k-th is in fifth k), or the smallest
    values of class A and of class B."""
    value = ExpressionSql(plan, {}).sql(rank.value)
    if rank.kind is RankKind.ABC or not is_small(rank.value):
        value = f"CAST({value} AS DECIMAL(38,{scale(rank.value)}))"  # sums need room
    values = f"SELECT v FROM (SELECT {value} AS v FROM inputs) WHERE v IS NOT NULL"
    currencies = plan.currencies(rank)
    usable = f"cases >= {MIN_CASES}"
    if currencies:
        columns = " UNION ALL ".join(
            f"SELECT {item.currency_column} AS c FROM inputs" for item in currencies
        )
        usable += f" AND (SELECT coalesce(min(c) = max(c), TRUE) FROM ({columns}))"
    if rank.kind is RankKind.ABC:
        return _abc_sql(values, usable, rank.shares)
    return _quintile_sql(values, usable, few=is_small(rank.value))


def _quintile_sql(values: str, usable: str, *, few: bool) -> str:
    """`few`: whole numbers come again and again, so grouping them leaves little to sort."""
    ranked = "SELECT v, row_number() OVER (ORDER BY v) AS upto FROM x"
    if few:
        ranked = (
            "SELECT v, sum(n) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING) AS upto "
            "FROM (SELECT v, count(*) AS n FROM x GROUP BY v)"
        )
    breaks = ", ".join(
        f"min(CASE WHEN upto * 5 >= cases * {fifth} THEN v END) AS b_{fifth}"
        for fifth in range(1, 5)
    )
    return _broken(values, usable, f"SELECT {breaks} FROM ({ranked}), t", 4)


def _abc_sql(values: str, usable: str, shares: Sequence[int]) -> str:
    breaks = ", ".join(
        f"min(CASE WHEN above * 100 < total * {share} THEN v END) AS b_{place}"
        for place, share in enumerate(shares, start=1)
    )
    summed = (
        "SELECT v, sum(v) OVER (ORDER BY v DESC ROWS UNBOUNDED PRECEDING) - v AS above "
        "FROM x WHERE v > 0"
    )
    return _broken(values, usable, f"SELECT {breaks} FROM ({summed}), t", len(shares))


def _broken(values: str, usable: str, breaks: str, size: int) -> str:
    """Of equal values the first in order decides for all of them, so ties stay together."""
    columns = ", ".join(f"CASE WHEN {usable} THEN b_{place} END" for place in range(1, size + 1))
    return (
        f"WITH x AS ({values}), t AS (SELECT count(*) AS cases, "
        "coalesce(sum(CASE WHEN v > 0 THEN v END), 0) AS total FROM x) "
        f"SELECT {columns} FROM ({breaks}), t"
    )


def thresholds_of(
    rank: Rank, values: Iterable[Number | None], currencies: Iterable[str | None] = ()
) -> tuple[Number | None, ...]:
    """The same from the customers' values in Python."""
    counts = Counter(value for value in values if value is not None)
    size = 4 if rank.kind is RankKind.QUINTILE else len(rank.shares)
    known = {currency for currency in currencies if currency is not None}
    if counts.total() < MIN_CASES or len(known) > 1:
        return (None,) * size
    ordered = sorted(counts)
    if rank.kind is RankKind.QUINTILE:
        return _quintile_breaks(ordered, counts)
    return _abc_breaks(ordered, counts, rank.shares)


def _quintile_breaks(ordered: Sequence[Number], counts: Counter[Number]) -> tuple[Number, ...]:
    upto = list(accumulate(counts[value] for value in ordered))
    return tuple(
        next(value for value, n in zip(ordered, upto, strict=True) if n * 5 >= upto[-1] * fifth)
        for fifth in range(1, 5)
    )


def _abc_breaks(
    ordered: Sequence[Number], counts: Counter[Number], shares: Sequence[int]
) -> tuple[Number | None, ...]:
    positive = [value for value in reversed(ordered) if value > 0]
    weights = [value * counts[value] for value in positive]
    total = sum(weights)
    above = accumulate(weights, initial=0)
    pairs = list(zip(positive, above, strict=False))
    return tuple(
        min((value for value, before in pairs if before * 100 < total * share), default=None)
        for share in shares
    )
