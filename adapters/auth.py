"""OAuth 2 token endpoints, and the credentials on a call that come from one.

Which tokens are current and how many may be asked for is `tokens`' business.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from adapters.calls import Answer, Call, ErrorTable, Reading, Verdict, printable_code
from adapters.http import HttpClient, HttpSettings, Timing
from adapters.tokens import TRIES, Grant, TokenBudget, TokenSource, TokenState, TooManyTokens
from connector.errors import AuthenticationError, ProtocolError

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


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


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token endpoint is sent. `in_header`: client id and secret go in an Authorization
    header, not in the body. `lasts_seconds`: a token's life where the answer does not tell."""

    url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    fields: Mapping[str, str] = field(repr=False)
    in_header: bool = False
    as_json: bool = False
    lasts_seconds: float = 3600.0
    throttled: frozenset[str] = frozenset()

    def call(self, newest_refresh_token: str) -> Call:
        fields = dict(self.fields)
        if newest_refresh_token and "refresh_token" in fields:
            fields["refresh_token"] = newest_refresh_token
        headers = {"Content-Type": _JSON if self.as_json else _FORM, "Accept": _JSON}
        if self.in_header:
            headers["Authorization"] = basic(_encoded(self.client_id), _encoded(self.client_secret))
        else:
            fields |= {"client_id": self.client_id, "client_secret": self.client_secret}
        body = msgspec.json.encode(fields) if self.as_json else urlencode(fields).encode()
        parts = urlsplit(self.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        # A write: a lost answer may have cost one of the few tokens of the window.
        return Call("POST", path, headers=headers, body=body, writes=True)


class TokenEndpoint:
    """Asks for tokens (RFC 6749, sections 4.3, 4.4 and 6)."""

    def __init__(
        self, vendor: str, request: TokenRequest, *, timing: Timing, timeout_seconds: float
    ) -> None:
        self._vendor = vendor
        self._request = request
        self._http = HttpClient(
            f"{vendor} accounts",
            lambda: request.url,
            ErrorTable(_read_token_error, {}, {429: Verdict.WAIT}),
            settings=HttpSettings(timeout_seconds=timeout_seconds, attempts=TRIES),
            timing=timing,
        )

    def close(self) -> None:
        self._http.close()

    def ask(self, state: TokenState) -> Grant:
        call = self._request.call(state.refresh_token)
        answer = self._http.send(call)
        reply = self._decoded(answer, call)
        error = reply.get("error")
        if isinstance(error, str) and error in self._request.throttled:
            raise TooManyTokens
        token = reply.get("access_token")
        if not isinstance(token, str) or not token:
            code = _error_code(error) or str(answer.status)
            raise AuthenticationError(
                f"{self._vendor} gave no token for these credentials ({code})",
                "check client_id, client_secret and refresh_token (or user and password) in"
                " highseas.yaml, and the server that they belong to",
            )
        return Grant(
            token,
            answer.sent_at,
            seconds(reply.get("expires_in")) or self._request.lasts_seconds,
            refresh_token=_text(reply.get("refresh_token")),
            api_domain=_text(reply.get("api_domain")),
        )

    def _decoded(self, answer: Answer, call: Call) -> dict[str, Any]:
        try:
            return msgspec.json.decode(answer.body, type=dict[str, Any])
        except (ValueError, RecursionError):
            raise ProtocolError(
                f"{self._vendor} accounts sent no token but something unreadable"
                f" ({answer.status}, {call})",
                "check the address that gives the tokens (data centre, accounts_url, token_url)",
            ) from None


class OAuthTokens:
    """An `Authenticator` that puts the current token behind a word in the Authorization header."""

    def __init__(
        self,
        word: str,
        source: TokenSource,
        close: Callable[[], None],
    ) -> None:
        self._word = word
        self._source = source
        self.close = close

    def authorise(self, call: Call) -> Call:
        header = f"{self._word} {self._source.current().access_token}".strip()
        return replace(call, headers={**call.headers, "Authorization": header})

    def refused(self, call: Call) -> bool:
        """A token may die early: the oldest of too many is deleted without a word."""
        stale = call.headers.get("Authorization", "").rpartition(" ")[2]
        return self._source.current(stale).access_token != stale

    def api_domain(self) -> str:
        """Where the token's issuer says that the API lives; empty when it does not say."""
        return self._source.current().api_domain

    def fact(self, name: str, learn: Callable[[], str]) -> str:
        """What these credentials will always have; learnt once if need be."""
        return self._source.fact(name, learn)


class RefreshTokenSource(OAuthTokens):
    """Tokens from a refresh token that never changes."""

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
        self._credentials = credentials
        request = TokenRequest(
            url=credentials.accounts_url.rstrip("/") + policy.path,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            fields={"refresh_token": credentials.refresh_token, "grant_type": "refresh_token"},
            throttled=policy.throttled,
        )
        endpoint = TokenEndpoint(vendor, request, timing=timing, timeout_seconds=timeout_seconds)
        source = TokenSource(
            vendor,
            credentials.fingerprint,
            endpoint.ask,
            budget=TokenBudget(policy.tokens, policy.window_seconds),
            timing=timing,
            cache_dir=cache_dir,
        )
        super().__init__(policy.scheme, source, endpoint.close)


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _error_code(error: object) -> str:
    """Such as invalid_grant; a digit would make it something else (RFC 6749, section 5.2)."""
    code = printable_code(error)
    return "" if any(letter.isdigit() for letter in code) else code


def _encoded(text: str) -> str:
    """(RFC 6749, section 2.3.1)"""
    return quote(text, safe="")


def seconds(value: object) -> float | None:
    """A duration as servers write it, a number or a text of one; None when it is nothing such."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 < found < 1e9 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_token_error(_: Call, answer: Answer) -> Reading:
    """Some errors come with status 200, so that the caller reads every body below 500."""
    is_read = answer.status < 500 and not 300 <= answer.status < 400 and answer.status != 429
    return Reading(results=is_read)
