"""What can be derived from the facts of a customer, as data.

A metric aggregates the visible rows of one facts table. Its conditions are written in the language
itself, over the columns of a row. A formula is an expression over metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from policies.language.vocabulary import EVENTS, Type

MAX_WINDOW_DAYS = 36_500
MIN_CASES = 5


class Aggregate(StrEnum):
    """How a metric is made of rows; without rows: none, none, 0, 0, none, none.

    `first` and `last`: a moment. `sum`: unknown when a value is missing or currencies are mixed.
    `interval`: the median of the days between one day with rows and the next. `latest`: the value
    of the last row; unknown when several last rows differ.
    """

    FIRST = "first"
    LAST = "last"
    COUNT = "count"
    SUM = "sum"
    INTERVAL = "interval"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric over one facts table.

    `where`: which rows count. `clock`: the policy's own definition decides too which rows count.
    `after`: only rows after the last row of that clock. `value`: what is summed, or taken from the
    last row. `windowed`: it is written with brackets, and may take days. `window`: which rows are
    in a window of `$days`; by default those that happened in it.
    """

    name: str
    fact: str
    aggregate: Aggregate
    where: str = ""
    clock: str = ""
    after: str = ""
    value: str = "amount"
    type: Type = Type.INTEGER
    windowed: bool = False
    window: str = ""
    unit: str = ""

    @property
    def may_be_never(self) -> bool:
        """Is an empty result knowledge of its own, neither 0 nor a gap?"""
        return self.aggregate not in {Aggregate.COUNT, Aggregate.SUM}


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over metrics with a name of its own. `($days)` stands for the window; a
    condition between its brackets goes to the metrics of `fact`."""

    name: str
    fact: str
    text: str
    windowed: bool = True
    unit: str = ""


def _moment(name: str, fact: str, aggregate: Aggregate, where: str = "", clock: str = "") -> Metric:
    return Metric(name, fact, aggregate, where, clock, type=Type.MOMENT, unit="moment")


def _count(
    name: str, fact: str, where: str = "", *, clock: str = "", window: str = "", after: str = ""
) -> Metric:
    return Metric(
        name,
        fact,
        Aggregate.COUNT,
        where,
        clock,
        after,
        windowed=True,
        window=window,
        unit="rows",
    )


def _open(name: str, fact: str, where: str) -> Metric:
    return Metric(name, fact, Aggregate.COUNT, where, unit="rows")


def _amount(name: str, fact: str, where: str = "", *, windowed: bool = True) -> Metric:
    return Metric(
        name,
        fact,
        Aggregate.SUM,
        where,
        type=Type.MONEY,
        windowed=windowed,
        unit="currency",
    )


def _days(name: str, fact: str, value: str, where: str, window: str = "") -> Metric:
    return Metric(
        name,
        fact,
        Aggregate.SUM,
        where,
        value=value,
        windowed=True,
        window=window,
        unit="days",
    )


# A row that belongs to no clock: written by a program, or one of a mass edit.
BY_HAND = "NOT automated AND NOT mass"
CLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "followup": (
            "direction = 'ours' AND (kind = 'visit' AND checked_in "
            "OR kind = 'call' AND seconds >= 30 OR kind IN ('quote', 'sample'))"
        ),
        # who refuses has answered
        "response": "direction = 'theirs' OR outcome IN ('reached', 'refused')",
    }
)

_ONE = {
    "activities": "activity",
    "deals": "deal",
    "quotes": "quote",
    "orders": "order",
    "returns": "return",
    "invoices": "invoice",
    "complaints": "complaint",
    "surveys": "survey",
    "contracts": "contract",
}
# Which rows of a table count at all: money and dates come from confirmed documents only.
_COUNTING = {"activities": BY_HAND, "orders": "confirmed"}


def _of_every_table() -> Iterator[Metric]:
    for fact, table in EVENTS.items():
        one, where = _ONE[fact], _COUNTING.get(fact, "")
        yield _moment(f"first_{one}_at", fact, Aggregate.FIRST, where)
        yield _moment(f"last_{one}_at", fact, Aggregate.LAST, where)
        yield _count(f"{fact}_count", fact, where)
        if "amount" in table.by_name:
            yield _amount(f"{fact}_amount", fact, where)
        yield Metric(
            f"{one}_interval_median",
            fact,
            Aggregate.INTERVAL,
            where,
            type=Type.NUMBER,
            unit="days",
        )


_DAYS_LATE = "greatest(0, days_since(due_on) - days_since(settled_at, else: today))"
_DUE = "NOT disputed AND days_since(due_on) > 0"
_DUE_WINDOW = "days_since(due_on) <= $days"
_OVERDUE = "settled_at IS NULL AND NOT disputed AND days_since(due_on) > 0"
_OPEN_DEAL = "state = 'open'"
_WON = "state = 'won'"
_CLOSED_WINDOW = "days_since(closed_at) <= $days"
_VALID_QUOTE = "state = 'open' AND (valid_until IS NULL OR days_until(valid_until) >= 0)"
_ACTIVE_CONTRACT = (
    "ended_at IS NULL AND (starts_on IS NULL OR days_since(starts_on) >= 0) "
    "AND (ends_on IS NULL OR days_until(ends_on) >= 0)"
)
_ATTEMPT = f"{BY_HAND} AND direction = 'ours' AND outcome = 'no_answer'"

_SPECIAL = (
    _moment("last_followup_at", "activities", Aggregate.LAST, BY_HAND, "followup"),
    _moment("last_response_at", "activities", Aggregate.LAST, BY_HAND, "response"),
    _count("followups_count", "activities", BY_HAND, clock="followup"),
    _count("reply_count", "activities", BY_HAND, clock="response"),
    _count("attempts_unanswered", "activities", _ATTEMPT, after="response"),
    _count("refusals_count", "activities", f"{BY_HAND} AND outcome = 'refused'"),
    _count("burst_followups", "activities", f"{BY_HAND} AND burst", clock="followup"),
    _open("open_deals", "deals", _OPEN_DEAL),
    _open("won_deals", "deals", _WON),
    _moment("oldest_open_deal_at", "deals", Aggregate.FIRST, _OPEN_DEAL),
    _days("open_deals_days", "deals", "days_since(happened_at)", _OPEN_DEAL),
    _amount("open_deals_amount", "deals", _OPEN_DEAL, windowed=False),
    _count("deals_won", "deals", _WON, window=_CLOSED_WINDOW),
    _count("deals_lost", "deals", "state = 'lost'", window=_CLOSED_WINDOW),
    _days(
        "deals_won_days",
        "deals",
        "days_since(happened_at) - days_since(closed_at)",
        _WON,
        _CLOSED_WINDOW,
    ),
    _open("quotes_valid", "quotes", _VALID_QUOTE),
    _open("orders_in_warranty", "orders", "confirmed AND days_until(warranty_until) >= 0"),
    _open("returns_open", "returns", "closed_at IS NULL"),
    _count("invoices_due", "invoices", _DUE, window=_DUE_WINDOW),
    _count("invoices_on_time", "invoices", f"{_DUE} AND {_DAYS_LATE} = 0", window=_DUE_WINDOW),
    _days("invoices_days_late", "invoices", _DAYS_LATE, _DUE, _DUE_WINDOW),
    _open("invoices_overdue", "invoices", _OVERDUE),
    _amount("receivable_open", "invoices", "settled_at IS NULL", windowed=False),
    _amount("receivable_overdue", "invoices", _OVERDUE, windowed=False),
    _open("complaints_open", "complaints", "closed_at IS NULL"),
    Metric(
        "survey_points",
        "surveys",
        Aggregate.SUM,
        value="score",
        type=Type.NUMBER,
        windowed=True,
        unit="points",
    ),
    Metric(
        "last_csat",
        "surveys",
        Aggregate.LATEST,
        "kind = 'csat'",
        value="score",
        type=Type.NUMBER,
        unit="points",
    ),
    Metric(
        "last_nps",
        "surveys",
        Aggregate.LATEST,
        "kind = 'nps'",
        value="score",
        type=Type.NUMBER,
        unit="points",
    ),
    _open("active_contracts", "contracts", _ACTIVE_CONTRACT),
)

_METRICS = (*_of_every_table(), *_SPECIAL)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _METRICS})

_FORMULAS = (
    Formula("on_time_rate", "invoices", "rate(invoices_on_time($days), invoices_due($days))"),
    Formula(
        "mean_days_late",
        "invoices",
        "rate(invoices_days_late($days), invoices_due($days))",
        unit="days",
    ),
    Formula("return_rate", "returns", "rate(returns_count($days), orders_count($days))"),
    Formula("complaint_rate", "complaints", "rate(complaints_count($days), orders_count($days))"),
    Formula("win_rate", "deals", "rate(deals_won($days), deals_won($days) + deals_lost($days))"),
    Formula(
        "mean_days_to_win", "deals", "rate(deals_won_days($days), deals_won($days))", unit="days"
    ),
    Formula(
        "open_deals_age_mean",
        "deals",
        "rate(open_deals_days(), open_deals, min_n: 1)",
        windowed=False,
        unit="days",
    ),
    Formula(
        "csat",
        "surveys",
        "rate(survey_points($days, kind = 'csat'), surveys_count($days, kind = 'csat'))",
        unit="points",
    ),
    Formula(
        "nps",
        "surveys",
        "rate(100 * surveys_count($days, kind = 'nps' AND score >= 9) "
        "- 100 * surveys_count($days, kind = 'nps' AND score <= 6), "
        "surveys_count($days, kind = 'nps'))",
        unit="points",
    ),
)
FORMULAS: Mapping[str, Formula] = MappingProxyType({item.name: item for item in _FORMULAS})


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language that is no metric, for documentation and suggestions."""

    name: str
    form: str


_FUNCTIONS = (
    Function("days_since", "days_since(moment [, else: moment])"),
    Function("workdays_since", "workdays_since(moment [, else: moment])"),
    Function("days_until", "days_until(date)"),
    Function("never", "never(moment)"),
    Function("has_tag", "has_tag('x')"),
    Function("field", "field('Api_Name')"),
    Function("tier", "tier('rule')"),
    Function("rate", "rate(part, whole [, min_n: 5] [, else: number])"),
    Function("if", "if(condition, number, number)"),
    Function("quintile", "quintile(number)"),
    Function("abc", "abc(number [, 80, 95])"),
    Function("least", "least(a, b)"),
    Function("greatest", "greatest(a, b)"),
    Function("data_age", "data_age('orders')"),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({item.name: item for item in _FUNCTIONS})
