"""Moments as servers write them, and the server's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.calls import Answer
from adapters.rest.schema.call_description import Form

_A_SECOND = {Form.SECONDS: 1, Form.MILLISECONDS: 1000}


def moment_of(value: Any, form: Form, zone: tzinfo) -> datetime | None:
    """A value as a moment in UTC; None when it is none. `zone`: of the server's clocks, for what
    says no offset itself."""
    try:
        if form in _A_SECOND:
            return datetime.fromtimestamp(float(value) / _A_SECOND[form], UTC)
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC if form is Form.UTC else zone)
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def server_time(answer: Answer) -> datetime | None:
    """The server's clock, as the answer's Date header tells it."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
