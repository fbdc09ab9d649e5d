"""What metrics mean, case by case, in both back ends: unknown rows, ties, moments of the past,
currencies, groups, owners, workdays, fields of the CRM."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from policies.condition import Expression
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.evidence import EvidenceItem
from policies.evaluation.row_plan import may_be_unknown
from policies.language.tree import (
    Attribute,
    Case,
    Compare,
    Constant,
    DaysSince,
    Extreme,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Rank,
    RankKind,
    RowColumn,
    Today,
    WorkdaysSince,
)
from policies.language.vocabulary import Type
from policies.model import Protection
from policies.moment import AsOf, SourceState
from policies.money import ExchangeRate
from policies.policy import parse_policy
from tests.policies.metric_world import (
    CALENDAR,
    MONEY,
    SCOPE,
    Comparison,
    policy_of,
    tree_of,
)
from tests.policies.policy_world import (
    ALL_COMPLETE,
    Outcome,
    add_customer,
    duckdb_outcomes,
    insert,
    new_world,
    python_outcomes,
)

AS_OF = AsOf.midnight(date(2026, 11, 22), "Asia/Shanghai")  # a Sunday
MIDNIGHT = AS_OF.utc


def ago(days: float) -> datetime:
    return MIDNIGHT - timedelta(days=days)


class World:
    """One customer `A:1`, asked one condition at a time."""

    def __init__(self, settings: dict[str, Any] | None = None, **customer: Any) -> None:
        self.connection = new_world()
        defaults = {"created_at": ago(500), "first_seen_on": AS_OF.day, "owner_id": "P1"}
        add_customer(self.connection, **(defaults | customer))
        self.sources = dict(ALL_COMPLETE)
        self.settings = {"calendar": CALENDAR} | (settings or {})

    def add(self, table: str, days: float = 10, **values: Any) -> World:
        values = {"customer": "A:1", "happened_at": ago(days)} | values
        insert(self.connection, table, **values)
        return self

    def person(self, **values: Any) -> World:
        insert(self.connection, "people", **({"id": "P1"} | values))
        return self

    def compare(self, node: Node) -> Comparison:
        policy = policy_of([node], **self.settings)
        found = Comparison(self.connection, policy, AS_OF, self.sources)
        assert found.differences() == []
        assert found.by_sql.evidence == found.by_python.evidence
        return found

    def holds(self, node: Node) -> bool | None:
        answer: bool | None = self.compare(node).by_sql.rows["A:1"][-1]
        return answer

    def __call__(self, condition: str) -> bool | None:
        return self.holds(tree_of(condition))

    def evidence(self, condition: str) -> list[EvidenceItem]:
        return list(self.compare(tree_of(condition)).by_sql.evidence["A:1", "p0"])


def test_a_row_that_may_count_makes_a_count_unknown_and_one_that_does_not_count_does_not() -> None:
    world = World().add("activities", kind="visit", checked_in=True, direction="ours")
    assert world("followups_count() = 1") is True
    world.add("activities", kind="call", direction="theirs", seconds=None)
    assert world("followups_count() = 1") is True
    world.add("activities", kind="call", direction="ours", seconds=None)
    assert world("followups_count() = 1") is None
    assert world("followups_count(9) = 0") is True


def test_only_a_later_row_that_may_count_makes_the_last_one_unknown() -> None:
    world = World().add("activities", 10, kind="quote", direction="ours")
    world.add("activities", 10, kind="call", direction="ours")
    world.add("activities", 11, kind="call", direction="ours")
    assert world("days_since(last_followup_at) = 10") is True
    world.add("activities", 9, kind="call", direction="ours")
    assert world("days_since(last_followup_at) = 10") is None
    assert world("never(last_followup_at)") is None
    assert world("days_since(last_followup_at, else: owned_since) > 0") is None
    assert world.evidence("never(last_followup_at)")[0].state == "missing"
    # false all the same where something else decides
    assert world("never(last_followup_at) AND orders_count() = 7") is False


def test_only_an_earlier_row_that_may_count_makes_the_first_one_unknown() -> None:
    world = World().add("orders", 10, amount=5).add("orders", 9, amount=None)
    assert world("days_since(first_order_at(amount > 1)) = 10") is True
    world.add("orders", 11, amount=None)
    assert world("days_since(first_order_at(amount > 1)) = 10") is None


def test_flags_that_are_empty_say_what_the_vocabulary_says() -> None:
    world = World().add("orders").add("orders", confirmed=False).add("orders", confirmed=True)
    assert world("orders_count() = 2") is True
    world.add("activities").add("activities", automated=True).add("activities", mass=True)
    assert world("activities_count() = 1") is True


def test_what_was_settled_later_was_still_open_then() -> None:
    world = World().add("quotes", state="accepted", closed_at=MIDNIGHT)
    world.add("quotes", state="accepted", closed_at=ago(1))
    assert world("quotes_valid = 1") is True
    world.add("invoices", amount=7, due_on=date(2026, 11, 1), settled_at=MIDNIGHT)
    assert world("receivable_open = 7 AND invoices_overdue = 1") is True
    assert world("invoices_days_late() = 21") is True


def test_the_stage_in_which_a_deal_ended_was_not_known_before() -> None:
    world = World().add("deals", 60, stage="final", state="won", closed_at=MIDNIGHT)
    assert world("deals_count(stage = 'final') > 0") is None
    world = World().add("deals", 60, stage="final", state="won", closed_at=ago(1))
    assert world("deals_count(stage = 'final') = 1") is True


def test_an_order_without_a_readable_moment_protects_all_the_same() -> None:
    policy = parse_policy(
        "policy: 2\nname: p\nrules:\n- {pool: back, when: days_since(created_at) > 5, "
        "mark: {tag: x}}\n"
    )
    world = World().add("orders", happened_at=None)
    found = Comparison(world.connection, policy, AS_OF, world.sources)
    assert found.differences() == []
    place = [item.id for item in policy.protections].index("has-ordered")
    by_sql, _ = duckdb_outcomes(world.connection, policy, AS_OF, world.sources)
    by_python, _ = python_outcomes(world.connection, policy, AS_OF, world.sources)
    assert by_sql == by_python
    assert by_sql["A:1"].holds[place] is True


def test_what_no_mapping_says_to_be_closed_is_neither_open_nor_closed() -> None:
    world = World().add("returns").add("complaints", fault="ours")
    world.add("invoices", 60, amount=7, due_on=date(2026, 11, 1))
    assert world("returns_open = 1 AND complaints_open = 1 AND receivable_open = 7") is True
    assert world("invoices_days_late() = 21") is True
    untold = SourceState(complete=True, untold=frozenset({"closed_at", "settled_at"}))
    world.sources |= dict.fromkeys(("returns", "complaints", "invoices"), untold)
    for condition in ("returns_open > 0", "complaints_open(fault = 'ours') = 1"):
        assert world(condition) is None
    assert world("receivable_open > 0") is None
    assert world("invoices_days_late() > 0") is None
    assert world("returns_count() = 1 AND invoices_due() = 1") is True
    assert world("returns_count(closed_at IS NULL AND fault = 'ours') = 1") is None


def test_lateness_counts_against_the_day_that_was_agreed() -> None:
    world = World()
    for due, paid in ((date(2026, 11, 1), ago(22)), (date(2026, 11, 1), ago(5))):
        world.add("invoices", 60, amount=1, due_on=due, settled_at=paid)
    world.add("invoices", 60, amount=1, due_on=date(2026, 11, 22))
    world.add("invoices", 60, amount=1, due_on=date(2026, 11, 1), disputed=True)
    assert world("invoices_due() = 2 AND invoices_on_time() = 1") is True
    assert world("invoices_days_late() = 16") is True
    assert world("rate(invoices_on_time(), invoices_due(), min_n: 2) = 0.5") is True
    assert world("on_time_rate() > 0") is None
    assert world("on_time_rate(else: 1) = 1") is True
    assert world("invoices_due(20) = 0 AND invoices_due(21) = 2") is True


def test_a_window_on_another_day_needs_a_source_from_the_beginning() -> None:
    world = World().add("invoices", 60, due_on=date(2026, 11, 1))
    world.sources["invoices"] = SourceState(complete=True, since=AS_OF.window_day(365))
    assert world("invoices_due(30) = 1") is None
    assert world("invoices_count(365) = 1") is True


def test_the_last_of_a_source_that_was_cut_off_lies_inside_of_it() -> None:
    world = World().add("orders", 100)
    world.sources["orders"] = SourceState(complete=True, since=AS_OF.window_day(50))
    assert world("days_since(last_order_at) = 100") is None
    assert world("days_since(last_order_at) = 30") is None
    world.add("orders", 50)
    assert world("days_since(last_order_at) = 50") is True


def _by_their_own(condition: str) -> Node:
    """Of a workspace in which a response is what came from the customer, and nothing else."""
    return tree_of(condition, replace(SCOPE, clocks={"response": "direction = 'theirs'"}))


def test_attempts_count_after_the_last_response() -> None:
    attempt = {"direction": "ours", "outcome": "no_answer"}
    world = World()
    assert world("attempts_unanswered() = 0") is True
    for days in (30, 20, 10):
        world.add("activities", days, **attempt)
    assert world("attempts_unanswered() = 3 AND attempts_unanswered(20) = 2") is True
    world.add("activities", 20, direction="theirs")
    assert world("attempts_unanswered() = 1") is True
    # no attempt between them: whichever was the last response, the count is the same
    world.add("activities", 15, direction=None, outcome="reached")
    assert world.holds(_by_their_own("attempts_unanswered() = 1")) is True
    world.add("activities", 5, direction=None, outcome="reached")
    assert world.holds(_by_their_own("attempts_unanswered() = 1")) is None
    world.add("activities", 4, outcome="refused")
    assert world("attempts_unanswered() = 0") is True
    world.add("activities", 3, direction="ours", outcome=None)
    assert world("attempts_unanswered() = 0") is None
    after = IsBlank(RowColumn("activities", "outcome"))
    everything = MetricValue("activities_count", after=after)
    assert world.add("activities", 2, outcome="reached").holds(
        Compare("=", everything, Constant(1))
    )


def test_an_interval_is_the_middle_of_the_days_between() -> None:
    world = World()
    assert world("order_interval_median > 0") is None
    assert world.evidence("order_interval_median > 0")[0].state == "never"
    assert world("order_interval_median(else: 90) = 90") is True
    for days in (100, 90, 90, 50):
        world.add("orders", days)
    assert world("order_interval_median = 25") is True
    world.add("orders", 49)
    assert world("order_interval_median = 10") is True
    world.add("orders", 40, amount=None)
    assert world("order_interval_median(amount > 3, else: 90) = 90") is None


def test_the_latest_answer_is_unknown_when_the_last_ones_differ() -> None:
    world = World()
    assert world("last_nps(else: 5) = 5") is True
    world.add("surveys", 20, kind="nps", score=2).add("surveys", 10, kind="nps", score=9)
    assert world("last_nps = 9") is True
    world.add("surveys", 10, kind="nps", score=9)
    assert world("last_nps = 9") is True
    world.add("surveys", 10, kind="nps", score=8)
    assert world("last_nps = 9") is None
    assert world("last_nps(else: 5) = 5") is None
    assert World().add("surveys", kind="nps")("last_nps(else: 5) = 5") is None


def test_nps_is_promoters_less_detractors() -> None:
    world = World()
    for score in (10, 9, 8, 6, 6):
        world.add("surveys", kind="nps", score=score)
    assert world("nps() = 0 AND csat(else: 3) = 3") is True
    world.add("surveys", kind="nps", score=0)
    assert world("nps() = -16.666666") is True


def test_amounts_are_converted_at_the_rate_of_their_day() -> None:
    world = World({"money": MONEY})
    world.add("orders", 400, amount=Decimal("10.00003"), currency="EUR")
    world.add("orders", 10, amount=1, currency="EUR").add("orders", 10, amount=2, currency="")
    assert world("orders_amount() = 71.8845 + 0.0002 + 8.0001 + 2 - 0.0002") is True
    assert world("orders_count(amount > 8) = 2") is True
    world.add("orders", 900, amount=1, currency="EUR")
    assert world("orders_amount() > 0") is None
    assert world("orders_amount(800) > 0") is True
    world.add("orders", 5, amount=1, currency="XXX")
    assert world("orders_amount(9) = 0") is None
    assert World({"money": replace(MONEY, rates=())}).add("orders", amount=3)("orders_amount() = 3")


@pytest.mark.parametrize("amount", ["150000", "1300000", "99999999999999.9999"])
def test_an_amount_of_any_size_is_converted(amount: str) -> None:
    world = World({"money": MONEY}).add("orders", amount=Decimal(amount), currency="EUR")
    exact = MONEY.converted(Decimal(amount), "EUR", AS_OF.day)
    assert world(f"orders_amount() = {exact}") is True
    assert world(f"orders_count(amount = {exact}) = 1") is True


def test_what_is_too_large_to_be_an_amount_or_a_count_is_not_known() -> None:
    wild = replace(MONEY, rates=(ExchangeRate("EUR", date(2020, 1, 1), Decimal(9999999999)),))
    world = World({"money": wild}).add("orders", amount=Decimal(99999999999999), currency="EUR")
    assert world("orders_amount() > 0") is None
    assert world("orders_count(amount > 0) > 0") is None
    assert world("orders_count() = 1") is True
    many = World()
    for _ in range(101):
        many.add("orders", amount=Decimal("99999999999999.9999"), currency="CNY")
    assert many("orders_amount() > 0") is None
    assert many("orders_amount() * 9999999999 / 3 > 0") is None
    points = World().add("surveys", score=9_999_999_999)
    assert points("survey_points() = 9999999999") is True
    assert points.add("surveys", score=1)("survey_points() > 0") is None


def test_rows_of_the_whole_group_count_where_the_policy_says_so() -> None:
    world = World({"group": frozenset({"orders"})}, group_key="G")
    for key, more in (
        ("A:2", {"group_key": "G"}),
        ("A:3", {"group_key": "H"}),
        ("A:4", {"group_key": "G", "created_at": MIDNIGHT}),
        ("A:5", {"group_key": "G", "first_seen_on": AS_OF.day + timedelta(days=1)}),
    ):
        add_customer(world.connection, key, **({"first_seen_on": AS_OF.day} | more))
        world.add("orders", 3, customer=key).add("returns", 3, customer=key)
    world.add("orders", 9)
    assert world("orders_count() = 2 AND returns_count() = 0") is True
    assert world("days_since(last_order_at) = 3") is True
    unseen = World({"group": frozenset({"orders"})}, first_seen_on=None, group_key="G")
    assert unseen.add("orders")("orders_count() = 1") is None
    assert unseen("never(last_order_at)") is None
    alone = World({"group": frozenset({"orders"})}).add("orders")
    assert alone("orders_count() = 1") is True


def test_owners_who_left_or_are_away() -> None:
    day, tomorrow = AS_OF.day, AS_OF.day + timedelta(days=1)
    for person, active, absent in (
        ({"active": True}, True, False),
        ({"active": False}, False, False),
        ({"active": None}, None, False),
        ({"active": None, "left_on": day}, False, False),
        ({"active": True, "left_on": tomorrow}, True, False),
        ({"active": True, "absent_from": day}, True, True),
        ({"active": True, "absent_from": day, "absent_to": ago(1).date()}, True, False),
        ({"active": True, "absent_from": tomorrow}, True, False),
    ):
        world = World().person(**person)
        assert (world("owner_active"), world("owner_absent")) == (active, absent)
    world = World().person(id="P2", department="sales")
    for condition in ("owner_active", "owner_absent", "owner_department = 'sales'"):
        assert world(condition) is None
    assert world.evidence("owner_department = 'x'")[0].state == "missing"
    world.person(department="")
    assert world.evidence("owner_department = 'x'")[0].state == "never"
    world.sources["people"] = SourceState(complete=False)
    assert world("owner_absent") is None
    assert world.evidence("owner_department = 'x'")[0].state == "missing"
    unseen = World(first_seen_on=None).person(active=True, department="x")
    assert unseen("owner_active OR owner_department = 'x'") is None


def test_an_attitude_is_an_opinion_of_its_day() -> None:
    for at, answer in ((ago(180), True), (ago(181), None), (MIDNIGHT, None), (None, None)):
        world = World(attitude="warm", attitude_at=at)
        assert world("attitude = 'warm'") is answer
        assert world("attitude IS NULL") is (None if answer is None else False)
    assert World(attitude="")("attitude IS NULL") is True
    assert World(attitude_at=ago(3))("days_since(attitude_at) = 3") is True


def test_yes_and_no_of_a_customer_may_be_unknown() -> None:
    world = World(phone_valid=True, email_valid=False)
    assert world("phone_valid AND NOT email_valid") is True
    assert world("do_not_contact") is None
    assert world.evidence("do_not_contact")[0].state == "missing"


def test_fields_of_the_crm_are_read_as_their_type() -> None:
    fields = {"Size": " 12 ", "Score": "x", "Renewal": "2026-11-25", "Note": "", "Listed": "True"}
    fields["Signed"] = "2026-11-20T23:30:00+08:00"
    world = World(fields=fields)
    assert world("field('Size') = 12 AND field('Listed')") is True
    assert world("days_until(field('Renewal')) = 3") is True
    assert world("days_since(field('Signed')) = 2") is True
    assert world("field('Score') > 0 OR field('Score') IS NULL") is None
    assert world.evidence("field('Score') > 0")[0].state == "missing"
    assert world("field('Note') IS NULL AND field('Budget') IS NULL") is True
    assert World(fields=None)("field('Size') IS NULL") is True
    assert World(fields=fields, first_seen_on=None)("field('Size') = 12") is None


def test_a_field_that_lies_behind_the_run_is_a_plan() -> None:
    world = World(fields={"Signed": "2027-01-01T00:00:00Z"})
    assert world("days_since(field('Signed')) = -40") is True


def test_workdays_are_those_of_the_calendar() -> None:
    world = World().add("orders", 1.5)  # Friday
    assert world("workdays_since(last_order_at) = 0") is True
    world = World().add("orders", 51)  # 2026-10-02, within the autumn holidays
    assert world("workdays_since(last_order_at) < 51 * 5 / 7") is True
    assert world("workdays_since(last_return_at, else: last_order_at) > 30") is True
    assert world("workdays_since(greatest(last_order_at, created_at)) > 30") is True
    assert World(created_at=ago(20_000))("workdays_since(created_at) > 4000") is True
    today = WorkdaysSince(MetricValue("last_order_at"), Today())
    assert World().holds(Compare("=", today, Constant(0))) is True


def test_today_is_a_moment_like_others() -> None:
    created = Attribute("created_at")
    later = Extreme(True, (MetricValue("last_order_at"), Today()), Type.MOMENT)
    assert World().holds(Compare("=", DaysSince(later, None), Constant(0))) is True
    assert World().holds(Never(later)) is False
    assert World().holds(Compare("<", created, Today())) is True
    assert World()("orders_count() IN (0, 2)") is True


def test_the_age_of_data_counts_from_the_last_pull() -> None:
    world = World()
    assert world("data_age('orders') = 0") is None
    for pulled, age in ((ago(2), 2), (ago(1.5), 2), (ago(-5), 0)):
        world.sources["orders"] = SourceState(complete=True, pulled_at=pulled)
        assert world(f"data_age('orders') = {age}") is True


def test_a_case_without_a_class_equals_nothing_and_stops_at_the_unknown() -> None:
    status = Compare("=", tree_of("status"), Constant("x"))
    tier = Case(
        (status, tree_of("orders_count() > 0")), (Constant("A"), Constant("B")), None, Type.TEXT
    )
    is_a, is_not_a = (Compare(sign, tier, Constant("A")) for sign in ("=", "<>"))
    for values, answers in (
        ({"status": "x"}, (True, False)),
        ({"status": "y"}, (False, True)),
        ({}, (None, None)),
    ):
        world = World(**values)
        assert (world.holds(is_a), world.holds(is_not_a)) == answers
    assert World(status="y").add("orders").holds(Compare("=", tier, Constant("B"))) is True
    unset = Case((status,), (Constant(1),), None, Type.INTEGER)
    assert World(status="y").holds(Compare("<", unset, Constant(5))) is None


def test_numbers_of_an_if_have_one_scale() -> None:
    world = World(status="y")
    assert world("if(status = 'x', 1, 0.5) = 0.5") is True
    assert world("if(status = 'y', orders_count(), 0.5) = 0") is True
    assert world("if(phone = 'x', 1, 2) < 3") is None


def test_an_amount_without_a_day_has_no_rate() -> None:
    text = """
