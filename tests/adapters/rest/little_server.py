"""A small CRM with a REST API on loopback: how it keeps tags and notes, and how it guards a record
against two writers, is a matter of its behaviour."""

from __future__ import annotations

import copy
import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Row = dict[str, Any]


@dataclass(frozen=True)
class Behaviour:
    """`tags`: array, objects, text, commands or links. `etag`, `version`: the guard. `unchecked`:
    notes are taken for records that are gone. `whole`: an update by PUT takes away what it does not
    name. `blank`: an empty list is a 404. `soft`: deleted records can still be read, with a moment
    of deletion. `strict_batch`: one bad row spoils the call.
    `silent`: a new note's id is not told. `blunt_links`: a link that is there already is a 409."""

    tags: str = "array"
    etag: bool = False
    version: bool = False
    unchecked: bool = False
    strict_batch: bool = False
    silent: bool = False
    blunt_links: bool = False
    whole: bool = False
    blank: bool = False
    soft: bool = False
    read_limit: int = 1000


class RefusedError(Exception):
    """A bad answer."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass
class Store:
    """What the CRM knows. Tags are kept by id, in order; each way to show them is a translation."""

    customers: dict[int, Row] = field(default_factory=dict)
    notes: dict[str, Row] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    deleted: dict[int, int] = field(default_factory=dict)
    gone: dict[int, Row] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)


class LittleCrm:
    """The server. `fault`: `lose` or `drop` the next write to a record or a note."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.store = Store()
        self.seen: list[Request] = []
        self.fault = ""
        self.tag_fault = ""
        self.on_write: Callable[[], None] = lambda: None
        self.answers: list[tuple[re.Pattern[str], int, Any]] = []
        self._numbers = itertools.count(1)
        self._moment = 0
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.crm = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> list[Request]:
        return [each for each in self.seen if each.writes]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def say(self, pattern: str, status: int, body: Any) -> None:
        """Answer the next request whose method and path match so, without doing it."""
        self.answers.append((re.compile(pattern), status, body))

    # What its other users do.

    def tick(self) -> int:
        self._moment = max(self._moment + 1, int(time.time() * 1000))
        return self._moment

    def add(self, **values: Any) -> int:
        with self.lock:
            number = next(self._numbers)
            moment = self.tick()
            self.store.customers[number] = {
                "id": number,
                "name": f"Customer {number}",
                "status": "active",
                "owner": 1,
                "tags": [],
                "remark": "",
                "size": 7,
                "rev": 1,
                "updated": moment,
                **values,
            }
            return number

    def edit(self, number: int, **values: Any) -> None:
        with self.lock:
            self._touch(self.store.customers[number], values)

    def tag_number(self, name: str) -> int:
        found = next((n for n, known in self.store.tags.items() if known == name), None)
        if found is None:
            found = next(self._numbers)
            self.store.tags[found] = name
        return found

    def add_tag(self, number: int, name: str) -> None:
        with self.lock:
            row = self.store.customers[number]
            self._touch(row, {"tags": [*row["tags"], self.tag_number(name)]})

    def add_note(self, number: int, text: str) -> str:
        with self.lock:
            identifier = f"n{next(self._numbers)}"
            self.store.notes[identifier] = {"customer": number, "text": text}
            return identifier

    def delete(self, number: int) -> None:
        with self.lock:
            self.store.gone[number] = self.store.customers.pop(number)
            self.store.deleted[number] = self.tick()

    def tag_names(self, number: int) -> list[str]:
        return [self.store.tags[each] for each in self.store.customers[number]["tags"]]

    # The API.

    def answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        with self.lock:
            for planned in self.answers:
                if planned[0].search(f"{request.method} {request.path}"):
                    self.answers.remove(planned)
                    return planned[1], planned[2], {}
            try:
                return self._route(request)
            except RefusedError as no:
                return no.status, {"error": {"code": no.code}}, {}

    def _route(self, request: Request) -> tuple[int, Any, dict[str, str]]:  # noqa: C901, PLR0911
        parts = [unquote(part) for part in request.path.split("/")[2:]]
        match parts:
            case ["me"]:
                return 200, {"organisation": "little", "user": {"id": 9, "name": "api"}}, {}
            case ["customers"]:
                return 200, {"items": self._list(request.query)}, {}
            case ["deleted"]:
                since = int(request.query["since"])
                gone = [n for n, moment in self.store.deleted.items() if moment >= since]
                return 200, {"items": [{"id": n} for n in gone]}, {}
            case ["customers", number]:
                return self._customer(request, int(number))
            case ["customers", number, "tags"]:
                row = self._row(int(number))
                return 200, [{"id": n, "label": self.store.tags[n]} for n in row["tags"]], {}
            case ["customers", number, "tags", tag]:
                return self._link(request, int(number), tag)
            case ["links", *rest]:
                return self._links(request, rest)
            case ["batch"]:
                return 200, {"responses": self._batch(request)}, {}
            case ["tags"]:
                return self._catalogue(request)
            case ["notes", *rest]:
                return self._notes(request, rest)
            case _:
                raise RefusedError(404, "NO_SUCH_PATH")

    def _list(self, query: dict[str, str]) -> list[Row]:
        rows = [row for _, row in sorted(self.store.customers.items())]
        if "ids" in query:
            rows += self._buried()
            wanted = query["ids"].split(",")
            found = [self._shown(row) for row in rows if str(row["id"]) in wanted]
            return found[: self.behaviour.read_limit]
        since, after = int(query.get("since", 0)), int(query.get("after", 0))
        fitting = [row for row in rows if row["updated"] >= since and row["id"] > after]
        return [self._shown(row) for row in fitting[: int(query["limit"])]]

    def _buried(self) -> list[Row]:
        moments = self.store.deleted if self.behaviour.soft else {}
        return [{**self.store.gone[n], "deleted_at": at} for n, at in moments.items()]

    def _paged(self, rows: list[Row], query: dict[str, str]) -> list[Row]:
        """Those of one page, where pages are asked for."""
        if "limit" in query:
            limit, page = int(query["limit"]), int(query["page"])
            rows = rows[limit * page : limit * (page + 1)]
        if not rows and self.behaviour.blank:
            raise RefusedError(404, "NOTHING_HERE")
        return rows

    def _row(self, number: int) -> Row:
        if number not in self.store.customers:
            raise RefusedError(404, "NO_SUCH_CUSTOMER")
        return self.store.customers[number]

    def _open(self, number: int) -> Row:
        row = self._row(number)
        if number in self.store.locked:
            raise RefusedError(423, "LOCKED")
        return row

    def _touch(self, row: Row, values: Row) -> None:
        row.update(values, rev=row["rev"] + 1, updated=self.tick())

    def _shown(self, row: Row) -> Row:
        names = [self.store.tags[number] for number in row["tags"]]
        shown: Any = names
        if self.behaviour.tags == "objects":
            shown = [{"label": name, "colour": len(name)} for name in names]
        elif self.behaviour.tags == "text":
            shown = ", ".join(names)
        elif self.behaviour.tags in {"commands", "links"}:
            shown = list(row["tags"])
        return {**copy.deepcopy(row), "tags": shown}

    def _customer(self, request: Request, number: int) -> tuple[int, Any, dict[str, str]]:
        if request.method == "GET":
            buried = (row for row in self._buried() if row["id"] == number)
            row = next(buried, None) or self._row(number)
            return 200, {"item": self._shown(row)}, {"ETag": f'"{row["rev"]}"'}
        values = request.body
        if self.behaviour.whole and request.method == "PUT":
            own = {"name", "status", "owner", "remark", "size"}
            kept = {"rev"} & values.keys() if self.behaviour.version else set()
            values = {name: values.get(name) for name in own | kept}
        self._patch(number, values, request.headers.get("If-Match"))
        return 200, {"item": self._shown(self._row(number))}, {}

    def _patch(self, number: int, values: Row, condition: str | None) -> None:
        row = self._open(number)
        values = dict(values)
        if self.behaviour.etag and condition is not None and condition != f'"{row["rev"]}"':
            raise RefusedError(412, "MOVED")
        if self.behaviour.version and values.pop("rev", row["rev"]) != row["rev"]:
            raise RefusedError(409, "MOVED")
        unknown = set(values) - {"name", "status", "owner", "tags", "remark", "size"}
        if unknown:
            raise RefusedError(400, "UNKNOWN_FIELD")
        if "tags" in values:
            values["tags"] = self._tags(row, values["tags"])
        self._touch(row, values)

    def _tags(self, row: Row, sent: Any) -> list[int]:
        if self.behaviour.tags == "commands":
            tags = list(row["tags"])
            for word, number in sent:
                if number not in self.store.tags:
                    raise RefusedError(400, "NO_SUCH_TAG")
                if word == "add" and number not in tags:
                    tags.append(number)
                elif word == "remove" and number in tags:
                    tags.remove(number)
            return tags
        if self.behaviour.tags == "text":
            sent = [name.strip() for name in sent.split(",") if name.strip()]
        if self.behaviour.tags == "objects":
            sent = [each["label"] for each in sent]
        return [self.tag_number(name) for name in sent]

    def _link(self, request: Request, number: int, tag: str) -> tuple[int, Any, dict[str, str]]:
        row = self._open(number)
        key = int(tag) if tag.isdecimal() else self.tag_number(tag)
        if key not in self.store.tags:
            raise RefusedError(400, "NO_SUCH_TAG")
        if request.method == "PUT" and key not in row["tags"]:
            self._touch(row, {"tags": [*row["tags"], key]})
        elif request.method == "PUT" and self.behaviour.blunt_links:
            raise RefusedError(409, "LINKED")
        elif request.method == "DELETE":
            if key not in row["tags"]:
                raise RefusedError(404, "NOT_LINKED")
            self._touch(row, {"tags": [each for each in row["tags"] if each != key]})
        return 204, None, {}

    def _links(self, request: Request, rest: list[str]) -> tuple[int, Any, dict[str, str]]:
        """Links as records of their own: by two of them one tag would be linked twice."""
        if request.method == "GET":
            tags = self._row(int(request.query["customer"]))["tags"]
            rows = [
                {"link": f"{request.query['customer']}/{place}", "tag": key}
                for place, key in enumerate(tags)
            ]
            return 200, self._paged(rows, request.query), {}
        if request.method == "POST":
            row = self._open(int(request.body["customer"]))
            self._touch(row, {"tags": [*row["tags"], request.body["tag"]]})
            return 201, {}, {}
        number, _, place = rest[0].partition("/")
        row = self._open(int(number))
        self._touch(row, {"tags": row["tags"][: int(place)] + row["tags"][int(place) + 1 :]})
        return 204, None, {}

    def _catalogue(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        if request.method == "GET":
            names = self.store.tags.items()
            rows = [{"id": number, "label": name} for number, name in names]
            wanted = request.query.get("label")
            rows = [row for row in rows if wanted in {None, row["label"]}]
            return 200, self._paged(rows, request.query), {}
        number = next(self._numbers)
        self.store.tags[number] = request.body["label"]
        return 201, {} if self.behaviour.silent else {"id": number}, {}

    def _batch(self, request: Request) -> list[Row]:
        before = copy.deepcopy(self.store)
        rows = []
        for item in request.body["requests"]:
            row: Row = {"id": item["id"]}
            try:
                self._patch(int(item["id"]), item["body"], item.get("headers", {}).get("If-Match"))
                row |= {"status": 200, "body": {}}
            except RefusedError as no:
                if self.behaviour.strict_batch:
                    self.store = before
                    raise
                row |= {"status": no.status, "body": {"error": {"code": no.code}}}
            rows.append(row)
        return rows

    def _notes(self, request: Request, rest: list[str]) -> tuple[int, Any, dict[str, str]]:
        match request.method, rest:
            case "GET", []:
                found = [
                    {"id": identifier, **note}
                    for identifier, note in self.store.notes.items()
                    if str(note["customer"]) in request.query["customer"].split(",")
                    and request.query.get("like", "") in note["text"]
                ]
                return 200, {"notes": self._paged(found, request.query)}, {}
            case "POST", []:
                made = self._new_note(f"n{next(self._numbers)}", request.body)
                return 201, {} if self.behaviour.silent else {"id": made}, {}
            case "POST", ["batch"]:
                return 200, {"results": self._note_batch(request.body["notes"])}, {}
            case "PUT", [identifier]:
                if identifier in self.store.notes:
                    raise RefusedError(412, "EXISTS")
                return 201, {"id": self._new_note(identifier, request.body)}, {}
            case ("PATCH" | "DELETE") as method, [identifier]:
                if identifier not in self.store.notes:
                    raise RefusedError(404, "NO_SUCH_NOTE")
                note = self.store.notes[identifier]
                if note["customer"] in self.store.locked:
                    raise RefusedError(423, "LOCKED")
                if method == "PATCH":
                    note["text"] = request.body["text"]
                else:
                    del self.store.notes[identifier]
                return 204, None, {}
            case _:
                raise RefusedError(405)

    def _new_note(self, identifier: str, body: Row) -> str:
        number = int(body["customer"])
        if not self.behaviour.unchecked or number in self.store.locked:
            self._open(number)
        self.store.notes[identifier] = {"customer": number, "text": body["text"]}
        return identifier

    def _note_batch(self, notes: list[Row]) -> list[Row]:
        before = copy.deepcopy(self.store)
        rows = []
        for note in notes:
            try:
                made = self._new_note(f"n{next(self._numbers)}", note)
                rows.append(
                    {"state": "ok"} if self.behaviour.silent else {"state": "ok", "id": made}
                )
            except RefusedError as no:
                if self.behaviour.strict_batch:
                    self.store = before
                    raise
                rows.append({"state": "error", "error": no.code})
        return rows


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    crm: LittleCrm

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def take(self) -> None:
        crm = self.server.crm
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        query = {key: ",".join(values) for key, values in parse_qs(parts.query).items()}
        request = Request(
            self.command,
            parts.path,
            query,
            dict(self.headers),
            json.loads(body) if body else None,
        )
        crm.seen.append(request)
        fault = self._fault(request)
        if request.writes:
            crm.on_write()
        status, value, headers = (0, None, {}) if fault == "drop" else crm.answer(request)
        if fault:
            self.close_connection = True
            return
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        raw = b"" if status == 204 else raw
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        if status != 204:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _fault(self, request: Request) -> str:
        crm = self.server.crm
        if not request.writes:
            return ""
        if request.path == "/api/tags":
            fault, crm.tag_fault = crm.tag_fault, ""
        else:
            fault, crm.fault = crm.fault, ""
        return fault

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take  # noqa: N815 - the library's names

    def log_message(self, *args: Any) -> None:
        """Tests look at `seen`."""
