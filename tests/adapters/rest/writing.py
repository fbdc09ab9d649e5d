"""What the tests of writing share: one record's steps sent to the little CRM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from adapters.rest.adapter import RestAdapter
from connector.models import Change, Outcome, OutcomeStatus, Primitive, Ref, Scalar, Step, StepKind
from connector.ports import Batch, NoteRef, ReadRequest, RecordState
from tests.adapters.rest.flavours import Flavour
from tests.adapters.rest.little_server import LittleCrm, Request
from tests.adapters.rest.little_world import OBJECT, open_adapter

MARK = "ABCDEFGHI2"
TEXT = f"No order for a year\nThe last one came in May. {MARK}"


class Desk:
    """A server of one flavour, and an adapter at work on it."""

    def __init__(self, flavour: Flavour) -> None:
        self.crm = LittleCrm(flavour.behaviour)
        self.flavour = flavour
        self.adapter: RestAdapter = open_adapter(flavour.text, self.crm.url)

    def close(self) -> None:
        self.adapter.close()
        self.crm.close()

    def add(self, **values: object) -> Ref:
        return Ref(OBJECT, str(self.crm.add(**values)))

    def lowered(self, ref: Ref, *steps: Step, intent: str = "") -> tuple[Primitive, ...]:
        change = Change(intent or f"i{ref.id}", ref, "rule", steps)
        return self.adapter.lower(change)

    def batches(self, *groups: tuple[Primitive, ...]) -> list[Batch]:
        return list(self.adapter.batches(tuple(each for group in groups for each in group)))

    def send(self, *groups: tuple[Primitive, ...]) -> list[Outcome]:
        return [out for batch in self.batches(*groups) for out in self.adapter.send(batch)]

    def do(self, ref: Ref, *steps: Step) -> list[Outcome]:
        return self.send(self.lowered(ref, *steps))

    def state(self, ref: Ref, *fields: str, marker: str = "") -> RecordState:
        notes = (NoteRef(ref, marker),) if marker else ()
        (found,) = self.adapter.read(ReadRequest((ref,), fields, notes))
        return found

    def tags(self, ref: Ref) -> list[str]:
        return self.crm.tag_names(int(ref.id))

    def notes(self) -> list[str]:
        return [note["text"] for note in self.crm.store.notes.values()]

    def sent(self, path: str = "") -> list[Request]:
        return [each for each in self.crm.writes if path in each.path]


def told(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    return [(str(outcome.status), outcome.code) for outcome in outcomes]


def statuses(outcomes: Iterable[Outcome]) -> list[OutcomeStatus]:
    return [outcome.status for outcome in outcomes]


def guarded(batch: Batch, versions: Mapping[Ref, str | None]) -> Batch:
    known = {str(ref): version for ref, version in versions.items() if version is not None}
    return msgspec.structs.replace(batch, versions=known)


def tag(name: str, *, present: bool = True) -> Step:
    return Step(StepKind.TAG, name, not present, present)


def field(after: Scalar, before: Scalar = "active", name: str = "status") -> Step:
    return Step(StepKind.FIELD, name, before, after)


def owner(after: str | None, before: str | None = "1") -> Step:
    return Step(StepKind.OWNER, "", before, after)


def note(after: str | None = TEXT, before: str | None = None, remote_id: str | None = None) -> Step:
    return Step(StepKind.NOTE, MARK, before, after, remote_id)
