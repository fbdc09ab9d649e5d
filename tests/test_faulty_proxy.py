"""What a client hears through the proxy and what the server has done are two things."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import requests

from tests.servers.faulty_proxy import Exchange, Fault, FaultyProxy, Kind
from tests.servers.kinto import RECORDS, KintoServer
from tests.servers.tryton import TrytonServer

pytest_plugins = ["tests.servers.fixtures"]

TODAY = date(2026, 11, 22)
COUNT = 100
TIMEOUT_SECONDS = 10


@pytest.fixture
def patch(kinto: KintoServer, kinto_proxy: FaultyProxy) -> Callable[[str], requests.Response]:
    """Sets one customer's status through the proxy."""
    kinto.seed_customers(1, TODAY)

    def send(status: str) -> requests.Response:
        return requests.patch(
            f"{kinto_proxy.url(kinto.url)}{RECORDS}/C00001",
            json={"data": {"status": status}},
            auth=(kinto.user, kinto.password),
            timeout=TIMEOUT_SECONDS,
        )

    return send


def test_a_plan_is_consumed_fault_by_fault(
    patch: Callable[[str], requests.Response], kinto: KintoServer, kinto_proxy: FaultyProxy
) -> None:
    kinds: tuple[Kind, ...] = ("too_many", "unavailable", "cut_before", "cut_after", "torn")
    kinto_proxy.plan(*(Fault(kind, times=1, seconds=3) for kind in kinds))

    def heard(status: str) -> tuple[Any, str]:
        try:
            answer = patch(status)
        except requests.RequestException as problem:
            return type(problem), kinto.customer("C00001")["status"]
        return answer, kinto.customer("C00001")["status"]

    slow, status = heard("one")
    assert (slow.status_code, slow.headers["Retry-After"], status) == (429, "3", "active")
    page, status = heard("two")
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html")
    assert status == "active"
    assert heard("three") == (requests.ConnectionError, "active")
    assert heard("four") == (requests.ConnectionError, "four")
    assert heard("five") == (requests.exceptions.ChunkedEncodingError, "five")
    whole, status = heard("six")
    assert (whole.status_code, status) == (200, "six")
    assert [(seen.fault, seen.reached) for seen in kinto_proxy.exchanges()] == [
        *((kind, False) for kind in kinds[:3]),
        *((kind, True) for kind in kinds[3:]),
        (None, True),
    ]


def test_a_rule_breaks_every_nth_request_that_it_is_about(
    patch: Callable[[str], requests.Response], kinto: KintoServer, kinto_proxy: FaultyProxy
) -> None:
    kinto_proxy.plan(Fault("unavailable", every=3, method="WRITE", path="*/customers/*"))
    statuses = []
    for number in range(7):
        statuses.append(patch(str(number)).status_code)
        requests.get(kinto_proxy.url(kinto.url) + "/", timeout=TIMEOUT_SECONDS)
    assert statuses == [200, 200, 503, 200, 200, 503, 200]
    assert len(kinto_proxy.writes()) == 5
    assert len(kinto_proxy.exchanges()) == 14


def test_a_delayed_request_arrives_late(
    patch: Callable[[str], requests.Response], kinto_proxy: FaultyProxy
) -> None:
    kinto_proxy.plan(Fault("delay", times=1, seconds=0.5))
    began = time.monotonic()
    assert patch("late").status_code == 200
    assert time.monotonic() - began >= 0.5


def test_links_of_a_server_lead_back_through_the_proxy(
    kinto: KintoServer, kinto_proxy: FaultyProxy
) -> None:
    kinto.seed_customers(COUNT, TODAY)
    address = kinto_proxy.url(kinto.url) + RECORDS
    assert [len(page) for page in kinto.pages(address + "?_limit=60")] == [60, 40]
    assert len(kinto_proxy.exchanges()) == 2


def test_the_proxy_stands_before_tryton_as_well(
    tryton: TrytonServer, tryton_proxy: FaultyProxy
) -> None:
    tryton.seed_customers(1, TODAY)
    party = tryton.offset + 1
    tryton_proxy.plan(Fault("cut_after", times=1, method="POST"))
    with pytest.raises(requests.ConnectionError):
        requests.post(
            f"{tryton_proxy.url(tryton.url)}/ir.note",
            json={"resource": f"party.party,{party}", "message": "heard by nobody"},
            headers={"Authorization": f"bearer {tryton.key}"},
            timeout=TIMEOUT_SECONDS,
        )
    assert (party, "heard by nobody") in tryton.snapshot()["notes"]
    assert tryton_proxy.writes() == [
        Exchange("POST", "/crm/rest/model/ir.note", "cut_after", reached=True, status=200)
    ]
