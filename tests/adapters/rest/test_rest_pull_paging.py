"""Every kind of paging, against a server that pages so: complete, resumable, by few calls."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.errors import ConfigurationError, ProtocolError
from connector.ports import PullRequest
from tests.adapters.conftest import Said, Wire
from tests.adapters.rest.listed_crm import (
    BEGUN,
    PAGING,
    Described,
    described,
    ids,
    listing,
    start,
)

KINDS = sorted(PAGING)
PAGED = [kind for kind in KINDS if kind != "none"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 8, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_every_record_comes_once(wire: Wire, kind: str, count: int) -> None:
    start(wire, kind, count)
    pages = described(wire, kind).pages()
    assert ids(pages) == list(range(1, count + 1))
    assert all(page.resume for page in pages[:-1])
    assert pages[-1].resume is None
    assert [page.watermark for page in pages if page.watermark] == [BEGUN]


@pytest.mark.parametrize("kind", KINDS)
def test_no_records_are_one_call(wire: Wire, kind: str) -> None:
    crm = start(wire, kind, 0)
    pages = described(wire, kind).pages()
    assert ids(pages) == []
    assert len(pages) == len(crm.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_pull_goes_on_behind_any_page(wire: Wire, kind: str) -> None:
    start(wire, kind)
    api = described(wire, kind)
    pages = api.pages()
    for count, page in enumerate(pages[:-1], start=1):
        rest = api.pages(resume=page.resume)
        assert ids(pages[:count]) + ids(rest) == list(range(1, 9))
        assert rest[-1].watermark == BEGUN


@pytest.mark.parametrize("kind", PAGED)
def test_server_that_gives_fewer_rows_a_page_than_asked_for_loses_none(
    wire: Wire, kind: str
) -> None:
    start(wire, kind, 9, most=2)
    form: dict[str, Any] = {"page_size": 5}
    assert ids(described(wire, kind, **form).pages()) == list(range(1, 10))


def test_page_longer_than_asked_for_is_taken_whole(wire: Wire) -> None:
    wire.say(200, [{"id": n} for n in range(7)]).say(200, [{"id": 6}, {"id": 7}]).say(
        200, [{"id": 7}]
    )
    assert ids(described(wire, "offset", rows="").pages()) == list(range(8))
    assert [seen.query["offset"] for seen in wire.seen] == ["0", "6", "7"]


@pytest.mark.parametrize("kind", PAGED)
def test_short_page_that_ends_the_list_spares_a_call(wire: Wire, kind: str) -> None:
    crm = start(wire, kind, 5)
    pages = described(wire, kind, short_page_ends=True).pages()
    assert ids(pages) == [1, 2, 3, 4, 5]
    assert len(crm.asked) == 2 if kind not in {"offset", "range"} else 3


def test_full_last_page_is_followed_by_an_empty_one(wire: Wire) -> None:
    crm = start(wire, "page", 6)
    assert ids(described(wire, "page", short_page_ends=True).pages()) == list(range(1, 7))
    assert [query["page"] for query in crm.asked] == ["1", "2", "3"]


def test_word_of_more_spares_a_call_and_survives_an_empty_page(wire: Wire) -> None:
    wire.say(200, {"rows": [{"id": 1}], "more": "true"}).say(200, {"rows": [], "more": True})
    wire.say(200, {"rows": [{"id": 2}], "more": "false"})
    assert ids(described(wire, "page", rows="rows", more="more").pages()) == [1, 2]
    assert len(wire.seen) == 3


@pytest.mark.parametrize("status", [204, 404, 416])
def test_page_past_the_end_may_be_an_error(wire: Wire, status: int) -> None:
    start(wire, "page", 6, empty_status=status)
    assert ids(described(wire, "page", empty=[status]).pages()) == list(range(1, 7))


def test_error_that_does_not_mean_empty_stays_one(wire: Wire) -> None:
    start(wire, "page", 0, empty_status=404)
    with pytest.raises(ProtocolError, match="404"):
        described(wire, "page", empty=[416]).pages()


def test_empty_page_in_the_middle_of_a_cursor_walk_is_not_the_end(wire: Wire) -> None:
    for kind in ("cursor", "cursor_header", "link", "link_header"):
        start(wire, kind, 8, empty_pages=(1, 3, 4))
        assert ids(described(wire, kind).pages()) == list(range(1, 9))


def test_same_cursor_behind_an_empty_page_is_the_end(wire: Wire) -> None:
    wire.say(200, {"rows": [{"id": 1}], "next": "a"}).say(200, {"rows": [], "next": "a"})
    assert ids(described(wire, "cursor", rows="rows").pages()) == [1]


@pytest.mark.parametrize("token", [17, 1.5, ["x", 3], {"id": 4}])
def test_cursor_may_be_any_value(wire: Wire, token: Any) -> None:
    wire.say(200, {"rows": [{"id": 1}], "next": token}).say(200, {"rows": [{"id": 2}]})
    params = {"cursor": "{{ cursor | json if cursor is not none else none }}"}
    api = described(wire, "cursor", rows="rows", params=params)
    first = next(api.puller().pull(PullRequest("customers", ())))
    assert ids(api.pages(resume=first.resume)) == [2]
    assert json.loads(wire.seen[-1].query["cursor"]) == token


def test_pages_are_asked_for_by_post_too(wire: Wire) -> None:
    crm = start(wire, "offset", 5)
    body = {"limit": "{{ limit }}", "offset": "{{ offset }}"}
    form = {"path": "/query", "rows": "data.items", "page_size": 3, "method": "POST"}
    api = Described(wire.url, {"list": form | {"json": body, "paging": {"kind": "offset"}}})
    assert ids(api.pages()) == [1, 2, 3, 4, 5]
    assert crm.asked[0] == {"limit": 3, "offset": 0}
    assert {seen.method for seen in wire.seen} == {"POST"}


def test_range_may_leave_its_end_out(wire: Wire) -> None:
    wire.say(200, [{"id": 1}], headers={"Content-Range": "rows 0-1/*"})
    paging = {"kind": "range", "unit": "rows", "inclusive": False}
    described(wire, "range", paging=paging, short_page_ends=True).pages()
    assert wire.seen[0].headers["Range"] == "rows=0-3"


LOGIN = {
    "kind": "login",
    "call": {"method": "POST", "path": "/login"},
    "token": "token",
    "use": {"params": {"key": "{{ token }}"}},
}


@pytest.mark.parametrize("auth", [{"kind": "key", "params": {"key": "k3y"}}, LOGIN])
def test_link_is_followed_without_what_the_credentials_put_there(
    wire: Wire, auth: dict[str, Any]
) -> None:
    wire.say(200, {"data": {"items": [{"id": 9}]}, "links": {"next": "?page=2&key=k3y&a=1&a=+x"}})
    wire.say(200, {"data": {"items": [{"id": 10}]}})
    api = described(wire, "link")
    api.more = {"auth": auth}
    pages = api.pages()
    assert ids(pages) == [9, 10]
    assert "k3y" not in str(pages[0].resume)
    assert wire.seen[1].path == "/customers"
    assert wire.seen[1].query == {"page": "2", "a": " x"}


def test_link_to_another_server_is_not_followed(wire: Wire, other_wire: Wire) -> None:
    links = {"next": f"{other_wire.url}/customers?page=2"}
    wire.say(200, {"data": {"items": [{"id": 1}]}, "links": links})
    with pytest.raises(ProtocolError, match="link to another server"):
        described(wire, "link").pages()
    assert other_wire.seen == []


def test_link_that_is_no_text_is_refused(wire: Wire) -> None:
    wire.say(200, {"data": {"items": [{"id": 1}]}, "links": {"next": {"href": "/x"}}})
    with pytest.raises(ProtocolError, match="link to the next page is no text"):
        described(wire, "link").pages()


@pytest.mark.parametrize("kind", ["none", "cursor", "offset"])
def test_more_without_a_way_to_it_is_an_error(wire: Wire, kind: str) -> None:
    wire.say(200, {"rows": [{"id": 1}], "more": True}).say(200, {"rows": [], "more": True})
    with pytest.raises(ProtocolError, match="more records follow, and not where"):
        described(wire, kind, rows="rows", more="more", page_size=1).pages()


def test_keyset_may_begin_with_the_row_it_ended_with(wire: Wire) -> None:
    wire.say(200, [{"id": 1}, {"id": 2}]).say(200, [{"id": 2}, {"id": 3}]).say(200, [{"id": 3}])
    assert ids(described(wire, "keyset", rows="").pages()) == [1, 2, 3]
    assert [seen.query.get("last") for seen in wire.seen] == [None, "2", "3"]


def test_keyset_without_its_key_is_refused(wire: Wire) -> None:
    wire.always(200, b'[{"id": 1}]')
    paging = {"kind": "keyset", "by": "meta.number"}
    with pytest.raises(ProtocolError, match=r"no 'meta\.number' to page by"):
        described(wire, "keyset", rows="", paging=paging).pages()


def test_last_page_given_again_is_the_end(wire: Wire) -> None:
    start(wire, "page", 8, is_clamping=True)
    assert ids(described(wire, "page").pages()) == list(range(1, 9))


def test_only_page_given_again_is_the_end_where_the_total_says_so(wire: Wire) -> None:
    start(wire, "page", 2, is_clamping=True)
    assert ids(described(wire, "page", total="total").pages()) == [1, 2]


@pytest.mark.parametrize("kind", ["page", "offset", "range", "keyset"])
def test_server_that_does_not_heed_the_page_is_noticed(wire: Wire, kind: str) -> None:
    rows = [{"id": number} for number in range(1, 9)]
    wire.each(lambda number: rows)
    with pytest.raises(ProtocolError, match="the same page twice") as caught:
        described(wire, kind, rows="").pages()
    assert "not to heed" in caught.value.hint


def test_same_cursor_twice_is_a_loop(wire: Wire) -> None:
    wire.each(lambda number: {"rows": [{"id": number}], "next": "a"})
    with pytest.raises(ProtocolError, match="the same next page twice"):
        described(wire, "cursor", rows="rows").pages()


def test_same_rows_behind_another_cursor_are_a_loop(wire: Wire) -> None:
    wire.each(lambda number: {"rows": [{"id": 1}, {"id": 2}], "next": f"c{number}"})
    with pytest.raises(ProtocolError, match="the same page twice"):
        described(wire, "cursor", rows="rows").pages()
    assert len(wire.seen) == 2


def test_object_that_is_not_described_is_a_mistake_of_the_mapping(wire: Wire) -> None:
    with pytest.raises(ConfigurationError, match="no object 'deals'"):
        described(wire, "page").pages(object="deals")


@pytest.mark.parametrize("token", ["{", '{"part":"sweep"}', '{"part":"deleted"}', "[]"])
def test_place_of_another_walk_is_refused(wire: Wire, token: str) -> None:
    start(wire, "page", 5)
    with pytest.raises(ProtocolError, match="stored place"):
        described(wire, "page").pages(resume=token)


def test_clock_of_the_server_is_read_less_the_time_until_it_told_it(wire: Wire) -> None:
    crm = start(wire, "page", 0, empty_status=404)
    times = iter([BEGUN + timedelta(hours=3), BEGUN + timedelta(hours=3, minutes=2)])
    deleted = listing("page", path="/deleted", empty=[404])
    api = described(wire, "page", {"deleted": deleted})
    api.now = lambda: next(times)

    def fill(number: int, crm: Any) -> None:
        crm.empty_status = 404 if number == 1 else 200

    crm.before = fill
    pages = api.pages(since=BEGUN)
    assert pages[-1].watermark == BEGUN - timedelta(minutes=2)


def test_answer_of_each_status_is_read_by_its_body(wire: Wire) -> None:
    wire.queue.append(Said(200, [{"id": 1}], {"Content-Type": "text/html"}))
    assert ids(described(wire, "none", rows="").pages()) == [1]
