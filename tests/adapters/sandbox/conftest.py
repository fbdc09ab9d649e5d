"""A sandbox per test with a clock that tests turn, and a bare requests client for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import Behaviour, Faults, Store, ZohoSandbox

Call = Callable[..., requests.Response]


class TurnedClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 14, 3, 36, 17, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def store(clock: TurnedClock) -> Iterator[Store]:
    with Store(now=clock.now) as opened:
        yield opened


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def start(store: Store, stack: ExitStack) -> Callable[..., ZohoSandbox]:
    """Start a sandbox with other behaviour than the default."""

    def starter(behaviour: Behaviour | None = None, faults: Faults | None = None) -> ZohoSandbox:
        return stack.enter_context(ZohoSandbox(store, behaviour=behaviour, faults=faults))

    return starter


@pytest.fixture
def sandbox(start: Callable[..., ZohoSandbox]) -> ZohoSandbox:
    return start()


@pytest.fixture
def refresh(stack: ExitStack) -> Call:
    """Ask for an access token; keyword arguments replace what is sent."""

    def ask(sandbox: ZohoSandbox, **changed: str) -> requests.Response:
        keys = sandbox.credentials
        form = {
            "grant_type": "refresh_token",
            "client_id": keys.client_id,
            "client_secret": keys.client_secret,
            "refresh_token": keys.refresh_token,
        }
        return requests.post(f"{sandbox.url}/oauth/v2/token", data={**form, **changed}, timeout=10)

    return ask


@pytest.fixture
def connect(stack: ExitStack, refresh: Call) -> Callable[[ZohoSandbox], Call]:
    """Return a client of a sandbox: call(method, path below /crm/v8, json=..., params=...)."""

    def connected(sandbox: ZohoSandbox) -> Call:
        session = stack.enter_context(requests.Session())
        token = refresh(sandbox).json()["access_token"]
        session.headers["Authorization"] = f"Zoho-oauthtoken {token}"

        def call(method: str, path: str, **given: Any) -> requests.Response:
            return session.request(method, f"{sandbox.url}/crm/v8{path}", timeout=10, **given)

        return call

    return connected


@pytest.fixture
def call(sandbox: ZohoSandbox, connect: Callable[[ZohoSandbox], Call]) -> Call:
    return connect(sandbox)
