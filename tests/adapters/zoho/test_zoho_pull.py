"""Walking a module when the server is slow, forgetful, wrong or in a circle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.zoho import ZohoAdapter
from connector.errors import AuthenticationError, ConfigurationError, ProtocolError
from connector.ports import Page, PullRequest

FIELDS = ("Account_Name", "Tag")
NOON = datetime(2026, 5, 14, 12, tzinfo=UTC)
DATE = {"Date": "Thu, 14 May 2026 13:00:00 GMT"}


def row(number: int, minute: int | None = None) -> dict[str, Any]:
    """Rendered in the user's own zone, as Zoho does."""
    at = f"2026-05-14T20:{number if minute is None else minute:02}:00+08:00"
    return {"id": str(number), "Account_Name": f"甲 {number}", "Modified_Time": at}


def listing(*rows: dict[str, Any], token: str | None = None, more: bool | None = None) -> Any:
    has_more = token is not None if more is None else more
    return {"data": list(rows), "info": {"more_records": has_more, "next_page_token": token}}


def pull(zoho: ZohoAdapter, **options: Any) -> list[Page]:
    return list(zoho.pull(PullRequest("Accounts", FIELDS, **options)))


def ids(pages: list[Page]) -> list[str]:
    return [json.loads(each)["id"] for page in pages for each in page.rows]


def refusal(code: str) -> dict[str, Any]:
    return {"code": code, "details": {}, "message": "secret-4711", "status": "error"}


def test_a_full_pull_asks_for_the_oldest_change_first(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, listing(row(1), token="t1")).say(200, listing(row(2)))
    assert ids(pull(zoho)) == ["1", "2"]
    first, second = wire.seen
    assert (first.method, first.path) == ("GET", "/crm/v8/Accounts")
    assert first.query == {
        "fields": "Account_Name,Tag,Modified_Time",
        "per_page": "200",
        "sort_by": "Modified_Time",
        "sort_order": "asc",
        "page": "1",
    }
    assert "page" not in second.query
    assert second.query["page_token"] == "t1"
    assert "If-Modified-Since" not in first.headers
    assert first.headers["Authorization"] == "Zoho-oauthtoken token-1"


def test_rows_are_the_bytes_that_came(wire: Any, zoho: ZohoAdapter) -> None:
    raw = '{"id":"1","Amount":12.50,  "Name":"\\u7532","Modified_Time":"2026-05-14T20:00:00+08:00"}'
    wire.say(200, b'{"data":[' + raw.encode() + b'],"info":{"more_records":false}}')
    assert pull(zoho)[0].rows == (raw.encode(),)


def test_page_numbers_go_on_where_there_is_no_token(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, listing(row(1), more=True)).say(200, listing(row(2)))
    assert ids(pull(zoho)) == ["1", "2"]
    assert wire.seen[1].query["page"] == "2"


def test_an_incremental_pull_asks_for_deletions_first(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [{"id": "8"}], "info": {"more_records": True}}, headers=DATE)
    wire.say(200, {"data": [{"id": "9"}], "info": {"more_records": False}})
    wire.say(200, listing(row(1)))
    pages = pull(zoho, since=NOON)
    assert [page.deleted for page in pages] == [("8",), ("9",), ()]
    assert [seen.path.rpartition("/")[2] for seen in wire.seen] == [
        "deleted",
        "deleted",
        "Accounts",
    ]
    assert {seen.headers["If-Modified-Since"] for seen in wire.seen} == {
        "2026-05-14T11:59:59+00:00"
    }
    assert wire.seen[1].query == {"type": "all", "per_page": "200", "page": "2"}
    assert pages[-1].watermark == datetime(2026, 5, 14, 13, tzinfo=UTC)


