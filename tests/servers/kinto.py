"""A real Kinto (a document store with collections, ETags and tombstones) that serves as a CRM."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from requests import Session
from requests.auth import HTTPBasicAuth

from tests.servers.population import OWNERS, Company, companies
from tests.servers.server_process import TIMEOUT_SECONDS, Caller, ServerProcess, command

SETTINGS = """
[app:main]
use = egg:kinto
kinto.includes = kinto.plugins.accounts kinto_seeding
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
multiauth.policies = account
multiauth.policy.account.use = kinto.plugins.accounts.authentication.AccountsAuthenticationPolicy
kinto.account_create_principals = system.Everyone
kinto.bucket_create_principals = system.Authenticated
kinto.userid_hmac_secret = of-this-machine-alone
kinto.paginate_by = 200
kinto.batch_max_requests = 200
kinto.experimental_collection_schema_validation = true

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = 0
"""
BUCKET = "/buckets/crm"
RECORDS = f"{BUCKET}/collections/customers/records"
TEXT = {"type": "string"}
CUSTOMER = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "status": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": TEXT, "uniqueItems": True},
        "owner": TEXT,
    },
}
COLLECTIONS = ("customers", "people", "activities", "deals", "orders", "notes")
SHANGHAI = timezone(timedelta(hours=8))
SEEDED_MS_AGO = 3_600_000
KEPT_BY_THE_SERVER = {"last_modified", "schema"}


class KintoServer:
    """`url` ends in /v1. The bucket is `crm`; a customer's id is its code, such as C00001."""

    user, password = "highseas", "password-of-a-test"

    def __init__(self, environment: Path, folder: Path) -> None:
        (folder / "kinto.ini").write_text(SETTINGS, encoding="utf-8")
        self.process = ServerProcess(
            [*command(environment, "kinto"), "start", "--ini", "kinto.ini"],
            folder=folder,
            says_port=r"Serving on http://127\.0\.0\.1:(\d+)",
        )
        self.url = f"http://127.0.0.1:{self.process.port}/v1"
        self._own = self._account(self.user)
        self._else = self._account("somebody")
        self._schema = 0
        self._create()

    def stop(self) -> None:
        self._own.close()
        self._else.close()
        self.process.stop()

    def reset(self) -> None:
        """Empty every collection, as if the server had just started."""
        self._own("DELETE", BUCKET)
        self._create()

    def seed_customers(self, count: int, today: date) -> None:
        self.seed(companies(count, today))

    def seed(self, population: Iterable[Company]) -> None:
        """Put companies with their past into empty collections."""
        moment = int(time.time() * 1000) - SEEDED_MS_AGO
        lines = []
        for collection, record in _records(population):
            moment += 1
            schema = {"schema": self._schema} if collection == "customers" else {}
            address = f"{BUCKET}/collections/{collection}"
            lines.append(json.dumps([address, {**record, **schema, "last_modified": moment}]))
        self._own("POST", "/__seed__", data="\n".join(lines).encode())

    def edit(self, customer: str, **fields: Any) -> None:
        """Change fields as somebody else."""
        self._else("PATCH", _path("customers", customer), json={"data": fields})

    def add_tag(self, customer: str, tag: str) -> None:
        self.edit(customer, tags=[*self.customer(customer)["tags"], tag])

    def remove_tag(self, customer: str, tag: str) -> None:
        self.edit(customer, tags=[had for had in self.customer(customer)["tags"] if had != tag])

    def add_note(self, customer: str, text: str) -> str:
        answer = self._else(
            "POST", _path("notes"), json={"data": {"customer": customer, "text": text}}
        )
        note: str = answer["data"]["id"]
        return note

    def delete(self, customer: str) -> None:
        self._else("DELETE", _path("customers", customer))

    def customer(self, customer: str) -> dict[str, Any]:
        answer = self._own("GET", _path("customers", customer))
        record: dict[str, Any] = answer["data"]
        return record

    def rows(self, collection: str) -> Iterator[dict[str, Any]]:
        """Every record, oldest change first."""
        since = 0
        while True:
            page = self._own(
                "GET", _path(collection) + f"?_sort=last_modified&gt_last_modified={since}"
            )
            live = [row for row in page["data"] if "deleted" not in row]
            yield from live
            if not page["data"]:
                return
            since = page["data"][-1]["last_modified"]

    def pages(self, address: str) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list at a whole address, by the links from one to the next."""
        following: str | None = address
        with Session() as session:
            session.trust_env = False
            session.auth = (self.user, self.password)
            while following:
                answer = session.get(following, timeout=TIMEOUT_SECONDS)
                answer.raise_for_status()
                yield answer.json()["data"]
                following = answer.headers.get("Next-Page")

    def snapshot(self) -> dict[str, Any]:
        """What a person sees: the customers, and the notes without the ids they happen to have."""
        return {
            "customers": {
                row["id"]: {
                    **{key: row[key] for key in row.keys() - KEPT_BY_THE_SERVER},
                    "tags": sorted(row["tags"]),
                }
                for row in self.rows("customers")
            },
            "notes": sorted((row["customer"], row["text"]) for row in self.rows("notes")),
        }

    def _account(self, name: str) -> Caller:
        caller = Caller(self.url, HTTPBasicAuth(name, self.password))
        caller("PUT", f"/accounts/{name}", json={"data": {"password": self.password}})
        return caller

    def _create(self) -> None:
        self._own("PUT", BUCKET, json={"permissions": {"write": ["account:somebody"]}})
        for name in COLLECTIONS:
            data = {"schema": CUSTOMER} if name == "customers" else {}
            made = self._own("PUT", f"{BUCKET}/collections/{name}", json={"data": data})
            if name == "customers":
                self._schema = made["data"]["last_modified"]


def _path(collection: str, record: str | None = None) -> str:
    path = f"{BUCKET}/collections/{collection}/records"
    return path if record is None else f"{path}/{record}"


def _at(day: date, hour: int) -> str:
    return datetime(day.year, day.month, day.day, hour, 30, tzinfo=SHANGHAI).isoformat()


def _records(population: Iterable[Company]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, owner in enumerate(OWNERS, start=1):
        yield "people", {"id": owner, "name": f"Example Seller {number}", "active": True}
    for company in population:
        yield "customers", _customer(company)
        yield from _past(company)


def _customer(company: Company) -> dict[str, Any]:
    return {
        "id": company.code,
        "name": company.name,
        "email": company.email,
        "phone": company.phone,
        "owner": company.owner,
        "status": "active",
        "tags": list(company.tags),
        "region": company.region,
        "industry": company.industry,
        "created": _at(company.created, 9),
    }


def _past(company: Company) -> Iterator[tuple[str, dict[str, Any]]]:
    customer = {"customer": company.code}
    for nth, activity in enumerate(company.activities):
        yield (
            "activities",
            {
                "id": f"a{company.number}-{nth}",
                **customer,
                "kind": activity.kind,
                "text": activity.text,
                "happened": _at(activity.day, 10),
            },
        )
    for nth, deal in enumerate(company.deals):
        yield (
            "deals",
            {
                "id": f"d{company.number}-{nth}",
                **customer,
                "state": deal.state,
                "amount": f"{deal.amount:.2f}",
                "currency": "CNY",
                "opened": _at(deal.day, 11),
                "closed": None if deal.closed is None else _at(deal.closed, 17),
            },
        )
    for nth, order in enumerate(company.orders):
        yield (
            "orders",
            {
                "id": f"o{company.number}-{nth}",
                **customer,
                "amount": f"{order.amount:.2f}",
                "currency": "CNY",
                "ordered": _at(order.day, 14),
            },
        )
