"""What can be derived from the facts of a customer, as data: dates, counts and sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from policies.vocabulary import Type

MAX_WINDOW_DAYS = 36_500


class Aggregate(StrEnum):
    """How a metric is made of rows.

    `first` and `last`: a moment, none when there are no rows. `count`: 0 without rows. `sum`: 0
    without rows; unknown when an amount is missing or currencies are mixed.
    """

    FIRST = "first"
    LAST = "last"
    COUNT = "count"
    SUM = "sum"


class Filter(StrEnum):
    """Which visible rows count. A deal is open or won as it was at the moment of the run."""

    ALL = "all"
    OPEN = "open"
    WON = "won"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric over one facts table. `call`: it is written with brackets, and may take days."""

    name: str
    fact: str
    aggregate: Aggregate
    zh: str
    en: str
    filter: Filter = Filter.ALL
    call: bool = False
    unit: str = ""

    @property
    def type(self) -> Type:
        return _TYPES[self.aggregate]

    def label(self, language: str, days: int | None = None) -> str:
        if language == "zh-CN":
            return f"近{days}天{self.zh}" if days else self.zh
        return f"{self.en} in {days} days" if days else self.en


_TYPES = {
    Aggregate.FIRST: Type.MOMENT,
    Aggregate.LAST: Type.MOMENT,
    Aggregate.COUNT: Type.INTEGER,
    Aggregate.SUM: Type.MONEY,
}


def _count(name: str, fact: str, zh: str, en: str) -> Metric:
    return Metric(name, fact, Aggregate.COUNT, zh, en, call=True, unit="rows")


def _sum(name: str, fact: str, zh: str, en: str) -> Metric:
    return Metric(name, fact, Aggregate.SUM, zh, en, call=True, unit="currency")


def _deals(name: str, which: Filter, zh: str, en: str) -> Metric:
    return Metric(name, "deals", Aggregate.COUNT, zh, en, filter=which, unit="rows")


_METRICS = (
    Metric("last_activity_at", "activities", Aggregate.LAST, "最近互动", "last activity"),
    Metric("last_order_at", "orders", Aggregate.LAST, "最近下单", "last order"),
    Metric("first_order_at", "orders", Aggregate.FIRST, "首次下单", "first order"),
    Metric("last_return_at", "returns", Aggregate.LAST, "最近退货", "last return"),
    _count("orders_count", "orders", "订单数", "orders"),
    _sum("orders_amount", "orders", "订单金额", "order amount"),
    _count("returns_count", "returns", "退货数", "returns"),
    _sum("returns_amount", "returns", "退货金额", "return amount"),
    _count("activities_count", "activities", "互动次数", "activities"),
    _deals("open_deals", Filter.OPEN, "进行中商机", "open deals"),
    _deals("won_deals", Filter.WON, "赢单商机", "won deals"),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _METRICS})


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language that is no metric, for documentation and suggestions."""

    name: str
    form: str
    zh: str
    en: str


_FUNCTIONS = (
    Function("days_since", "days_since(moment [, else: moment])", "距今天数", "days since"),
    Function("never", "never(moment)", "从未", "never"),
    Function("has_tag", "has_tag('x')", "有标签", "has tag"),
    Function("quintile", "quintile(number)", "五等分（5 为最高）", "quintile (5 is the largest)"),
    Function("abc", "abc(number)", "ABC 分类（累计 80/95 %）", "ABC class (80/95 % of the value)"),
    Function("least", "least(a, b)", "较小者", "the smaller"),
    Function("greatest", "greatest(a, b)", "较大者", "the greater"),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({item.name: item for item in _FUNCTIONS})
