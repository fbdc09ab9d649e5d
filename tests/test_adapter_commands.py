"""The list of adapters, the schema of descriptions, and `check` on a CRM behind a description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import BUILT_IN
from adapters.sandbox.zoho import Store, ZohoSandbox
from tests.adapters.conftest import Said, Wire
from tests.adapters.rest.told_crm import DESCRIPTION, ToldCrm
from tests.crm_sandbox import Client, sandbox_client

CONFIG = """\
workspace: 1
name: told
timezone: Asia/Shanghai
crm:
  adapter: rest
  description: crm.yaml
  url: {url}
  status_field: status
"""
POLICY = """\
policy: 1
name: told
rules:
  - void: quiet
    reason: lost_contact
    when: name = 'Secret Name 2'
    mark: {tag: vip, status: void}
    note: false
"""


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Client]:
    """The command line outside of any workspace, and without a CRM."""
    with Store() as store:
        yield Client(tmp_path, store, ZohoSandbox(store))


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


@pytest.fixture
def crm(wire: Wire) -> ToldCrm:
    crm = ToldCrm()
    wire.route = crm
    return crm


@pytest.fixture
def told(
    nobody: Client, crm: ToldCrm, wire: Wire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Client:
    """A workspace on that CRM."""
    monkeypatch.setenv("TOLD_KEY", "hush")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "crm.yaml").write_text(DESCRIPTION)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "highseas.yaml").write_text(CONFIG.format(url=wire.url))
    return nobody


def states(findings: list[dict[str, str]]) -> set[str]:
    return {each["state"] for each in findings}


def test_adapters_are_listed_with_who_has_seen_them_working(nobody: Client) -> None:
    listed = nobody.ok("adapters")["adapters"]
    assert [each["name"] for each in listed] == sorted(BUILT_IN)
    assert nobody.run("adapters", "--json").out == nobody.run("--json", "adapters").out
    lines = nobody.run("adapters").out.splitlines()
    assert len(lines) == len(BUILT_IN) + 1
    [zoho] = [line for line in lines if line.startswith("zoho")]
    assert "not yet run" in zoho


def test_the_schema_of_a_description_is_printed_for_editors(nobody: Client) -> None:
    printed = json.loads(nobody.run("adapters", "schema").out)
    assert printed == nobody.ok("adapters", "schema")["schema"]
    assert {"server", "auth", "objects", "writes"} <= set(printed["properties"])


@pytest.mark.parametrize("name", ["kinto", "rest"])
def test_a_workspace_is_made_for_any_of_them(name: str, nobody: Client) -> None:
    nobody.ok("init", str(nobody.folder / name), "--adapter", name)
    assert f"adapter: {name}" in (nobody.folder / name / "highseas.yaml").read_text()


def test_an_adapter_that_is_not_there_is_named_with_the_nearest(nobody: Client) -> None:
    answer = nobody.run("init", str(nobody.folder / "new"), "--adapter", "kinta")
    assert answer.code == 2
    assert "did you mean 'kinto'" in answer.err


def test_check_shows_what_each_part_of_a_description_does(told: Client) -> None:
    shown = told.ok("check")
    assert states(shown["findings"]) == {"ok", "untried"}
    assert shown["organisation"]["id"] == "acme"
    codes = {each["code"] for each in shown["promises"]}
    assert "overwrite" not in codes
    assert {"notes_stay", "automations"} <= codes
    printed = told.run("check")
    assert printed.code == 0
    assert "each id came once" in printed.out
    assert "notes cannot be deleted" in printed.out


def test_check_ends_with_5_when_a_part_fails(told: Client, crm: ToldCrm) -> None:
    crm.on["/deleted"] = lambda seen: Said(404)
    answer = told.run("--json", "check")
    assert answer.code == 5
    failed = [each for each in answer.json()["findings"] if each["state"] == "failed"]
    assert [each["part"] for each in failed] == ["objects.customers.deleted"]


def test_check_ends_with_1_when_nothing_works(told: Client, crm: ToldCrm) -> None:
    crm.on["/me"] = lambda seen: Said(401)
    answer = told.run("--json", "check")
    assert answer.code == 1
    assert states(answer.json()["findings"]) == {"failed"}
    assert "credentials were refused" in told.run("check").out


def test_what_was_seen_is_shown_beside_an_error(told: Client) -> None:
    (told.folder / "policy.yaml").write_text(POLICY.replace("name =", "nmae ="))
    answer = told.run("check")
    assert answer.code == 2
    assert "each id came once" in answer.err
    assert "nmae" in answer.err
    quiet = told.run("--json", "check")
    assert "findings" not in quiet.json()
    assert quiet.code == 2


def test_a_plain_secret_stops_everything(told: Client) -> None:
    with (told.folder / "highseas.yaml").open("a") as config:
        config.write("  key: hush-hush\n")
    answer = told.run("check")
    assert answer.code == 2
    assert "crm: key holds a value where a reference belongs" in answer.err
    assert "hush-hush" not in answer.err + answer.out


def test_a_plan_says_only_what_matters_to_it(told: Client, wire: Wire) -> None:
    shown = told.ok("plan")
    assert [each["code"] for each in shown["promises"]] == ["automations"]
    assert "notes cannot be deleted" not in told.run("show").out
    (told.folder / "policy.yaml").write_text(POLICY.replace("note: false", "note: true"))
    shown = told.ok("plan")
    assert {each["code"] for each in shown["promises"]} == {"automations", "notes_stay"}
    assert "notes cannot be deleted" in told.run("show").out
    assert all(seen.method == "GET" for seen in wire.seen)


def test_a_changed_description_counts_without_another_check(told: Client, wire: Wire) -> None:
    told.ok("pull")
    assert pulled(told) == ("incremental", 0)
    text = DESCRIPTION[: DESCRIPTION.index("    changes:")]
    (told.folder / "crm.yaml").write_text(text + DESCRIPTION[DESCRIPTION.index("    deleted:") :])
    assert pulled(told)[0] == "full"


def test_nothing_changed_costs_a_call_an_object_and_one_for_who_answers(
    told: Client, wire: Wire
) -> None:
    text = DESCRIPTION.replace("total: count", "total: count\n      short_page_ends: true")
    (told.folder / "crm.yaml").write_text(text)
    told.ok("pull")
    wire.seen.clear()
    assert pulled(told) == ("incremental", 0)
    assert [seen.path for seen in wire.seen] == ["/me", "/deleted", "/customers", "/customers"]


def pulled(told: Client) -> tuple[str, int]:
    [report] = told.ok("pull")["pull"]["objects"]
    return report["kind"], report["rows"]


def test_a_crm_of_its_own_adapter_is_checked_as_ever(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, customers=100) as client:
        shown = client.ok("check")
        assert shown["findings"] == []
        assert [each["code"] for each in shown["promises"]] == ["automations", "full_pulls"]
        plan: dict[str, Any] = client.ok("plan")
        assert [each["code"] for each in plan["promises"]] == ["automations"]
