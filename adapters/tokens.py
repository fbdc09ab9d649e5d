"""Access tokens, shared by threads and processes and asked for sparingly, whoever issues them.

They live in memory and in one file of the user's cache directory, never anywhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from adapters.cache_file import CacheFile
from adapters.calls import AmbiguousWrite
from adapters.http import Timing
from connector.errors import QuotaError, UnavailableError

_MARGIN_SECONDS = 60.0
_LOCK_SECONDS = 120.0
TRIES = 3


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How many tokens may be asked for in a window."""

    tokens: int = 10
    window_seconds: float = 600.0


class TokenState(msgspec.Struct, frozen=True):
    """What the cache file holds. `grants`: when tokens were asked for within the window;
    `refresh_token`: the newest one, where the issuer changes them; `kept`: what else came with the
    token; `facts`: what never changes for these credentials (the user's id)."""

    access_token: str = ""
    good_until: float = 0.0
    refresh_token: str = ""
    api_domain: str = ""
    grants: tuple[float, ...] = ()
    blocked_until: float = 0.0
    kept: dict[str, Any] = {}
    facts: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Grant:
    """What an issuer gave; its life counts from `asked_at`, when the request left."""

    token: str = field(repr=False)
    asked_at: float
    lasts_seconds: float
    refresh_token: str = field(default="", repr=False)
    api_domain: str = ""
    kept: dict[str, Any] = field(default_factory=dict, repr=False)


class TooManyTokens(Exception):  # noqa: N818 - an answer that `TokenSource` knows how to take
    """The issuer gives no more for now."""


class TokenSource:
    """The current token of one set of credentials. Only one thread of one process asks at a time.

    `ask` gets a new one, given what is known; it may raise AmbiguousWrite, after which it is asked
    again, TooManyTokens, or what ends the run.
    """

    def __init__(
        self,
        vendor: str,
        fingerprint: str,
        ask: Callable[[TokenState], Grant],
        *,
        budget: TokenBudget,
        timing: Timing,
        cache_dir: Path | None,
    ) -> None:
        self._vendor = vendor
        self._ask = ask
        self._budget = budget
        self._timing = timing
        self._cache = CacheFile(cache_dir, "tokens", fingerprint, TokenState, _LOCK_SECONDS)
        self._lock = threading.Lock()
        self._state = TokenState()
        self._waiting_for = f"asking {vendor} for a token"

    def current(self, stale: str = "") -> TokenState:
        """A state whose token is good and is not `stale`."""
        with self._lock:
            if self._is_good(self._state, stale):
                return self._state
            with self._cache.locked(self._waiting_for):
                self._state = self._cache.load()
                if not self._is_good(self._state, stale):
                    self._state = self._renewed(self._state)
            return self._state

    def fact(self, name: str, learn: Callable[[], str]) -> str:
        """What these credentials will always have, from the cache; learnt once if need be."""
        known = self._state.facts.get(name) or self._cache.load().facts.get(name)
        if known:
            return known
        value = learn()
        with self._lock, self._cache.locked(self._waiting_for):
            state = self._cache.load()
            self._state = _updated(state, facts={**state.facts, name: value})
            self._cache.store(self._state)
        return value

    def _is_good(self, state: TokenState, stale: str) -> bool:
        fresh = bool(state.access_token) and state.access_token != stale
        return fresh and state.good_until > self._timing.clock()

    def _renewed(self, state: TokenState) -> TokenState:
        for attempt in range(1, TRIES):
            state = self._spend(state)
            try:
                return self._granted(state)
            except AmbiguousWrite:
                self._timing.sleep(2.0**attempt)
        try:
            return self._granted(self._spend(state))
        except AmbiguousWrite as error:
            raise UnavailableError(
                f"{self._vendor} gave no token ({error.code})", "run the command again"
            ) from None

    def _spend(self, state: TokenState) -> TokenState:
        """Note down the token that is about to be asked for; refuse the one too many."""
        now = self._timing.clock()
        budget = self._budget
        recent = tuple(at for at in state.grants if at > now - budget.window_seconds)
        free_at = state.blocked_until
        if len(recent) >= budget.tokens:
            free_at = max(free_at, recent[-budget.tokens] + budget.window_seconds)
        if free_at > now:
            raise self._throttled(free_at)
        spent = _updated(state, grants=(*recent, now))
        self._cache.store(spent)
        return spent

    def _granted(self, state: TokenState) -> TokenState:
        try:
            grant = self._ask(state)
        except TooManyTokens:
            free_at = self._timing.clock() + self._budget.window_seconds
            self._cache.store(_updated(state, blocked_until=free_at))
            raise self._throttled(free_at) from None
        margin = min(_MARGIN_SECONDS, grant.lasts_seconds / 10)
        taken = _updated(
            state,
            access_token=grant.token,
            good_until=grant.asked_at + grant.lasts_seconds - margin,
            refresh_token=grant.refresh_token or state.refresh_token,
            api_domain=grant.api_domain,
            kept=grant.kept,
        )
        self._cache.store(taken, durable=bool(grant.refresh_token))
        return taken

    def _throttled(self, free_at: float) -> QuotaError:
        moment = datetime.fromtimestamp(free_at, UTC)
        return QuotaError(
            f"{self._vendor} gives no more tokens to these credentials for now",
            f"try again after {moment:%Y-%m-%d %H:%M:%S} UTC",
        )


def _updated(state: TokenState, **changes: Any) -> TokenState:
    return msgspec.structs.replace(state, **changes)
