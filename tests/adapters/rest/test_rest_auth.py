"""Every way to be let in, and what never goes where it does not belong."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.calls import AmbiguousWrite, Call
from adapters.http import HttpClient, Timing
from adapters.rest.api import Api
from adapters.rest.auth import Authorisation, open_auth
from adapters.rest.errors import error_table
from adapters.rest.limits import fingerprint, http_settings
from adapters.rest.schema.description import Description
from connector.errors import (
    AuthenticationError,
    ConfigurationError,
    HighseasError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

READ = Call("GET", "/api/things", {"q": "1"})
WRITE = Call("POST", "/api/things", body=b"{}", writes=True)
SETTINGS = {
    "user": "ann",
    "password": "pass-4711",
    "key": "key-4711",
    "client_id": "client-4711",
    "client_secret": "se/cret:4711",
    "refresh": "refresh-4711",
}
OAUTH = {
    "kind": "oauth2",
    "grant": "refresh_token",
    "client_id": "{{ client_id }}",
    "client_secret": "{{ client_secret }}",
    "refresh_token": "{{ refresh }}",
}
LOGIN = {
    "kind": "login",
    "call": {
        "method": "POST",
        "path": "/login",
        "json": {"user": "{{ user }}", "password": "{{ password }}"},
    },
    "token": "data.token",
    "use": {"headers": {"X-Token": "{{ token }}"}},
}


def described(url: str, auth: dict[str, Any], **more: Any) -> Description:
    text = {
        "rest": 1,
        "name": "Acme",
        "server": {"url": f"{url}/api"},
        "auth": auth,
        "identity": {"call": {"path": "/me"}, "id": "{{ answer.id }}"},
        "objects": {"Things": {"list": {"path": "/things"}}},
    }
    return Description.model_validate(text | more)


class Entry:
    """The authorisation of one process, and a client that uses it."""

    def __init__(self, description: Description, timing: Timing, folder: Path, **more: Any) -> None:
        settings = SETTINGS | more
        self.auth: Authorisation = open_auth(description, settings, timing=timing, cache_dir=folder)
        origin = description.server.url.removesuffix("/api")
        self.http = HttpClient(
            "Acme",
            lambda: origin,
            error_table(description),
            settings=http_settings(description, settings, timing=timing, cache_dir=folder),
            timing=timing,
            authenticator=self.auth,
        )
        self.api = Api(description, settings, self.http, self.auth.login)

    def send(self, call: Call = READ) -> Any:
        return self.http.send(call)

    def close(self) -> None:
        self.http.close()
        self.auth.close()


@pytest.fixture
def enter(wire: Any, fake_time: Any, tmp_path: Path) -> Iterator[Any]:
    opened: list[Entry] = []

    def make(auth: dict[str, Any], settings: dict[str, Any] | None = None, **more: Any) -> Entry:
        timing = Timing(fake_time.clock, fake_time.sleep, fake_time.chance)
        description = described(wire.url, auth, **more)
        entry = Entry(description, timing, tmp_path / "cache", **(settings or {}))
        opened.append(entry)
        return entry

    yield make
    for entry in opened:
        entry.close()


def decoded_basic(header: str) -> str:
    word, _, text = header.partition(" ")
    assert word == "Basic"
    return base64.b64decode(text).decode()


# What does not change.


def test_nothing_is_shown_where_nothing_is_asked_for(wire: Any, enter: Any) -> None:
    wire.always(200)
    entry = enter({"kind": "none"})
    entry.send()
    assert "Authorization" not in wire.seen[0].headers
    assert entry.auth.login() == {}


def test_a_key_goes_into_headers_and_query(wire: Any, enter: Any) -> None:
    wire.always(200)
    enter(
        {"kind": "key", "headers": {"X-Api-Key": "k {{ key }}"}, "params": {"api_key": "{{ key }}"}}
    ).send()
    assert wire.seen[0].headers["X-Api-Key"] == "k key-4711"
    assert wire.seen[0].query == {"q": "1", "api_key": "key-4711"}


def test_a_link_that_brings_the_key_back_does_not_double_it(wire: Any, enter: Any) -> None:
    wire.always(200)
    entry = enter({"kind": "key", "params": {"api_key": "{{ key }}"}})
    entry.send(Call("GET", "/api/things?api_key=old-4711&cursor=a%20b"))
    entry.send(Call("GET", "/api/things?api_key=old-4711"))
    entry.send(Call("GET", "/api/things?cursor=2"))
    assert [seen.pairs for seen in wire.seen] == [
        [("cursor", "a b"), ("api_key", "key-4711")],
        [("api_key", "key-4711")],
        [("cursor", "2"), ("api_key", "key-4711")],
    ]


def test_basic_takes_every_letter(wire: Any, enter: Any) -> None:
    wire.always(200)
    auth = {"kind": "basic", "user": "{{ user }}", "password": "{{ password }}"}
    enter(auth, {"user": "安娜", "password": "a:b"}).send()
    assert decoded_basic(wire.seen[0].headers["Authorization"]) == "安娜:a:b"


@pytest.mark.parametrize(("word", "header"), [("bearer", "bearer key-4711"), ("", "key-4711")])
def test_a_bearer_token_stands_behind_its_word(
    word: str, header: str, wire: Any, enter: Any
) -> None:
    wire.always(200)
    enter({"kind": "bearer", "token": "{{ key }}", "word": word}).send()
    assert wire.seen[0].headers["Authorization"] == header


@pytest.mark.parametrize("call", [READ, WRITE])
def test_what_does_not_change_is_not_tried_twice(call: Call, wire: Any, enter: Any) -> None:
    wire.always(401)
    with pytest.raises(AuthenticationError, match="401"):
        enter({"kind": "bearer", "token": "{{ key }}"}).send(call)
    assert len(wire.seen) == 1


def test_a_key_with_a_line_break_is_an_error_of_the_settings(wire: Any, enter: Any) -> None:
    entry = enter({"kind": "key", "headers": {"X-Key": "{{ key }}"}}, {"key": "4711\r\nX-Evil: 1"})
    with pytest.raises(ConfigurationError, match="X-Key"):
        entry.send(WRITE)
    assert wire.seen == []


# OAuth 2.


def granting(wire: Any, **more: Any) -> None:
    wire.each(lambda number: {"access_token": f"token-{number}", "expires_in": 3600} | more)


def test_the_token_endpoint_may_be_another_server(wire: Any, other_wire: Any, enter: Any) -> None:
    granting(other_wire)
    wire.always(200)
    entry = enter(OAUTH | {"token_url": f"{other_wire.url}/oauth/token?tenant=7"})
    entry.send()
    entry.send()
    (asked,) = other_wire.seen
    assert (asked.path, asked.query) == ("/oauth/token", {"tenant": "7"})
    assert asked.form == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-4711",
        "client_id": "client-4711",
        "client_secret": "se/cret:4711",
    }
    assert [seen.headers["Authorization"] for seen in wire.seen] == ["Bearer token-1"] * 2
    assert entry.auth.login() == {}


def test_client_credentials_in_the_header_and_a_scope(
    wire: Any, other_wire: Any, enter: Any
) -> None:
    granting(other_wire)
    wire.always(200)
    auth = OAUTH | {
        "grant": "client_credentials",
        "credentials": "basic",
        "scope": "read write",
        "token_url": f"{other_wire.url}/token",
        "word": "Token",
    }
    enter(auth).send()
    (asked,) = other_wire.seen
    assert asked.form == {"grant_type": "client_credentials", "scope": "read write"}
    assert decoded_basic(asked.headers["Authorization"]) == "client-4711:se%2Fcret%3A4711"
    assert wire.seen[0].headers["Authorization"] == "Token token-1"


def test_a_password_grant_as_json(wire: Any, other_wire: Any, enter: Any) -> None:
    granting(other_wire)
    wire.always(200)
    auth = OAUTH | {
        "grant": "password",
        "user": "{{ user }}",
        "password": "{{ password }}",
        "body": "json",
        "token_url": f"{other_wire.url}/token",
    }
    enter(auth).send()
    assert other_wire.seen[0].json == {
        "grant_type": "password",
        "username": "ann",
        "password": "pass-4711",
        "client_id": "client-4711",
        "client_secret": "se/cret:4711",
    }


@pytest.mark.parametrize("change", [{"refresh_token": None}, {"grant": "password"}])
def test_a_grant_without_what_it_needs_is_no_description(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="this grant needs"):
        described("https://crm.example", OAUTH | {"token_url": "https://x"} | change)


def test_a_new_refresh_token_takes_the_place_of_the_old_one(
    wire: Any, other_wire: Any, enter: Any, fake_time: Any
) -> None:
    other_wire.each(
        lambda number: {"access_token": f"token-{number}", "refresh_token": f"next-{number}"}
    )
    wire.always(200)
    auth = OAUTH | {"token_url": f"{other_wire.url}/token", "lifetime_seconds": 600}
    enter(auth).send()
    fake_time.now += 541
    enter(auth).send()
    fake_time.now += 541
    enter(auth).send()
    assert [seen.form["refresh_token"] for seen in other_wire.seen] == [
        "refresh-4711",
        "next-1",
        "next-2",
    ]


@pytest.mark.parametrize(
    ("told", "lasts"),
    [(1200, 1140), ("1200", 1140), (30, 27), (None, 540), (-5, 540), ("soon", 540), (True, 540)],
)
def test_a_life_is_told_in_many_ways(
    told: Any, lasts: int, wire: Any, other_wire: Any, enter: Any, fake_time: Any
) -> None:
    granting(other_wire, expires_in=told)
    wire.always(200)
    entry = enter(OAUTH | {"token_url": f"{other_wire.url}/token", "lifetime_seconds": 600})
    entry.send()
    fake_time.now += lasts - 1
    entry.send()
    assert len(other_wire.seen) == 1
    fake_time.now += 1
    entry.send()
    assert len(other_wire.seen) == 2


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_dead_token_is_renewed_once_and_the_call_repeated_once(
    call: Call, wire: Any, other_wire: Any, enter: Any
) -> None:
    granting(other_wire)
    wire.say(401).say(200, {"fine": True}).always(401)
    entry = enter(OAUTH | {"token_url": f"{other_wire.url}/token"})
    assert entry.send(call).status == 200
    with pytest.raises(AuthenticationError):
        entry.send(call)
    headers = [seen.headers["Authorization"].removeprefix("Bearer ") for seen in wire.seen]
    assert headers == ["token-1", "token-2", "token-2", "token-3"]


def test_a_token_endpoint_that_is_busy_is_waited_for(
    wire: Any, other_wire: Any, enter: Any, fake_time: Any
) -> None:
    other_wire.say(429, headers={"Retry-After": "7"})
    granting(other_wire)
    wire.always(200)
    enter(OAUTH | {"token_url": f"{other_wire.url}/token"}).send()
    assert fake_time.sleeps == [7.0]


def test_a_token_endpoint_must_be_safe_to_speak_to(enter: Any) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        enter(OAUTH | {"token_url": "http://crm.example/token"}).send()


# A login.


def test_a_token_from_the_body_goes_where_the_description_says(wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": "token-1", "name": "Ann"}}).always(200, {})
    auth = LOGIN | {
        "use": {
            "headers": {"X-Token": "{{ token }}", "X-Who": "{{ login.who }}"},
            "params": {"s": "{{ token }}"},
        },
        "keep": {"who": "{{ answer.data.name }}", "whole": "{{ answer.data }}"},
    }
    entry = enter(auth)
    entry.send()
    login, call = wire.seen
    assert (login.method, login.path) == ("POST", "/api/login")
    assert login.json == {"user": "ann", "password": "pass-4711"}
    assert (call.headers["X-Token"], call.headers["X-Who"]) == ("token-1", "Ann")
    assert call.query == {"q": "1", "s": "token-1"}
    assert entry.auth.login()["whole"] == {"token": "token-1", "name": "Ann"}


def test_what_a_login_kept_can_be_asked_for_before_the_first_call(wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": "token-1"}, "team": "7"}).always(200, {})
    entry = enter(LOGIN | {"keep": {"team": "{{ answer.team }}"}})
    assert dict(entry.api.names()["login"]) == {"team": "7"}
    assert len(wire.seen) == 1


def test_another_process_uses_the_same_login(wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": "token-1"}, "team": "7"}).always(200, {})
    auth = LOGIN | {"keep": {"team": "{{ answer.team }}"}}
    enter(auth).send()
    second = enter(auth)
    second.send()
    assert second.auth.login() == {"team": "7"}
    assert [seen.path for seen in wire.seen] == ["/api/login", "/api/things", "/api/things"]


def test_a_token_may_be_a_number_or_stand_in_a_header(wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": 9007199254740993}}).always(200, {})
    enter(LOGIN).send()
    assert wire.seen[1].headers["X-Token"] == "9007199254740993"
    wire.say(200, b"<html>hello</html>", headers={"X-Auth": "v1 token-2;"}).always(200, {})
    enter(LOGIN | {"token": {"header": "X-Auth", "pattern": r"v1 (\S+);"}}).send()
    assert wire.seen[3].headers["X-Token"] == "token-2"


def test_a_cookie_is_sent_back_and_no_other(wire: Any, enter: Any) -> None:
    cookies = [
        "tracking=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        "session=deleted; Max-Age=0",
        "session=abc=; Path=/api; HttpOnly; SameSite=Lax",
        "xsession=wrong",
    ]
    wire.say(200, b"<html>", headers={"Set-Cookie": cookies})
    wire.say(200, {}, headers={"Set-Cookie": "session=later"}).always(200, {})
    entry = enter(
        {"kind": "login", "call": LOGIN["call"], "token": {"cookie": "session"}},
    )
    entry.send()
    entry.send(Call("GET", "/api/things", headers={"Cookie": "lang=en"}))
    assert "Cookie" not in wire.seen[0].headers
    assert wire.seen[1].headers["Cookie"] == "session=abc="
    assert wire.seen[2].headers["Cookie"] == "lang=en; session=abc="


def test_a_token_that_goes_nowhere_is_no_description() -> None:
    with pytest.raises(ValidationError, match="where does the token go"):
        described("https://crm.example", LOGIN | {"use": {}})


def test_a_login_lasts_from_the_moment_it_was_asked_for(
    wire: Any, enter: Any, fake_time: Any
) -> None:
    def route(seen: Any) -> Any:
        fake_time.now += 100 if seen.path == "/api/login" else 0
        return fine(seen)

    wire.always(200, {"data": {"token": "same", "for": 1000}})
    fine, wire.route = wire.route, route
    entry = enter(LOGIN | {"expires": "data.for"})
    begun = fake_time.now
    entry.send()
    fake_time.now = begun + 939
    entry.send()
    fake_time.now = begun + 940
    entry.send()
    assert [seen.path for seen in wire.seen].count("/api/login") == 2


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_session_that_ends_early_is_opened_anew_once(call: Call, wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": "token-1"}}).say(401)
    wire.say(200, {"data": {"token": "token-2"}}).say(200, {})
    enter(LOGIN).send(call)
    assert [seen.headers.get("X-Token") for seen in wire.seen] == [None, "token-1", None, "token-2"]


def test_a_session_may_end_with_a_code_in_a_good_answer(wire: Any, enter: Any) -> None:
    errors = {
        "envelope": {"path": "error", "missing": True},
        "code": ["error.code"],
        "codes": {"100": "renew"},
    }
    wire.say(200, {"data": {"token": "token-1"}}).say(200, {"error": {"code": 100}})
    wire.say(200, {"data": {"token": "token-2"}}).say(200, {"result": []})
    assert enter(LOGIN, errors=errors).send(WRITE).body == b'{"result": []}'


def test_threads_whose_session_ends_log_in_once(wire: Any, enter: Any) -> None:
    logins: list[str] = []

    def route(seen: Any) -> Any:
        if seen.path == "/api/login":
            logins.append(f"token-{len(logins) + 1}")
            wire.always(200, {"data": {"token": logins[-1]}})
        else:
            wire.always(200 if seen.headers["X-Token"] == "token-2" else 401, {})
        said, wire.route = wire.route(seen), route
        return said

    wire.route = route
    lock = threading.Lock()
    guarded = wire.take

    def one_at_a_time(seen: Any) -> Any:
        with lock:
            return guarded(seen)

    wire.take = one_at_a_time
    entry = enter(LOGIN)
    threads = [threading.Thread(target=entry.send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logins == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": {"token": None}}),
        (200, {"data": {"token": ""}}),
        (200, {"data": {"token": True}}),
        (200, {"result": False}),
        (200, b""),
        (400, {"error": "bad"}),
        (401, b"<html>"),
        (403, b""),
        (422, {}),
    ],
)
def test_a_refused_login_ends_the_run_at_once(
    status: int, body: Any, wire: Any, enter: Any
) -> None:
    wire.always(status, body)
    with pytest.raises(AuthenticationError):
        enter(LOGIN).send()
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"", ProtocolError),
        (302, b"", AuthenticationError),
        (301, b"", AuthenticationError),
        (200, b"<html>", ProtocolError),
        (500, b"", UnavailableError),
        (429, b"", QuotaError),
    ],
)
def test_a_login_that_goes_wrong_is_told_as_what_it_is(
    status: int, body: Any, error: type[HighseasError], wire: Any, enter: Any
) -> None:
    wire.always(status, body, Location="/elsewhere-4711")
    with pytest.raises(error) as caught:
        enter(LOGIN).send()
    assert type(caught.value) is not AmbiguousWrite
    assert {seen.path for seen in wire.seen} == {"/api/login"}


def test_an_envelope_that_says_no_refuses_a_login(wire: Any, enter: Any) -> None:
    errors = {"envelope": {"path": "ok", "ok": [True]}, "code": ["why"]}
    wire.always(200, {"ok": False, "why": "LOCKED", "data": {"token": "token-1"}})
    with pytest.raises(AuthenticationError, match="LOCKED"):
        enter(LOGIN, errors=errors).send()


def test_a_login_without_the_envelope_of_the_others_is_one(wire: Any, enter: Any) -> None:
    errors = {"envelope": {"path": "ok", "ok": [True]}}
    wire.say(200, {"data": {"token": "token-1"}}).always(200, {"ok": True})
    enter(LOGIN, errors=errors).send()
    assert wire.seen[1].headers["X-Token"] == "token-1"


def test_logins_count_for_the_day_as_all_calls_do(wire: Any, enter: Any) -> None:
    wire.say(200, {"data": {"token": "token-1"}}).always(200, {})
    entry = enter(LOGIN, pacing={"daily": 2})
    entry.send()
    with pytest.raises(QuotaError):
        entry.send()
    assert len(wire.seen) == 2


# What stays in.


def test_other_secrets_have_other_files_and_no_file_says_which(
    wire: Any, enter: Any, tmp_path: Path
) -> None:
    wire.always(200, {"data": {"token": "token"}})
    enter(LOGIN, pacing={"calls": 100}).send()
    enter(LOGIN, {"password": "other-4711"}, pacing={"calls": 100}).send()
    files = list((tmp_path / "cache").glob("*.json"))
    assert len(files) == 4
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert "4711" not in "".join(each.name + each.read_text() for each in files)


def test_a_fingerprint_is_of_what_the_login_uses() -> None:
    url = "https://crm.example"
    login = described(url, LOGIN)
    assert fingerprint(login, SETTINGS) == fingerprint(login, SETTINGS | {"key": "unused"})
    assert fingerprint(login, SETTINGS) != fingerprint(login, SETTINGS | {"user": "bob"})
    assert fingerprint(login, SETTINGS) != fingerprint(described(url + ":1", LOGIN), SETTINGS)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 500])
@pytest.mark.parametrize("auth", [LOGIN, OAUTH], ids=["login", "oauth"])
def test_neither_errors_nor_logs_hold_a_secret(
    status: int, auth: dict[str, Any], wire: Any, enter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "highseas")
    wire.always(status, {"error": "not pass-4711", "data": {}}, Location="/secret-4711")
    more = {} if auth is LOGIN else {"token_url": f"{wire.url}/token"}
    entry = enter(auth | more, errors={"code": ["error"]})
    with pytest.raises(HighseasError) as caught:
        entry.send()
    told = f"{caught.value.message} {caught.value.hint} {caplog.text} {entry.auth!r}"
    assert "4711" not in told
