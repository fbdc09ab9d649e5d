"""Whether a condition can hold at all: sure where it says no, and never wrong about that."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.authoring.ranges import Range
from policies.authoring.satisfiable import always_holds, can_hold
from policies.authoring.written import MAX_LENGTH, full_text, name_in, written
from policies.language.expressions import build
from policies.language.scope import Scope
from policies.language.tree import (
    AllOf,
    AnyOf,
    Case,
    Compare,
    Constant,
    DaysSince,
    MetricValue,
    Node,
    Not,
    RowColumn,
    Today,
    WorkdaysSince,
    leaves,
)
from policies.language.vocabulary import Type

SCOPE = Scope(
    fields={"Score": Type.NUMBER, "Visit": Type.DATE, "Way": Type.TEXT}, has_calendar=True
)


def tree(text: str) -> Node:
    built = build(text, SCOPE)
    assert built.node is not None, built.complaints
    return built.node


@pytest.mark.parametrize(
    "text",
    [
        "orders_count() > 5 AND orders_count() < 6",
        "orders_count() = 5 AND orders_count() <> 5",
        "orders_count() >= 1 AND orders_count() <= 2 AND orders_count() NOT IN (1, 2)",
        "orders_count() = 1.5",
        "orders_count() IN (3, 4) AND orders_count() > 4",
        "5 < orders_count() AND 4 > orders_count()",
        "orders_amount() > 5 AND orders_amount() < 5",
        "orders_amount() >= 5 AND orders_amount() < 5",
        "orders_amount() > 5 AND orders_amount() <= 5",
        "orders_amount() <= 5 AND orders_amount() >= 5 AND orders_amount() <> 5",
        "orders_count(90) > 5 AND orders_count(365) < 3",
        "orders_count(90) > 5 AND orders_count() < 3",
        "orders_count(180) > 0 AND days_since(last_order_at) > 180",
        "orders_count() > 0 AND never(last_order_at)",
        "region = 'a' AND region = 'b'",
        "region = 'a' AND 'a' <> region",
        "region IN ('a', 'b') AND region NOT IN ('b', 'a')",
        "region = 'x' AND region IS NULL",
        "region = industry AND region <> industry",
        "region = industry AND region IS NULL",
        "region = industry AND industry IS NULL",
        "party NOT IN ('company', 'person', 'sole_trader')",
        "on_time_rate(365) > 1",
        "on_time_rate(365) < 0",
        "win_rate(365) > 1",
        "rate(orders_count(90), orders_count(90)) > 1",
        "order_interval_median < 1",
        "order_interval_median(else: 0) < 0",
        "abc(orders_amount()) <> 'A' AND abc(orders_amount()) NOT IN ('B', 'C')",
        "quintile(orders_count()) > 4 AND quintile(orders_count()) < 5",
        "data_age('orders') < 0",
        "days_since(created_at) < 0",
        "days_since(greatest(created_at, owned_since)) < 0",
        "workdays_since(owned_since) < 0",
        "days_since(owned_since) > 3 AND never(owned_since)",
        "last_order_at > created_at AND created_at >= last_order_at",
        "orders_count() > greatest(5, 2 * returns_count()) AND orders_count() < 5",
        "least(orders_count(), 3) > 3",
        "orders_count() - returns_count() > 3 AND returns_count() - orders_count() > 0",
        "orders_count() <= 3 AND returns_count() >= 5 AND orders_count() >= returns_count()",
        "orders_count() * 2 < 4 AND 2 * orders_count() > 4",
        "orders_count() - orders_count() > 0",
        "if(orders_count() > 3, 1, 2) = 3",
        "3 = if(orders_count() > 3, 1, 2)",
        "if(orders_count() > 3, 1, 2) = 2 AND orders_count() = 5",
        "if(orders_count() > 3, 1, 2) IN (3, 4)",
        "if(orders_count() > 3, 'x', 'y') NOT IN ('x', 'y')",
        "phone_valid AND NOT phone_valid",
        "has_tag('a') AND NOT (has_tag('a') OR orders_count() > 3)",
        "NOT (NOT has_tag('a')) AND NOT has_tag('a')",
        "orders_count() BETWEEN 5 AND 3",
        "field('Score') > 5 AND field('Score') IS NULL",
        "field('Way') = 'a' AND field('Way') = 'b'",
        "FALSE AND has_tag('x')",
        "NOT TRUE AND has_tag('x')",
        "(orders_count() > 3 OR orders_count() < 0) AND orders_count() < 2",
    ],
)
def test_what_can_never_hold(text: str) -> None:
    assert not can_hold(tree(text)), text


@pytest.mark.parametrize(
    "text",
    [
        "orders_count() > 5 AND orders_count() < 7",
        "orders_amount() > 5 AND orders_amount() < 6",
        "orders_amount() < 0",
        "orders_count(365) > 5 AND orders_count(90) < 3",
        "orders_count(365) > 5 AND returns_count() < 3",
        "orders_count(180) > 0 AND days_since(last_order_at) > 179",
        "orders_count(180) > 0 AND days_since(last_return_at) > 180",
        "orders_count(180) > 0 AND days_since(first_order_at) > 180",
        "orders_count() > 0 AND days_since(last_order_at) > 180",
        "orders_count(180) > 0 AND never(last_return_at)",
        "orders_count(180) = 0 AND never(last_order_at)",
        "NOT never(last_order_at) AND orders_count() > 0",
        "never(last_order_at) AND days_since(last_order_at) > 3",
        "region = 'x' OR region IS NULL",
        "region = industry AND region <> country",
        "return_rate(365) > 1",
        "rate(orders_count() - returns_count(), orders_count()) < 0",
        "rate(orders_count() + returns_count(), orders_count()) > 1",
        "rate(5, orders_count(), min_n: 1) > 1",
        "rate(orders_count(90), orders_count()) > 1",
        "rate(orders_amount(), returns_amount()) > 1",
        "rate(orders_count(), data_age('orders')) > 1",
        "on_time_rate(365, else: 2) > 1",
        "rate(order_interval_median, orders_count()) > 2",
        "rate(activities_count(), activity_interval_median) > 2",
        "order_interval_median(else: 0) < 1",
        "csat(365) > 5",
        "last_nps < 0",
        "days_since(field('Visit')) < 0",
        "workdays_since(field('Visit')) < 0",
        "days_until(field('Visit')) > 3",
        "orders_count() = greatest(1, returns_count())",
        "greatest(last_order_at, created_at) > owned_since",
        "if(orders_count() > 3, 1, 2) = 2",
        "if(orders_count() > 3, 'x', 'y') IN ('y')",
        "if(orders_count() > 3, region, 'y') = 'z'",
        "if(orders_count() > 3, 'x', 'y') <> 'x'",
        "NOT (has_tag('a') AND has_tag('b'))",
        "NOT (region IN ('a', 'b'))",
        "orders_amount() / 3 > 5 AND orders_amount() < 5",
        "orders_amount() * 2 > 5",
        "orders_count() * returns_count() > 3",
        "orders_count() * 1.5 > 3 AND orders_count() + returns_count() * 0.5 < 7",
        "orders_count() > 0 AND orders_amount() <> 0",
        "quotes_valid > 0 AND quotes_count() = 0",
        "attempts_unanswered(30) > 3 AND attempts_unanswered(90) = 0",
    ],
)
def test_what_may_hold(text: str) -> None:
    assert can_hold(tree(text)), text


def test_what_always_holds_where_it_is_known() -> None:
    assert always_holds(tree("orders_count() >= 0"))
    assert always_holds(tree("region = 'a' OR region <> 'a'"))
    assert not always_holds(tree("orders_count() > 0"))


def test_rows_of_a_facts_table_are_judged_too() -> None:
    def rows(condition: str) -> Node:
        metric = next(iter(leaves(tree(f"activities_count(365, {condition}) > 0"))))
        assert isinstance(metric, MetricValue)
        assert metric.rows is not None
        return metric.rows

    assert not can_hold(rows("kind = 'call' AND kind = 'mail'"))
    assert not can_hold(rows("direction NOT IN ('ours', 'theirs')"))
    assert not can_hold(rows("automated"))
    assert not can_hold(rows("seconds > 30 AND seconds < 31"))
    assert can_hold(rows("owner_id = 'wang' AND days_since(recorded_at) < 0"))


def test_today_is_no_days_ago() -> None:
    today = DaysSince(Today(), None)
    assert not can_hold(Compare(">", today, Constant(0)))
    assert can_hold(Compare("=", WorkdaysSince(Today(), None), Constant(0)))


def test_what_follows_from_what() -> None:
    more, fewer = tree("orders_count() > 5"), tree("orders_count() > 3")
    assert not can_hold(more, Not(fewer))
    assert can_hold(fewer, Not(more))


def test_the_tier_of_a_customer_is_taken_apart() -> None:
    bands = (tree("orders_count() >= 10"), tree("orders_count() >= 5"))
    scope = Scope(tiers={"值": _tier(bands)})
    built = build("tier('值') = 'B' AND orders_count() > 9", scope)
    assert built.node is not None
    assert not can_hold(built.node)
    built = build("tier('值') <> 'A' AND orders_count() < 5", scope)
    assert built.node is not None
    assert can_hold(built.node)


def _tier(bands: tuple[Node, ...]) -> Node:
    return Case(bands, (Constant("A"), Constant("B")), None, Type.TEXT)


def test_a_condition_that_is_too_large_to_be_sure_of_may_hold() -> None:
    parts = tuple(
        AnyOf((tree(f"has_tag('a{n}')"), tree(f"orders_count({n + 1}) = {n}"))) for n in range(30)
    )
    contradiction = tree("returns_count() + 1 < deals_count() AND deals_count() < 1")
    assert not can_hold(contradiction)
    assert can_hold(AllOf((*parts[:15], AnyOf((contradiction, contradiction)), *parts[15:])))


NUMBERS = st.integers(-3, 6)
OPERATORS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def _comparisons() -> st.SearchStrategy[Node]:
    facts = [MetricValue("orders_count"), MetricValue("returns_count")]
    return st.builds(
        lambda operator, fact, number: Compare(operator, fact, Constant(number)),
        OPERATORS,
        st.sampled_from(facts),
        NUMBERS,
    )


def _trees() -> st.SearchStrategy[Node]:
    return st.recursive(
        _comparisons(),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: AllOf(tuple(parts))),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        ),
        max_leaves=8,
    )


def _value(node: Node, counts: dict[str, int]) -> bool:
    if isinstance(node, Not):
        return not _value(node.part, counts)
    if isinstance(node, AllOf):
        return all(_value(part, counts) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(_value(part, counts) for part in node.parts)
    assert isinstance(node, Compare)
    assert isinstance(node.left, MetricValue)
    assert isinstance(node.right, Constant)
    left, right = counts[node.left.name], node.right.value
    assert isinstance(right, int)
    return {
        "=": left == right,
        "<>": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[node.operator]


@settings(max_examples=300, deadline=None)
@given(_trees())
def test_on_counts_the_answer_is_that_of_trying_every_customer(node: Node) -> None:
    customers = [
        {"orders_count": orders, "returns_count": returns}
        for orders in range(9)
        for returns in range(9)
    ]
    assert can_hold(node) == any(_value(node, counts) for counts in customers)


def test_ranges_join_and_meet() -> None:
    one, two = Fraction(1), Fraction(2)
    assert Range(one, two).joins(Range(low=two)) == Range(one, None)
    assert Range(one, two, high_open=True).meets(Range(high=two)).high_open
    assert Range(one, two).at_most(two, strict=True).high_open
    assert not Range(integer=True, low=Fraction(0), high=Fraction(99)).is_empty


@pytest.mark.parametrize(
    "text",
    [
        "NOT (orders_count() > 3 OR has_tag('x'))",
        "(orders_count() + 1) > 3 AND region IN ('a', 'b')",
        "never(last_order_at) AND region IS NULL",
        "days_since(last_order_at) > 1.5 AND workdays_since(owned_since) > 3",
        "greatest(orders_count(), 3) > least(1, returns_count())",
        "abc(orders_amount()) = 'A' AND abc(orders_amount(), 70, 90) = 'B'",
        "on_time_rate(365) > 0.5 AND open_deals_age_mean > 3 AND csat() > 3",
        "rate(orders_count(), returns_count()) > 0.5",
        "if(orders_count() > 3, ...) = 1",
        "TRUE AND phone_valid",
    ],
)
def test_a_part_is_written_as_an_author_writes_it(text: str) -> None:
    assert full_text(tree(text.replace(", ...)", ", 1, 2)"))) == text


def test_a_tier_is_written_by_its_name() -> None:
    bands = (tree("orders_count() >= 10"), tree("orders_count() >= 5"))
    assert written(Compare("=", _tier(bands), Constant("A"))) == "tier = 'A'"


def test_long_parts_are_cut() -> None:
    part = tree(" AND ".join(f"has_tag('{n}')" for n in range(40)))
    assert len(written(part)) == MAX_LENGTH


def test_rows_are_written_too() -> None:
    rows = RowColumn("orders", "happened_at")
    assert full_text(DaysSince(rows, Today())) == "days_since(happened_at)"
    assert full_text(DaysSince(Today(), None)) == "days_since(today)"


def test_the_name_that_finds_a_part() -> None:
    assert name_in(tree("on_time_rate(365) > 0.5")) == "on_time_rate"
    assert name_in(tree("rate(orders_count(), returns_count()) > 0.5")) == "orders_count"
    assert name_in(tree("days_since(owned_since) > 5")) == "owned_since"
    assert name_in(tree("data_age('orders') > 5")) == "orders"
    assert name_in(tree("has_tag('a b') OR open_deals > 3")) == "a b"
    assert name_in(Constant("华东")) == "华东"
    assert name_in(Compare("=", Constant(1), Constant(1))) == ""
