"""How Zoho words its answers: whole-request errors, row results, empty lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response, request

JSON = "application/json;charset=UTF-8"
LOCKED = "Sorry, you cannot perform this operation as the record is locked."
STATE_MESSAGES = {
    "RECORD_LOCKED": LOCKED,
    "NOT_APPROVED": "Cannot update record that is not approved yet",
    "NOT_REVIEWED": "record in review",
    "RECORD_IN_BLUEPRINT": "The record is in blue print",
    "CANNOT_PROCESS": "The record is in stop-processing state.",
}


class Refusal(Exception):  # noqa: N818 (an answer, not a failure of the sandbox)
    """One error object: of a row, or of the whole request with its HTTP status."""

    def __init__(
        self,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.status = status
        self.headers = dict(headers or {})

    @property
    def wire(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "details": self.details,
            "message": self.message,
            "status": "error",
        }


class WholeReply(Exception):  # noqa: N818 (as above)
    """An answer whose body is neither a flat error nor a list of row results."""

    def __init__(self, payload: Mapping[str, Any], status: int) -> None:
        super().__init__(status)
        self.payload = payload
        self.status = status


def invalid_data(details: Mapping[str, Any], message: str = "invalid data") -> Refusal:
    return Refusal("INVALID_DATA", message, details)


def invalid_id(json_path: str) -> Refusal:
    details = {"api_name": "id", "json_path": json_path}
    return invalid_data(details, "the id given seems to be invalid")


def mandatory(api_name: str, json_path: str) -> Refusal:
    details = {"api_name": api_name, "json_path": json_path}
    return Refusal("MANDATORY_NOT_FOUND", "required field not found", details)


def too_many(api_name: str, limit: int) -> WholeReply:
    """More rows than a call may carry: the one whole-request error that comes inside data[]."""
    refusal = Refusal(
        "LIMIT_EXCEEDED",
        "count of records in your request exceeds the limit",
        {"maximum_length": limit, "api_name": api_name, "json_path": f"$.{api_name}"},
    )
    return WholeReply({"data": [refusal.wire]}, 400)


def success(details: Mapping[str, Any], message: str) -> dict[str, Any]:
    return {"code": "SUCCESS", "details": dict(details), "message": message, "status": "success"}


def reply(payload: Any, status: int = 200) -> Response:
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type=JSON)


def empty(status: int = 204) -> Response:
    return Response(status=status)


def rows_status(rows: Iterable[Mapping[str, Any]], all_good: int, all_failed: int) -> int:
    outcomes = {row["status"] for row in rows}
    if outcomes == {"success"}:
        return all_good
    return all_failed if outcomes == {"error"} else 207


def json_body() -> Any:
    """Return the request's JSON, None when there is none or it is broken."""
    return request.get_json(silent=True)


def body_rows(body: Any, key: str, limit: int) -> Sequence[Any]:
    """Return the non-empty list under a key of a JSON body, or refuse the request."""
    if not isinstance(body, Mapping):
        raise invalid_data({"expected_data_type": "jsonobject"})
    if key not in body:
        raise mandatory(key, f"$.{key}")
    rows = body[key]
    if not isinstance(rows, list) or not rows:
        raise invalid_data(
            {"expected_data_type": "jsonarray", "api_name": key, "json_path": f"$.{key}"}
        )
    if len(rows) > limit:
        raise too_many(key, limit)
    return rows
