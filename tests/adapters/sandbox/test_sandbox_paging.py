"""Walking long lists: the switch from page to page_token and what binds a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, Limits, Store, ZohoSandbox

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]


def fill(store: Store, count: int) -> list[str]:
    """Ten records share each second of change, as imports leave them."""
    base = 1_700_000_000
    rows = [
        {"Account_Name": f"A{n}", "Created_Time": base + n // 10, "Modified_Time": base + n // 10}
        for n in range(count)
    ]
    return store.insert("Accounts", rows)


def walk(call: Call, **params: Any) -> tuple[list[str], list[dict[str, Any]]]:
    ids, infos = [], []
    while True:
        body = call("GET", "/Accounts", params={"fields": "id", **params}).json()
        ids += [row["id"] for row in body["data"]]
        infos.append(body["info"])
        if not body["info"]["more_records"]:
            return ids, infos
        params["page_token"] = body["info"]["next_page_token"]


@pytest.mark.parametrize("sort_by", ["id", "Created_Time", "Modified_Time"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_token_walk_meets_every_record_once_in_order(
    store: Store, call: Call, sort_by: str, order: str
) -> None:
    numbers = fill(store, 45)
    ids, infos = walk(call, sort_by=sort_by, sort_order=order, per_page=7)
    assert ids == (numbers if order == "asc" else numbers[::-1])
    assert [info["page"] for info in infos] == list(range(1, 8))
    assert infos[-1]["next_page_token"] is None
    assert infos[-1]["count"] == 3


def test_the_default_order_is_id_descending(store: Store, call: Call) -> None:
    numbers = fill(store, 3)
    body = call("GET", "/Accounts?fields=id").json()
    assert [row["id"] for row in body["data"]] == numbers[::-1]
    assert body["info"] == {
        "per_page": 200,
        "next_page_token": None,
        "count": 3,
        "sort_by": "id",
        "page": 1,
        "previous_page_token": None,
        "page_token_expiry": None,
        "sort_order": "desc",
        "more_records": False,
    }


def test_pages_end_after_2000_rows_and_the_tenth_hands_over_to_tokens(
    store: Store, call: Call
) -> None:
    fill(store, 2_001)
    tenth = call("GET", "/Accounts?fields=id&page=10").json()
    refused = call("GET", "/Accounts?fields=id&page=11")
    assert refused.status_code == 400
    assert refused.json() == {
        "code": "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
        "details": {"limit": 2000},
        "message": "You can only get the first 2000 records without using page_token param",
        "status": "error",
    }
    token = tenth["info"]["next_page_token"]
    last = call("GET", "/Accounts", params={"fields": "id", "page_token": token}).json()
    assert (last["info"]["page"], last["info"]["count"]) == (11, 1)


def test_tokens_end_at_their_own_limit(store: Store, start: Start, connect: Any) -> None:
    fill(store, 25)
    call = connect(start(Behaviour(limits=Limits(token_rows=20))))
    first = call("GET", "/Accounts?fields=id&per_page=10").json()
    params = {"fields": "id", "per_page": 10, "page_token": first["info"]["next_page_token"]}
    second = call("GET", "/Accounts", params=params).json()
    params["page_token"] = second["info"]["next_page_token"]
    refused = call("GET", "/Accounts", params=params)
    assert (refused.status_code, refused.json()["code"]) == (400, "PAGINATION_LIMIT_EXCEEDED")


def test_a_token_is_bound_to_all_other_parameters(store: Store, call: Call) -> None:
    fill(store, 3)
    params: dict[str, Any] = {"fields": "id,Phone", "per_page": 1, "sort_order": "asc"}
    token = call("GET", "/Accounts", params=params).json()["info"]["next_page_token"]
    bound = {**params, "page_token": token}
    assert call("GET", "/Accounts", params=bound).status_code == 200
    changes: list[dict[str, Any]] = [
        {"fields": "id"},
        {"per_page": 2},
        {"sort_order": "desc"},
        {"sort_by": "Modified_Time"},
        {"converted": "both"},
        {"page_token": "abc"},
        {"page_token": token[:-1] + ("0" if token[-1] != "0" else "1")},
        {"page_token": "ÿ" + token},
    ]
    codes = [
        call("GET", "/Accounts", params={**bound, **change}).json()["code"] for change in changes
    ]
    assert codes == ["TOKEN_BOUND_DATA_MISMATCH"] * len(changes)
    header = {"If-Modified-Since": "2000-01-01T00:00:00+00:00"}
    other = call("GET", "/Accounts", params=bound, headers=header)
    assert other.json()["code"] == "TOKEN_BOUND_DATA_MISMATCH"


def test_a_token_expires_after_a_day(
    store: Store, sandbox: ZohoSandbox, connect: Any, clock: Any
) -> None:
    fill(store, 3)
    query = "/Accounts?fields=id&per_page=1"
    info = connect(sandbox)("GET", query).json()["info"]
    assert info["page_token_expiry"] == "2026-05-15T11:36:17+08:00"
    clock.advance(86_400)
    refused = connect(sandbox)("GET", query, params={"page_token": info["next_page_token"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "EXPIRED_VALUE")


def test_a_record_edited_during_an_ascending_walk_moves_to_its_end(
    store: Store, call: Call, clock: Any
) -> None:
    numbers = fill(store, 20)
    params = {"fields": "id", "sort_by": "Modified_Time", "sort_order": "asc", "per_page": 10}
    first = call("GET", "/Accounts", params=params).json()
    clock.advance(60)
    store.edit("Accounts", numbers[0], {"Phone": "1"})
    rest, _ = walk(call, **params, page_token=first["info"]["next_page_token"])
    assert rest == [*numbers[10:], numbers[0]]


def test_ids_choose_records(store: Store, call: Call) -> None:
    numbers = fill(store, 5)
    params = {"fields": "id", "ids": f"{numbers[1]},{numbers[3]},1"}
    rows = call("GET", "/Accounts", params=params).json()["data"]
    assert {row["id"] for row in rows} == {numbers[1], numbers[3]}
