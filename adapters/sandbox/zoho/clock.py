"""Moments as the organisation's zone shows them: seconds inside, ISO with offset on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

NO_MOMENT = "a moment is ISO text with an offset, an aware datetime or epoch seconds"


def utc_now() -> datetime:
    return datetime.now(UTC)


class OrgClock:
    def __init__(self, zone: str, now: Callable[[], datetime]) -> None:
        self.zone_name = zone
        self._zone = ZoneInfo(zone)
        self._now = now

    def now(self) -> int:
        return int(self._now().timestamp())

    def text(self, moment: int) -> str:
        return datetime.fromtimestamp(moment, self._zone).isoformat(timespec="seconds")

    def seconds(self, value: Any) -> int:
        """Epoch seconds of a moment; ValueError unless its offset is known."""
        if isinstance(value, int):
            return value
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise ValueError(NO_MOMENT)
        return int(moment.timestamp())

    def json_value(self, value: Any) -> Any:
        """Turn what JSON does not know into what Zoho would show (for json.dumps)."""
        if isinstance(value, datetime):
            return self.text(self.seconds(value))
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return float(value)
        raise TypeError(f"no JSON for {type(value).__name__}")
