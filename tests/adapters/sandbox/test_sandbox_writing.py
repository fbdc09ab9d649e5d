"""PUT of records: row results, checks of values, conditional writes, automations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import (
    CATALOGUE,
    Behaviour,
    Field,
    NewUser,
    Quirks,
    Store,
    ZohoSandbox,
    with_fields,
)

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]
NOBODY = "5725767000000999999"
CHANNELS = ["Direct", "Dealer", "Online", "Tender"]


@pytest.fixture
def accounts(store: Store) -> list[str]:
    return store.insert("Accounts", [{"Account_Name": name} for name in "ABC"])


def put(call: Call, *rows: Any, **given: Any) -> requests.Response:
    return call("PUT", "/Accounts", json={"data": list(rows), "trigger": []}, **given)


def test_all_rows_written_is_200_with_new_times_in_the_order_of_the_request(
    store: Store, call: Call, accounts: list[str], clock: Any
) -> None:
    clock.advance(60)
    rows = [{"id": number, "Customer_Status": "Void"} for number in accounts[::-1]]
    answer = put(call, *rows)
    assert answer.status_code == 200
    body = answer.json()["data"]
    assert [row["details"]["id"] for row in body] == accounts[::-1]
    user = {"name": "API user", "id": store.api_user}
    assert body[0] == {
        "code": "SUCCESS",
        "details": {
            "id": accounts[2],
            "Modified_Time": "2026-05-14T11:37:17+08:00",
            "Modified_By": user,
            "Created_Time": "2026-05-14T11:36:17+08:00",
            "Created_By": user,
            "$approval_state": "approved",
        },
        "message": "record updated",
        "status": "success",
    }
    assert store.values(accounts[0])["Customer_Status"] == "Void"


def test_some_rows_refused_is_207_and_the_others_are_written(
    store: Store, call: Call, accounts: list[str]
) -> None:
    store.lock(accounts[1])
    answer = put(
        call,
        {"id": accounts[0], "Phone": "1"},
        {"id": accounts[1], "Phone": "1"},
        {"id": NOBODY, "Phone": "1"},
        {"id": "x", "Phone": "1"},
        {"Phone": "1"},
        "no object",
    )
    assert answer.status_code == 207
    codes = [row["code"] for row in answer.json()["data"]]
    assert codes == [
        "SUCCESS",
        "RECORD_LOCKED",
        "INVALID_DATA",
        "INVALID_DATA",
        "MANDATORY_NOT_FOUND",
        "INVALID_DATA",
    ]
    locked = answer.json()["data"][1]
    assert locked["details"] == {
        "api_name": "id",
        "json_path": "$.data[1].id",
        "action": "record_locking",
    }
    assert "Phone" in store.values(accounts[0])
    assert "Phone" not in store.values(accounts[1])


@pytest.mark.parametrize("status", [400, 202])
def test_all_rows_refused_has_its_own_status(
    start: Start, connect: Any, accounts: list[str], status: Any
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(all_failed_status=status))))
    assert put(call, {"id": NOBODY}).status_code == status


@pytest.mark.parametrize("code", ["NOT_APPROVED", "NOT_REVIEWED", "RECORD_IN_BLUEPRINT"])
def test_a_record_in_a_process_refuses_writes(
    store: Store, call: Call, accounts: list[str], code: str
) -> None:
    store.lock(accounts[0], code)
    assert put(call, {"id": accounts[0]}).json()["data"][0]["code"] == code
    store.unlock(accounts[0])
    assert put(call, {"id": accounts[0]}).json()["data"][0]["code"] == "SUCCESS"


@pytest.mark.parametrize(
    ("field", "value", "details"),
    [
        ("Account_Name", 7, {"expected_data_type": "text"}),
        ("Account_Name", "x" * 201, {"maximum_length": 200}),
        ("Employees", "many", {"expected_data_type": "integer"}),
        ("Employees", True, {"expected_data_type": "integer"}),
        ("Annual_Revenue", "1.5", {"expected_data_type": "currency"}),
        ("Rating", "Boiling", {"supported_values": ["Hot", "Warm", "Cold"]}),
        ("Channels", ["Dealer", "Fax"], {"supported_values": CHANNELS}),
        ("Channels", "Dealer", {"expected_data_type": "multiselectpicklist"}),
        ("Discount", "5", {"expected_data_type": "percent"}),
        ("Owner", {"id": NOBODY}, {}),
        ("Owner", 1.5, {"expected_data_type": "ownerlookup"}),
        ("Parent_Account", {"id": NOBODY}, {}),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(
    store: Store, call: Call, accounts: list[str], field: str, value: Any, details: dict[str, Any]
) -> None:
    before = store.snapshot()
    (row,) = put(call, {"id": accounts[0], "Phone": "1", field: value}).json()["data"]
    where = {"api_name": field, "json_path": f"$.data[0].{field}"}
    assert (row["code"], row["details"]) == ("INVALID_DATA", {**where, **details})
    assert store.snapshot() == before


@pytest.mark.parametrize(
    ("module", "field", "value", "code"),
    [
        ("Deals", "Closing_Date", "2026-13-01", "INVALID_DATA"),
        ("Deals", "Closing_Date", "2026-12-01", "SUCCESS"),
        ("Deals", "Amount", 12.5, "SUCCESS"),
        ("Deals", "Deal_Name", None, "MANDATORY_NOT_FOUND"),
        ("Calls", "Call_Start_Time", "2026-12-01T10:00:00", "INVALID_DATA"),
        ("Calls", "Call_Start_Time", "2026-12-01T10:00:00+08:00", "SUCCESS"),
        ("Calls", "Description", None, "SUCCESS"),
        ("Accounts", "Channels", ["Online", "Dealer"], "SUCCESS"),
        ("Accounts", "Strategic", True, "SUCCESS"),
    ],
)
def test_values_are_checked_by_type(
    store: Store, call: Call, module: str, field: str, value: Any, code: str
) -> None:
    name = store.catalogue[module].name_field
    number = store.insert(module, [{name: "N"}])[0]
    answer = call("PUT", f"/{module}", json={"data": [{"id": number, field: value}]})
    assert answer.json()["data"][0]["code"] == code


def test_picklists_may_take_any_text(start: Start, connect: Any, accounts: list[str]) -> None:
    call = connect(start(Behaviour(quirks=Quirks(picklist_checked=False))))
    assert put(call, {"id": accounts[0], "Rating": "Boiling"}).status_code == 200
    assert put(call, {"id": accounts[0], "Channels": ["Fax"]}).status_code == 200


def test_booleans_are_checked_where_the_catalogue_has_them(clock: Any, connect: Any) -> None:
    from_catalogue = with_opt_in()
    with Store(now=clock.now, catalogue=from_catalogue) as store, ZohoSandbox(store) as sandbox:
        call = connect(sandbox)
        number = store.insert("Accounts", [{"Account_Name": "A"}])[0]
        good, bad = (
            put(call, {"id": number, "Opt_In": value}).status_code for value in (True, "yes")
        )
    assert (good, bad) == (200, 400)


def with_opt_in() -> Any:
    return with_fields(CATALOGUE, "Accounts", Field("Opt_In", "boolean", custom=True))


def test_null_clears_a_field(store: Store, call: Call, accounts: list[str]) -> None:
    before = store.snapshot()
    put(call, {"id": accounts[0], "Phone": "1"})
    assert store.snapshot() != before
    put(call, {"id": accounts[0], "Phone": None})
    assert store.snapshot() == before


def test_unknown_and_read_only_fields_are_ignored(
    store: Store, call: Call, accounts: list[str]
) -> None:
    before = store.snapshot()
    row = {"id": accounts[0], "Nothing": 1, "Created_Time": "x", "Tag": [{"name": "a"}]}
    assert put(call, row).status_code == 200
    assert store.snapshot() == before


def test_unknown_fields_may_be_refused(start: Start, connect: Any, accounts: list[str]) -> None:
    call = connect(start(Behaviour(quirks=Quirks(unknown_field_written="error"))))
    (row,) = put(call, {"id": accounts[0], "Nothing": 1}).json()["data"]
    assert row["message"] == "the field api name given seems to be invalid"


def test_an_owner_is_written_like_a_field_if_active(
    store: Store, call: Call, accounts: list[str]
) -> None:
    active = store.add_user(NewUser("A", "a@example.com"))
    gone = store.add_user(NewUser("B", "b@example.com", status="inactive"))
    assert put(call, {"id": accounts[0], "Owner": {"id": active}}).status_code == 200
    assert store.values(accounts[0])["Owner"] == active
    (row,) = put(call, {"id": accounts[0], "Owner": {"id": gone}}).json()["data"]
    assert row["details"]["owner_status"] == "inactive"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "INVALID_DATA"),
        ([], "INVALID_DATA"),
        ({}, "MANDATORY_NOT_FOUND"),
        ({"data": []}, "INVALID_DATA"),
        ({"data": {}}, "INVALID_DATA"),
    ],
)
def test_a_body_without_rows_is_refused_flat(call: Call, body: Any, code: str) -> None:
    answer = call("PUT", "/Accounts", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_hundred_and_one_rows_are_refused_inside_data(
    store: Store, call: Call, accounts: list[str]
) -> None:
    before = store.snapshot()
    answer = put(call, *([{"id": accounts[0], "Phone": "1"}] * 101))
    assert answer.status_code == 400
    (row,) = answer.json()["data"]
    assert (row["code"], row["details"]["maximum_length"]) == ("LIMIT_EXCEEDED", 100)
    assert store.snapshot() == before


def test_one_record_is_written_by_its_own_address(
    store: Store, call: Call, accounts: list[str]
) -> None:
    body = {"data": [{"Phone": "1"}]}
    answer = call("PUT", f"/Accounts/{accounts[0]}", json=body)
    assert answer.json()["data"][0]["details"]["id"] == accounts[0]
    assert store.values(accounts[0])["Phone"] == "1"
    refused = call("PUT", f"/Accounts/{accounts[0]}", json={"data": ["x"]})
    assert refused.json()["code"] == "INVALID_DATA"


def test_conditional_write_passes_until_the_record_is_newer(
    store: Store, call: Call, accounts: list[str], clock: Any
) -> None:
    header = {"If-Unmodified-Since": "2026-05-14T11:36:17+08:00"}
    path, body = f"/Accounts/{accounts[0]}", {"data": [{"Phone": "1"}]}
    clock.advance(5)
    assert call("PUT", path, json=body, headers=header).status_code == 200
    refused = call("PUT", path, json={"data": [{"Phone": "2"}]}, headers=header)
    assert refused.status_code == 412
    (row,) = refused.json()["data"]
    assert row["code"] == "ALREADY_MODIFIED"
    assert row["details"]["Modified_Time"] == "2026-05-14T11:36:22+08:00"
    assert store.values(accounts[0])["Phone"] == "1"


def test_an_equal_time_may_fail(start: Start, connect: Any, accounts: list[str]) -> None:
    call = connect(start(Behaviour(quirks=Quirks(equal_time_passes=False))))
    header = {"If-Unmodified-Since": "2026-05-14T11:36:17+08:00"}
    assert put(call, {"id": accounts[0]}, headers=header).status_code == 412


@pytest.mark.parametrize(("rule", "status", "written"), [("all", 412, 0), ("row", 207, 2)])
def test_one_newer_row_of_many_stops_all_or_itself(
    *,
    store: Store,
    start: Start,
    connect: Any,
    accounts: list[str],
    clock: Any,
    rule: Any,
    status: int,
    written: int,
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(conditional_many=rule))))
    clock.advance(5)
    store.edit("Accounts", accounts[1], {"Phone": "0"})
    header = {"If-Unmodified-Since": "2026-05-14T11:36:17+08:00"}
    rows = [{"id": number, "Phone": "1"} for number in accounts]
    answer = put(call, *rows, headers=header)
    assert answer.status_code == status
    assert sum(store.values(number).get("Phone") == "1" for number in accounts) == written
    assert store.values(accounts[1])["Phone"] == "0"


def test_all_rows_newer_is_412_under_the_row_rule_too(
    store: Store, start: Start, connect: Any, accounts: list[str], clock: Any
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(conditional_many="row"))))
    clock.advance(5)
    store.edit("Accounts", accounts[0], {"Phone": "0"})
    header = {"If-Unmodified-Since": "2026-05-14T11:36:17+08:00"}
    assert put(call, {"id": accounts[0]}, headers=header).status_code == 412


def test_automations_run_unless_the_trigger_list_is_empty(
    sandbox: ZohoSandbox, call: Call, accounts: list[str]
) -> None:
    row = {"id": accounts[0], "Phone": "1"}
    call("PUT", "/Accounts", json={"data": [row], "trigger": []})
    assert sandbox.automations == []
    call("PUT", "/Accounts", json={"data": [row]})
    assert sandbox.automations == [("update", "Accounts", accounts[0])]
