"""Why this class, why this score: values, places and thresholds, in `explain` and in the plan."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.explain import explain_customer
from connector.explain_text import explanation_lines
from connector.models import Ref
from connector.plan_model import RowStatus
from connector.summary import Voice, plan_lines, preview
from policies.languages import LANGUAGES
from tests.fact_shop import FactShop

POLICY = """
policy: 2
name: ranks
money: {base: CNY}
scores:
  heat:
    terms:
      - {when: region = 'north', points: 20}
      - {when: industry = 'a', points: 5}
      - {of: orders_count(365), weight: 2}
rules:
  - tier: value
    bands:
      - {name: A, when: abc(orders_amount(365)) = 'A', mark: {tag: value-A}}
      - {name: top, when: quintile(orders_count(365)) = 5, mark: {tag: value-top}}
      - {name: C, when: else, mark: {tag: value-C}}
  - task: warm
    when: heat >= 22
    mark: {tag: warm}
"""
GROUPED = """
policy: 2
name: grouped
group: [orders]
money: {base: CNY, rates: [{date: 2024-01-01, currency: EUR, rate: 7.8}]}
protect:
  - {id: asked, when: attitude = 'bad' AND region <> 'north'}
rules:
  - void: silent
    reason: no_intent
    when: activities_count(90) <= 2 AND phone_valid
    mark: {tag: silent}
  - pool: back
    when: deals_count() > 0 AND NOT has_tag('x')
    mark: {tag: back}
  - task: call
    when: activities_count(90) <= 3 AND industry = 'a'
    mark: {tag: call}
"""
RANKED = """  - tier: value
    bands:
      - {name: A, when: abc(orders_amount(365)) = 'A', mark: {tag: value-A}}
      - {name: C, when: else, mark: {tag: value-C}}
