"""A throw-away HTTP server on loopback that answers what a test tells it to, and remembers."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    pairs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Said:
    """An answer. `lost`: the request is taken and the connection closed without a word."""

    status: int = 200
    body: Any = b""
    headers: dict[str, Any] = field(default_factory=dict)
    lost: bool = False
    cut: bool = False

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Wire:
    """`say` queues answers; `route` is asked when there are none."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.queue: deque[Said] = deque()
        self.route: Callable[[Seen], Said] = lambda seen: Said(404)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.wire = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def say(self, status: int = 200, body: Any = b"", **options: Any) -> Wire:
        self.queue.append(Said(status, body, **options))
        return self

    def always(self, status: int, body: Any = b"", **headers: str) -> None:
        """Answer everything that is not queued so."""
        self.route = lambda seen: Said(status, body, headers)

    def each(self, body: Callable[[int], Any]) -> None:
        """Answer everything that is not queued with a body of its own, by the request's number."""
        self.route = lambda seen: Said(200, body(len(self.seen)))

    def lose(self) -> Wire:
        self.queue.append(Said(lost=True))
        return self

    def take(self, seen: Seen) -> Said:
        with self._lock:
            self.seen.append(seen)
            if self.queue:
                return self.queue.popleft()
        return self.route(seen)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    wire: Wire

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        seen = Seen(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            dict(self.headers),
            self.rfile.read(size),
            parse_qsl(parts.query),
        )
        said = self.server.wire.take(seen)
        if said.lost:
            self.close_connection = True
            return
        self.send_response_only(said.status)
        for name, value in said.headers.items():
            for line in value if isinstance(value, list) else [value]:
                self.send_header(name, line)
        if said.status not in {204, 304}:
            self.send_header("Content-Length", str(len(said.raw) + (100 if said.cut else 0)))
        self.end_headers()
        self.wfile.write(b"" if said.status in {204, 304} else said.raw)
        self.close_connection = self.close_connection or said.cut

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the library's names

    def log_message(self, *args: Any) -> None:
        """Tests look at `seen`."""


class FakeTime:
    """A clock that only sleeping moves, and chance without chance."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def chance(self) -> float:
        return 1.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


@pytest.fixture
def other_wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()
