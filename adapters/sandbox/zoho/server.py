"""The sandbox as a whole: a store behind Zoho's endpoints, on a loopback port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from flask import Flask, Response
from werkzeug.exceptions import MethodNotAllowed, NotFound

from adapters.sandbox.zoho.faults import Faults
from adapters.sandbox.zoho.gate import Gate
from adapters.sandbox.zoho.noting import Noting
from adapters.sandbox.zoho.organisation import Organisation
from adapters.sandbox.zoho.owning import Owning
from adapters.sandbox.zoho.paging import Paging
from adapters.sandbox.zoho.reading import Reading
from adapters.sandbox.zoho.replies import Refusal, WholeReply, reply
from adapters.sandbox.zoho.service import Automation, Service
from adapters.sandbox.zoho.settings import Credentials, Limits, Quirks
from adapters.sandbox.zoho.store import Store
from adapters.sandbox.zoho.tag_catalogue import TagCatalogue
from adapters.sandbox.zoho.tagging import Tagging
from adapters.sandbox.zoho.tokens import Tokens
from adapters.sandbox.zoho.wire import Request, Wire
from adapters.sandbox.zoho.writing import Writing

ENDPOINTS = (Reading, Writing, Tagging, TagCatalogue, Noting, Owning, Organisation)


@dataclass(frozen=True)
class Behaviour:
    """All that can be set on a sandbox; `sleep` is what a delay fault waits with."""

    quirks: Quirks = field(default_factory=Quirks)
    limits: Limits = field(default_factory=Limits)
    credentials: Credentials = field(default_factory=Credentials)
    sleep: Callable[[float], Any] = time.sleep


class ZohoSandbox:
    """A running sandbox; use as a context manager. The store stays open when it stops."""

    def __init__(
        self,
        store: Store,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        behaviour: Behaviour | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.store = store
        self.behaviour = behaviour or Behaviour()
        self.faults = faults or Faults()
        self._address = (host, port)
        limits, credentials = self.behaviour.limits, self.behaviour.credentials
        secret = store.database.secret("page_tokens")
        paging = Paging(limits, self.behaviour.quirks, store.clock, secret)
        self._service = Service(store, self.behaviour.quirks, limits, paging)
        self._tokens = Tokens(credentials, limits, store.clock)
        self._gate = Gate(self._tokens, store.people, limits, store.clock)
        self._wire: Wire | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve in a thread; OSError when the port is taken."""
        wire = Wire(self._app(), self._address, self.faults, self.behaviour.sleep)
        serve = {"poll_interval": 0.05}
        self._wire = wire
        self._thread = threading.Thread(target=wire.serve_forever, kwargs=serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None:
            return
        self._running.shutdown()
        self._thread.join()
        self._running.server_close()
        self._thread = None

    @property
    def _running(self) -> Wire:
        if self._wire is None:
            raise RuntimeError("the sandbox has not been started")
        return self._wire

    @property
    def url(self) -> str:
        host, port = self._running.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def credentials(self) -> Credentials:
        return self.behaviour.credentials

    @property
    def requests(self) -> list[Request]:
        """Every request so far, token requests too, in the order in which they were answered."""
        return self._running.requests.all()

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.is_write]

    @property
    def automations(self) -> list[Automation]:
        """The writes after which Zoho would have run workflow rules."""
        return list(self._service.automations)

    @property
    def credits_used(self) -> int:
        return self._gate.credits_used

    def forget_requests(self) -> None:
        self._running.requests.clear()

    def expire_tokens(self) -> None:
        """Kill all access tokens early: the next call is answered INVALID_TOKEN."""
        self._tokens.revoke_all()

    def _app(self) -> Flask:
        app = Flask("zoho-sandbox", static_folder=None)
        app.register_error_handler(Refusal, _refused)
        app.register_error_handler(WholeReply, lambda answer: reply(answer.payload, answer.status))
        app.register_error_handler(NotFound, _no_such_url)
        app.register_error_handler(MethodNotAllowed, _no_such_method)
        app.register_error_handler(500, _broken)
        user = int(self.credentials.user or self.store.api_user)
        self._tokens.attach(app, user)
        self._gate.attach(app)
        for endpoint in ENDPOINTS:
            endpoint(self._service).attach(app)
        return app


def _refused(refusal: Refusal) -> Response:
    answer = reply(refusal.wire, refusal.status)
    answer.headers.update(refusal.headers)
    return answer


def _no_such_url(_error: NotFound) -> Response:
    message = "Please check if the URL trying to access is a correct one"
    return _refused(Refusal("INVALID_URL_PATTERN", message, status=404))


def _no_such_method(_error: MethodNotAllowed) -> Response:
    message = "The http request method type is not a valid one"
    return _refused(Refusal("INVALID_REQUEST_METHOD", message, status=405))


def _broken(_error: Exception) -> Response:
    return _refused(Refusal("INTERNAL_ERROR", "Internal Server Error", status=500))
