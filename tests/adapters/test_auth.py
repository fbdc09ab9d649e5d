"""Access tokens: shared, sparing, and silent about themselves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from adapters import tokens
from adapters.auth import Credentials, RefreshTokenSource, TokenPolicy
from adapters.calls import Call
from adapters.http import Timing
from connector.errors import (
    AuthenticationError,
    ConfigurationError,
    HighseasError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

POLICY = TokenPolicy("Zoho-oauthtoken", "/token", throttled=frozenset({"Access Denied"}))
CALL = Call("GET", "/x")


@pytest.fixture
def sources() -> Iterator[list[RefreshTokenSource]]:
    opened: list[RefreshTokenSource] = []
    yield opened
    for source in opened:
        source.close()


@pytest.fixture
def source_of(wire: Any, fake_time: Any, tmp_path: Path, sources: list[RefreshTokenSource]) -> Any:
    def make(folder: Path = tmp_path / "tokens", refresh: str = "refresh-4711") -> Any:
        source = RefreshTokenSource(
            "zoho",
            Credentials(wire.url, "client-4711", "secret-4711", refresh),
            POLICY,
            timing=Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
            timeout_seconds=5,
            cache_dir=folder,
        )
        sources.append(source)
        return source

    return make


def granted(wire: Any, **more: Any) -> None:
    """Each request gets a token of its own."""
    wire.each(lambda number: {"access_token": f"token-{number}", "expires_in": 3600} | more)


def token(source: RefreshTokenSource) -> str:
    return source.authorise(CALL).headers["Authorization"]


def test_a_token_is_asked_for_once_and_put_on_the_call(wire: Any, source_of: Any) -> None:
    granted(wire)
    source = source_of()
    assert [token(source), token(source)] == ["Zoho-oauthtoken token-1"] * 2
    assert wire.seen[0].form == {
        "refresh_token": "refresh-4711",
        "client_id": "client-4711",
        "client_secret": "secret-4711",
        "grant_type": "refresh_token",
    }
    assert wire.seen[0].query == {}


def test_another_process_uses_the_same_token(wire: Any, source_of: Any) -> None:
    granted(wire)
    assert token(source_of()) == token(source_of())
    assert len(wire.seen) == 1


def test_processes_that_start_together_ask_for_one_token(wire: Any, source_of: Any) -> None:
    granted(wire)
    grant = wire.route

    def slow(seen: Any) -> Any:
        time.sleep(0.05)
        return grant(seen)

    wire.route = slow
    together = [source_of() for _ in range(6)]
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda each=each: tokens.append(token(each))) for each in together
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == ["Zoho-oauthtoken token-1"] * 6
    assert len(wire.seen) == 1


def test_other_credentials_have_another_token(wire: Any, source_of: Any) -> None:
    granted(wire)
    assert token(source_of()) != token(source_of(refresh="another"))


def test_validity_counts_from_the_moment_of_the_request(
    wire: Any, source_of: Any, fake_time: Any
) -> None:
    granted(wire)
    grant = wire.route

    def slow(seen: Any) -> Any:
        fake_time.now += 100
        return grant(seen)

    wire.route = slow
    source = source_of()
    asked_at = fake_time.now
    token(source)
    fake_time.now = asked_at + 3600 - 61
    assert token(source).endswith("token-1")
    fake_time.now = asked_at + 3600 - 60
    assert token(source).endswith("token-2")


def test_a_refused_token_is_replaced_once_for_all_threads(wire: Any, source_of: Any) -> None:
    granted(wire)
    source = source_of()
    dead = source.authorise(CALL)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(source.refused(dead))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    assert len(wire.seen) == 2


def test_a_server_that_gives_the_same_dead_token_again_ends_it(wire: Any, source_of: Any) -> None:
    wire.always(200, {"access_token": "same"})
    source = source_of()
    assert source.refused(source.authorise(CALL)) is False


def test_the_eleventh_token_within_ten_minutes_is_not_asked_for(
    wire: Any, source_of: Any, fake_time: Any
) -> None:
    granted(wire)
    for _ in range(10):
        source = source_of()
        source.refused(Call("GET", "/x", headers={"Authorization": f"Z token-{len(wire.seen)}"}))
        fake_time.now += 10
    with pytest.raises(QuotaError) as caught:
        source_of().refused(Call("GET", "/x", headers={"Authorization": "Z token-10"}))
    assert len(wire.seen) == 10
    assert caught.value.hint == "try again after 2026-09-21 14:23:20 UTC"
    fake_time.now += 501
    assert source_of().refused(Call("GET", "/x", headers={"Authorization": "Z token-10"}))


def test_a_vendor_that_gives_no_more_is_left_alone_for_the_window(
    wire: Any, source_of: Any, fake_time: Any
) -> None:
    wire.say(400, {"error": "Access Denied", "error_description": "too many requests"})
    granted(wire)
    for _ in range(2):
        with pytest.raises(QuotaError, match="no more tokens"):
            token(source_of())
    assert len(wire.seen) == 1
    fake_time.now += 601
    assert token(source_of()).endswith("token-2")


@pytest.mark.parametrize("code", ["invalid_code", "invalid_client", "invalid_client_secret"])
def test_bad_credentials_are_never_tried_twice(code: str, wire: Any, source_of: Any) -> None:
    wire.always(200, {"error": code})
    with pytest.raises(AuthenticationError, match=code):
        token(source_of())
    assert len(wire.seen) == 1


def test_an_answer_without_a_token_is_an_error_whatever_it_says(wire: Any, source_of: Any) -> None:
    wire.say(200, {"ok": True}).say(200, b"<html>4711</html>")
    with pytest.raises(AuthenticationError, match=r"\(200\)"):
        token(source_of())
    with pytest.raises(ProtocolError, match="unreadable"):
        token(source_of())


def test_a_lost_answer_is_asked_for_again_and_counted(
    wire: Any, source_of: Any, fake_time: Any, tmp_path: Path
) -> None:
    wire.lose().say(503)
    granted(wire)
    token(source_of())
    (file,) = (tmp_path / "tokens").glob("*.json")
    assert len(json.loads(file.read_text())["grants"]) == 3
    assert len(fake_time.sleeps) == 2


def test_an_accounts_server_that_stays_down_is_said(wire: Any, source_of: Any) -> None:
    wire.always(503)
    with pytest.raises(UnavailableError, match="zoho gave no token"):
        token(source_of())
    assert len(wire.seen) == 3


def test_the_cache_is_for_its_owner_alone(wire: Any, source_of: Any, tmp_path: Path) -> None:
    granted(wire)
    token(source_of())
    folder = tmp_path / "tokens"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    text = "".join(file.name + file.read_text() for file in folder.iterdir())
    assert "4711" not in text


def test_a_damaged_cache_counts_as_empty(wire: Any, source_of: Any, tmp_path: Path) -> None:
    granted(wire)
    token(source_of())
    (file,) = (tmp_path / "tokens").glob("*.json")
    file.write_text('{"access_token": 5')
    assert token(source_of()).endswith("token-2")


def test_what_never_changes_is_learnt_once(wire: Any, source_of: Any) -> None:
    granted(wire, api_domain="https://api.example")
    learnt: list[str] = []

    def learn() -> str:
        learnt.append("asked")
        return "user-1"

    first, second = source_of(), source_of()
    token(first)
    assert [first.fact("user", learn), first.fact("user", learn)] == ["user-1", "user-1"]
    assert second.fact("user", learn) == "user-1"
    assert learnt == ["asked"]
    assert second.api_domain() == "https://api.example"


def test_a_refresh_that_hangs_elsewhere_is_said(
    wire: Any, source_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_LOCK_SECONDS", 0.05)
    granted(wire)
    source = source_of()
    (tmp_path / "tokens").mkdir(exist_ok=True)
    name = Credentials(wire.url, "client-4711", "", "refresh-4711").fingerprint
    with (
        FileLock(tmp_path / "tokens" / f"{name}.lock"),
        pytest.raises(UnavailableError, match="another process"),
    ):
        token(source)


def test_a_cache_that_cannot_be_made_is_said(source_of: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        source_of(tmp_path / "file" / "tokens")


@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_no_error_holds_a_secret(status: int, wire: Any, source_of: Any) -> None:
    wire.always(status, {"error": "x-4711@4711"}, Location="/secret-4711")
    source = source_of()
    with pytest.raises(HighseasError) as caught:
        token(source)
    told = f"{caught.value.message} {caught.value.hint} {source!r} {source._credentials!r}"
    assert "4711" not in told
