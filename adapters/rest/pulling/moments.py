"""Moments as servers write them, and the zone of their clocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.rest.api import Api
from adapters.rest.paths import look
from adapters.rest.schema.call_description import Form
from adapters.rest.schema.object_description import Modified
from adapters.rest.templates import render_text
from connector.errors import ConfigurationError

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


def change_stamp(row: Mapping[str, Any], modified: Modified) -> Any:
    """What tells when a row was changed; that of its creation stands in where there is none."""
    value = look(row, modified.path)
    if not value and modified.created is not None:
        return look(row, modified.created)
    return value


def changed_at(row: Mapping[str, Any], modified: Modified, zone: tzinfo) -> datetime | None:
    return moment_of(change_stamp(row, modified), modified.form, zone)


def server_zone(api: Api) -> ZoneInfo:
    """Of the server's clocks, as the description has it."""
    name = render_text(api.description.server.timezone, api.names())
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            "the time zone of the CRM's server is none that this machine knows",
            "write `timezone` in its description as Asia/Shanghai or UTC",
        ) from None
