"""Conditions about the rows of a facts table: what a metric counts, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.language.expressions import build
from policies.language.metrics import METRICS, Aggregate
from policies.language.rows import build_clock, build_rows, fixed_tree, metric_value
from policies.language.scope import Built, Defined, Scope
from policies.language.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Compare,
    Constant,
    DaysSince,
    IsBlank,
    MetricValue,
    Node,
    Not,
    OneOf,
    RowColumn,
    Today,
    leaves,
)
from policies.language.vocabulary import EVENTS, Type

SCOPE = Scope(
    params={"金额": 1000, "days": 30, "late": True, "kind": "visit"},
    defines={"won": Defined(Constant(value=True))},
    undefined=frozenset({"circular"}),
)
BY_HAND = (Not(RowColumn("activities", "automated")), Not(RowColumn("activities", "mass")))
CONFIRMED = RowColumn("orders", "confirmed")


def metric(text: str, scope: Scope = SCOPE) -> MetricValue:
    built = build(text, scope, condition=False)
    assert built.complaints == ()
    assert isinstance(built.node, MetricValue)
    return built.node


def rows(text: str, table: str) -> Node:
    built = build_rows(text, table, SCOPE)
    assert built.complaints == ()
    assert built.node is not None
    return built.node


def activity(name: str, value: str) -> Compare:
    return Compare("=", RowColumn("activities", name), Constant(value))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("orders_count(365, amount > $金额)", "amount > $金额"),
        ("orders_count(365,  amount   >\n $金额 )", "amount > $金额"),
        ("orders_count(365, (amount > 1))", "(amount > 1)"),
        ("orders_count(currency IN ('EUR', 'a  b'))", "currency IN ('EUR', 'a  b')"),
        ("orders_count($days, amount > 3 AND NOT currency = 'EUR')", None),
        ("orders_count($late AND amount > 3)", None),
        ("open_deals(stage = 'x')", "stage = 'x'"),
        ("activities_count(30, backfilled)", None),
        ("activities_count(30, NOT backfilled OR burst)", None),
        ("activities_count(kind = $kind)", None),
        ("last_activity_at(kind IN ('call', 'visit'))", None),
        ("deals_won(365, closed_at > recorded_at)", None),
        ("deals_won(365, days_since(happened_at) - days_since(closed_at) <= 30)", None),
        ("invoices_count(settled_at IS NULL AND days_until(due_on) < 7)", None),
        ("invoices_count(days_since(settled_at, else: today) > days_since(due_on))", None),
        ("invoices_count(days_since(settled_at, else: due_on) > 3)", None),
        ("surveys_count(90, if(kind = 'nps', score / 10, score / 5) < 0.5)", None),
        ("orders_amount(90, amount BETWEEN 1 AND 10.5)", None),
        ("orders_count(greatest(amount, 100) > 200 AND -amount < 0)", None),
        ("last_csat(days_since(happened_at) < 90, else: -1)", "days_since(happened_at) < 90"),
    ],
)
def test_the_language_reads(text: str, asked: str | None) -> None:
    leaf = metric(text)
    assert leaf.rows is not None
    assert leaves(leaf) == (leaf,)
    if asked is not None:
        assert leaf.asked == asked


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        (
            "invoices_count(region = 'x')",
            15,
            "'region' is about the customer, not about a row of in",
        ),
        ("invoices_count(open_deals > 1)", 15, "'open_deals' is about the customer"),
        ("invoices_count(won)", 15, "'won' is about the customer"),
        ("invoices_count(circular)", 15, "'circular' is about the customer"),
        ("invoices_count(tags = 'x')", 15, "'tags' is about the customer"),
        ("invoices_count(tier = 'A')", 15, "'tier' is about the customer"),
        ("invoices_count(has_tag('x'))", 15, "'has_tag' is about the customer"),
        ("invoices_count(orders_count() > 1)", 15, "'orders_count' is about the customer"),
        ("invoices_count(rate(amount, 2) > 1)", 15, "'rate' is about the customer"),
        ("invoices_count(30, true)", 19, "says nothing about a row of invoices - name one of"),
        ("invoices_count(30, $late)", 19, "says nothing about a row"),
        ("invoices_count($late)", 15, "says nothing about a row"),
        ("invoices_count(kind = 'x')", 15, "invoices have no 'kind' - it is in activities, compl"),
        ("invoices_count(amuont > 1)", 15, "did you mean 'amount'?"),
        ("invoices_count(number = '1')", 15, "unknown column 'number' of invoices"),
        ('invoices_count(milestone = "x")', 27, "single quotes: 'x'"),
        ("invoices_count(x.amount > 1)", 15, "without a dot"),
        ("activities_count(kind = 'vist')", 17, "kind is never 'vist' - did you mean 'visit'?"),
        ("activities_count(kind IN ('visit', 'vist'))", 17, "did you mean 'visit'?"),
        ("activities_count(30, direction <> 'us')", 21, "did you mean 'ours'?"),
        ("activities_count(kind)", 17, "compare it: = 'x'"),
        ("activities_count(seconds)", 17, "did you mean seconds > 0?"),
        ("activities_count(automated = true)", 17, "write the condition itself"),
        ("activities_count(automated IS NULL)", 17, "automated is never blank"),
        ("activities_count(happened_at IS NULL)", 17, "happened_at is never blank"),
        ("activities_count(days_since(happened_at) IS NULL)", 17, "a number is never blank"),
        ("activities_count(nix IS NULL)", 17, "unknown column 'nix'"),
        ("deals_count(closed_at)", 12, "use days_since(closed_at) or closed_at IS NULL"),
        ("deals_count(closed_at > 3)", 12, "use days_since(closed_at)"),
        ("deals_count(closed_at < today)", 12, "use days_since(closed_at)"),
        ("deals_count(today > amount)", 12, "today (moment) is compared with amount (money)"),
        ("deals_count(today > 3)", 12, "compares two constants"),
        ("deals_count(greatest(closed_at, happened_at) > 3)", 12, "closed_at is no number"),
        ("deals_count(days_until(closed_at) > 3)", 12, "write days_since(closed_at)"),
        ("deals_count(days_until(nix) > 3)", 23, "unknown column 'nix'"),
        ("deals_count(days_until() > 3)", 12, "days_until takes one argument"),
        ("deals_count(days_since(nix) > 3)", 23, "unknown column 'nix'"),
        (
            "deals_count(days_since(amount) > 3)",
            12,
            "in deals: happened_at, recorded_at, closed_at",
        ),
        ("deals_count(days_since(happened_at, else: closed_at) > 3)", 12, "leave else: out"),
        ("deals_count(days_since(closed_at, happened_at) > 3)", 12, "takes one argument"),
        ("deals_count(days_since(closed_at, or: happened_at) > 3)", 12, "no argument 'or:'"),
        ("invoices_count(due_on > settled_at)", 15, "use days_since(due_on) or days_until(due_on)"),
        (
            "invoices_count(due_on < '2025-01-01')",
            15,
            "use days_since(due_on) or days_until(due_on)",
        ),
        ("invoices_count(dys_since(due_on) > 1)", 15, "did you mean 'days_since'?"),
        ("invoices_count(amount > disputed)", 15, "is compared with"),
        ("invoices_count(amount > days_since(due_on))", 15, "money goes with money"),
        ("invoices_count(amount)", 15, "did you mean amount > 0?"),
        ("invoices_count(amount ＞ 1)", 22, "write '>'"),
        ("invoices_count（amount > 1）", 14, "write '('"),
        ("invoices_count(365， amount > 1)", 18, "write ','"),
        ("invoices_count(milestone = “预付”)", 27, "straight single quotes"),
        ("invoices_count(amount > $x)", 24, "unknown parameter '$x'"),
        ("invoices_count($x, amount > 1)", 15, "unknown parameter '$x'"),
        ("invoices_count($x)", 15, "unknown parameter '$x'"),
        ("invoices_count(amount > 1, 365)", 0, "write invoices_count(365, condition)"),
        ("invoices_count(365, amount > 1, 3)", 0, "takes 0 to 2 arguments"),
        ("invoices_count(365, amount > 1 2)", 31, "unexpected '2'"),
        ("invoices_count(1.5, amount > 1)", 0, "a whole number of days"),
        ("invoices_count((-1))", 0, "a whole number of days"),
        ("invoices_count(amount > (SELECT 1))", 25, "sub-queries are not allowed"),
        ("invoices_count(else: 3)", 0, "invoices_count is 0 where there is none"),
        (
            "invoices_count(min_n: 3)",
            0,
            "invoices_count has no argument 'min_n:' - valid here: else",
        ),
        ("order_interval_median(else: amount)", 28, "unknown name 'amount'"),
        ("order_interval_median(else: region)", 0, "a constant number stands after else:"),
        ("order_interval_median(else: true)", 0, "a constant number stands after else:"),
        ("order_interval_median(else: 12345678901)", 0, "the number after else: is too long"),
        ("order_interval_median(else: 1, else: 2)", 0, "'else:' stands here twice"),
        ("order_interval_median(else: 1, amount > 2)", 0, "named arguments stand last"),
        ("last_order_at(else: 3)", 0, "write days_since(last_order_at, else: owned_since)"),
        ("open_deals(365)", 0, "open_deals takes no days - write open_deals or open_deals(condit"),
        ("open_deals()", 0, "takes no brackets"),
        ("NOT " * 70 + "orders_count(amount > 1)", 280, "nested too deeply"),
        ("orders_count(" + "NOT " * 70 + "confirmed)", 293, "nested too deeply"),
    ],
)
def test_the_refusal_names_place_and_fix(text: str, offset: int, message: str) -> None:
    result = build(text, SCOPE, condition=False)
    assert result.node is None
    lines = [(item.offset, f"{item.message} - {item.suggestion}") for item in result.complaints]
    assert any(place == offset and message in line for place, line in lines), lines


def test_all_problems_of_the_brackets_are_reported() -> None:
    complaints = build("orders_count($x, amuont > 1 AND kind = 'x') > nix", SCOPE).complaints
    assert [item.offset for item in complaints] == [17, 32, 13, 46]


def test_what_counts_is_the_metric_its_window_its_clock_and_the_condition() -> None:
    assert metric("orders_count(30)") == MetricValue("orders_count", 30, CONFIRMED)
    assert metric("deals_count(30)") == MetricValue("deals_count", 30)
    won = Compare("=", RowColumn("deals", "state"), Constant("won"))
    closed = Compare("<=", DaysSince(RowColumn("deals", "closed_at"), None), Constant(30))
    large = Compare(">", RowColumn("deals", "amount"), Constant(1000))
    assert metric("deals_won()").rows == won
    assert metric("deals_won(30)").rows == AllOf((won, closed))
    assert metric("deals_won(30, amount > $金额)").rows == AllOf((won, closed, large))
    outcome = RowColumn("activities", "outcome")
    answered = OneOf(outcome, (Constant("reached"), Constant("refused")))
    replies = AnyOf((activity("direction", "theirs"), answered))
    assert metric("reply_count(30)").rows == AllOf((*BY_HAND, replies))
    assert metric("attempts_unanswered(30)").after == AllOf((*BY_HAND, replies))


def test_a_condition_that_the_metric_has_anyway_is_not_repeated() -> None:
    leaf = metric("orders_count(confirmed AND amount > 1)")
    assert leaf.rows == AllOf((CONFIRMED, Compare(">", RowColumn("orders", "amount"), Constant(1))))


def test_a_label_shows_the_condition_as_its_author_wrote_it() -> None:
    assert metric("orders_count(30, amount > $金额)").label == "orders_count(30, amount > $金额)"
    assert metric("open_deals(stage = 'x')").label == "open_deals(stage = 'x')"


def test_a_policy_has_clocks_of_its_own() -> None:
    scope = Scope(
        params={"kind": "visit"}, clocks={"followup": "kind = $kind", "response": "burst AND nix"}
    )
    visits = activity("kind", "visit")
    assert metric("followups_count()", scope).rows == AllOf((*BY_HAND, visits))
    assert metric("followups_count()", scope).rows == AllOf((*BY_HAND, visits))
    assert metric("followups_count()").rows != AllOf((*BY_HAND, visits))
    for text in ("reply_count()", "attempts_unanswered()"):
        built = build(text, scope, condition=False)
        assert (built.node, built.complaints) == (None, ())
    wrong = build_clock(scope.clocks["response"], scope)
    assert [item.offset for item in wrong.complaints] == [10]
    assert build_clock("kind = (", scope).node is None
    assert build_clock(scope.clocks["followup"], scope).node == visits


def test_a_row_entered_late_is_backfilled() -> None:
    happened = DaysSince(RowColumn("orders", "happened_at"), None)
    recorded = DaysSince(RowColumn("orders", "recorded_at"), RowColumn("orders", "happened_at"))
    days = Arithmetic("-", happened, recorded, Type.INTEGER)
    assert rows("backfilled", "orders") == Compare(">", days, Constant(3))
    assert rows("days_since(recorded_at) > 3", "orders") == Compare(">", recorded, Constant(3))


def test_blank_columns_and_dates_ahead() -> None:
    settled, due = RowColumn("invoices", "settled_at"), RowColumn("invoices", "due_on")
    assert rows("settled_at IS NULL", "invoices") == IsBlank(settled)
    assert rows("due_on IS NOT NULL", "invoices") == Not(IsBlank(due))
    until = Arithmetic("-", Constant(0), DaysSince(due, None), Type.INTEGER)
    assert rows("days_until(due_on) < 7", "invoices") == Compare("<", until, Constant(7))
    since = DaysSince(settled, Today())
    text = "days_since(settled_at, else: today) > 7"
    assert rows(text, "invoices") == Compare(">", since, Constant(7))
    kinds = OneOf(RowColumn("surveys", "kind"), (Constant("nps"), Constant("csat")))
    assert rows("kind IN ('nps', 'csat')", "surveys") == kinds


def test_what_a_metric_adds_up_is_a_tree_over_the_row() -> None:
    assert metric_value("orders_amount") == RowColumn("orders", "amount")
    assert metric_value("last_nps") == RowColumn("surveys", "score")
    assert metric_value("open_deals_days") == DaysSince(RowColumn("deals", "happened_at"), None)
    for name, item in METRICS.items():
        if item.aggregate in {Aggregate.SUM, Aggregate.LATEST}:
            assert metric_value(name).type in {item.type, Type.INTEGER}


def test_every_usable_column_can_be_asked_for() -> None:
    for table in EVENTS.values():
        for column in table.usable.values():
            text = f"{column.name} IS NULL" if column.may_be_unknown else column.name
            text = f"days_since({column.name}) > 1" if column.name == "happened_at" else text
            assert rows(text, table.name).type is Type.BOOLEAN


def test_a_definition_that_cannot_be_read_is_a_fault_of_the_program() -> None:
    for text in ("nix > 1", "amount > ("):
        with pytest.raises(ValueError, match="cannot be read"):
            fixed_tree(text, "orders", None)


COLUMNS = sorted({name for table in EVENTS.values() for name in table.usable})
SIGNS = "( ) , = > - * 3 0.5 'visit' $金额 today backfilled AND OR NOT IN IS NULL else: min_n: （ “"
WORDS = "days_since( days_until( if( greatest( region won nix TRUE CASE SELECT -- ;"
PIECES = st.sampled_from([*COLUMNS, *SIGNS.split(), *WORDS.split()])


@given(st.sampled_from(sorted(METRICS)), st.lists(PIECES, max_size=12).map(" ".join))
def test_any_text_between_the_brackets_is_built_or_complained_about(name: str, text: str) -> None:
    whole = f"{name}({text})"
    result: Built = build(whole, SCOPE, condition=False)
    assert (result.node is None) == bool(result.complaints)
    assert all(0 <= item.offset <= len(whole) for item in result.complaints)
    assert all(item.message for item in result.complaints)
