"""Whatever is added or deleted during a walk: each record that was there all the time comes, or the
walk ends with an error. Without HTTP, as only the order of the answers matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.calls import Answer, Call
from adapters.rest.api import Api
from adapters.rest.pulling.pull import Puller
from adapters.rest.schema.description import Description
from connector.errors import ProtocolError
from connector.ports import PullRequest
from tests.adapters.conftest import Seen
from tests.adapters.rest.listed_crm import BEGUN, ListedCrm, ids, listing, records

URL = "http://127.0.0.1:1"
# Before which request, and whether a record is added at the front or the end, or which one goes.
EVENTS = st.dictionaries(
    st.integers(2, 12), st.sampled_from(["front", "end"]) | st.integers(0, 20), max_size=4
)


class Direct:
    """The CRM without a wire between."""

    def __init__(self, crm: ListedCrm) -> None:
        self._crm = crm

    def send(self, call: Call) -> Answer:
        query = {name: str(value) for name, value in call.params.items()}
        said = self._crm(Seen(call.method, call.path, query, dict(call.headers), b""))
        return Answer(said.status, said.headers, said.raw)


def walk(crm: ListedCrm, form: Mapping[str, Any]) -> list[Any]:
    description = Description.model_validate(
        {
            "rest": 1,
            "name": "Test CRM",
            "server": {"url": URL},
            "identity": {"call": {}, "id": "me"},
            "objects": {"customers": {"list": dict(form)}},
        }
    )
    http: Any = Direct(crm)
    puller = Puller(Api(description, {}, http, dict), now=lambda: BEGUN)
    return ids(list(puller.pull(PullRequest("customers", ()))))


def moving(events: dict[int, Any]) -> Any:
    def change(number: int, crm: ListedCrm) -> None:
        event = events.get(number)
        if event == "front":
            crm.rows = [{"id": -number}, *crm.rows]
        elif event == "end":
            crm.rows = [*crm.rows, {"id": 100 + number}]
        elif event is not None:
            crm.rows = crm.rows[:event] + crm.rows[event + 1 :]

    return change


@pytest.mark.parametrize("kind", ["offset", "range", "keyset"])
@given(count=st.integers(1, 20), size=st.integers(2, 6), events=EVENTS)
@settings(max_examples=150, deadline=None)
def test_no_record_is_missing_unseen(
    kind: str, count: int, size: int, events: dict[int, Any]
) -> None:
    crm = ListedCrm(records(count), kind, before=moving(events))
    try:
        found = walk(crm, listing(kind, page_size=size))
    except ProtocolError as error:
        assert "pages" in error.message or "twice" in error.message  # noqa: PT017 - or none
        return
    there = {row["id"] for row in crm.rows if 0 < row["id"] <= count}
    assert there <= set(found)


@given(count=st.integers(1, 20), size=st.integers(2, 6), events=EVENTS)
@settings(max_examples=150, deadline=None)
def test_page_numbers_lose_no_record_either_while_the_count_tells(
    count: int, size: int, events: dict[int, Any]
) -> None:
    """Somebody deletes records; where as many are added meanwhile, the count would not tell."""
    gone = {number: event for number, event in events.items() if isinstance(event, int)}
    crm = ListedCrm(records(count), "page", before=moving(gone))
    try:
        found = walk(crm, listing("page", page_size=size, total="total"))
    except ProtocolError as error:
        assert "records of customers" in error.message  # noqa: PT017 - or none
        return
    assert {row["id"] for row in crm.rows} <= set(found)