def test_a_pull_without_deletions_does_not_ask_for_them(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(304)
    (page,) = pull(zoho, since=NOON, deletions=False)
    assert (page.rows, page.resume) == ((), None)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_newer_is_an_empty_last_page(status: int, wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(status).say(status, headers=DATE)
    (page,) = pull(zoho, since=NOON)
    assert (page.rows, page.deleted, page.resume) == ((), (), None)
    assert page.watermark == datetime(2026, 5, 14, 13, tzinfo=UTC)


def test_watermarks_trail_the_rows_and_end_at_the_beginning_of_the_walk(
    wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, listing(row(1), row(2), token="a"), headers=DATE)
    wire.say(200, listing(row(3), token="b"), headers={"Date": "Thu, 14 May 2026 14:00:00 GMT"})
    wire.say(200, listing(row(4)), headers={"Date": "Thu, 14 May 2026 15:00:00 GMT"})
    pages = pull(zoho)
    assert [page.watermark for page in pages] == [
        datetime(2026, 5, 14, 12, 1, 59, tzinfo=UTC),
        datetime(2026, 5, 14, 12, 2, 59, tzinfo=UTC),
        datetime(2026, 5, 14, 13, tzinfo=UTC),
    ]


def test_a_change_during_the_walk_does_not_move_the_watermark_past_its_beginning(
    wire: Any, zoho: ZohoAdapter
) -> None:
    begun = {"Date": "Thu, 14 May 2026 12:30:00 GMT"}
    wire.say(200, listing(row(1), row(2, 45), token="a"), headers=begun).say(
        200, listing(row(3, 50))
    )
    assert [page.watermark for page in pull(zoho)] == [
        datetime(2026, 5, 14, 12, 30, tzinfo=UTC)
    ] * 2


def test_without_a_clock_the_last_row_is_the_watermark(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, listing(row(1), row(2)))
    assert pull(zoho)[0].watermark == datetime(2026, 5, 14, 12, 1, 59, tzinfo=UTC)
    wire.say(200, listing())
    assert pull(zoho)[0].watermark is None


@pytest.mark.parametrize("text", ["soon", "Fri, 31 Dec 9999 23:59:59 -0100"])
def test_a_clock_that_cannot_be_right_counts_as_none(
    text: str, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, listing(row(1)), headers={"Date": text})
    assert pull(zoho)[0].watermark == datetime(2026, 5, 14, 12, 0, 59, tzinfo=UTC)


def test_a_pull_goes_on_behind_a_page(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [{"id": "8"}], "info": {"more_records": True}})
    wire.say(200, {"data": [{"id": "9"}], "info": {"more_records": False}})
    wire.say(200, listing(row(1), token="t1")).say(200, listing(row(2)))
    pages = pull(zoho, since=NOON)
    asked = [(seen.path, seen.query, seen.headers["If-Modified-Since"]) for seen in wire.seen]
    wire.say(200, {"data": [{"id": "9"}], "info": {"more_records": False}})
    wire.say(200, listing(row(1), token="t1")).say(200, listing(row(2)))
    assert pull(zoho, since=NOON, resume=pages[0].resume) == pages[1:]
    wire.say(200, listing(row(2)))
    assert pull(zoho, since=NOON, resume=pages[2].resume) == pages[3:]
    again = [(seen.path, seen.query, seen.headers["If-Modified-Since"]) for seen in wire.seen[4:]]
    assert again == [*asked[1:], *asked[3:]]


@pytest.mark.parametrize("token", ["nonsense", '{"number":"x"}'])
def test_a_resume_token_of_somebody_else_is_refused(token: str, zoho: ZohoAdapter) -> None:
    with pytest.raises(ProtocolError, match="broken pull"):
        pull(zoho, resume=token)


@pytest.mark.parametrize(
    "code", ["TOKEN_BOUND_DATA_MISMATCH", "EXPIRED_VALUE", "PAGINATION_LIMIT_EXCEEDED"]
)
def test_a_walk_that_is_broken_off_begins_again_at_the_newest_row(
    code: str, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, listing(row(1), row(2), token="t1")).say(400, refusal(code))
    wire.say(200, listing(row(2), row(3)))
    assert ids(pull(zoho)) == ["1", "2", "2", "3"]
    last = wire.seen[-1]
    assert last.headers["If-Modified-Since"] == "2026-05-14T12:01:59+00:00"
    assert last.query["page"] == "1"


def test_a_walk_that_cannot_get_on_stops(wire: Any, zoho: ZohoAdapter) -> None:
    stuck = refusal("PAGINATION_LIMIT_EXCEEDED")
    wire.say(200, listing(row(1), token="a")).say(400, stuck)
    wire.say(200, listing(row(2, 1), token="b")).say(400, stuck)
    with pytest.raises(ProtocolError, match="share one modification time"):
        pull(zoho)


def test_another_refusal_is_not_taken_for_the_end_of_a_token(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(400, refusal("INVALID_MODULE"))
    with pytest.raises(ProtocolError, match=r"400 INVALID_MODULE, GET /crm/v8/Accounts") as caught:
        pull(zoho)
    assert "4711" not in caught.value.message


def test_a_refusal_wrapped_in_rows_is_read_too(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(401, {"data": [refusal("OAUTH_SCOPE_MISMATCH")]})
    with pytest.raises(AuthenticationError, match="OAUTH_SCOPE_MISMATCH"):
        pull(zoho)


def test_the_same_page_twice_is_a_circle(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, listing(row(1), token="a")).say(200, listing(row(1), token="b"))
    with pytest.raises(ProtocolError, match="same page twice"):
        pull(zoho)


def test_a_short_or_empty_page_with_more_behind_it_goes_on(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, listing(row(1), token="a")).say(200, listing(token="b")).say(200, listing(row(2)))
    assert ids(pull(zoho)) == ["1", "2"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"<html>4711</html>", "not JSON"),
        ({"data": [{"Phone": "4711"}]}, "$"),
        ({"data": {"id": "4711"}}, "$.data"),
        ({"data": [{"id": "1", "Modified_Time": "4711"}]}, "$.Modified_Time"),
    ],
)
def test_an_answer_of_another_shape_is_named_by_its_place(
    body: Any, place: str, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, body)
    with pytest.raises(ProtocolError) as caught:
        pull(zoho)
    assert "4711" not in caught.value.message
    assert f"(GET /crm/v8/Accounts: {place})" in caught.value.message


def test_no_more_fields_than_zoho_gives(zoho: ZohoAdapter) -> None:
    fields = tuple(f"Field_{number}" for number in range(50))
    with pytest.raises(ConfigurationError, match="51 fields of Accounts"):
        list(zoho.pull(PullRequest("Accounts", fields)))


def test_converted_leads_are_pulled_too(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(204)
    list(zoho.pull(PullRequest("Leads", FIELDS)))
    assert wire.seen[0].query["converted"] == "both"


def test_users_come_by_page_number_and_resume(wire: Any, zoho: ZohoAdapter) -> None:
    def users(number: int, *, more: bool) -> dict[str, Any]:
        return {"users": [{"id": str(number)}], "info": {"more_records": more}}

    request = PullRequest("users", ("full_name",), since=NOON)
    wire.say(200, users(1, more=True)).say(200, users(2, more=False))
    first, second = zoho.pull(request)
    wire.say(200, users(2, more=False))
    resumed = PullRequest("users", ("full_name",), resume=first.resume)
    assert list(zoho.pull(resumed)) == [second]
    assert [seen.query["page"] for seen in wire.seen] == ["1", "2", "2"]
    assert {seen.query["type"] for seen in wire.seen} == {"AllUsers"}
    assert all("If-Modified-Since" not in seen.headers for seen in wire.seen)
