"""Finding out, by reading alone, what became of calls whose answers were lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from connector.journal import Journal
from connector.journal_model import OpenBatch
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind
from connector.ports import Adapter, Batch, Capabilities, NoteLookup


@dataclass(frozen=True, slots=True)
class Time:
    """Where moments come from, and how to wait."""

    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def wait_until(self, moment: datetime) -> None:
        """Sleep once, if the moment is still to come."""
        seconds = (moment - self.clock()).total_seconds()
        if seconds > 0:
            self.sleep(seconds)


def settle_open(journal: Journal, adapter: Adapter, time: Time) -> int:
    """Settle the open calls of all earlier runs; how many primitives that were.

    What proves absent may be sent again by its own plan; what nobody can tell stays `unknown`.
    """
    open_batches = journal.open_batches()
    if not open_batches:
        return 0
    capabilities = adapter.describe().capabilities
    for batch in open_batches:
        settle_batch(journal, adapter, capabilities, batch, time)
    return sum(len(batch.primitives) for batch in open_batches)


def settle_batch(
    journal: Journal, adapter: Adapter, capabilities: Capabilities, batch: OpenBatch, time: Time
) -> list[Outcome]:
    """Wait until the call can no longer arrive, read, and record what became of it."""
    longest = timedelta(seconds=capabilities.settle_seconds)  # a clock may have been set back
    time.wait_until(min(batch.intended_at, time.clock()) + longest)
    outcomes = _ask(adapter, batch.operation, batch.primitives)
    unseen = [each for each in batch.primitives if _is_new_note_absent(each, outcomes)]
    if unseen and capabilities.note_lookup is NoteLookup.LAGGING:
        time.sleep(capabilities.note_lag_seconds)
        outcomes |= _ask(adapter, batch.operation, unseen)
    elif capabilities.note_lookup is NoteLookup.NONE:
        outcomes |= {each.key: _unknown(outcomes[each.key]) for each in unseen}
    settled = [outcomes[each.key] for each in batch.primitives]
    journal.record(batch.plan_id, settled)
    return settled


def _ask(adapter: Adapter, operation: str, primitives: Sequence[Primitive]) -> dict[str, Outcome]:
    told = {each.key: each for each in adapter.settle(Batch(operation, tuple(primitives)))}
    silent = {
        each.key: Outcome(each.key, OutcomeStatus.UNKNOWN, "no_answer") for each in primitives
    }
    return {key: told.get(key, unknown) for key, unknown in silent.items()}


def _is_new_note_absent(primitive: Primitive, outcomes: dict[str, Outcome]) -> bool:
    """A new note is found by its marker alone, so not seeing it proves less than for a value."""
    is_new = primitive.kind is PrimitiveKind.PUT_NOTE and primitive.remote_id is None
    return is_new and outcomes[primitive.key].status is OutcomeStatus.ABSENT


def _unknown(outcome: Outcome) -> Outcome:
    return msgspec.structs.replace(outcome, status=OutcomeStatus.UNKNOWN, code="no_lookup")
