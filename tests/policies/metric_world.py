"""Generated facts of every table, and every metric and formula asked of them by both back ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

import duckdb

from policies.calendar import Calendar
from policies.condition import Expression
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import CompiledEvaluation, compile_evaluation
from policies.evaluation.customer_facts import InputValues, with_groups
from policies.evaluation.input import Input
from policies.evaluation.python_expression import ExpressionWriter
from policies.evaluation.sql_expression import ExpressionSql
from policies.language.expressions import build
from policies.language.metrics import FORMULAS, METRICS, Aggregate
from policies.language.scope import Scope
from policies.language.tree import NUMERIC, Compare, Constant, MetricValue, Never, Node, Today
from policies.language.vocabulary import EVENTS, PEOPLE, Column, Type
from policies.model import Limits, Policy, Protection
from policies.moment import AsOf, SourceState
from policies.money import ExchangeRate, Money
from tests.policies.policy_world import customer_facts, new_world

MOMENTS = (
    AsOf.midnight(date(2026, 3, 30), "Europe/Berlin"),  # the day after clocks jump
    AsOf(datetime(2026, 11, 2, 7, 30, tzinfo=UTC), "America/New_York"),
    AsOf.midnight(date(2026, 11, 22), "Asia/Shanghai"),
    AsOf.midnight(date(2026, 9, 6), "America/Santiago"),  # clocks jump over this midnight
)
WINDOWS = (1, 90, 400)
MONEY = Money(
    "CNY",
    (
        ExchangeRate("EUR", date(2025, 1, 1), Decimal("7.18845")),
        ExchangeRate("EUR", date(2026, 2, 1), Decimal("8.00005")),
        ExchangeRate("JPY", date(2025, 6, 1), Decimal("0.04812345")),
        ExchangeRate("JPY", date(2030, 1, 1), Decimal("0.05")),
    ),
)
FIELDS = {
    "Size": Type.INTEGER,
    "Score": Type.NUMBER,
    "Budget": Type.MONEY,
    "Renewal": Type.DATE,
    "Signed": Type.MOMENT,
    "Listed": Type.BOOLEAN,
    "Note": Type.TEXT,
}
SCOPE = Scope(fields=FIELDS, has_calendar=True)

# One condition that may be unknown for a row, and one that asks for the row's days.
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "activities": ("kind = 'call' OR seconds > 30", "backfilled OR burst"),
    "deals": ("amount > 300 OR state <> 'lost'", "closed_at IS NULL OR days_since(closed_at) < 40"),
    "quotes": ("days_since(valid_until) < 0 OR amount < 300", "days_until(valid_until) < 5"),
    "orders": ("amount >= 300", "currency IS NULL AND NOT backfilled"),
    "returns": ("fault = 'ours'", "reason IS NULL OR closed_at > happened_at"),
    "invoices": ("disputed OR amount > 300", "days_since(settled_at, else: due_on) > 3"),
    "complaints": ("fault = 'ours'", "days_since(happened_at) BETWEEN 2 AND 90"),
    "surveys": ("score / 3 > 1.5", "greatest(score, 4) = 4"),
    "contracts": (
        "days_since(starts_on) >= days_since(ends_on)",
        "least(days_since(starts_on), 100) > 3",
    ),
}


def metric_texts(conditions: Sequence[int] = (0, 1)) -> list[str]:
    """Every metric and formula: windowed and not, with and without a condition of the author."""
    return [text for name in (*METRICS, *FORMULAS) for text in _forms(name, conditions)]


def _forms(name: str, conditions: Sequence[int]) -> Iterator[str]:
    metric = METRICS.get(name)
    named = METRICS[name] if metric else FORMULAS[name]
    windows = [str(days) for days in WINDOWS] if named.windowed else []
    asked = [CONDITIONS[named.fact][place] for place in conditions]
    yield f"{name}()" if named.windowed else name
    yield from (f"{name}({window})" for window in windows)
    yield from (f"{name}({item})" for item in asked)
    yield from (f"{name}({windows[-2]}, {item})" for item in asked if windows)
    if metric is None:
        yield f"{name}({windows[-1]}, min_n: 1)" if windows else f"{name}(min_n: 2)"
    if metric is None or (metric.may_be_never and metric.type is not Type.MOMENT):
        yield f"{name}(else: 7)"
        yield from (f"{name}({item}, else: 2.5)" for item in asked)


def tree_of(text: str, scope: Scope = SCOPE) -> Node:
    built = build(text, scope, condition=False)
    assert built.node is not None, (text, built.complaints)
    return built.node


def asked_by(node: Node) -> Node:
    """A condition that reads the value."""
    if node.type in NUMERIC:
        return Compare(">=", node, Constant(3))
    if node.type is Type.TEXT:
        return Compare("=", node, Constant("a"))
    return Never(node) if node.type is Type.MOMENT else node


def policy_of(trees: Iterable[Node], **settings: Any) -> Policy:
    """A policy that asks one condition a protection."""
    shields = tuple(
        Protection(f"p{place}", Expression("", asked_by(tree)), frozenset({"void"}))
        for place, tree in enumerate(trees)
    )
    return Policy(2, "p", None, {}, shields, (), Limits(), **settings)


def instants_of(trees: Iterable[Node]) -> list[Node]:
    """Conditions that read moments to the microsecond."""
    return [Compare("<", tree, Today()) for tree in trees if tree.type is Type.MOMENT]


def windowed_intervals() -> list[Node]:
    """Intervals over a window: the tree can say it, the language does not yet."""
    found = []
    for name, metric in METRICS.items():
        if metric.aggregate is not Aggregate.COUNT:
            tree = tree_of(name if not metric.windowed else f"{name}()")
            assert isinstance(tree, MetricValue)
            if metric.aggregate in {Aggregate.INTERVAL, Aggregate.LATEST, Aggregate.LAST}:
                found.append(replace(tree, days=90))
    return list[Node](found)


class Comparison:
    """One policy run over one world by both back ends."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        policy: Policy,
        as_of: AsOf,
        sources: Mapping[str, SourceState],
    ) -> None:
        self.policy = policy
        self.by_sql = SqlRun(connection, compile_evaluation(policy, as_of, sources))
        self.by_python = PythonRun(connection, PythonEvaluation(policy, as_of, sources))

    def differences(self) -> list[str]:
        """What differs, in words."""
        found = []
        names = self.by_sql.names
        theirs = self.by_python.rows
        if self.by_sql.rows.keys() != theirs.keys():
            return [f"customers differ: {self.by_sql.rows.keys() ^ theirs.keys()}"]
        for key, row in self.by_sql.rows.items():
            pairs = zip(names, row, theirs[key], strict=True)
            found += [
                f"{key} {name}: {ours!r} in SQL, {other!r} in Python"
                for name, ours, other in pairs
                if (ours, type(ours)) != (other, type(other)) and not _same_number(ours, other)
            ]
        return found


