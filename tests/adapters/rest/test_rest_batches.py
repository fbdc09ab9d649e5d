"""From changes to primitives, and from primitives to calls."""

from __future__ import annotations

from itertools import groupby

import pytest

from adapters.rest.loading import Source, read_description
from adapters.rest.schema.description import Description
from adapters.rest.writing.batches import batches, lower
from connector.errors import ConfigurationError
from connector.models import Change, Primitive, PrimitiveKind, Ref, Step, StepKind
from connector.ports import Batch
from tests.adapters.rest.flavours import (
    ARRAY,
    BATCH,
    FLAVOURS,
    LINKS,
    MANY_NOTES,
    NOTES,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour
from tests.adapters.rest.writing import field, note, owner, tag

ALL = (field("void"), owner("2"), tag("gold"), note())


def described(*parts: str) -> Description:
    return read_description(Source(Flavour(Behaviour(), parts=parts).text, "crm.yaml"))


def lowered(
    description: Description, number: int, *steps: Step, intent: str = ""
) -> tuple[Primitive, ...]:
    ref = Ref("customers", str(number))
    return lower(description, Change(intent or f"i{number}", ref, "rule", steps))


def shape(found: list[Batch]) -> list[tuple[str, int]]:
    return [(batch.operation, len(batch.primitives)) for batch in found]


class TestLowering:
    def test_each_step_has_its_primitive_in_order(self) -> None:
        found = lowered(described(UPDATE, ARRAY, NOTES), 1, *ALL)
        assert [(each.step, each.kind, each.target) for each in found] == [
            (0, PrimitiveKind.SET_FIELD, "status"),
            (1, PrimitiveKind.CHANGE_OWNER, "owner"),
            (2, PrimitiveKind.ADD_TAG, "gold"),
            (3, PrimitiveKind.PUT_NOTE, "ABCDEFGHI2"),
        ]

    def test_step_that_changes_nothing_has_none(self) -> None:
        assert lowered(described(UPDATE), 1, field("active")) == ()

    @pytest.mark.parametrize("step", [owner("2"), tag("gold"), tag("gold", present=False), note()])
    def test_what_cannot_be_written_is_told(self, step: Step) -> None:
        bare = described('update: {method: PATCH, path: "/customers/{{ id }}"}\n')
        with pytest.raises(ConfigurationError, match="cannot write"):
            lowered(bare, 1, step)

    def test_object_without_writes_takes_nothing(self) -> None:
        change = Change("i", Ref("people", "1"), "rule", (field("void"),))
        with pytest.raises(ConfigurationError, match="set_field to people"):
            lower(described(UPDATE), change)


class TestGrouping:
    def test_without_batches_each_record_is_a_call(self) -> None:
        description = described(UPDATE, ARRAY, NOTES)
        primitives = [p for n in (1, 2) for p in lowered(description, n, *ALL)]
        assert sorted(shape(list(batches(description, primitives)))) == [
            ("create_notes", 1),
            ("create_notes", 1),
            ("update", 3),
            ("update", 3),
        ]

    def test_batches_are_filled_to_their_size(self) -> None:
        description = described(UPDATE, BATCH, ARRAY, MANY_NOTES)
        primitives = [p for n in range(10) for p in lowered(description, n, *ALL)]
        assert shape(list(batches(description, primitives))) == [
            ("update", 12),
            ("update", 12),
            ("update", 6),
            *[("create_notes", 3)] * 3,
            ("create_notes", 1),
        ]

    def test_links_are_calls_of_their_own(self) -> None:
        description = described(UPDATE, LINKS)
        found = lowered(description, 1, tag("a"), tag("b"), field("void"))
        assert shape(list(batches(description, found))) == [
            ("link_tag", 1),
            ("link_tag", 1),
            ("update", 1),
        ]

    @pytest.mark.parametrize("name", FLAVOURS)
    def test_steps_of_an_intent_keep_their_order(self, name: str) -> None:
        description = read_description(Source(FLAVOURS[name].text, "crm.yaml"))
        steps = ALL if "notes:" in FLAVOURS[name].text else ALL[:2]
        primitives = [p for n in range(9) for p in lowered(description, n, *reversed(steps))]
        sent = [p for batch in batches(description, primitives) for p in batch.primitives]
        assert len(sent) == len(primitives)
        by_intent = groupby(sorted(sent, key=lambda each: each.intent_id), lambda e: e.intent_id)
        assert all([p.step for p in members] == list(range(len(steps))) for _, members in by_intent)

    def test_intents_meet_on_a_record_where_they_commute(self) -> None:
        description = described(UPDATE, BATCH, ARRAY)
        first = lowered(description, 1, tag("a"), intent="a")
        other = lowered(description, 2, tag("a"), intent="b")
        second = lowered(description, 1, tag("b"), field("void"), intent="c")
        (batch,) = batches(description, (*first, *other, *second))
        assert [each.intent_id for each in batch.primitives] == ["a", "c", "c", "b"]

    def test_and_not_where_they_write_to_one_place(self) -> None:
        description = described(UPDATE, BATCH, ARRAY)
        first = lowered(description, 1, tag("a"), intent="a")
        second = lowered(description, 1, tag("a", present=False), intent="b")
        assert shape(list(batches(description, (*first, *second)))) == [("update", 1)] * 2

    def test_one_intent_that_writes_twice_to_one_place_needs_two_calls(self) -> None:
        description = described(UPDATE)
        found = lowered(description, 1, field("void"), field("active", "void"))
        assert shape(list(batches(description, found))) == [("update", 1)] * 2

    def test_fullest_group_goes_when_none_is_complete(self) -> None:
        description = described(UPDATE, BATCH, MANY_NOTES)
        there = (field("void"), note())
        one, two, three = (
            lowered(description, 1, *there),
            lowered(description, 2, *there),
            lowered(description, 3, *reversed(there)),
        )
        assert shape(list(batches(description, (*one, *two, *three)))) == [
            ("update", 2),
            ("create_notes", 3),
            ("update", 1),
        ]

    def test_change_of_a_note_and_its_removal_are_calls_of_their_own(self) -> None:
        description = described(NOTES)
        changed = Step(StepKind.NOTE, "MARKER2222", "old", "new", "n1")
        removed = Step(StepKind.NOTE, "MARKER3333", "old", None, "n2")
        found = lowered(description, 1, changed, removed)
        assert shape(list(batches(description, found))) == [("update_note", 1), ("delete_note", 1)]