policy: 2
name: p
money: {base: CNY, rates: [{date: 2020-01-01, currency: EUR, rate: 7}]}
rules:
  - {void: v, reason: no_intent, when: open_deals > 5, mark: {tag: v}}
  - {task: t, when: orders_amount() > 3 OR orders_count(amount > 3) > 0, mark: {tag: t}}
"""
    world = World()
    for currency in ("CNY", "EUR", None):
        world.add("orders", happened_at=None, amount=5, currency=currency)
    found = both_outcomes(world, text)["A:1"]
    assert (found.stages, found.holds[0]) == ((0, None), True)


def both_outcomes(world: World, text: str) -> dict[str, Outcome]:
    policy = parse_policy(text)
    by_sql, _ = duckdb_outcomes(world.connection, policy, AS_OF, ALL_COMPLETE)
    by_python, _ = python_outcomes(world.connection, policy, AS_OF, ALL_COMPLETE)
    assert by_sql == by_python
    return by_sql


def test_an_event_without_a_day_protects_only_if_it_is_one_that_protects() -> None:
    text = "policy: 2\nname: p\nrules:\n- {cleanout: c, when: open_deals > 5, mark: {tag: x}}\n"
    world = World()
    for key, values in (("A:2", {"settled_at": ago(9)}), ("A:3", {"settled_at": None})):
        add_customer(world.connection, key, first_seen_on=AS_OF.day)
        world.add("invoices", customer=key, happened_at=None, amount=5, **values)
    found = both_outcomes(world, text)
    assert {key: any(item.holds) for key, item in found.items()} == {
        "A:1": False,
        "A:2": False,
        "A:3": True,
    }


def test_a_certain_protection_holds_only_where_it_is_known_to() -> None:
    world = World().add("orders", happened_at=None)
    policy = policy_of([], calendar=CALENDAR)
    trees = (tree_of("phone = 'x'"), tree_of("orders_count() > 0"), tree_of("phone IS NULL"))
    for certain, holds in ((True, (False, False, True)), (False, (None, None, True))):
        shields = tuple(
            Protection(f"p{place}", Expression("", tree), frozenset({"void"}), certain=certain)
            for place, tree in enumerate(trees)
        )
        found = Comparison(
            world.connection, replace(policy, protections=shields), AS_OF, world.sources
        )
        assert found.differences() == []
        assert found.by_sql.rows["A:1"][-3:] == holds


def test_moments_of_one_row_are_compared_and_chosen() -> None:
    closed, happened, recorded = (
        RowColumn("deals", name) for name in ("closed_at", "happened_at", "recorded_at")
    )
    world = World().add("deals", 10, closed_at=ago(5)).add("deals", 10)
    later = Compare("<", happened, Today())
    extreme = Extreme(True, (closed, recorded, happened), Type.MOMENT)
    week = Compare("<", DaysSince(extreme, None), Constant(7))
    day = Compare("<=", RowColumn("quotes", "valid_until"), Today())
    for rows, count in ((later, 2), (week, 1), (Never(closed), 1), (IsBlank(closed), 1)):
        node = MetricValue("deals_count", rows=rows)
        assert world.holds(Compare("=", node, Constant(count))) is True
    world.add("quotes", valid_until=AS_OF.day)
    assert world.holds(Compare("=", MetricValue("quotes_count", rows=day), Constant(1))) is True
    assert not may_be_unknown(extreme)
    assert may_be_unknown(Extreme(True, (closed, recorded), Type.MOMENT))
    assert may_be_unknown(DaysSince(closed, recorded))


def test_what_makes_no_sense_of_a_row_is_a_defect_not_a_guess() -> None:
    happened = RowColumn("deals", "happened_at")
    rank = Rank(RankKind.QUINTILE, RowColumn("deals", "amount"))
    for node in (WorkdaysSince(happened, None), WorkdaysSince(Today(), None), rank):
        rows = Compare("=", node, Constant(1))
        policy = policy_of([MetricValue("deals_count", rows=rows)], calendar=CALENDAR)
        with pytest.raises(TypeError, match="no SQL here"):
            compile_evaluation(policy, AS_OF, ALL_COMPLETE)
        with pytest.raises(TypeError, match="no Python here"):
            PythonEvaluation(policy, AS_OF, ALL_COMPLETE)


def test_ranks_take_the_shares_that_are_asked_for() -> None:
    world = World()
    world.connection.execute("DELETE FROM customers")
    for number, amount in enumerate((50, 30, 15, 4, 1), start=1):
        add_customer(world.connection, f"A:{number}", first_seen_on=AS_OF.day)
        world.add("orders", customer=f"A:{number}", amount=amount, currency="CNY")
    for condition, expected in (
        ("abc(orders_amount(), 50, 80) = 'A'", [True, False, False, False, False]),
        ("abc(orders_amount(), 50, 80) = 'B'", [False, True, False, False, False]),
        ("abc(orders_amount()) = 'A'", [True, True, False, False, False]),
    ):
        rows = world.compare(tree_of(condition)).by_sql.rows
        assert [rows[f"A:{number}"][-1] for number in range(1, 6)] == expected


def test_a_clock_of_the_policy_replaces_the_usual_one() -> None:
    scope = replace(SCOPE, clocks={"followup": "kind = 'message'"}, memo={})
    world = World().add("activities", 5, kind="message").add("activities", 5, kind="quote")
    node = tree_of("followups_count()", scope)
    assert world.holds(Compare("=", node, Constant(1))) is True