def _same_number(one: object, other: object) -> bool:
    numbers = (int, Decimal)
    return isinstance(one, numbers) and isinstance(other, numbers) and one == other


def _value_nodes(policy: Policy) -> list[tuple[int, Node]]:
    """The numbers and texts that protections compare, to be read themselves."""
    return [
        (place, tree.left)
        for place, item in enumerate(policy.protections)
        if isinstance(tree := item.when.tree, Compare) and tree.left.type is not Type.MOMENT
    ]


def _labelled(item: Input) -> Iterator[str]:
    yield f"{item.name} {item.leaf!r}"
    if item.instant:
        yield f"instant of {item.name}"
    if item.may_be_unclear:
        yield f"unclear {item.name} {item.leaf!r}"
    if item.currency:
        yield f"currency of {item.name}"


class SqlRun:
    """Inputs, values and findings of DuckDB, by customer."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation) -> None:
        for statement in compiled.inputs_statements:
            connection.execute(statement)
        self.thresholds: dict[str, Any] = {}
        for name, query in compiled.threshold_queries:
            self.thresholds[name] = connection.execute(query).fetchone()
        connection.execute(compiled.findings_sql(self.thresholds))
        plan = compiled.plan
        columns = ["i.key", "h", *(f"u_{fact}" for fact in plan.facts)]
        self.names = ["history known", *(f"undated {fact}" for fact in plan.facts)]
        for item in plan.inputs:
            columns += [item.column, item.instant_column][: 1 + item.instant]
            columns += [item.unclear_column] if item.may_be_unclear else []
            columns += [item.currency_column] if item.currency else []
            self.names += _labelled(item)
        expressions = ExpressionSql(plan, self.thresholds)
        for place, node in _value_nodes(plan.policy):
            columns.append(expressions.sql(node))
            self.names.append(f"value of p{place} {node!r}")
        columns += [f"p_{place}" for place in range(len(plan.policy.protections))]
        self.names += [f"p{place} holds" for place in range(len(plan.policy.protections))]
        query = f"SELECT {', '.join(columns)} FROM inputs i JOIN findings f ON f.key = i.key"
        self.rows = {row[0]: row[1:] for row in connection.execute(query).fetchall()}
        self.evidence = _sql_evidence(connection, compiled)


def _sql_evidence(
    connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation
) -> dict[tuple[str, str], Any]:
    names = [item.id for item in compiled.plan.policy.protections]
    groups = [compiled.evidence_columns(name) for name in names]
    columns = list(dict.fromkeys(column for group in groups for column in group))
    result = connection.execute(f"SELECT key, {', '.join(columns)} FROM inputs")
    found = {}
    for key, *values in result.fetchall():
        row = dict(zip(columns, values, strict=True))
        for name, group in zip(names, groups, strict=True):
            found[key, name] = compiled.read_evidence(name, [row[column] for column in group])
    return found


class PythonRun:
    """The same in Python."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, evaluation: PythonEvaluation) -> None:
        plan = evaluation.plan
        everyone = with_groups(customer_facts(connection), plan.as_of, plan.policy.group)
        inputs = {key: evaluation.inputs(facts) for key, facts in everyone.items()}
        known = {key: values for key, values in inputs.items() if values is not None}
        self.thresholds = evaluation.thresholds(known.values())
        writer = ExpressionWriter(plan)
        values = writer.compiled([writer.value(node) for _, node in _value_nodes(plan.policy)])
        breaks = [self.thresholds[f"t_{place}"] for place in range(len(plan.ranks))]
        self.rows = {}
        self.evidence = {}
        for key, item in known.items():
            with localcontext(Context(prec=100)):
                gaps = item.gaps
                own = values(
                    item.values, item.instants, gaps.history_known, gaps.unclear, gaps.mixed, breaks
                )
            _, holds = evaluation.findings(item, self.thresholds)
            undated = [fact in gaps.undated for fact in plan.facts]
            read = (value for place in plan.inputs for value in _read(item, place))
            self.rows[key] = (gaps.history_known, *undated, *read, *own, *holds)
            for shield in evaluation.explain(item, self.thresholds).protections:
                self.evidence[key, shield.id] = shield.evidence


