"""Live values, notes, and settling by reading alone."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.zoho import ZohoAdapter
from connector.errors import ProtocolError
from connector.models import Change, OutcomeStatus, Ref, Step, StepKind
from connector.ports import NoteRef, NoteState, ReadRequest, RecordState

ONE, TWO = Ref("Accounts", "1"), Ref("Accounts", "2")
TEXT = "Title\nbody ABCDEFGHIJ"


def record(identifier: str = "1", **values: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "Tag": [{"name": "ours", "id": "5"}, {"name": "theirs", "id": "6"}],
        "Owner": {"id": "41", "name": "P"},
        "Modified_Time": "2026-05-14T11:36:17+08:00",
        "Modified_By": {"id": "42", "name": "Bot"},
    } | values


def note(identifier: str, content: str = "body ABCDEFGHIJ", title: str | None = "Title") -> Any:
    return {"id": identifier, "Note_Title": title, "Note_Content": content}


def rows(*found: Any, more: bool = False) -> dict[str, Any]:
    return {"data": list(found), "info": {"more_records": more}}


def test_a_record_is_read_with_all_that_a_guard_needs(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows(record(Customer_Status="Active")))
    (state,) = zoho.read(ReadRequest((ONE,), ("Customer_Status",)))
    assert state == RecordState(
        ONE,
        exists=True,
        tags=frozenset({"ours", "theirs"}),
        owner="41",
        fields={"Customer_Status": "Active"},
        version="2026-05-14T11:36:17+08:00",
        modified_by="42",
    )
    assert wire.seen[0].query == {
        "ids": "1",
        "fields": "Tag,Owner,Modified_Time,Modified_By,Customer_Status",
        "per_page": "200",
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("text", "text"),
        (None, None),
        (True, True),
        (12, 12),
        (12.5, "12.5"),
        ({"id": "9", "name": "x"}, "9"),
        ({"name": "x"}, "x"),
        (["a", "b"], "a;b"),
        ([], ""),
    ],
)
def test_values_are_scalars(value: Any, read: Any, wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows(record(Field=value)))
    (state,) = zoho.read(ReadRequest((ONE,), ("Field", "Not_There")))
    assert state.fields == {"Field": read}


def test_a_record_without_tags_and_people_is_still_a_record(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows({"id": "1", "Tag": None}))
    (state,) = zoho.read(ReadRequest((ONE,)))
    assert state == RecordState(ONE, exists=True)


def test_a_hundred_records_a_call_in_the_order_asked(wire: Any, zoho: ZohoAdapter) -> None:
    refs = tuple(Ref("Accounts", str(n)) for n in range(250, 0, -1))
    wire.route = lambda seen: _answer(wire, [record(i) for i in seen.query["ids"].split(",")[::-1]])
    assert [state.ref for state in zoho.read(ReadRequest(refs))] == list(refs)
    assert [len(seen.query["ids"].split(",")) for seen in wire.seen] == [100, 100, 50]


def _answer(wire: Any, found: list[Any]) -> Any:
    route = wire.route
    wire.always(200, rows(*found))
    said, wire.route = wire.route(None), route
    return said


def test_objects_are_read_apart_and_converted_leads_too(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows(record("1"))).say(200, rows(record("7")))
    refs = (ONE, Ref("Leads", "7"))
    assert [state.ref for state in zoho.read(ReadRequest(refs))] == list(refs)
    assert wire.seen[1].query["converted"] == "both"


def test_a_record_that_is_gone_does_not_exist(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(204)
    notes = (NoteRef(ONE, "ABCDEFGHIJ", "77"),)
    assert list(zoho.read(ReadRequest((ONE,), (), notes))) == [RecordState(ONE, exists=False)]
    assert len(wire.seen) == 1


def test_notes_with_known_ids_are_read_together(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows(record("1"), record("2"))).say(200, rows(note("77"), note("99", "foreign")))
    notes = (NoteRef(ONE, "ABCDEFGHIJ", "77"), NoteRef(TWO, "KLMNOPQRST", "78"))
    first, second = zoho.read(ReadRequest((ONE, TWO), (), notes))
    assert first.notes == (NoteState("ABCDEFGHIJ", "77", TEXT),)
    assert second.notes == ()
    assert wire.seen[1].path == "/crm/v8/Notes"
    assert wire.seen[1].query["ids"] == "77,78"


def test_a_note_without_a_known_id_is_looked_for_in_its_records_own_list(
    wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, rows(record("1"))).say(200, rows(note("70", "foreign"), more=True))
    wire.say(200, rows(note("77", "body\r\nABCDEFGHIJ")))
    (state,) = zoho.read(ReadRequest((ONE,), (), (NoteRef(ONE, "ABCDEFGHIJ"),)))
    assert state.notes == (NoteState("ABCDEFGHIJ", "77", "Title\nbody\nABCDEFGHIJ"),)
    assert [seen.path for seen in wire.seen[1:]] == ["/crm/v8/Accounts/1/Notes"] * 2
    assert (wire.seen[1].query["sort_by"], wire.seen[2].query["page"]) == ("id", "2")


@pytest.mark.parametrize("code", ["NOT_SUPPORTED", "NO_PERMISSION"])
def test_a_user_who_may_not_list_notes_reads_them_record_by_record(
    code: str, wire: Any, zoho: ZohoAdapter
) -> None:
    request = ReadRequest((ONE,), (), (NoteRef(ONE, "ABCDEFGHIJ", "77"),))
    wire.say(200, rows(record("1"))).say(403, {"code": code, "status": "error"})
    wire.say(200, rows(note("76"), note("77")))
    wire.say(200, rows(record("1"))).say(200, rows(note("77")))
    for _ in range(2):
        (state,) = zoho.read(request)
        assert state.notes == (NoteState("ABCDEFGHIJ", "77", TEXT),)
    assert sum(seen.path == "/crm/v8/Notes" for seen in wire.seen) == 1


def test_another_refusal_to_list_notes_is_an_error(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, rows(record("1"))).say(400, {"code": "INVALID_DATA", "status": "error"})
    with pytest.raises(ProtocolError, match="INVALID_DATA"):
        list(zoho.read(ReadRequest((ONE,), (), (NoteRef(ONE, "ABCDEFGHIJ", "77"),))))


DONE, ABSENT = OutcomeStatus.DONE, OutcomeStatus.ABSENT
CONFLICT, REFUSED = OutcomeStatus.CONFLICT, OutcomeStatus.REFUSED
STATUS = Step(StepKind.FIELD, "Customer_Status", "Active", "Void")
OWNER = Step(StepKind.OWNER, "", "41", "42")
ADD = Step(StepKind.TAG, "ours", before=False, after=True)
REMOVE = Step(StepKind.TAG, "ours", before=True, after=False)
PUT = Step(StepKind.NOTE, "ABCDEFGHIJ", before=None, after=TEXT)
REWRITE = Step(StepKind.NOTE, "ABCDEFGHIJ", before="old ABCDEFGHIJ", after=TEXT, remote_id="77")
DELETE = Step(StepKind.NOTE, "ABCDEFGHIJ", before=TEXT, after=None, remote_id="77")


def settled(zoho: ZohoAdapter, step: Step) -> tuple[OutcomeStatus, str | None]:
    (batch,) = zoho.batches(zoho.lower(Change("i", ONE, "rule", (step,))))
    (outcome,) = zoho.settle(batch)
    return outcome.status, outcome.remote_id


@pytest.mark.parametrize(
    ("step", "values", "status"),
    [
        (STATUS, {"Customer_Status": "Void"}, DONE),
        (STATUS, {"Customer_Status": "Active"}, ABSENT),
        (STATUS, {"Customer_Status": "Pool"}, CONFLICT),
        (STATUS, {}, OutcomeStatus.UNKNOWN),
        (OWNER, {"Owner": {"id": "42"}}, DONE),
        (OWNER, {}, ABSENT),
        (OWNER, {"Owner": {"id": "43"}}, CONFLICT),
        (ADD, {}, DONE),
        (ADD, {"Tag": []}, ABSENT),
        (REMOVE, {"Tag": []}, DONE),
        (REMOVE, {}, ABSENT),
    ],
)
def test_a_lost_write_is_settled_by_what_the_record_shows(
    step: Step, values: dict[str, Any], status: OutcomeStatus, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, rows(record(**values)))
    assert settled(zoho, step) == (status, None)
    assert {seen.method for seen in wire.seen} == {"GET"}


@pytest.mark.parametrize(
    ("step", "notes", "expected"),
    [
        (PUT, [note("70", "foreign"), note("77")], (DONE, "77")),
        (PUT, [note("70", "foreign")], (ABSENT, None)),
        (PUT, [note("77", "edited ABCDEFGHIJ")], (DONE, "77")),
        (REWRITE, [note("77")], (DONE, "77")),
        (REWRITE, [note("77", "old ABCDEFGHIJ", None)], (ABSENT, "77")),
        (REWRITE, [note("77", "edited")], (CONFLICT, "77")),
        (REWRITE, [], (CONFLICT, None)),
        (DELETE, [], (DONE, "77")),
        (DELETE, [note("77")], (ABSENT, "77")),
    ],
)
def test_a_lost_note_is_settled_by_the_notes_that_are_there(
    step: Step, notes: list[Any], expected: Any, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, rows(record())).say(200, rows(*notes))
    assert settled(zoho, step) == expected
    assert {seen.method for seen in wire.seen} == {"GET"}


@pytest.mark.parametrize("step", [STATUS, ADD, PUT, DELETE])
def test_nothing_can_be_done_on_a_record_that_is_gone(
    step: Step, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(204)
    assert settled(zoho, step)[0] is REFUSED
