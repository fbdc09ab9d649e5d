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
    values of class A and of class B.

    Values are put in bins first, one a whole unit; only the bins in which a break lies are sorted.
    """
    value = ExpressionSql(plan, {}).sql(rank.value)
    if rank.kind is RankKind.ABC or not is_small(rank.value):
        value = f"CAST({value} AS DECIMAL(38,{scale(rank.value)}))"  # sums need room
    where = "v IS NOT NULL"
    if rank.kind is RankKind.ABC:
        where = "v > 0"
    size = len(rank.shares) if rank.kind is RankKind.ABC else 4
    columns = ", ".join(f"CASE WHEN usable THEN b_{place} END" for place in range(1, size + 1))
    steps = _abc_steps(rank.shares) if rank.kind is RankKind.ABC else _quintile_steps()
    breaks = ", ".join(f"min(CASE WHEN k = {k} THEN v END) AS b_{k}" for k in range(1, size + 1))
    return (
        f"WITH values AS (SELECT {value} AS v FROM inputs), "
        f"x AS (SELECT v, {_BIN} AS bin FROM values WHERE {where}), "
        f"t AS (SELECT count(*) >= {MIN_CASES} AND {_one_currency(plan, rank)} AS usable "
        f"FROM values WHERE v IS NOT NULL), {steps} "
        f"SELECT {columns} FROM (SELECT {breaks} FROM found), t"
    )


# Beyond what 64 bits hold, everything is in the first or in the last bin.
_BIN = "CAST(floor(least(greatest(v, -100000000000000000), 100000000000000000)) AS BIGINT)"


def _one_currency(plan: InputPlan, rank: Rank) -> str:
    currencies = [item.currency_column for item in plan.currencies(rank)]
    if not currencies:
        return "TRUE"
    ends = (", ".join(f"{end}({column})" for column in currencies) for end in ("min", "max"))
    least, greatest = ends
    return f"(SELECT coalesce(least({least}) = greatest({greatest}), TRUE) FROM inputs)"


def _quintile_steps() -> str:
    """Of equal values the first in order decides for all of them, so ties stay together."""
    return (
        "bins AS (SELECT bin, n, sum(n) OVER (ORDER BY bin ROWS UNBOUNDED PRECEDING) AS upto, "
        "sum(n) OVER () AS cases FROM (SELECT bin, count(*) AS n FROM x GROUP BY bin)), "
        "picked AS (SELECT k, min(bin) AS bin, min(upto - n) AS before, any_value(cases) AS cases "
        "FROM bins, (VALUES (1), (2), (3), (4)) f(k) WHERE upto * 5 >= cases * k GROUP BY k), "
        "found AS (SELECT k, v, before + sum(n) OVER (PARTITION BY k ORDER BY v "
        "ROWS UNBOUNDED PRECEDING) AS upto, cases FROM (SELECT k, v, count(*) AS n, "
        "any_value(before) AS before, any_value(cases) AS cases "
        "FROM x JOIN picked USING (bin) GROUP BY k, v) QUALIFY upto * 5 >= cases * k)"
    )


def _abc_steps(shares: Sequence[int]) -> str:
    listed = ", ".join(f"({place}, {share})" for place, share in enumerate(shares, start=1))
    return (
        "bins AS (SELECT bin, sum(s) OVER (ORDER BY bin DESC ROWS UNBOUNDED PRECEDING) - s "
        "AS above, sum(s) OVER () AS total "
        "FROM (SELECT bin, sum(v) AS s FROM x GROUP BY bin)), "
        "picked AS (SELECT k, share, min(bin) AS bin, max(above) AS above, "
        f"any_value(total) AS total FROM bins, (VALUES {listed}) f(k, share) "
        "WHERE above * 100 < total * share GROUP BY k, share), "
        "found AS (SELECT k, v, before + sum(s) OVER (PARTITION BY k ORDER BY v DESC "
        "ROWS UNBOUNDED PRECEDING) - s AS above, total, share FROM (SELECT k, v, sum(v) AS s, "
        "any_value(above) AS before, any_value(total) AS total, any_value(share) AS share "
        "FROM x JOIN picked USING (bin) GROUP BY k, v) QUALIFY above * 100 < total * share)"
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
