"""Notes: create, list, change, delete, and who may list them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, Credentials, NewUser, Quirks, Store, ZohoSandbox

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]
NOBODY = "5725767000000999999"
FIELDS = "Note_Title,Note_Content,Created_Time,Modified_Time,Owner,Parent_Id"


@pytest.fixture
def account(store: Store) -> str:
    return store.insert("Accounts", [{"Account_Name": "Zylker"}])[0]


def note(account: str, **values: Any) -> dict[str, Any]:
    parent = {"module": {"api_name": "Accounts"}, "id": account}
    return {"Note_Content": "No call in 60 days", "Parent_Id": parent, **values}


def test_a_note_is_created_and_found_on_its_record(store: Store, call: Call, account: str) -> None:
    answer = call("POST", "/Notes", json={"data": [note(account, Note_Title="Why")]})
    assert answer.status_code == 201
    (row,) = answer.json()["data"]
    assert (row["code"], row["message"]) == ("SUCCESS", "record added")
    keys = {"id", "Created_Time", "Modified_Time", "Created_By", "Modified_By"}
    assert set(row["details"]) == keys
    listed = call("GET", f"/Accounts/{account}/Notes", params={"fields": FIELDS}).json()
    (shown,) = listed["data"]
    assert shown["id"] == row["details"]["id"]
    assert (shown["Note_Title"], shown["Note_Content"]) == ("Why", "No call in 60 days")
    module = shown["Parent_Id"].pop("module")
    assert module["api_name"] == "Accounts"
    assert module["id"].isdigit()
    assert shown["Parent_Id"] == {"name": "Zylker", "id": account}


def test_a_note_may_be_posted_below_its_record(store: Store, call: Call, account: str) -> None:
    body = {"data": [{"Note_Title": "Title only"}]}
    assert call("POST", f"/Accounts/{account}/Notes", json=body).status_code == 201
    assert store.count("Notes") == 1


def test_rows_of_one_call_have_results_of_their_own(store: Store, call: Call, account: str) -> None:
    rows = [
        note(account),
        {**note(account), "Note_Content": ""},
        note(NOBODY),
        note(account, Note_Title="x" * 121),
        note(account, Note_Content=7),
        {"Note_Content": "x"},
        {"Note_Content": "x", "Parent_Id": account},
        {"Note_Content": "x", "Parent_Id": {"id": account}},
        "x",
    ]
    answer = call("POST", "/Notes", json={"data": rows})
    assert answer.status_code == 207
    codes = [row["code"] for row in answer.json()["data"]]
    assert codes == [
        "SUCCESS",
        "EXPECTED_FIELD_MISSING",
        "INVALID_DATA",
        "INVALID_DATA",
        "INVALID_DATA",
        "MANDATORY_NOT_FOUND",
        "INVALID_DATA",
        "MANDATORY_NOT_FOUND",
        "INVALID_DATA",
    ]
    missing = answer.json()["data"][1]["details"]["expected_fields"]
    assert [field["json_path"] for field in missing] == [
        "$.data[1].Note_Content",
        "$.data[1].Note_Title",
    ]
    assert store.count("Notes") == 1


def test_all_rows_refused_is_400_and_101_rows_are_too_many(call: Call, account: str) -> None:
    assert call("POST", "/Notes", json={"data": [note(NOBODY)]}).status_code == 400
    answer = call("POST", "/Notes", json={"data": [note(account)] * 101})
    assert (answer.status_code, answer.json()["data"][0]["code"]) == (400, "LIMIT_EXCEEDED")


def test_a_locked_record_takes_no_note(store: Store, call: Call, account: str) -> None:
    store.lock(account)
    (row,) = call("POST", "/Notes", json={"data": [note(account)]}).json()["data"]
    assert row["code"] == "RECORD_LOCKED"


def test_content_may_have_65535_characters(call: Call, account: str) -> None:
    sizes = [65_535, 65_536]
    rows = [note(account, Note_Content="注" * size) for size in sizes]
    codes = [row["code"] for row in call("POST", "/Notes", json={"data": rows}).json()["data"]]
    assert codes == ["SUCCESS", "INVALID_DATA"]


def test_the_list_of_all_notes_is_for_administrators(
    store: Store, start: Start, connect: Any, account: str
) -> None:
    store.add_note(account, "x")
    clerk = store.add_user(NewUser("Clerk", "c@example.com"))
    path = f"/Notes?fields={FIELDS}"
    assert len(connect(start())("GET", path).json()["data"]) == 1
    keys = Credentials(user=clerk)
    refused = connect(start(Behaviour(credentials=keys)))("GET", path)
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_SUPPORTED")
    open_to_all = Behaviour(credentials=keys, quirks=Quirks(notes_listing_admin_only=False))
    assert connect(start(open_to_all))("GET", path).status_code == 200


def test_a_records_notes_come_oldest_first_unless_the_user_prefers_otherwise(
    store: Store, start: Start, connect: Any, account: str
) -> None:
    numbers = [store.add_note(account, text) for text in "ab"]
    path = f"/Accounts/{account}/Notes?fields=id"
    rows = connect(start())("GET", path).json()["data"]
    assert [row["id"] for row in rows] == numbers
    recent = connect(start(Behaviour(quirks=Quirks(notes_default_order="desc"))))
    assert [row["id"] for row in recent("GET", path).json()["data"]] == numbers[::-1]
    sure = recent("GET", path + "&sort_by=id&sort_order=asc").json()["data"]
    assert [row["id"] for row in sure] == numbers


def test_only_the_records_own_notes_are_listed(store: Store, call: Call, account: str) -> None:
    other = store.insert("Accounts", [{"Account_Name": "B"}])[0]
    store.add_note(account, "x", title="T")
    assert call("GET", f"/Accounts/{other}/Notes?fields=id").status_code == 204
    assert call("GET", f"/Accounts/{account}/Notes").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert call("GET", f"/Accounts/{NOBODY}/Notes?fields=id").json()["code"] == "INVALID_DATA"


def test_a_note_is_changed_by_put(store: Store, call: Call, account: str) -> None:
    number = store.add_note(account, "x")
    answer = call("PUT", "/Notes", json={"data": [{"id": number, "Note_Content": "y"}]})
    assert answer.json()["data"][0]["code"] == "SUCCESS"
    call("PUT", f"/Notes/{number}", json={"data": [{"Note_Title": "T"}]})
    assert store.values(number)["Note_Content"] == "y"
    assert store.values(number)["Note_Title"] == "T"
    nameless = call("PUT", "/Notes", json={"data": [{"Note_Content": "y"}]})
    assert nameless.json()["data"][0]["code"] == "MANDATORY_NOT_FOUND"


def test_notes_are_deleted_by_id(store: Store, call: Call, account: str) -> None:
    before = store.snapshot()
    first, second = store.add_note(account, "x"), store.add_note(account, "y")
    answer = call("DELETE", f"/Notes?ids={first},{NOBODY}")
    assert answer.status_code == 207
    good, bad = answer.json()["data"]
    assert good == {
        "code": "SUCCESS",
        "details": {"id": first},
        "message": "record deleted",
        "status": "success",
    }
    assert (bad["code"], bad["message"], bad["details"]) == (
        "INVALID_DATA",
        "record not deleted",
        {"id": NOBODY},
    )
    assert call("DELETE", f"/Notes/{second}").status_code == 200
    assert store.snapshot() == before


def test_deleting_needs_one_to_a_hundred_ids(call: Call) -> None:
    assert call("DELETE", "/Notes").json()["code"] == "REQUIRED_PARAM_MISSING"
    many = ",".join(["1"] * 101)
    assert call("DELETE", f"/Notes?ids={many}").json()["data"][0]["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize(("bumps", "seconds"), [(True, "27"), (False, "17")])
def test_a_note_moves_its_records_modified_time_or_not(
    start: Start, connect: Any, account: str, clock: Any, bumps: bool, seconds: str
) -> None:
    call = connect(start(Behaviour(quirks=Quirks(note_bumps_parent=bumps))))
    clock.advance(10)
    call("POST", "/Notes", json={"data": [note(account)]})
    (row,) = call("GET", f"/Accounts/{account}?fields=Modified_Time").json()["data"]
    assert row["Modified_Time"] == f"2026-05-14T11:36:{seconds}+08:00"


def test_deleting_a_record_takes_its_notes_along(store: Store, account: str) -> None:
    store.add_note(account, "x")
    store.delete(account)
    assert store.snapshot() == {}
