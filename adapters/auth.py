"""OAuth 2 access tokens from a refresh token: shared by threads and processes, asked for sparingly.

Tokens live in memory and in one file of the user's cache directory (0600), never anywhere else.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from adapters.calls import AmbiguousWrite, Answer, Call, ErrorTable, Reading, printable_code
from adapters.http import HttpClient, HttpSettings, Timing
from connector.errors import (
    AuthenticationError,
    ConfigurationError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

_MARGIN_SECONDS = 60.0
_LOCK_SECONDS = 120.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """A vendor's rules: how its header reads, how many tokens a window, and which answers of the
    token endpoint mean "too many"."""

    scheme: str
    path: str
    tokens: int = 10
    window_seconds: float = 600.0
    throttled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a refresh needs; only `accounts_url` shows in a repr."""

    accounts_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Names the cache file; says nothing about the secrets."""
        text = f"{self.accounts_url}\0{self.client_id}\0{self.refresh_token}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]


class TokenState(msgspec.Struct, frozen=True):
    """What the cache file holds. `grants`: when tokens were asked for within the window;
    `facts`: what else never changes for these credentials (the user's id)."""

    access_token: str = ""
    expires_at: float = 0.0
    api_domain: str = ""
    grants: tuple[float, ...] = ()
    blocked_until: float = 0.0
    facts: dict[str, str] = {}


class _TokenReply(msgspec.Struct, frozen=True):
    access_token: str = ""
    expires_in: float = 3600.0
    api_domain: str = ""
    error: str = ""


class TokenCache:
    """One file and its lock. A file that cannot be read as ours counts as empty."""

    def __init__(self, credentials: Credentials, directory: Path | None) -> None:
        folder = directory or user_cache_path("highseas", appauthor=False) / "tokens"
        self._file = folder / f"{credentials.fingerprint}.json"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the folder for access tokens cannot be made: {error.strerror}",
                "make the user's cache directory writable, or set XDG_CACHE_HOME to one that is",
            ) from None
        self.lock = FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_SECONDS, mode=0o600)

    def load(self) -> TokenState:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=TokenState)
        except (OSError, msgspec.DecodeError):
            return TokenState()

    def store(self, state: TokenState) -> None:
        """Replace the file in one step; call with the lock held."""
        draft = self._file.with_suffix(f".{os.getpid()}.tmp")
        with suppress(FileNotFoundError):
            draft.unlink()
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(state))
        draft.replace(self._file)


