"""What became of a batch whose answer was lost: found out by reading alone."""

from __future__ import annotations

from adapters.rest.writing.read import Reader
from adapters.settling import settle_by_reading
from connector.models import Outcome
from connector.ports import Batch


def settle(reader: Reader, batch: Batch) -> list[Outcome]:
    """As `settle_by_reading`; where notes cannot be looked up, a new one stays unknown."""
    blind = any(reader.is_blind(primitive.ref.object) for primitive in batch.primitives)
    return settle_by_reading(reader.read, batch, blind=blind)
