"""What became of a primitive, told from the record as it stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.settling import settle_by_reading
from connector.models import OutcomeStatus, Primitive, PrimitiveKind, Ref, Scalar
from connector.ports import Batch, NoteRef, NoteState, ReadRequest, RecordState

REF = Ref("customers", "1")
MARK = "ABCDEFGHI2"
DONE, ABSENT, CONFLICT = OutcomeStatus.DONE, OutcomeStatus.ABSENT, OutcomeStatus.CONFLICT
UNKNOWN = OutcomeStatus.UNKNOWN
KINDS = PrimitiveKind


def primitive(
    kind: PrimitiveKind, before: Scalar, after: Scalar, remote_id: str | None = None
) -> Primitive:
    targets = {KINDS.SET_FIELD: "status", KINDS.CHANGE_OWNER: "owner", KINDS.ADD_TAG: "gold"}
    return Primitive("i", 0, REF, kind, targets.get(kind, MARK), before, after, remote_id)


def settled(
    each: Primitive, state: RecordState, *, blind: bool = False
) -> tuple[OutcomeStatus, str, str | None]:
    def read(request: ReadRequest) -> Iterator[RecordState]:
        assert request.refs == (REF,)
        yield state

    (outcome,) = settle_by_reading(read, Batch("update", (each,)), blind=blind)
    return outcome.status, outcome.code, outcome.remote_id


def noted(text: str, identifier: str = "n1") -> RecordState:
    return RecordState(REF, exists=True, notes=(NoteState(MARK, identifier, text),))


@pytest.mark.parametrize(
    ("each", "state", "status"),
    [
        (primitive(KINDS.SET_FIELD, "a", "b"), {"fields": {"status": "b"}}, DONE),
        (primitive(KINDS.SET_FIELD, "a", "b"), {"fields": {"status": "a"}}, ABSENT),
        (primitive(KINDS.SET_FIELD, "a", "b"), {"fields": {"status": "c"}}, CONFLICT),
        (primitive(KINDS.SET_FIELD, "a", "b"), {}, UNKNOWN),
        (primitive(KINDS.CHANGE_OWNER, "1", "2"), {"owner": "2"}, DONE),
        (primitive(KINDS.CHANGE_OWNER, "1", "2"), {"owner": None}, CONFLICT),
        (primitive(KINDS.ADD_TAG, before=False, after=True), {"tags": frozenset({"gold"})}, DONE),
        (primitive(KINDS.ADD_TAG, before=False, after=True), {}, ABSENT),
        (primitive(KINDS.PUT_NOTE, None, "t"), {}, ABSENT),
        (primitive(KINDS.PUT_NOTE, "s", "t", "n1"), {}, CONFLICT),
        (primitive(KINDS.DELETE_NOTE, "t", None, "n1"), {}, DONE),
    ],
)
def test_value_that_stands_there(
    each: Primitive, state: dict[str, object], status: OutcomeStatus
) -> None:
    assert settled(each, RecordState(REF, exists=True, **state))[0] is status


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (primitive(KINDS.PUT_NOTE, None, "t"), (DONE, "", "n1")),
        (primitive(KINDS.PUT_NOTE, "s", "t", "n1"), (DONE, "", "n1")),
        (primitive(KINDS.PUT_NOTE, "s", "u", "n1"), (CONFLICT, "", "n1")),
        (primitive(KINDS.PUT_NOTE, "t", "u", "n1"), (ABSENT, "", "n1")),
        (primitive(KINDS.PUT_NOTE, "s", "t", "n2"), (CONFLICT, "", None)),
        (primitive(KINDS.DELETE_NOTE, "t", None, "n1"), (ABSENT, "", "n1")),
    ],
)
def test_note_that_stands_there(each: Primitive, expected: tuple[object, ...]) -> None:
    assert settled(each, noted("t")) == expected


def test_record_that_is_gone_takes_nothing() -> None:
    gone = RecordState(REF, exists=False)
    expected = (OutcomeStatus.REFUSED, "RECORD_GONE", None)
    assert settled(primitive(KINDS.PUT_NOTE, None, "t"), gone, blind=True) == expected


def test_new_note_that_cannot_be_looked_up_stays_unknown() -> None:
    new, known = primitive(KINDS.PUT_NOTE, None, "t"), primitive(KINDS.PUT_NOTE, "s", "t", "n1")
    assert settled(new, noted("t"), blind=True) == (UNKNOWN, "NO_LOOKUP", None)
    assert settled(known, noted("t"), blind=True) == (DONE, "", "n1")


def test_what_is_asked_for_is_what_was_written() -> None:
    asked = []

    def read(request: ReadRequest) -> Iterator[RecordState]:
        asked.append(request)
        yield RecordState(REF, exists=True)

    kinds = (
        primitive(KINDS.SET_FIELD, "a", "b"),
        primitive(KINDS.PUT_NOTE, None, "t"),
    )
    settle_by_reading(read, Batch("update", kinds))
    assert asked == [ReadRequest((REF,), ("status",), (NoteRef(REF, MARK),))]
