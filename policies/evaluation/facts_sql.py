"""From the rows of one facts table to metrics, as SQL: joined to the customers, one column each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from policies.evaluation.input import Input
from policies.evaluation.inputs import InputPlan
from policies.evaluation.row_plan import common_conjuncts, may_be_unknown, without
from policies.evaluation.row_sql import RowSql, reads_money
from policies.evaluation.sql_text import date_literal, local_day, moment_literal
from policies.language.metrics import Aggregate, Metric
from policies.language.number_size import known_type
from policies.language.tree import MetricValue, Node
from policies.language.vocabulary import SQL_TYPES, Type
from policies.moment import AsOf

GROUPS = "policy_groups"


def history_known(as_of: AsOf) -> str:
    """Had we seen the customer by then? What the CRM forgets is unknown before."""
    return f"coalesce(c.first_seen_on <= {date_literal(as_of.day)}, FALSE)"


@dataclass(frozen=True, slots=True)
class Counted:
    """When a row counts for an input, as conditions over the projection of rows; `unknown`:
    nobody can tell whether it does; empty: that cannot be. `condition`: the column that holds it
    but for the window. `value`: the column that is summed."""

    item: Input
    leaf: MetricValue
    metric: Metric
    condition: str
    true: str
    unknown: str
    value: str
    value_unknown: bool
    after: str

    @property
    def unclear(self) -> str:
        return f"bool_or({self.unknown})" if self.unknown else "FALSE"


class FactSql:
    """All metrics of one facts table: one aggregation; some kinds need a join of their own."""

    def __init__(self, plan: InputPlan, fact: str) -> None:
        self._plan = plan
        self._fact = fact
        self._rows = RowSql(plan.as_of, plan.policy.money)
        self._history = history_known(plan.as_of)
        self._items = [
            (item, item.asked, item.metric)
            for item in plan.inputs
            if item.metric and item.metric.fact == fact and item.available
            if item.asked is not None
        ]
        # what is true of all dated rows that count leaves the undated ones for a certain count
        conditions = [None if leaf.certain else leaf.rows for _, leaf, _ in self._items]
        conditions += [leaf.after for _, leaf, _ in self._items if leaf.after is not None]
        self._common = common_conjuncts(conditions)
        self._start = self._first_start()
        self._columns: dict[Node, str] = {}
        self._counted = [self._count(*item) for item in self._items]

    @property
    def grouped(self) -> bool:
        return self._fact in self._plan.policy.group

    @property
    def reads_rates(self) -> bool:
        return self._converts((*self._columns, *self._common))

    def _converts(self, nodes: Iterable[Node]) -> bool:
        return self._plan.policy.money is not None and any(map(reads_money, nodes))

    @property
    def _table(self) -> str:
        return f"f_{self._fact}"

    def _first_start(self) -> str | None:
        """Where the rows begin that can count anywhere."""
        starts = [item.start for item, _, _ in self._items if item.start is not None]
        return moment_literal(min(starts)) if len(starts) == len(self._items) else None

    def _column(self, node: Node) -> str:
        return self._columns.setdefault(node, f"k_{len(self._columns)}")

    def _count(self, item: Input, leaf: MetricValue, metric: Metric) -> Counted:
        condition = without(leaf.rows, self._common)
        parts = [] if condition is None else [self._column(condition)]
        windows = []
        if item.start is not None and moment_literal(item.start) != self._start:
            windows = [f"happened_at >= {moment_literal(item.start)}"]
        unknown = ""
        if condition is not None and may_be_unknown(condition):
            unknown = " AND ".join([f"{parts[0]} IS NULL", *windows])
        after = without(leaf.after, self._common)
        return Counted(
            item=item,
            leaf=leaf,
            metric=metric,
            condition="".join(parts),
            true=" AND ".join([*parts, *windows]) or "TRUE",
            unknown=unknown,
            value="" if item.value is None else self._column(item.value),
            value_unknown=item.value is not None and self._may_be_missing(item.value),
            after="TRUE" if after is None else self._column(after),
        )

    def _may_be_missing(self, value: Node) -> bool:
        return self._converts([value]) or may_be_unknown(value)

    def joins(self) -> list[str]:
        """What `customers c` is joined with."""
        key = "g.member_of" if self.grouped else "c.key"
        aggregates = [part for counted in self._counted for part in self._aggregates(counted)]
        columns = ", ".join(["bool_or(happened_at IS NULL) AS u", *aggregates])
        joins = [
            f"LEFT JOIN (SELECT customer, {columns} FROM ({self._projection()}) "
            f"GROUP BY customer) {self._table} ON {self._table}.customer = {key}"
        ]
        for counted in self._counted:
            own = self._own_query(counted)
            if own:
                name = f"v_{counted.item.place}"
                joins.append(f"LEFT JOIN ({own}) {name} ON {name}.customer = {key}")
        return joins

    def _projection(self, wanted: Collection[str] | None = None) -> str:
        """The visible rows that may count, with each condition and value computed once: all of
        them, or the columns that are wanted."""
        customer = "m.member_of" if self.grouped else "r.customer"
        columns = [f"{customer} AS customer", "r.happened_at AS happened_at"]
        named = {
            name: node for node, name in self._columns.items() if wanted is None or name in wanted
        }
        columns += [f"{self._rows.sql(node)} AS {name}" for name, node in named.items()]
        if any(self._adds_money(counted) for counted in self._counted):
            columns.append("coalesce(r.currency, '') AS currency")
        joins = [f"JOIN {GROUPS} m ON m.key = r.customer"] if self.grouped else []
        nodes = (*named.values(), *self._common)
        if self._converts(nodes):
            joins.append(self._rows.rates_join())
        moment = moment_literal(self._plan.as_of.utc)
        happened = [f"r.happened_at < {moment}"]
        if self._start is not None:
            happened.append(f"r.happened_at >= {self._start}")
        happened += [self._rows.sql(node) for node in self._common]
        return (
            f"SELECT {', '.join(columns)} FROM {self._fact} r {' '.join(joins)} "
            f"WHERE (r.happened_at IS NULL OR ({' AND '.join(happened)})) "
            f"AND (r.recorded_at IS NULL OR r.recorded_at < {moment})"
        )

    def _adds_money(self, counted: Counted) -> bool:
        return counted.metric.type is Type.MONEY and self._plan.policy.money is None

    def _aggregates(self, counted: Counted) -> list[str]:
        place = counted.item.place
        if counted.metric.aggregate is Aggregate.LATEST:
            return self._latest(counted)
        found = []
        value = self._aggregate(counted)
        if value:
            found.append(f"{value} AS a_{place}")
        if counted.item.may_be_unclear:
            found.append(f"{self._unclear(counted)} AS x_{place}")
        if counted.item.currency:
            found.append(f"min({_only(counted.true, 'currency')}) AS c_{place}")
        return found

    def _aggregate(self, counted: Counted) -> str:
        match counted.metric.aggregate:
            case Aggregate.LAST:
                return self._known(counted, f"max({_only(counted.true, 'happened_at')})")
            case Aggregate.FIRST:
                return self._known(counted, f"min({_only(counted.true, 'happened_at')})")
            case Aggregate.COUNT if counted.leaf.after is None:
                return self._known(counted, _number_of(counted.true))
            case Aggregate.SUM:
                return self._sum(counted)
        return ""

    def _known(self, counted: Counted, value: str) -> str:
        if not counted.unknown:
            return value
        return f"CASE WHEN NOT ({self._unclear(counted)}) THEN {value} END"

    def _unclear(self, counted: Counted) -> str:
        """Only a later row that may count can change which one is the last."""
        true, unknown = (
            _only(condition, "happened_at") for condition in (counted.true, counted.unknown)
        )
        if counted.metric.aggregate is Aggregate.LAST:
            return f"coalesce(max({unknown}) > max({true}), max({unknown}) IS NOT NULL)"
        if counted.metric.aggregate is Aggregate.FIRST:
            return f"coalesce(min({unknown}) < min({true}), min({unknown}) IS NOT NULL)"
        return counted.unclear

    def _sum(self, counted: Counted) -> str:
        gaps = [counted.unclear] if counted.unknown else []
        if counted.value_unknown:
            gaps.append(f"bool_or({_and(counted.true, f'{counted.value} IS NULL')})")
        added = f"coalesce(sum({_only(counted.true, counted.value)}), 0)"
        total = f"TRY_CAST({added} AS {known_type(counted.metric.type)})"
        if self._adds_money(counted):
            currency = _only(counted.true, "currency")
            gaps.append(f"coalesce(min({currency}) <> max({currency}), FALSE)")
        return f"CASE WHEN NOT ({' OR '.join(gaps)}) THEN {total} END" if gaps else total

    def _latest(self, counted: Counted) -> list[str]:
        """The last row with the greatest and with the smallest value: the same, or unknown."""
        place, value = counted.item.place, counted.value
        rows = (
            f"max({_only(counted.true, _row(value))})",
            f"max({_only(counted.true, _row(f'-{value}'))})",
        )
        (greatest, smallest), gap = rows, counted.unclear
        differs = f"({greatest}).v <> -({smallest}).v"
        missing = f"{greatest} IS NOT NULL AND (({greatest}).v IS NULL OR {differs})"
        unclear = f"({gap} OR ({missing}))"
        found = [f"CASE WHEN NOT {unclear} THEN ({greatest}).v END AS a_{place}"]
        if counted.item.may_be_unclear:
            found.append(f"{unclear} AS x_{place}")
        return found

    def _own_query(self, counted: Counted) -> str:
        """The query of a metric that one aggregation cannot make."""
        if counted.metric.aggregate is Aggregate.INTERVAL:
            return self._interval(counted)
        return "" if counted.leaf.after is None else self._after(counted)

    def _interval(self, counted: Counted) -> str:
        day = local_day(self._plan.as_of, "happened_at")
        rows = self._projection([counted.condition])
        days = (
            f"SELECT DISTINCT customer, {day} AS day FROM ({rows}) "
            f"WHERE {_and(counted.true, 'happened_at IS NOT NULL')}"
        )
        between = (
            "SELECT customer, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS days "
            f"FROM ({days})"
        )
        # the middle of whole numbers is whole or a half: twice of it is whole
        middle = f"CAST(CAST(median(days) * 2 AS BIGINT) * 0.5 AS {SQL_TYPES[Type.NUMBER]})"
        return f"SELECT customer, {middle} AS a FROM ({between}) GROUP BY customer"

    def _after(self, counted: Counted) -> str:
        """Rows later than the last row of `after`; unknown where a row that may be one of those
        lies between rows that count."""
        rows = self._projection([counted.condition])
        responses = self._projection([counted.after])
        after = counted.after
        lasts = (
            f"SELECT customer, max({_only(after, 'happened_at')}) AS last_at, "
            f"max({_only(f'{after} IS NULL', 'happened_at')}) AS maybe_at FROM ({responses}) "
            "GROUP BY customer"
        )
        unknown = [f"({_and(counted.true, 'happened_at <= maybe_at')})"]
        if counted.unknown:
            unknown.append(f"({counted.unknown})")
        return (
            "SELECT customer, CASE WHEN coalesce(bool_or("
            f"{' OR '.join(unknown)}), FALSE) THEN NULL ELSE {_number_of(counted.true)} END AS a "
            f"FROM ({rows}) JOIN ({lasts}) USING (customer) "
            "WHERE last_at IS NULL OR happened_at > last_at GROUP BY customer"
        )

    def columns(self) -> list[str]:
        """The columns of `inputs` that tell nothing of one metric alone."""
        return [f"coalesce({self._table}.u, FALSE) AS u_{self._fact}"]

    def value(self, item: Input) -> str:
        """The value of an input of this table for a customer."""
        assert item.metric is not None  # noqa: S101 - an input of a facts table is a metric
        table, name = self._table, f"v_{item.place}"
        own = item.asked is not None and item.asked.after is not None
        known = "TRUE" if item.certain else f"NOT {table}.u"
        if item.history:
            known = f"{self._history} AND {known}"
        if own:
            value = f"CASE WHEN {name}.customer IS NULL THEN 0 ELSE {name}.a END"
        elif item.metric.aggregate is Aggregate.INTERVAL:
            if item.may_be_unclear:
                known += f" AND NOT {table}.x_{item.place}"
            value = f"{name}.a"
        else:
            value = f"{table}.a_{item.place}"
        if item.metric.may_be_never:
            return f"CASE WHEN {known} THEN {value} END"
        empty = f"{table}.customer IS NULL"
        if item.history:
            empty = f"{self._history} AND {empty}"
        return f"CASE WHEN {empty} THEN 0 WHEN {known} THEN {value} END"

    def unclear(self, item: Input) -> str:
        table = self._table
        return f"coalesce({table}.x_{item.place} AND NOT {table}.u, FALSE)"

    def currency(self, item: Input) -> str:
        known = f"NOT {self._table}.u"
        if item.history:
            known = f"{self._history} AND {known}"
        return f"CASE WHEN {known} THEN {self._table}.c_{item.place} END"


def _and(*conditions: str) -> str:
    return " AND ".join(item for item in conditions if item != "TRUE") or "TRUE"


def _only(condition: str, value: str) -> str:
    return value if condition == "TRUE" else f"CASE WHEN {condition} THEN {value} END"


def _number_of(condition: str) -> str:
    if condition == "TRUE":
        return "count(*)"
    return f"CAST(sum(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)"


def _row(value: str) -> str:
    return f"struct_pack(h := happened_at, n := {value} IS NULL, v := {value})"