def _read(values: InputValues, item: Input) -> Iterator[Any]:
    yield values.values[item.place]
    if item.instant:
        yield values.instants[item.place]
    if item.may_be_unclear:
        yield item.place in values.gaps.unclear
    if item.currency:
        yield values.currencies[item.place]


def metric_world(as_of: AsOf, customers: int, *, events: int = 16) -> duckdb.DuckDBPyConnection:
    """A seeded world around the moment: nulls, ties, edges of windows, changes of clocks, late
    records, several currencies, moments behind the run."""
    connection = new_world()
    connection.execute(
        "CREATE MACRO pick(n, salt, k) AS CAST(hash(n * 104729 + salt) % k AS BIGINT)"
    )
    edges = [as_of.window_start(days) for days in (1, 40, 90, 365)]
    edges += [start for start, _ in as_of.offsets[:4]] + [as_of.utc]
    connection.execute(f"CREATE TABLE edges AS SELECT {_list(edges)} AS moments")
    for salt, (name, table) in enumerate(EVENTS.items(), start=1):
        columns = ", ".join(_event_column(as_of, column, salt * 100) for column in table.columns)
        connection.execute(
            f"INSERT INTO {name} BY NAME SELECT {columns} FROM ("
            f"SELECT i, i * 64 + j AS n, {_happened(as_of, salt)} AS moment "
            f"FROM range({customers}) t(i), range({events}) s(j), edges "
            f"WHERE pick(i * 64 + j, {salt * 7}, 8) < pick(i, {salt * 11}, 9))"
        )
    _add_customers(connection, as_of, customers)
    return connection


def _list(moments: Iterable[datetime]) -> str:
    return "[" + ", ".join(f"TIMESTAMP '{moment}'" for moment in moments) + "]"


def _happened(as_of: AsOf, salt: int) -> str:
    n, utc = "(i * 64 + j)", f"TIMESTAMP '{as_of.utc}'"
    steps = "[INTERVAL '-1 second', INTERVAL '-1 microsecond', INTERVAL 0 SECOND, "
    steps += "INTERVAL 1 MICROSECOND, INTERVAL 1 SECOND]"
    edge = (
        f"moments[1 + pick({n}, {salt + 1}, len(moments))] + {steps}[1 + pick({n}, {salt + 2}, 5)]"
    )
    some = f"{utc} - to_seconds(pick({n}, {salt + 3}, 12) * 86400 * 37 + pick({n}, {salt}, 3) * 5)"
    any_day = (
        f"{utc} - to_seconds(pick({n}, {salt + 4}, 700) * 86400 + pick({n}, {salt + 5}, 48) * 1800)"
    )
    return (
        f"CASE pick({n}, {salt + 6}, 9) WHEN 0 THEN {edge} WHEN 1 THEN {some} "
        f"WHEN 2 THEN {some} ELSE {any_day} END"
    )


