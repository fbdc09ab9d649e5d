"""The default protection of a new owner: 30 days, known or not at all, replaced or switched off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from policies.authoring.lint import lint
from policies.authoring.signature import differences, sign, thresholds
from policies.authoring.signoff import difference_text, render_signoff
from policies.errors import FileProblems
from policies.model import NEW_OWNER, Policy, Protection
from policies.moment import AsOf
from policies.policy import load_policy, parse_policy
from tests.policies.policy_world import (
    ALL_COMPLETE,
    Outcome,
    add_customer,
    duckdb_outcomes,
    new_world,
    python_outcomes,
)

POOL = """\
policy: 2
name: p
rules:
  - {pool: back, when: days_since(created_at) > 90, mark: {tag: back}}
  - {cleanout: out, when: days_since(created_at) > 900, mark: {tag: out}}
"""
OWN = "protect: [{id: new-owner, when: days_since(owned_since) < 60, from: [pool, cleanout]}]\n"
OFF = "protect: [{id: new-owner, off: true}]\n"
AS_OF = AsOf.midnight(date(2026, 6, 1), "Asia/Shanghai")
LANGUAGES = ("en", "zh-CN", "de")


def new_owner(policy: Policy) -> Protection | None:
    return next((item for item in policy.protections if item.id == NEW_OWNER), None)


def holds(policy: Policy, owned_since: datetime | None) -> bool | None:
    """Whether it protects, as both back ends say it."""
    world = new_world()
    add_customer(
        world,
        created_at=datetime(2020, 1, 1),  # noqa: DTZ001 - as the warehouse has it, in UTC
        first_seen_on=date(2020, 1, 1),
        owned_since=owned_since,
    )
    found, _ = duckdb_outcomes(world, policy, AS_OF, ALL_COMPLETE)
    assert found == python_outcomes(world, policy, AS_OF, ALL_COMPLETE)[0]
    outcome: Outcome = found["A:1"]
    return outcome.holds[[item.id for item in policy.protections].index(NEW_OWNER)]


def days_ago(days: int) -> datetime:
    return (AS_OF.moment - timedelta(days=days)).astimezone(UTC).replace(tzinfo=None)


def test_an_owner_has_thirty_days() -> None:
    policy = parse_policy(POOL)
    assert holds(policy, days_ago(29)) is True
    assert holds(policy, days_ago(30)) is False
    assert holds(policy, None) is False, "unknown takes nothing away, and adds nothing"


def test_it_stands_before_pool_rules_alone() -> None:
    protection = new_owner(parse_policy(POOL))
    assert protection is not None
    assert (protection.kinds, protection.certain, protection.is_default) == ({"pool"}, True, True)
    assert new_owner(parse_policy(POOL.replace("pool: back", "task: back"))) is None


def test_a_policy_has_its_own_in_the_place_of_it() -> None:
    policy = parse_policy(POOL + OWN)
    protection = new_owner(policy)
    assert protection is not None
    assert (protection.kinds, protection.certain) == ({"pool", "cleanout"}, False)
    assert not protection.built_in
    assert not protection.is_default
    assert holds(policy, days_ago(59)) is True
    assert holds(policy, days_ago(60)) is False
    assert holds(policy, None) is None, "a protection of theirs protects where it cannot be decided"


def test_a_policy_leaves_it_out_without_building_on_another() -> None:
    assert new_owner(parse_policy(POOL + OFF)) is None
    hashes = {parse_policy(POOL + more).hash for more in ("", OWN, OFF)}
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("below", "own", "expected"),
    [
        (POOL, OFF, None),
        (POOL + OWN, OFF, None),
        (POOL + OFF, "", None),
        (POOL + OFF, OWN, False),
        (POOL + OWN, "", False),
        (POOL, OWN, False),
        (POOL, "", True),
    ],
)
def test_what_stands_on_top_decides(
    tmp_path: Path, below: str, own: str, expected: bool | None
) -> None:
    (tmp_path / "base.yaml").write_text(below, "utf-8")
    path = tmp_path / "policy.yaml"
    path.write_text(f"extends: ./base.yaml\npolicy: 2\nname: own\n{own}", "utf-8")
    found = new_owner(load_policy(path))
    assert (found.is_default if found else None) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (POOL.replace("pool: back", "pool: new-owner"), "belongs to the product"),
        (POOL + OFF.replace("new-owner", "new_owner"), "did you mean 'new-owner'?"),
        (POOL + OFF.replace("new-owner", "has-ordered"), "off: is for what extends: brings"),
    ],
)
def test_its_name_is_its_own(text: str, expected: str) -> None:
    with pytest.raises(FileProblems) as raised:
        parse_policy(text)
    assert expected in " ".join(map(str, raised.value.problems))


def test_a_wrong_name_is_met_with_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(POOL + OWN.replace("new-owner", "vip"), "utf-8")
    path = tmp_path / "policy.yaml"
    own = "extends: base.yaml\npolicy: 2\nprotect: [{id: new-ower, off: true}]\n"
    path.write_text(own, "utf-8")
    with pytest.raises(FileProblems) as raised:
        load_policy(path)
    assert "did you mean 'new-owner'?" in str(raised.value.problems[0])


@pytest.mark.parametrize(
    ("language", "heading", "item", "name"),
    [
        ("en", "By default; a policy can", "less than **30** days ago", "taken over #1 | **30**"),
        ("zh-CN", "本工具的默认规定", "现负责人接手日期距今不足 **30** 天", "刚刚接手 #1 | **30**"),
        ("de", "Als Vorgabe des Werkzeugs", "**30** Tage", "übernommen #1 | **30**"),
    ],
)
def test_its_number_is_signed(language: str, heading: str, item: str, name: str) -> None:
    text = render_signoff(parse_policy(POOL), language, signed=None)
    told = text[text.index(heading) :].splitlines()
    assert item in told[2]
    assert name in text
    assert heading not in render_signoff(parse_policy(POOL + OWN), language, signed=None)
    assert heading not in render_signoff(parse_policy(POOL + OFF), language, signed=None)


def test_who_signed_before_it_was_there_is_told() -> None:
    policy, before = parse_policy(POOL), parse_policy(POOL + OFF)
    assert "defaults.new-owner #1" in {item.name for item in thresholds(policy)}
    signed = sign(before, "Li", date(2026, 5, 1))
    texts = [difference_text(item, "en") for item in differences(policy, signed)]
    assert texts == [
        'the threshold "its owner has just taken over #1" was signed as none and is now 30',
        'the protection "new-owner" is new',
    ]
    found = [item for item in lint(policy, signed=signed) if "new-owner" in item.message]
    assert [(item.line, item.column) for item in found] == [(1, 1)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_has_to_test_what_the_product_brings(language: str) -> None:
    found = lint(parse_policy(POOL), untested=["back"], language=language)
    assert not [item for item in found if NEW_OWNER in item.message]
