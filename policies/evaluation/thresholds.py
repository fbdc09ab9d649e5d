"""Where quintiles and ABC classes break, over all customers: as a query, and in Python.

Equal values always share a class. Fewer than `MIN_CASES` customers, amounts in more than one
currency, or last events of which a source holds only some, give no thresholds: the rank is then
unknown for everybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import accumulate

from policies.evaluation.inputs import InputPlan
from policies.evaluation.sql_expression import ExpressionSql, is_small
from policies.language.metrics import MIN_CASES
from policies.language.number_size import ADDED_DIGITS, MAX_DIGITS, scale
from policies.language.tree import Rank, RankKind

Number = Decimal | int


def threshold_sql(plan: InputPlan, rank: Rank) -> str:
    """One row: four breaks of a quintile (a value up to the k-th is in fifth k), or the smallest
    values of class A and of class B.

    Whole numbers come again and again, so grouping them leaves little to sort. Others are put in
    bins first, and only the bins in which the breaks lie are sorted.
    """
    value = ExpressionSql(plan, {}).sql(rank.value)
    whole = rank.kind is RankKind.QUINTILE and is_small(rank.value)
    if not whole:
        value = f"TRY_CAST({value} AS DECIMAL({_width(rank)},{scale(rank.value)}))"
    values = f"SELECT v FROM (SELECT {value} AS v FROM inputs) WHERE v IS NOT NULL"
    size, steps = 4, _WHOLE_STEPS if whole else _QUINTILE_STEPS
    if rank.kind is RankKind.ABC:
        size, steps = len(rank.shares), _abc_steps(rank.shares)
    columns = ", ".join(f"CASE WHEN usable THEN b_{k} END" for k in range(1, size + 1))
    breaks = ", ".join(f"min(CASE WHEN k = {k} THEN v END) AS b_{k}" for k in range(1, size + 1))
    return (
        f"WITH x AS NOT MATERIALIZED (SELECT v, {_BIN} AS bin FROM ({values})), "
        f"t AS (SELECT count(*) AS cases, count(*) >= {MIN_CASES} AND {_one_scale(plan, rank)} "
        f"AS usable FROM x), {steps} SELECT {columns} FROM (SELECT {breaks} FROM found), t"
    )


def _width(rank: Rank) -> int:
    """How many digits a ranked value may have: what is larger leaves no room for the sum."""
    return MAX_DIGITS - (ADDED_DIGITS if rank.kind is RankKind.ABC else 0)


# Rounded to a floating number, what was larger is never smaller: whole bins stand in order.
_BIN = "floor(CAST(v AS DOUBLE))"
_FIFTHS = "(VALUES (1), (2), (3), (4)) f(k)"
_UPTO = "sum(n) OVER (ORDER BY {} ROWS UNBOUNDED PRECEDING)"
# The least value with at least so many fifths of all cases up to it.
_WHOLE_STEPS = (
    f"running AS (SELECT v, {_UPTO.format('v')} AS upto "
    "FROM (SELECT v, count(*) AS n FROM x GROUP BY v)), "
    f"found AS (SELECT k, v FROM running, t, {_FIFTHS} WHERE upto * 5 >= cases * k)"
)
_QUINTILE_STEPS = (
    f"bins AS (SELECT bin, n, {_UPTO.format('bin')} AS upto "
    "FROM (SELECT bin, count(*) AS n FROM x GROUP BY bin)), "
    "picked AS (SELECT k, min(bin) AS bin, min(upto - n) AS lower, any_value(cases) AS cases "
    f"FROM bins, t, {_FIFTHS} WHERE upto * 5 >= cases * k GROUP BY k), "
    "near AS (SELECT k, v, count(*) AS n, any_value(lower) AS lower, any_value(cases) AS cases "
    "FROM x JOIN picked USING (bin) GROUP BY k, v), "
    "running AS (SELECT k, v, lower + sum(n) OVER "
    "(PARTITION BY k ORDER BY v ROWS UNBOUNDED PRECEDING) AS upto, cases FROM near), "
    "found AS (SELECT k, v FROM running WHERE upto * 5 >= cases * k)"
)


def _one_scale(plan: InputPlan, rank: Rank) -> str:
    """Can all customers be placed on one scale?"""
    if not plan.sees_everybody(rank):
        return "FALSE"
    columns = [item.currency_column for item in plan.currencies(rank)]
    if not columns:
        return "TRUE"
    least, greatest = (", ".join(f"{end}({name})" for name in columns) for end in ("min", "max"))
    return f"(SELECT coalesce(least({least}) = greatest({greatest}), TRUE) FROM inputs)"


def _abc_steps(shares: Sequence[int]) -> str:
    """The least value of which all above have together less than a share of the total."""
    listed = ", ".join(f"({place}, {share})" for place, share in enumerate(shares, start=1))
    return (
        "bins AS (SELECT bin, sum(s) OVER (ORDER BY bin DESC ROWS UNBOUNDED PRECEDING) - s "
        "AS above, sum(s) OVER () AS total "
        "FROM (SELECT bin, sum(v) AS s FROM x WHERE v > 0 GROUP BY bin)), "
        "picked AS (SELECT k, min(bin) AS bin, max(above) AS higher, any_value(total) AS total, "
        f"any_value(share) AS share FROM bins, (VALUES {listed}) f(k, share) "
        "WHERE above * 100 < total * share GROUP BY k), "
        "near AS (SELECT k, v, sum(v) AS s, any_value(higher) AS higher, "
        "any_value(total) AS total, any_value(share) AS share "
        "FROM x JOIN picked USING (bin) WHERE v > 0 GROUP BY k, v), "
        "running AS (SELECT k, v, higher + sum(s) OVER "
        "(PARTITION BY k ORDER BY v DESC ROWS UNBOUNDED PRECEDING) - s AS above, total, share "
        "FROM near), "
        "found AS (SELECT k, v FROM running WHERE above * 100 < total * share)"
    )


def thresholds_of(
    rank: Rank, values: Iterable[Number | None], currencies: Iterable[str | None] = ()
) -> tuple[Number | None, ...]:
    """The same from the customers' values in Python."""
    limit = Decimal(1).scaleb(_width(rank) - scale(rank.value))
    counts = Counter(value for value in values if value is not None and -limit < value < limit)
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
