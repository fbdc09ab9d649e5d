"""Mistakes that people made in a trial: each answer has the place, the fact and the fix."""

from __future__ import annotations

import pytest

from policies.errors import FileProblems
from policies.policy import parse_policy

RULE = "policy: 2\nname: p\nrules:\n- task: t\n"
GOOD = f"{RULE}  when: open_deals > 0\n  mark: {{tag: x}}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as raised:
        parse_policy(text, "p")
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("policy： 2\nname: p\n", "p:1:7: the sign ： means nothing here - write ': ' with"),
        ("# p\npolicy：2\n\n# p\nname: p\n", "p:2:7: the sign ： means nothing here - write ': '"),
        ("policy：2", "p:1:1: a policy file holds keys and values - the sign ： means nothing"),
        (f"a： {'x' * 2_000}\nb: 1", "p:2:2: a second ': ' stands in this value - put"),
        (
            f"{RULE}  when: '华东' = region",
            "p:5:14: text stands behind the closing quote - put",
        ),
        (f'{RULE}  when: "华东" = region', "in double quotes, and text in it in single ones"),
        (
            f"{RULE}  when: !open_deals",
            "p:5:9: the tag !open_deals is not allowed here - write",
        ),
        (f"{RULE}  mark: {{tag: #x}}\n", 'p:5:15: a comment begins here - quote it: "#x"'),
    ],
)
def test_what_is_no_yaml_is_named_where_the_mistake_was_made(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert expected in found


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("“待跟进”", "待跟进"),
        ("”待跟进“", "待跟进"),
        ("„wichtig“", "wichtig"),
        ("‘x’", "x"),
        ("「待跟进」", "待跟进"),
    ],
)
def test_typographic_quotes_around_a_value_are_no_quotes(value: str, meant: str) -> None:
    text = f"{RULE}  label: {value}\n  when: open_deals > 0\n  mark: {{tag: {value}}}\n"
    fact = "these quotes would be part of the text"
    assert problems(text) == [
        f'p:5:10: {fact} - write "{meant}"',
        f'p:7:15: {fact} - write "{meant}"',
    ]


@pytest.mark.parametrize("value", ["'“x”'", "“A”和“B”", "“A”类", "“”"])
def test_quotes_that_are_meant_stay(value: str) -> None:
    policy = parse_policy(GOOD.replace("{tag: x}", f"{{tag: {value}}}"))
    assert policy.rules[0].stages[0].tag == value.strip("'")


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("  mark:\n    tag: #x\n    status: y\n", "7:10"),
        ("  mark:\n    tag:  #x\n", "7:11"),
        ("  label: #x\n  mark: {tag: x}\n", "6:10"),
    ],
)
def test_a_value_that_begins_with_a_hash_is_a_comment(lines: str, place: str) -> None:
    fact = 'nothing but a comment stands here - quote it: "#x"'
    assert problems(f"{RULE}  when: open_deals > 0\n{lines}") == [f"p:{place}: {fact}"]


def test_a_missing_value_with_a_comment_is_reported_once() -> None:
    text = f"{RULE}  when: #open\n  mark: {{tag: x}}\n"
    assert problems(text) == ['p:5:9: nothing but a comment stands here - quote it: "#open"']


def test_comments_proper_are_left_alone() -> None:
    text = GOOD.replace("mark: {tag: x}", "mark: # x\n    tag: x\n    status: # y")
    assert parse_policy(text).rules[0].stages[0].status is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{GOOD}  tell: {{at: start, to: owner}}\n", "p:7:9: {} - {{at: start, to: owner}}"),
        (f"{GOOD}  tell: {{at: start, to: [owner]}}\n", "p:7:9: {} - {{at: start, ...}}"),
        (f"{GOOD}protect: {{id: a, when: x, label: y}}\n", "p:7:10: {} - {{id: a, when: x, ...}}"),
        ("policy: 2\nname: p\nrules: {t: {when: x}}\n", "p:3:8: {} - {{...}}"),
    ],
)
def test_a_list_without_its_dash_is_shown_with_one(text: str, expected: str) -> None:
    fact = "expected a list, found keys and values - each item of a list begins with a dash:"
    assert expected.format(fact) in problems(text)
