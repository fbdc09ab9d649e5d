"""What conditions mean: known, never, missing; windows; zones; money; ranks. Both back ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from policies.evaluation.compile_python import PythonEvaluation, evaluate_customer
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.customer_facts import CustomerFacts
from policies.evaluation.evidence import EvidenceItem, Gaps, missing_inputs
from policies.evaluation.inputs import InputPlan
from policies.evaluation.python_expression import ExpressionWriter, divide
from policies.evaluation.sql_expression import ExpressionSql
from policies.evaluation.sql_text import literal
from policies.language.tree import Node
from policies.messages import evidence_phrase
from policies.moment import AsOf, SourceState
from policies.policy import parse_policy
from tests.policies.policy_world import (
    ALL_COMPLETE,
    Outcome,
    add_customer,
    duckdb_outcomes,
    insert,
    library_policy,
    new_world,
    python_outcomes,
)

AS_OF = AsOf.midnight(date(2026, 11, 22), "Asia/Shanghai")
MIDNIGHT = datetime(2026, 11, 21, 16, 0)  # noqa: DTZ001 - the warehouse's UTC without a zone
NOT_PULLED = SourceState(complete=False)


def policy_of(condition: str) -> str:
    return (
        "policy: 1\nname: p\nrules:\n- void: r\n  reason: no_intent\n  mark: {tag: t}\n"
        f'  when: "{condition}"\n'
    )


class World:
    """One customer `A:1`, asked one condition at a time."""

    def __init__(self, **customer: Any) -> None:
        defaults = {"created_at": MIDNIGHT - timedelta(days=500), "first_seen_on": AS_OF.day}
        self.connection = new_world()
        add_customer(self.connection, **(defaults | customer))
        self.sources = dict(ALL_COMPLETE)
        self.as_of = AS_OF

    def add(self, table: str, **values: Any) -> World:
        values = {"customer": "A:1", "happened_at": MIDNIGHT - timedelta(days=10)} | values
        insert(self.connection, table, **values)
        return self

    def outcome(self, condition: str) -> Outcome:
        policy = parse_policy(policy_of(condition))
        by_sql, _ = duckdb_outcomes(self.connection, policy, self.as_of, self.sources)
        by_python, _ = python_outcomes(self.connection, policy, self.as_of, self.sources)
        assert by_sql == by_python
        return by_sql["A:1"]

    def __call__(self, condition: str) -> bool | None:
        stage = self.outcome(condition).stages[0]
        return None if stage is None else bool(stage)

    def evidence(self, condition: str) -> list[EvidenceItem]:
        return list(self.outcome(condition).evidence[0])


def test_no_rows_in_a_full_source_is_knowledge() -> None:
    world = World()
    assert world("never(last_order_at)") is True
    assert world("last_order_at IS NULL") is True
    assert world("orders_count() = 0 AND orders_amount(365) = 0") is True
    assert world("days_since(last_order_at) = 500") is True
    assert world("last_order_at > created_at") is None
    assert world("open_deals = 0 AND won_deals = 0") is True


def test_a_source_that_was_not_pulled_leaves_everything_undecided() -> None:
    world = World()
    for state in (NOT_PULLED, None):
        world.sources = {**ALL_COMPLETE, "orders": state} if state else {}
        for condition in (
            "never(last_order_at)",
            "last_order_at IS NOT NULL",
            "orders_count() = 0",
            "days_since(last_order_at) > 3",
            "last_order_at < owned_since",
            "quintile(orders_amount()) = 1",
        ):
            assert world(condition) is None


def test_a_source_that_was_cut_off_knows_only_what_lies_in_it() -> None:
    world = World()
    world.sources["orders"] = SourceState(complete=True, since=AS_OF.window_day(100))
    assert world("orders_count(100) = 0") is True
    assert world("orders_count(101) = 0") is None
    assert world("orders_count() = 0") is None
    assert world("never(last_order_at)") is None
    assert world("days_since(last_order_at) > 3") is None
    world.add("orders")
    assert world("days_since(last_order_at) = 10 AND NOT never(last_order_at)") is True
    assert world("first_order_at IS NULL") is None
    assert world("NOT never(greatest(last_order_at, last_activity_at))") is True


def test_counting_falls_back_to_the_named_moment() -> None:
    world = World(owned_since=MIDNIGHT - timedelta(days=7))
    assert world("days_since(last_order_at, else: owned_since) = 7") is True
    assert world("days_since(last_order_at, else: last_activity_at) = 7") is None
    assert World(created_at=None)("days_since(last_order_at) > 1") is None
    world.add("orders")
    assert world("days_since(last_order_at, else: owned_since) = 10") is True


def test_the_greatest_of_moments_passes_over_what_never_was() -> None:
    world = World().add("orders")
    assert world("days_since(greatest(last_order_at, last_activity_at)) = 10") is True
    assert world("days_since(least(last_order_at, last_activity_at)) = 10") is True
    assert world("never(greatest(last_return_at, last_activity_at))") is True
    assert world("days_since(greatest(last_return_at, last_activity_at)) = 500") is True
    assert world("days_since(greatest(owned_since, created_at)) > 1") is None
    assert world("greatest(last_order_at, created_at) > created_at") is True
    assert world("never(owned_since)") is None
    assert world("never(created_at)") is False
    world.sources["activities"] = NOT_PULLED
    assert world("days_since(greatest(last_order_at, last_activity_at)) = 10") is None


def test_a_window_starts_at_local_midnight_and_ends_before_the_moment() -> None:
    world = World()
    start = MIDNIGHT - timedelta(days=30)
    for moment in (
        start - timedelta(microseconds=1),
        start,
        MIDNIGHT,
        MIDNIGHT - timedelta(hours=1),
    ):
        world.add("activities", happened_at=moment)
    assert world("activities_count(30) = 2") is True
    assert world("activities_count() = 3") is True


def test_what_was_recorded_later_is_not_yet_known() -> None:
    world = World().add("orders", recorded_at=MIDNIGHT)
    assert world("never(last_order_at)") is True
    world.add("orders", happened_at=None, recorded_at=MIDNIGHT)
    assert world("orders_count() = 0") is True
    world.add("orders", recorded_at=MIDNIGHT - timedelta(seconds=1))
    assert world("orders_count() = 1") is True


@pytest.mark.parametrize(
    "condition",
    [
        "never(last_order_at)",
        "orders_count() = 0",
        "orders_count(30) >= 0",
        "orders_amount() >= 0",
        "days_since(last_order_at) > 5",
        "days_since(last_order_at, else: created_at) > 5",
        "orders_count() = 0 AND activities_count() = 99",
    ],
)
def test_an_event_without_a_readable_moment_makes_its_customer_undecided(condition: str) -> None:
    world = World().add("orders", happened_at=None, amount=1)
    assert world(condition) is None
    assert world("activities_count() = 0") is True
    world.add("orders", amount=1)
    assert world(condition) is None


def test_days_are_days_of_the_zone() -> None:
    world = World().add("orders", happened_at=MIDNIGHT - timedelta(minutes=1))
    assert world("days_since(last_order_at) = 1") is True
    world.as_of = AsOf(AS_OF.moment, "America/New_York")
    assert world("days_since(last_order_at) = 0") is True


def test_a_deal_is_open_until_it_was_closed() -> None:
    world = World()
    world.add("deals", state="won", closed_at=MIDNIGHT)
    world.add("deals", state="won", closed_at=MIDNIGHT - timedelta(days=1))
    world.add("deals", state="won")
    world.add("deals", state="open")
    world.add("deals", state="lost")
    assert world("open_deals = 2 AND won_deals = 2") is True
    world.add("deals", state=None)
    assert world("open_deals = 2") is None


def test_money_is_exact_and_unknown_when_it_cannot_be_added() -> None:
    world = World()
    for _ in range(3):
        world.add("orders", amount=Decimal("0.1"), currency="CNY")
    assert world("orders_amount() = 0.3") is True
    assert world("orders_amount() * 10 / 3 = 1") is True
    assert world("orders_amount() / returns_amount() > 1") is None
    assert world("-orders_amount() / 7 = -0.042857") is True
    world.add("orders", happened_at=MIDNIGHT - timedelta(days=40), amount=1, currency="EUR")
    assert world("orders_amount(30) = 0.3") is True
    assert world("orders_amount() = 1.3") is None
    world.add("orders", amount=None, currency="CNY")
    assert world("orders_amount(30) > 0") is None


@pytest.mark.parametrize(
    "condition",
    [
        "orders_amount(365) + deals_amount(365) > 1",
        "orders_amount(365) - deals_amount(365) * 2 < 1000",
        "orders_amount(365) > deals_amount(365)",
        "orders_amount(365) BETWEEN deals_amount() AND 1000",
        "greatest(orders_amount(365), deals_amount(365)) > 1",
        "least(orders_amount(365), returns_amount(365), deals_amount(365)) < 1",
        "deals_amount(365) / orders_amount(365) > 0.1",
        "rate(deals_amount(365), orders_amount(365), min_n: 1) > 0.1",
        "if(orders_amount() > deals_amount(), 1, 2) > 0",
        "if(orders_count() > 0, orders_amount(), 0) > deals_amount()",
    ],
)
def test_amounts_in_two_currencies_are_not_put_together(condition: str) -> None:
    world = World().add("orders", amount=200, currency="CNY")
    world.add("deals", amount=100, currency="CNY").add("returns", amount=1, currency="CNY")
    assert world(condition) is not None
    world.add("deals", happened_at=MIDNIGHT - timedelta(days=500), amount=1, currency="CNY")
    assert world(condition) is not None
    for currency in (None, "", "USD"):
        world = World().add("orders", amount=200, currency="CNY")
        world.add("deals", amount=100, currency=currency)
        assert world(condition) is None
        assert world(f"({condition}) OR orders_count() = 1") is True
    world.sources["deals"] = NOT_PULLED
    assert world(condition) is None


def test_amounts_that_nothing_puts_together_may_be_in_two_currencies() -> None:
    world = World().add("orders", amount=200, currency="CNY")
    world.add("deals", amount=100, currency="USD")
    assert world("orders_amount() >= 200 AND deals_amount() >= 100") is True
    assert world("if(orders_count() > 1, orders_amount(), deals_amount()) < 150") is True
    assert world("orders_amount() / orders_count() > 150 OR deals_amount() > 1000") is True
    assert world("orders_amount() + returns_amount() = 200") is True
    assert world("orders_amount(30) + orders_amount(365) = 400") is True
    assert world("orders_amount() * 2 > 300") is True


def test_evidence_says_of_which_amounts_the_currencies_differ() -> None:
    world = World().add("orders", amount=200, currency="CNY")
    world.add("deals", amount=100, currency="USD")
    evidence = world.evidence("orders_amount(365) > deals_amount(365) AND returns_amount() = 0")
    assert [(item.name, item.value, item.state) for item in evidence] == [
        ("orders_amount(365)", "200", "known"),
        ("deals_amount(365)", "100", "known"),
        ("returns_amount()", "0", "known"),
        ("currency(orders_amount(365))", None, "missing"),
        ("currency(deals_amount(365))", None, "missing"),
    ]
    assert missing_inputs(evidence) == (
        "currency(orders_amount(365))",
        "currency(deals_amount(365))",
    )
    said = evidence_phrase("en", evidence[3])
    assert said == "amount of orders in 365 days (currencies differ): not enough data"


def test_no_column_asks_for_currencies_where_amounts_stand_alone() -> None:
    money = "money: {base: CNY}\n"
    both = policy_of("orders_amount() > deals_amount()")
    for text in (policy_of("orders_amount() > 1 OR deals_amount() > 1"), money + both):
        compiled = compile_evaluation(parse_policy(text), AS_OF, ALL_COMPLETE)
        assert not any("d_0" in statement for statement in compiled.inputs_statements)
        assert compiled.plan.mixes == {}
    plan = compile_evaluation(parse_policy(both), AS_OF, ALL_COMPLETE).plan
    assert len(plan.mixed) == 1


def test_large_products_stay_exact() -> None:
    world = World().add("orders", amount=Decimal("12345678901.2345"), currency=None)
    assert world("orders_amount() * 1000000000.5 = 12345678901.2345 * 1000000000.5") is True
    assert world("orders_count() * 123456789012 * 123456789012 = 15241578753153.5") is False


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("phone IS NULL", True),
        ("email IS NOT NULL", True),
        ("phone = '1'", None),
        ("phone <> '1' OR email = 'e'", True),
        ("phone = '1' AND email = 'x'", False),
        ("status IN ('a', 'b')", True),
        ("NOT status NOT IN ('a', 'b')", True),
        ("phone IN ('a', 'b')", None),
        ("has_tag('vip') AND NOT has_tag('other')", True),
        ("least(open_deals, 5) = 0 AND greatest(orders_count(), 5) = 5", True),
        ("least(open_deals / 0.5, 5) = 0", True),
        ("open_deals + 2 - 1 = 1 AND open_deals * 3 + 0.5 < 1", True),
        ("open_deals = 0 AND true", True),
    ],
)
def test_attributes_and_logic(condition: str, answer: bool | None) -> None:
    world = World(phone="", email="e", status="a", tags=["vip"])
    assert world(condition) is answer


def test_changeable_attributes_are_unknown_before_our_first_version() -> None:
    world = World(status="a", tags=["vip"], first_seen_on=AS_OF.day + timedelta(days=1))
    for condition in ("status = 'a'", "phone IS NULL", "has_tag('vip')", "NOT has_tag('x')"):
        assert world(condition) is None
    assert world("days_since(created_at) = 500") is True
    assert World(first_seen_on=None, status="a")("status = 'a'") is None


def test_a_later_claim_is_not_known_yet_and_a_later_customer_is_not_there() -> None:
    assert World(owned_since=MIDNIGHT)("days_since(owned_since) >= 0") is None
    world = World(created_at=MIDNIGHT)
    with pytest.raises(KeyError):
        world("open_deals = 0")


def test_a_tier_takes_the_first_band_that_holds_and_stops_at_an_unknown_one() -> None:
    text = """
