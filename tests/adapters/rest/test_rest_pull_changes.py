"""What changed since a moment, what was deleted, and up to which moment everything is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from connector.errors import ConfigurationError
from connector.ports import PullRequest
from tests.adapters.conftest import Wire
from tests.adapters.rest.listed_crm import BEGUN, Described, described, ids, listing, start

SINCE = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
BY_TIME: dict[str, Any] = {"params": {"since": "{{ since | iso('%Y-%m-%dT%H:%M:%S') }}"}}
FORM: dict[str, Any] = {"modified": "modified", "changes": BY_TIME}


def at(minute: int) -> str:
    return f"2026-11-22T06:{minute:02d}:00"


def test_only_what_changed_is_asked_for_with_an_overlap(wire: Wire) -> None:
    rows = [{"id": number, "modified": at(number + 50)} for number in range(1, 10)]
    crm = start(wire, "page", rows)
    pages = described(wire, "page", FORM).pages(since=SINCE)
    assert ids(pages) == [9]
    assert crm.asked[0]["since"] == "2026-11-22T06:59:00"
    assert pages[-1].watermark == BEGUN


def test_overlap_is_as_long_as_the_description_says(wire: Wire) -> None:
    crm = start(wire, "page", 0)
    form = FORM | {"changes": BY_TIME | {"overlap_seconds": 600}}
    described(wire, "page", form).pages(since=SINCE)
    assert crm.asked[0]["since"] == "2026-11-22T06:50:00"


def test_full_pull_does_not_ask_for_changes(wire: Wire) -> None:
    crm = start(wire, "page", 5)
    described(wire, "page", FORM).pages()
    assert all("since" not in query for query in crm.asked)


def test_changes_are_laid_over_every_part_of_the_listing(wire: Wire) -> None:
    wire.always(200, b"[]")
    body = {"query": {"limit": "{{ limit }}", "sort": "id"}, "flat": [1]}
    form = {"method": "POST", "path": "/all", "headers": {"A": "1", "B": "1"}, "json": body}
    changes = {
        "path": "/changed",
        "headers": {"B": "2"},
        "json": {"query": {"sort": "time"}, "flat": [2]},
        "params": {"x": None},
    }
    api = Described(wire.url, FORM | {"list": form | {"params": {"x": 1}}, "changes": changes})
    api.pages(since=SINCE)
    seen = wire.seen[0]
    assert (seen.path, seen.query) == ("/changed", {})
    assert (seen.headers["A"], seen.headers["B"]) == ("1", "2")
    assert seen.json == {"query": {"limit": 100, "sort": "time"}, "flat": [2]}


def test_object_without_changes_is_walked_whole(wire: Wire) -> None:
    crm = start(wire, "page", 5)
    assert ids(described(wire, "page").pages(since=SINCE)) == [1, 2, 3, 4, 5]
    assert all("since" not in query for query in crm.asked)


def test_changed_records_that_move_between_pages_are_noticed(wire: Wire) -> None:
    """A record that is edited meanwhile goes to the end, and another one slips over the seam."""

    def edit(number: int, crm: Any) -> None:
        if number == 2:
            crm.rows = [*crm.rows[1:], crm.rows[0]]

    rows = [{"id": number, "modified": "2026-11-22T07:30:00"} for number in range(1, 9)]
    start(wire, "offset", rows, before=edit)
    assert set(ids(described(wire, "offset", FORM).pages(since=SINCE))) == set(range(1, 9))


TOMBSTONE: dict[str, Any] = FORM | {"changes": BY_TIME | {"tombstone": "deleted"}}


@pytest.mark.parametrize(
    ("told", "is_"), [(True, None), ("gone", ["gone", "merged"]), (1, None), (-1, [-1])]
)
def test_tombstones_among_the_rows_are_deletions(wire: Wire, told: Any, is_: Any) -> None:
    rows = [{"id": 1}, {"id": 2, "deleted": told}, {"id": "3", "deleted": told}, {"deleted": told}]
    start(wire, "none", rows)
    tombstone = {"path": "deleted"} | ({"is": is_} if is_ else {})
    form = FORM | {"changes": BY_TIME | {"tombstone": tombstone}}
    [page] = described(wire, "none", form).pages(since=SINCE)
    assert page.deleted == ("2", "3")
    assert len(page.rows) == 2


def test_walk_without_tombstones_gives_all_its_rows(wire: Wire) -> None:
    start(wire, "none", [{"id": 1, "deleted": False}, {"id": 2}])
    form = FORM | {"changes": BY_TIME | {"tombstone": {"path": "deleted"}}}
    assert ids(described(wire, "none", form).pages(since=SINCE)) == [1, 2]


def with_deleted(wire: Wire) -> Described:
    path = {"path": "/deleted", "params": {"after": "{{ since | epoch }}"}, "id": "record.id"}
    return described(wire, "page", FORM | {"deleted": listing("page", **path)})


def test_deleted_list_is_walked_first(wire: Wire) -> None:
    gone = [{"record": {"id": number}} for number in (4, 5)]
    wire.say(200, {"data": {"items": gone}}).say(200, {"data": {"items": []}})
    wire.say(200, {"data": {"items": [{"id": 4}]}}).say(200, {"data": {"items": []}})
    pages = with_deleted(wire).pages(since=SINCE)
    assert [page.deleted for page in pages] == [("4", "5"), (), (), ()]
    assert ids(pages) == [4]
    assert [seen.path for seen in wire.seen] == ["/deleted"] * 2 + ["/customers"] * 2
    assert wire.seen[0].query["after"] == str(int(SINCE.timestamp()) - 60)


def test_walk_goes_on_behind_any_page_of_the_deleted_list(wire: Wire) -> None:
    gone = [{"record": {"id": number}} for number in (4, 5)]
    for _ in range(5):
        wire.say(200, {"data": {"items": gone}}).say(200, {"data": {"items": []}})
        wire.say(200, {"data": {"items": [{"id": 4}]}}).say(200, {"data": {"items": []}})
    api = with_deleted(wire)
    pages = api.pages(since=SINCE)
    for count, page in enumerate(pages[:-1], start=1):
        wire.seen.clear()
        for _ in range(count):
            wire.queue.popleft()
        rest = api.pages(since=SINCE, resume=page.resume)
        assert len(rest) == len(wire.seen) == 4 - count
        assert ids(pages[:count]) + ids(rest) == [4]


@pytest.mark.parametrize("request_", [{"since": None}, {"since": SINCE, "deletions": False}])
def test_deleted_list_and_sweep_are_left_out_when_nobody_asks(
    wire: Wire, request_: dict[str, Any]
) -> None:
    wire.always(200, b'{"data": {"items": []}}')
    api = with_deleted(wire)
    api.object = api.object | {"sweep": {}}
    api.pages(**request_)
    assert [seen.path for seen in wire.seen] == ["/customers"]


def test_sweep_names_all_that_exist(wire: Wire) -> None:
    rows: list[Any] = [{"id": n, "modified": at(n)} for n in range(1, 8)]
    rows += [{"id": 8, "modified": "2026-11-22T07:30:00"}, {"name": "nobody", "modified": at(0)}]
    crm = start(wire, "page", rows)
    form = FORM | {"sweep": {"params": {"fields": "id"}, "page_size": 4}}
    pages = described(wire, "page", form, total="total").pages(since=SINCE)
    assert ids(pages) == [8]
    assert [page.present for page in pages] == [
        (),
        (),
        ("1", "2", "3", "4"),
        ("5", "6", "7", "8"),
        (),
        (),
    ]
    assert crm.asked[2] == {"limit": "4", "page": "1", "fields": "id"}
    assert pages[-1].watermark == BEGUN
    assert all(page.resume for page in pages[:-1])


def test_sweep_can_be_asked_for_in_a_body(wire: Wire) -> None:
    wire.always(200, b"[]")
    form = {"method": "POST", "path": "/all", "json": {"fields": ["id", "name"], "size": 1}}
    sweep = {"json": {"fields": ["id"]}}
    api = Described(wire.url, FORM | {"list": form, "sweep": sweep})
    api.pages(since=SINCE)
    assert wire.seen[-1].json == {"fields": ["id"], "size": 1}


def test_sweep_leaves_out_the_tombstones(wire: Wire) -> None:
    start(wire, "none", [{"id": 1}, {"id": 2, "deleted": True}])
    form = FORM | {"changes": BY_TIME | {"tombstone": {"path": "deleted"}}, "sweep": {}}
    pages = described(wire, "none", form).pages(since=SINCE)
    assert pages[-1].present == ("1",)


def test_sweep_goes_on_where_it_stopped(wire: Wire) -> None:
    start(wire, "keyset", [{"id": n, "modified": at(n)} for n in range(1, 9)])
    api = described(wire, "keyset", FORM | {"sweep": {}})
    pages = api.pages(since=SINCE)
    for count, page in enumerate(pages[:-1], start=1):
        rest = api.pages(since=SINCE, resume=page.resume)
        named = [each for page in (*pages[:count], *rest) for each in page.present]
        assert named == [str(number) for number in range(1, 9)]


class TestWithoutAClock:
    """Servers that send no Date header."""

    def pull(self, wire: Wire, rows: list[Any], modified: Any, **request: Any) -> Any:
        start(wire, "page", rows, date=None)
        api = described(wire, "page", {"modified": modified, "changes": BY_TIME})
        api.more = {"server": {"url": wire.url, "timezone": "Asia/Kolkata"}}
        return api.pages(**request)[-1].watermark

    def test_ours_counts_with_a_margin(self, wire: Wire) -> None:
        rows = [{"id": 1, "modified": None}]
        assert self.pull(wire, rows, "modified") == BEGUN - timedelta(minutes=5)

    def test_object_without_moments_is_covered_by_ours(self, wire: Wire) -> None:
        start(wire, "page", 3, date=None)
        pages = described(wire, "page").pages()
        assert pages[-1].watermark == BEGUN - timedelta(minutes=5)

    def test_nothing_new_moves_nothing(self, wire: Wire) -> None:
        assert self.pull(wire, [], "modified", since=SINCE) is None

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            ("iso", "2026-11-22T05:30:00Z"),
            ("iso", "2026-11-22T11:00:00+0530"),
            ("iso", "2026-11-22T13:30:00.000+08:00"),
            ("iso", "2026-11-22 11:00:00"),
            ("utc", "2026-11-22 05:30:00"),
            ("local", "2026-11-22 11:00:00"),
            ("epoch_seconds", 1795325400),
            ("epoch_seconds", "1795325400"),
            ("epoch_milliseconds", 1795325400000),
        ],
    )
    def test_newest_change_bounds_it(self, wire: Wire, form: str, value: Any) -> None:
        rows = [{"id": 1, "modified": value}, {"id": 2, "modified": None}]
        found = self.pull(wire, rows, {"path": "modified", "as": form})
        assert found == datetime(2026, 11, 22, 5, 30, tzinfo=UTC)

    def test_change_in_the_future_does_not(self, wire: Wire) -> None:
        rows = [{"id": 1, "modified": "2099-01-01T00:00:00Z"}]
        assert self.pull(wire, rows, "modified") == BEGUN - timedelta(minutes=5)

    def test_creation_stands_in_while_nothing_has_changed(self, wire: Wire) -> None:
        rows = [{"id": 1, "modified": None, "made": at(7) + "Z"}, {"id": 2, "modified": at(5)}]
        modified = {"path": "modified", "created": "made"}
        assert self.pull(wire, rows, modified) == datetime(2026, 11, 22, 6, 7, tzinfo=UTC)

    def test_newest_change_is_known_over_pages_and_processes(self, wire: Wire) -> None:
        rows = [{"id": n, "modified": at(9 - n) + "Z"} for n in range(1, 7)]
        start(wire, "page", rows, date=None)
        api = described(wire, "page", {"modified": "modified"})
        first = next(api.puller().pull(PullRequest("customers", ())))
        [*_, last] = api.pages(resume=first.resume)
        assert last.watermark == datetime(2026, 11, 22, 6, 8, tzinfo=UTC)
        assert msgspec.json.decode(first.resume or "")["newest"] == "2026-11-22T06:08:00Z"

    def test_zone_that_nobody_knows_is_a_mistake_of_the_description(self, wire: Wire) -> None:
        start(wire, "page", 1, date=None)
        api = described(wire, "page", {"modified": "modified"})
        api.more = {"server": {"url": wire.url, "timezone": "Mars/Olympus"}}
        with pytest.raises(ConfigurationError, match="time zone"):
            api.pages()
