"""Limits by tier and by money: what is refused and where, what they mean, and how they merge."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policies.errors import FileProblems
from policies.meaning import meaning
from policies.model import Limit, Limits, Policy
from policies.policy import load_policy, parse_policy, policy_json_schema

TEXT = """
policy: 2
name: p
params: {window: 365}
define: {won: orders_count() > 0}
rules:
  - {task: call, when: won, mark: {tag: call}}
  - tier: value
    bands:
      - {name: A, when: orders_amount($window) > 5}
      - {name: B, when: else}
limits:
  %s
"""
TIERS = "tiers: {value: {A: 2, B: 5%}}"
MONEY = "money: {of: orders_amount($window), at_most: 100000}"


def policy(*limits: str) -> Policy:
    return parse_policy(TEXT % "\n  ".join(limits), "p.yaml")


def problems(*limits: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        policy(*limits)
    return [str(item) for item in raised.value.problems]


def test_limits_by_tier_and_by_money_stand_beside_the_others() -> None:
    limits = policy("total: 3%", TIERS, MONEY).limits
    assert (limits.count, limits.share) == (None, Decimal("0.03"))
    assert limits.tiers == {"value": {"A": Limit(2), "B": Limit(None, Decimal("0.05"))}}
    assert limits.money is not None
    assert limits.money.at_most == 100_000
    assert limits.money.of.tree == policy(MONEY.replace("$window", "365")).conditions[-1].tree


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("tiers: {valu: {A: 2}}", ["13:11: there is no tier rule 'valu' - did you mean 'value'?"]),
        (
            "tiers: {call: {A: 2, B: 1}}",
            ["13:11: rule 'call' is a task rule, not a tier rule - valid here: value"],
        ),
        (
            "tiers: {value: {Aa: 2, C: 1}}",
            [
                "13:19: the tier 'value' has no band 'Aa' - did you mean 'A'?",
                "13:26: the tier 'value' has no band 'C' - valid here: A, B",
            ],
        ),
        (
            "tiers: {value: {}}",
            ["13:18: dictionary should have at least 1 item after validation, not 0"],
        ),
        (
            "tiers: {value: {A: {}}}",
            ["13:22: this limit limits nothing - write 3%, or {share: 3%, count: 50}"],
        ),
        ("tiers: {value: 5}", ["13:18: expected keys and values, found '5'"]),
        (
            "tiers: {value: {A: '5'}, valu: {A: 1}}",
            [
                "13:22: expected a share such as 5%, found '5'",
                "13:28: there is no tier rule 'valu' - did you mean 'value'?",
            ],
        ),
        (
            "money: {of: won, at_most: 5}",
            [
                "13:15: a limit adds up amounts, not a condition - "
                "write an amount or a number, such as orders_amount(365)"
            ],
        ),
        (
            "money: {of: last_order_at, at_most: 0}",
            [
                "13:15: a limit adds up amounts, not last_order_at - "
                "write an amount or a number, such as orders_amount(365)",
                "13:39: this is no limit of an amount - a number above 0, such as 100000",
            ],
        ),
        (
            "money: {of: '5', at_most: 1000000000000000}",
            [
                "13:15: this amount looks at no fact of a customer - "
                "write an amount or a number, such as orders_amount(365)",
                "13:29: this is no limit of an amount - a number above 0, such as 100000",
            ],
        ),
        (
            "money: {of: order_amount(3), at_most: '5'}",
            [
                "13:15: unknown function 'order_amount' - did you mean 'orders_amount'?",
                "13:41: expected a number, found '5'",
            ],
        ),
        (
            "money: {of: order_amount(3), at_most: 5}",
            ["13:15: unknown function 'order_amount' - did you mean 'orders_amount'?"],
        ),
        (
            "money: {of: orders_amount(), at_mots: 5}",
            [
                "13:3: the key 'at_most' is missing",
                "13:32: unknown key 'at_mots' - did you mean 'at_most'?",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(limit: str, expected: list[str]) -> None:
    assert problems(limit) == [f"p.yaml:{line}" for line in expected]


def test_a_tier_that_was_refused_itself_is_not_missed() -> None:
    broken = TEXT.replace("tier: value", "tier: value\n    bnds: 1") % TIERS
    with pytest.raises(FileProblems) as raised:
        parse_policy(broken, "p.yaml")
    assert [str(item) for item in raised.value.problems] == [
        "p.yaml:9:5: unknown key 'bnds' - did you mean 'bands'?"
    ]


@pytest.mark.parametrize(
    ("limit", "adds"), [(TIERS, 0), (MONEY, 1), (MONEY.replace("amount(", "count("), 1)]
)
def test_it_is_asked_of_each_customer_only_if_it_is_there(limit: str, adds: int) -> None:
    assert len(policy(limit).conditions) == len(policy("total: 1").conditions) + adds


def test_hashes_of_policies_without_them_stay_and_those_with_them_tell_apart() -> None:
    assert meaning(Limits()) == ["Limits", None, None, [], None, None]
    forms = [
        (),
        (TIERS,),
        (TIERS.replace("A: 2", "A: 3"),),
        (TIERS.replace("A: 2", "A: 2%"),),
        (MONEY,),
        (MONEY.replace("100000", "100001"),),
        (MONEY.replace("amount(", "count("),),
        (TIERS, MONEY),
    ]
    hashes = {policy("total: 3%", *form).hash for form in forms}
    assert len(hashes) == len(forms)
    assert policy(MONEY.replace("100000", "100000.0")).hash == policy(MONEY).hash
    assert policy(MONEY.replace("$window", "365")).hash == policy(MONEY).hash
    swapped = TIERS.replace("A: 2, B: 5%", "B: 5%, A: 2")
    assert policy(swapped).hash == policy(TIERS).hash


def test_editors_are_told_of_them() -> None:
    known = policy_json_schema()["$defs"]
    assert {"tiers", "money"} <= set(known["LimitsShape"]["properties"])
    assert known["MoneyLimitShape"]["properties"]["at_most"] == {
        "exclusiveMinimum": 0,
        "title": "At Most",
        "type": "number",
    }


def laid(tmp_path: Path, own: str, base: str = "") -> Policy:
    (tmp_path / "base.yaml").write_text(TEXT % (base or f"{TIERS}\n  {MONEY}"), "utf-8")
    path = tmp_path / "policy.yaml"
    path.write_text(f"extends: base.yaml\npolicy: 2\n{own}", "utf-8")
    return load_policy(path)


def test_bands_and_the_amount_are_replaced_each_by_its_own(tmp_path: Path) -> None:
    same = laid(tmp_path, "params: {window: 30}").limits
    assert same.tiers == {"value": {"A": Limit(2), "B": Limit(None, Decimal("0.05"))}}
    assert same.money is not None
    assert "days=30" in str(same.money.of.tree)
    own = laid(tmp_path, "limits: {tiers: {value: {A: 9}}, money: {of: open_deals, at_most: 3}}")
    assert own.limits.tiers == {"value": {"A": Limit(9), "B": Limit(None, Decimal("0.05"))}}
    assert own.limits.money is not None
    assert own.limits.money.of.text == "open_deals"
    assert own.limits.money.at_most == 3


def test_a_limit_of_a_band_goes_with_its_tier(tmp_path: Path) -> None:
    assert laid(tmp_path, "rules: [{tier: value, off: true}]").limits.tiers == {}
    other = "rules: [{tier: value, bands: [{name: B, when: open_deals > 0}]}]"
    assert laid(tmp_path, other).limits.tiers == {"value": {"B": Limit(None, Decimal("0.05"))}}
    task = "rules: [{task: value, when: open_deals > 0}]"
    assert laid(tmp_path, task).limits.tiers == {}


def test_a_misspelt_limit_of_the_extended_policy_is_not_dropped(tmp_path: Path) -> None:
    with pytest.raises(FileProblems) as raised:
        laid(tmp_path, "", "tiers: {valu: {A: 2}}")
    (problem,) = raised.value.problems
    expected = "base.yaml:13:11: there is no tier rule 'valu' - did you mean 'value'?"
    assert str(problem) == expected


def test_limits_of_a_tier_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"extends: gone.yaml\npolicy: 2\nlimits: {{{TIERS}}}\n", "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    (problem,) = raised.value.problems
    assert "gone.yaml" in problem.message