class RefreshTokenSource:
    """An `Authenticator`. Only one thread of one process refreshes at a time."""

    def __init__(
        self,
        vendor: str,
        credentials: Credentials,
        policy: TokenPolicy,
        *,
        timing: Timing,
        timeout_seconds: float = 30.0,
        cache_dir: Path | None = None,
    ) -> None:
        self._vendor = vendor
        self._credentials = credentials
        self._policy = policy
        self._timing = timing
        self._cache = TokenCache(credentials, cache_dir)
        self._lock = threading.Lock()
        self._state = TokenState()
        self._http = HttpClient(
            f"{vendor} accounts",
            lambda: credentials.accounts_url,
            ErrorTable(_read_token_error, {}, {}),
            settings=HttpSettings(timeout_seconds=timeout_seconds, attempts=_TRIES),
            timing=timing,
        )

    def close(self) -> None:
        self._http.close()

    def authorise(self, call: Call) -> Call:
        token = self._current(stale="").access_token
        headers = {**call.headers, "Authorization": f"{self._policy.scheme} {token}"}
        return replace(call, headers=headers)

    def refused(self, call: Call) -> bool:
        """A token may die early: the oldest of too many is deleted without a word."""
        stale = call.headers.get("Authorization", "").rpartition(" ")[2]
        return self._current(stale).access_token != stale

    def api_domain(self) -> str:
        """Where the token's issuer says that the API lives; empty when it does not say."""
        return self._current(stale="").api_domain

    def fact(self, name: str, learn: Callable[[], str]) -> str:
        """What these credentials will always have, from the cache; learnt once if need be."""
        known = self._state.facts.get(name) or self._cache.load().facts.get(name)
        if known:
            return known
        value = learn()
        with self._lock, self._locked():
            state = self._cache.load()
            self._state = _updated(state, facts={**state.facts, name: value})
            self._cache.store(self._state)
        return value

    def _current(self, stale: str) -> TokenState:
        with self._lock:
            if self._is_good(self._state, stale):
                return self._state
            with self._locked():
                self._state = self._cache.load()
                if not self._is_good(self._state, stale):
                    self._state = self._refresh(self._state)
            return self._state

    def _is_good(self, state: TokenState, stale: str) -> bool:
        lasts = state.expires_at - _MARGIN_SECONDS > self._timing.clock()
        return bool(state.access_token) and state.access_token != stale and lasts

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            held = self._cache.lock.acquire()
        except Timeout:
            raise UnavailableError(
                f"another process has been asking {self._vendor} for a token for too long",
                "see whether another highseas hangs, then run the command again",
            ) from None
        with held:
            yield

    def _refresh(self, state: TokenState) -> TokenState:
        for attempt in range(1, _TRIES + 1):
            state = self._spend(state)
            try:
                answer = self._http.send(self._token_call())
            except AmbiguousWrite as error:
                if attempt == _TRIES:
                    raise UnavailableError(
                        f"{self._vendor} gave no token ({error.code})", "run the command again"
                    ) from None
                self._timing.sleep(2.0**attempt)
                continue
            state = self._taken(state, answer)
            break
        return state

    def _token_call(self) -> Call:
        form = {
            "refresh_token": self._credentials.refresh_token,
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "grant_type": "refresh_token",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        # A write: a lost answer may have cost one of the few tokens of the window.
        return Call("POST", self._policy.path, headers=headers, body=body, writes=True)

    def _spend(self, state: TokenState) -> TokenState:
        """Note down the token that is about to be asked for; refuse the one too many."""
        now = self._timing.clock()
        recent = tuple(at for at in state.grants if at > now - self._policy.window_seconds)
        free_at = state.blocked_until
        if len(recent) >= self._policy.tokens:
            free_at = max(free_at, recent[-self._policy.tokens] + self._policy.window_seconds)
        if free_at > now:
            raise self._throttled(free_at)
        spent = _updated(state, grants=(*recent, now))
        self._cache.store(spent)
        return spent

    def _taken(self, state: TokenState, answer: Answer) -> TokenState:
        try:
            reply = msgspec.json.decode(answer.body, type=_TokenReply)
        except msgspec.DecodeError:
            raise ProtocolError(
                f"{self._vendor} accounts sent no token but something unreadable"
                f" ({answer.status}, POST {self._policy.path})",
                "check the data centre or accounts_url in highseas.yaml",
            ) from None
        if reply.error in self._policy.throttled:
            free_at = self._timing.clock() + self._policy.window_seconds
            self._cache.store(_updated(state, blocked_until=free_at))
            raise self._throttled(free_at)
        if not reply.access_token:
            code = printable_code(reply.error) or str(answer.status)
            raise AuthenticationError(
                f"{self._vendor} gave no token for these credentials ({code})",
                "check client_id, client_secret, refresh_token and the data centre they belong to",
            )
        taken = _updated(
            state,
            access_token=reply.access_token,
            expires_at=answer.sent_at + reply.expires_in,
            api_domain=reply.api_domain,
        )
        self._cache.store(taken)
        return taken

    def _throttled(self, free_at: float) -> QuotaError:
        moment = datetime.fromtimestamp(free_at, UTC)
        return QuotaError(
            f"{self._vendor} gives no more tokens to these credentials for now",
            f"try again after {moment:%Y-%m-%d %H:%M:%S} UTC",
        )


def _updated(state: TokenState, **changes: Any) -> TokenState:
    return msgspec.structs.replace(state, **changes)


def _read_token_error(_: Call, answer: Answer) -> Reading:
    """Some errors come with status 200, so that the caller reads every body below 500."""
    return Reading(results=answer.status < 500 and not 300 <= answer.status < 400)
