"""Short lists come over several pages, whole or not at all: catalogues, links and notes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import FileProblems, ProtocolError
from connector.models import OutcomeStatus
from connector.ports import NoteRef, ReadRequest
from tests.adapters.rest.flavours import (
    JOINED,
    NAMED_LINKS,
    NOTES,
    NOTES_TOGETHER,
    PAGED_COMMANDS,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import MARK, Desk, note, statuses, tag, told

DONE, PARKED = OutcomeStatus.DONE, OutcomeStatus.PARKED
BLANK = Behaviour(tags="commands", blank=True)
CATALOGUED = Flavour(BLANK, parts=(UPDATE, PAGED_COMMANDS))
LINKED = Flavour(Behaviour(tags="links", blank=True), parts=(UPDATE, JOINED))
TOGETHER = Flavour(Behaviour(blank=True), parts=(UPDATE, NOTES_TOGETHER))

Open = Callable[[Flavour], Desk]


class TestCatalogue:
    def test_empty_one_may_be_not_found_and_is_filled(self, desk: Open) -> None:
        at = desk(CATALOGUED)
        ref = at.add()
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert at.tags(ref) == ["gold"]

    def test_tag_on_a_later_page_is_not_made_again(self, desk: Open) -> None:
        at = desk(CATALOGUED)
        for name in ("a", "b", "c", "d", "gold"):
            at.crm.tag_number(name)
        ref = at.add()
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert at.sent("/tags") == []

    def test_pages_that_repeat_are_an_error_and_make_no_tag(self, desk: Open) -> None:
        at = desk(CATALOGUED)
        ref = at.add()
        for _ in range(9):
            at.crm.say("GET /api/tags", 200, [{"id": 1, "label": "a"}, {"id": 2, "label": "b"}])
        with pytest.raises(ProtocolError, match="same page twice"):
            at.do(ref, tag("gold"))
        assert at.sent() == []

    def test_count_that_is_not_reached_makes_no_tag(self, desk: Open) -> None:
        text = PAGED_COMMANDS.replace("empty: [404]", "empty: [404], rows: rows, total: count")
        at = desk(Flavour(BLANK, parts=(UPDATE, text)))
        ref = at.add()
        for _ in range(3):
            at.crm.say("GET /api/tags", 200, {"rows": [{"id": 1, "label": "a"}], "count": 2})
            at.crm.say("GET /api/tags", 200, {"rows": [], "count": 2})
        with pytest.raises(ProtocolError, match="counts 2 records of tags and lists 1"):
            at.do(ref, tag("gold"))
        assert at.sent() == []

    def test_list_that_was_whole_the_second_time_is_right(self, desk: Open) -> None:
        text = PAGED_COMMANDS.replace("empty: [404]", "empty: [404], rows: rows, total: count")
        at = desk(Flavour(BLANK, parts=(UPDATE, text)))
        ref = at.add()
        number = at.crm.tag_number("gold")
        rows = [{"id": 99, "label": "old"}, {"id": number, "label": "gold"}]
        for shown in ([rows[0]], [], rows, []):
            at.crm.say("GET /api/tags", 200, {"rows": shown, "count": 2})
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert at.sent("/tags") == []

    def test_page_that_is_refused_later_on_is_an_error(self, desk: Open) -> None:
        at = desk(Flavour(BLANK, parts=(UPDATE, PAGED_COMMANDS.replace("empty: [404]", ""))))
        ref = at.add()
        for name in ("a", "b"):
            at.crm.tag_number(name)
        with pytest.raises(ProtocolError, match="404"):
            at.do(ref, tag("gold"))

    @pytest.mark.parametrize("row", [b'[{"id": 1, "label": "\xff"}]', b"[" * 3000 + b"]" * 3000])
    def test_row_that_is_no_json_is_an_error(self, row: bytes, desk: Open) -> None:
        at = desk(CATALOGUED)
        ref = at.add()
        at.crm.say("GET /api/tags", 200, row)
        with pytest.raises(ProtocolError):
            at.do(ref, tag("gold"))
        assert at.sent() == []


class TestLinks:
    def test_names_alone_are_rows_too(self, desk: Open) -> None:
        at = desk(
            Flavour(Behaviour(tags="links"), parts=(NAMED_LINKS.replace("  of: label\n", ""),))
        )
        ref = at.add()
        at.crm.say("GET /api/customers/.*/tags", 200, ["gold", "cold"])
        assert at.state(ref).tags == {"gold", "cold"}

    def test_links_are_shown_over_all_pages(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        for name in "abcde":
            at.crm.add_tag(int(ref.id), name)
        assert at.state(ref).tags == set("abcde")

    def test_link_is_removed_by_its_own_id(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        at.do(ref, tag("gold"), tag("cold"))
        assert statuses(at.do(ref, tag("gold", present=False))) == [DONE]
        assert [each.path for each in at.sent("/links/")] == [f"/api/links/{ref.id}%2F0"]
        assert at.tags(ref) == ["cold"]

    def test_link_that_is_there_is_not_made_twice(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        at.crm.add_tag(int(ref.id), "gold")
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert at.sent() == []

    def test_link_that_is_not_there_needs_no_removing(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        at.crm.tag_number("gold")
        assert statuses(at.do(ref, tag("gold", present=False))) == [DONE]
        assert at.sent() == []

    def test_what_was_linked_twice_is_removed_twice(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        number = at.crm.tag_number("gold")
        at.crm.edit(int(ref.id), tags=[number, number])
        rows = [{"link": f"{ref.id}/{place}", "tag": number} for place in (1, 0)]
        at.crm.say("GET /api/links", 200, rows)
        at.crm.say("GET /api/links", 200, [])
        assert statuses(at.do(ref, tag("gold", present=False))) == [DONE]
        assert at.tags(ref) == []

    def test_removal_that_stops_half_way_is_parked(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        number = at.crm.tag_number("gold")
        at.crm.edit(int(ref.id), tags=[number, number])
        rows = [{"link": f"{ref.id}/{place}", "tag": number} for place in (1, 0)]
        at.crm.say("GET /api/links", 200, rows)
        at.crm.say("GET /api/links", 200, [])
        at.crm.say("DELETE", 204, None)
        at.crm.say("DELETE", 401, {})
        assert told(at.do(ref, tag("gold", present=False))) == [("parked", "NOT_SENT")]

    def test_error_before_anything_was_removed_leaves(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        at.crm.add_tag(int(ref.id), "gold")
        at.crm.say("DELETE", 401, {})
        with pytest.raises(Exception, match="credentials"):
            at.do(ref, tag("gold", present=False))

    def test_link_without_an_id_is_an_error(self, desk: Open) -> None:
        at = desk(LINKED)
        ref = at.add()
        at.crm.say("GET /api/links", 200, [{"tag": at.crm.tag_number("gold")}])
        at.crm.say("GET /api/links", 200, [])
        with pytest.raises(ProtocolError, match="no id at 'link'"):
            at.do(ref, tag("gold", present=False))
        at.crm.say("GET /api/links", 200, [{"link": "1/0"}])
        at.crm.say("GET /api/links", 200, [])
        with pytest.raises(ProtocolError, match="no name"):
            at.state(ref)

    @pytest.mark.parametrize("key", ["link_id: id", "tag_id: id"])
    def test_paths_in_a_list_that_is_not_there_are_refused(self, key: str, desk: Open) -> None:
        text = NAMED_LINKS.replace("  of: label\n", f"  {key}\n")
        lines = [line for line in text.splitlines() if "list:" not in line or key[0] == "t"]
        text = "\n".join([*lines, "  field: tags" if key[0] == "l" else ""]) + "\n"
        with pytest.raises(FileProblems, match="which is missing"):
            desk(Flavour(Behaviour(tags="links"), parts=(text,)))


class TestNotes:
    def looks(self, at: Desk) -> list[str]:
        asked = [each for each in at.crm.seen if each.path == "/api/notes" and not each.writes]
        return [each.query["customer"] for each in asked if each.query["page"] == "0"]

    def test_several_are_looked_for_in_one_call(self, desk: Open) -> None:
        at = desk(TOGETHER)
        refs = [at.add() for _ in range(5)]
        marks = [f"{letter * 10}" for letter in "ABCDE"]
        for ref, mark in zip(refs, marks, strict=True):
            at.crm.add_note(int(ref.id), f"ours {mark}")
            at.crm.add_note(int(ref.id), "somebody else's")
        wanted = tuple(NoteRef(ref, mark) for ref, mark in zip(refs, marks, strict=True))
        states = list(at.adapter.read(ReadRequest(tuple(refs), (), wanted)))
        assert [state.notes[0].text for state in states] == [f"ours {mark}" for mark in marks]
        ids = [ref.id for ref in refs]
        assert self.looks(at) == [",".join(ids[:3]), ",".join(ids[3:])]

    def test_copy_at_another_customer_is_not_ours(self, desk: Open) -> None:
        at = desk(TOGETHER)
        ours, other = at.add(), at.add()
        at.crm.add_note(int(other.id), f"copied {MARK}")
        identifier = at.crm.add_note(int(ours.id), f"ours {MARK}")
        wanted = (NoteRef(ours, MARK), NoteRef(other, "B" * 10))
        states = list(at.adapter.read(ReadRequest((ours, other), (), wanted)))
        assert [[each.remote_id for each in state.notes] for state in states] == [[identifier], []]

    def test_note_is_found_by_its_id_where_that_is_known(self, desk: Open) -> None:
        at = desk(TOGETHER)
        ref = at.add()
        identifier = at.crm.add_note(int(ref.id), "the marker was edited away")
        wanted = (NoteRef(ref, MARK, identifier),)
        (state,) = at.adapter.read(ReadRequest((ref,), (), wanted))
        assert [each.remote_id for each in state.notes] == [identifier]

    def test_lost_note_is_found_again(self, desk: Open) -> None:
        at = desk(TOGETHER)
        ref = at.add()
        at.crm.fault = "lose"
        (batch,) = at.batches(at.lowered(ref, note()))
        assert statuses(at.adapter.send(batch)) == [OutcomeStatus.UNKNOWN]
        assert statuses(at.adapter.settle(batch)) == [DONE]

    def test_call_that_asks_for_one_and_for_several_is_refused(self, desk: Open) -> None:
        text = NOTES.replace("{{ marker }}", "{{ markers | join(',') }}")
        with pytest.raises(FileProblems, match="for one note"):
            desk(Flavour(Behaviour(), parts=(text,)))
