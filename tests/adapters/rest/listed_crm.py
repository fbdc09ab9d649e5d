"""A CRM on loopback that lists its records in one of the ways in which real ones do, with their
faults to be switched on; and the puller of a description that fits it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from adapters.http import HttpClient, HttpSettings, Timing
from adapters.rest.api import Api
from adapters.rest.errors import error_table
from adapters.rest.pulling.pull import Puller
from adapters.rest.pulling.walking import Limits
from adapters.rest.schema.description import Description
from connector.ports import Page, PullRequest
from tests.adapters.conftest import Said, Wire

Row = dict[str, Any]
BEGUN = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)


@dataclass
class ListedCrm:
    """`kind` is how it pages; the other fields switch faults and habits on. Ask it by `wire.route`.

    `before` is called with the number of each request, to change `rows` in the middle of a walk.
    """

    rows: list[Row]
    kind: str = "page"
    url: str = ""
    most: int = 1000
    total: Callable[[int], int | None] = lambda count: count
    empty_status: int = 200
    is_clamping: bool = False
    is_unstable: bool = False
    is_deaf: bool = False
    empty_pages: tuple[int, ...] = ()
    before: Callable[[int, ListedCrm], None] = lambda number, crm: None
    date: datetime | None = BEGUN
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, seen: Any) -> Any:
        query = {**seen.query, **({} if not seen.body else seen.json)}
        self.asked.append(query)
        self.before(len(self.asked), self)
        found = self._wanted(query)
        if self.is_unstable:
            chance = random.Random(len(self.asked))  # noqa: S311 - which rows, again and again
            found = chance.sample(found, len(found))
        answer = getattr(self, f"_{self.kind}")(found, {} if self.is_deaf else query, seen)
        headers = dict(answer.headers)
        if self.date is not None:
            headers["Date"] = format_datetime(self.date, usegmt=True)
        return replace(answer, headers=headers)

    def _wanted(self, query: dict[str, str]) -> list[Row]:
        since = query.get("since")
        return [row for row in self.rows if since is None or row.get("modified", "~") >= since]

    def _limit(self, query: dict[str, str]) -> int:
        return min(int(query.get("limit", 3)), self.most)

    def _body(self, rows: list[Row], count: int, **more: Any) -> Any:
        if not rows and self.empty_status != 200:
            return Said(self.empty_status, b"<html>nothing here</html>")
        return Said(200, {"data": {"items": rows}, "total": self.total(count), **more})

    def _page(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        limit, page = self._limit(query), int(query.get("page", 1))
        if self.is_clamping:
            page = min(page, max(1, -(-len(found) // limit)))
        return self._body(found[limit * (page - 1) : limit * page], len(found))

    def _offset(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        offset = int(query.get("offset", 0))
        return self._body(found[offset : offset + self._limit(query)], len(found))

    def _none(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        return self._body(found, len(found))

    def _keyset(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        last = int(query.get("last", 0))
        behind = [row for row in found if row["id"] > last][: self._limit(query)]
        return self._body(behind, len(found))

    def _cut(self, found: list[Row], query: dict[str, str]) -> tuple[list[Row], str | None]:
        """Rows from a cursor on, and the next cursor; no two pages have the same one."""
        start = int(query.get("cursor", "c0")[1:].partition(".")[0])
        stop = start if len(self.asked) in self.empty_pages else start + self._limit(query)
        token = f"c{stop}.{len(self.asked)}" if stop < len(found) else None
        return found[start:stop], token

    def _cursor(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        rows, token = self._cut(found, query)
        return self._body(rows, len(found), next=token, more=token is not None)

    def _cursor_header(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        rows, token = self._cut(found, query)
        answer = self._body(rows, len(found))
        return replace(answer, headers={"X-Next": token} if token else {})

    def _link(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        rows, token = self._cut(found, query)
        link = f"{self.url}{seen.path}?limit={self._limit(query)}&cursor={token}" if token else None
        return self._body(rows, len(found), links={"next": link})

    def _link_header(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        rows, token = self._cut(found, query)
        link = f'</>; rel="first", <?limit={self._limit(query)}&cursor={token}>; rel="next"'
        return replace(
            self._body(rows, len(found)), headers={"Link": link if token else '</>; rel="first"'}
        )

    def _range(self, found: list[Row], query: dict[str, str], seen: Any) -> Any:
        unit, _, span = seen.headers["Range"].partition("=")
        start, stop = (int(part) for part in span.split("-"))
        rows = found[start : stop + 1]
        if not rows and start:
            return Said(416, b"<!doctype html><title>416</title>")
        count = str(len(found)) if stop >= len(found) else "*"
        said = f"{unit} {start}-{start + len(rows)}/{count}"
        return Said(200, rows, headers={"Content-Range": said})


PAGING: dict[str, dict[str, Any]] = {
    "page": {"params": {"page": "{{ page }}"}, "paging": {"kind": "page"}},
    "offset": {"params": {"offset": "{{ offset }}"}, "paging": {"kind": "offset"}},
    "none": {"paging": {"kind": "none"}},
    "keyset": {"params": {"last": "{{ last }}"}, "paging": {"kind": "keyset"}},
    "cursor": {"params": {"cursor": "{{ cursor }}"}, "paging": {"kind": "cursor", "at": "next"}},
    "cursor_header": {
        "params": {"cursor": "{{ cursor }}"},
        "paging": {"kind": "cursor", "at": {"header": "X-Next"}},
    },
    "link": {"paging": {"kind": "link", "at": "links.next"}},
    "link_header": {"paging": {"kind": "link"}},
    "range": {
        "rows": "",
        "paging": {"kind": "range", "unit": "records"},
        "total": {"header": "Content-Range", "pattern": r"/(\d+)"},
        "empty": [416],
    },
}


def listing(kind: str, **more: Any) -> dict[str, Any]:
    """The listing of a description for a CRM that pages so, three records a page."""
    form = {"path": "/customers", "rows": "data.items", "page_size": 3} | PAGING[kind] | more
    asked = PAGING[kind].get("params", {})
    limit = {} if kind == "none" else {"limit": "{{ limit }}"}
    return form | {"params": {**limit, **asked, **more.get("params", {})}}


def records(count: int) -> list[Row]:
    return [{"id": number, "name": f"Customer {number}"} for number in range(1, count + 1)]


@dataclass
class Described:
    """A puller of one object, `customers`, by a description."""

    url: str
    object: dict[str, Any]
    now: Callable[[], datetime] = lambda: BEGUN
    more: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    body_limit: int = 10_000_000

    def puller(self) -> Puller:
        described = {
            "rest": 1,
            "name": "Test CRM",
            "server": {"url": self.url},
            "identity": {"call": {"path": "/me"}, "id": "me"},
            "objects": {"customers": self.object},
        }
        description = Description.model_validate({**described, **self.more})
        http = HttpClient(
            "Test CRM",
            lambda: self.url,
            error_table(description),
            settings=HttpSettings(body_limit=self.body_limit),
            timing=Timing(sleep=lambda seconds: None),
        )
        return Puller(Api(description, {}, http, dict), now=self.now, limits=self.limits)

    def pages(self, **request: Any) -> list[Page]:
        asked = {"object": "customers", "fields": ("id",)} | request
        return list(self.puller().pull(PullRequest(**asked)))


def start(wire: Wire, kind: str, rows: int | list[Row] = 8, **habits: Any) -> ListedCrm:
    """A CRM that pages in one way, with so many records."""
    found = records(rows) if isinstance(rows, int) else rows
    crm = ListedCrm(found, kind, url=wire.url, **habits)
    wire.route = crm
    return crm


def described(wire: Wire, kind: str, form: dict[str, Any] | None = None, **more: Any) -> Described:
    """A puller for such a CRM; `form` goes over the object, `more` over its listing."""
    return Described(wire.url, {"list": listing(kind, **more)} | (form or {}))


def ids(pages: list[Page]) -> list[Any]:
    """The ids of all rows, in their order."""
    return [json.loads(row)["id"] for page in pages for row in page.rows]
