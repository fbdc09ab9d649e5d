"""The HTTP server underneath: keep-alive, a record of every request, faults. No CRM in here."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from adapters.sandbox.zoho.faults import Fault, Faults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

TOKEN_PATH = "/oauth/v2/token"  # noqa: S105 (a path, no secret)
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Request:
    """One request as it came; `status` is None when its answer was lost."""

    method: str
    path: str
    query: str
    status: int | None
    body_bytes: int
    acted: bool

    @property
    def is_write(self) -> bool:
        return self.method != "GET" and self.path != TOKEN_PATH


class RequestLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def all(self) -> list[Request]:
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Handler(WSGIRequestHandler):
    """Reads each body whole and frames each answer, so that a connection serves many requests.

    werkzeug's own handler closes after every answer: a client's pool would go untested.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    server_version = "ZGS"

    def version_string(self) -> str:
        return "ZGS"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay silent: the request log holds every request."""

    def setup(self) -> None:
        super().setup()
        self._wire.connections.add(self.connection)

    def finish(self) -> None:
        self._wire.connections.discard(self.connection)
        super().finish()

    @property
    def _wire(self) -> Wire:
        return cast("Wire", self.server)

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        given = environ["wsgi.input"]
        chunked = environ.get("wsgi.input_terminated", False)
        body = given.read() if chunked else given.read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        fault = self._wire.faults.pick(self.command, environ["PATH_INFO"])
        if fault and fault.delay:
            self._wire.sleep(fault.delay)
        answer = self._exchange(environ, fault)
        lost = fault is not None and fault.drop is not None
        request = Request(
            self.command,
            environ["PATH_INFO"],
            environ["QUERY_STRING"],
            None if lost or answer is None else answer.status,
            len(body),
            acted=fault is None or fault.acts,
        )
        self._wire.requests.add(request)
        self._reply(answer, fault)

    def _exchange(self, environ: WSGIEnvironment, fault: Fault | None) -> Answer | None:
        answer = None
        if fault is None or fault.acts:
            body, status, headers = run_wsgi_app(self._wire.app, environ, buffered=True)
            answer = Answer(int(status.split()[0]), list(headers), b"".join(body))
        if fault is not None and fault.status is not None:
            kind = {"Content-Type": "application/json;charset=UTF-8", **fault.headers}
            answer = Answer(fault.status, list(kind.items()), fault.payload)
        return answer

    def _reply(self, answer: Answer | None, fault: Fault | None) -> None:
        drop = fault.drop if fault else None
        if answer is not None and drop in {None, "midway"}:
            self._send(answer, cut=drop == "midway")
        if answer is None or drop is not None:
            self.close_connection = True
            shut(self.connection)

    def _send(self, answer: Answer, *, cut: bool) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in {"content-length", "connection"}:
                self.send_header(name, value)
        bodiless = answer.status in BODILESS
        body = b"" if bodiless or self.command == "HEAD" else answer.body
        if not bodiless:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()


class Wire(ThreadedWSGIServer):
    """A threaded server on a port of its own choosing (0) or a given one; OSError when taken."""

    daemon_threads = True

    def __init__(
        self,
        app: WSGIApplication,
        address: tuple[str, int],
        faults: Faults,
        sleep: Callable[[float], Any],
    ) -> None:
        self.faults = faults
        self.sleep = sleep
        self.requests = RequestLog()
        self.connections: set[socket.socket] = set()
        # Bound here: werkzeug ends the whole process when a port is taken.
        with socket.create_server(address) as bound:
            host, port = bound.getsockname()[:2]
            super().__init__(host, port, app, Handler, fd=bound.fileno())

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self.connections):
            # A client's idle connection would keep its thread waiting for the next request.
            shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that went away; anything else is a fault of the sandbox."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
