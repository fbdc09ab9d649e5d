"""Plan rows on their way into the journal: encoded once, for the hash and for the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from connector.plan_model import Fingerprint, PlanHeader, PlanRow, encode_header, encode_row


@dataclass(slots=True)
class PlanEncoding:
    """One plan being stored, under its number; counts what would be applied."""

    number: int
    header: PlanHeader
    fingerprint: Fingerprint = field(init=False)
    last: int = -1
    changes: int = 0
    primitives: int = 0

    def __post_init__(self) -> None:
        self.fingerprint = Fingerprint(encode_header(self.header))

    def records(self, rows: Iterable[PlanRow]) -> Iterator[tuple[Any, ...]]:
        """Rows of the table, their values in the order of its columns."""
        for row in rows:
            if row.seq <= self.last:
                raise ValueError(f"plan rows out of order: {row.seq} after {self.last}")
            self.last = row.seq
            if self.header.writes(row):
                self.changes += 1
                self.primitives += len(row.primitives)
            body = encode_row(row)
            self.fingerprint.add(body)
            yield self.number, row.seq, row.status.value, body
