"""Older policy files: read with a warning, meaning what they meant."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.errors import FileProblems
from policies.policy import parse_policy

OLD = """\
policy: 1
name: p
protect:
  - {id: vip, when: has_tag('vip')}
  - {id: big, when: orders_count() > 9, from: [void]}
rules:
  - {void: gone, reason: lost_contact, when: open_deals = 0, mark: {tag: gone}}
  - {tier: value, bands: [{name: A, when: else, mark: {tag: A}}]}
limits: {share: 5%, count: 500, rules: {value: {count: 9}}}
"""
NEW = """\
policy: 2
name: p
protect:
  - {id: vip, when: has_tag('vip'), from: [void, tier]}
  - {id: big, when: orders_count() > 9, from: [void]}
rules:
  - {void: gone, reason: lost_contact, when: open_deals = 0, mark: {tag: gone}}
  - {tier: value, bands: [{name: A, when: else, mark: {tag: A}}]}
limits: {total: {share: 5%, count: 500}, rules: {value: {count: 9}}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        parse_policy(text, "p.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_the_first_version_means_what_it_meant() -> None:
    old, new = parse_policy(OLD, "p.yaml"), parse_policy(NEW)
    assert old.hash == new.hash
    assert old.version == new.version == 2
    assert old.protections[0].kinds == {"void", "tier"}
    assert (old.limits.share, old.limits.count) == (Decimal("0.05"), 500)
    assert new.warnings == ()
    (warning,) = old.warnings
    assert str(warning).startswith("p.yaml:1:9: this file is written in version 1 of the policy")
    assert "write policy: 2" in warning.suggestion


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("share: 5%", "share: five", "p.yaml:9:17: expected a share such as 5%, found 'five'"),
        ("share: 5%", "share: {a: 1}", "p.yaml:9:17: expected a number, found keys and values"),
        ("count: 500", "count: 0", "p.yaml:9:28: input should be greater than or equal to 1"),
        ("limits: {share: 5%", "limits: {shore: 5%", "p.yaml:9:10: unknown key 'shore' - did you"),
        ("from: [void]", "form: [void]", "p.yaml:5:41: unknown key 'form' - did you mean 'from'?"),
        ("protect:\n", "protect: 5\nparams:\n", "p.yaml:3:10: expected a list, found '5'"),
        ("- {id: vip, when: has_tag('vip')}", "- vip", "p.yaml:4:5: expected keys and values"),
        ("limits: {", "limits: 5 #", "p.yaml:9:9: expected keys and values, found '5'"),
        ("open_deals", "open_deal", "p.yaml:7:46: unknown name 'open_deal' - did you mean"),
    ],
)
def test_problems_of_an_older_file_stand_where_it_was_written(
    old: str, new: str, expected: str
) -> None:
    assert old in OLD
    found = problems(OLD.replace(old, new, 1))
    assert any(line.startswith(expected) for line in found), found


def test_limits_that_are_written_in_the_new_way_are_left_alone() -> None:
    text = OLD.replace("{share: 5%, count: 500,", "{total: 3%,")
    assert parse_policy(text).limits.share == Decimal("0.03")
    assert parse_policy(OLD.partition("limits:")[0]).limits.share is None
    assert parse_policy(OLD.replace("share: 5%, count: 500, ", "")).limits.share is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3", "written in version 3 of the policy language - this program reads up to version 2"),
        ("0", "there is no version 0 - write policy: 2"),
        ("-1", "there is no version -1"),
        ("true", "'true' is not a value for this key"),
        ("'2'", "'2' is not a value for this key"),
        ("[2]", "is not a value for this key"),
    ],
)
def test_a_version_that_cannot_be_read_is_refused_plainly(version: str, expected: str) -> None:
    found = problems(OLD.replace("policy: 1", f"policy: {version}"))
    assert any(expected in line for line in found), found
    if version in {"3", "0"}:
        assert len(found) == 1
