"""A real Tryton (an ERP with parties, categories, notes, opportunities) that serves as a CRM."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from requests import PreparedRequest
from requests.auth import AuthBase

from tests.servers.population import Company, companies
from tests.servers.server_process import Caller, ServerProcess, command
from tests.servers.tryton_rows import insert

SETTINGS = """
[database]
uri = sqlite://
path = {folder}

[web]
listen = 127.0.0.1:0
"""
TEMPLATE = "template.sqlite"
LOCK_SECONDS = 30


class Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"bearer {self._key}"
        return request


class TrytonServer:
    """`url` ends in /rest/model. The company is number 1; customers have codes such as C00001.

    A seeded customer's id is its number plus `offset`: the company and its people are parties too.
    """

    key = "key-of-a-test"
    company, employees, offset = 1, (1, 2, 3), 4

    def __init__(self, environment: Path, folder: Path) -> None:
        self._template = environment / TEMPLATE
        self.database = folder / "crm.sqlite"
        shutil.copyfile(self._template, self.database)
        (folder / "trytond.conf").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
        self.process = ServerProcess(
            [*command(environment, "trytond"), "--config", "trytond.conf", "-d", "crm"],
            folder=folder,
            says_port=r"Running on http://127\.0\.0\.1:(\d+)",
        )
        self.url = f"http://127.0.0.1:{self.process.port}/crm/rest/model"
        self._own = Caller(self.url, Bearer(self.key))
        self._else = Caller(self.url, Bearer("key-of-somebody-else"))

    def stop(self) -> None:
        self._own.close()
        self._else.close()
        self.process.stop()

    def reset(self) -> None:
        """Everything as in the template, while the server runs on."""
        with (
            closing(sqlite3.connect(self._template)) as template,
            closing(sqlite3.connect(self.database, timeout=LOCK_SECONDS)) as database,
        ):
            template.backup(database)

    def seed_customers(self, count: int, today: date) -> None:
        self.seed(companies(count, today))

    def seed(self, population: Iterable[Company]) -> None:
        """Put companies with their past in place; Tryton itself takes a minute for 5,000."""
        with closing(sqlite3.connect(self.database, timeout=LOCK_SECONDS)) as database, database:
            insert(database, population, offset=self.offset)

    def create(self, model: str, **fields: Any) -> int:
        """Make a record through Tryton, as ourselves."""
        context = {"X-Tryton-Context": encoded({"company": self.company, "employee": 1})}
        made = self._own("POST", f"/{model}", json=fields, headers=context)
        record: int = made["id"]
        return record

    def edit(self, customer: int, **fields: Any) -> None:
        """Change fields as somebody else."""
        self._else("PUT", f"/party.party/{customer}", json=fields)

    def add_tag(self, customer: int, tag: str) -> None:
        """Tag as somebody else, who makes the category where there is none."""
        category = self.category(tag)
        if category is None:
            made = self._else("POST", "/party.category", json={"name": tag})
            category = made["id"]
        self.edit(customer, categories=[["add", [category]]])

    def remove_tag(self, customer: int, tag: str) -> None:
        self.edit(customer, categories=[["remove", [self.category(tag)]]])

    def add_note(self, customer: int, text: str) -> int:
        fields = {"resource": f"party.party,{customer}", "message": text}
        made = self._else("POST", "/ir.note", json=fields)
        note: int = made["id"]
        return note

    def delete(self, customer: int) -> None:
        """Delete as somebody else; first what Tryton keeps for the books goes from its tables."""
        with closing(sqlite3.connect(self.database, timeout=LOCK_SECONDS)) as database, database:
            for table in ("sale_opportunity", "sale_sale"):
                database.execute(f"DELETE FROM {table} WHERE party = ?", (customer,))
        self._else("DELETE", f"/party.party/{customer}")

    def search(self, model: str, domain: list[Any], *fields: str) -> list[dict[str, Any]]:
        rows = self._own("GET", f"/{model}", params={"d": encoded(domain), "f": [*fields, "id"]})
        return list(rows)

    def category(self, tag: str) -> int | None:
        found = self.search("party.category", [["name", "=", tag]])
        return found[0]["id"] if found else None

    def snapshot(self) -> dict[str, Any]:
        """What a person sees, read past the server; notes without the ids they happen to have."""
        with closing(sqlite3.connect(self.database, timeout=LOCK_SECONDS)) as database:
            tags = defaultdict(list)
            for party, tag in database.execute(
                'SELECT r.party, c.name FROM "party_party-party_category" r '
                "JOIN party_category c ON c.id = r.category ORDER BY c.name"
            ):
                tags[party].append(tag)
            parties = database.execute("SELECT id, code, name, active FROM party_party").fetchall()
            notes = database.execute("SELECT resource, message FROM ir_note").fetchall()
        return {
            "customers": {
                party: {"code": code, "name": name, "active": bool(active), "tags": tags[party]}
                for party, code, name, active in parties
                if party > self.offset
            },
            "notes": sorted((int(resource.split(",")[1]), text) for resource, text in notes),
        }


def encoded(value: Any) -> str:
    """As Tryton's REST interface takes domains, orders and contexts."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
