"""Tag actions on records and the tag catalogue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, Limits, Quirks, Store, ZohoSandbox

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]
NOBODY = "5725767000000999999"


@pytest.fixture
def accounts(store: Store) -> list[str]:
    return store.insert("Accounts", [{"Account_Name": "A", "Tag": ["own"]}, {"Account_Name": "B"}])


def act(call: Call, action: str, names: list[str], ids: Any, **more: Any) -> requests.Response:
    body = {"tags": [{"name": name} for name in names], "ids": ids, **more}
    return call("POST", f"/Accounts/actions/{action}", json=body)


def tags_of(store: Store, record: str) -> list[str]:
    tags: list[str] = store.values(record)["Tag"]
    return tags


def test_added_tags_come_back_as_the_complete_list(
    store: Store, call: Call, accounts: list[str]
) -> None:
    answer = act(call, "add_tags", ["Void", "New"], accounts)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["success_count"], body["locked_count"]) == ("2", "0")
    first = body["data"][0]
    assert (first["code"], first["message"]) == ("SUCCESS", "tags updated successfully")
    assert first["details"]["id"] == accounts[0]
    assert [tag["name"] for tag in first["details"]["tags"]] == ["own", "Void", "New"]
    assert set(first["details"]["tags"][0]) == {"name", "id", "color_code"}
    assert tags_of(store, accounts[1]) == ["Void", "New"]


def test_adding_twice_changes_nothing(store: Store, call: Call, accounts: list[str]) -> None:
    act(call, "add_tags", ["Void"], accounts)
    before = store.snapshot()
    assert act(call, "add_tags", ["Void"], accounts).status_code == 200
    assert store.snapshot() == before


def test_removed_tags_leave_the_others(store: Store, call: Call, accounts: list[str]) -> None:
    act(call, "add_tags", ["Void"], accounts)
    answer = act(call, "remove_tags", ["Void"], accounts)
    lists = [row["details"]["tags"] for row in answer.json()["data"]]
    assert [[tag["name"] for tag in tags] for tags in lists] == [["own"], []]
    assert tags_of(store, accounts[0]) == ["own"]


def test_single_record_forms_work_without_ids(
    store: Store, call: Call, accounts: list[str]
) -> None:
    path = f"/Accounts/{accounts[0]}/actions"
    body = {"tags": [{"name": "Void"}]}
    assert call("POST", f"{path}/add_tags", json=body).status_code == 200
    assert tags_of(store, accounts[0]) == ["own", "Void"]
    call("POST", f"{path}/remove_tags", json=body)
    assert tags_of(store, accounts[0]) == ["own"]


def test_a_tag_may_be_named_by_id(store: Store, call: Call, accounts: list[str]) -> None:
    (known,) = call("GET", "/settings/tags?module=Accounts").json()["tags"]
    body: dict[str, Any] = {"tags": [{"id": known["id"]}], "ids": [accounts[1]]}
    assert call("POST", "/Accounts/actions/add_tags", json=body).status_code == 200
    assert tags_of(store, accounts[1]) == ["own"]
    body["tags"] = [{"id": known["id"], "name": "other"}]
    refused = call("POST", "/Accounts/actions/add_tags", json=body)
    assert refused.json()["code"] == "MAPPING_MISMATCH"
    body["tags"] = [{"id": NOBODY}]
    assert call("POST", "/Accounts/actions/add_tags", json=body).json()["code"] == "INVALID_DATA"


def test_ids_may_be_a_string_that_holds_an_array(
    store: Store, call: Call, accounts: list[str]
) -> None:
    assert act(call, "add_tags", ["Void"], json.dumps(accounts)).status_code == 200
    assert tags_of(store, accounts[1]) == ["Void"]
    assert act(call, "add_tags", ["Void"], "[1").json()["code"] == "INVALID_DATA"


@pytest.mark.parametrize(
    ("in_body", "in_query", "source", "over_written"),
    [
        (True, "", "both", True),
        (False, "?over_write=true", "both", True),
        (False, "", "both", False),
        (True, "", "query", False),
        (False, "?over_write=true", "body", False),
        (True, "", "body", True),
    ],
)
def test_over_write_replaces_foreign_tags(
    *,
    store: Store,
    start: Start,
    connect: Any,
    accounts: list[str],
    in_body: bool,
    in_query: str,
    source: Any,
    over_written: bool,
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(over_write_read_from=source))))
    body = {"tags": [{"name": "Void"}], "ids": accounts, "over_write": in_body}
    call("POST", f"/Accounts/actions/add_tags{in_query}", json=body)
    assert (tags_of(store, accounts[0]) == ["Void"]) is over_written
    assert "Void" in tags_of(store, accounts[0])


def test_a_full_record_takes_what_fits_and_names_the_rest(
    store: Store, call: Call, accounts: list[str]
) -> None:
    act(call, "add_tags", [f"t{n}" for n in range(8)], [accounts[0]])
    answer = act(call, "add_tags", ["x", "y"], [accounts[0]])
    (row,) = answer.json()["data"]
    assert (answer.status_code, row["code"]) == (200, "SUCCESS")
    assert row["details"]["not_added_tags"] == ["y"]
    assert len(tags_of(store, accounts[0])) == 10


@pytest.mark.parametrize("name", ["x" * 26, "", None, 7])
def test_a_bad_name_is_refused_inside_tags(
    store: Store, call: Call, accounts: list[str], name: Any
) -> None:
    before = store.snapshot()
    answer = act(call, "add_tags", [name], accounts)
    assert answer.status_code == 400
    (row,) = answer.json()["tags"]
    assert row["code"] in {"INVALID_DATA", "MANDATORY_NOT_FOUND"}
    assert row["details"]["json_path"] == "$.tags[0].name"
    assert store.snapshot() == before


def test_25_characters_of_any_script_are_a_name(store: Store, call: Call, accounts: Any) -> None:
    assert act(call, "add_tags", ["客" * 25], accounts).status_code == 200


def test_five_hundred_ids_pass_and_one_more_is_refused(store: Store, call: Call) -> None:
    numbers = store.insert("Accounts", [{"Account_Name": "A"}] * 501)
    assert len(act(call, "add_tags", ["Void"], numbers[:500]).json()["data"]) == 500
    refused = act(call, "add_tags", ["Void"], numbers)
    assert refused.status_code == 400
    assert refused.json()["details"]["maximum_length"] == 500
    assert tags_of(store, numbers[500]) == []


def test_locked_and_unknown_records_are_rows_of_their_own(
    store: Store, call: Call, accounts: list[str]
) -> None:
    store.lock(accounts[0])
    answer = act(call, "add_tags", ["Void"], [*accounts, NOBODY])
    assert answer.status_code == 207
    assert [row["code"] for row in answer.json()["data"]] == [
        "RECORD_LOCKED",
        "SUCCESS",
        "INVALID_DATA",
    ]
    assert answer.json()["locked_count"] == "1"
    assert tags_of(store, accounts[0]) == ["own"]
    removal = act(call, "remove_tags", ["own"], [accounts[0]])
    assert (removal.status_code, removal.json()["data"][0]["code"]) == (400, "RECORD_LOCKED")


def test_a_locked_reply_may_be_flat(
    store: Store, start: Start, connect: Any, accounts: list[str]
) -> None:
    store.lock(accounts[0])
    call = connect(start(Behaviour(quirks=Quirks(locked_tag_reply_flat=True))))
    answer = act(call, "add_tags", ["Void"], [accounts[0]])
    assert answer.status_code == 400
    assert answer.json()["details"] == {"action": "record_locking", "id": accounts[0]}


def test_removing_an_absent_tag_is_no_change_or_a_failure(
    sandbox: ZohoSandbox, start: Start, connect: Any, accounts: list[str]
) -> None:
    answer = act(connect(sandbox), "remove_tags", ["Void"], [accounts[0]])
    assert answer.json()["data"][0]["code"] == "SUCCESS"
    strict = connect(start(Behaviour(quirks=Quirks(absent_tag_removal="failure"))))
    answer = act(strict, "remove_tags", ["Void"], [accounts[0]])
    assert (answer.status_code, answer.json()["data"][0]["code"]) == (400, "FAILURE")


@pytest.mark.parametrize(("bumps", "seconds"), [(True, "27"), (False, "17")])
def test_a_tag_change_moves_the_modified_time_or_not(
    start: Start, connect: Any, accounts: list[str], clock: Any, bumps: bool, seconds: str
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(tag_change_bumps_modified=bumps))))
    clock.advance(10)
    act(call, "add_tags", ["Void"], accounts[:1])
    path = f"/Accounts/{accounts[0]}?fields=Modified_Time"
    (row,) = call("GET", path).json()["data"]
    assert row["Modified_Time"] == f"2026-05-14T11:36:{seconds}+08:00"


def test_newer_replies_carry_a_human_time(start: Start, connect: Any, accounts: Any) -> None:
    call = connect(start(Behaviour(quirks=Quirks(tag_reply_extras=True))))
    (row,) = act(call, "add_tags", ["Void"], accounts[:1]).json()["data"]
    assert row["details"]["modifiedTime"] == "Thu, 14 May 2026 03:36 AM"
    assert row["details"]["affected_data"] is None


def test_the_module_quota_stops_new_names(
    store: Store, start: Start, connect: Any, accounts: list[str]
) -> None:
    call = connect(start(Behaviour(limits=Limits(tags_per_module=2))))
    assert act(call, "add_tags", ["second"], accounts).status_code == 200
    refused = act(call, "add_tags", ["third"], accounts)
    assert (refused.status_code, refused.json()["code"]) == (400, "LICENSE_LIMIT_EXCEEDED")
    rows = {"tags": [{"name": "third"}]}
    created = call("POST", "/settings/tags?module=Accounts", json=rows)
    assert created.json()["tags"][0]["code"] == "LICENSE_LIMIT_EXCEEDED"


def test_malformed_bodies_are_refused(call: Call, accounts: list[str]) -> None:
    path = "/Accounts/actions/add_tags"
    bodies: list[Any] = [None, {"tags": [{"name": "a"}]}, {"ids": accounts}, {"ids": 7}]
    codes = [call("POST", path, json=body).json()["code"] for body in bodies]
    assert codes == ["INVALID_DATA", "MANDATORY_NOT_FOUND", "MANDATORY_NOT_FOUND", "INVALID_DATA"]
    odd = call("POST", path, json={"tags": ["a"], "ids": accounts})
    assert odd.json()["details"]["json_path"] == "$.tags[0]"


def test_tag_actions_fire_automations_only_when_they_change_something(
    sandbox: ZohoSandbox, call: Call, accounts: list[str]
) -> None:
    act(call, "add_tags", ["own"], accounts[:1])
    assert sandbox.automations == []
    act(call, "add_tags", ["Void"], accounts[:1])
    assert sandbox.automations == [("tag", "Accounts", accounts[0])]


def test_the_catalogue_lists_and_creates_tags_per_module(call: Call) -> None:
    path = "/settings/tags?module=Accounts"
    assert call("GET", path).json() == {"tags": [], "info": {"count": 0, "allowed_count": 100}}
    rows = {"tags": [{"name": "Reviewed", "color_code": "#F17574"}]}
    created = call("POST", path, json=rows)
    assert created.status_code == 201
    (row,) = created.json()["tags"]
    assert (row["code"], row["message"]) == ("SUCCESS", "tags created successfully")
    (listed,) = call("GET", path).json()["tags"]
    assert listed == {**row["details"], "name": "Reviewed"}
    assert listed["color_code"] == "#F17574"
    assert call("GET", "/settings/tags?module=Deals").json()["tags"] == []


def test_a_known_name_answers_with_the_existing_id(call: Call) -> None:
    path = "/settings/tags?module=Accounts"
    (first,) = call("POST", path, json={"tags": [{"name": "Reviewed"}]}).json()["tags"]
    rows = [{"name": "Reviewed"}, {"name": "Other"}, {"name": "x" * 26}, "x"]
    answer = call("POST", path, json={"tags": rows})
    assert answer.status_code == 207
    results = answer.json()["tags"]
    codes = [row["code"] for row in results]
    assert codes == ["DUPLICATE_DATA", "SUCCESS", "INVALID_DATA", "INVALID_DATA"]
    assert results[0]["details"]["id"] == first["details"]["id"]


def test_the_catalogue_needs_a_module(call: Call) -> None:
    answer = call("GET", "/settings/tags")
    assert (answer.status_code, answer.json()["details"]) == (400, {"param": "module"})
