"""Zoho's answers: their shapes, what its codes mean for a call, and what they mean for a row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from adapters.calls import Answer, Call, ErrorTable, Reading, Verdict, printable_code
from connector.errors import ProtocolError
from connector.models import OutcomeStatus

T = TypeVar("T")
API = "/crm/v8"


class Info(msgspec.Struct, frozen=True):
    """The paging part of a list answer; tokens are null on the last page."""

    more_records: bool = False
    next_page_token: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """A list of records; each row stays the bytes that it came as."""

    data: list[msgspec.Raw] = []
    users: list[msgspec.Raw] = []
    info: Info = Info()


class Result(msgspec.Struct, frozen=True):
    """What became of one row, or of a whole call."""

    code: str = ""
    status: str = ""
    details: Any = None

    def detail(self, name: str) -> Any:
        return self.details.get(name) if isinstance(self.details, dict) else None


class Reply(msgspec.Struct, frozen=True):
    """An answer to a write: rows in `data`, or one flat result; a tag refused for its own sake
    comes in `tags`, and some type errors come as one object in place of a list."""

    data: list[Result] | Result | None = None
    tags: list[Result] | None = None
    code: str = ""
    status: str = ""
    details: Any = None

    @property
    def rows(self) -> list[Result]:
        return self.data if isinstance(self.data, list) else []

    @property
    def whole(self) -> Result:
        """The one result that stands for the whole call, where there are no rows."""
        if isinstance(self.data, Result):
            return self.data
        if self.tags:
            return self.tags[0]
        return Result(self.code, self.status, self.details)


class User(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    full_name: str = ""


class TagName(msgspec.Struct, frozen=True):
    name: str


def decode(answer: Answer, shape: type[T], where: str) -> T:
    """Read an answer; 204 and 304 mean that there is nothing (Zoho v8 status-codes page)."""
    body = b"{}" if answer.status in {204, 304} else answer.body
    return decode_row(body, shape, where)


def decode_row(row: bytes | msgspec.Raw, shape: type[T], where: str) -> T:
    """Read one record of a list, or a whole body."""
    try:
        return msgspec.json.decode(row, type=shape)
    except msgspec.DecodeError as error:
        raise ProtocolError(
            f"zoho sent something that its contract does not allow ({where}: {_place(error)})",
            "check api_url in highseas.yaml; if it is right, report this with the log file",
        ) from None


def _place(error: msgspec.DecodeError) -> str:
    """Where in the document, in msgspec's `$.data[3]` form; the text of the value stays out."""
    _, found, path = str(error).partition("at `")
    if found:
        return path.rstrip("`")
    return "$" if isinstance(error, msgspec.ValidationError) else "not JSON"


# A call, not a row (Zoho v8 status-codes page; OAuth codes as observed at the API gateway).
_CALL_CODES: Mapping[str, Verdict] = MappingProxyType(
    {
        "INVALID_TOKEN": Verdict.RENEW,
        "AUTHENTICATION_FAILURE": Verdict.RENEW,
        "OAUTH_SCOPE_MISMATCH": Verdict.AUTHENTICATION,
        "TOO_MANY_REQUESTS": Verdict.WAIT,
        "INTERNAL_ERROR": Verdict.UNAVAILABLE,
    }
)
_CALL_STATUSES: Mapping[int, Verdict] = MappingProxyType(
    {401: Verdict.RENEW, 429: Verdict.WAIT, 408: Verdict.UNAVAILABLE}
)


def _read_error(call: Call, answer: Answer) -> Reading:
    if answer.status < 400:
        return Reading()
    try:
        reply = msgspec.json.decode(answer.body, type=Reply)
    except msgspec.DecodeError:
        return Reading()
    rows = reply.rows
    first = rows[0] if rows and not reply.code else reply.whole
    # Rows of a write are read whatever the HTTP class says: 400 means "all of them failed".
    if call.writes and answer.status in {400, 403, 404, 412} and (rows or first.code):
        whole = not rows and first.code in _CALL_CODES
        return Reading(printable_code(first.code) if whole else "", results=True)
    return Reading(printable_code(first.code), retry_after=_seconds(first.detail("retry_after")))


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


ZOHO_ERRORS = ErrorTable(_read_error, _CALL_CODES, _CALL_STATUSES)

# A row. Everything else is refused for good.
_ROW_STATUS: Mapping[str, OutcomeStatus] = MappingProxyType(
    {
        "SUCCESS": OutcomeStatus.DONE,
        "RECORD_LOCKED": OutcomeStatus.PARKED,
        "NOT_APPROVED": OutcomeStatus.PARKED,
        "NOT_REVIEWED": OutcomeStatus.PARKED,
        "TOO_MANY_REQUESTS": OutcomeStatus.PARKED,
        "ALREADY_MODIFIED": OutcomeStatus.CONFLICT,
        "INTERNAL_ERROR": OutcomeStatus.UNKNOWN,
    }
)


def row_status(code: str) -> OutcomeStatus:
    return _ROW_STATUS.get(code, OutcomeStatus.REFUSED)


def zoho_time(moment: datetime) -> str:
    """ISO 8601 with a numeric offset and whole seconds, which is all that Zoho reads."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
