"""change_owner, users, organisation, modules and fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, NewUser, Quirks, Store, ZohoSandbox

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]
NOBODY = "5725767000000999999"


@pytest.fixture
def account(store: Store) -> str:
    return store.insert("Accounts", [{"Account_Name": "A"}])[0]


@pytest.fixture
def owner(store: Store) -> str:
    return store.add_user(NewUser("New Owner", "n@example.com"))


def test_owners_change_one_by_one_or_many_at_once(
    store: Store, call: Call, account: str, owner: str
) -> None:
    body = {"ids": [account], "owner": {"id": owner}, "notify": False}
    answer = call("POST", "/Accounts/actions/change_owner", json=body)
    assert answer.status_code == 200
    (row,) = answer.json()["data"]
    assert row == {
        "code": "SUCCESS",
        "details": {"id": account},
        "message": "owner is successfully updated",
        "status": "success",
    }
    assert store.values(account)["Owner"] == owner
    back = {"owner": {"id": store.api_user}}
    call("POST", f"/Accounts/{account}/actions/change_owner", json=back)
    assert store.values(account)["Owner"] == store.api_user


def test_locked_and_unknown_records_keep_their_owner(
    store: Store, call: Call, account: str, owner: str
) -> None:
    locked = store.insert("Accounts", [{"Account_Name": "B"}])[0]
    store.lock(locked)
    body = {"ids": [account, locked, NOBODY], "owner": {"id": owner}}
    answer = call("POST", "/Accounts/actions/change_owner", json=body)
    assert answer.status_code == 207
    codes = [row["code"] for row in answer.json()["data"]]
    assert codes == ["SUCCESS", "RECORD_LOCKED", "INVALID_DATA"]
    assert store.values(locked)["Owner"] == store.api_user


@pytest.mark.parametrize(("status", "http"), [("inactive", 400), ("deleted", 403)])
def test_an_owner_who_left_is_refused(
    store: Store, call: Call, account: str, owner: str, status: Any, http: int
) -> None:
    store.people.set_status(owner, status)
    body = {"ids": [account], "owner": {"id": owner}}
    answer = call("POST", "/Accounts/actions/change_owner", json=body)
    assert answer.status_code == http
    assert answer.json()["details"]["owner_status"] == status


def test_an_owner_must_be_named(call: Call, account: str) -> None:
    answer = call("POST", "/Accounts/actions/change_owner", json={"ids": [account]})
    assert answer.json()["code"] == "MANDATORY_NOT_FOUND"
    answer = call("POST", f"/Accounts/{account}/actions/change_owner", json=None)
    assert answer.json()["code"] == "MANDATORY_NOT_FOUND"


@pytest.mark.parametrize(("bumps", "seconds"), [(True, "27"), (False, "17")])
def test_a_new_owner_moves_the_modified_time_or_not(
    *,
    start: Start,
    connect: Any,
    account: str,
    owner: str,
    clock: Any,
    bumps: bool,
    seconds: str,
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(owner_change_bumps_modified=bumps))))
    clock.advance(10)
    body = {"owner": {"id": owner}}
    call("POST", f"/Accounts/{account}/actions/change_owner", json=body)
    (row,) = call("GET", f"/Accounts/{account}?fields=Modified_Time").json()["data"]
    assert row["Modified_Time"] == f"2026-05-14T11:36:{seconds}+08:00"


def test_users_are_listed_by_type(store: Store, call: Call, owner: str) -> None:
    gone = store.add_user(NewUser("Gone", "g@example.com", status="inactive", manager=owner))

    def ids(kind: str) -> list[str]:
        users = call("GET", f"/users?type={kind}").json()["users"]
        return [user["id"] for user in users]

    assert ids("AllUsers") == [store.api_user, owner, gone]
    assert ids("ActiveUsers") == [store.api_user, owner]
    assert ids("DeactiveUsers") == [gone]
    assert ids("AdminUsers") == ids("CurrentUser") == [store.api_user]
    assert call("GET", "/users?type=DeletedUsers").status_code == 204
    assert call("GET", "/users?type=Nobody").json()["code"] == "INVALID_DATA"


def test_a_user_names_profile_role_and_manager(store: Store, call: Call, owner: str) -> None:
    store.add_user(NewUser("A. Clerk", "g@example.com", manager=owner, department="Sales"))
    body = call("GET", "/users?per_page=2&page=2").json()
    assert body["info"] == {"per_page": 2, "count": 1, "page": 2, "more_records": False}
    (user,) = body["users"]
    assert user["Reporting_To"] == {"name": "New Owner", "id": owner}
    assert (user["full_name"], user["first_name"], user["last_name"]) == ("A. Clerk", "A.", "Clerk")
    assert (user["status"], user["confirm"]) == ("active", True)
    assert user["profile"]["name"] == "Standard"
    assert user["Department"] == "Sales"


def test_users_unchanged_since_are_304(store: Store, call: Call, owner: str, clock: Any) -> None:
    header = {"If-Modified-Since": "2026-05-14T11:36:17+08:00"}
    assert call("GET", "/users", headers=header).status_code == 304
    clock.advance(1)
    store.people.set_status(owner, "inactive")
    (user,) = call("GET", "/users", headers=header).json()["users"]
    assert user["id"] == owner


def test_the_organisation_names_itself_and_its_zone(store: Store, call: Call) -> None:
    (row,) = call("GET", "/org").json()["org"]
    assert row["id"] == store.organisation
    assert (row["time_zone"], row["type"]) == ("Asia/Shanghai", "sandbox")


def test_modules_and_fields_are_described(call: Call) -> None:
    modules = {row["api_name"] for row in call("GET", "/settings/modules").json()["modules"]}
    assert {"Accounts", "Deals", "Sales_Orders", "Calls", "Notes"} <= modules
    listed = call("GET", "/settings/fields?module=Accounts").json()["fields"]
    fields = {row["api_name"]: row for row in listed}
    status = fields["Customer_Status"]
    assert (status["custom_field"], status["data_type"]) == (True, "picklist")
    assert {option["actual_value"] for option in status["pick_list_values"]} >= {"Void", "作废"}
    assert status["operation_type"]["api_update"] is True
    assert fields["Modified_Time"]["operation_type"]["api_update"] is False
    assert fields["Credit_Left"]["formula"] == {"return_type": "currency"}
    assert fields["Channels"]["json_type"] == "jsonarray"
    assert fields["Parent_Account"]["lookup"]["module"]["api_name"] == "Accounts"
    assert call("GET", "/settings/fields").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert call("GET", "/settings/fields?module=No").json()["code"] == "INVALID_MODULE"