"""


def shop_of(root: Path, amounts: list[int]) -> tuple[FactShop, list[Ref]]:
    """A customer for each amount, with one order, or two for the largest."""
    shop = FactShop(root, POLICY, 1)
    refs = []
    for amount in amounts:
        (ref,) = shop.crm.seed("Accounts", 1, region="north", industry=None, tags=[])
        refs.append(ref)
        for part in [amount] if amount < max(amounts) else [amount - 1, 1]:
            happened = (shop.clock() - timedelta(days=9)).isoformat()
            order = {"customer": ref.id, "happened": happened, "amount": str(part)}
            shop.crm.seed("Orders", 1, currency="CNY", **order)
    shop.later(days=3)
    return shop, refs


def text(shop: FactShop, ref: Ref, language: str) -> str:
    explained = explain_customer(shop.workspace, str(ref), shop.today)
    return "\n".join(explanation_lines(explained, language))


def test_a_class_is_told_with_the_value_and_where_the_classes_break(tmp_path: Path) -> None:
    shop, refs = shop_of(tmp_path, [1000, 500, 100, 40, 10])
    plan = shop.plan()
    money, count = plan.header.thresholds
    assert (money.kind, money.type, money.breaks) == ("abc", "money", ("500", "100"))
    assert (count.kind, count.type, count.breaks) == ("quintile", "number", ("1", "1", "1", "1"))
    assert "amount of orders in 365 days" in money.name
    lines = plan_lines(
        plan,
        preview(shop.rows(plan)),
        Voice("en", "Asia/Shanghai"),
        shop.adapter.describe().capabilities,
    )
    assert any(line.endswith(": A from CNY 500.00, B from CNY 100.00") for line in lines)
    assert "CNY 500.00, class A (A from CNY 500.00, B from CNY 100.00)" in text(shop, refs[1], "en")
    assert "40.00 CNY，C 类（A 类起点 500.00 CNY，B 类起点 100.00 CNY）" in text(
        shop, refs[3], "zh-CN"
    )
    assert "2, fifth 5 of 5 (fifths end at 1 / 1 / 1 / 1)" in text(shop, refs[0], "en")
    assert "1.000,00 CNY, Klasse A (A ab 500,00 CNY, B ab 100,00 CNY)" in text(shop, refs[0], "de")


def test_facts_of_a_plan_and_of_an_explanation_have_the_base_currency(tmp_path: Path) -> None:
    policy = POLICY.replace(
        "{base: CNY}", "{base: CNY, rates: [{date: 2024-01-01, currency: EUR, rate: 7.8123}]}"
    ).replace("abc(orders_amount(365)) = 'A'", "orders_amount(365) > 100")
    shop = FactShop(tmp_path, policy, 1)
    (ref,) = shop.crm.seed("Accounts", 1, region="north", industry=None, tags=[])
    order = {"amount": "199.99", "currency": "EUR", "customer": ref.id}
    shop.crm.seed("Orders", 1, happened=(shop.clock() - timedelta(days=9)).isoformat(), **order)
    shop.later(days=3)
    plan = shop.plan()
    row = next(row for row in shop.rows(plan) if row.customer == str(ref))
    assert "1562.3819" in {item.value for item in row.evidence}  # rounded for people alone
    voice, capabilities = Voice("en", "Asia/Shanghai"), shop.adapter.describe().capabilities
    said = "amount of orders in 365 days: CNY 1,562.38"
    assert any(said in line for line in plan_lines(plan, preview([row]), voice, capabilities))
    assert said in text(shop, ref, "en")


def test_thresholds_are_under_the_fingerprint_and_none_are_made_up(tmp_path: Path) -> None:
    shop, refs = shop_of(tmp_path, [1000, 500, 100, 40, 10])
    first = shop.plan()
    happened = (shop.clock() - timedelta(days=1)).isoformat()
    shop.crm.seed(
        "Orders", 1, customer=refs[4].id, happened=happened, amount="5000", currency="CNY"
    )
    shop.later(days=1)
    second = shop.plan()
    assert first.header.thresholds != second.header.thresholds
    (tmp_path / "few").mkdir()
    few, (one, *_) = shop_of(tmp_path / "few", [5, 4])
    plan = few.plan()
    assert [item.breaks for item in plan.header.thresholds] == [(None,) * 2, (None,) * 4]
    assert "not enough data (no thresholds, too few customers have a value" in text(few, one, "en")


def test_a_score_is_told_with_its_terms_and_their_sum(tmp_path: Path) -> None:
    shop, refs = shop_of(tmp_path, [1000, 500, 100, 40, 10])
    shop.crm.edit(refs[1], region="south", industry="a")
    shop.later(hours=1)
    shop.plan()
    told = text(shop, refs[0], "en")
    assert 'the score "heat": not enough data in all' in told
    assert '20: region is "north" (worth 20)' in told
    assert 'not enough data: industry is "a" (worth 5)' in told
    assert "4: orders in 365 days \xd7 2" in told
    told = text(shop, refs[1], "zh-CN")
    assert "得分“heat”：共 7 分" in told
    assert "0 分：地区为“north”（满足得 20 分）" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_ranks_and_scores_have_words_in_every_language(tmp_path: Path, language: str) -> None:
    shop, refs = shop_of(tmp_path, [1000, 500, 100, 40, 10])
    shop.plan()
    told = text(shop, refs[0], language)
    assert "{" not in told
    assert "rank." not in told
    assert "score." not in told


def compare(shop: FactShop) -> set[RowStatus]:
    """Each row of a plan is told of its customer, and nothing else is told as one."""
    rows = {(row.customer, row.rule): row for row in shop.rows(shop.plan())}
    seen = set()
    for ref in shop.accounts:
        for verdict in explain_customer(shop.workspace, str(ref), shop.today).verdicts:
            row = rows.pop((str(ref), verdict.rule), None)
            if row is None:  # where a protection holds, nothing has to be decided
                assert verdict.outcome not in set(RowStatus) - {RowStatus.PROTECTED}
                continue
            assert (verdict.outcome, verdict.stage_after) == (row.status, row.stage_after)
            seen.add(row.status)
    assert not rows
    return seen


@pytest.mark.parametrize("policy", [GROUPED, GROUPED + RANKED])
def test_among_facts_of_all_kinds_what_is_told_is_what_the_plan_says(
    tmp_path: Path, policy: str
) -> None:
    shop = FactShop(tmp_path, policy, 7)
    shop.settle(14)
    shop.happen(150)
    shop.later(days=1)
    first = compare(shop)
    shop.apply(shop.plan())
    shop.move_on()
    shop.later(days=1)
    seen = first | compare(shop)
    assert seen >= {RowStatus.CHANGE, RowStatus.PROTECTED, RowStatus.UNDECIDED}