def _event_column(as_of: AsOf, column: Column, salt: int) -> str:
    value = {
        "customer": "'A:' || i",
        "id": "n",
        "source": "'s'",
        "number": "n",
        "happened_at": f"CASE WHEN i % 4 > 0 OR pick(n, {salt + 1}, 40) > 0 THEN moment END",
        "recorded_at": (
            f"CASE pick(n, {salt + 2}, 9) WHEN 0 THEN NULL WHEN 1 THEN TIMESTAMP '{as_of.utc}' "
            f"WHEN 2 THEN moment + to_days(4) ELSE moment END"
        ),
    }.get(column.name)
    if value is None:
        place = sum(map(ord, column.name))
        value = _any_value(as_of, column, salt + place)
    return f"{value} AS {column.name}"


def _any_value(as_of: AsOf, column: Column, salt: int) -> str:
    pick = f"pick(n, {salt}, "
    values: Sequence[str] = column.values or ("a", "b")
    if column.name == "currency":
        known = ", ".join(f"'{value}'" for value in ("CNY", "", "EUR", "JPY", "XXX"))
        mixed = f"[{known}][1 + {pick}5)]"
        return f"CASE WHEN i % 3 > 0 THEN 'CNY' WHEN i % 9 > 0 THEN {mixed} END"
    options = ", ".join(f"'{value}'" for value in values)
    value = {
        Type.TEXT: f"[{options}][1 + {pick}{len(values)})]",
        Type.BOOLEAN: f"{pick}2) = 0",
        Type.INTEGER: f"{pick}4) * 20",
        Type.NUMBER: f"CAST({pick}41) * 0.25 AS DECIMAL(38,6))",
        Type.MONEY: f"CAST({pick}9) * 100.0625 - 100 AS DECIMAL(18,4))",
        Type.DATE: (
            f"CAST([DATE '{as_of.day}', CAST(moment AS DATE)][1 + pick(n, {salt + 3}, 2)] "
            f"AS DATE) + CAST({pick}20) * 3 - 15 AS INTEGER)"
        ),
        Type.MOMENT: (
            f"CASE pick(n, {salt + 4}, 5) WHEN 0 THEN TIMESTAMP '{as_of.utc}' "
            f"WHEN 1 THEN moment ELSE moment + to_seconds({pick}90) * 43200) END"
        ),
    }[column.type]
    if column.type is Type.MOMENT:
        return f"CASE WHEN i % 4 = 2 OR pick(n, {salt + 5}, 3) > 0 THEN {value} END"
    # every second customer is one of whom all is known
    return f"CASE WHEN i % 2 = 0 OR pick(n, {salt + 5}, 9) > 0 THEN {value} END"


_FIELD_VALUES: Mapping[str, Sequence[str]] = {
    "Size": ("12", "-7", "5.0", "", "many", " 30 ", "12345678901234567890"),
    "Score": ("1.5", "-0.0000005", "2.12345650", "1e3", "7", ""),
    "Budget": ("1000", "3.33335", "-3.33335", "x", "9999999999999999.99995"),
    "Renewal": ("2026-12-24", "2026-02-30", "2026-01-05", "24.12.2026", ""),
    "Signed": (
        "2026-01-05T23:30:00+08:00",
        "2026-10-25 00:30",
        "2026-10-25T01:30:00.25Z",
        "2027-07-01T12:00:00-0500",
        "2026-13-01T00:00",
        "soon",
    ),
    "Listed": ("true", "False", "1", "0", "maybe"),
    "Note": ("a", "b", ""),
}


