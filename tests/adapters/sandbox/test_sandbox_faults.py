"""The wire: keep-alive, the record of requests, and trouble on order."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, Fault, Faults, Request, Store, ZohoSandbox

Call = Callable[..., requests.Response]
Start = Callable[..., ZohoSandbox]
LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def account(store: Store) -> str:
    return store.insert("Accounts", [{"Account_Name": "A"}])[0]


def post_note(call: Call, account: str) -> requests.Response:
    return call("POST", f"/Accounts/{account}/Notes", json={"data": [{"Note_Content": "x"}]})


def test_one_connection_serves_many_requests(sandbox: ZohoSandbox, refresh: Call) -> None:
    token = refresh(sandbox).json()["access_token"]
    place = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port or 0, timeout=10)
    connection.connect()
    used = connection.sock
    headers = {"Authorization": f"Zoho-oauthtoken {token}"}
    statuses = []
    # 204 has no body: a wrongly framed one would spoil the next answer.
    for path in ("/crm/v8/Accounts?fields=id", "/crm/v8/org", "/crm/v8/nothing", "/crm/v8/org"):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [204, 200, 400, 200]
    assert connection.sock is used
    connection.request("HEAD", "/crm/v8/org", headers=headers)
    assert connection.getresponse().read() == b""
    connection.close()


def test_a_chunked_body_is_read_whole(store: Store, call: Call, account: str) -> None:
    parts = (part for part in (b'{"data":[{"id":"', account.encode(), b'","Phone":"1"}]}'))
    headers = {"Content-Type": "application/json"}
    assert call("PUT", "/Accounts", data=parts, headers=headers).status_code == 200
    assert store.values(account)["Phone"] == "1"


def test_every_request_is_recorded_and_writes_are_told_apart(
    sandbox: ZohoSandbox, call: Call, account: str
) -> None:
    call("GET", "/Accounts?fields=id")
    call("PUT", "/Accounts", data=b'{"data":[{}]}', headers={"Content-Type": "application/json"})
    assert sandbox.requests[1:] == [
        Request("GET", "/crm/v8/Accounts", "fields=id", 200, 0, acted=True),
        Request("PUT", "/crm/v8/Accounts", "", 400, 13, acted=True),
    ]
    assert sandbox.requests[0].path == "/oauth/v2/token"
    assert sandbox.writes == sandbox.requests[2:]
    sandbox.forget_requests()
    assert sandbox.requests == []


def test_a_connection_dropped_before_acting_leaves_nothing_written(
    store: Store, start: Start, connect: Any, account: str
) -> None:
    sandbox = start(faults=Faults([Fault("POST", "*/Notes", drop="before")]))
    call = connect(sandbox)
    with pytest.raises(LOST):
        post_note(call, account)
    assert store.count("Notes") == 0
    assert [(r.status, r.acted) for r in sandbox.writes] == [(None, False)]
    assert post_note(call, account).status_code == 201


@pytest.mark.parametrize("drop", ["after", "midway"])
def test_a_connection_dropped_after_acting_loses_only_the_answer(
    store: Store, start: Start, connect: Any, account: str, drop: Any
) -> None:
    sandbox = start(faults=Faults([Fault("POST", "*/Notes", drop=drop)]))
    call = connect(sandbox)
    with pytest.raises(LOST):
        post_note(call, account)
    assert store.count("Notes") == 1
    assert [(r.status, r.acted) for r in sandbox.writes] == [(None, True)]


def test_an_error_may_come_before_or_after_acting(
    store: Store, start: Start, connect: Any, account: str
) -> None:
    faults = Faults(
        [
            Fault("POST", "*/Notes", status=503, body="busy"),
            Fault("POST", "*/Notes", nth=2, status=502, act=True),
        ]
    )
    call = connect(start(faults=faults))
    before = post_note(call, account)
    assert (before.status_code, before.text, store.count("Notes")) == (503, "busy", 0)
    after = post_note(call, account)
    assert (after.status_code, after.content, store.count("Notes")) == (502, b"", 1)
    assert post_note(call, account).status_code == 201


def test_a_fault_counts_its_own_matches_and_lasts_as_long_as_it_says(
    start: Start, connect: Any
) -> None:
    sandbox = start(faults=Faults([Fault("GET", "*/org", nth=2, times=2, status=500)]))
    call = connect(sandbox)
    call("GET", "/users")
    statuses = [call("GET", "/org").status_code for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    sandbox.faults.add(Fault("GET", "*/org", status=500))
    sandbox.faults.clear()
    assert call("GET", "/org").status_code == 200


def test_a_delay_passes_before_the_answer(start: Start, connect: Any) -> None:
    slept: list[float] = []
    behaviour = Behaviour(sleep=slept.append)
    faults = Faults([Fault(path="*/org", delay=2.5)])
    assert connect(start(behaviour, faults))("GET", "/org").status_code == 200
    assert slept == [2.5]


def test_a_client_that_gives_up_leaves_the_server_quiet(
    store: Store, start: Start, connect: Any, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer to a client that has reset its connection goes nowhere, and nobody is told."""
    place: list[ZohoSandbox] = []

    def vanish(_seconds: float) -> None:
        for connection in list(place[0]._running.connections):
            connection.shutdown(socket.SHUT_WR)  # what was sent may still be read

    sandbox = start(Behaviour(sleep=vanish), Faults([Fault("POST", "*/Notes", delay=1)]))
    place.append(sandbox)
    call = connect(sandbox)
    with pytest.raises(LOST):
        post_note(call, account)
    while not sandbox.writes:
        time.sleep(0.01)
    assert call("GET", "/org").status_code == 200
    sandbox.stop()
    assert capsys.readouterr().err == ""
    assert store.count("Notes") == 1


def test_a_fault_of_the_sandbox_itself_is_a_500(
    store: Store, start: Start, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    call = connect(start())
    with store.database.writing() as connection:
        connection.execute("ALTER TABLE tags RENAME TO broken")
    answer = call("GET", "/settings/tags?module=Accounts")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "no such table" in caplog.text


def test_errors_that_are_no_lost_connection_are_shown(
    sandbox: ZohoSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = sandbox._running
    try:
        raise ZeroDivisionError  # noqa: TRY301
    except ZeroDivisionError:
        wire.handle_error(None, ("127.0.0.1", 1))
    assert "ZeroDivisionError" in capsys.readouterr().err
    try:
        raise BrokenPipeError  # noqa: TRY301
    except BrokenPipeError:
        wire.handle_error(None, ("127.0.0.1", 1))
    assert capsys.readouterr().err == ""


def test_a_taken_port_is_an_os_error(store: Store, sandbox: ZohoSandbox) -> None:
    port = urlsplit(sandbox.url).port or 0
    with pytest.raises(OSError, match="in use"):
        ZohoSandbox(store, port=port).start()


def test_a_sandbox_that_was_not_started_has_no_address(store: Store) -> None:
    idle = ZohoSandbox(store)
    idle.stop()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = idle.url
