"""What a run keeps for its whole length, and a check of a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import FileProblems
from connector.needs import NO_NEEDS, Needs
from connector.sync import Context, check_workspace
from policies.messages import message
from tests.connector.pull_world import make_world
from tests.little_crm import POLICY, Shop

CALENDAR = """\
policy: 2
name: p
calendar: {holidays: CN}
rules:
  - {void: gone, reason: lost_contact, when: industry = 'quiet', mark: {tag: gone}}
"""


def context(root: Path, text: str = "", **config: Any) -> Context:
    world = make_world(root, **config)
    return Context(world.workspace, world.crm, mapping=text or world.mapping)  # type: ignore[arg-type] # nothing is asked


def test_a_mapping_is_compiled_once_for_a_run(tmp_path: Path) -> None:
    run = context(tmp_path)
    assert run.compiled_mapping is run.compiled_mapping
    assert run.mapping_for(NO_NEEDS) is run.compiled_mapping


def test_the_fields_of_a_policy_are_asked_for_besides(tmp_path: Path) -> None:
    run = context(tmp_path)
    plain = run.compiled_mapping
    wished = run.mapping_for(Needs(frozenset({"Level"})))
    assert set(wished.shapes["Accounts"].fields) - set(plain.shapes["Accounts"].fields) == {"Level"}
    assert wished.hash == plain.hash


def test_problems_of_a_mapping_are_told_by_the_name_of_its_file(tmp_path: Path) -> None:
    run = context(tmp_path, "mapping: 2\n", mapping="facts.yaml")
    for wanted in (NO_NEEDS, Needs(frozenset({"Level"}))):
        with pytest.raises(FileProblems, match=r"facts\.yaml:1"):
            run.mapping_for(wanted)


def test_a_check_tells_who_answered_and_what_is_not_promised(tmp_path: Path) -> None:
    shop = Shop(tmp_path, POLICY.replace("policy: 1", "policy: 2"))
    checked = check_workspace(shop.context)
    assert checked.organisation == shop.adapter.identity()
    assert checked.schema == shop.adapter.describe()
    assert (checked.policy.name, checked.remarks) == ("little", ())
    assert checked.unkept


def test_a_check_is_made_on_the_day_of_the_runs_clock(tmp_path: Path) -> None:
    shop = Shop(tmp_path, CALENDAR)
    for years in (20, 21):
        shop.later(days=years * 366)
        first = shop.clock().year
        uncovered = message("en", "policy.calendar", years=f"{first}, {first + 1}")
        assert uncovered in check_workspace(shop.context).remarks
