"""What a description says of its API in the words of the port."""

from __future__ import annotations

import pytest

from adapters.rest.describe import describe
from adapters.rest.loading import Source, read_description
from connector.errors import ConfigurationError
from connector.models import PrimitiveKind
from connector.ports import Capabilities, FieldInfo, NoteLookup, ObjectInfo, Schema, WriteLimit
from tests.adapters.rest.flavours import (
    ARRAY,
    BASE,
    BATCH,
    BLIND,
    FIXED,
    IF_MATCH,
    LAGGING,
    LINKS,
    MANY_NOTES,
    NOTES,
    ONE,
    REMARK,
    UPDATE,
    Flavour,
)
from tests.adapters.rest.little_server import Behaviour

TAGS = {PrimitiveKind.ADD_TAG, PrimitiveKind.REMOVE_TAG}
VALUES = {PrimitiveKind.SET_FIELD, PrimitiveKind.CHANGE_OWNER}
ALL_NOTES = {PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE}


def schema(text: str) -> Schema:
    return describe(read_description(Source(text, "crm.yaml")))


def can(*parts: str, read: str = "") -> Capabilities:
    flavour = Flavour(Behaviour(), parts=parts)
    return schema((Flavour(Behaviour(), read, parts) if read else flavour).text).capabilities


def customers(text: str) -> ObjectInfo:
    return schema(text).objects["customers"]


def test_fields_are_those_of_the_description_and_the_id() -> None:
    fields = customers(Flavour(Behaviour()).text).fields
    assert fields[:3] == (
        FieldInfo("id", "text"),
        FieldInfo("name", "text", writable=True),
        FieldInfo("status", "choice", writable=True, options=("active", "void")),
    )


def test_nothing_is_writable_without_an_update() -> None:
    text = BASE.replace("      name: {", "      id: integer\n      name: {")
    info = customers(text)
    assert not any(field.writable for field in info.fields)
    assert [field.name for field in info.fields].count("id") == 1
    assert schema(text).capabilities == Capabilities({}, 100, 60.0)


def test_changes_and_deletions_are_what_the_object_says() -> None:
    full = BASE.partition("    changes:")[0]
    swept = full + "    sweep: {}\n"
    marked = full + "    changes: {reconcile_days: 3, tombstone: {path: deleted}}\n"
    shown = [customers(text) for text in (BASE, full, swept, marked)]
    assert [(each.incremental, each.deletions) for each in shown] == [
        (True, True),
        (False, False),
        (False, True),
        (True, True),
    ]
    assert [each.reconcile_days for each in shown] == [None, None, None, 3]


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ((UPDATE,), VALUES),
        ((UPDATE, ARRAY, NOTES), VALUES | TAGS | ALL_NOTES),
        ((UPDATE, REMARK), VALUES | ALL_NOTES),
        ((LINKS,), TAGS),
        ((FIXED,), ALL_NOTES),
    ],
)
def test_kinds_are_those_that_the_writes_allow(
    parts: tuple[str, ...], kinds: set[PrimitiveKind]
) -> None:
    assert set(can(*parts).writes) == kinds


def test_notes_that_cannot_be_removed_are_only_put() -> None:
    for_good = "".join(line for line in FIXED.splitlines(keepends=True) if "remove" not in line)
    assert set(can(for_good).writes) == {PrimitiveKind.PUT_NOTE}


def test_limits_are_those_of_the_calls() -> None:
    found = can(UPDATE, BATCH, LINKS, MANY_NOTES, "quiet: true\n").writes
    assert found[PrimitiveKind.SET_FIELD] == WriteLimit(4, cost_rows=4, quiet=True)
    assert found[PrimitiveKind.ADD_TAG] == WriteLimit(1, quiet=True)
    assert found[PrimitiveKind.PUT_NOTE] == WriteLimit(3, cost_rows=3, quiet=True)
    assert found[PrimitiveKind.DELETE_NOTE] == WriteLimit(1, quiet=True)


def test_note_in_a_field_is_written_with_the_record() -> None:
    found = can(UPDATE, BATCH, REMARK)
    assert found.writes[PrimitiveKind.PUT_NOTE].batch == 4
    assert (found.note_lookup, found.note_length) == (NoteLookup.CONSISTENT, 32_000)


def test_notes_are_found_as_surely_as_the_description_says() -> None:
    lagging, blind, none = can(LAGGING), can(BLIND), can(UPDATE)
    assert (lagging.note_lookup, lagging.note_lag_seconds) == (NoteLookup.LAGGING, 5.0)
    assert blind.note_lookup is NoteLookup.NONE
    assert (none.note_lookup, none.note_length) == (NoteLookup.NONE, None)


def test_reads_of_one_are_counted_one_by_one() -> None:
    assert (can(UPDATE).read_batch, can(UPDATE, read=ONE).read_batch) == (5, 1)


def test_settling_waits_for_the_timeout_and_a_margin() -> None:
    assert can(UPDATE).settle_seconds == 60.0
    assert can(UPDATE, "settle_seconds: 7\n").settle_seconds == 7.0


def test_conditions_need_a_version() -> None:
    guarded = Flavour(Behaviour(), parts=(UPDATE, IF_MATCH)).text
    assert schema(guarded).capabilities.conditional_writes
    bare = guarded.replace("    version: rev\n", "")
    assert schema(bare).capabilities.conditional_writes
    blind = (
        "".join(
            line
            for line in bare.partition("    changes:")[0].splitlines(keepends=True)
            if "modified:" not in line
        )
        + bare[bare.index("    read:") :]
    )
    assert not schema(blind).capabilities.conditional_writes
    assert not can(UPDATE).conditional_writes


def test_condition_is_for_updates() -> None:
    assert not can(LINKS, IF_MATCH).conditional_writes


def test_several_objects_can_what_all_of_them_can() -> None:
    text = Flavour(Behaviour(), parts=(UPDATE, BATCH, ARRAY, NOTES, "tag_length: 20\n")).text
    objects, writes = text.split("writes:\n")
    people = objects[objects.index("  customers:") :].replace("  customers:", "  people:", 1)
    parts = f"{UPDATE}{ARRAY}tag_length: 10\nsettle_seconds: 90\n".splitlines(keepends=True)
    more = "  people:\n" + "".join(f"    {line}" for line in parts)
    found = schema(f"{objects}{people}writes:\n{writes}{more}").capabilities
    assert set(found.writes) == VALUES | TAGS
    assert found.writes[PrimitiveKind.SET_FIELD].batch == 1
    assert (found.tag_length, found.tags_per_record, found.settle_seconds) == (10, None, 90.0)
    assert (found.note_lookup, found.note_length) == (NoteLookup.NONE, None)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((UPDATE, NOTES.replace("  find:", "  update:")), "find"),
        ((LINKS.replace("  field: tags\n", ""),), "stand in a field"),
        ((UPDATE, "locking: {}\n"), "where does the version go"),
        ((LAGGING.replace("  lag_seconds: 5\n", ""),), "lag_seconds"),
        (('owner: owner\nlocking: {json: {rev: "{{ version }}"}}\n',), "update"),
        (
            (
                "update: {method: PATCH, path: /x, form: {a: b}}\n",
                'locking: {json: {rev: "{{ version }}"}}\n',
            ),
            "json body of 'update'",
        ),
    ],
)
def test_description_that_cannot_be_followed_is_refused(
    parts: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        can(*parts)
