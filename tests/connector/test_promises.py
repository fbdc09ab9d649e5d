"""What is said not to be promised, by what a CRM says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.zoho.schema import capabilities
from connector.models import PrimitiveKind
from connector.payloads import promises_json
from connector.ports import Capabilities, NoteLookup, ObjectInfo, Schema, WriteLimit
from connector.promises import Caveat, Unkept, caveats, of_plan
from connector.summary import promise_lines, promise_text
from policies.languages import LANGUAGES
from policies.messages import has_message

ALL = tuple(PrimitiveKind)
NO_NOTES = tuple(kind for kind in ALL if "note" not in kind)


def schema(*objects: ObjectInfo, kinds: tuple[PrimitiveKind, ...] = ALL, **can: Any) -> Schema:
    writes: Mapping[PrimitiveKind, WriteLimit] = dict.fromkeys(kinds, WriteLimit(1, quiet=True))
    settings = {
        "writes": writes,
        "read_batch": 1,
        "settle_seconds": 1.0,
        "note_lookup": NoteLookup.CONSISTENT,
        "conditional_writes": True,
        **can,
    }
    return Schema({each.name: each for each in objects}, Capabilities(**settings))


def codes(described: Schema, days: int = 7) -> list[str]:
    return [each.code.value for each in caveats(described, described.objects, days)]


def test_a_crm_that_can_do_everything_has_no_caveat() -> None:
    assert codes(schema(ObjectInfo("Accounts", "", ()))) == []


@pytest.mark.parametrize(
    ("can", "code"),
    [
        ({"conditional_writes": False}, "overwrite"),
        ({"note_lookup": NoteLookup.LAGGING, "note_lag_seconds": 30.0}, "notes_lag"),
        ({"note_lookup": NoteLookup.NONE}, "notes_lost"),
        ({"kinds": tuple(k for k in ALL if k is not PrimitiveKind.DELETE_NOTE)}, "notes_stay"),
        ({"kinds": NO_NOTES, "note_lookup": NoteLookup.NONE}, "no_notes"),
        ({"kinds": tuple(k for k in ALL if not k.endswith("tag"))}, "no_tags"),
    ],
)
def test_what_a_crm_lacks_is_said_once(can: dict[str, Any], code: str) -> None:
    assert codes(schema(**can)) == [code]


def test_a_crm_that_takes_no_write_can_overwrite_nothing() -> None:
    assert codes(schema(kinds=(), conditional_writes=False)) == ["no_notes", "no_tags"]


def test_loud_writes_are_named() -> None:
    loud = {
        PrimitiveKind.SET_FIELD: WriteLimit(1),
        PrimitiveKind.ADD_TAG: WriteLimit(1, quiet=True),
    }
    [found] = [each for each in caveats(schema(writes=loud), (), 7) if each.kinds]
    assert found == Caveat(Unkept.AUTOMATIONS, kinds=(PrimitiveKind.SET_FIELD,))


def test_late_knowledge_is_told_with_its_days_by_object() -> None:
    described = schema(
        ObjectInfo("b", "", (), deletions=False),
        ObjectInfo("a", "", (), deletions=False),
        ObjectInfo("c", "", (), deletions=False, reconcile_days=1),
        ObjectInfo("d", "", (), reconcile_days=30),
        ObjectInfo("e", "", (), incremental=False, deletions=False, reconcile_days=3),
        ObjectInfo("unmapped", "", (), deletions=False),
    )
    assert caveats(described, ("a", "b", "c", "d", "e", "unheard"), 7) == (
        Caveat(Unkept.CHANGES_LATE, objects=("c",), days=1),
        Caveat(Unkept.CHANGES_LATE, objects=("d",), days=7),
        Caveat(Unkept.DELETIONS_LATE, objects=("c",), days=1),
        Caveat(Unkept.DELETIONS_LATE, objects=("a", "b"), days=7),
        Caveat(Unkept.FULL_PULLS, objects=("e",)),
    )


def test_a_plan_hears_only_of_what_it_writes() -> None:
    everything = (
        Caveat(Unkept.OVERWRITE),
        Caveat(Unkept.NOTES_STAY),
        Caveat(Unkept.NO_TAGS),
        Caveat(Unkept.AUTOMATIONS, kinds=(PrimitiveKind.ADD_TAG, PrimitiveKind.PUT_NOTE)),
        Caveat(Unkept.CHANGES_LATE, objects=("a",), days=7),
        Caveat(Unkept.FULL_PULLS, objects=("b",)),
    )
    tags, nothing = of_plan(everything, {PrimitiveKind.ADD_TAG}), of_plan(everything, ())
    assert tags == (
        Caveat(Unkept.OVERWRITE),
        Caveat(Unkept.AUTOMATIONS, kinds=(PrimitiveKind.ADD_TAG,)),
        Caveat(Unkept.CHANGES_LATE, objects=("a",), days=7),
    )
    assert nothing == (Caveat(Unkept.CHANGES_LATE, objects=("a",), days=7),)
    fields = of_plan(everything, {PrimitiveKind.SET_FIELD, PrimitiveKind.DELETE_NOTE})
    assert [each.code for each in fields] == ["overwrite", "notes_stay", "changes_late"]


def test_zoho_has_the_caveats_that_hold_for_it() -> None:
    users = ObjectInfo("users", "", (), incremental=False, deletions=False)
    described = Schema({"users": users}, capabilities(30.0))
    assert codes(described) == ["automations", "full_pulls"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caveat_and_state_has_its_words(language: str) -> None:
    for code in Unkept:
        assert has_message(language, f"promise.{code}")
        text = promise_text(Caveat(code, ("Accounts",), (PrimitiveKind.ADD_TAG,), 7, 30), language)
        assert "{" not in text
        assert f"promise.{code}" not in text


def test_words_hold_the_figures_and_automations_are_told_elsewhere() -> None:
    found = (
        Caveat(Unkept.AUTOMATIONS, kinds=(PrimitiveKind.ADD_TAG,)),
        Caveat(Unkept.DELETIONS_LATE, objects=("Accounts", "Deals"), days=7),
    )
    [line] = promise_lines(found, "en")
    assert "Accounts, Deals" in line
    assert "every 7 days" in line
    listed = promises_json(found, "en")
    assert [each["code"] for each in listed] == ["automations", "deletions_late"]
    assert "add" in listed[0]["text"]
    assert listed[1]["days"] == 7
