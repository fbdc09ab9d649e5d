"""OAuth and the gate in front of every call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import (
    Behaviour,
    Credentials,
    Fault,
    Faults,
    Limits,
    Store,
    ZohoSandbox,
)

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]


def test_refresh_answers_with_an_hour_and_the_place_of_the_api(
    sandbox: ZohoSandbox, refresh: Call
) -> None:
    body = refresh(sandbox).json()
    assert set(body) == {"access_token", "scope", "api_domain", "token_type", "expires_in"}
    assert (body["expires_in"], body["token_type"]) == (3600, "Bearer")
    assert body["api_domain"] == sandbox.url


def test_refresh_takes_its_parameters_from_the_query_too(sandbox: ZohoSandbox) -> None:
    keys = sandbox.credentials
    query = {
        "grant_type": "refresh_token",
        "client_id": keys.client_id,
        "client_secret": keys.client_secret,
        "refresh_token": keys.refresh_token,
    }
    answer = requests.post(f"{sandbox.url}/oauth/v2/token", params=query, timeout=10)
    assert "access_token" in answer.json()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"refresh_token": "1000.other"}, "invalid_code"),
        ({"client_id": "1000.other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client_secret"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_are_errors_with_status_200(
    sandbox: ZohoSandbox, refresh: Call, changed: dict[str, str], error: str
) -> None:
    answer = refresh(sandbox, **changed)
    assert (answer.status_code, answer.json()) == (200, {"error": error})


def test_the_eleventh_token_in_ten_minutes_is_denied_until_the_window_has_passed(
    sandbox: ZohoSandbox, refresh: Call, clock: Any
) -> None:
    assert all("access_token" in refresh(sandbox).json() for _ in range(10))
    denied = refresh(sandbox)
    assert denied.status_code == 400
    assert denied.json()["error"] == "Access Denied"
    clock.advance(599)
    assert refresh(sandbox).status_code == 400
    clock.advance(1)
    assert "access_token" in refresh(sandbox).json()


@pytest.mark.parametrize("header", [None, "garbage", "Zoho-oauthtoken", "Basic abc"])
def test_missing_or_garbled_header_fails_authentication(
    sandbox: ZohoSandbox, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    answer = requests.get(f"{sandbox.url}/crm/v8/org", headers=headers, timeout=10)
    expected = {
        "code": "AUTHENTICATION_FAILURE",
        "details": {},
        "message": "Authentication failed",
        "status": "error",
    }
    assert (answer.status_code, answer.json()) == (401, expected)


def test_token_dies_after_an_hour(call: Call, clock: Any) -> None:
    assert call("GET", "/org").status_code == 200
    clock.advance(3600)
    answer = call("GET", "/org")
    expected = {
        "code": "INVALID_TOKEN",
        "details": {},
        "message": "invalid oauth token",
        "status": "error",
    }
    assert (answer.status_code, answer.json()) == (401, expected)


def test_tokens_can_be_killed_early(sandbox: ZohoSandbox, call: Call) -> None:
    sandbox.expire_tokens()
    assert call("GET", "/org").json()["code"] == "INVALID_TOKEN"


def test_oldest_token_dies_when_too_many_live(start: Start, connect: Any, refresh: Call) -> None:
    sandbox = start(Behaviour(limits=Limits(live_tokens=2)))
    first, second = connect(sandbox), connect(sandbox)
    assert first("GET", "/org").status_code == 200
    refresh(sandbox)
    assert first("GET", "/org").json()["code"] == "INVALID_TOKEN"
    assert second("GET", "/org").status_code == 200


def test_bearer_is_accepted_and_the_reset_time_is_told(sandbox: ZohoSandbox, refresh: Call) -> None:
    token = refresh(sandbox).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{sandbox.url}/crm/v8/org", headers=headers, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-ACCESSTOKEN-RESET"] == "2026-05-14T12:36:17+08:00"
    assert answer.headers["Server"] == "ZGS"


@pytest.mark.parametrize(
    ("path", "missing"),
    [("/org", "org"), ("/users", "users"), ("/settings/modules", "settings")],
)
def test_missing_scope_is_a_mismatch(start: Start, connect: Any, path: str, missing: str) -> None:
    scopes = [f"ZohoCRM.{name}.ALL" for name in ("org", "users", "settings") if name != missing]
    keys = Credentials(scope=" ".join(scopes))
    answer = connect(start(Behaviour(credentials=keys)))("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_credits_are_told_from_half_of_the_allowance_on_and_end_in_429(
    start: Start, connect: Any, clock: Any
) -> None:
    sandbox = start(Behaviour(limits=Limits(credits_per_day=4)))
    call = connect(sandbox)
    assert "X-API-CREDITS-REMAINING" not in call("GET", "/org").headers
    assert call("GET", "/org").headers["X-API-CREDITS-REMAINING"] == "2"
    call("GET", "/org")
    assert call("GET", "/org").headers["X-API-CREDITS-REMAINING"] == "0"
    refused = call("GET", "/org")
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    clock.advance(86_400)
    assert connect(sandbox)("GET", "/org").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "json", "cost"),
    [
        ("GET", "/Accounts?fields=id", None, 1),
        ("GET", "/Accounts?fields=id&cvid=1", None, 3),
        ("PUT", "/Accounts", {"data": [{"id": "1"}] * 100}, 10),
        ("PUT", "/Accounts", {"data": [{"id": "1"}] * 11}, 2),
        ("POST", "/Accounts/actions/add_tags", {"tags": [{"name": "a"}], "ids": ["1"] * 51}, 2),
    ],
)
def test_calls_cost_credits_by_rows(
    sandbox: ZohoSandbox, call: Call, method: str, path: str, json: Any, cost: int
) -> None:
    call(method, path, json=json)
    assert sandbox.credits_used == cost


def test_calls_at_the_same_time_are_refused_beyond_the_limit(start: Start, connect: Any) -> None:
    """One slow call holds the only place; the store's lock keeps it inside its handler."""
    sandbox = start(Behaviour(limits=Limits(concurrent_calls=1)))
    slow, quick = connect(sandbox), connect(sandbox)
    with sandbox.store.database.reading():
        thread = threading.Thread(target=slow, args=("GET", "/Accounts?fields=id"))
        thread.start()
        while not sandbox.credits_used:
            pass
        refused = quick("GET", "/org")
    thread.join()
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert quick("GET", "/org").status_code == 200


def test_answered_429_can_be_ordered(start: Start, connect: Any, store: Store) -> None:
    body = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "", "status": "error"}
    faults = Faults([Fault(path="*/org", status=429, body=body, headers={"Retry-After": "1"})])
    call = connect(start(faults=faults))
    answer = call("GET", "/org")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.json() == body
    assert call("GET", "/org").status_code == 200


def test_unknown_address_and_method_are_worded_as_zoho_does(call: Call) -> None:
    lost = call("GET", "/settings/nothing/at/all")
    assert (lost.status_code, lost.json()["code"]) == (404, "INVALID_URL_PATTERN")
    wrong = call("DELETE", "/org")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "INVALID_REQUEST_METHOD")
