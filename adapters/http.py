"""The one way out: a session with pacing, retries, limits and redaction.

Reads are asked again freely. A write is sent again only when it provably did not arrive;
otherwise it raises `AmbiguousWrite` and whoever sent it settles the matter by reading.
"""

from __future__ import annotations

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Protocol

import requests
from requests.utils import get_environ_proxies
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from adapters.calls import (
    AmbiguousWrite,
    Answer,
    Call,
    CallRefused,
    ErrorTable,
    Reading,
    Verdict,
    checked_origin,
    is_loopback,
)
from adapters.transport import (
    checked_headers,
    has_cause,
    open_session,
    read_body,
    set_cookies,
)
from connector.errors import (
    AuthenticationError,
    HighseasError,
    ProtocolError,
    QuotaError,
    UnavailableError,
)

_log = logging.getLogger("highseas.http")
_IN_DOUBT = frozenset({Verdict.UNAVAILABLE, Verdict.UNREADABLE})
# "Found" and "see other" may well mean that a write was taken and is shown there (RFC 9110, 15.4).
_DONE_ELSEWHERE = frozenset({302, 303})


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock (seconds since 1970), sleep and chance, handed in so that tests own them."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Gate(Protocol):
    """Lets calls leave no faster than allowed."""

    def take(self) -> float:
        """Wait until one more may leave; for how many seconds that was."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Limits of a client. `total_seconds` bounds one call with all its retries; a vendor that says
    "later" gets more attempts and longer waits (`throttled_`) than one that does not answer.
    `body_limit` is in bytes, `body_seconds` bounds reading one body; `heavy` bounds the calls that
    are marked so, within `concurrency`. Each request passes the `gate`."""

    timeout_seconds: float = 30.0
    attempts: int = 5
    total_seconds: float = 300.0
    throttled_attempts: int = 8
    first_wait_seconds: float = 0.5
    throttled_wait_seconds: float = 2.0
    longest_wait_seconds: float = 120.0
    concurrency: int = 4
    heavy: int = 2
    body_limit: int = 64 * 1024 * 1024
    body_seconds: float = 120.0
    gate: Gate | None = None


class Authenticator(Protocol):
    """Puts credentials on a call, and gets fresh ones when the server refuses them."""

    def authorise(self, call: Call) -> Call:
        """The same call with credentials."""

    def refused(self, call: Call) -> bool:
        """The credentials on `call` were refused: True if there are others to try."""


