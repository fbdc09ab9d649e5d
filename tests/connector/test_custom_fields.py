"""Fields that the policy asks for by their API names: pulled, kept as text, and no more often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import AuthenticationError
from connector.needs import Needs
from tests.connector.pull_world import World, account, deal, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def needs(*fields: str) -> Needs:
    return Needs(frozenset(fields))


def fields_of(world: World, customer: str = "1") -> Any:
    return world.ask(f"SELECT fields FROM customers WHERE id = '{customer}'")[0][0]


def kinds(world: World, *fields: str) -> dict[str, str]:
    return {item.object: item.kind for item in world.pull(needs=needs(*fields)).objects}


def test_a_field_is_kept_as_the_crm_writes_it(world: World) -> None:
    world.crm.rows["Accounts"] = [
        account(1, Level="A", Blocked=False, Score=4.5, Seen="2026-05-01", Empty="", Gone=None),
        account(2, Level="B", Kinds=["x", "y"], Parent={"id": "7"}),
    ]
    names = ("Level", "Blocked", "Score", "Seen", "Empty", "Gone", "Kinds", "Parent", "Owner.id")
    world.pull(needs=needs(*names))
    assert fields_of(world) == {
        "Level": "A",
        "Blocked": "false",
        "Score": "4.5",
        "Seen": "2026-05-01",
        "Owner.id": "7",
    }
    assert fields_of(world, "2") == {
        "Level": "B",
        "Kinds": '["x","y"]',
        "Parent": '{"id":"7"}',
        "Owner.id": "7",
    }
    assert world.ask("FROM problems") == []


def test_without_a_wish_there_is_no_map(world: World) -> None:
    world.pull()
    assert fields_of(world) is None


def test_customers_alone_are_pulled_anew_when_the_policy_asks_for_more(world: World) -> None:
    world.crm.rows["Accounts"] = [account(1, Level="A", Rank="1")]
    assert set(kinds(world).values()) == {"full"}
    asked = kinds(world, "Level")
    assert asked.pop("Accounts") == "full"
    assert set(asked.values()) == {"incremental"}
    assert fields_of(world) == {"Level": "A"}
    assert set(kinds(world, "Level").values()) == {"incremental"}
    assert kinds(world, "Level", "Rank")["Accounts"] == "full"
    assert fields_of(world) == {"Level": "A", "Rank": "1"}


def test_a_policy_that_asks_for_less_pulls_nothing_anew(world: World) -> None:
    world.crm.rows["Accounts"] = [account(1, Level="A", Rank="1"), account(2, Level="B", Rank="2")]
    world.pull(needs=needs("Level", "Rank"))
    world.crm.changed = {"Accounts": [account(1, Level="C", Rank="9")]}
    assert kinds(world, "Level")["Accounts"] == "incremental"
    assert (fields_of(world), fields_of(world, "2")) == ({"Level": "C"}, {"Level": "B"})
    # the new version of the first came without its rank: it has to be asked for again
    world.crm.rows["Accounts"] = [account(1, Level="C", Rank="9"), account(2, Level="B", Rank="2")]
    assert kinds(world, "Level", "Rank")["Accounts"] == "full"
    assert fields_of(world) == {"Level": "C", "Rank": "9"}


def test_a_field_that_the_mapping_reads_already_is_pulled_once(world: World) -> None:
    world.pull()
    assert set(kinds(world, "Phone", "Owner.id").values()) == {"incremental"}
    assert fields_of(world) == {"Owner.id": "7"}


def test_a_field_that_nobody_shows_is_named_if_there_is_one_kind_of_customer(world: World) -> None:
    world.pull(needs=needs("Levle"))
    assert world.ask("SELECT object, field, message FROM problems") == [
        ("Accounts", "Levle", "is missing from every record")
    ]
    assert fields_of(world) == {}


def test_one_of_several_kinds_of_customers_may_lack_a_field(world: World) -> None:
    world.mapping = world.mapping.replace("people:", "  - object: Leads\npeople:")
    world.crm.rows["Leads"] = [{"id": "l1"}]
    world.crm.rows["Accounts"] = [account(1, Level="A")]
    world.pull(needs=needs("Level"))
    assert dict(world.ask("SELECT key, fields FROM customers")) == {
        "Accounts:1": {"Level": "A"},
        "Leads:l1": {},
    }
    assert world.ask("FROM problems") == []


def test_customers_that_cannot_be_read_with_a_new_field_go_with_it(world: World) -> None:
    """What was staged before does not hold the field: nobody could say what it is."""
    world.mapping = world.mapping.replace("people:", "  - object: Leads\npeople:")
    world.crm.rows["Leads"] = [{"id": "l1"}]
    world.pull()

    def fail(_request: object, _page: int) -> None:
        raise AuthenticationError("no scope")

    world.crm.faults["Leads"] = fail
    world.pull(needs=needs("Level"), accept_shrink=True)
    assert world.ask("SELECT DISTINCT object FROM customers") == [("Accounts",)]
    assert world.ask("SELECT count(*) FROM deals") == [(3,)]
    assert world.ask("SELECT complete FROM sources WHERE fact = 'customers'") == [(False,)]


def test_facts_stay_when_only_the_wish_changes(world: World) -> None:
    world.pull()
    world.crm.changed = {"Deals": [deal(9, 1)]}
    world.pull(needs=needs("Level"))
    assert world.ask("SELECT count(*) FROM deals") == [(4,)]


def test_the_past_of_a_field_is_kept(world: World) -> None:
    world.crm.rows["Accounts"] = [account(1, Level="A")]
    world.pull(needs=needs("Level"))
    world.later(days=2)
    world.crm.changed = {"Accounts": [account(1, Level="B")]}
    world.pull(needs=needs("Level"))
    seen = {}
    for day in (13, 14, 15, 16):
        seen[day] = world.ask_of(day, "SELECT fields FROM customers")[0][0]
    assert seen == {13: None, 14: {"Level": "A"}, 15: {"Level": "A"}, 16: {"Level": "B"}}


def test_the_warehouse_tells_what_it_does_not_hold_yet(world: World) -> None:
    wanted = Needs(frozenset({"Level"}), frozenset({"burst"}))
    assert world.warehouse.lacks(wanted) == frozenset()
    world.pull()
    assert world.warehouse.lacks(wanted) == {"Level", "burst", "mass"}
    world.pull(needs=needs("Level"))
    assert world.warehouse.lacks(wanted) == {"burst", "mass"}
    world.pull(needs=wanted)
    assert world.warehouse.lacks(wanted) == frozenset()


def test_nothing_derives_what_is_not_known() -> None:
    with pytest.raises(ValueError, match="nothing derives fax_valid"):
        Needs(derive=frozenset({"fax_valid"}))
