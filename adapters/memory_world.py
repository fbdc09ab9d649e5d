"""The world of the reference adapter for the conformance suite; a pattern for other authors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Part, Samples
from adapters.memory import MemoryAdapter
from adapters.memory_crm import Fault, ManualClock
from adapters.memory_profile import (
    LIFE_FIELD,
    LIFE_INVALID,
    LIFE_NORMAL,
    PLAIN,
    POOL_FIELD,
    NoteModel,
    Profile,
    TagModel,
)
from connector.models import Ref, Step, StepKind

_NATIVE = (
    Step(StepKind.OWNER, "", "u1", None),
    Step(StepKind.FIELD, POOL_FIELD, None, "pool-1"),
)
_VOID = (Step(StepKind.FIELD, LIFE_FIELD, LIFE_NORMAL, LIFE_INVALID),)


class MemoryWorld:
    """A `MemoryAdapter` with pages of two records, and everything that can happen to it."""

    def __init__(
        self,
        profile: Profile = PLAIN,
        *,
        voids: bool = False,
        make: type[MemoryAdapter] = MemoryAdapter,
    ) -> None:
        self.clock = ManualClock()
        self.parts = frozenset(Part)
        self.adapter = make(profile, now=self.clock, page_size=2)
        self.crm = self.adapter.crm
        if profile.notes is NoteModel.NONE:
            self.parts -= {Part.FOREIGN_NOTES}
        tags = () if profile.tags is TagModel.NONE else (profile.tag_field,)
        self.samples = Samples(
            object="Accounts",
            pull_fields=("name", "status", "owner", "modified", *tags),
            field=("status", None, "watched"),
            owners=("u1", "u2"),
            native=(_VOID if voids else _NATIVE) if profile.native else (),
        )

    def seed(self, count: int) -> tuple[Ref, ...]:
        return self.crm.seed("Accounts", count)

    def snapshot(self) -> Mapping[str, Any]:
        return self.crm.snapshot()

    def writes(self) -> int:
        return self.crm.writes

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def edit(self, ref: Ref) -> None:
        self.crm.edit(ref, name="Renamed by somebody else")

    def add_tag(self, ref: Ref, tag: str) -> None:
        self.crm.add_tag(ref, tag)

    def add_note(self, ref: Ref, text: str) -> None:
        self.crm.add_note(ref, text)

    def delete(self, ref: Ref) -> None:
        self.crm.delete(ref)

    def lock(self, ref: Ref) -> None:
        self.crm.lock(ref)

    def lose_answer(self) -> None:
        self.crm.fail_next(Fault.LOSE)

    def drop_request(self) -> None:
        self.crm.fail_next(Fault.DROP)
