"""Updates of records: one request, nothing that stands already, and nobody else's tag lost."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from connector.errors import AuthenticationError, ConfigurationError, QuotaError, UnavailableError
from connector.models import OutcomeStatus, Ref
from tests.adapters.rest.flavours import (
    ARRAY,
    BATCH,
    COMMANDS,
    GUARDED_BATCH,
    IF_MATCH,
    IF_MATCH_WHEN_ASKED,
    LINKS,
    OBJECTS,
    ONE,
    REMARK,
    REV,
    TEXT,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import (
    MARK,
    Desk,
    field,
    guarded,
    note,
    owner,
    statuses,
    tag,
    told,
)
from tests.adapters.rest.writing import TEXT as NOTE

DONE, CONFLICT = OutcomeStatus.DONE, OutcomeStatus.CONFLICT
PLAIN = Flavour(Behaviour(), ONE, (UPDATE, ARRAY, REMARK))
LOCKED = Flavour(Behaviour(etag=True), parts=(UPDATE, IF_MATCH, ARRAY, REMARK))
WHEN_ASKED = Flavour(Behaviour(etag=True), parts=(UPDATE, IF_MATCH_WHEN_ASKED, ARRAY))
TOGETHER = Flavour(Behaviour(etag=True), parts=(UPDATE, GUARDED_BATCH, IF_MATCH, ARRAY))
UNGUARDED = Flavour(Behaviour(), parts=(UPDATE, BATCH))

Open = Callable[[Flavour], Desk]


class TestOneRequest:
    def test_field_owner_tag_and_note_travel_together(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        assert statuses(at.do(ref, field("void"), owner("2"), tag("gold"), note())) == [DONE] * 4
        (request,) = at.sent()
        assert set(request.body) == {"status", "owner", "tags", "remark"}
        assert request.body["owner"] == 2

    def test_two_intents_on_different_things_travel_together(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        first = at.lowered(ref, tag("gold"), intent="a")
        second = at.lowered(ref, tag("cold"), intent="b")
        assert statuses(at.send(first, second)) == [DONE, DONE]
        assert len(at.sent()) == 1
        assert at.tags(ref) == ["gold", "cold"]

    def test_two_intents_on_one_thing_go_one_after_the_other(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        first = at.lowered(ref, field("void"), intent="a")
        second = at.lowered(ref, field("active", "void"), intent="b")
        assert statuses(at.send(first, second)) == [DONE, DONE]
        assert [request.body["status"] for request in at.sent()] == ["void", "active"]

    def test_batch_carries_several_records(self, desk: Open) -> None:
        at = desk(TOGETHER)
        refs = [at.add() for _ in range(6)]
        outcomes = at.send(*(at.lowered(ref, tag("gold"), field("void")) for ref in refs))
        assert statuses(outcomes) == [DONE] * 12
        assert [len(request.body["requests"]) for request in at.sent()] == [4, 2]

    def test_numbers_are_sent_as_numbers(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        assert at.state(ref, "size").fields == {"size": "7"}
        assert statuses(at.do(ref, field("12", "7", name="size"))) == [DONE]
        assert at.sent()[0].body == {"size": 12}


class TestWhatStandsAlready:
    def test_value_that_is_so_is_left_out(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add(status="void")
        assert statuses(at.do(ref, field("void"), tag("gold"))) == [DONE, DONE]
        assert set(at.sent()[0].body) == {"tags"}

    def test_nothing_to_change_is_no_request(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add(status="void")
        at.do(ref, tag("gold"), note())
        before = len(at.sent())
        outcomes = at.do(ref, field("void"), tag("gold"), note())
        assert (statuses(outcomes), len(at.sent())) == ([DONE] * 3, before)
        assert outcomes[2].remote_id == MARK

    def test_other_value_stops_its_intent_alone(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add(status="watched")
        stopped = at.lowered(ref, field("void"), tag("gold"), intent="a")
        other = at.lowered(ref, tag("cold"), intent="b")
        outcomes = at.send(stopped, other)
        assert told(outcomes) == [("conflict", "CHANGED")] * 2 + [("done", "")]
        assert at.tags(ref) == ["cold"]

    def test_record_that_is_gone_is_refused_without_a_write(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.delete(int(ref.id))
        assert told(at.do(ref, tag("gold"))) == [("refused", "RECORD_GONE")]
        assert at.sent() == []


class TestIntentsOnOneRecord:
    @pytest.mark.parametrize("flavour", [PLAIN, TOGETHER], ids=["alone", "batch"])
    def test_one_that_is_refused_does_not_spoil_the_other(
        self, desk: Open, flavour: Flavour
    ) -> None:
        at = desk(flavour)
        ref, other = at.add(), at.add()
        fine = at.lowered(ref, tag("gold"), intent="a")
        bad = at.lowered(ref, field("x", None, name="no_such_field"), intent="b")
        third = at.lowered(other, tag("gold"), intent="c")
        outcomes = {each.key: each for each in at.send(fine, bad, third)}
        assert told([outcomes["a.0"], outcomes["b.0"], outcomes["c.0"]]) == [
            ("done", ""),
            ("refused", "UNKNOWN_FIELD"),
            ("done", ""),
        ]
        assert at.tags(ref) == ["gold"]

    def test_error_on_the_second_way_leaves_the_refusal(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        for _ in range(20):
            at.crm.say("PATCH", 429, {})
        at.crm.answers.insert(0, (re.compile("PATCH"), 400, {"error": {"code": "NO"}}))
        groups = [at.lowered(ref, tag(name), intent=name) for name in ("gold", "cold")]
        assert told(at.send(*groups)) == [("refused", "NO")] * 2


class TestForeignTags:
    def test_tags_of_others_keep_their_place_and_their_form(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="objects"), parts=(UPDATE, OBJECTS)))
        ref = at.add()
        for name in ("theirs", "gold", "also theirs"):
            at.crm.add_tag(int(ref.id), name)
        at.do(ref, tag("gold", present=False), tag("ours"))
        assert at.sent()[0].body["tags"] == [
            {"label": "theirs", "colour": 6},
            {"label": "also theirs", "colour": 11},
            {"label": "ours"},
        ]

    def test_text_keeps_what_others_wrote(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="text"), parts=(UPDATE, TEXT)))
        ref = at.add()
        at.crm.add_tag(int(ref.id), "theirs")
        at.crm.add_tag(int(ref.id), "gold")
        at.do(ref, tag("ours"), tag("gold", present=False))
        assert at.sent()[0].body["tags"] == "theirs,ours"

    @pytest.mark.parametrize("flavour", [LOCKED, TOGETHER], ids=["alone", "batch"])
    def test_tag_put_between_look_and_write_is_not_lost(self, desk: Open, flavour: Flavour) -> None:
        at = desk(flavour)
        ref, other = at.add(), at.add()
        at.crm.on_write = lambda: _once(at, ref)
        outcomes = at.send(at.lowered(ref, tag("gold")), at.lowered(other, tag("gold")))
        assert told(outcomes)[:2] == [("conflict", "MOVED"), ("done", "")]
        assert at.tags(ref) == ["theirs"]

    def test_version_in_the_body_guards_as_well(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(version=True), ONE, (UPDATE, ARRAY, REV)))
        ref = at.add()
        at.crm.on_write = lambda: _once(at, ref)
        assert statuses(at.do(ref, tag("gold"))) == [CONFLICT]
        assert statuses(at.do(ref, tag("gold"))) == [DONE]
        assert (at.sent()[1].body["rev"], at.tags(ref)) == (2, ["theirs", "gold"])


def _once(at: Desk, ref: Ref) -> None:
    at.crm.on_write = lambda: None
    at.crm.add_tag(int(ref.id), "theirs")


class TestConditions:
    def test_condition_goes_along_without_being_asked_for(self, desk: Open) -> None:
        at = desk(LOCKED)
        ref = at.add()
        at.do(ref, field("void"))
        assert at.sent()[0].headers["If-Match"] == '"1"'

    def test_edit_of_the_very_value_before_the_look_is_a_conflict(self, desk: Open) -> None:
        at = desk(LOCKED)
        ref = at.add(status="watched")
        assert told(at.do(ref, field("void"))) == [("conflict", "CHANGED")]

    def test_version_of_the_plan_goes_before_that_of_the_look(self, desk: Open) -> None:
        at = desk(LOCKED)
        ref = at.add()
        (batch,) = at.batches(at.lowered(ref, tag("gold")))
        seen = at.state(ref).version
        at.crm.edit(int(ref.id), name="Somebody else's")
        assert statuses(at.adapter.send(guarded(batch, {ref: seen}))) == [CONFLICT]
        assert at.sent()[0].headers["If-Match"] == '"1"'

    def test_condition_only_when_asked_for(self, desk: Open) -> None:
        at = desk(WHEN_ASKED)
        ref = at.add()
        at.do(ref, field("void"))
        (batch,) = at.batches(at.lowered(ref, field("active", "void")))
        at.adapter.send(guarded(batch, {ref: at.state(ref).version}))
        assert [request.headers.get("If-Match") for request in at.sent()] == [None, '"2"']

    def test_list_is_guarded_even_then(self, desk: Open) -> None:
        at = desk(WHEN_ASKED)
        ref = at.add()
        at.do(ref, tag("gold"))
        assert at.sent()[0].headers["If-Match"] == '"1"'

    def test_record_without_a_version_goes_by_itself(self, desk: Open) -> None:
        at = desk(TOGETHER)
        bare, *rest = [at.add(rev=None), at.add(), at.add()]
        at.crm.say("PATCH", 200, {})
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in (bare, *rest)))
        assert statuses(outcomes) == [DONE] * 3
        assert [request.method for request in at.sent()] == ["POST", "PATCH"]
        assert "If-Match" not in at.sent()[1].headers

    def test_what_goes_by_itself_is_parked_when_it_cannot_be_sent_any_more(
        self, desk: Open
    ) -> None:
        at = desk(TOGETHER)
        bare, *rest = [at.add(rev=None), at.add(), at.add()]
        for _ in range(9):
            at.crm.say("PATCH", 429, {})
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in (bare, *rest)))
        assert told(outcomes) == [("parked", "NOT_SENT"), ("done", ""), ("done", "")]


class TestAnswers:
    def test_rows_of_a_batch_have_outcomes_of_their_own(self, desk: Open) -> None:
        at = desk(UNGUARDED)
        fine, locked, gone = at.add(), at.add(), at.add()
        at.crm.store.locked.add(int(locked.id))
        at.crm.delete(int(gone.id))
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in (fine, locked, gone)))
        assert told(outcomes) == [("done", ""), ("parked", "LOCKED"), ("refused", "RECORD_GONE")]

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            ([{"status": 200}], [("unknown", "NO_RESULTS")] * 2),
            (None, [("unknown", "NO_RESULTS")] * 2),
            ([{"status": "200"}, {"status": 503}], [("done", ""), ("unknown", "503")]),
            ([{"status": True}, {}], [("unknown", "NO_STATUS")] * 2),
            ([{"status": 200}, {"status": 429}], [("done", ""), ("parked", "429")]),
            ([{"status": 200}, {"status": 401}], [("done", ""), ("parked", "401")]),
        ],
    )
    def test_results_that_do_not_fit(
        self, desk: Open, rows: object, expected: list[tuple[str, str]]
    ) -> None:
        at = desk(UNGUARDED)
        refs = [at.add(), at.add()]
        at.crm.say("POST /api/batch", 200, {"responses": rows})
        assert told(at.send(*(at.lowered(ref, field("void")) for ref in refs))) == expected

    def test_row_that_only_has_a_code_when_it_is_bad(self, desk: Open) -> None:
        coded = BATCH.replace("status: status, ", "")
        at = desk(Flavour(Behaviour(), parts=(UPDATE, coded)))
        refs = [at.add(), at.add()]
        at.crm.say("POST", 200, {"responses": [{}, {"body": {"error": {"code": "MOVED"}}}]})
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in refs))
        assert told(outcomes) == [("done", ""), ("conflict", "MOVED")]

    def test_batch_whose_every_row_lacks_credentials_did_not_arrive(self, desk: Open) -> None:
        at = desk(UNGUARDED)
        refs = [at.add(), at.add()]
        at.crm.say("POST /api/batch", 200, {"responses": [{"status": 401}, {"status": 401}]})
        with pytest.raises(AuthenticationError):
            at.send(*(at.lowered(ref, field("void")) for ref in refs))

    def test_batch_with_one_bad_row_is_sent_row_by_row(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(strict_batch=True), parts=(UPDATE, BATCH)))
        refs = [at.add(), at.add(), at.add()]
        at.crm.delete(int(refs[1].id))
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in refs))
        assert told(outcomes) == [("done", ""), ("refused", "RECORD_GONE"), ("done", "")]
        assert [request.method for request in at.sent()] == ["POST", "PATCH", "PATCH", "PATCH"]

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (500, {}, ("unknown", "500")),
            (200, b"<html>Sign in</html>", ("unknown", "200 unreadable")),
            (400, {"error": {"code": "TOO_LONG"}}, ("refused", "TOO_LONG")),
            (409, {}, ("conflict", "409")),
            (428, {}, ("conflict", "428")),
            (423, {}, ("parked", "423")),
        ],
    )
    def test_answer_to_one_update(
        self, desk: Open, status: int, body: object, expected: tuple[str, str]
    ) -> None:
        at = desk(PLAIN)
        ref = at.add()
        at.crm.say("PATCH", status, body)
        assert told(at.do(ref, field("void"))) == [expected]
        assert len(at.sent()) == 1

    def test_only_the_statuses_that_the_description_names_are_done(self, desk: Open) -> None:
        update = UPDATE.replace('json: "{{ fields }}"', 'json: "{{ fields }}", done: [200, 409]')
        at = desk(Flavour(Behaviour(), parts=(update,)))
        ref = at.add()
        at.crm.say("PATCH", 202, {})
        assert told(at.do(ref, field("void"))) == [("unknown", "202")]
        at.crm.say("PATCH", 409, {})
        assert told(at.do(ref, field("void"))) == [("done", "")]

    def test_no_more_calls_leaves_as_an_error(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        for _ in range(9):
            at.crm.say("PATCH", 429, {})
        with pytest.raises(QuotaError):
            at.do(ref, field("void"))

    def test_what_was_not_sent_is_parked_once_something_was(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(strict_batch=True), parts=(UPDATE, BATCH)))
        refs = [at.add(), at.add(), at.add()]
        at.crm.delete(int(refs[0].id))
        for _ in range(9):
            at.crm.say(f"PATCH .*/{refs[1].id}$", 429, {})
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in refs))
        assert told(outcomes) == [("refused", "RECORD_GONE")] + [("parked", "NOT_SENT")] * 2

    def test_error_of_the_look_leaves_as_nothing_was_sent(self, desk: Open) -> None:
        at = desk(PLAIN)
        ref = at.add()
        for _ in range(9):
            at.crm.say("GET", 503, {})
        with pytest.raises(UnavailableError):
            at.do(ref, tag("gold"))
        assert at.sent() == []

    def test_plan_of_another_description_is_told(self, desk: Open) -> None:
        at, linked = desk(PLAIN), desk(Flavour(Behaviour(tags="links"), parts=(LINKS,)))
        (batch,) = at.batches(at.lowered(at.add(), field("void")))
        with pytest.raises(ConfigurationError, match="does not say how records are updated"):
            linked.adapter.send(batch)


class TestNotesInAField:
    def test_foreign_text_stays_and_our_block_comes_and_goes(self, desk: Open) -> None:
        at = desk(LOCKED)
        ref = at.add(remark="Call on Mondays.")
        (put,) = at.do(ref, note())
        assert at.state(ref, marker=MARK).notes[0].text == NOTE
        changed = f"Still none. {MARK}"
        (second,) = at.do(ref, note(changed, NOTE, put.remote_id))
        at.crm.edit(int(ref.id), remark=at.crm.store.customers[int(ref.id)]["remark"] + "\nBy fax.")
        assert at.state(ref, marker=MARK).notes[0].text == changed
        assert statuses(at.do(ref, note(None, changed, second.remote_id))) == [DONE]
        assert at.crm.store.customers[int(ref.id)]["remark"] == "Call on Mondays.\nBy fax."

    def test_field_that_is_full_takes_no_note(self, desk: Open) -> None:
        remark = REMARK.replace("remark}", "remark, length: 150}")
        at = desk(Flavour(Behaviour(), parts=(UPDATE, remark)))
        ref = at.add(remark="x" * 100)
        assert told(at.do(ref, note())) == [("refused", "NOTE_FIELD_FULL")]
        assert at.sent() == []

    def test_note_that_somebody_changed_is_not_taken_out(self, desk: Open) -> None:
        at = desk(LOCKED)
        ref = at.add(remark=f"-- {MARK}\nTheir words\n-- /{MARK}")
        assert told(at.do(ref, note(None, NOTE, MARK))) == [("conflict", "CHANGED")]


class TestCommands:
    def test_commands_of_one_record_are_one_list(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="commands"), parts=(UPDATE, COMMANDS)))
        ref = at.add()
        at.crm.add_tag(int(ref.id), "old")
        gold = at.crm.tag_number("gold")
        old = at.crm.tag_number("old")
        assert statuses(at.do(ref, tag("old", present=False), tag("gold"))) == [DONE, DONE]
        assert at.sent("customers")[0].body == {"tags": [["remove", old], ["add", gold]]}
        assert at.tags(ref) == ["gold"]

    def test_removing_a_tag_that_nobody_knows_is_no_request(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(tags="commands"), parts=(UPDATE, COMMANDS)))
        ref = at.add()
        assert statuses(at.do(ref, tag("never", present=False))) == [DONE]
        assert at.sent() == []

    def test_tag_that_cannot_be_made_stops_its_intent_alone(self, desk: Open) -> None:
        fixed = COMMANDS.split("    create:")[0]
        at = desk(Flavour(Behaviour(tags="commands"), parts=(UPDATE, fixed)))
        ref = at.add()
        at.crm.tag_number("gold")
        stopped = at.lowered(ref, field("void"), tag("new"), intent="a")
        other = at.lowered(ref, tag("gold"), intent="b")
        outcomes = at.send(stopped, other)
        assert told(outcomes) == [("refused", "TAG_UNKNOWN")] * 2 + [("done", "")]
        assert at.crm.store.customers[int(ref.id)]["status"] == "active"


def test_values_that_look_like_templates_are_only_values(desk: Open) -> None:
    at = desk(Flavour(Behaviour(version=True), ONE, (UPDATE, ARRAY, REV)))
    ref = at.add()
    assert statuses(at.do(ref, field("{{ url }}"), tag("{{ 7 * 7 }}"))) == [DONE, DONE]
    assert at.state(ref, "status").fields == {"status": "{{ url }}"}
    assert at.tags(ref) == ["{{ 7 * 7 }}"]
