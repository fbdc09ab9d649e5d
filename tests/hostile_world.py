"""A workspace on a hostile CRM, by the command line, with what must never come out of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.command_line import Answer
from tests.described_client import DescribedClient, described_client
from tests.hostile_server import KEY, HostileCrm, OtherHost, Row

PHONE = "13800138000"
PERSON = "Wang Secretive"
MARK = "BODY-TEXT-OF-THE-CRM"
TAG = "待作废"
POLICY = f"""\
policy: 2
name: hostile
rules:
  - void: quiet
    reason: lost_contact
    when: industry = 'quiet'
    mark: {{tag: {TAG}, status: 失联}}
    note: true
limits: {{count: 100}}
"""
LIMIT = {"limit": "{{ limit }}"}
LISTS: dict[str, Row] = {
    "none": {"params": {}, "paging": {"kind": "none"}},
    "page": {"params": {"page": "{{ page }}"}, "paging": {"kind": "page"}},
    "offset": {"params": {"offset": "{{ offset }}"}, "paging": {"kind": "offset"}},
    "keyset": {
        "params": {"after": "{{ last | json if last is not none else none }}"},
        "paging": {"kind": "keyset"},
    },
    "cursor": {"params": {"cursor": "{{ cursor }}"}, "paging": {"kind": "cursor", "at": "next"}},
    "link": {"params": {}, "paging": {"kind": "link", "at": "link"}},
    "link_header": {"params": {}, "paging": {"kind": "link"}},
}
MANY = {"many": {"path": "/customers", "params": {"ids": "{{ ids | json }}"}}, "rows": "items"}
ONE = {"one": {"path": "/customers/{{ id }}"}, "row": "item"}
BATCH = {
    "method": "POST",
    "path": "/batch",
    "size": 10,
    "json": {"requests": "{{ items }}"},
    "item": {"id": "{{ id }}", "body": "{{ fields }}"},
    "results": "responses",
    "result": {"status": "status", "code": "body.error.code", "body": "body"},
}


@dataclass
class Form:
    """What a test wants said differently in the description."""

    paging: str = "cursor"
    page_size: int = 2
    total: bool = False
    read: Row = field(default_factory=lambda: MANY)
    writes: Row = field(default_factory=dict)
    errors: Row = field(default_factory=lambda: {"code": ["error.code"]})
    pacing: Row = field(default_factory=dict)
    headers: Row = field(default_factory=dict)

    def text(self) -> str:
        return yaml.safe_dump(self._description(), allow_unicode=True, sort_keys=False)

    def _description(self) -> Row:
        return {
            "rest": 1,
            "name": "Hostile",
            "settings": {"url": {"label": "address"}, "key": {"label": "key", "secret": True}},
            "server": {"url": "{{ url }}/api"},
            "auth": {"kind": "key", "headers": {"Authorization": "Token {{ key }}"}},
            "identity": {
                "call": {"path": "/me"},
                "id": "{{ answer.organisation }}",
                "user_id": "{{ answer.user }}",
            },
            "errors": self.errors,
            "pacing": {"timeout_seconds": 1, "body_megabytes": 1, **self.pacing},
            "objects": {"customers": self._customers()},
            "writes": {"customers": self._writes()},
            "facts": {
                "mapping": 1,
                "customers": [
                    {
                        "object": "customers",
                        "columns": {
                            "name": "name",
                            "industry": "industry",
                            "phone": "phone",
                            "status": "$status_field",
                            "tags": "tags[]",
                            "version": "rev",
                        },
                    }
                ],
            },
        }

    def _customers(self) -> Row:
        listed = LISTS[self.paging]
        return {
            "fields": {
                "name": "text",
                "industry": "text",
                "phone": "text",
                "rev": "integer",
                "status": {"type": "text", "writable": True},
                "tags": {"type": "tags", "writable": True},
            },
            "version": "rev",
            "list": {
                "path": "/customers",
                "params": {"limit": "{{ limit }}", **listed["params"]},
                "rows": "items",
                "page_size": self.page_size,
                "paging": listed["paging"],
                **({"total": "total"} if self.total else {}),
            },
            "read": self.read,
        }

    def _writes(self) -> Row:
        update = {"method": "PATCH", "path": "/customers/{{ id }}", "json": "{{ fields }}"}
        return {
            "update": {**update, "headers": self.headers},
            "tags": {"model": "list", "field": "tags"},
            "notes": {
                "model": "records",
                "create": {
                    "method": "POST",
                    "path": "/notes",
                    "json": {"customer": "{{ id }}", "text": "{{ text }}"},
                },
                "created": "data.id",
                "find": {"path": "/notes", "params": {"customer": "{{ id }}"}, "rows": "items"},
                "text": "{{ note.text }}",
            },
            "settle_seconds": 0.01,
            **self.writes,
        }


@dataclass
class World:
    """The CRM, the other host, and the workspace once `client` made it."""

    folder: Path
    crm: HostileCrm = field(default_factory=HostileCrm)
    other: OtherHost = field(default_factory=OtherHost)
    said: str = ""
    _client: DescribedClient | None = None

    def close(self) -> None:
        self.crm.close()
        self.other.close()

    def seed(self, *identifiers: Any, industry: str = "quiet") -> None:
        """Customers with these ids."""
        for identifier in identifiers:
            self.crm.contents.customers.append(row(identifier, industry=industry))

    def describe(self, **form: Any) -> World:
        """Write the workspace; the description is `Form` with these differences."""
        (self.folder / "key").write_text(KEY)
        settings = {
            "url": f"http://{self.crm.host}",
            "key": f"file:{self.folder / 'key'}",
            "status_field": "status",
        }
        self._client = described_client(
            self.folder / "client", Form(**form).text(), POLICY, settings
        )
        return self

    def run(self, *arguments: str) -> Answer:
        assert self._client is not None, "describe it first"
        answer = self._client.run(*arguments)
        self.said += answer.out + answer.err
        return answer

    def done(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run with --json and demand this exit code."""
        answer = self.run("--json", *arguments)
        assert answer.code == code, answer.err + answer.out
        return answer.json()

    def fails(self, *arguments: str, code: int = 1) -> str:
        """Run and demand one line of fact and one of help; the fact."""
        answer = self.run("-q", *arguments)
        assert answer.code == code, answer.err + answer.out
        lines = answer.err.splitlines()
        assert [line[:7] for line in lines] == ["error: ", "hint:  "], answer.err
        assert all(len(line) < 300 for line in lines)
        return lines[0].removeprefix("error: ")

    def log(self) -> str:
        assert self._client is not None
        path = self._client.folder / ".highseas" / "highseas.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def staged(self, columns: str = "id, name") -> list[tuple[Any, ...]]:
        """What the local copy holds of the customers."""
        assert self._client is not None
        path = self._client.folder / ".highseas" / "warehouse.duckdb"
        with duckdb.connect(str(path), read_only=True) as warehouse:
            return warehouse.execute(f"SELECT {columns} FROM customers ORDER BY id").fetchall()

    def ids(self) -> list[str]:
        return [identifier for (identifier,) in self.staged("id")]

    def plan_rows(self) -> list[dict[str, Any]]:
        """As they are shown to whoever asks, names and all."""
        assert self._client is not None
        return [json.loads(line) for line in self._client.run("show", "--rows").out.splitlines()]

    def settled(self, *lost: Any) -> None:
        """Apply as often as it takes, then demand that everything is there, once. `lost`: the
        customers to whom the CRM has done nothing, whatever it said."""
        answer = self.run("--json", "apply", "--yes")
        for _ in range(6):
            if answer.code == 0:
                break
            answer = self.run("--json", "apply", "--yes")
        assert answer.code == 0, answer.err
        wanted = {
            str(each["id"])
            for each in self.crm.contents.customers
            if each["industry"] == "quiet" and each["id"] not in lost
        }
        tags = {str(each["id"]): each["tags"] for each in self.crm.contents.customers}
        assert {each: tags[each] for each in wanted} == {each: ["vip", TAG] for each in wanted}
        noted = [note["customer"] for note in self.crm.contents.notes]
        assert len(noted) == len(set(noted)), "a note was doubled"
        assert wanted <= set(noted), "a note is missing"


def row(identifier: Any, **fields: Any) -> Row:
    """One customer."""
    return {
        "id": identifier,
        "name": PERSON,
        "industry": "quiet",
        "phone": PHONE,
        "status": "active",
        "tags": ["vip"],
        "rev": 1,
        **fields,
    }


def leaks(world: World) -> list[str]:
    """What came out that should not have."""
    told = world.said + world.log()
    found = [each for each in (KEY, PHONE, PERSON, MARK) if each in told]
    return found + [each for each in ("Traceback", "defect of its own") if each in world.said]
