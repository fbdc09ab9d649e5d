"""The servers that nobody here wrote serve made-up customers, and show what others do to them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import requests

from tests.servers.kinto import RECORDS, KintoServer
from tests.servers.population import companies
from tests.servers.server_process import ServerError
from tests.servers.tryton import TrytonServer, encoded

pytest_plugins = ["tests.servers.fixtures"]

TODAY = date(2026, 11, 22)
COUNT = 100
TIMEOUT_SECONDS = 10


# The people who are in none of them


def test_a_population_is_the_same_each_time_and_grows_at_its_end() -> None:
    assert list(companies(200, TODAY))[:COUNT] == list(companies(COUNT, TODAY))


def test_nobody_shares_a_number_an_address_or_a_name() -> None:
    everybody = list(companies(5_000, TODAY))
    for told in ("phone", "email", "name", "code"):
        assert len({getattr(company, told) for company in everybody}) == 5_000


def test_a_third_fell_silent_long_ago_and_nothing_lies_in_the_future() -> None:
    everybody = list(companies(1_000, TODAY))
    days: list[list[date]] = [
        [
            *(done.day for done in company.activities),
            *(deal.day for deal in company.deals),
            *(order.day for order in company.orders),
        ]
        for company in everybody
    ]
    assert all(day < TODAY for of_one in days for day in of_one)
    silent = [of_one for of_one in days if of_one and (TODAY - max(of_one)).days >= 180]
    assert len(silent) == 300
    assert sum(not of_one for of_one in days) == 100


# Kinto


def test_kinto_lists_what_was_seeded_page_by_page(kinto: KintoServer) -> None:
    kinto.seed_customers(COUNT, TODAY)
    sizes, ids = [], set()
    for page in kinto.pages(f"{kinto.url}{RECORDS}?_limit=30&_sort=id"):
        sizes.append(len(page))
        ids |= {row["id"] for row in page}
    assert sizes == [30, 30, 30, 10]
    assert ids == {company.code for company in companies(COUNT, TODAY)}


def test_kinto_takes_a_seeded_customer_for_one_of_its_own(kinto: KintoServer) -> None:
    """The same fields as a record made through its own interface, also under the schema."""
    kinto.seed_customers(1, TODAY)
    seeded = kinto.customer("C00001")
    fields = {key: seeded[key] for key in seeded.keys() - {"id", "schema", "last_modified"}}
    made = requests.put(
        f"{kinto.url}{RECORDS}/other",
        json={"data": fields},
        auth=(kinto.user, kinto.password),
        timeout=TIMEOUT_SECONDS,
    ).json()["data"]
    assert made["last_modified"] > seeded["last_modified"]
    assert {**made, "id": "C00001", "last_modified": seeded["last_modified"]} == seeded


def test_kinto_shows_what_somebody_else_did(kinto: KintoServer) -> None:
    kinto.seed_customers(COUNT, TODAY)
    before = kinto.snapshot()
    kinto.edit("C00001", status="lost")
    kinto.add_tag("C00002", "new")
    kinto.add_tag("C00005", "new")
    kinto.remove_tag("C00005", "展会")
    kinto.add_note("C00003", "rang twice")
    kinto.delete("C00004")
    after = kinto.snapshot()
    changed = {
        key: (before["customers"][key], after["customers"].get(key))
        for key in before["customers"]
        if before["customers"][key] != after["customers"].get(key)
    }
    assert changed.keys() == {"C00001", "C00002", "C00004", "C00005"}
    assert changed["C00001"][1]["status"] == "lost"
    assert changed["C00002"][1]["tags"] == ["new"]
    assert changed["C00005"][1]["tags"] == ["new"]
    assert changed["C00004"][1] is None
    assert after["notes"] == [("C00003", "rang twice")]


def test_kinto_has_a_past_for_its_customers(kinto: KintoServer) -> None:
    kinto.seed_customers(COUNT, TODAY)
    expected = list(companies(COUNT, TODAY))
    for kind in ("activities", "deals", "orders"):
        assert len(list(kinto.rows(kind))) == sum(len(getattr(who, kind)) for who in expected)


def test_kinto_forgets_everything_when_it_is_reset(kinto: KintoServer) -> None:
    kinto.seed_customers(COUNT, TODAY)
    kinto.delete("C00001")
    kinto.reset()
    assert list(kinto.pages(f"{kinto.url}{RECORDS}?_since=0")) == [[]]


def test_an_answer_that_is_no_success_stops_the_test(kinto: KintoServer) -> None:
    with pytest.raises(ServerError, match="404"):
        kinto.customer("C00001")


# Tryton


def test_tryton_lists_what_was_seeded_page_by_page(tryton: TrytonServer) -> None:
    tryton.seed_customers(COUNT, TODAY)
    codes: list[str] = []
    ranges = []
    for start in range(0, 90, 30):
        answer = requests.get(
            f"{tryton.url}/party.party",
            params={
                "f": ["code"],
                "d": encoded([["code", "like", "C%"]]),
                "o": encoded([["id", "ASC"]]),
            },
            headers={
                "Authorization": f"bearer {tryton.key}",
                "Range": f"records={start}-{start + 30}",
            },
            timeout=TIMEOUT_SECONDS,
        )
        codes += [row["code"] for row in answer.json()]
        ranges.append(answer.headers["Content-Range"])
    assert codes == [company.code for company in companies(90, TODAY)]
    assert ranges == ["records 0-30/100", "records 30-60/100", "records 60-90/100"]


TABLES = {
    "party.party": "party_party",
    "ir.note": "ir_note",
    "sale.opportunity": "sale_opportunity",
    "party.contact_mechanism": "party_contact_mechanism",
}


def filled(database: Path, table: str, row: int) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(f"SELECT * FROM {table} WHERE id = ?", (row,)).fetchone()
    return {column for column in found.keys() if found[column] is not None}  # noqa: SIM118


def test_tryton_itself_would_have_filled_the_same_columns(tryton: TrytonServer) -> None:
    tryton.seed_customers(1, TODAY)
    seeded = {
        "party.party": tryton.search("party.party", [["code", "=", "C00001"]])[0]["id"],
        "ir.note": tryton.search("ir.note", [])[0]["id"],
        "sale.opportunity": tryton.search("sale.opportunity", [])[0]["id"],
        "party.contact_mechanism": tryton.search("party.contact_mechanism", [])[0]["id"],
    }
    contact = {"type": "email", "value": "own@example.com"}
    party = tryton.create(
        "party.party", name="Own", code="X2", contact_mechanisms=[["create", [contact]]]
    )
    note = tryton.create("ir.note", resource=f"party.party,{party}", message="own")
    deal = tryton.create("sale.opportunity", party=party, employee=1, amount=1)
    own = {
        "party.party": party,
        "ir.note": note,
        "sale.opportunity": deal,
        "party.contact_mechanism": tryton.search(
            "party.contact_mechanism", [["party", "=", party]]
        )[0]["id"],
    }
    ended = {"end_date"}  # of a deal that was lost
    for model, table in TABLES.items():
        made = filled(tryton.database, table, own[model])
        assert filled(tryton.database, table, seeded[model]) - ended == made, model


def test_tryton_reads_the_past_of_a_seeded_customer(tryton: TrytonServer) -> None:
    tryton.seed_customers(COUNT, TODAY)
    company = next(who for who in companies(COUNT, TODAY) if len(who.deals) == 2)
    party = tryton.offset + company.number
    deals = tryton.search("sale.opportunity", [["party", "=", party]], "amount", "state")
    sales = tryton.search("sale.sale", [["party", "=", party]], "total_amount", "sale_date")
    assert {(row["amount"]["decimal"], row["state"]) for row in deals} == {
        (f"{deal.amount:.2f}", {"open": "opportunity"}.get(deal.state, deal.state))
        for deal in company.deals
    }
    assert {(row["total_amount"]["decimal"], row["sale_date"]["month"]) for row in sales} == {
        (f"{order.amount:.2f}", order.day.month) for order in company.orders
    }


def test_tryton_shows_what_somebody_else_did(tryton: TrytonServer) -> None:
    tryton.seed_customers(COUNT, TODAY)
    before = tryton.snapshot()
    first = tryton.offset + 1
    tryton.edit(first, name="Renamed")
    tryton.add_tag(first + 1, "new")
    tryton.add_tag(first + 4, "new")
    tryton.remove_tag(first + 4, "展会")
    tryton.add_note(first + 2, "rang twice")
    tryton.delete(first + 3)
    after = tryton.snapshot()
    changed = {
        key: after["customers"].get(key)
        for key in before["customers"]
        if before["customers"][key] != after["customers"].get(key)
    }
    assert changed.keys() == {first, first + 1, first + 3, first + 4}
    assert changed[first]["name"] == "Renamed"
    assert changed[first + 1]["tags"] == ["new"]
    assert changed[first + 4]["tags"] == ["new"]
    assert changed[first + 3] is None
    assert (first + 2, "rang twice") in after["notes"]


def test_tryton_forgets_everything_when_it_is_reset(tryton: TrytonServer) -> None:
    tryton.seed_customers(COUNT, TODAY)
    tryton.add_tag(tryton.offset + 1, "new")
    tryton.reset()
    assert tryton.snapshot() == {"customers": {}, "notes": []}
    assert len(tryton.search("party.party", [])) == tryton.offset
    assert tryton.category("new") is None
