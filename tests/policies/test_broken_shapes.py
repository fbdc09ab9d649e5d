"""Files of which so much is refused that the rest cannot be checked with it."""

from __future__ import annotations

import pytest

from policies.errors import FileProblems
from policies.policy import parse_policy


def problems(text: str) -> list[str]:
    with pytest.raises(FileProblems) as caught:
        parse_policy(text)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_left_may_be_no_policy_either() -> None:
    (found,) = problems("policy: 2\nname: p\nrules:\n- {tier: t, bands: [{name: A}]}\n")
    assert found.startswith("policy.yaml:4:")
    assert "'when' is missing" in found


def test_names_of_a_file_that_a_misspelt_key_would_bring_are_no_problems() -> None:
    found = problems(
        "policy: 2\nname: p\nextend: library/b2b-manufacturing@1\nrules:\n"
        "- {task: t, when: won AND open_deals = 0, mark: {tag: x}}\n"
    )
    assert len(found) == 1
    assert "did you mean 'extends'?" in found[0]


def test_an_empty_text_is_no_value_to_compare_with() -> None:
    (found,) = problems("policy: 2\nname: p\nrules:\n- {task: t, when: region = ''}\n")
    assert "what is empty equals nothing - use IS NULL" in found
