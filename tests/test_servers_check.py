"""`check` tries the presets on the servers that they were written for."""

from __future__ import annotations

from datetime import date
from typing import Any

from adapters.http import Timing
from adapters.rest.adapter import RestAdapter
from adapters.rest.loading import preset, read_description
from connector.ports import Finding
from tests.servers.kinto import KintoServer
from tests.servers.tryton import TrytonServer

pytest_plugins = ["tests.servers.fixtures"]

TODAY = date(2026, 11, 22)


def diagnosed(name: str, **given: Any) -> list[Finding]:
    description = read_description(preset(name))
    settings = {key: setting.default for key, setting in description.settings.items()}
    adapter = RestAdapter(description, {**settings, **given}, timing=Timing())
    try:
        return list(adapter.diagnose())
    finally:
        adapter.close()


def expect_sound(found: list[Finding], customers: str) -> None:
    assert [each for each in found if each.state == "failed"] == []
    good = {each.part for each in found if each.state == "ok"}
    parts = ("list", "id", "list.paging", "fields", "modified", "changes", "read", "read.missing")
    assert {"identity", *(f"objects.{customers}.{part}" for part in parts)} <= good
    assert {f"writes.{customers}.{part}" for part in ("locking", "tags", "notes")} <= good
    assert not any("Customer" in each.text for each in found)


def test_the_preset_for_kinto_is_found_right(kinto: KintoServer) -> None:
    kinto.seed_customers(450, TODAY)
    before = kinto.snapshot()
    url = kinto.url.removesuffix("/v1")
    found = diagnosed("kinto", url=url, user=kinto.user, password=kinto.password)
    expect_sound(found, "customers")
    assert kinto.snapshot() == before


def test_the_preset_for_tryton_is_found_right(tryton: TrytonServer) -> None:
    tryton.seed_customers(450, TODAY)
    before = tryton.snapshot()
    url = tryton.url.partition("/crm/")[0]
    found = diagnosed("tryton", url=url, database="crm", key=tryton.key, user="admin")
    expect_sound(found, "party.party")
    assert tryton.snapshot() == before
