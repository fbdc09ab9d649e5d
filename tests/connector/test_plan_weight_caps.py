"""Caps by tier and by money, over real runs: who counts, and what nobody can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.models import Ref
from connector.plan_model import Plan
from tests.fact_shop import FactShop
from tests.little_crm import Shop

POLICY = """
policy: 2
name: caps
%s
rules:
  - task: quiet
    when: industry = 'quiet' OR industry = 'both'
    mark: {tag: quiet}
  - task: calls
    when: industry = 'calls' OR industry = 'both'
    mark: {tag: calls}
  - task: visits
    when: industry = 'visits'
    mark: {tag: visits}
  - tier: value
    bands:
      - {name: A, when: region = 'a'}
      - {name: B, when: region = 'b', mark: {tag: B}}
      - {name: C, when: else, mark: {tag: C}}
limits: {%s}
"""
BANDS = "tiers: {value: {A: 2, B: 3}}"
SPENT = "money: {of: orders_amount(365), at_most: 1000}"


class Caps(FactShop):
    """A shop in which nothing happens by chance."""

    def __init__(self, root: Path, limits: str, more: str = "") -> None:
        super().__init__(root, POLICY % (more, limits), seed=0)

    def add(self, *industries: str, region: str | None = "a") -> list[Ref]:
        """One customer of each industry."""
        fields = {"owner": self.people[0].id, "region": region}
        return [self.customers(1, industry=each, **fields)[0] for each in industries]

    def order(self, customers: list[Ref], amount: str | None, currency: str = "CNY") -> None:
        for each in customers:
            values = {"amount": amount, "currency": currency, "customer": each.id}
            self.crm.seed("Orders", 1, happened=self.clock().isoformat(), **values)
        self.later(hours=30)


def tripped(plan: Plan) -> dict[str, str]:
    return {count.rule: count.tripped for count in plan.header.rules if count.tripped}


def test_a_rule_above_the_cap_of_a_band_is_stopped_and_the_rest_runs(tmp_path: Path) -> None:
    shop = Caps(tmp_path, BANDS)
    shop.add("quiet", "quiet", "quiet", "calls")
    shop.add("quiet", "calls", "calls", region="b")
    plan = shop.plan()
    assert tripped(plan) == {"quiet": "value = A: 3 > 2"}
    report = shop.apply(plan)
    assert (report.complete, report.tripped) == (False, ("quiet",))
    assert {name for _, name, *_ in shop.episodes()} == {"calls", "value"}


def test_as_many_of_each_band_as_its_cap_are_no_reason(tmp_path: Path) -> None:
    shop = Caps(tmp_path, BANDS)
    shop.add("quiet", "quiet")
    shop.add("quiet", "calls", "calls", region="b")
    shop.add("quiet", "quiet", "calls", "calls", region="elsewhere")  # without a cap
    assert tripped(shop.plan()) == {}


def test_the_cap_of_a_band_holds_for_all_rules_together_each_customer_once(tmp_path: Path) -> None:
    shop = Caps(tmp_path, BANDS)
    shop.add("quiet", "both")
    assert tripped(shop.plan()) == {}
    shop.add("calls")
    assert tripped(shop.plan()) == {
        "quiet": "*: value = A: 3 > 2",
        "calls": "*: value = A: 3 > 2",
    }


def test_who_leaves_and_what_a_rule_that_is_gone_takes_back_counts_too(tmp_path: Path) -> None:
    shop = Caps(tmp_path, "tiers: {value: {A: 3}}")
    own = shop.add("quiet", "quiet", "quiet")
    assert shop.go().complete
    narrow = (POLICY % ("", BANDS)).replace("task: quiet", "task: silent").replace("quiet}", "s}")
    shop.write_policy(narrow.replace("industry = 'quiet'", "industry = 'silent'"))
    assert tripped(shop.plan()) == {"quiet": "value = A: 3 > 2"}
    shop.write_policy(POLICY % ("", BANDS))
    for each in own:
        shop.crm.edit(each, industry="none")
    shop.later(hours=1)
    assert tripped(shop.plan()) == {"quiet": "value = A: 3 > 2"}


@pytest.mark.parametrize("limit", ["tiers: {value: {A: 2, C: 1}}", SPENT])
def test_tiers_and_rules_with_a_limit_of_their_own_do_not_count(tmp_path: Path, limit: str) -> None:
    shop = Caps(tmp_path, f"{limit}, rules: {{visits: 9}}")
    own = shop.add("visits", "visits", "visits", "quiet", "calls")
    shop.order(own[:3], "900")
    shop.order(shop.add("none", "none", region="elsewhere"), "900")  # their tier alone changes
    assert tripped(shop.plan()) == {}


def test_a_customer_whose_band_is_not_decided_counts_in_every_band(tmp_path: Path) -> None:
    shop = Caps(tmp_path, "tiers: {value: {B: 1, C: 9}}")
    shop.add("quiet", "calls", region=None)
    assert tripped(shop.plan()) == {
        "quiet": "*: value = B: 0 + 2 ? > 1",
        "calls": "*: value = B: 0 + 2 ? > 1",
    }
    shop.add("quiet", region="b")
    assert tripped(shop.plan()) == {"quiet": "value = B: 1 + 1 ? > 1"}


def test_a_share_of_a_band_is_looked_at_among_many_customers_only(tmp_path: Path) -> None:
    shop = Caps(tmp_path, "tiers: {value: {A: 50%}}")
    shop.add("quiet", "calls", "none")
    shop.add(*["none"] * 96, region="b")
    assert tripped(shop.plan()) == {}
    shop.add("none", region="b")
    assert tripped(shop.plan()) == {
        "quiet": "*: value = A: 2 > 50% * 3",
        "calls": "*: value = A: 2 > 50% * 3",
    }
    shop.add("none")
    assert tripped(shop.plan()) == {}


def test_a_rule_above_the_cap_by_money_is_stopped_and_the_rest_runs(tmp_path: Path) -> None:
    shop = Caps(tmp_path, SPENT)
    shop.order(shop.add("quiet", "quiet"), "500.01")
    shop.order(shop.add("calls", "visits"), "500")
    plan = shop.plan()
    assert tripped(plan) == {"quiet": "money: 1000.02 > 1000"}
    assert shop.apply(plan).tripped == ("quiet",)
    assert {name for _, name, *_ in shop.episodes()} == {"calls", "visits"}


def test_exactly_the_amount_for_all_rules_together_is_no_reason(tmp_path: Path) -> None:
    shop = Caps(tmp_path, SPENT)
    shop.order(shop.add("both"), "700")
    shop.order(shop.add("visits"), "300")
    assert tripped(shop.plan()) == {}
    shop.order(shop.add("calls"), "0.01")
    together = "*: money: 1000.01 > 1000"
    assert tripped(shop.plan()) == {"quiet": together, "calls": together, "visits": together}


def test_an_amount_below_nothing_makes_no_room_for_another(tmp_path: Path) -> None:
    shop = Caps(tmp_path, "money: {of: 100 - orders_amount(365), at_most: 150}")
    shop.order(shop.add("quiet"), "900")
    shop.add("quiet")
    assert tripped(shop.plan()) == {}
    shop.add("quiet")
    assert tripped(shop.plan()) == {"quiet": "money: 200 > 150"}


def test_a_customer_whose_amount_is_not_known_trips_the_cap(tmp_path: Path) -> None:
    shop = Caps(tmp_path, SPENT)
    known, unknown = shop.add("quiet", "quiet")
    shop.order([known], "10")
    shop.order([unknown], None)
    assert tripped(shop.plan()) == {"quiet": "money: 10 + 1 ? > 1000"}


def test_an_order_of_which_nobody_knows_when_leaves_the_amount_unknown(tmp_path: Path) -> None:
    shop = Caps(tmp_path, "money: {of: orders_count(365), at_most: 9}")
    (own,) = shop.add("quiet")
    shop.crm.seed("Orders", 1, customer=own.id, happened="?", amount="5", currency="CNY")
    shop.later(hours=30)
    assert tripped(shop.plan()) == {"quiet": "money: 0 + 1 ? > 9"}


def test_a_source_that_was_never_pulled_lets_nobody_through(tmp_path: Path) -> None:
    shop = Shop(tmp_path, POLICY % ("", SPENT))
    shop.customers(2, industry="quiet")
    assert tripped(shop.plan()) == {"quiet": "money: 0 + 2 ? > 1000"}


def test_amounts_in_several_currencies_are_not_added_up(tmp_path: Path) -> None:
    shop = Caps(tmp_path, SPENT)
    shop.order(shop.add("quiet"), "1")
    shop.order(shop.add("calls"), "1", "EUR")
    shop.order(shop.add("none"), "1", "USD")
    together = "*: money: CNY + EUR > 1000"
    assert tripped(shop.plan()) == {"quiet": together, "calls": together}
    shop.order(shop.add("quiet"), "1", "")
    assert tripped(shop.plan()) == {"quiet": "money: ? + CNY > 1000"}


def test_amounts_of_one_customer_in_several_currencies_are_not_known(tmp_path: Path) -> None:
    shop = Caps(tmp_path, SPENT)
    own = shop.add("quiet")
    shop.order(own, "1")
    shop.order(own, "1", "EUR")
    assert tripped(shop.plan()) == {"quiet": "money: 0 + 1 ? > 1000"}


def test_converted_amounts_are_told_in_the_base_currency(tmp_path: Path) -> None:
    money = "money: {base: CNY, rates: [{date: 2020-01-01, currency: EUR, rate: 8}]}"
    shop = Caps(tmp_path, SPENT, money)
    shop.order(shop.add("quiet"), "200")
    shop.order(shop.add("quiet"), "100", "EUR")
    assert tripped(shop.plan()) == {}
    shop.order(shop.add("quiet"), "0.01", "EUR")
    assert tripped(shop.plan()) == {"quiet": "money: 1000.08 > 1000 CNY"}
    shop.write_policy(POLICY % (money, "money: {of: orders_count(365), at_most: 2}"))
    assert tripped(shop.plan()) == {"quiet": "money: 3 > 2"}


def test_what_is_counted_may_be_ranked_and_named_and_needs_no_rule_that_reads_it(
    tmp_path: Path,
) -> None:
    define = "define: {weight: 'if(abc(orders_amount(365)) = ''A'', 10, 1)'}"
    shop = Caps(tmp_path, "money: {of: weight, at_most: 10}", define)
    shop.order(shop.add("quiet"), "900")
    shop.order(shop.add("calls", "none", "none", "none"), "10")
    together = "*: money: 11 > 10"
    assert tripped(shop.plan()) == {"quiet": together, "calls": together}


def test_an_undo_is_not_held_back(tmp_path: Path) -> None:
    shop = Caps(tmp_path, f"{BANDS}, {SPENT}")
    shop.order(shop.add("quiet", "quiet"), "500")
    run = shop.go()
    assert run.complete
    shop.later(hours=1)
    shop.write_policy(POLICY % ("", f"tiers: {{value: {{A: 1}}}}, {SPENT.replace('1000', '1')}"))
    undo = shop.undo(run.run_id)
    assert tripped(undo) == {}
    assert shop.apply(undo).complete
