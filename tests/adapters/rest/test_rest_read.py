"""Live values: what is read of a record, and when it is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import ConfigurationError, ProtocolError
from connector.models import Ref
from connector.ports import ReadRequest
from tests.adapters.rest.flavours import ARRAY, ETAG, MANY, ONE, UPDATE, Flavour
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import Desk

BY_MANY = Flavour(Behaviour(), MANY, (UPDATE, ARRAY))
BY_ONE = Flavour(Behaviour(), ONE, (UPDATE, ARRAY))

OWN = "  customers:\n    own: {kind: company}\n"

Open = Callable[[Flavour], Desk]


class TestMany:
    def test_calls_hold_as_many_as_the_description_says(self, desk: Open) -> None:
        at = desk(BY_MANY)
        refs = tuple(at.add() for _ in range(7))
        states = list(at.adapter.read(ReadRequest((*refs, refs[0]))))
        assert [state.ref for state in states] == [*refs, refs[0]]
        assert [each.query["ids"].count(",") + 1 for each in at.crm.seen] == [5, 2]

    def test_what_one_answer_left_out_is_asked_for_again(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(read_limit=2), MANY, (UPDATE,)))
        refs = tuple(at.add() for _ in range(5))
        at.crm.delete(int(refs[4].id))
        states = list(at.adapter.read(ReadRequest(refs)))
        assert [state.exists for state in states] == [True] * 4 + [False]
        assert len(at.crm.seen) == 3

    def test_records_that_were_not_asked_for_are_passed_over(self, desk: Open) -> None:
        at = desk(BY_MANY)
        refs = (at.add(), at.add())
        at.crm.say("GET", 200, {"items": [{"id": 77}, {"id": int(refs[1].id), "rev": 1}]})
        at.crm.say("GET", 200, {"items": [{"id": 77}]})
        states = list(at.adapter.read(ReadRequest(refs)))
        assert [state.exists for state in states] == [False, True]

    @pytest.mark.parametrize(("status", "body"), [(404, {}), (200, {"items": None}), (204, None)])
    def test_empty_answer_is_none(self, desk: Open, status: int, body: object) -> None:
        at = desk(BY_MANY)
        ref = at.add()
        at.crm.say("GET", status, body)
        assert not at.state(ref).exists

    def test_refusal_that_the_description_takes_for_none(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), MANY + "  missing: [400]\n", (UPDATE,)))
        ref = at.add()
        at.crm.say("GET", 400, {})
        assert not at.state(ref).exists

    def test_refused_read_is_an_error(self, desk: Open) -> None:
        at = desk(BY_MANY)
        ref = at.add()
        at.crm.say("GET", 400, {})
        with pytest.raises(ProtocolError):
            at.state(ref)

    def test_rows_that_are_nowhere_are_an_error_and_not_gone(self, desk: Open) -> None:
        at = desk(BY_MANY)
        ref = at.add()
        at.crm.say("GET", 200, {"records": []})
        with pytest.raises(ProtocolError, match="has no list at 'items'"):
            at.state(ref)


class TestOne:
    @pytest.mark.parametrize(
        ("row", "status", "body"),
        [
            ("item", 404, {}),
            ("item", 410, {}),
            ("item", 204, None),
            ("item", 200, None),
            ("item", 200, {"item": None}),
            ("items[0]", 200, {"items": []}),
            ("[0]", 200, []),
            ("item", 200, {"item": {"id": 999}}),
        ],
    )
    def test_ways_to_be_gone(self, desk: Open, row: str, status: int, body: object) -> None:
        at = desk(Flavour(Behaviour(), ONE.replace("row: item", f'row: "{row}"'), (UPDATE,)))
        ref = at.add()
        at.crm.say("GET", status, body)
        assert not at.state(ref).exists

    @pytest.mark.parametrize(
        ("row", "body"),
        [
            ("item", {"data": {}}),
            ("item", {"item": [1]}),
            ("items[0]", {"item": {}}),
            ("items[0]", {"items": [7]}),
        ],
    )
    def test_record_that_is_nowhere_is_an_error_and_not_gone(
        self, desk: Open, row: str, body: object
    ) -> None:
        at = desk(Flavour(Behaviour(), ONE.replace("row: item", f'row: "{row}"'), (UPDATE,)))
        ref = at.add()
        at.crm.say("GET", 200, body)
        with pytest.raises(ProtocolError, match="has no record"):
            at.state(ref)

    def test_refusal_that_the_description_takes_for_gone(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), ONE + "  missing: [403]\n", (UPDATE,)))
        ref = at.add()
        at.crm.say("GET", 403, {})
        assert not at.state(ref).exists

    def test_refused_read_is_an_error(self, desk: Open) -> None:
        at = desk(BY_ONE)
        ref = at.add()
        at.crm.say("GET", 403, {})
        with pytest.raises(ProtocolError):
            at.state(ref)


class TestState:
    def test_values_are_the_texts_that_plans_compare(self, desk: Open) -> None:
        at = desk(BY_MANY)
        ref = at.add(status="", owner={"id": 12, "name": "Ann"}, size=9007199254740993)
        state = at.state(ref, "status", "size", "name", "owner.name", "nothing")
        assert state.owner == "12"
        assert state.fields == {
            "status": None,
            "size": "9007199254740993",
            "name": f"Customer {ref.id}",
            "owner.name": "Ann",
            "nothing": None,
        }

    @pytest.mark.parametrize(
        ("changed", "version"),
        [
            ("version: rev", "1"),
            ("version: updated_by", None),
        ],
    )
    def test_version_is_what_the_description_names(
        self, desk: Open, changed: str, version: str | None
    ) -> None:
        at = desk(_Changed(BY_MANY, "version: rev", changed))
        assert at.state(at.add()).version == version

    def test_without_one_it_is_the_moment_of_modification(self, desk: Open) -> None:
        at = desk(_Changed(BY_MANY, "    version: rev\n", ""))
        assert at.state(at.add(updated=1_790_000_000_000)).version == "1790000000000"

    def test_or_that_of_creation_while_there_was_none(self, desk: Open) -> None:
        text = (
            "modified: {path: changed_at, as: epoch_milliseconds, created: updated, by: editor.id}"
        )
        at = desk(
            _Changed(
                _Changed(BY_MANY, "    version: rev\n", ""),
                "modified: {path: updated, as: epoch_milliseconds}",
                text,
            )
        )
        state = at.state(at.add(updated=5, editor={"id": 3}))
        assert (state.version, state.modified_by) == ("5", "3")

    def test_or_nothing_at_all(self, desk: Open) -> None:
        at = desk(
            _Changed(BY_MANY, "as: epoch_milliseconds}", "as: epoch_milliseconds, created: born}")
        )
        at_all = _Changed(at.flavour, "    version: rev\n", "")
        without = desk(_Changed(at_all, "path: updated,", "path: changed_at,"))
        assert without.state(without.add()).version is None

    def test_header_of_one_record_is_its_version(self, desk: Open) -> None:
        at = desk(Flavour(Behaviour(), ONE + ETAG, (UPDATE,)))
        ref = at.add()
        assert at.state(ref).version == '"1"'
        at.crm.say("GET", 200, {"item": {"id": int(ref.id), "rev": 8}})
        assert at.state(ref).version == "8"

    def test_and_then_nobody_is_named_as_the_editor(self, desk: Open) -> None:
        edited = "as: epoch_milliseconds, by: editor.id}"
        for read, editor in ((ONE, "3"), (ONE + ETAG, None)):
            flavour = Flavour(Behaviour(), read, (UPDATE,))
            at = desk(_Changed(flavour, "as: epoch_milliseconds}", edited))
            assert at.state(at.add(editor={"id": 3})).modified_by == editor


class _Changed(Flavour):
    """A flavour with something else in its text."""

    def __init__(self, flavour: Flavour, old: str, new: str) -> None:
        super().__init__(flavour.behaviour, flavour.read, flavour.parts)
        assert old in flavour.text
        object.__setattr__(self, "_text", flavour.text.replace(old, new, 1))

    @property
    def text(self) -> str:
        return str(object.__getattribute__(self, "_text"))


def test_templates_find_what_an_object_says_of_its_own(desk: Open) -> None:
    many = MANY.replace("params: {", 'params: {kind: "{{ own.kind }}", ')
    at = desk(_Changed(Flavour(Behaviour(), many, (UPDATE,)), "  customers:\n", OWN))
    at.state(at.add())
    assert at.crm.seen[0].query["kind"] == "company"


def test_object_that_cannot_be_read_is_told(desk: Open) -> None:
    at = desk(BY_MANY)
    with pytest.raises(ConfigurationError, match="does not say how 'people' is read"):
        list(at.adapter.read(ReadRequest((Ref("people", "1"),))))
