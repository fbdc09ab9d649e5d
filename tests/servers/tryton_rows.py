"""Writes made-up companies into Tryton's tables: the rows that Tryton itself would have written.

Every third customer has no write_date, which is how Tryton shows what nobody has touched yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from tests.servers.population import Company, Deal, Order

ADMINISTRATOR, COMPANY, YUAN, EMPLOYEES = 1, 1, 1, 3
UNTOUCHED = 3
LINKS = "party_party-party_category"
STATES = {"open": "opportunity", "won": "won", "lost": "lost"}

Row = tuple[str, dict[str, Any]]


def insert(database: sqlite3.Connection, population: Iterable[Company], *, offset: int) -> None:
    categories: dict[str, int] = {}
    for company in population:
        party = company.number + offset
        for tag in company.tags:
            if tag not in categories:
                row = {"name": tag, "active": 1, **_made(company.created)}
                categories[tag] = _insert(database, "party_category", row)
            link = {"party": party, "category": categories[tag], **_made(company.created)}
            _insert(database, LINKS, link)
        for table, row in _rows(company, party):
            _insert(database, table, row)


def _insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    columns, places = ", ".join(row), ", ".join("?" for _ in row)
    cursor = database.execute(
        f'INSERT INTO "{table}" ({columns}) VALUES ({places})', tuple(row.values())
    )
    return cursor.lastrowid or 0


def _made(day: date, *, touched: bool = False) -> dict[str, Any]:
    moment = f"{day} 01:30:00.000000"
    made = {"create_date": moment, "create_uid": ADMINISTRATOR}
    return made | ({"write_date": moment, "write_uid": ADMINISTRATOR} if touched else {})


def _money(amount: Decimal) -> bytes:
    """As Tryton's SQLite backend stores it."""
    return f"{amount:.2f}".encode()


def _rows(company: Company, party: int) -> Iterator[Row]:
    made = _made(company.created, touched=company.number % UNTOUCHED != 0)
    yield (
        "party_party",
        {
            "id": party,
            "name": company.name,
            "active": 1,
            "code": company.code,
            "code_alnum": company.code,
            "code_digit": company.number,
            **made,
        },
    )
    yield "party_party_lang", {"party": party, **_made(company.created)}
    for kind, value in (("email", company.email), ("phone", company.phone)):
        yield (
            "party_contact_mechanism",
            {
                "party": party,
                "type": kind,
                "value": value,
                "value_compact": value,
                "active": 1,
                "invoice": 0,
                "delivery": 0,
                **_made(company.created, touched=True),
            },
        )
    for activity in company.activities:
        text = {"resource": f"party.party,{party}", "message": activity.text}
        yield "ir_note", {**text, **_made(activity.day)}
    for nth, deal in enumerate(company.deals):
        row = _opportunity(company, party, nth, deal)
        yield "sale_opportunity", row
    for nth, order in enumerate(company.orders):
        yield "sale_sale", _sale(company, party, nth, order)


def _opportunity(company: Company, party: int, nth: int, deal: Deal) -> dict[str, Any]:
    return {
        "number": f"D{company.number}-{nth}",
        "party": party,
        "company": COMPANY,
        "currency": YUAN,
        "employee": 1 + company.number % EMPLOYEES,
        "amount": _money(deal.amount),
        "start_date": str(deal.day),
        "end_date": None if deal.closed is None else str(deal.closed),
        "state": STATES[deal.state],
        "conversion_probability": 0.5,
        **_made(deal.day),
    }


def _sale(company: Company, party: int, nth: int, order: Order) -> dict[str, Any]:
    return {
        "number": f"S{company.number}-{nth}",
        "party": party,
        "company": COMPANY,
        "currency": YUAN,
        "sale_date": str(order.day),
        "state": "done",
        "invoice_method": "order",
        "invoice_state": "none",
        "shipment_method": "order",
        "shipment_state": "none",
        "untaxed_amount_cache": _money(order.amount),
        "tax_amount_cache": _money(Decimal(0)),
        "total_amount_cache": _money(order.amount),
        **_made(order.day, touched=True),
    }