policy: 1
name: p
rules:
- tier: r
  bands: [{name: a, when: phone = '1'}, {name: b, when: status = 'x'}, {name: c, when: else}]
- tier: all
  bands: [{name: everybody, when: else}]
"""
    for values, stages in (
        ({"phone": "1", "status": "x"}, (1, 1)),
        ({"phone": "2", "status": "x"}, (2, 1)),
        ({"phone": "2", "status": "y"}, (3, 1)),
        ({"status": "x"}, (None, 1)),
        ({"phone": "2"}, (None, 1)),
    ):
        world = World(**values)
        for outcomes in (duckdb_outcomes, python_outcomes):
            found, _ = outcomes(world.connection, parse_policy(text), AS_OF, ALL_COMPLETE)
            assert found["A:1"].stages == stages


def test_evidence_says_known_never_and_missing() -> None:
    world = World(phone="").add("orders", amount=Decimal("12.50"), currency="CNY")
    condition = (
        "days_since(last_order_at) > 1 AND days_since(last_activity_at) > 1 AND phone IS NULL"
        " AND orders_amount(90) > 1 AND orders_count() > 0 AND has_tag('x') AND last_return_at"
        " IS NULL"
    )
    world.sources["returns"] = NOT_PULLED
    evidence = world.evidence(condition)
    assert evidence == [
        EvidenceItem("last_order_at", "date", "2026-11-12", "known"),
        EvidenceItem("created_at", "date", "2025-07-10", "known"),
        EvidenceItem("last_activity_at", "date", None, "never"),
        EvidenceItem("phone", "text", None, "never"),
        EvidenceItem("orders_amount(90)", "money", "12.5", "known"),
        EvidenceItem("orders_count()", "integer", 1, "known"),
        EvidenceItem("has_tag('x')", "boolean", False, "known"),
        EvidenceItem("last_return_at", "date", None, "missing"),
    ]
    assert missing_inputs(evidence) == ("last_return_at",)


def test_a_fallback_is_evidence_only_when_it_was_needed() -> None:
    world = World().add("orders")
    names = [item.name for item in world.evidence("days_since(last_order_at) > 1")]
    assert names == ["last_order_at"]
    both = "days_since(last_order_at) > 1 AND days_since(created_at) > 1"
    assert [item.name for item in world.evidence(both)] == ["last_order_at", "created_at"]


def test_blank_attributes_are_named_when_nothing_else_is_missing() -> None:
    world = World(first_seen_on=AS_OF.day)
    assert missing_inputs(world.evidence("phone = '1' AND status = 'x'")) == ("phone", "status")
    late = World(first_seen_on=AS_OF.day + timedelta(days=1))
    assert late.evidence("phone = '1'")[0].state == "missing"
    mixed = World().add("orders", amount=None)
    assert mixed.evidence("orders_amount() > 1")[0].state == "missing"


def population(amounts: list[str | None], currencies: str = "C") -> World:
    world = World()
    world.connection.execute("DELETE FROM customers")
    for number, amount in enumerate(amounts):
        key = f"A:{number + 1}"
        created = MIDNIGHT - timedelta(days=9)
        add_customer(world.connection, key, created_at=created, first_seen_on=AS_OF.day)
        if amount is not None:
            currency = currencies[number % len(currencies)]
            world.add("orders", customer=key, amount=Decimal(amount), currency=currency)
    return world


def classes(world: World, condition: str) -> list[bool | None]:
    policy = parse_policy(policy_of(condition))
    by_sql, _ = duckdb_outcomes(world.connection, policy, AS_OF, ALL_COMPLETE)
    by_python, _ = python_outcomes(world.connection, policy, AS_OF, ALL_COMPLETE)
    assert by_sql == by_python
    stages = [by_sql[f"A:{number + 1}"].stages[0] for number in range(len(by_sql))]
    return [None if stage is None else bool(stage) for stage in stages]


def test_the_values_of_all_customers_can_be_added_up_whatever_their_size() -> None:
    world = population(["99999999999999.9999"] * 6 + ["1"])
    wide = "abc(orders_amount() * rate(won_deals, open_deals, else: 9999999999) * 1.0) = 'A'"
    assert classes(world, wide) == [None] * 7  # too large to be added up, and so not ranked
    small = population(["50", "30", "15", "4", "1", None])
    assert classes(small, "abc(orders_amount() * 1.000001) = 'A'")[0] is True


def test_abc_cuts_at_80_and_95_percent_of_the_value_and_keeps_ties_together() -> None:
    world = population(["50", "30", "15", "4", "1", None])
    assert classes(world, "abc(orders_amount()) = 'A'") == [True, True, False, False, False, False]
    assert classes(world, "abc(orders_amount()) = 'B'") == [False, False, True, False, False, False]
    ties = population(["10"] * 6)
    assert classes(ties, "abc(orders_amount()) = 'A'") == [True] * 6


def test_quintiles_keep_ties_together_and_five_is_the_largest() -> None:
    world = population(["1", "1", "1", "2", "3", "4", "5", "6", "7", "7"])
    expected = {1: [0, 1, 2], 2: [3], 3: [4, 5], 4: [6, 7], 5: [8, 9]}
    for fifth, members in expected.items():
        found = classes(world, f"quintile(orders_amount()) = {fifth}")
        assert [place for place, held in enumerate(found) if held] == members


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        ("<> 3", [0, 1, 2, 3, 6, 7, 8, 9]),
        (">= 2.5", [4, 5, 6, 7, 8, 9]),
        ("BETWEEN 2 AND 3", [3, 4, 5]),
        ("IN (1, 5)", [0, 1, 2, 8, 9]),
    ],
)
def test_a_fifth_is_compared_like_any_number(condition: str, members: list[int]) -> None:
    world = population(["1", "1", "1", "2", "3", "4", "5", "6", "7", "7"])
    found = classes(world, f"quintile(orders_amount()) {condition}")
    assert [place for place, held in enumerate(found) if held] == members


@pytest.mark.parametrize(
    "world",
    [
        population(["1", "2", "3", "4"]),
        population(["1", "2", "3", "4", "5", "6"], currencies="CE"),
        population([]),
    ],
    ids=["too few", "two currencies", "nobody"],
)
def test_ranks_without_a_basis_are_unknown(world: World) -> None:
    assert set(classes(world, "abc(orders_amount()) = 'A'")) <= {None}
    assert set(classes(world, "quintile(orders_amount()) = 1")) <= {None}


def test_without_any_value_nobody_has_a_class() -> None:
    assert classes(population([None] * 6), "abc(orders_amount()) = 'C'") == [None] * 6


def test_one_customer_can_be_explained_alone() -> None:
    policy = library_policy("starter")
    customer = {
        "key": "A:1",
        "tags": ["key-account"],
        "created_at": datetime(2025, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))),
        "first_seen_on": AS_OF.day,
    }
    aware = {"happened_at": datetime(2026, 1, 1, tzinfo=UTC), "recorded_at": None}
    tried = {**aware, "direction": "ours", "outcome": "no_answer"}
    facts = CustomerFacts(customer, {"activities": [tried, tried]})
    thresholds = {"t_0": (Decimal(100), Decimal(10))}
    result = evaluate_customer(policy, AS_OF, ALL_COMPLETE, thresholds, facts)
    assert result is not None
    assert [(rule.id, rule.stage, rule.stage_name) for rule in result.rules] == [
        ("lost-contact", 1, "lost-contact"),
        ("value", 4, "C"),
    ]
    holds = {item.id: item.holds for item in result.protections}
    assert holds["key-account"] is True
    assert holds["open-deals"] is False
    later = CustomerFacts(customer | {"created_at": datetime(2027, 1, 1, tzinfo=UTC)})
    assert evaluate_customer(policy, AS_OF, ALL_COMPLETE, thresholds, later) is None


def test_a_moment_needs_its_zone_and_days_begin_where_clocks_jump() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        AsOf(MIDNIGHT, "UTC")
    jump = AsOf.midnight(date(2026, 9, 6), "America/Santiago")
    assert jump.day == date(2026, 9, 6)
    assert jump.utc == datetime(2026, 9, 6, 4, 0)  # noqa: DTZ001
    assert AsOf.midnight(date(2026, 9, 7), "America/Santiago").window_start(1) == jump.utc


def test_constants_are_quoted_and_numbers_stay_plain() -> None:
    assert [literal(value) for value in ("it's", 3, Decimal("1E+2"), True, False)] == [
        "'it''s'",
        "3",
        "100",
        "TRUE",
        "FALSE",
    ]
    assert divide(Decimal(-7), 3) == Decimal("-2.333333")
    assert divide(1, 0) is None


def test_an_unknown_kind_of_node_or_value_is_a_defect_not_a_guess() -> None:
    plan = InputPlan(parse_policy(policy_of("open_deals = 0")), AS_OF, ALL_COMPLETE)
    with pytest.raises(TypeError, match="Node has no SQL"):
        ExpressionSql(plan, {}).sql(Node())
    with pytest.raises(TypeError, match="Node has no Python"):
        ExpressionWriter(plan).value(Node())
    with pytest.raises(TypeError, match="no evidence can be made of float"):
        plan.evidence("r", [1.5], Gaps(history_known=True))


def test_facts_are_aggregated_once_a_table_and_only_what_is_used() -> None:
    compiled = compile_evaluation(
        parse_policy(policy_of("orders_count(30) + orders_count(90) > 1 AND open_deals = 0")),
        AS_OF,
        ALL_COMPLETE | {"deals": NOT_PULLED},
    )
    (statement,) = compiled.inputs_statements
    assert statement.count("FROM orders") == 1
    assert "TIMESTAMP '2026-08-23 16:00:00'" in statement
    assert not any(f"FROM {name}" in statement for name in ("surveys", "activities"))
    assert compiled.threshold_queries == ()
    assert "OVER" not in compiled.findings_sql({})


def test_the_first_order_is_the_earliest_one() -> None:
    world = World().add("orders").add("orders", happened_at=MIDNIGHT - timedelta(days=40))
    assert world("days_since(first_order_at) = 40 AND days_since(last_order_at) = 10") is True


def test_offsets_are_where_clocks_change() -> None:
    berlin = AsOf.midnight(date(2026, 3, 30), "Europe/Berlin").offsets
    assert berlin[:3] == (
        (datetime(2026, 3, 29, 1), 7200),  # noqa: DTZ001
        (datetime(2025, 10, 26, 1), 3600),  # noqa: DTZ001
        (datetime(2025, 3, 30, 1), 7200),  # noqa: DTZ001
    )
    assert len(berlin) == 12
    assert [offset for _, offset in AS_OF.offsets] == [28800]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago", "Asia/Shanghai"])
def test_local_days_agree_around_each_change_of_clocks(zone: str) -> None:
    world = World(created_at=None)
    world.as_of = AsOf.midnight(date(2026, 11, 22), zone)
    world.connection.execute("DELETE FROM customers")
    moments = [
        start + timedelta(hours=hours, microseconds=step)
        for start, _ in world.as_of.offsets
        for hours in (-25, -1, 0, 1, 24)
        for step in (-1, 0)
    ]
    for number, moment in enumerate([*moments, datetime(1999, 7, 1, 22, 30)]):  # noqa: DTZ001
        add_customer(world.connection, f"A:{number}", created_at=moment)
    policy = parse_policy(policy_of("days_since(created_at) > 7"))
    by_sql, _ = duckdb_outcomes(world.connection, policy, world.as_of, ALL_COMPLETE)
    by_python, _ = python_outcomes(world.connection, policy, world.as_of, ALL_COMPLETE)
    assert by_sql == by_python
    assert len(by_sql) == len(moments) + 1


def test_a_number_that_grows_by_itself_makes_no_new_note() -> None:
    policy = parse_policy(
        "policy: 2\nname: p\nrules:\n"
        "- {task: t, note: true, when: open_deals_days() > 3 AND open_deals = 1, mark: {tag: x}}\n"
    )
    connection = new_world()
    add_customer(connection)
    opened = datetime(2026, 1, 1)  # noqa: DTZ001 - UTC, as staged
    insert(connection, "deals", customer="A:1", state="open", happened_at=opened)
    keys = set()
    for day in (date(2026, 6, 1), date(2026, 6, 2)):
        duckdb_outcomes(connection, policy, AsOf.midnight(day, "UTC"), ALL_COMPLETE)
        keys.add(connection.execute("SELECT s_0, k_0 FROM findings").fetchone())
    assert len(keys) == 1


def test_evidence_is_the_same_where_no_more_of_it_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("policies.evaluation.compile_sql._REMEMBERED", 1)
    policy = parse_policy(policy_of("orders_count() > 0"))
    reader = compile_evaluation(policy, AS_OF, ALL_COMPLETE).evidence_reader("r")
    values = [(None, number) for number in (1, 2, 2, 1)]
    assert [reader(row)[0].value for row in values] == [1, 2, 2, 1]


def test_a_rank_that_takes_everybody_asks_for_a_value_all_the_same() -> None:
    world = World().add("orders", amount=Decimal(5), currency="CNY")
    assert world.outcome("quintile(orders_amount()) >= 1").stages == (None,)
    for number in range(2, 8):
        add_customer(world.connection, f"A:{number}", first_seen_on=AS_OF.day)
    assert world.outcome("quintile(orders_amount()) >= 1").stages == (1,)


def test_parts_of_conditions_have_values_of_their_own() -> None:
    policy = library_policy("starter")
    customer = {
        "key": "A:1",
        "tags": ["key-account"],
        "created_at": datetime(2025, 1, 1, tzinfo=UTC),
        "first_seen_on": AS_OF.day,
    }
    evaluation = PythonEvaluation(policy, AS_OF, ALL_COMPLETE)
    tagged, _ = (item.when.tree for item in policy.protections[:2])
    ordered = next(item.when.tree for item in policy.protections if item.id == "has-ordered")
    bands = [item.tree for item in policy.rule("value").conditions]
    orders = {"id": "1", "happened_at": None, "recorded_at": None, "amount": 5, "currency": None}
    thresholds = {"t_0": (Decimal(100), Decimal(10))}
    known = evaluation.inputs(CustomerFacts(customer, {}))
    undated = evaluation.inputs(CustomerFacts(customer, {"orders": [orders]}))
    assert known is not None
    assert undated is not None
    nodes = (tagged, ordered, *bands)
    assert evaluation.values(nodes, known, thresholds)[:3] == (True, False, False)
    assert evaluation.values(nodes, undated, thresholds)[:3] == (True, True, None)
