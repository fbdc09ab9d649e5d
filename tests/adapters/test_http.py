"""The one way out: what is sent again and what never, what waits, what is refused, what is said."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from adapters.calls import (
    AmbiguousWrite,
    Answer,
    Call,
    CallRefused,
    ErrorTable,
    Reading,
    Verdict,
    checked_origin,
    local_path,
    printable_code,
)
from adapters.http import HttpClient, HttpSettings, Timing
from connector.errors import (
    AuthenticationError,
    ConfigurationError,
    HighseasError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

READ = Call("GET", "/things", {"secret": "query-4711"})
WRITE = Call("POST", "/things", body=b'{"phone":"13800000000"}', writes=True)

# A server's key and certificate, made for this test alone; nothing trusts them.
KEY_LINES = """\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/qlEtku3XZ/Ly68J
IGRfrW5s/oz9Fiy16BPu45A5L5GhRANCAARqgUULidL84q5r1pa605U/vm1r3nq4
ZAgnngeOBnRYzVlpYU+FK7yDZxoGGxqXqYo1Qk9yYC9FOr1s1/BojvSb
"""
CERTIFICATE_LINES = """\
MIIBfzCCASWgAwIBAgIUFUb64F96KDg40o6BrHKrEgDHqHQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjAzMzc0MFoYDzIxMjYxMDI5
MDMzNzQwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARqgUULidL84q5r1pa605U/vm1r3nq4ZAgnngeOBnRYzVlpYU+FK7yD
ZxoGGxqXqYo1Qk9yYC9FOr1s1/BojvSbo1MwUTAdBgNVHQ4EFgQU0arfMSVqxIcJ
Wm9D7XK82uNkeI8wHwYDVR0jBBgwFoAU0arfMSVqxIcJWm9D7XK82uNkeI8wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiANwUOFsrX+6eCj97482TV9
gihfrYsGdVI91qSZ5bhxegIhAOUu7lWsV0nDsdFxQ7dG6S8JfBHrgeeNo4XHKUA1
espo
"""


def pem(kind: str, lines: str) -> str:
    return f"-----BEGIN {kind}-----\n{lines}-----END {kind}-----\n"


def read_code(_: Call, answer: Answer) -> Reading:
    return Reading(answer.headers.get("X-Code", ""), results="X-Rows" in answer.headers)


TABLE = ErrorTable(
    read_code, {"DEAD": Verdict.RENEW, "SCOPE": Verdict.AUTHENTICATION}, {429: Verdict.WAIT}
)


class Keys:
    """An authenticator with so many spare keys."""

    def __init__(self, spare: int) -> None:
        self.spare = spare
        self.key = 0

    def authorise(self, call: Call) -> Call:
        headers = {"Authorization": f"key-{self.key}"}
        return Call(call.method, call.path, call.params, headers, call.body, writes=call.writes)

    def refused(self, call: Call) -> bool:
        if self.spare == 0:
            return False
        self.spare -= 1
        self.key += 1
        return True


@pytest.fixture
def clients() -> Iterator[list[HttpClient]]:
    opened: list[HttpClient] = []
    yield opened
    for client in opened:
        client.close()


@pytest.fixture
def client_of(clients: list[HttpClient], fake_time: Any) -> Any:
    def make(url: str, authenticator: Any = None, **settings: Any) -> HttpClient:
        timing = Timing(fake_time.clock, fake_time.sleep, fake_time.chance)
        client = HttpClient(
            "acme",
            lambda: url,
            TABLE,
            settings=HttpSettings(**settings),
            timing=timing,
            authenticator=authenticator,
        )
        clients.append(client)
        return client

    return make


def test_a_read_is_asked_again_with_growing_waits(
    wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.say(503).lose().say(500).say(200, b"fine")
    client = client_of(wire.url)
    assert client.send(READ).body == b"fine"
    assert fake_time.sleeps == [0.5, 1, 2]
    assert (client.calls.total, client.calls.writes) == (4, 0)


def test_a_read_gives_up_after_its_attempts(wire: Any, client_of: Any) -> None:
    wire.always(503)
    with pytest.raises(UnavailableError, match=r"503, GET /things\)$"):
        client_of(wire.url, attempts=3).send(READ)
    assert len(wire.seen) == 3


def test_total_time_ends_the_retries_before_the_attempts_do(
    wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.always(503)
    with pytest.raises(UnavailableError):
        client_of(wire.url, attempts=50, total_seconds=5).send(READ)
    assert sum(fake_time.sleeps) <= 5
    assert len(wire.seen) == 4


@pytest.mark.parametrize(
    ("text", "waited"),
    [
        ("7", 7.0),
        ("9999", 120.0),
        ("soon", 2.0),
        (formatdate(1_790_000_030), 30.0),
        (formatdate(1_780_000_000), 2.0),
        ("Mon, 01 Jan 9999999 00:00:00 GMT", 2.0),
    ],
)
def test_retry_after_is_honoured_and_capped(
    text: str, waited: float, wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.say(429, headers={"Retry-After": text}).say(200)
    client_of(wire.url).send(READ)
    assert fake_time.sleeps == [waited]


def test_a_write_that_was_turned_away_is_sent_again(wire: Any, client_of: Any) -> None:
    wire.say(429).say(200, b"written")
    assert client_of(wire.url).send(WRITE).body == b"written"
    assert [seen.body for seen in wire.seen] == [WRITE.body] * 2


def test_a_quota_that_stays_used_up_is_said(wire: Any, client_of: Any, fake_time: Any) -> None:
    wire.always(429)
    with pytest.raises(QuotaError, match="429, POST /things"):
        client_of(wire.url, attempts=2).send(WRITE)
    assert fake_time.sleeps == [2, 4, 8, 16, 32, 64, 120]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_write_answered_with_a_server_error_is_in_doubt_and_never_repeated(
    status: int, wire: Any, client_of: Any
) -> None:
    wire.say(status).say(200)
    with pytest.raises(AmbiguousWrite) as caught:
        client_of(wire.url).send(WRITE)
    assert caught.value.code == str(status)
    assert len(wire.seen) == 1


def test_a_write_whose_answer_is_lost_is_in_doubt(wire: Any, client_of: Any) -> None:
    wire.lose().say(200)
    with pytest.raises(AmbiguousWrite, match="ConnectionError, POST /things"):
        client_of(wire.url).send(WRITE)
    assert len(wire.seen) == 1


def test_a_write_whose_answer_is_cut_off_is_in_doubt(wire: Any, client_of: Any) -> None:
    wire.say(200, b"half", cut=True).say(200)
    with pytest.raises(AmbiguousWrite):
        client_of(wire.url).send(WRITE)
    assert len(wire.seen) == 1


def test_a_read_whose_answer_is_cut_off_is_asked_again(wire: Any, client_of: Any) -> None:
    wire.say(200, b"half", cut=True).say(200, b"whole")
    assert client_of(wire.url).send(READ).body == b"whole"


def test_a_write_that_never_left_is_sent_again_and_is_not_in_doubt(
    wire: Any, client_of: Any, fake_time: Any
) -> None:
    wire.close()
    with pytest.raises(UnavailableError) as caught:
        client_of(wire.url, attempts=3).send(WRITE)
    assert not isinstance(caught.value, AmbiguousWrite)
    assert len(fake_time.sleeps) == 2


def test_a_slow_server_runs_into_the_timeout(wire: Any, client_of: Any) -> None:
    free = threading.Event()

    answer = wire.route

    def slow(seen: Any) -> Any:
        free.wait(5)
        return answer(seen)

    wire.route = slow
    with pytest.raises(AmbiguousWrite, match="ReadTimeout"):
        client_of(wire.url, timeout_seconds=0.1).send(WRITE)
    free.set()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int, wire: Any, other_wire: Any, client_of: Any) -> None:
    wire.say(status, headers={"Location": f"{other_wire.url}/elsewhere"})
    with pytest.raises(ProtocolError, match="redirect"):
        client_of(wire.url, Keys(0)).send(READ)
    assert other_wire.seen == []
    assert len(wire.seen) == 1


@pytest.mark.parametrize("status", [302, 303])
def test_a_write_that_is_sent_elsewhere_may_have_been_taken(
    status: int, wire: Any, client_of: Any
) -> None:
    wire.say(status, headers={"Location": "/things/7"})
    with pytest.raises(AmbiguousWrite):
        client_of(wire.url).send(WRITE)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("path", [".evil.example/x", "@evil.example/x", ":99/x", "things"])
def test_a_path_never_becomes_part_of_the_host(path: str, wire: Any, client_of: Any) -> None:
    wire.say(200)
    client_of(wire.url, Keys(0)).send(Call("GET", path))
    assert wire.seen[0].path == f"/{path}"


def test_a_parameter_may_be_repeated(wire: Any, client_of: Any) -> None:
    wire.say(200)
    answer = client_of(wire.url).send(Call("GET", "/things", {"f": ["id", "name"], "s": "2"}))
    assert answer.status == 200
    assert wire.seen[0].pairs == [("f", "id"), ("f", "name"), ("s", "2")]


def test_what_is_said_of_a_call_holds_no_query_and_may_hide_its_path() -> None:
    assert str(Call("GET", "/things?token=4711")) == "GET /things"
    assert str(Call("GET", "/hook/4711/things", shown="/things")) == "GET /things"


def test_an_endless_answer_is_cut(wire: Any, client_of: Any) -> None:
    wire.say(200, b"x" * 2000)
    with pytest.raises(ProtocolError, match="too long"):
        client_of(wire.url, body_limit=1000).send(READ)


def test_credentials_are_renewed_once(wire: Any, client_of: Any) -> None:
    wire.say(401, headers={"X-Code": "DEAD"}).say(200, b"in")
    assert client_of(wire.url, Keys(1)).send(WRITE).body == b"in"
    assert [seen.headers["Authorization"] for seen in wire.seen] == ["key-0", "key-1"]


@pytest.mark.parametrize(
    ("code", "spare", "calls"), [("DEAD", 9, 2), ("DEAD", 0, 1), ("SCOPE", 9, 1)]
)
def test_refused_credentials_end_the_run(
    code: str, spare: int, calls: int, wire: Any, client_of: Any
) -> None:
    wire.always(401, **{"X-Code": code})
    with pytest.raises(AuthenticationError, match=f"401 {code}, GET /things"):
        client_of(wire.url, Keys(spare)).send(READ)
    assert len(wire.seen) == calls


def test_a_refused_call_carries_its_code(wire: Any, client_of: Any) -> None:
    wire.say(400, b"body-4711", headers={"X-Code": "NO_SUCH_THING"})
    with pytest.raises(CallRefused) as caught:
        client_of(wire.url).send(READ)
    assert (caught.value.status, caught.value.code) == (400, "NO_SUCH_THING")


def test_results_are_handed_on_whatever_the_status(wire: Any, client_of: Any) -> None:
    wire.say(400, b"rows", headers={"X-Rows": "1"})
    assert client_of(wire.url).send(WRITE).body == b"rows"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 302])
@pytest.mark.parametrize("call", [READ, WRITE])
def test_neither_errors_nor_logs_hold_query_body_or_token(
    status: int, call: Call, wire: Any, client_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "highseas")
    wire.always(status, Location="/secret-place")
    with pytest.raises(HighseasError) as caught:
        client_of(wire.url, Keys(0), attempts=1, throttled_attempts=1).send(call)
    told = f"{caught.value.message} {caught.value.hint} {caplog.text} {call!r}"
    for secret in ("4711", "13800000000", "key-0", "secret-place", wire.url):
        assert secret not in told
    assert f"{call.method} /things -> {status}" in caplog.text


def test_it_says_who_it_is_and_keeps_no_cookie(wire: Any, client_of: Any) -> None:
    wire.say(200, headers={"Set-Cookie": "session=1"}).say(200)
    client = client_of(wire.url)
    client.send(READ)
    client.send(READ)
    assert wire.seen[1].headers["User-Agent"].startswith("highseas/")
    assert "Cookie" not in wire.seen[1].headers


def test_a_netrc_does_not_replace_our_credentials(
    wire: Any, client_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    wire.say(200)
    client_of(wire.url, Keys(0)).send(READ)
    assert wire.seen[0].headers["Authorization"] == "key-0"


def test_no_more_calls_at_a_time_than_allowed(wire: Any, clients: list[HttpClient]) -> None:
    most, now, lock = [0], [0], threading.Lock()

    def counting(seen: Any) -> Any:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return fine(seen)

    wire.always(200)
    fine, wire.route = wire.route, counting
    client = HttpClient(
        "acme", lambda: wire.url, TABLE, settings=HttpSettings(concurrency=3, heavy=1)
    )
    clients.append(client)
    heavy = Call("GET", "/heavy", heavy=True)
    for call, limit in ((READ, 3), (heavy, 1)):
        most[0] = 0
        threads = [threading.Thread(target=client.send, args=(call,)) for _ in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most[0] == limit


def test_an_untrusted_certificate_is_refused_at_once(
    client_of: Any, tmp_path: Path, fake_time: Any
) -> None:
    file = tmp_path / "server.pem"
    file.write_text(pem("PRIVATE KEY", KEY_LINES) + pem("CERTIFICATE", CERTIFICATE_LINES))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with pytest.raises(UnavailableError, match="certificate") as caught:
            client_of(f"https://localhost:{server.server_address[1]}").send(WRITE)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not isinstance(caught.value, AmbiguousWrite)
    assert fake_time.sleeps == []


@pytest.mark.parametrize(
    "url", ["http://crm.example", "ftp://127.0.0.1", "https://", "https://me:pw@crm.example", "x"]
)
def test_only_https_or_this_machine(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_origin(url)
    assert "pw" not in caught.value.message


def test_an_origin_is_scheme_host_and_port() -> None:
    assert checked_origin("https://crm.example:444/path?query") == "https://crm.example:444"
    assert checked_origin("http://localhost:8080/") == "http://localhost:8080"


def test_a_link_to_another_server_is_refused() -> None:
    home = "https://crm.example"
    assert local_path("https://crm.example/next?page=2", home) == "/next?page=2"
    assert local_path("/next", home) == "/next"
    for link in ("https://evil.example/next", "//evil.example/next", "http://crm.example/next"):
        with pytest.raises(ProtocolError, match="another server"):
            local_path(link, home)


def test_a_code_is_repeated_only_if_it_looks_like_one() -> None:
    assert printable_code("RECORD_LOCKED") == "RECORD_LOCKED"
    assert printable_code("张三 13800000000, Amount 5") == ""
    assert printable_code("a@b.example") == ""
    assert printable_code(None) == ""