def _add_customers(connection: duckdb.DuckDBPyConnection, as_of: AsOf, customers: int) -> None:
    fields = ", ".join(
        f"'{name}': [{', '.join(repr(value) for value in (*values, 'a'))}]"
        f"[1 + pick(i, {900 + place}, {len(values)})]"
        for place, (name, values) in enumerate(_FIELD_VALUES.items())
    )
    utc, day = f"TIMESTAMP '{as_of.utc}'", f"DATE '{as_of.day}'"
    connection.execute(
        f"""
INSERT INTO customers BY NAME SELECT 'A:' || i AS key, 'A' AS object, i AS id,
  CASE pick(i, 801, 9) WHEN 0 THEN NULL ELSE 'P' || pick(i, 802, 40) END AS owner_id,
  CASE pick(i, 803, 9) WHEN 0 THEN NULL WHEN 1 THEN {utc} - to_seconds(pick(i, 804, 3) - 1)
    ELSE {utc} - to_seconds(pick(i, 805, 900) * 43200) END AS created_at,
  CASE pick(i, 806, 3) WHEN 0 THEN NULL ELSE {utc} - to_seconds((pick(i, 807, 300) - 3) * 3600) END
    AS owned_since,
  CASE pick(i, 808, 2) WHEN 0 THEN ['x'] ELSE [] END AS tags,
  [NULL, '', 'a', 'b'][1 + pick(i, 809, 4)] AS status,
  [NULL, '', 'company', 'person'][1 + pick(i, 810, 4)] AS party,
  [NULL, TRUE, FALSE][1 + pick(i, 811, 3)] AS do_not_contact,
  [NULL, TRUE, FALSE][1 + pick(i, 812, 3)] AS phone_valid,
  [NULL, TRUE, FALSE][1 + pick(i, 813, 3)] AS email_valid,
  [NULL, '', 'a', 'b'][1 + pick(i, 814, 4)] AS attitude,
  CASE pick(i, 815, 4) WHEN 0 THEN NULL
    ELSE {utc} - to_seconds((pick(i, 816, 9) * 45 - 1) * 43200) END AS attitude_at,
  [NULL, '', 'G', 'H', 'I'][1 + pick(i, 817, 5)] || CASE WHEN pick(i, 818, 5) > 2 THEN ''
    ELSE CAST(i // 9 AS VARCHAR) END AS group_key,
  CASE pick(i, 819, 9) WHEN 0 THEN NULL ELSE MAP {{{fields}}} END AS fields,
  CASE pick(i, 820, 9) WHEN 0 THEN NULL ELSE {day} + CAST(pick(i, 821, 5) - 3 AS INTEGER) END
    AS first_seen_on
FROM range({customers}) t(i)"""
    )
    people = ", ".join(
        f"CASE WHEN pick(i, {850 + place}, 3) > 0 THEN {_person(column, place, day)} END "
        f"AS {column.name}"
        for place, column in enumerate(PEOPLE.columns)
        if column.name != "id"
    )
    connection.execute(
        f"INSERT INTO people BY NAME SELECT 'P' || i AS id, {people} FROM range(37) t(i)"
    )


def _person(column: Column, place: int, day: str) -> str:
    if column.type is Type.BOOLEAN:
        return f"pick(i, {870 + place}, 2) = 0"
    if column.type is Type.DATE:
        return f"{day} + CAST(pick(i, {870 + place}, 5) - 2 AS INTEGER)"
    return f"['', 'a', 'b'][1 + pick(i, {870 + place}, 3)]"


CALENDAR = Calendar("CN")
CUSTOMER_TEXTS = (
    "owner_active",
    "owner_absent",
    "owner_department",
    "owner_region",
    "attitude",
    "attitude IS NULL",
    "never(attitude_at)",
    "days_since(attitude_at)",
    "phone_valid AND NOT email_valid",
    "do_not_contact",
    "party IS NULL OR status = 'a'",
    "field('Size')",
    "field('Size') IS NULL",
    "field('Score') * 3",
    "field('Budget') / 7",
    "field('Note') IS NULL",
    "field('Note') = 'a'",
    "field('Listed')",
    "days_since(field('Signed'))",
    "never(field('Signed'))",
    "days_until(field('Renewal'))",
    "orders_amount(400) + deals_amount()",
    "rate(returns_amount(), orders_amount(), min_n: 1)",
    "greatest(receivable_open, quotes_amount(), 5) - orders_amount(90) * 2",
    "if(orders_amount() > returns_amount(), contracts_amount(), invoices_amount()) / 3",
    "data_age('orders')",
    "data_age('deals')",
    "workdays_since(created_at)",
    "workdays_since(last_order_at)",
    "workdays_since(last_order_at, else: owned_since)",
    "workdays_since(greatest(last_order_at, last_activity_at))",
    "days_since(least(last_order_at(amount > 300), last_followup_at))",
    "last_order_at > owned_since",
    "if(orders_count() > 3, orders_count(), 2.5)",
    "rate(orders_count(), activities_count(), min_n: 2, else: 0)",
    "orders_amount() / 3",
    "quintile(orders_amount())",
    "quintile(days_since(last_followup_at))",
    "abc(deals_count(), 50, 90) = 'A'",
    "abc(orders_amount(365)) = 'B'",
    "has_tag('x')",
)


def complete_sources(as_of: AsOf) -> dict[str, SourceState]:
    pulled = as_of.utc - timedelta(days=2)
    names = (*EVENTS, "people")
    return {name: SourceState(complete=True, pulled_at=pulled) for name in names}
