"""The policies that come with the product, and the examples of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.library import library_names, library_text
from policies.loader.guards import GUARD_IDS
from policies.policy import load_policy
from tests.policies.policy_world import library_policy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "manufacturer.yaml"
# What reaches a customer in a data-access answer must not insult.
INSULTS = re.compile(
    r"缺陷|无价值|清退|垃圾|劣质|worthless|useless|defective|no-value|junk", re.IGNORECASE
)


@pytest.mark.parametrize("name", library_names())
def test_a_policy_of_the_library_is_written_in_the_present_version(name: str) -> None:
    policy = library_policy(name)
    assert policy.warnings == ()
    assert policy.limits.share is not None
    assert all(stage.tag or stage.when for rule in policy.rules for stage in rule.stages)


@pytest.mark.parametrize("name", library_names())
def test_every_threshold_but_half_a_year_is_called_a_default(name: str) -> None:
    lines = library_text(name).splitlines()
    start = lines.index("params:") + 1
    params = [line for line in lines[start:] if line.startswith("  ")]
    params = params[: next((n for n, line in enumerate(lines[start:]) if line[:1] != " "), None)]
    assert params
    for line in params:
        half_a_year = re.search(r": 180 # ", line)
        assert half_a_year or re.search(r"# (default|默认值|Vorgabe)", line), line


@pytest.mark.parametrize(
    "text", [*(library_text(name) for name in library_names()), EXAMPLE.read_text("utf-8")]
)
def test_no_word_insults(text: str) -> None:
    assert INSULTS.findall(text) == []


@pytest.mark.parametrize(
    ("name", "language", "kinds"),
    [
        ("starter", None, ["void", "tier"]),
        ("starter.zh-CN", "zh-CN", ["void", "tier"]),
        ("starter.de", "de", ["void", "tier"]),
        ("b2b-manufacturing@1", None, ["tier", "defect"]),
        ("b2b-manufacturing.zh-CN@1", "zh-CN", ["tier", "defect"]),
    ],
)
def test_each_edition_loads_in_its_language(
    name: str, language: str | None, kinds: list[str]
) -> None:
    policy = library_policy(name)
    assert policy.language == language
    assert [rule.kind for rule in policy.rules] == kinds
    foreign = {"zh-CN": r"[a-z]{4}", "de": r"[\u4e00-\u9fff]", None: r"[^\x00-\x7f]"}[language]
    titles = [*(rule.title for rule in policy.rules), *policy.managed_tags]
    titles += [item.label or item.id for item in policy.protections if not item.built_in]
    assert not [title for title in titles if re.search(foreign, title)]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("b2b-manufacturing.zh-CN@1", "12dbdec1a575d94a"),
        ("b2b-manufacturing@1", "4d216d81105379ae"),
        ("starter", "34c2d102e2049a7f"),
        ("starter.de", "ff8efec7d1528851"),
        ("starter.zh-CN", "3685f0bda5fe23a4"),
    ],
)
def test_a_meaning_once_approved_keeps_its_hash(name: str, known: str) -> None:
    assert library_policy(name).hash[:16] == known


def test_the_example_keeps_its_hash() -> None:
    assert load_policy(EXAMPLE).hash[:16] == "b50a156540441343"


@pytest.mark.parametrize("name", ["starter.zh-CN", "starter.de"])
def test_the_starters_decide_alike(name: str) -> None:
    own, other = library_policy("starter"), library_policy(name)
    for rule, same in zip(own.rules, other.rules, strict=True):
        trees = [[condition.tree for condition in item.conditions] for item in (rule, same)]
        assert trees[0] == trees[1]
    shares = [(policy.limits.share, policy.limits.count) for policy in (own, other)]
    assert shares[0] == shares[1]
    limits = [list(policy.limits.rules.values()) for policy in (own, other)]
    assert limits[0] == limits[1]


def test_an_edition_has_the_names_and_rules_of_the_first() -> None:
    own, other = (
        library_policy(name) for name in ("b2b-manufacturing@1", "b2b-manufacturing.zh-CN@1")
    )
    assert own.params == other.params
    assert [item.id for item in own.protections] == [item.id for item in other.protections]
    for rule, same in zip(own.rules, other.rules, strict=True):
        assert (rule.id, rule.kind, rule.axis) == (same.id, same.kind, same.axis)
        assert [item.tree for item in rule.conditions] == [item.tree for item in same.conditions]
    defined = [next(iter(policy.documents.values())).value["define"] for policy in (own, other)]
    assert defined[0] == defined[1]
    assert own.limits == other.limits


def test_the_example_of_a_manufacturer_loads_with_all_its_parts() -> None:
    policy = load_policy(EXAMPLE)
    assert policy.warnings == ()
    assert policy.sources == ("library/b2b-manufacturing.zh-CN@1.yaml", "manufacturer.yaml")
    assert {rule.kind for rule in policy.rules} == {"pool", "task", "void", "defect", "tier"}
    assert policy.managed_tags >= {
        "即将收回",
        "待唤醒",
        "待作废",
        "回款风险",
        "服务待改善",
        "客户A",
    }
    assert [stage.name for stage in policy.rule("超期未成交").stages] == ["华东公海", "公司公海"]
    ids = {item.id for item in policy.protections}
    assert {"战略客户", "有未结账款或报价", *GUARD_IDS} - ids == {"our-complaint"}
    assert "key-account" not in ids
    assert policy.calendar is not None
    assert policy.timezone == "Asia/Shanghai"
    assert policy.limits.backlog is not None


def test_the_example_can_be_set_from_outside() -> None:
    usual, shorter = load_policy(EXAMPLE), load_policy(EXAMPLE, {"no_deal_days": "60"})
    assert usual.hash != shorter.hash
    assert shorter.params["no_deal_days"] == 60