class CallCounter:
    """How many requests left, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reads = 0
        self.writes = 0

    def add(self, *, writes: bool) -> None:
        with self._lock:
            if writes:
                self.writes += 1
            else:
                self.reads += 1

    @property
    def total(self) -> int:
        return self.reads + self.writes


class _Again(Exception):  # noqa: N818 - a signal to the retry loop, never seen outside
    """This attempt may be repeated; `error` is what to raise when there is no more of that."""

    def __init__(self, error: HighseasError, retry_after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after = retry_after


@dataclass(slots=True)
class _Deadline:
    """After which one call is not attempted again; what it waits at the gate comes on top."""

    at: float


class HttpClient:
    """Calls to one origin. Safe to use from several threads."""

    def __init__(
        self,
        vendor: str,
        origin: Callable[[], str],
        table: ErrorTable,
        *,
        settings: HttpSettings | None = None,
        timing: Timing | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        """`origin` is asked after the first credentials, because a vendor may name it with them."""
        self.calls = CallCounter()
        self._vendor = vendor
        self._origin = origin
        self._table = table
        self._settings = settings or HttpSettings()
        self._timing = timing or Timing()
        self._authenticator = authenticator
        self._slots = threading.BoundedSemaphore(self._settings.concurrency)
        self._heavy_slots = threading.BoundedSemaphore(self._settings.heavy)
        self._session = open_session(self._settings.concurrency)

    def close(self) -> None:
        self._session.close()

    def send(self, call: Call) -> Answer:
        """Send until there is an answer to read.

        Raises AmbiguousWrite, CallRefused, AuthenticationError, QuotaError, UnavailableError.
        """
        deadline = _Deadline(self._timing.clock() + self._settings.total_seconds)
        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=partial(self._is_over, deadline),
            wait=self._wait,
            sleep=self._timing.sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, call, deadline)
        except _Again as again:
            raise again.error from again.__cause__

    def _is_over(self, deadline: _Deadline, state: RetryCallState) -> bool:
        settings = self._settings
        allowed = settings.throttled_attempts if _is_throttled(state) else settings.attempts
        is_last = state.attempt_number >= allowed
        return is_last or self._timing.clock() + state.upcoming_sleep > deadline.at

    def _wait(self, state: RetryCallState) -> float:
        signal = state.outcome.exception() if state.outcome else None
        asked = signal.retry_after if isinstance(signal, _Again) else None
        settings = self._settings
        longest = settings.longest_wait_seconds
        throttled = _is_throttled(state)
        first = settings.throttled_wait_seconds if throttled else settings.first_wait_seconds
        with_jitter = min(first * 2.0 ** (state.attempt_number - 1), longest) * (
            0.5 + self._timing.chance() / 2
        )
        return max(with_jitter, min(asked or 0.0, longest))

    def _attempt(self, call: Call, deadline: _Deadline) -> Answer:
        ready = self._ready(call, deadline)
        answer = self._exchange(ready)
        verdict, reading = self._table.judge(call, answer)
        if verdict is Verdict.RENEW and self._authenticator and self._authenticator.refused(ready):
            answer = self._exchange(self._ready(call, deadline))
            verdict, reading = self._table.judge(call, answer)
        if verdict is Verdict.ACCEPT:
            return answer
        raise self._rejection(call, answer, verdict, reading)

    def _ready(self, call: Call, deadline: _Deadline) -> Call:
        """Credentials come last: they could grow old at the gate."""
        if self._settings.gate:
            deadline.at += self._settings.gate.take()
        return self._authenticator.authorise(call) if self._authenticator else call

    def _exchange(self, call: Call) -> Answer:
        heavy: AbstractContextManager[object] = self._heavy_slots if call.heavy else nullcontext()
        url = self._url(call)
        headers = checked_headers(call.headers)
        with heavy, self._slots:
            sent_at = self._timing.clock()
            self.calls.add(writes=call.writes)
            with self._translated(call), self._open(call, url, headers) as response:
                body = read_body(response, self._settings.body_limit, self._lateness())
        took = (self._timing.clock() - sent_at) * 1000
        _log.debug("%s -> %d, %d bytes, %.0f ms", call, response.status_code, len(body), took)
        return Answer(response.status_code, response.headers, body, sent_at, set_cookies(response))

    def _lateness(self) -> Callable[[], bool]:
        late_at = self._timing.clock() + self._settings.body_seconds
        return lambda: self._timing.clock() > late_at

    def _url(self, call: Call) -> str:
        """A path that does not begin as one would go on with the host's name: crm.example.evil."""
        path = call.path if call.path.startswith("/") else f"/{call.path}"
        return self._address() + path

    def _address(self) -> str:
        origin = checked_origin(self._origin())
        if not is_loopback(origin) and not self._session.proxies:
            self._session.proxies.update(get_environ_proxies(origin))
        return origin

    def _open(self, call: Call, url: str, headers: Mapping[str, str]) -> requests.Response:
        return self._session.request(
            call.method,
            url,
            params=dict(call.params),
            headers=headers,
            data=call.body,
            timeout=self._settings.timeout_seconds,
            allow_redirects=False,
            stream=True,
        )

    @contextmanager
    def _translated(self, call: Call) -> Iterator[None]:
        """Turn the library's exceptions into ours; none of its texts goes out, they hold URLs."""
        try:
            yield
        except (requests.exceptions.RequestException, HTTPError) as error:
            kind = type(error).__name__
            if has_cause(error, ssl.SSLCertVerificationError):
                raise UnavailableError(
                    f"{self._vendor}: the server's certificate was not accepted ({call})",
                    "check the address in highseas.yaml and this machine's certificates",
                ) from None
            unsent = has_cause(error, NewConnectionError, ConnectTimeoutError)
            if call.writes and not unsent:
                raise self._ambiguous(call, kind) from None
            if isinstance(error, requests.exceptions.ContentDecodingError):
                raise ProtocolError(
                    f"{self._vendor} sent an answer that is too long or unreadable ({call})",
                    "check that the address in highseas.yaml is the CRM's",
                ) from None
            raise _Again(
                UnavailableError(
                    f"{self._vendor} could not be reached ({kind}, {call})",
                    "check the network, then run the command again: it goes on where it stopped",
                )
            ) from None

    def _ambiguous(self, call: Call, code: str) -> AmbiguousWrite:
        return AmbiguousWrite(
            f"{self._vendor} may or may not have taken a write ({code}, {call})",
            "it is settled by reading before anything is sent again",
            code,
        )

    def _rejection(
        self, call: Call, answer: Answer, verdict: Verdict, reading: Reading
    ) -> Exception:
        what = f"{answer.status} {reading.code}".strip()
        elsewhere = verdict is Verdict.REFUSED and answer.status in _DONE_ELSEWHERE
        if call.writes and (verdict in _IN_DOUBT or elsewhere):
            return self._ambiguous(call, what)
        what = f"{what}, {call}"
        if verdict in {Verdict.RENEW, Verdict.AUTHENTICATION}:
            return AuthenticationError(
                f"{self._vendor} refused the credentials ({what})",
                "run `highseas check`, then renew the token or its scopes",
            )
        if 300 <= answer.status < 400:
            return ProtocolError(
                f"{self._vendor} answered with a redirect, which is never followed ({what})",
                "correct the server's address in highseas.yaml",
            )
        if verdict in {Verdict.WAIT, Verdict.UNAVAILABLE}:
            return _Again(self._for_now(verdict, what), self._retry_after(answer, reading))
        if verdict is Verdict.UNREADABLE:
            return ProtocolError(
                f"{self._vendor} sent something that cannot be read ({what})",
                "check the address in highseas.yaml: it may not be the API's",
            )
        return CallRefused(
            f"{self._vendor} refused a call ({what})",
            "run `highseas check` to see what these credentials may do",
            status=answer.status if answer.status >= 300 else 0,
            code=reading.code,
        )

    def _for_now(self, verdict: Verdict, what: str) -> HighseasError:
        later = "run the command again later: it goes on where it stopped"
        if verdict is Verdict.WAIT:
            return QuotaError(f"{self._vendor} takes no more calls for now ({what})", later)
        return UnavailableError(f"{self._vendor} answers only with errors ({what})", later)

    def _retry_after(self, answer: Answer, reading: Reading) -> float | None:
        text = answer.headers.get("Retry-After", "").strip()
        if not text:
            return reading.retry_after
        if text.isdecimal():
            return float(text)
        try:
            return parsedate_to_datetime(text).timestamp() - self._timing.clock()
        except (ValueError, OverflowError):
            return reading.retry_after


def _is_throttled(state: RetryCallState) -> bool:
    signal = state.outcome.exception() if state.outcome else None
    return isinstance(signal, _Again) and isinstance(signal.error, QuotaError)
