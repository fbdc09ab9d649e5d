"""Ids in a row give way to the records that they name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.rest.schema.description import Description
from tests.adapters.conftest import Said, Wire
from tests.adapters.rest.listed_crm import Described

CURRENCIES = [{"id": 7, "code": "CNY"}, {"id": 8, "code": "EUR"}, {"id": 9, "code": "USD"}]
CUSTOMERS = [
    {"id": 1, "money": {"currency": 7}, "tags": [8, "9", 99]},
    {"id": 2, "money": {"currency": None}, "tags": []},
    {"id": 3, "money": {"currency": 70}, "tags": [True, {"id": 7}]},
    {"id": 4},
]


def listing(path: str) -> dict[str, Any]:
    params = {"limit": "{{ limit }}", "last": "{{ last }}"}
    return {"path": path, "params": params, "page_size": 2, "paging": {"kind": "keyset"}}


def answer(seen: Any) -> Said:
    rows = CURRENCIES if seen.path == "/currencies" else CUSTOMERS
    last = int(seen.query.get("last", 0))
    return Said(200, [row for row in rows if row["id"] > last][: int(seen.query["limit"])])


def described(wire: Wire, lookups: dict[str, Any]) -> Described:
    wire.route = answer
    objects = {
        "customers": {"list": listing("/customers"), "lookups": lookups},
        "currencies": {"list": listing("/currencies"), "label": "Currencies"},
    }
    return Described(wire.url, objects["customers"], more={"objects": objects})


def test_an_id_becomes_the_record_that_it_names(wire: Wire) -> None:
    crm = described(wire, {"money.currency": "currencies", "tags": {"object": "currencies"}})
    rows = [json.loads(row) for page in crm.pages() for row in page.rows]
    cny, eur, usd = CURRENCIES
    assert rows == [
        {"id": 1, "money": {"currency": cny}, "tags": [eur, usd, 99]},
        {"id": 2, "money": {"currency": None}, "tags": []},
        {"id": 3, "money": {"currency": 70}, "tags": [True, {"id": 7}]},
        {"id": 4},
    ]


def test_the_other_object_is_listed_once(wire: Wire) -> None:
    described(wire, {"money.currency": "currencies", "tags": "currencies"}).pages()
    assert sum(seen.path == "/currencies" for seen in wire.seen) == 3


def test_without_lookups_nothing_else_is_asked_for(wire: Wire) -> None:
    pages = described(wire, {}).pages()
    assert [json.loads(row) for page in pages for row in page.rows] == CUSTOMERS
    assert not [seen for seen in wire.seen if seen.path == "/currencies"]


def test_an_object_that_is_not_described_cannot_be_looked_up(wire: Wire) -> None:
    with pytest.raises(ValidationError, match=r"customers\.lookups\.tags: no object 'colours'"):
        Description.model_validate(
            {
                "rest": 1,
                "name": "Test CRM",
                "server": {"url": wire.url},
                "identity": {"call": {"path": "/me"}, "id": "me"},
                "objects": {
                    "customers": {"list": listing("/customers"), "lookups": {"tags": "colours"}}
                },
            }
        )
