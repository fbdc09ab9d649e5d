"""Conditions: what is understood, and what is refused with its place and its fix."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.expressions import build
from policies.language.metrics import FUNCTIONS, METRICS
from policies.language.number_text import plain
from policies.language.scope import Built, Defined, Scope
from policies.language.syntax import names_in, tiers_in
from policies.language.tree import (
    AllOf,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    DaysSince,
    MetricValue,
    Never,
    Node,
    Not,
    RowColumn,
    canonical,
    leaves,
    walk,
)
from policies.language.vocabulary import ATTRIBUTES, Type

SCOPE = Scope(
    params={"天数": 180, "share": Decimal("0.5"), "on": True, "word": "x"},
    defines={
        "won": Defined(build("orders_count() > 0", Scope()).node),
        "金额": Defined(build("orders_amount()", Scope(), condition=False).node),
        "金额（万）": Defined(build("orders_amount()", Scope(), condition=False).node),
        "broken": Defined(None),
        "huge": Defined(Constant(value=True), size=4_999),
    },
    undefined=frozenset({"circular"}),
)


def built(text: str) -> Built:
    return build(text, SCOPE)


def tree(text: str) -> Node:
    result = built(text)
    assert result.complaints == ()
    assert result.node is not None
    return result.node


def number(text: str) -> Node:
    result = build(text, SCOPE, condition=False)
    assert result.complaints == ()
    assert result.node is not None
    return result.node


@pytest.mark.parametrize(
    "text",
    [
        "open_deals = 0 AND NOT (won_deals > 0 OR has_tag('x'))",
        "days_since(last_activity_at) >= $天数",
        "days_since(last_activity_at, else: owned_since) > 3",
        "days_since(last_activity_at,else:owned_since) > 3",
        "days_since(greatest(last_order_at, last_activity_at)) > 3",
        "never(last_order_at) AND last_activity_at IS NULL AND last_return_at IS NOT NULL",
        "region IN ('东', '西') AND country NOT IN ('NO') AND status <> 'x' AND email IS NULL",
        "orders_count(365) BETWEEN 1 AND 3",
        "orders_count(365) NOT BETWEEN 1 AND $天数",
        "orders_amount() / orders_count() > 12.50",
        "orders_amount(30) - returns_amount(30) * 2 < -5",
        "-orders_amount() < -$share",
        "least(open_deals, 3) + won_deals >= 1",
        "greatest(orders_amount(), 100.5) > 1000",
        "least(orders_count() / 2, 1.5) > 1",
        "last_order_at > owned_since",
        "quintile(orders_amount(365)) IN (4, 5)",
        "quintile(days_since(last_order_at)) = 5",
        "abc(orders_amount(365)) <> 'C'",
        "won AND 金额 > 100 AND $on",
        "phone = $word",
        "returns_amount(365) / orders_amount(365) >= 0.25",
        "open_deals = 0 OR true",
        "orders_count() * 1.5 >= 3",
    ],
)
def test_the_language_reads(text: str) -> None:
    assert tree(text).type is Type.BOOLEAN


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "empty"),
        ("x" * 5_000, 0, "longer than"),
        ("days_since(last_activty_at) > 1", 11, "did you mean 'last_activity_at'?"),
        ("open_deals = 0 AND has_tg('x')", 19, "did you mean 'has_tag'?"),
        ("open_deals > $tage", 13, "unknown parameter '$tage'"),
        ("1 = 1 OR open_deals", 0, "compares two constants"),
        ("1 = 1 OR open_deals", 9, "did you mean open_deals > 0?"),
        ("orders_count() >= '9'", 0, "write 9 without quotes"),
        ("orders_count() >= 'nine'", 0, "compare with a number"),
        ("status = 5", 0, "write '5' in single quotes"),
        ("status = last_order_at", 0, "use days_since(last_order_at)"),
        ("greatest(created_at, owned_since) > 3", 0, "use days_since(...)"),
        ("last_order_at > '2024-01-01'", 0, "use days_since(last_order_at)"),
        ("has_tag('x') = open_deals", 0, "is compared with"),
        ("has_tag('x') = has_tag('y')", 0, "conditions are not compared"),
        ("status > 'a'", 0, "text has no order"),
        ("orders_amount() > orders_count()", 0, "money goes with money"),
        ("orders_amount() + open_deals > 3", 0, "money goes with money"),
        ("greatest(orders_amount(), open_deals) > 3", 0, "money goes with money"),
        ("orders_amount() * orders_amount() > 3", 0, "money times money"),
        ("open_deals / 0 > 1", 0, "divides by zero"),
        ("open_deals * 1.000001 * 1.000001 / 2 > 1", 0, "too many decimals for a division"),
        (
            "orders_amount() * 123456789012.123456 * 123456789012.123456 > 1",
            0,
            "more than 38 digits",
        ),
        (
            "1 / (orders_amount() * 99999999999999.9999) > 1",
            0,
            "too many decimals for a division",
        ),
        ("1 / (open_deals * won_deals * 999999999999.999999) > 1", 0, "more than 38 digits"),
        ("region + 1 > 2", 0, "region is no number"),
        ("created_at + 1 > 2", 0, "use days_since"),
        ("-region > 2", 1, "region is no number"),
        ("-'x' > open_deals", 1, "is no number"),
        ("abc(orders_amount()) = 'D'", 0, "abc has no class 'D'"),
        ("quintile(orders_amount()) = 7", 0, "a quintile is a number from 1 to 5"),
        ("quintile(5) = 1", 0, "differs between customers"),
        ("quintile(region) = 1", 0, "region is no number"),
        ("quintile(quintile(open_deals)) = 1", 0, "cannot rank another rank"),
        ("abc(open_deals, 2) = 'A'", 0, "abc takes two shares or none"),
        ("never(region)", 0, "never takes a moment; region is text"),
        ("never()", 0, "never takes one argument"),
        ("days_since() > 1", 0, "days_since takes one argument"),
        ("days_since(open_deals) > 1", 0, "days_since takes a moment"),
        ("days_since(last_order_at, owned_since) > 1", 0, "the second moment is named"),
        ("days_since(owned_since, else: created_at) > 1", 0, "leave it out"),
        ("days_since(last_order_at, else: open_deals) > 1", 0, "days_since takes a moment"),
        ("has_tag(region)", 0, "has_tag takes a tag in quotes"),
        ("has_tag('  ')", 0, "has_tag takes a tag in quotes"),
        ("orders_count > 1", 0, "needs brackets"),
        ("open_deals() > 1", 0, "takes no brackets"),
        ("orders_count(0) > 1", 0, "a whole number of days"),
        ("orders_count(1.5) > 1", 0, "a whole number of days"),
        ("orders_count(-3) > 1", 0, "a whole number of days"),
        ("orders_count('x') > 1", 13, "'x' is text, not a condition"),
        ("orders_count(open_deals) > 1", 13, "about the customer, not about a row of orders"),
        ("orders_count(1, 2) > 1", 16, "2 is a number, not a condition"),
        ("least(open_deals) > 1", 0, "two or more values"),
        ("least(open_deals, region) > 1", 0, "region is no number"),
        ("tags = 'x'", 0, "use has_tag('x')"),
        ("open_deals > 1 且 won", 15, "write AND"),
        ("open_deals 大于 1", 11, "write >"),
        ("open_deals \u2212 1 > 2", 11, "write '-'"),
        ("open_deals >\u00a01", 12, "full-width space"),
        ("open\u200b_deals > 1", 4, "an invisible character"),
        ("【open_deals】 > 1", 0, "write '('"),
        ("days_since(last_order_at, else：owned_since) > 3", 30, "write ':'"),
        ("open_deals := 1", 11, "':=' is not an operator"),
        ("(1, else: 2) > 1", 1, "not allowed"),
        ("least(open_deals, else: 2) > 1", 18, "a named argument has no place here"),
        ("IF won THEN 1 ELSE 2 END > open_deals", 0, "write if(condition, a, b)"),
        ("iif(won, 1, 2) > open_deals", 0, "write if(condition, a, b)"),
        ("created_at > current_date", 0, "write today"),
        ("created_at < today", 0, "use days_since(created_at)"),
        ("greatest(last_order_at, today) > owned_since", 0, "use days_since(...)"),
        ("*", 0, "is not allowed"),
        ("()", 0, "is not allowed"),
        ("[]", 0, "is not allowed"),
        ("today", 0, "use days_since(...)"),
        ('status = "x"', 9, "single quotes: 'x'"),
        ("customers.status = 'x'", 0, "without a dot"),
        ("status = NULL", 9, "use IS NULL"),
        ("open_deals IS NULL", 0, "never blank"),
        ("has_tag('x') IS TRUE", 0, "only IS NULL"),
        ("won OR orders_count(TRUE) = 3 OR quintile(FALSE) = 1", 20, "says nothing about a row"),
        ("won OR has_tag(TRUE) OR NULL", 24, "NULL cannot be compared"),
        ("status IN (region)", 0, "a list of constants"),
        ("status IN ()", 0, "a list of constants"),
        ("status IN ('a', 3)", 0, "is compared with"),
        ("open_deals IN (SELECT 1)", 0, "a list of constants"),
        ("open_deals > (SELECT 1)", 14, "sub-queries are not allowed"),
        ("status LIKE 'x%'", 0, "LIKE is not allowed"),
        ("status || 'x' = 'y'", 0, "write OR"),
        ("open_deals % 2 = 0", 0, "% is not allowed"),
        ("open_deals::INT = 0", 0, "casts are not allowed"),
        ("CASE WHEN true THEN true END", 0, "CASE is not allowed"),
        ("status ~ 'x'", 0, "is not allowed"),
        ("[open_deals] = 1", 1, "is not allowed"),
        ("read_csv('/etc/passwd') = 'x'", 0, "unknown function 'read_csv'"),
        ("getenv('HOME') = 'x'", 0, "unknown function 'getenv'"),
        ("COLUMNS(*) > 1", 0, "unknown function 'COLUMNS'"),
        ("count(*) > 1", 0, "unknown function 'count'"),
        ("EXISTS(SELECT 1)", 7, "sub-queries"),
        ("open_deals = 1; DROP TABLE x", 14, "';' is not allowed"),
        ("open_deals = 1 -- why", 13, "comments are not allowed"),
        ("open_deals = 1 && open_deals = 2", 15, "write AND"),
        ("open_deals =", 11, "something is missing"),
        ("open_deals => 1", 11, "write >= instead of =>"),
        ("open_deals = 1 2", 15, "unexpected '2'"),
        ("(open_deals = 1", 14, "a bracket is not closed"),
        ("open_deals = 1)", 14, "a closing bracket has no partner"),
        ("status = 'x", 9, "no closing quote"),
        ('status = "x', 9, "this double quote has no partner"),
        ("region", 0, "compare it: = 'x'"),
        ("last_order_at", 0, "never(...)"),
        ("orders_count() + 1", 0, "this is a number, not a condition"),
        ("'x'", 0, "'x' is text, not a condition"),
        ("open_deals = 1234567890123456", 13, "at most 15 digits"),
        ("NOT " * 300 + "true", 0, ""),
        ("(" * 500 + "1", 60, "nested too deeply"),
        ("NOT " * 70 + "has_tag('x')", 280, "nested too deeply"),
        ("huge AND huge", 9, "too large"),
        ("nix > 1", 0, "unknown name 'nix'"),
        ("nix BETWEEN 1 AND 2", 0, "unknown name 'nix'"),
        ("nix IS NULL", 0, "unknown name 'nix'"),
        ("nix + 1 > 2", 0, "unknown name 'nix'"),
        ("-nix > 2", 1, "unknown name 'nix'"),
        ("least(nix, 1) > 2", 6, "unknown name 'nix'"),
        ("orders_count(nix) > 2", 13, "unknown column 'nix' of orders"),
        ("days_since(nix) > 2", 11, "unknown name 'nix'"),
        ("never(nix)", 6, "unknown name 'nix'"),
        ("has_tag(nix)", 8, "unknown name 'nix'"),
        ("abc(nix) = 'A'", 4, "unknown name 'nix'"),
        ("nix IN (1)", 0, "unknown name 'nix'"),
        ("status = 'a, else: b' AND nix", 26, "unknown name 'nix'"),
        ("/* open", 0, ""),
        ("open_deals > 3 /*", 0, ""),
        ("open_deals > ？", 13, "full-width ？"),
        ("open_deals ＞ 3", 11, "write '>'"),
        ("has_tag（'x'）", 7, "write '('"),
        ("open_deals ≥ 3", 11, "write '>='"),
        ("status = “x”", 9, "straight single quotes"),
        ("status = 「x」", 9, 'write "\'"'),
        ("open_deals\u3000> 3", 10, "full-width space"),
        ("open_deals > \uff13", 13, "write '3'"),
        ("days_since(created_at) > 180 days", 29, "write the number alone: 180"),
        ("days_since(created_at) > 90天", 27, "write the number alone: 90"),
        ("orders_amount(365) > 1.5万", 24, "write the number alone: 15000"),
        (
            "activities_count(90",
            17,
            "inside {...} a condition with a comma stands in double",
        ),
    ],
)
def test_the_refusal_names_place_and_fix(text: str, offset: int, message: str) -> None:
    result = built(text)
    assert result.node is None
    lines = [(item.offset, f"{item.message} - {item.suggestion}") for item in result.complaints]
    assert any(place == offset and message in line for place, line in lines), lines


def test_all_problems_of_a_condition_are_reported() -> None:
    complaints = built("opn_deals > 1 AND regin = 'x' AND $y AND never(nix)").complaints
    assert [item.offset for item in complaints] == [0, 18, 34, 47]


def test_full_width_characters_inside_of_text_are_text() -> None:
    assert leaves(tree("status = '（“战略”）'")) == (Attribute("status"),)
    assert leaves(tree("status = 'it''s （'")) == (Attribute("status"),)
    assert tree('"金额（万）" > 3') == tree("金额 > 3")


def test_a_name_whose_definition_is_wrong_is_not_reported_again() -> None:
    for text in ("broken AND won", "circular OR won"):
        assert built(text) == Built(None, (), built(text).size, built(text).depth)


def test_counting_from_nothing_starts_at_the_creation() -> None:
    node = tree("days_since(last_order_at) > 3")
    assert isinstance(node, Compare)
    confirmed = RowColumn("orders", "confirmed")
    moment = MetricValue("last_order_at", rows=confirmed)
    assert node.left == DaysSince(moment, Attribute("created_at"))


def test_parameters_and_definitions_are_resolved() -> None:
    assert tree("won AND open_deals > $天数") == AllOf(
        (
            Compare(">", number("orders_count()"), Constant(0)),
            Compare(">", number("open_deals"), Constant(180)),
        )
    )
    assert tree("NOT won OR last_order_at IS NULL") == AnyOf(
        (Not(tree("won")), Never(number("last_order_at")))
    )
    parameter = next(item for item in walk(tree("open_deals > $天数")) if item == Constant(180))
    assert isinstance(parameter, Constant)
    assert parameter.name == "天数"


def test_names_in_a_text_are_what_it_needs() -> None:
    assert names_in("won AND days_since(x) > 3") == {"won", "x"}
    assert names_in("won AND (") == set()
    assert names_in("orders_count(30, confirmed AND amount > 3) > 1 OR csat(kind = 'x') > x") == {
        "x"
    }
    assert tiers_in("tier = 'A' AND orders_count(tier('x') = 'B') > TIER('y')") == {"", "x", "y"}
    assert tiers_in("region = 'x' AND has_tag('y')") == tiers_in("tier(") == set()


def test_canonical_form_tells_constants_of_one_value_and_two_types_apart() -> None:
    nodes = [Constant(1), Constant("1"), Constant(value=True)]
    assert len({str(canonical(node)) for node in nodes}) == 3
    assert canonical(Constant(Decimal("1.50"))) == canonical(Constant(Decimal("1.5")))
    assert plain(Decimal("-0.0")) == "0"
    ranks = [build(f"{kind}(open_deals)", SCOPE, condition=False) for kind in ("abc", "quintile")]
    assert canonical(ranks[0].node or Constant(0))[1] == "abc"
    assert canonical(ranks[1].node or Constant(0))[1] == "quintile"
    assert plain(Decimal("1E+3")) == "1000"


def test_every_name_of_the_vocabulary_can_be_used() -> None:
    for name in ATTRIBUTES:
        assert number(name) == Attribute(name)
    for metric in METRICS.values():
        written = [f"{metric.name}()", f"{metric.name}(365)"] if metric.windowed else [metric.name]
        for text in written:
            leaf = number(text)
            assert isinstance(leaf, MetricValue)
            assert leaf.type is metric.type
            assert leaf.label == text
    assert all(item.form.startswith(name) for name, item in FUNCTIONS.items())


SIGNS = st.sampled_from("()>=3,+-*/.;\"'“＞[{?!%")
WORDS = st.sampled_from(
    "0.5 'x' -- :: $天数 else: region won open_deals orders_count() AND OR NOT IN BETWEEN IS "  # noqa: SIM905
    "NULL days_since never last_order_at CASE SELECT".split()
)


@given(
    st.one_of(st.lists(st.one_of(SIGNS, WORDS), max_size=14).map(" ".join), st.text(max_size=30))
)
def test_any_text_is_built_or_complained_about(text: str) -> None:
    result = built(text)
    assert (result.node is None) == bool(result.complaints) or "broken" in text
    assert all(0 <= item.offset <= max(len(text), 1) for item in result.complaints)


@pytest.mark.parametrize("opening", ["ROW(", "STRUCT(", "ARRAY[", "decimal(1, ", "timestamp("])
def test_types_of_sql_are_refused_however_deep_they_are_nested(opening: str) -> None:
    closing = "]" if "[" in opening else ")"
    result = built(f"{opening * 30}1{closing * 30} > 1")
    assert result.node is None
    [complaint] = result.complaints
    name = opening.split("(", maxsplit=1)[0]
    assert f"unknown function '{name}'" in complaint.message or "Array" in complaint.message


def test_brackets_are_nested_only_so_deep() -> None:
    assert built(f"{'(' * 20}open_deals{')' * 20} > 1").complaints == ()
    [complaint] = built(f"{'(' * 61}open_deals{')' * 61} > 1").complaints
    assert (complaint.offset, complaint.message) == (60, "this condition is nested too deeply")
