"""Phones and addresses are judged by the number plans and the rules for addresses, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from connector import contacts
from connector.contacts import email_valid, phone_valid
from connector.countries import country_code
from connector.needs import Needs
from tests.connector.pull_world import World, account, deal, make_world

BOTH = frozenset({"phone_valid", "email_valid"})


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+86 21 5555 0100", None, True),
        ("+1 202 555 0112", None, True),
        ("0086 21 5555 0100", None, True),
        ("\uff0b\uff18\uff16 138 0013 8000", None, True),
        ("(+86) 138 0013 8000", None, True),
        ("138 0013 8000", "CN", True),
        ("010-62628888", "CN", True),
        ("010-62628888 ext. 12", "CN", True),
        ("030 12345678", "DE", True),
        ("030/12345678", "DE", True),
        ("138 0013 8000", None, None),
        ("010-62628888；138 0013 8000", "CN", True),
        ("12；138 0013 8000", "CN", True),
        ("12；13", "CN", False),
        ("12；+86 138 0013 8000", None, True),
        ("12；无", None, None),
        ("+86 12", None, False),
        ("+999 12345678", None, False),
        ("12", "CN", False),
        ("00000000000", "CN", False),
        ("-", None, False),
        ("无", "CN", False),
        (";", "CN", False),
    ],
)
def test_phones(text: str, region: str | None, expected: bool | None) -> None:
    assert phone_valid(text, region) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("li@example.com", True),
        (" li@firm.cn ", True),
        ("李@公司.中国", True),
        ("bad；li@firm.cn", True),
        ("bad, worse", False),
        ("li@firm", False),
        ("li@firm.test", False),
        ("li@@firm.cn", False),
        ("无", False),
        (";", False),
    ],
)
def test_addresses(text: str, expected: bool) -> None:
    assert email_valid(text) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CN", "CN"),
        ("cn", "CN"),
        (" China ", "CN"),
        ("中华人民共和国", "CN"),
        ("Deutschland", "DE"),
        ("USA", "US"),
        ("\uff35\uff2b", "GB"),
        ("Atlantis", None),
        ("", None),
        (None, None),
    ],
)
def test_countries(name: str | None, expected: str | None) -> None:
    assert country_code(name) == expected


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    world.mapping = world.mapping.replace(
        "phone: Phone", "phone: Phone\n      email: Email\n      country: Country"
    )
    return world


def reach(number: int, phone: str | None, email: str | None = None, **changes: Any) -> Any:
    return account(number, Phone=phone, Email=email, **{"Country": None, **changes})


def judged(world: World) -> dict[str, tuple[bool | None, bool | None]]:
    rows = world.ask("SELECT id, phone_valid, email_valid FROM customers")
    return {name: (phone, email) for name, phone, email in rows}


def test_customers_are_judged_when_the_policy_asks(world: World) -> None:
    world.crm.rows["Accounts"] = [
        reach(1, "138 0013 8000", "a@firm.cn", Country="中国"),
        reach(2, "138 0013 8000", "nobody"),
        reach(3, None, "  "),
    ]
    world.pull()
    assert set(judged(world).values()) == {(None, None)}
    world.pull(needs=Needs(derive=BOTH))
    assert judged(world) == {"1": (True, True), "2": (None, False), "3": (False, False)}
    world.pull(needs=Needs(derive=BOTH, region="CN"))
    assert judged(world) == {"1": (True, True), "2": (True, False), "3": (False, False)}


def test_a_region_that_does_not_exist_leaves_numbers_undecided(world: World) -> None:
    world.crm.rows["Accounts"] = [reach(1, "138 0013 8000")]
    world.pull(needs=Needs(derive=BOTH, region="XX"))
    assert judged(world) == {"1": (None, False)}


def test_only_what_is_asked_for_is_judged(world: World) -> None:
    world.crm.rows["Accounts"] = [reach(1, None)]
    world.pull(needs=Needs(derive=frozenset({"email_valid"})))
    assert judged(world) == {"1": (None, False)}


def test_each_text_is_looked_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def watched(text: str, region: str | None) -> bool | None:
        looked.append(text)
        return phone_valid(text, region)

    monkeypatch.setattr(contacts, "phone_valid", watched)
    monkeypatch.setattr(contacts, "_CHUNK", 2)
    needs = Needs(derive=frozenset({"phone_valid"}), region="CN")
    numbers = [f"138 0013 800{number}" for number in range(5)]
    world.crm.rows["Accounts"] = [reach(n, numbers[n % 5]) for n in range(10)]
    world.pull(needs=needs)
    assert sorted(looked) == numbers
    looked.clear()
    world.crm.changed = {"Accounts": [reach(3, numbers[1]), reach(4, "+86 10 6262 8888")]}
    world.pull(needs=needs)
    assert looked == ["+86 10 6262 8888"]
    assert judged(world)["3"] == (True, None)
    looked.clear()
    world.pull(needs=needs, full=True)
    assert looked == []


def test_numbers_of_customers_that_are_gone_are_forgotten(world: World) -> None:
    needs = Needs(derive=BOTH)
    world.crm.rows["Accounts"] = [reach(n, f"+86 138 0013 800{n}", f"a{n}@b.cn") for n in range(6)]
    world.pull(needs=needs)
    world.crm.rows["Accounts"] = world.crm.rows["Accounts"][1:]
    world.pull(needs=needs, full=True)
    assert world.ask("SELECT count(*) FROM contact_checks") == [(10,)]


def test_a_new_release_of_the_number_plans_looks_at_everything_again(world: World) -> None:
    needs = Needs(derive=BOTH)
    world.crm.rows["Accounts"] = [reach(1, "+86 138 0013 8000", "a@b.cn")]
    world.pull(needs=needs)
    with world.warehouse.writing() as connection:
        connection.execute("UPDATE contact_checks SET valid = false")
        connection.execute("UPDATE meta SET value = 'older' WHERE name = 'contact_rules'")
    world.pull(needs=needs)
    assert judged(world) == {"1": (True, True)}
    assert phonenumbers.__version__ in contacts.rules_key(needs)


def test_an_empty_field_is_no_contact_but_a_field_nobody_shows_is_unknown(world: World) -> None:
    world.crm.rows["Accounts"] = [reach(1, None), reach(2, None)]
    for row in world.crm.rows["Accounts"]:
        del row["Phone"]
    world.pull(needs=Needs(derive=BOTH))
    assert judged(world) == {"1": (None, False), "2": (None, False)}


def test_an_unmapped_phone_is_unknown(world: World) -> None:
    world.mapping = world.mapping.replace("      phone: Phone\n", "")
    world.pull(needs=Needs(derive=BOTH))
    assert {phone for phone, _ in judged(world).values()} == {None}


def test_what_was_valid_on_a_day_is_kept(world: World) -> None:
    needs = Needs(derive=BOTH)
    world.crm.rows["Accounts"] = [reach(1, "+86 138 0013 8000")]
    world.pull(needs=needs)
    world.later(days=1)
    world.crm.changed = {"Accounts": [reach(1, "+86 1")], "Deals": [deal(9, 1)]}
    world.pull(needs=needs)
    assert judged(world) == {"1": (False, False)}
    assert world.ask_of(14, "SELECT phone_valid FROM customers") == [(True,)]
