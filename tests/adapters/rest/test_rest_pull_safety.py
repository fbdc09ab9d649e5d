"""A walk loses no record unseen: servers that sort badly, rows that come and go, wrong totals."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.rest.pulling.walking import Limits
from connector.errors import ProtocolError
from tests.adapters.conftest import Wire
from tests.adapters.rest.listed_crm import PAGING, described, ids, records, start

NUMBERED = ["page", "offset", "range"]
TOKENS = ["cursor", "cursor_header", "link", "link_header"]


def complete(pages: list[Any]) -> set[int]:
    """The ids of the last attempt at least."""
    return set(ids(pages))


@pytest.mark.parametrize("kind", NUMBERED)
def test_unstable_order_is_refused_with_advice(wire: Wire, kind: str) -> None:
    crm = start(wire, kind, 40, is_unstable=True)
    with pytest.raises(ProtocolError, match=r"moved between pages|lists") as caught:
        described(wire, kind, page_size=10).pages()
    assert "page by the unique key" in caught.value.hint
    assert len(crm.asked) < 20


def test_unstable_order_behind_a_cursor_shows_in_the_total(wire: Wire) -> None:
    start(wire, "cursor", 40, is_unstable=True)
    with pytest.raises(ProtocolError, match="counts 40 records of customers and lists"):
        described(wire, "cursor", page_size=10, total="total").pages()


def test_keyset_over_another_order_is_refused(wire: Wire) -> None:
    crm = start(wire, "keyset", 9)
    crm.rows = crm.rows[::-1]
    with pytest.raises(ProtocolError, match="moved between pages") as caught:
        described(wire, "keyset").pages()
    assert "sort the list by its id" in caught.value.hint


@pytest.mark.parametrize("kind", ["offset", "range"])
def test_walk_begins_again_when_a_row_before_it_went(wire: Wire, kind: str) -> None:
    def remove(number: int, crm: Any) -> None:
        if number == 3:
            crm.rows = crm.rows[1:]

    crm = start(wire, kind, 9, before=remove)
    pages = described(wire, kind).pages()
    assert set(range(2, 10)) <= complete(pages)
    assert len(crm.asked) > 6
    assert all(page.resume for page in pages[:-1])


@pytest.mark.parametrize("kind", ["offset", "range"])
def test_rows_that_go_all_the_time_are_refused(wire: Wire, kind: str) -> None:
    def remove(number: int, crm: Any) -> None:
        crm.rows = crm.rows[1:]

    start(wire, kind, 40, before=remove)
    with pytest.raises(ProtocolError, match="moved between pages while they were listed"):
        described(wire, kind).pages()


def test_same_page_again_because_rows_moved_is_no_loop(wire: Wire) -> None:
    def add(number: int, crm: Any) -> None:
        if number == 2:
            crm.rows = [{"id": 100}, {"id": 101}, *crm.rows]

    start(wire, "offset", 5, before=add)
    assert complete(described(wire, "offset").pages()) == {100, 101, *range(1, 6)}


def test_seam_holds_over_a_broken_walk(wire: Wire) -> None:
    crm = start(wire, "offset", 9)
    api = described(wire, "offset")
    first = api.pages()[0]
    crm.rows = crm.rows[1:]
    rest = api.pages(resume=first.resume)
    assert rest[0].rows == ()
    assert ids(rest) == list(range(2, 10))


def test_last_row_that_went_is_noticed(wire: Wire) -> None:
    def remove(number: int, crm: Any) -> None:
        if number == 4:
            crm.rows = crm.rows[:-1]

    start(wire, "offset", 7, before=remove)
    assert complete(described(wire, "offset").pages()) == set(range(1, 8))


def test_page_number_walk_begins_again_when_a_row_comes_twice(wire: Wire) -> None:
    def add(number: int, crm: Any) -> None:
        if number == 2:
            crm.rows = [{"id": 100}, *crm.rows]

    crm = start(wire, "page", 9, before=add)
    pages = described(wire, "page").pages()
    assert complete(pages) == {100, *range(1, 10)}
    assert [query["page"] for query in crm.asked] == ["1", "2", "1", "2", "3", "4", "5"]


def test_page_number_walk_begins_again_when_the_count_fell(wire: Wire) -> None:
    """A record behind the walk was deleted, and another one slipped over to a page it had had."""

    def remove(number: int, crm: Any) -> None:
        if number == 2:
            crm.rows = crm.rows[1:]

    start(wire, "page", 9, before=remove)
    pages = described(wire, "page", total="total").pages()
    assert complete(pages) == set(range(1, 10))


@pytest.mark.parametrize("kind", sorted(PAGING))
@pytest.mark.parametrize("step", [1, -1])
def test_total_that_changes_meanwhile_is_no_error(wire: Wire, kind: str, step: int) -> None:
    """Somebody adds records at the end, or removes what the walk has not yet come to."""

    def change(number: int, crm: Any) -> None:
        count = len(crm.rows) + step
        if number == 2:
            crm.rows = records(count)

    start(wire, kind, 8, before=change)
    total = PAGING[kind].get("total", "total")
    pages = described(wire, kind, total=total).pages()
    assert set(range(1, 8)) <= complete(pages)
    assert kind == "page" or len(ids(pages)) == len(complete(pages))


@pytest.mark.parametrize("kind", ["page", "offset", "keyset", "cursor", "none"])
def test_total_that_is_never_reached_is_refused(wire: Wire, kind: str) -> None:
    crm = start(wire, kind, 8, total=lambda count: count + 2)
    with pytest.raises(ProtocolError, match="counts 10 records of customers and lists 8") as caught:
        described(wire, kind, total="total").pages()
    assert "leave `total` out" in caught.value.hint
    crm.asked.clear()
    assert len(ids(described(wire, kind).pages())) == 8


@pytest.mark.parametrize("total", [None, -1, "*", "many", 2.5, True])
def test_total_that_is_no_count_is_not_known(wire: Wire, total: Any) -> None:
    start(wire, "page", 5, total=lambda count: total)
    assert len(ids(described(wire, "page", total="total").pages())) == 5


def test_total_may_be_a_text(wire: Wire) -> None:
    start(wire, "page", 5, total=lambda count: str(count + 1))
    with pytest.raises(ProtocolError, match="counts 6"):
        described(wire, "page", total="total").pages()


def test_changes_are_not_held_against_the_total(wire: Wire) -> None:
    crm = start(wire, "page", 5, total=lambda count: 500)
    form = {"modified": "modified", "changes": {"params": {"since": "{{ since | iso }}"}}}
    assert len(ids(described(wire, "page", form, total="total").pages(since=crm.date))) == 5


@pytest.mark.parametrize("kind", TOKENS)
def test_record_that_moves_to_the_end_comes_twice_and_is_no_error(wire: Wire, kind: str) -> None:
    def move(number: int, crm: Any) -> None:
        if number == 3:
            crm.rows = [*crm.rows, crm.rows[0]]

    start(wire, kind, 8, before=move)
    assert ids(described(wire, kind).pages()) == [*range(1, 9), 1]


def test_endless_pages_of_new_records_end_at_twice_the_total(wire: Wire) -> None:
    wire.each(lambda number: {"rows": [{"id": number}], "next": f"c{number}", "total": 3})
    api = described(wire, "cursor", rows="rows", total="total")
    api.limits = Limits(slack=2)
    with pytest.raises(ProtocolError, match="more than 8 records of customers"):
        api.pages()
    assert len(wire.seen) == 9


def test_endless_pages_without_a_total_end_somewhere(wire: Wire) -> None:
    wire.each(lambda number: [{"id": number}])
    api = described(wire, "page", rows="")
    api.limits = Limits(rows=5)
    with pytest.raises(ProtocolError, match="more than 5 records"):
        api.pages()


def test_endless_empty_pages_end(wire: Wire) -> None:
    wire.each(lambda number: {"rows": [], "next": f"c{number}"})
    api = described(wire, "cursor", rows="rows")
    api.limits = Limits(empty_pages=4)
    with pytest.raises(ProtocolError, match="5 empty pages in a row"):
        api.pages()


def test_rows_without_an_id_count_too(wire: Wire) -> None:
    """They are rejected later on, and nothing is missing."""
    rows = [{"id": 1}, {"name": "nobody"}, {"id": None}, "text", {"id": 5}, {"id": ""}, {"id": 7}]
    crm = start(wire, "page", 7)
    crm.rows = rows  # type: ignore[assignment]
    crm._wanted = lambda query: crm.rows  # type: ignore[method-assign]
    pages = described(wire, "page", total="total").pages()
    assert sum(len(page.rows) for page in pages) == 7


def test_offset_goes_on_without_a_seam_behind_a_row_without_an_id(wire: Wire) -> None:
    wire.say(200, [{"id": 1}, {"name": "nobody"}]).say(200, [{"id": 3}]).say(200, [{"id": 3}])
    pages = described(wire, "offset", rows="", page_size=2).pages()
    assert sum(len(page.rows) for page in pages) == 3
    assert [seen.query["offset"] for seen in wire.seen] == ["0", "2", "2"]


def test_page_of_one_row_is_paged_without_a_seam(wire: Wire) -> None:
    start(wire, "offset", 3)
    assert ids(described(wire, "offset", page_size=1).pages()) == [1, 2, 3]


@pytest.mark.parametrize("form", [{"id": "Id"}, {"id": "meta.id"}])
def test_wrong_path_of_the_id_is_named(wire: Wire, form: dict[str, Any]) -> None:
    start(wire, "page", 5)
    with pytest.raises(ProtocolError, match=f"has an id at '{form['id']}'"):
        described(wire, "page", form).pages()


def test_a_full_page_that_nothing_follows_is_no_whole_list(wire: Wire) -> None:
    start(wire, "none", 3)
    with pytest.raises(ProtocolError, match="has 3 rows or more") as caught:
        described(wire, "none", params={"limit": "{{ limit }}"}).pages()
    assert "`paging`" in caught.value.hint


def test_a_list_that_was_asked_for_without_a_limit_is_whole(wire: Wire) -> None:
    start(wire, "none", 3)
    assert ids(described(wire, "none").pages()) == [1, 2, 3]
