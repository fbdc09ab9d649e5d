"""What lies under the client: the session, and reading a body within bounds of size and time.

Nothing here retries, and nothing here knows what an answer means.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ContentDecodingError, ReadTimeout

from connector.errors import ConfigurationError

_CHUNK = 256 * 1024
_GZIP = frozenset({"gzip", "x-gzip", "deflate"})
# zlib finds out by itself whether it is gzip or zlib (zlib manual, inflateInit2).
_EITHER = 32 + zlib.MAX_WBITS


def open_session(pool_size: int) -> requests.Session:
    session = requests.Session()
    # Not the environment's .netrc: requests would put it in place of our own credentials.
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers["User-Agent"] = f"highseas/{_own_version()}"
    session.headers["Accept-Encoding"] = "gzip"
    transport = HTTPAdapter(pool_connections=2, pool_maxsize=pool_size, pool_block=False)
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session


def read_body(response: requests.Response, limit: int, is_late: Callable[[], bool]) -> bytes:
    """The whole body, unpacked; never much more than `limit` bytes of it in memory.

    Raises ContentDecodingError when it is longer or cannot be unpacked, ReadTimeout when each piece
    comes in time but the whole does not, ChunkedEncodingError when it ends before its end.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    pieces = _received(response, is_late)
    if coding in _GZIP:
        pieces = _unpacked(pieces, limit)
    elif coding not in {"", "identity"}:
        raise ContentDecodingError("a coding that was not asked for")
    chunks: list[bytes] = []
    room = limit
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise ContentDecodingError("longer than the limit")
        chunks.append(piece)
    return b"".join(chunks)


def _received(response: requests.Response, is_late: Callable[[], bool]) -> Iterator[bytes]:
    """As it arrives: `read1` returns what is there, where `read` would wait for a full chunk."""
    while True:
        piece: bytes = response.raw.read1(_CHUNK)
        if not piece:
            return
        if is_late():
            raise ReadTimeout("it trickles")
        yield piece


def _unpacked(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """However much is packed into a piece, one byte more than `limit` comes out, which is too much
    for whoever counts."""
    unpacker = zlib.decompressobj(_EITHER)
    begun = False
    for piece in pieces:
        rest = piece
        while rest:
            if unpacker.eof:
                unpacker = zlib.decompressobj(_EITHER)
            begun = True
            try:
                yield unpacker.decompress(rest, limit + 1)
            except zlib.error:
                raise ContentDecodingError("damaged") from None
            rest = unpacker.unused_data
    if begun and not unpacker.eof:
        raise ChunkedEncodingError("torn off")


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that can be sent as they are: Latin-1 without line breaks. Raises ConfigurationError
    that holds a name and no value."""
    for name, value in headers.items():
        fits = value.isprintable() and all(ord(letter) < 256 for letter in value)
        if not fits or value != value.strip():
            raise ConfigurationError(
                f"the header {name} would hold a character that no header may hold",
                "look for line breaks, spaces at the ends and letters outside Latin-1 in the"
                " settings and templates that fill it",
            )
    return dict(headers)


def has_cause(error: BaseException, *kinds: type[BaseException]) -> bool:
    """Libraries wrap: by chaining, by `reason`, or as the first argument."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        item = pending.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        if isinstance(item, kinds):
            return True
        seen.add(id(item))
        pending += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return False


def set_cookies(response: requests.Response) -> tuple[str, ...]:
    """The Set-Cookie lines one by one: joined with commas they could not be told apart."""
    lines: list[str] = response.raw.headers.getlist("Set-Cookie")
    return tuple(lines)


def _own_version() -> str:
    try:
        return version("highseas")
    except PackageNotFoundError:
        return "0"
