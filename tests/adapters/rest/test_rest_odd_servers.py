"""Servers that take whole records only, guard them by a moment, show what was deleted, and say no
in their own ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from adapters.rest.adapter import RestAdapter
from connector.errors import FileProblems
from connector.models import Change, Outcome, OutcomeStatus, Ref, Step
from connector.ports import ReadRequest
from tests.adapters.conftest import Said, Seen, Wire
from tests.adapters.rest.flavours import ARRAY, BATCH, NOTES, ONE, SOFT, UPDATE, WHOLE, Flavour
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.little_world import open_adapter
from tests.adapters.rest.writing import (
    TEXT,
    Desk,
    field,
    guarded,
    note,
    statuses,
    tag,
    told,
)

DONE, CONFLICT = OutcomeStatus.DONE, OutcomeStatus.CONFLICT
REPLACED = Flavour(Behaviour(whole=True), ONE, (WHOLE, ARRAY))
REV = "locking: {json: {rev: '{{ version | int }}'}, version: rev}\n"
MOMENT = "version: updated\n"

Open = Callable[[Flavour], Desk]

# Names and values in a list, all of them sent back; a moment of change guards the record.
NAMED = """\
rest: 1
name: Named CRM
settings:
  url: {label: address}
server: {url: "{{ url }}"}
identity: {call: {path: /me}, id: me}
values: {named: {path: values}, entities: true, pairs: true}
objects:
  records:
    id: recordID
    fields:
      values.Status: {type: text, writable: true}
      values.Tags: tags
    modified: updatedAt
    list: {path: /records, rows: set}
    read:
      one: {path: "/records/{{ id }}"}
      row: record
      tombstone: {path: deletedAt, filled: true}
writes:
  records:
    update:
      method: POST
      path: "/records/{{ id }}"
      json: {values: "{{ record.values | named }}", owner: "{{ record.owner }}"}
    locking: {headers: {If-Unmodified-Since: "{{ version | http_date }}"}}
    tags: {model: list, field: values.Tags}
