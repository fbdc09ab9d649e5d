"""A CRM on loopback and its description, which fit each other until a test changes one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from tests.adapters.conftest import Said, Seen

Row = dict[str, Any]
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

DESCRIPTION = """\
rest: 1
name: Told CRM
settings:
  url: {label: address of the server}
  key: {label: API key, secret: true, default: env:TOLD_KEY}
server: {url: "{{ url }}"}
auth: {kind: key, headers: {X-Key: "{{ key }}"}}
identity:
  call: {path: /me}
  id: "{{ answer.organisation }}"
  user_id: "{{ answer.user }}"
errors: {code: [error], codes: {no_such: gone}}
objects:
  customers:
    fields:
      name: {type: text, writable: true}
      size: integer
      status: {type: choice, options: [active, void], writable: true}
      owner: reference
      tags: tags
      remark: text
    modified: {path: changed, created: made}
    list:
      path: /customers
      params: {limit: "{{ limit }}", offset: "{{ offset }}"}
      rows: data
      total: count
      page_size: 3
      paging: {kind: offset}
    changes:
      params: {since: "{{ since | iso }}"}
      overlap_seconds: 30
    deleted:
      path: /deleted
      params: {since: "{{ since | iso }}"}
      rows: data
      id: gone
    sweep:
      params: {fields: id}
      page_size: 100
    read:
      many: {path: /customers, params: {ids: "{{ ids | join(',') }}"}}
      rows: data
writes:
  customers:
    update: {method: PATCH, path: "/customers/{{ id }}", json: "{{ fields }}"}
    locking: {headers: {If-Match: "{{ version }}"}}
    tags:
      model: commands
      field: tags
      of: id
      add: "{{ tag_id }}"
      remove: "{{ tag_id }}"
      names: {list: {path: /tags, rows: data}}
    notes:
      model: records
      create: {method: POST, path: /notes, json: {text: "{{ text }}"}}
      created: id
      find: {path: /notes, params: {customer: "{{ id }}", text: "{{ marker }}"}, rows: data}
      text: "{{ note.text }}"
facts:
  mapping: 1
  customers:
    - object: customers
      id: id
      columns: {name: name, modified_at: changed, tags: "tags[].id", status: $status_field}
"""


def records(count: int) -> list[Row]:
    return [
        {
            "id": number,
            "name": f"Secret Name {number}",
            "size": 10 * number,
            "status": "active",
            "owner": None,
            "tags": [{"id": 1}],
            "remark": "",
            "made": "2026-01-01T00:00:00Z",
            "changed": f"2026-11-{number:02}T10:00:00+08:00",
        }
        for number in range(1, count + 1)
    ]


@dataclass
class ToldCrm:
    """Ask it by `wire.route`. `on` replaces the answer to a path; `page` what a list shows of the
    rows that were asked for."""

    rows: list[Row] = field(default_factory=lambda: records(7))
    date: datetime | None = NOON
    on: dict[str, Callable[[Seen], Said]] = field(default_factory=dict)
    heeds_since: bool = True
    includes_since: bool = True
    page: Callable[[list[Row], int, int], list[Row]] = lambda rows, offset, limit: rows[
        offset : offset + limit
    ]
    count: Callable[[int], Any] = lambda number: number

    def __call__(self, seen: Seen) -> Said:
        answer = self.on.get(seen.path, self._answer)(seen)
        headers = {"Date": format_datetime(self.date, usegmt=True)} if self.date else {}
        return Said(answer.status, answer.body, {**headers, **answer.headers})

    def _answer(self, seen: Seen) -> Said:
        body: Any = {
            "/me": {"organisation": "acme", "user": "u1"},
            "/deleted": {"data": [{"gone": 99}]},
            "/tags": {"data": [{"id": 1, "name": "vip"}, {"id": 2, "name": "new"}]},
            "/notes": {"data": []},
        }.get(seen.path)
        return Said(200, body) if body else self._customers(seen.query)

    def _customers(self, query: dict[str, str]) -> Said:
        found = self.rows
        if "ids" in query:
            wanted = query["ids"].split(",")
            return Said(200, {"data": [row for row in found if str(row["id"]) in wanted]})
        if "since" in query and self.heeds_since:
            found = [row for row in found if self._is_since(row, query["since"])]
        start, limit = int(query.get("offset", 0)), int(query["limit"])
        shown = self.page(found, start, limit)
        return Said(200, {"data": shown, "count": self.count(len(found))})

    def _is_since(self, row: Row, since: str) -> bool:
        moment = datetime.fromisoformat(row["changed"] or row["made"])
        asked = datetime.fromisoformat(since.replace(" ", "+"))
        return moment > asked or (moment == asked and self.includes_since)
