"""Which promises cannot be kept with a CRM, and why: from what it says of itself. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

import msgspec

from connector.models import PrimitiveKind, StepKind
from connector.ports import Capabilities, NoteLookup, ObjectInfo, Schema


class Unkept(StrEnum):
    """What is not promised; each has a text `promise.CODE` in the message catalogue."""

    OVERWRITE = "overwrite"
    NOTES_LAG = "notes_lag"
    NOTES_LOST = "notes_lost"
    NOTES_STAY = "notes_stay"
    NO_NOTES = "no_notes"
    NO_TAGS = "no_tags"
    AUTOMATIONS = "automations"
    DELETIONS_LATE = "deletions_late"
    CHANGES_LATE = "changes_late"
    FULL_PULLS = "full_pulls"


_OF_NOTES = frozenset({Unkept.NOTES_LAG, Unkept.NOTES_LOST, Unkept.NOTES_STAY})
# A plan that needed one of these would not have been made; a full pull costs time, nothing else.
_NOT_OF_PLANS = frozenset({Unkept.NO_NOTES, Unkept.NO_TAGS, Unkept.FULL_PULLS})


class Caveat(msgspec.Struct, frozen=True):
    """One promise that does not hold here: for which objects or kinds of writes, and after how
    many days or seconds it does."""

    code: Unkept
    objects: tuple[str, ...] = ()
    kinds: tuple[PrimitiveKind, ...] = ()
    days: int | None = None
    seconds: int | None = None


def caveats(schema: Schema, objects: Collection[str], full_every_days: int) -> tuple[Caveat, ...]:
    """The promises that cannot be kept. `objects` are those that are pulled; `full_every_days` is
    how often all of them are, whatever they need."""
    infos = [schema.objects[name] for name in sorted(objects) if name in schema.objects]
    return (*_writing(schema.capabilities), *_pulling(infos, full_every_days))


def of_plan(found: Iterable[Caveat], kinds: Collection[PrimitiveKind]) -> tuple[Caveat, ...]:
    """Those that matter to a plan with these kinds of writes."""
    return tuple(each for part in found if (each := _touched(part, frozenset(kinds))))


def _touched(caveat: Caveat, kinds: frozenset[PrimitiveKind]) -> Caveat | None:
    if caveat.code in _NOT_OF_PLANS:
        return None
    if caveat.code in _OF_NOTES:
        return caveat if any(kind.step_kind is StepKind.NOTE for kind in kinds) else None
    if caveat.code is Unkept.OVERWRITE:
        return caveat if kinds else None
    if caveat.code is Unkept.AUTOMATIONS:
        here = tuple(kind for kind in caveat.kinds if kind in kinds)
        return msgspec.structs.replace(caveat, kinds=here) if here else None
    return caveat


def _writing(can: Capabilities) -> Iterator[Caveat]:
    if can.writes and not can.conditional_writes:
        yield Caveat(Unkept.OVERWRITE)
    yield from _notes(can)
    if PrimitiveKind.ADD_TAG not in can.writes:
        yield Caveat(Unkept.NO_TAGS)
    loud = tuple(sorted(kind for kind, limit in can.writes.items() if not limit.quiet))
    if loud:
        yield Caveat(Unkept.AUTOMATIONS, kinds=loud)


def _notes(can: Capabilities) -> Iterator[Caveat]:
    if PrimitiveKind.PUT_NOTE not in can.writes:
        yield Caveat(Unkept.NO_NOTES)
        return
    if can.note_lookup is NoteLookup.LAGGING:
        yield Caveat(Unkept.NOTES_LAG, seconds=round(can.note_lag_seconds))
    elif can.note_lookup is NoteLookup.NONE:
        yield Caveat(Unkept.NOTES_LOST)
    if PrimitiveKind.DELETE_NOTE not in can.writes:
        yield Caveat(Unkept.NOTES_STAY)


def _pulling(infos: Iterable[ObjectInfo], full_every_days: int) -> Iterator[Caveat]:
    found: dict[tuple[Unkept, int | None], list[str]] = defaultdict(list)
    for info in infos:
        if not info.incremental:
            found[Unkept.FULL_PULLS, None].append(info.name)
            continue
        days = min(full_every_days, info.reconcile_days or full_every_days)
        if not info.deletions:
            found[Unkept.DELETIONS_LATE, days].append(info.name)
        if info.reconcile_days is not None:
            found[Unkept.CHANGES_LATE, days].append(info.name)
    for (code, wait), names in sorted(
        found.items(), key=lambda item: (item[0][0], item[0][1] or 0)
    ):
        yield Caveat(code, objects=tuple(names), days=wait)