"""


class NamedCrm:
    """One record. `asked` holds the bodies that it was sent."""

    def __init__(self) -> None:
        self.values = [("Name", "A &amp; B"), ("Status", "active"), ("Tags", "x"), ("Tags", "y")]
        self.record: dict[str, Any] = {
            "recordID": "9007199254740993",
            "owner": [7, "Ann"],
            "updatedAt": "2026-11-22T08:00:00.25Z",
            "deletedAt": None,
        }
        self.asked: list[Any] = []

    def __call__(self, seen: Seen) -> Said:
        if seen.method == "POST":
            moment = parsedate_to_datetime(seen.headers["If-Unmodified-Since"])
            if moment < datetime.fromisoformat(self.record["updatedAt"]).replace(microsecond=0):
                return Said(412, {})
            self.asked.append(seen.json)
            self.values = [(each["name"], each["value"]) for each in seen.json["values"]]
        values = [{"name": name, "value": value} for name, value in self.values]
        return Said(200, {"record": {**self.record, "values": values}})


class Named:
    def __init__(self, wire: Wire) -> None:
        self.crm = NamedCrm()
        wire.route = self.crm
        self.ref = Ref("records", "9007199254740993")
        self.adapter: RestAdapter = open_adapter(NAMED, wire.url)

    def do(self, *steps: Step) -> list[Outcome]:
        primitives = self.adapter.lower(Change("i1", self.ref, "rule", steps))
        (batch,) = self.adapter.batches(primitives)
        return self.adapter.send(batch)


@pytest.fixture
def named(wire: Wire) -> Iterator[Named]:
    named = Named(wire)
    yield named
    named.adapter.close()


class TestNamesAndValues:
    def test_whole_list_goes_back_with_the_field_in_it(self, named: Named) -> None:
        assert statuses(named.do(field("void", name="values.Status"), tag("gold"))) == [DONE] * 2
        assert named.crm.values == [
            ("Name", "A & B"),
            ("Status", "void"),
            *(("Tags", name) for name in ("x", "y", "gold")),
        ]
        assert named.crm.asked[0]["owner"] == [7, "Ann"]

    def test_moment_of_change_guards_the_record(self, named: Named) -> None:
        (state,) = named.adapter.read(ReadRequest((named.ref,), ("values.Status",), ()))
        named.crm.record["updatedAt"] = "2026-11-22T08:00:02Z"
        step = field("void", name="values.Status")
        (batch,) = named.adapter.batches(
            named.adapter.lower(Change("i1", named.ref, "rule", (step,)))
        )
        outcomes = named.adapter.send(guarded(batch, {named.ref: state.version}))
        assert statuses(outcomes) == [CONFLICT]
        assert named.crm.asked == []

    def test_record_that_says_that_it_is_deleted_is_gone(self, named: Named) -> None:
        named.crm.record["deletedAt"] = "2026-11-22T09:00:00Z"
        (state,) = named.adapter.read(ReadRequest((named.ref,), (), ()))
        assert not state.exists
        assert told(named.do(field("void", name="values.Status"))) == [("refused", "RECORD_GONE")]


class TestWholeRecords:
    def test_what_is_not_changed_stays(self, desk: Open) -> None:
        at = desk(REPLACED)
        ref = at.add(remark="keep me")
        assert statuses(at.do(ref, field("void"))) == [DONE]
        row = at.crm.store.customers[int(ref.id)]
        assert (row["status"], row["remark"], row["size"]) == ("void", "keep me", 7)

    def test_what_somebody_changed_meanwhile_stays(self, desk: Open) -> None:
        at = desk(REPLACED)
        ref = at.add()
        (batch,) = at.batches(at.lowered(ref, field("void")))
        at.crm.edit(int(ref.id), remark="new")
        assert statuses(at.adapter.send(batch)) == [DONE]
        assert at.crm.store.customers[int(ref.id)]["remark"] == "new"

    def test_rows_of_a_batch_may_be_whole_records(self, desk: Open) -> None:
        text = BATCH.replace('body: "{{ fields }}"', 'body: {name: "{{ record.name }}"}')
        at = desk(Flavour(Behaviour(), parts=(UPDATE, text)))
        refs = [at.add(), at.add()]
        outcomes = at.send(*(at.lowered(ref, field("void")) for ref in refs))
        assert statuses(outcomes) == [DONE, DONE]
        (request,) = at.sent()
        assert [each["body"]["name"] for each in request.body["requests"]] == [
            f"Customer {ref.id}" for ref in refs
        ]


class TestLockOfItsOwn:
    """The object's version is its moment of change, and locking goes by a number beside it."""

    def flavour(self) -> Flavour:
        return Flavour(Behaviour(version=True), ONE + MOMENT, (UPDATE, REV, ARRAY))

    def desk(self, desk: Open) -> Desk:
        flavour = self.flavour()
        text = flavour.text.replace("    version: rev\n", "")
        at = desk(flavour_of(flavour, text))
        assert at.adapter.describe().capabilities.conditional_writes
        return at

    def test_number_of_a_fresh_look_goes_with_the_update(self, desk: Open) -> None:
        at = self.desk(desk)
        ref = at.add()
        assert statuses(at.do(ref, field("void"))) == [DONE]
        assert at.sent()[0].body == {"status": "void", "rev": 1}

    def test_record_that_has_moved_since_is_a_conflict(self, desk: Open) -> None:
        at = self.desk(desk)
        ref = at.add()
        seen = at.state(ref).version
        (batch,) = at.batches(at.lowered(ref, field("void")))
        at.crm.edit(int(ref.id), remark="new")
        outcomes = at.adapter.send(guarded(batch, {ref: seen}))
        assert told(outcomes) == [("conflict", "CHANGED")]
        assert at.sent() == []

    def test_record_that_has_not_moved_is_written(self, desk: Open) -> None:
        at = self.desk(desk)
        ref = at.add()
        (batch,) = at.batches(at.lowered(ref, field("void")))
        assert statuses(at.adapter.send(guarded(batch, {ref: at.state(ref).version}))) == [DONE]

    def test_change_right_after_the_look_is_refused_by_the_server(self, desk: Open) -> None:
        at = self.desk(desk)
        ref = at.add()

        def meddle() -> None:
            at.crm.on_write = lambda: None
            at.crm.edit(int(ref.id), remark="new")

        at.crm.on_write = meddle
        assert told(at.do(ref, field("void"))) == [("conflict", "MOVED")]


