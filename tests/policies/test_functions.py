"""What the functions of the language stand for, and how each of them is refused."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.brackets import Brackets
from policies.language.expressions import build, formula_tree
from policies.language.metrics import FORMULAS, Formula
from policies.language.number_size import MAX_DIGITS, digits, scale
from policies.language.scope import Defined, Scope
from policies.language.tree import (
    NUMERIC,
    Arithmetic,
    Attribute,
    Case,
    Compare,
    Constant,
    CustomField,
    DataAge,
    DaysSince,
    Extreme,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Not,
    Rank,
    RankKind,
    Rate,
    Today,
    WorkdaysSince,
    leaves,
    walk,
)
from policies.language.vocabulary import ATTRIBUTES, Type

VIP = build("has_tag('VIP')", Scope()).node or Constant(value=False)
VALUE = Case((VIP,), (Constant("A"),), Constant("C"), Type.TEXT)
POTENTIAL = Case((VIP,), (Constant("大"),), None, Type.TEXT)
FIELDS = {
    "Score__c": Type.NUMBER,
    "Budget": Type.MONEY,
    "Ends": Type.DATE,
    "Visit": Type.MOMENT,
    "Vip": Type.BOOLEAN,
    "级别": Type.TEXT,
    "Labels": Type.TAGS,
}
ONE = Scope(
    params={"low": 70, "n": 3, "long": Decimal("0.12345678")},
    fields=FIELDS,
    tiers={"value": VALUE},
    has_calendar=True,
)
TWO = Scope(
    defines={"big": Defined(Constant(value=True), size=4_990), "broken": Defined(None)},
    undefined=frozenset({"circular"}),
    tiers={"value": VALUE, "wrong": None, "潜力": POTENTIAL},
)


def tree(text: str, scope: Scope = ONE) -> Node:
    built = build(text, scope, condition=False)
    assert built.complaints == ()
    assert built.node is not None
    return built.node


def test_a_rate_has_a_least_number_of_cases() -> None:
    part, whole = tree("returns_count(365)"), tree("orders_count(365)")
    text = "rate(returns_count(365), orders_count(365)"
    assert tree(f"{text})") == Rate(part, whole, 5, None)
    assert tree(f"{text}, min_n: $n, else: -0.5)") == Rate(
        part, whole, 3, Constant(Decimal("-0.5"))
    )
    assert tree(f"{text}, else: 0, min_n : 1)") == Rate(part, whole, 1, Constant(0))
    assert tree("rate(returns_amount(), orders_amount())").type is Type.NUMBER
    nested = tree("rate(rate(open_deals, won_deals, min_n: 1), orders_count(), else: 2)")
    assert isinstance(nested, Rate)
    assert (nested.min_n, nested.otherwise) == (5, Constant(2))


def test_the_size_of_a_rate_covers_its_way_out() -> None:
    node = tree("rate(1, orders_count(), else: 1234567890)")
    assert (digits(node), scale(node)) == (10, 6)
    assert digits(tree("rate(1, orders_count())")) == 1


def test_a_formula_is_the_expression_that_it_stands_for() -> None:
    assert tree("return_rate(365)") == tree("rate(returns_count(365), orders_count(365))")
    assert tree("return_rate()") == tree("rate(returns_count(), orders_count())")
    assert tree("nps(90)") == tree(
        "rate(100 * surveys_count(90, kind = 'nps' AND score >= 9) "
        "- 100 * surveys_count(90, kind = 'nps' AND score <= 6), "
        "surveys_count(90, kind = 'nps'))"
    )
    assert tree("open_deals_age_mean") == tree("rate(open_deals_days(), open_deals, min_n: 1)")


def test_options_of_a_formula_go_to_its_rate() -> None:
    parts = "returns_count(365), orders_count(365)"
    assert tree("return_rate(365, else: 0)") == tree(f"rate({parts}, else: 0)")
    assert tree("return_rate(365, min_n: 2)") == tree(f"rate({parts}, min_n: 2)")
    assert tree("open_deals_age_mean(else: 0)") == tree(
        "rate(open_deals_days(), open_deals, min_n: 1, else: 0)"
    )


def test_a_condition_of_a_formula_goes_to_the_metrics_of_its_table() -> None:
    assert tree("return_rate(365, fault = 'ours', min_n: 3)") == tree(
        "rate(returns_count(365, fault = 'ours'), orders_count(365), min_n: 3)"
    )
    assert tree("return_rate(fault = 'ours')") == tree(
        "rate(returns_count(fault = 'ours'), orders_count())"
    )
    assert tree("open_deals_age_mean(amount > 3)") == tree(
        "rate(open_deals_days(amount > 3), open_deals(amount > 3), min_n: 1)"
    )
    found = leaves(tree("csat(score > 3 OR score < 2)"))
    labels = [leaf.label for leaf in found if isinstance(leaf, MetricValue)]
    asked = "kind = 'csat' AND (score > 3 OR score < 2)"
    assert labels == [f"survey_points({asked})", f"surveys_count({asked})"]


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_can_be_written(name: str) -> None:
    condition = "days_since(happened_at) < 30"
    texts = [f"{name}({condition})", f"{name}(else: 0)"]
    if FORMULAS[name].windowed:
        texts += [f"{name}()", f"{name}(365)", f"{name}(365, {condition}, min_n: 2, else: 0)"]
    else:
        texts.append(name)
    for text in texts:
        assert isinstance(tree(text), Rate)


def test_a_formula_that_cannot_be_read_is_a_fault_of_the_program() -> None:
    for text in ("rate(1", "rate(nix, won_deals)"):
        with pytest.raises(ValueError, match="cannot be read"):
            formula_tree(Formula("x", "orders", text), Brackets(), Scope())


def test_a_formula_needs_the_clocks_of_the_policy() -> None:
    text = "rate(reply_count($days), activities_count($days))"
    formula = Formula("reply_rate", "activities", text)
    wrong = Scope(clocks={"response": "nix"})
    assert formula_tree(formula, Brackets(90), wrong) is None
    known = tree("rate(reply_count(90), activities_count(90), min_n: 2)")
    assert formula_tree(formula, Brackets(90, min_n=2), Scope()) == known


def test_fixed_texts_are_built_once_for_a_policy() -> None:
    scope = Scope()
    first, second = (tree("return_rate(365)", scope) for _ in range(2))
    assert isinstance(first, Rate)
    assert isinstance(second, Rate)
    assert first.part is second.part


def test_if_chooses_between_numbers_or_between_texts() -> None:
    decision = tree("open_deals > 0")
    one = Case((decision,), (Constant(1),), Constant(2), Type.INTEGER)
    assert tree("if(open_deals > 0, 1, 2)") == tree("IF (open_deals > 0, 1, 2)") == one
    assert tree("if(open_deals > 0, 1, 2.5)").type is Type.NUMBER
    assert tree("if(open_deals > 0, 0, orders_amount())").type is Type.MONEY
    assert tree("if(open_deals > 0, region, 'x') = 'y'").type is Type.BOOLEAN
    assert tree("if(open_deals > 0, 'x', 'y') = 'y'").type is Type.BOOLEAN


def test_a_choice_between_equal_results_of_parameters_is_no_choice() -> None:
    scope = Scope(params={"low": 1, "high": 1, "word": "a"}, defines={"few": Defined(Constant(1))})
    for text in ("$low, $high", "$low, 1", "few, $high"):
        assert tree(f"if(open_deals > 0, {text}) < won_deals", scope) == tree("1 < won_deals")
    one, other = "if(phone_valid, $word, 'a')", "if(never(last_order_at), 'b', region)"
    text = f"if(open_deals > 0, {one}, 'a') = {other}"
    assert tree(text, scope) == tree("'a' = if(never(last_order_at), 'b', region)")
    for text in ("$low, $low", "1, 1.0", "few, 1"):
        assert build(f"if(open_deals > 0, {text}) < won_deals", scope).node is None


def test_a_tier_is_its_first_stage_that_holds() -> None:
    assert tree("tier = 'A'") == Compare("=", VALUE, Constant("A"))
    assert tree("tier('value')") == tree("tier()") == VALUE
    assert tree("tier('潜力') = '大'", TWO) == Compare("=", POTENTIAL, Constant("大"))
    for text in ("tier('wrong') = 'A'", "tier('circular') = 'A'"):
        assert build(text, TWO).complaints == ()
        assert build(text, TWO).node is None
    named = Scope(defines={"tier": Defined(Attribute("region"))}, tiers={"value": VALUE})
    assert tree("tier", named) == Attribute("region")


def test_fields_of_the_crm_have_the_type_that_the_crm_gives_them() -> None:
    assert tree("field('Score__c')") == CustomField("Score__c", Type.NUMBER)
    assert tree("field('级别') IN ('a', 'b') AND field('Vip')").type is Type.BOOLEAN
    ends, visit = CustomField("Ends", Type.DATE), CustomField("Visit", Type.MOMENT)
    for text in ("field('Ends') IS NULL", "never(field('Ends'))"):
        assert tree(text) == IsBlank(ends)
    assert tree("never(field('Visit'))") == IsBlank(visit)
    assert tree("field('Visit') > created_at").type is Type.BOOLEAN
    since = DaysSince(ends, None)
    assert tree("days_since(field('Ends'))") == since
    assert tree("days_since(field('Ends'), else: today)") == DaysSince(ends, Today())
    assert tree("days_until(field('Ends'))") == Arithmetic("-", Constant(0), since, Type.INTEGER)
    newest = Extreme(True, (visit, tree("last_order_at")), Type.MOMENT)
    assert tree("days_since(greatest(field('Visit'), last_order_at))") == DaysSince(newest, None)
    text = "days_since(greatest(field('Visit'), last_order_at), else: created_at)"
    assert tree(text) == DaysSince(newest, Attribute("created_at"))


def test_days_count_from_a_moment_or_from_the_one_named_instead() -> None:
    order = tree("last_order_at")
    assert tree("days_since(last_order_at, else: today)") == DaysSince(order, Today())
    created = Attribute("created_at")
    assert tree("workdays_since(last_order_at)") == WorkdaysSince(order, created)
    assert tree("workdays_since(owned_since)") == WorkdaysSince(Attribute("owned_since"), None)
    text = "workdays_since(last_order_at, else: owned_since)"
    assert tree(text) == WorkdaysSince(order, Attribute("owned_since"))
    assert tree("days_since(today)") == DaysSince(Today(), None)


def test_what_may_be_blank_and_what_never_was() -> None:
    assert tree("attitude_at IS NULL") == IsBlank(Attribute("attitude_at"))
    assert tree("owned_since IS NULL") == Never(Attribute("owned_since"))
    assert tree("do_not_contact IS NOT NULL") == Not(IsBlank(Attribute("do_not_contact")))
    assert tree("last_order_at IS NULL") == Never(tree("last_order_at"))


def test_flags_of_a_customer_are_conditions() -> None:
    for name, column in ATTRIBUTES.items():
        if column.type is Type.BOOLEAN:
            assert tree(f"NOT {name}") == Not(Attribute(name))


def test_the_age_of_data_and_shares_of_a_ranking() -> None:
    assert tree("data_age('orders')") == DataAge("orders")
    value = tree("orders_amount(365)")
    assert tree("abc(orders_amount(365))") == Rank(RankKind.ABC, value, (80, 95))
    assert tree("abc(orders_amount(365), $low, 90)") == Rank(RankKind.ABC, value, (70, 90))


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("rate(open_deals)", 0, "rate takes two arguments - write rate(part, whole"),
        ("rate(open_deals, won_deals, 5)", 0, "rate takes two arguments"),
        ("rate(open_deals, won_deals, min: 5)", 0, "did you mean 'min_n'?"),
        ("rate(open_deals, won_deals, min_n: 0)", 0, "a whole number of cases"),
        ("rate(open_deals, won_deals, min_n: 2.5)", 0, "a whole number of cases"),
        ("rate(open_deals, won_deals, min_n: nix)", 35, "unknown name 'nix'"),
        ("rate(open_deals, won_deals, else: 'x')", 0, "a constant number stands after else:"),
        ("rate(open_deals, won_deals, else: $long)", 0, "too long"),
        ("rate(open_deals, won_deals, else: 5, min_n: 2, else: 3)", 0, "stands here twice"),
        ("rate(nix, won_deals)", 5, "unknown name 'nix'"),
        ("rate(region, won_deals)", 0, "region is no number"),
        ("rate(orders_amount(), won_deals)", 0, "money of money"),
        ("rate(won_deals, orders_amount())", 0, "money of money"),
        ("rate(won_deals, 5)", 0, "the whole of a rate differs between customers"),
        ("rate(open_deals * 1.000001 * 1.000001, won_deals)", 0, "too many decimals"),
        ("return_rate", 0, "needs brackets - write return_rate() or return_rate(365)"),
        ("open_deals_age_mean()", 0, "takes no brackets"),
        ("open_deals_age_mean(30)", 0, "takes no days"),
        ("return_rate(365, kind = 'x')", 17, "returns have no 'kind'"),
        ("return_rate(0)", 0, "a whole number of days"),
        ("return_rate(365, or: 1)", 0, "return_rate has no argument 'or:'"),
        ("return_rte(365)", 0, "did you mean 'return_rate'?"),
        ("if(open_deals > 0, 1)", 0, "if takes three arguments - write if(condition"),
        ("if(open_deals, 1, 2)", 3, "did you mean open_deals > 0?"),
        ("if(open_deals > 0, nix, 2)", 19, "unknown name 'nix'"),
        ("orders_amount() > 1.000.000", 18, "a number has no thousands separators"),
        ("if(open_deals > 0, 'a', 'a') = region", 0, "are the same - write the result without"),
        (
            "open_deals + if(open_deals > 0, won_deals, won_deals) > 1",
            13,
            "results of this if(...) are the same",
        ),
        ("if(open_deals > 0, 'a', 2)", 0, "all numbers or all texts"),
        ("if(open_deals > 0, has_tag('x'), has_tag('y'))", 0, "combine conditions"),
        ("if(open_deals > 0, created_at, owned_since)", 0, "use days_since(...)"),
        ("if(open_deals > 0, orders_amount(), won_deals)", 0, "money goes with money"),
        ("if(open_deals > 0, 'x', 'y') = 'z'", 0, "is never 'z' - valid here: x, y"),
        ("tier = 'D'", 0, "text is never 'D' - valid here: A, C"),
        ("tier IN ('A', 'D')", 0, "is never 'D'"),
        ("tier('valu') = 'A'", 0, "there is no tier rule 'valu' - did you mean 'value'?"),
        ("tier(nix)", 5, "unknown name 'nix'"),
        ("tier(3)", 0, "tier takes the name of a tier rule in quotes - write tier('rule')"),
        ("field('Nope') = 1", 0, "or declare it: fields: {Nope: number}"),
        ("field(Score__c) > 1", 6, "unknown name 'Score__c'"),
        ("field(3) > 1", 0, "field takes the API name of a field in quotes"),
        ("field('Labels') = 'x'", 0, "field('Labels') holds tags"),
        ("field('Ends') > '2025-01-01'", 0, "use days_since(field('Ends')) or days_until("),
        ("greatest(field('Ends'), created_at) > owned_since", 0, "use days_since(...)"),
        ("field('Vip') = true", 0, "write the condition itself"),
        ("days_until(last_order_at)", 0, "write days_since(last_order_at)"),
        ("days_until(region)", 0, "days_until takes a moment; region is text"),
        ("days_until(nix)", 11, "unknown name 'nix'"),
        ("days_since(attitude)", 0, "attitude is text"),
        ("workdays_since(last_order_at, owned_since)", 0, "write workdays_since(moment"),
        ("phone_valid IS NULL", 0, "phone_valid is never blank"),
        ("owner_absent IS NULL", 0, "owner_absent is never blank"),
        ("today IS NULL", 0, "today is never blank"),
        ("party = 'firm'", 0, "party is never 'firm' - valid here: company, person, sole_trader"),
        ("data_age('order') > 3", 0, "there is no facts table 'order' - did you mean 'orders'?"),
        ("data_age(orders) > 3", 9, "unknown name 'orders'"),
        ("data_age(3) > 3", 0, "data_age takes the name of a facts table in quotes"),
        ("abc(orders_amount(), 90, 80) = 'A'", 0, "the first below the second"),
        ("abc(orders_amount(), 0.8, 0.95) = 'A'", 0, "two shares in percent"),
        ("abc(orders_amount(), open_deals, 95) = 'A'", 0, "two shares in percent"),
        ("abc(orders_amount(), nix, 95) = 'A'", 21, "unknown name 'nix'"),
        ("abc(orders_amount(), 80, 90, 95) = 'A'", 0, "abc takes 1 to 3 arguments"),
        ("quintile(open_deals, 3) = 1", 0, "quintile takes one argument"),
    ],
)
def test_the_refusal_names_place_and_fix(text: str, offset: int, message: str) -> None:
    result = build(text, ONE, condition=False)
    assert result.node is None
    lines = [(item.offset, f"{item.message} - {item.suggestion}") for item in result.complaints]
    assert any(place == offset and message in line for place, line in lines), lines


def test_what_a_policy_lacks_is_named() -> None:
    for text, message in (
        ("tier = 'A'", "there is no tier rule to ask for"),
        ("workdays_since(last_order_at) > 3", "workdays_since needs a calendar"),
        ("field('X') > 3", "the type of field('X') is not known"),
    ):
        assert [item.message for item in build(text, Scope()).complaints] == [message]
    several = build("tier = 'A'", TWO).complaints
    assert several[0].suggestion == "write tier('value') or tier('wrong') or tier('潜力')"


def test_what_a_name_brings_along_counts() -> None:
    complaints = build("big AND tier('value') = 'A' AND return_rate() > 0.1", TWO).complaints
    assert {item.message for item in complaints} == {"this condition is too large"}


NUMBERS = "0 1 2.5 -3.25 999999999999999.999999 open_deals orders_count(30) orders_amount()"
LEAVES = (
    "order_interval_median last_nps(else:-1) return_rate(365) field('Score__c') open_deals_days()"
)
ATOMS = st.sampled_from([*NUMBERS.split(), *LEAVES.split(), "quintile(open_deals)"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda it: f"({' '.join(it)})"),
        st.tuples(inner, inner).map(lambda it: f"rate({it[0]}, {it[1]}, else: 0.5)"),
        st.tuples(inner, inner).map(lambda it: f"if(region = 'x', {it[0]}, {it[1]})"),
        st.tuples(inner, inner).map(lambda it: f"greatest({it[0]}, {it[1]})"),
    )


@given(st.recursive(ATOMS, _larger, max_leaves=8))
def test_numbers_stay_within_what_both_back_ends_hold(text: str) -> None:
    built = build(f"{text} > 1", ONE)
    assert (built.node is None) == bool(built.complaints)
    numbers = [] if built.node is None else [*walk(built.node)]
    for node in (item for item in numbers if item.type in NUMERIC):
        assert digits(node) + scale(node) <= MAX_DIGITS


SIGNS = (
    "( ( ) ) ) , , = > + - * / 3 0.5 'A' 'x $low $no else: min_n: :: := : 且 ， （ “ 。 \" ; -- {"
)
CALLS = (
    "if( rate( tier( field( days_since( workdays_since( days_until( never( abc( quintile( greatest("
)
METRIC_CALLS = (
    "return_rate( open_deals_age_mean( orders_count( 'Ends' 'orders' today if IF tier amount"
)
REST = (
    "last_order_at open_deals region party AND OR NOT IN BETWEEN IS NULL TRUE CASE WHEN END SELECT"
)
WORDS = st.sampled_from(f"{SIGNS} {CALLS} {METRIC_CALLS} {REST}".split())


@given(st.lists(WORDS, max_size=16).map(" ".join))
def test_any_text_is_built_or_complained_about(text: str) -> None:
    heard: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = heard.append  # type: ignore[method-assign]
    logging.getLogger("sqlglot").addHandler(handler)
    try:
        result = build(text, ONE)
    finally:
        logging.getLogger("sqlglot").removeHandler(handler)
    assert (result.node is None) == bool(result.complaints)
    assert all(0 <= item.offset <= len(text) for item in result.complaints)
    assert all(item.message for item in result.complaints)
    assert heard == []


@pytest.mark.parametrize(
    ("plain", "with_colon"),
    [
        (
            "days_since(last_order_at, else created_at) > 3",
            "days_since(last_order_at, else: created_at) > 3",
        ),
        ("order_interval_median(else 0) > 3", "order_interval_median(else: 0) > 3"),
        (
            "rate(returns_count(365), orders_count(365), min_n 10, else 0) > 0.2",
            "rate(returns_count(365), orders_count(365), min_n: 10, else: 0) > 0.2",
        ),
    ],
)
def test_the_colon_of_a_named_argument_may_be_left_out(plain: str, with_colon: str) -> None:
    found = build(plain, Scope())
    assert found.node is not None
    assert found.node == build(with_colon, Scope()).node
