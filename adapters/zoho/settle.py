"""What became of a batch whose answer was lost: found out by reading alone."""

from __future__ import annotations

from adapters.settling import settle_by_reading
from adapters.zoho.read import Reader
from connector.models import Outcome
from connector.ports import Batch


def settle(reader: Reader, batch: Batch) -> list[Outcome]:
    """As `settle_by_reading`: all that Zoho writes can be read back."""
    return settle_by_reading(reader.read, batch)
