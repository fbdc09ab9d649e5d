"""From facts to the table `inputs`, one row a customer: as SQL statements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from policies.evaluation.facts_sql import GROUPS, FactSql, history_known
from policies.evaluation.field_text import field_sql
from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.row_sql import RATES
from policies.evaluation.sql_text import (
    date_literal,
    input_type,
    literal,
    local_day,
    moment_literal,
)
from policies.language.tree import Attribute, CustomField, DataAge, HasTag
from policies.language.vocabulary import ATTRIBUTES, OWNER_ATTRIBUTES, STALE_ATTITUDE_DAYS, Type
from policies.money import ExchangeRate

WORKDAYS = "policy_workdays"
_ONE_DAY = timedelta(days=1)


def inputs_statements(plan: InputPlan) -> tuple[str, ...]:
    """What is looked up, each in a temporary table, then the table itself."""
    writer = _Inputs(plan)
    return (*writer.lookups(), writer.table())


class _Inputs:
    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan
        self._as_of = plan.as_of
        self._moment = moment_literal(plan.as_of.utc)
        self._day = date_literal(plan.as_of.day)
        self._history = history_known(plan.as_of)
        self._facts = {fact: FactSql(plan, fact) for fact in plan.facts}

    def lookups(self) -> Iterator[str]:
        if any(fact.grouped for fact in self._facts.values()):
            yield self._groups()
        if any(fact.reads_rates for fact in self._facts.values()):
            yield self._rates()
        if any(item.workday for item in self._plan.inputs):
            yield self._workdays()

    def _groups(self) -> str:
        """Whose rows count for whom: those of one group, as far as its members are known."""
        member = (
            f"CASE WHEN {self._history} AND nullif(c.group_key, '') IS NOT NULL "
            "THEN 'g:' || c.group_key ELSE 'c:' || c.key END"
        )
        return (
            f"CREATE OR REPLACE TEMP TABLE {GROUPS} AS SELECT c.key AS key, {member} AS member_of "
            f"FROM customers c WHERE {self._exists()}"
        )

    def _exists(self) -> str:
        return f"(c.created_at IS NULL OR c.created_at < {self._moment})"

    def _rates(self) -> str:
        """The rate of each day, from the first that is known up to the run."""
        money = self._plan.policy.money
        rates = sorted(money.rates if money else ())
        rows = []
        for rate, following in zip(rates, [*rates[1:], None], strict=False):
            last = self._as_of.day
            if following is not None and following.currency == rate.currency:
                last = min(last, following.since - _ONE_DAY)
            rows.append(_rate_row(rate, date_literal(last)))
        columns = "(currency, since, upto, rate)"
        values = f"(VALUES {', '.join(rows)}) t{columns}"
        if not rows:
            values = f"(SELECT NULL, NULL, NULL, NULL) t{columns} WHERE FALSE"
        days = "generate_series(CAST(since AS DATE), CAST(upto AS DATE), INTERVAL 1 DAY)"
        return (
            f"CREATE OR REPLACE TEMP TABLE {RATES} AS SELECT CAST(currency AS VARCHAR) AS currency,"
            f" CAST(unnest({days}) AS DATE) AS day, CAST(rate AS DECIMAL(18,8)) AS rate "
            f"FROM {values}"
        )

    def _workdays(self) -> str:
        """One digit a day: ten thousand rows of values would take longer to read than to join."""
        counts = [0, *self._plan.workdays.values()]
        digits = "".join(str(later - earlier) for earlier, later in pairwise(counts))
        return (
            f"CREATE OR REPLACE TEMP TABLE {WORKDAYS} AS "
            f"SELECT {date_literal(self._plan.workday_span[0])} + CAST(place AS INTEGER) AS day, "
            "CAST(sum(CAST(digit AS INTEGER)) OVER (ORDER BY place) AS BIGINT) AS number "
            f"FROM (SELECT unnest(range({len(digits)})) AS place, "
            f"unnest(string_split('{digits}', '')) AS digit)"
        )

    def table(self) -> str:
        columns = ["c.key AS key", f"{self._history} AS h"]
        joins: list[str] = []
        if any(fact.grouped for fact in self._facts.values()):
            joins.append(f"LEFT JOIN {GROUPS} g ON g.key = c.key")
        if any(_is_of_owner(item) for item in self._plan.inputs):
            joins.append("LEFT JOIN people p ON p.id = c.owner_id")
        for fact in self._facts.values():
            joins += fact.joins()
            columns += fact.columns()
        for item in self._plan.inputs:
            columns += self._columns(item)
        columns += [
            f"{self._differ(*item)} AS {mix.column}" for mix, item in self._plan.mixed.items()
        ]
        query = (
            f"SELECT {', '.join(columns)} FROM customers c {' '.join(joins)} WHERE {self._exists()}"
        )
        return f"CREATE OR REPLACE TEMP TABLE inputs AS {self._with_workdays(query)}"

    def _with_workdays(self, query: str) -> str:
        """Each moment that is counted in workdays, looked up."""
        items = [item for item in self._plan.inputs if item.workday]
        if not items:
            return query
        first, last = map(date_literal, self._plan.workday_span)
        columns, joins = ["i.*"], []
        for item in items:
            name, day = f"n_{item.place}", f"i.{item.column}"
            nearest = (
                f"CASE WHEN {day} IS NOT NULL THEN greatest({first}, least({last}, {day})) END"
            )
            columns.append(f"{name}.number AS {item.workday_column}")
            joins.append(f"LEFT JOIN {WORKDAYS} {name} ON {name}.day = {nearest}")
        return f"SELECT {', '.join(columns)} FROM ({query}) i {' '.join(joins)}"

    def _columns(self, item: Input) -> Iterator[str]:
        raw = self._raw(item) if item.available else "NULL"
        value = raw
        if item.leaf.type is Type.MOMENT and item.available:
            value = local_day(self._as_of, raw, future=isinstance(item.leaf, CustomField))
        yield f"CAST({value} AS {input_type(item.type)}) AS {item.column}"
        if item.instant:
            yield f"CAST({raw} AS TIMESTAMP) AS {item.instant_column}"
        if item.may_be_unclear:
            known = f"{self._history} AND " if item.history else ""
            yield f"({known}{self._unclear(item)}) AS {item.unclear_column}"
        if item.currency and item.metric:
            yield f"{self._facts[item.metric.fact].currency(item)} AS {item.currency_column}"

    def _differ(self, *items: Input) -> str:
        """Are the amounts known to be in several currencies? One without rows is in none."""
        found = [self._facts[item.metric.fact].currency(item) for item in items if item.metric]
        if len(found) < 2:
            return "FALSE"
        listed = ", ".join(found)
        return f"coalesce(least({listed}) <> greatest({listed}), FALSE)"

    def _raw(self, item: Input) -> str:
        leaf = item.leaf
        if item.metric:
            return self._facts[item.metric.fact].value(item)
        if isinstance(leaf, DataAge):
            return str(data_age(self._plan, leaf))
        value = self._own(leaf)
        return f"CASE WHEN {self._history} THEN {value} END" if item.history else value

    def _own(self, leaf: object) -> str:
        """A value of the customer itself, or of its owner."""
        if isinstance(leaf, HasTag):
            return f"list_contains(c.tags, {literal(leaf.tag)})"
        if isinstance(leaf, CustomField):
            return field_sql(leaf.name, leaf.type)[1]
        assert isinstance(leaf, Attribute)  # noqa: S101 - no other leaf is left
        if leaf.name in OWNER_ATTRIBUTES:
            return self._of_owner(leaf.name)
        column = f"c.{leaf.name}"
        if leaf.name == "attitude":
            return f"CASE WHEN {self._is_fresh()} THEN nullif({column}, '') END"
        if leaf.type is Type.MOMENT:
            return f"CASE WHEN {column} < {self._moment} THEN {column} END"
        return f"nullif({column}, '')" if ATTRIBUTES[leaf.name].type is Type.TEXT else column

    def _is_fresh(self) -> str:
        """An opinion of the last half year, formed before the run."""
        day = local_day(self._as_of, "c.attitude_at")
        return (
            f"coalesce(c.attitude_at < {self._moment} "
            f"AND {self._day} - {day} <= {STALE_ATTITUDE_DAYS}, FALSE)"
        )

    def _of_owner(self, name: str) -> str:
        if name == "owner_active":
            return f"(p.active AND (p.left_on IS NULL OR p.left_on > {self._day}))"
        if name == "owner_absent":
            return (
                "CASE WHEN p.id IS NULL THEN NULL WHEN p.absent_from IS NULL THEN FALSE "
                f"ELSE p.absent_from <= {self._day} "
                f"AND (p.absent_to IS NULL OR p.absent_to >= {self._day}) END"
            )
        return f"nullif(p.{name.removeprefix('owner_')}, '')"

    def _unclear(self, item: Input) -> str:
        leaf = item.leaf
        if item.metric:
            return self._facts[item.metric.fact].unclear(item)
        if isinstance(leaf, CustomField):
            text, value = field_sql(leaf.name, leaf.type)
            return f"({text} IS NOT NULL AND ({value}) IS NULL)"
        if _is_of_owner(item):
            return "(p.id IS NULL)" if item.available else "TRUE"
        return f"(nullif(c.attitude, '') IS NOT NULL AND NOT {self._is_fresh()})"


def data_age(plan: InputPlan, leaf: DataAge) -> int:
    """Whole days since the last pull; a run made for the past has no older data than now."""
    pulled = plan.state(leaf.fact).pulled_at
    assert pulled is not None  # noqa: S101 - else the input is not available
    return max(0, (plan.as_of.day - plan.as_of.local_day(pulled)).days)


def _is_of_owner(item: Input) -> bool:
    return isinstance(item.leaf, Attribute) and item.leaf.name in OWNER_ATTRIBUTES


def _rate_row(rate: ExchangeRate, last: str) -> str:
    return f"({literal(rate.currency)}, {date_literal(rate.since)}, {last}, {literal(rate.rate)})"