class _Fixed(Flavour):
    """A flavour whose text was changed by hand."""

    fixed: str

    @property
    def text(self) -> str:
        return self.fixed


def flavour_of(flavour: Flavour, text: str) -> Flavour:
    made = _Fixed(flavour.behaviour, flavour.read, flavour.parts)
    object.__setattr__(made, "fixed", text)
    return made


@pytest.mark.parametrize("read", ["one", "many"])
def test_deleted_record_that_can_be_read_is_gone(read: str, desk: Open) -> None:
    many = '  many: {path: /customers, params: {ids: "{{ ids }}"}}\n  rows: items\n'
    form = ONE if read == "one" else "read:\n" + many
    at = desk(Flavour(Behaviour(soft=True), form + SOFT, (UPDATE,)))
    ref, other = at.add(), at.add()
    at.crm.delete(int(ref.id))
    states = list(at.adapter.read(ReadRequest((ref, other), (), ())))
    assert [state.exists for state in states] == [False, True]
    assert len(at.crm.seen) == (2 if read == "one" else 1)


class TestStatusOfOneCall:
    """A 403 means "no right" in general, and "not there" for some calls."""

    @pytest.mark.parametrize(("gone", "code"), [("", "NO_RIGHT"), (", gone: [403]", "RECORD_GONE")])
    def test_update(self, gone: str, code: str, desk: Open) -> None:
        text = UPDATE.replace('"{{ fields }}"', '"{{ fields }}"' + gone)
        at = desk(Flavour(Behaviour(), parts=(text,)))
        ref = at.add()
        at.crm.say("PATCH", 403, {"error": {"code": "NO_RIGHT"}})
        assert told(at.do(ref, field("void"))) == [("refused", code)]

    def test_code_that_the_description_names_goes_before(self, desk: Open) -> None:
        text = UPDATE.replace('"{{ fields }}"', '"{{ fields }}", gone: [403]')
        at = desk(Flavour(Behaviour(), parts=(text,)))
        ref = at.add()
        at.crm.say("PATCH", 403, {"error": {"code": "MOVED"}})
        assert told(at.do(ref, field("void"))) == [("conflict", "MOVED")]

    def test_notes(self, desk: Open) -> None:
        text = re.sub(r"(  (?:create|update|remove): \{)", r"\1gone: [403], ", NOTES)
        at = desk(Flavour(Behaviour(), parts=(UPDATE, text)))
        ref = at.add()
        at.crm.say("POST", 403, {})
        assert told(at.do(ref, note())) == [("refused", "RECORD_GONE")]
        at.crm.say("PATCH", 403, {})
        assert told(at.do(ref, note("New", TEXT, "n9"))) == [("conflict", "NOTE_GONE")]
        at.crm.say("DELETE", 403, {})
        assert statuses(at.do(ref, note(None, TEXT, "n9"))) == [DONE]


def test_refusal_in_words_is_a_refusal(desk: Open) -> None:
    """And not a doubt, which a status of 500 is by itself; what it says is not repeated."""
    flavour = Flavour(Behaviour(), parts=(UPDATE,))
    texts = '\n  texts: {"refused by .* hook": refused}'
    at = desk(flavour_of(flavour, flavour.text.replace("errors:", "errors:" + texts)))
    ref = at.add()
    at.crm.say("PATCH", 500, {"error": {"message": "Refused by the hook for Ms Example"}})
    assert told(at.do(ref, field("void"))) == [("refused", "SAID_REFUSED")]
    at.crm.say("PATCH", 500, {"error": {"message": "something else"}})
    assert told(at.do(ref, field("void"))) == [("unknown", "500")]


def test_tombstone_has_one_sign(desk: Open) -> None:
    soft = SOFT.replace("filled: true", "filled: true, is: [1]")
    with pytest.raises(FileProblems, match="not by both"):
        desk(Flavour(Behaviour(), ONE + soft, (UPDATE,)))
