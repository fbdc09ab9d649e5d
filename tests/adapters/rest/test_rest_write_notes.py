"""Notes that are records of their own: once for each marker, whatever happens to the answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import ProtocolError
from connector.models import OutcomeStatus, PrimitiveKind, Ref
from connector.ports import NoteRef, ReadRequest
from tests.adapters.rest.flavours import (
    BLIND,
    FIXED,
    KEYED,
    MANY_NOTES,
    NOTES,
    REMARK,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import MARK, TEXT, Desk, field, note, statuses, told

DONE, ABSENT, UNKNOWN = OutcomeStatus.DONE, OutcomeStatus.ABSENT, OutcomeStatus.UNKNOWN
PLAIN = Flavour(Behaviour(), parts=(NOTES,))
SILENT = Flavour(Behaviour(silent=True), parts=(NOTES,))
MANY = Flavour(Behaviour(), parts=(MANY_NOTES,))
ONCE = Flavour(Behaviour(unchecked=True), parts=(KEYED,))
UNSEEN = Flavour(Behaviour(), parts=(BLIND,))
KEY = "idempotency: {header: Idempotency-Key}\n"

Open = Callable[[Flavour], Desk]


class TestNew:
    def test_id_is_that_of_the_answer(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        (outcome,) = at.do(ref, note())
        assert outcome.remote_id in at.crm.store.notes
        assert at.notes() == [TEXT]

    def test_id_that_the_answer_leaves_out_is_looked_up(self, desk: Open) -> None:
        at = desk(SILENT)
        ref = at.add()
        (outcome,) = at.do(ref, note())
        assert (outcome.status, outcome.remote_id) == (DONE, next(iter(at.crm.store.notes)))

    def test_note_that_nobody_sees_afterwards_is_unknown(self, desk: Open) -> None:
        at = desk(SILENT)
        ref = at.add()
        at.crm.say("GET /api/notes", 200, {"notes": []})
        assert told(at.do(ref, note())) == [("unknown", "NOTE_NOT_SHOWN")]

    def test_look_that_fails_afterwards_does_not_say_that_nothing_was_sent(
        self, desk: Open
    ) -> None:
        at = desk(SILENT)
        ref = at.add()
        at.crm.say("GET /api/notes", 400, {})
        assert told(at.do(ref, note())) == [("unknown", "NOTE_NOT_SHOWN")]

    def test_title_is_the_first_line(self, desk: Open) -> None:
        titled = NOTES.replace(
            'text: "{{ text }}"}}\n  created', 'text: "{{ title }}|{{ content }}"}}\n  created'
        )
        at = desk(Flavour(Behaviour(), parts=(titled,)))
        at.do(at.add(), note("First\nSecond\nThird"))
        at.do(at.add(), note("Only line"))
        assert at.notes() == ["First|Second\nThird", "|Only line"]

    def test_line_breaks_of_a_server_are_ours_again(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.add_note(int(ref.id), TEXT.replace("\n", "\r\n") + "\r\n")
        assert at.state(ref, marker=MARK).notes[0].text == TEXT

    def test_same_intent_puts_a_note_under_the_same_key(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), parts=(NOTES, KEY)))
        ref = at.add()
        (batch,) = at.batches(at.lowered(ref, note()))
        at.crm.fault = "drop"
        assert statuses(at.adapter.send(batch)) == [UNKNOWN]
        assert statuses(at.adapter.settle(batch)) == [ABSENT]
        at.adapter.send(batch)
        first, second = at.sent()
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        at.do(at.add(), note())
        assert at.sent()[-1].headers["Idempotency-Key"] != first.headers["Idempotency-Key"]

    def test_id_that_the_description_does_not_name_is_looked_up(self, desk: Open) -> None:
        header = "created: {header: Location}"
        for text in (NOTES.replace("  created: id\n", ""), NOTES.replace("created: id", header)):
            at = desk(Flavour(Behaviour(), parts=(text,)))
            (outcome,) = at.do(at.add(), note())
            assert outcome.remote_id == next(iter(at.crm.store.notes))

    def test_id_that_only_a_header_would_tell_is_looked_up_for_a_row(self, desk: Open) -> None:
        text = MANY_NOTES.replace("created: id", "created: {header: Location}")
        at = desk(Flavour(Behaviour(), parts=(text,)))
        refs = [at.add(), at.add()]
        outcomes = at.send(*(at.lowered(ref, note()) for ref in refs))
        assert [outcome.remote_id for outcome in outcomes] == list(at.crm.store.notes)


class TestSettling:
    def test_lost_answer_is_found_by_its_marker(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.fault = "lose"
        (batch,) = at.batches(at.lowered(ref, note()))
        assert statuses(at.adapter.send(batch)) == [UNKNOWN]
        (outcome,) = at.adapter.settle(batch)
        assert (outcome.status, outcome.remote_id) == (DONE, next(iter(at.crm.store.notes)))

    def test_note_that_is_there_twice_is_done_with_the_first(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        identifiers = [at.crm.add_note(int(ref.id), TEXT) for _ in range(11)]
        (batch,) = at.batches(at.lowered(ref, note()))
        for _ in range(2):
            (outcome,) = at.adapter.settle(batch)
            assert (outcome.status, outcome.remote_id) == (DONE, identifiers[0])
        assert len(at.notes()) == 11

    def test_where_notes_cannot_be_found_a_lost_one_stays_unknown(self, desk: Open) -> None:
        at = desk(UNSEEN)
        ref = at.add()
        at.crm.fault = "lose"
        (batch,) = at.batches(at.lowered(ref, note()))
        assert statuses(at.adapter.send(batch)) == [UNKNOWN]
        assert told(at.adapter.settle(batch)) == [("unknown", "NO_LOOKUP")]

    def test_known_id_is_found_even_there(self, desk: Open) -> None:
        at = desk(UNSEEN)
        ref = at.add()
        (put,) = at.do(ref, note())
        request = ReadRequest((ref,), (), (NoteRef(ref, MARK, put.remote_id),))
        (state,) = at.adapter.read(request)
        assert [each.text for each in state.notes] == [TEXT]

    def test_api_that_shows_no_notes_at_all(self, desk: Open) -> None:
        unshown = "".join(
            line
            for line in BLIND.splitlines(keepends=True)
            if not line.strip().startswith(("find:", "rows:", "text:"))
        )
        at = desk(Flavour(Behaviour(), parts=(unshown,)))
        ref = at.add()
        (put,) = at.do(ref, note())
        (state,) = at.adapter.read(ReadRequest((ref,), (), (NoteRef(ref, MARK, put.remote_id),)))
        assert (put.status, state.notes) == (DONE, ())


class TestKeyed:
    def test_second_one_does_no_harm(self, desk: Open) -> None:
        at = desk(ONCE)
        ref = at.add()
        first, second = at.do(ref, note()), at.do(ref, note())
        assert statuses([*first, *second]) == [DONE, DONE]
        assert first[0].remote_id == second[0].remote_id
        assert at.notes() == [TEXT]

    def test_other_words_under_the_same_key_are_a_conflict(self, desk: Open) -> None:
        at = desk(ONCE)
        ref = at.add()
        at.do(ref, note())
        assert told(at.do(ref, note(f"Other words {MARK}"))) == [("conflict", "CHANGED")]

    def test_conflict_about_something_else_stays_one(self, desk: Open) -> None:
        at = desk(ONCE)
        ref = at.add()
        at.crm.say("PUT", 409, {})
        assert told(at.do(ref, note())) == [("conflict", "409")]

    def test_note_for_a_record_that_is_gone_is_not_sent(self, desk: Open) -> None:
        at = desk(ONCE)
        ref = at.add()
        at.crm.delete(int(ref.id))
        assert told(at.do(ref, note())) == [("refused", "RECORD_GONE")]
        assert at.sent() == []


class TestTogether:
    def test_several_travel_in_one_call(self, desk: Open) -> None:
        at = desk(MANY)
        refs = [at.add() for _ in range(4)]
        outcomes = at.send(*(at.lowered(ref, note()) for ref in refs))
        assert statuses(outcomes) == [DONE] * 4
        assert [request.path for request in at.sent()] == ["/api/notes/batch", "/api/notes"]
        assert {outcome.remote_id for outcome in outcomes} == set(at.crm.store.notes)

    def test_rows_have_outcomes_of_their_own(self, desk: Open) -> None:
        at = desk(MANY)
        refs = [at.add(), at.add()]
        at.crm.delete(int(refs[0].id))
        outcomes = at.send(*(at.lowered(ref, note()) for ref in refs))
        assert told(outcomes) == [("refused", "NO_SUCH_CUSTOMER"), ("done", "")]

    def test_refused_call_is_sent_row_by_row_and_none_is_put_twice(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(strict_batch=True), parts=(MANY_NOTES,)))
        refs = [at.add(), at.add(), at.add()]
        at.crm.delete(int(refs[0].id))
        at.crm.add_note(int(refs[2].id), TEXT)
        outcomes = at.send(*(at.lowered(ref, note()) for ref in refs))
        assert told(outcomes) == [("refused", "RECORD_GONE"), ("done", ""), ("done", "")]
        assert sum(TEXT in text for text in at.notes()) == 2

    def test_refused_call_is_final_where_notes_cannot_be_found(self, desk: Open) -> None:
        blind = MANY_NOTES.replace("model: records", "model: records\n  lookup: none")
        at = desk(Flavour(Behaviour(), parts=(blind,)))
        refs = [at.add(), at.add()]
        at.crm.say("POST", 400, {"error": {"code": "NO"}})
        outcomes = at.send(*(at.lowered(ref, note()) for ref in refs))
        assert told(outcomes) == [("refused", "NO")] * 2
        assert len(at.sent()) == 1

    def test_lost_answer_leaves_all_unknown(self, desk: Open) -> None:
        at = desk(MANY)
        refs = [at.add(), at.add()]
        at.crm.fault = "lose"
        (batch,) = at.batches(*(at.lowered(ref, note()) for ref in refs))
        assert statuses(at.adapter.send(batch)) == [UNKNOWN, UNKNOWN]
        assert statuses(at.adapter.settle(batch)) == [DONE, DONE]


class TestChanged:
    def test_text_is_changed_in_place(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        (put,) = at.do(ref, note())
        (changed,) = at.do(ref, note(f"New {MARK}", TEXT, put.remote_id))
        assert (changed.status, changed.remote_id) == (DONE, put.remote_id)
        assert at.notes() == [f"New {MARK}"]

    def test_note_without_a_known_id_is_found_first(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.do(ref, note())
        assert statuses(at.do(ref, note(None, TEXT))) == [DONE]
        assert at.notes() == []

    def test_note_that_cannot_be_found_is_refused(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        assert told(at.do(ref, note(f"New {MARK}", TEXT))) == [("refused", "NOTE_ID_UNKNOWN")]

    def test_note_that_is_gone_is_a_conflict_for_a_change_and_done_for_a_removal(
        self, desk: Open
    ) -> None:
        at = desk(PLAIN)
        ref = at.add()
        assert told(at.do(ref, note(f"New {MARK}", TEXT, "n99"))) == [("conflict", "NOTE_GONE")]
        assert statuses(at.do(ref, note(None, TEXT, "n99"))) == [DONE]

    def test_look_that_fails_afterwards_leaves_the_refusal(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("GET /api/customers", 400, {})
        assert told(at.do(ref, note(None, TEXT, "n99"))) == [("refused", "RECORD_GONE")]

    def test_text_that_cannot_be_changed_is_taken_away_and_put_anew(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), parts=(FIXED,)))
        ref = at.add()
        (put,) = at.do(ref, note())
        lowered = at.lowered(ref, note(f"New {MARK}", TEXT, put.remote_id))
        assert [each.kind for each in lowered] == [
            PrimitiveKind.DELETE_NOTE,
            PrimitiveKind.PUT_NOTE,
        ]
        assert statuses(at.send(lowered)) == [DONE, DONE]
        assert at.notes() == [f"New {MARK}"]

    def test_note_that_can_neither_be_changed_nor_removed_is_refused(self, desk: Open) -> None:
        for_good = "".join(
            line for line in FIXED.splitlines(keepends=True) if "remove:" not in line
        )
        at = desk(Flavour(Behaviour(), parts=(for_good,)))
        ref = at.add()
        assert told(at.do(ref, note(f"New {MARK}", TEXT, "n1"))) == [("refused", "NOTE_FIXED")]


class TestFinding:
    def test_filter_by_marker_is_a_call_for_each_and_a_plain_list_one_for_all(
        self, desk: Open
    ) -> None:
        plain = NOTES.replace(', like: "{{ marker }}"', "")
        for flavour, calls in ((PLAIN, 2), (Flavour(Behaviour(), parts=(plain,)), 1)):
            at = desk(flavour)
            ref = at.add()
            at.crm.add_note(int(ref.id), "one AAAAAAAAAA")
            wanted = tuple(NoteRef(ref, mark) for mark in ("AAAAAAAAAA", "BBBBBBBBBB"))
            (state,) = at.adapter.read(ReadRequest((ref,), (), wanted))
            assert [each.marker for each in state.notes] == ["AAAAAAAAAA"]
            assert sum(each.path == "/api/notes" for each in at.crm.seen) == calls

    def test_list_that_is_not_where_it_should_be_is_no_empty_list(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("GET /api/notes", 200, {"data": []})
        with pytest.raises(ProtocolError, match="holds no list"):
            at.state(ref, marker=MARK)

    def test_notes_below_a_record_that_is_gone_are_none(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("GET /api/notes", 404, {})
        assert at.state(ref, marker=MARK).notes == ()

    def test_refused_look_is_an_error(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("GET /api/notes", 400, {})
        with pytest.raises(ProtocolError):
            at.state(ref, marker=MARK)

    def test_note_without_an_id_is_an_error(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("GET /api/notes", 200, {"notes": [{"text": TEXT}]})
        with pytest.raises(ProtocolError, match="no id"):
            at.state(ref, marker=MARK)

    def test_notes_of_a_record_that_is_gone_are_not_looked_for(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.delete(int(ref.id))
        assert not at.state(ref, marker=MARK).exists
        assert [each.path for each in at.crm.seen] == ["/api/customers"]

    def test_object_without_writes_has_no_notes(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), parts=(UPDATE,)))
        ref = at.add()
        assert at.state(ref, marker=MARK).notes == ()


def test_plan_of_another_description_is_told(desk: Open) -> None:
    """Notes have become a field since the plan was made."""
    records, in_field = desk(PLAIN), desk(Flavour(Behaviour(), parts=(UPDATE, REMARK)))
    ref = Ref("customers", "1")
    (batch,) = records.batches(records.lowered(ref, note()))
    with pytest.raises(Exception, match="no notes that are records"):
        in_field.adapter.send(batch)
    assert statuses(in_field.do(in_field.add(), field("void"))) == [DONE]
