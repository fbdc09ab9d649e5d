"""A CRM on loopback that can be told to behave as badly as a server can, and a second server that
writes down whatever reaches it: nothing of ours ever should."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `target` as it stood on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Write = Callable[[bytes], None]


@dataclass(frozen=True)
class Said:
    """One answer: JSON, or bytes as they are. `raw` writes the whole answer itself, status line
    and all, and the connection ends behind it."""

    status: int = 200
    body: Any = b""
    headers: tuple[tuple[str, str], ...] = ()
    raw: Callable[[Write], None] | None = None


def torn(data: bytes) -> Said:
    """These bytes, and then the connection ends."""
    return Said(raw=lambda write: write(data))


CUT = torn(b"")
Route = Callable[[Seen], Said | None]


class Server:
    """Answers by `answer`; keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.sent = 0
        self.lock = threading.RLock()
        self._server = _Threads(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, seen: Seen) -> Said:
        raise NotImplementedError


class OtherHost(Server):
    """Somebody else's server. It would gladly give customers to whoever asks."""

    def answer(self, seen: Seen) -> Said:
        return Said(200, {"items": [{"id": "666", "rev": 1}], "data": {"id": "666"}})


@dataclass
class Contents:
    """What the CRM knows."""

    customers: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)


class HostileCrm(Server):
    """A plain CRM. `bad` answers first and may leave a request to the good one by saying None;
    `rows` writes the customers of a list, so that a row may be something that JSON cannot hold."""

    def __init__(self) -> None:
        self.contents = Contents()
        self.bad: Route = lambda seen: None
        self.before_page: Callable[[int], None] = lambda number: None
        self.rows: Callable[[list[Row]], bytes] = lambda rows: json.dumps(rows).encode()
        self.total: Callable[[int], Any] = lambda count: count
        self.pages = 0
        super().__init__()

    @property
    def writes(self) -> list[Seen]:
        return [each for each in self.seen if each.method != "GET"]

    def say_to_lists(self, said: Said) -> None:
        """Whoever asks for a page of customers is told this."""
        self.bad = lambda seen: said if is_list(seen) else None

    def count(self, total: Any) -> None:
        """Tell this as the number of all customers."""
        self.total = lambda count: total

    def write_rows(self, rows: bytes) -> None:
        """Write these in place of the customers of a page."""
        self.rows = lambda shown: rows

    def customer(self, identifier: str) -> Row:
        return next(row for row in self.contents.customers if str(row["id"]) == identifier)

    def answer(self, seen: Seen) -> Said:
        if seen.headers.get("authorization") != f"Token {KEY}":
            return Said(403, {"error": {"code": "who"}})
        if is_list(seen):
            self.pages += 1
            self.before_page(self.pages)
        said = self.bad(seen)
        return self.good(seen) if said is None else said

    def good(self, seen: Seen) -> Said:
        """What a server that means no harm would answer."""
        with self.lock:
            for (method, path), reply in _GOOD.items():
                match = re.fullmatch(path, seen.path)
                if method == seen.method and match:
                    return reply(self, seen, *(unquote(part) for part in match.groups()))
        return Said(404, {"error": {"code": "nowhere"}})

    def page(self, rows: list[Row], **more: Any) -> Said:
        """A page with these customers."""
        tail = json.dumps({"total": self.total(len(self.contents.customers)), **more})
        body = b'{"items":' + self.rows(rows) + b"," + tail[1:].encode()
        return Said(200, body, (("Content-Type", "application/json"),))

    def _me(self, seen: Seen) -> Said:
        return Said(200, {"organisation": "acme", "user": "robot"})

    def _listed(self, seen: Seen) -> Said:
        query = seen.query
        rows = self.contents.customers
        if "ids" in query:
            wanted = json.loads(query["ids"])
            return self.page([row for row in rows if str(row["id"]) in wanted])
        limit = int(query.get("limit", 2))
        start = int(query.get("offset", 0)) + limit * (int(query.get("page", 1)) - 1)
        if query.get("after"):
            after = json.loads(query["after"])
            start = sum(row["id"] <= after for row in rows)
        start += int(query.get("cursor", 0))
        shown = rows[start : start + limit]
        behind = start + limit
        if behind >= len(rows):
            return self.page(shown)
        link = f"/api/customers?limit={limit}&cursor={behind}"
        said = self.page(shown, next=str(behind), link=link)
        return Said(200, said.body, (*said.headers, ("Link", f'<{link}>; rel="next"')))

    def _one(self, seen: Seen, identifier: str) -> Said:
        found = [row for row in self.contents.customers if str(row["id"]) == identifier]
        return Said(200, {"item": found[0]}) if found else Said(404, {})

    def _update(self, seen: Seen, identifier: str) -> Said:
        return Said(*self.update(identifier, seen.json))

    def update(self, identifier: str, fields: Row) -> tuple[int, Row]:
        """Set fields of a customer: status and body of the answer."""
        for row in self.contents.customers:
            if str(row["id"]) == identifier:
                row |= {**fields, "rev": row["rev"] + 1}
                return 200, {"item": row}
        return 404, {}

    def _batch(self, seen: Seen) -> Said:
        done = [self.update(each["id"], each["body"]) for each in seen.json["requests"]]
        return Said(200, {"responses": [{"status": code, "body": body} for code, body in done]})

    def _notes(self, seen: Seen) -> Said:
        notes = [note for note in self.contents.notes if note["customer"] == seen.query["customer"]]
        return Said(200, {"items": notes})

    def _note(self, seen: Seen) -> Said:
        note = {"id": str(len(self.contents.notes) + 1), **seen.json}
        self.contents.notes.append(note)
        return Said(201, {"data": note})


KEY = "hush7Qx9token"
_GOOD: dict[tuple[str, str], Callable[..., Said]] = {
    ("GET", "/api/me"): HostileCrm._me,
    ("GET", "/api/customers"): HostileCrm._listed,
    ("GET", "/api/customers/([^/]+)"): HostileCrm._one,
    ("PATCH", "/api/customers/([^/]+)"): HostileCrm._update,
    ("POST", "/api/batch"): HostileCrm._batch,
    ("GET", "/api/notes"): HostileCrm._notes,
    ("POST", "/api/notes"): HostileCrm._note,
}


def is_list(seen: Seen) -> bool:
    """A page of customers is asked for, and not some of them by their ids."""
    return seen.path == "/api/customers" and "ids" not in seen.query


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has hung up: that is what some of our answers are for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Threads

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(20)

    def _serve(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body)
        with owner.lock:
            owner.seen.append(seen)
        said = owner.answer(seen)
        if said.raw is not None:
            self.close_connection = True
            said.raw(self._write)
        else:
            self._say(said)

    def _write(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.server.owner.sent += len(data)

    def _say(self, said: Said) -> None:
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        given = {name.lower() for name, _ in said.headers}
        self.send_response_only(said.status)
        for name, value in said.headers:
            self.send_header(name, value)
        if "content-length" not in given:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - their names there

    def log_message(self, *arguments: Any) -> None:
        """Nothing on stderr."""
