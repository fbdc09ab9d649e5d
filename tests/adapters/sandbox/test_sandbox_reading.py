"""Lists, single records, deletions: parameters, conditional reads, shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, NewUser, Quirks, Store, ZohoSandbox

Call = Callable[..., requests.Response]
FIELDS = "Account_Name,Owner,Created_Time,Modified_Time,Tag,Parent_Account"


def test_a_row_has_the_documented_shape(store: Store, call: Call) -> None:
    owner = store.add_user(NewUser("P. Boyle", "p@example.com"))
    parent = store.insert("Accounts", [{"Account_Name": "Holding"}])[0]
    row = {
        "Account_Name": "Zylker",
        "Owner": owner,
        "Parent_Account": parent,
        "Tag": ["Reviewed"],
        "Created_Time": "2026-01-01T10:00:00+08:00",
        "Modified_Time": "2026-05-14T11:36:17+03:00",
    }
    number = store.insert("Accounts", [row])[0]
    answer = call("GET", "/Accounts", params={"fields": FIELDS, "ids": number})
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    (shown,) = answer.json()["data"]
    tag = shown.pop("Tag")[0]
    assert set(tag) == {"name", "id", "color_code"}
    assert tag["name"] == "Reviewed"
    assert shown == {
        "id": number,
        "Account_Name": "Zylker",
        "Owner": {"name": "P. Boyle", "id": owner, "email": "p@example.com"},
        "Parent_Account": {"name": "Holding", "id": parent},
        "Created_Time": "2026-01-01T10:00:00+08:00",
        "Modified_Time": "2026-05-14T16:36:17+08:00",
    }
    assert 18 <= len(number) <= 19


def test_an_untagged_record_has_an_empty_list_and_nulls_stay_null(store: Store, call: Call) -> None:
    store.insert("Accounts", [{"Account_Name": "A"}])
    (row,) = call("GET", "/Accounts?fields=Tag,Phone,Parent_Account").json()["data"]
    assert (row["Tag"], row["Phone"], row["Parent_Account"]) == ([], None, None)


def test_a_call_names_its_parent_and_the_parents_module(store: Store, call: Call) -> None:
    deal = store.insert("Deals", [{"Deal_Name": "Big"}])[0]
    store.insert("Calls", [{"Subject": "S", "What_Id": deal, "$se_module": "Deals"}])
    (row,) = call("GET", "/Calls?fields=What_Id,$se_module").json()["data"]
    assert row["What_Id"] == {"name": "Big", "id": deal}
    assert row["$se_module"] == "Deals"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "REQUIRED_PARAM_MISSING"),
        ("?fields=" + ",".join(f"F{n}" for n in range(51)), "LIMIT_EXCEEDED"),
        ("?fields=id&per_page=201", "LIMIT_EXCEEDED"),
        ("?fields=id&per_page=x", "INVALID_DATA"),
        ("?fields=id&page=0", "INVALID_DATA"),
        ("?fields=id&sort_by=Account_Name", "INVALID_DATA"),
        ("?fields=id&sort_order=up", "INVALID_DATA"),
        ("?fields=id&ids=1,x", "INVALID_DATA"),
        ("?fields=id&ids=99999999999999999999", "INVALID_DATA"),
        ("?fields=id&page=11", "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ("?fields=id&page=1&page_token=abc", "AMBIGUITY_DURING_PROCESSING"),
    ],
)
def test_bad_parameters_are_refused_flat_with_400(call: Call, query: str, code: str) -> None:
    answer = call("GET", f"/Accounts{query}")
    assert answer.status_code == 400
    body = answer.json()
    assert set(body) == {"code", "details", "message", "status"}
    assert (body["code"], body["status"]) == (code, "error")


def test_unknown_module_is_refused(call: Call) -> None:
    answer = call("GET", "/Nothing?fields=id")
    expected = {"resource_path_index": 0}
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_MODULE")
    assert answer.json()["details"] == expected


def test_an_empty_list_is_204_without_a_body(call: Call) -> None:
    answer = call("GET", "/Accounts?fields=id")
    assert (answer.status_code, answer.content) == (204, b"")


def test_conditional_read_returns_only_what_is_newer_and_304_when_nothing_is(
    store: Store, call: Call, clock: Any
) -> None:
    store.insert("Accounts", [{"Account_Name": "old"}])
    header = {"If-Modified-Since": "2026-05-14T11:36:17+08:00"}
    answer = call("GET", "/Accounts?fields=Account_Name", headers=header)
    assert (answer.status_code, answer.content) == (304, b"")
    clock.advance(1)
    store.insert("Accounts", [{"Account_Name": "new"}])
    answer = call("GET", "/Accounts?fields=Account_Name", headers=header)
    assert [row["Account_Name"] for row in answer.json()["data"]] == ["new"]


def test_a_server_may_answer_204_instead_of_304(
    store: Store, start: Callable[..., ZohoSandbox], connect: Any
) -> None:
    store.insert("Accounts", [{"Account_Name": "old"}])
    call = connect(start(Behaviour(quirks=Quirks(not_modified_status=204))))
    header = {"If-Modified-Since": "2026-05-14T11:36:17+08:00"}
    assert call("GET", "/Accounts?fields=id", headers=header).status_code == 204
    assert call("GET", "/users", headers=header).status_code == 204


@pytest.mark.parametrize("text", ["2026-05-14T11:36:17", "yesterday"])
def test_a_moment_without_offset_is_refused(call: Call, text: str) -> None:
    answer = call("GET", "/Accounts?fields=id", headers={"If-Modified-Since": text})
    assert (answer.status_code, answer.json()["code"]) == (400, "PATTERN_NOT_MATCHED")


def test_a_single_record_shows_all_fields_unless_some_are_named(store: Store, call: Call) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A"}])[0]
    (row,) = call("GET", f"/Accounts/{number}").json()["data"]
    assert set(store.catalogue["Accounts"].fields) == set(row)
    (row,) = call("GET", f"/Accounts/{number}?fields=Phone").json()["data"]
    assert set(row) == {"id", "Phone"}


def test_an_unknown_record_is_an_error_or_empty(
    start: Callable[..., ZohoSandbox], connect: Any
) -> None:
    refused = connect(start())("GET", "/Accounts/5725767000000999999")
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_DATA")
    lenient = connect(start(Behaviour(quirks=Quirks(missing_record="empty"))))
    assert lenient("GET", "/Accounts/5725767000000999999").status_code == 204
    assert lenient("GET", "/Accounts/abc").json()["code"] == "INVALID_URL_PATTERN"


def test_unknown_fields_are_ignored_or_refused(
    store: Store, start: Callable[..., ZohoSandbox], connect: Any
) -> None:
    store.insert("Accounts", [{"Account_Name": "A"}])
    (row,) = connect(start())("GET", "/Accounts?fields=Nothing").json()["data"]
    assert set(row) == {"id"}
    strict = connect(start(Behaviour(quirks=Quirks(unknown_field_read="error"))))
    assert strict("GET", "/Accounts?fields=Nothing").json()["code"] == "INVALID_DATA"


def test_deletions_are_listed_by_kind_and_time(store: Store, call: Call, clock: Any) -> None:
    first, second = store.insert("Accounts", [{"Account_Name": "A"}, {"Account_Name": "B"}])
    assert call("GET", "/Accounts/deleted").status_code == 204
    clock.advance(10)
    store.delete(first)
    clock.advance(10)
    store.delete(second, permanent=True)
    body = call("GET", "/Accounts/deleted?type=all").json()
    assert body["info"] == {"per_page": 200, "count": 2, "page": 1, "more_records": False}
    gone, binned = body["data"]
    assert gone == {
        "deleted_by": None,
        "id": second,
        "display_name": None,
        "type": "permanent",
        "created_by": None,
        "deleted_time": "2026-05-14T11:36:37+08:00",
    }
    assert (binned["id"], binned["display_name"], binned["type"]) == (first, "A", "recycle")
    assert set(binned["deleted_by"]) == {"name", "id"}
    header = {"If-Modified-Since": "2026-05-14T11:36:27+08:00"}
    later = call("GET", "/Accounts/deleted", headers=header).json()["data"]
    assert [row["id"] for row in later] == [second]
    assert call("GET", "/Accounts/deleted?type=other").json()["code"] == "PATTERN_NOT_MATCHED"
    assert call("GET", "/Accounts?fields=id").status_code == 204


def test_deletions_come_in_pages(store: Store, call: Call) -> None:
    for number in store.insert("Accounts", [{"Account_Name": "A"}] * 3):
        store.delete(number)
    pages = [call("GET", f"/Accounts/deleted?per_page=2&page={n}").json() for n in (1, 2)]
    assert [page["info"]["more_records"] for page in pages] == [True, False]
    assert len({row["id"] for page in pages for row in page["data"]}) == 3


def test_a_locked_record_says_so(store: Store, call: Call) -> None:
    locked, waiting = store.insert("Accounts", [{"Account_Name": "A"}] * 2)
    store.lock(locked)
    store.lock(waiting, "NOT_APPROVED")
    fields = {"fields": "Locked__s,$locked_for_me,$approval_state", "sort_order": "asc"}
    first, second = call("GET", "/Accounts", params=fields).json()["data"]
    assert (first["Locked__s"], first["$locked_for_me"]) == (True, True)
    assert (second["Locked__s"], second["$approval_state"]) == (False, "approval_process_pending")
