"""What an HTTP call and its answer are, and the one table that says what to do about a bad answer.

Nothing here speaks to a network. No vendor's words either: a vendor brings its own table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urljoin, urlsplit

from connector.errors import ConfigurationError, ProtocolError, UnavailableError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_CODE = re.compile(r"[A-Za-z0-9_. -]{1,60}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` belongs to the client's origin. `writes`: sent again only when it
    provably did not arrive. `heavy`: one of the few that the vendor lets run side by side.
    `shown`: what errors and logs call it, where the path itself is a secret. `credential`: what an
    authenticator put on it."""

    method: str
    path: str
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    writes: bool = False
    heavy: bool = False
    shown: str = ""
    credential: str = field(default="", repr=False)

    def __str__(self) -> str:
        """Without the query: a link to a next page has one in its path."""
        return f"{self.method} {self.shown or self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read whole. `sent_at` is the clock's reading when the request left;
    `set_cookies` the lines of that header, which we never act on by ourselves."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: float = 0.0
    set_cookies: tuple[str, ...] = field(default=(), repr=False)

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, as the Date header tells it; None where it tells nothing."""
        try:
            return parsedate_to_datetime(self.headers.get("Date", "")).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


class Verdict(StrEnum):
    """What to do about an answer.

    `accept`: the caller reads it. `renew`: get a fresh credential, once. `authentication`: give up
    and say so. `wait`: not processed, ask again later. `unavailable`: a read is asked again, a
    write is in doubt. `unreadable`: it says neither yes nor no; a write is in doubt. `refused`: the
    vendor said no to the whole call.
    """

    ACCEPT = "accept"
    RENEW = "renew"
    AUTHENTICATION = "authentication"
    WAIT = "wait"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a vendor's body says: its code, whether the caller can read results from it all the
    same, how many seconds it asks us to wait, and the verdict where the body has the last word
    unless its code has."""

    code: str = ""
    results: bool = False
    retry_after: float | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """From vendor code, then HTTP status, to what to do. `read` looks into one answer."""

    read: Callable[[Call, Answer], Reading]
    codes: Mapping[str, Verdict]
    statuses: Mapping[int, Verdict]

    def judge(self, call: Call, answer: Answer) -> tuple[Verdict, Reading]:
        reading = self.read(call, answer)
        verdict = self.codes.get(reading.code)
        if verdict is None:
            verdict = Verdict.ACCEPT if reading.results else reading.verdict
        if verdict is None:
            verdict = self.statuses.get(answer.status)
        return verdict or _by_class(answer.status, writes=call.writes), reading


def _by_class(status: int, *, writes: bool) -> Verdict:
    if status < 200 or (status == 304 and writes):
        return Verdict.UNREADABLE  # neither says that anything was done
    if status < 300 or status == 304:
        return Verdict.ACCEPT
    return Verdict.UNAVAILABLE if status >= 500 else Verdict.REFUSED


class AmbiguousWrite(UnavailableError):  # noqa: N818 - a state of affairs, known by this name
    """A write was sent and nobody can tell from its answer whether it took place."""

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class CallRefused(ProtocolError):  # noqa: N818 - an answer, which the caller may know how to take
    """The CRM refused a whole call; `code` is its own, `status` that of HTTP, 0 where HTTP said
    success and the body said no."""

    def __init__(self, message: str, hint: str = "", *, status: int = 0, code: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code


def printable_code(value: object) -> str:
    """A vendor's code if it looks like one; a body may hold anything, and codes are logged."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def checked_origin(url: str) -> str:
    """Scheme, host and port of `url`; https, or http to this machine."""
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    if not secure or not parts.hostname or parts.username or parts.password:
        raise ConfigurationError(
            "a server's address in the settings is not an https address",
            "write it as https://HOST, without user name or password",
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def local_path(link: str, origin: str, base: str = "/") -> str:
    """Path and query of a next-link, relative to the path of the page that held it; a link to
    another origin would carry our credentials away."""
    parts = urlsplit(urljoin(origin + base, link))
    if parts.netloc and f"{parts.scheme}://{parts.netloc}" != origin:
        raise ProtocolError(
            f"{urlsplit(origin).hostname} sent a link to another server; it was not followed",
            "check the server's address in highseas.yaml",
        )
    return parts.path + (f"?{parts.query}" if parts.query else "")
