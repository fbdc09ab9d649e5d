"""A parent company and all below it are one group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.connector.pull_world import World, account, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.mapping = world.mapping.replace(
        "    columns:\n      name: Account_Name",
        "    group_key: Parent.id\n    columns:\n      name: Account_Name",
    )
    return world


def below(number: int, parent: int | str | None, **changes: Any) -> dict[str, Any]:
    return account(number, Parent=None if parent is None else {"id": str(parent)}, **changes)


def groups(world: World) -> dict[str, str | None]:
    return dict(world.ask("SELECT id, group_key FROM customers"))


def test_all_carry_the_key_of_the_root(world: World) -> None:
    parents = [(1, None), (2, 1), (3, 2), (4, None), (5, 99), (6, 99), (7, 7)]
    world.crm.rows["Accounts"] = [below(number, parent) for number, parent in parents]
    world.pull()
    assert groups(world) == {
        "1": "Accounts:1",
        "2": "Accounts:1",
        "3": "Accounts:1",
        "4": None,
        "5": "Accounts:99",
        "6": "Accounts:99",
        "7": None,
    }


def test_a_circle_is_one_group(world: World) -> None:
    world.crm.rows["Accounts"] = [below(1, 3), below(2, 1), below(3, 2), below(4, 2)]
    world.pull()
    assert set(groups(world).values()) == {"Accounts:1"}


def test_a_group_changes_for_those_that_did_not(world: World) -> None:
    world.crm.rows["Accounts"] = [below(1, None), below(2, 1), below(3, 2)]
    world.pull()
    world.later(days=1)
    world.crm.changed = {"Accounts": [below(2, None)]}
    world.pull()
    assert groups(world) == {"1": None, "2": "Accounts:2", "3": "Accounts:2"}
    assert world.ask_of(14, "SELECT DISTINCT group_key FROM customers") == [("Accounts:1",)]


def test_a_parent_may_be_another_object_and_may_have_become_another_record(world: World) -> None:
    world.mapping = world.mapping.replace(
        "group_key: Parent.id", "group_key: {object: Leads, id: Parent.id}"
    ).replace("people:", "  - {object: Leads, alias: Converted.id}\npeople:")
    world.crm.rows["Accounts"] = [below(1, None), below(2, "l1"), below(3, "l2")]
    world.crm.rows["Leads"] = [{"id": "l1", "Converted": {"id": "1"}}, {"id": "l2"}]
    world.pull()
    assert groups(world) == {
        "1": "Accounts:1",
        "2": "Accounts:1",
        "3": "Leads:l2",
        "l2": "Leads:l2",
    }


def test_without_the_object_there_are_no_groups(world: World) -> None:
    world.crm.rows["Accounts"] = [below(1, None), below(2, 1)]
    world.pull()
    world.mapping = world.mapping.replace("    group_key: Parent.id\n", "")
    world.pull()
    assert set(groups(world).values()) == {None}
