"""Sending a batch, once, and reading its row results whatever HTTP status they come with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.calls import AmbiguousWrite, Answer, Call, CallRefused, printable_code
from adapters.http import HttpClient
from adapters.zoho.batches import Operation
from adapters.zoho.read import split_note
from adapters.zoho.replies import API, Reply, Result, decode, row_status
from connector.errors import ProtocolError, RemoteError
from connector.models import Outcome, OutcomeStatus, Primitive, PrimitiveKind, StepKind
from connector.ports import Batch

_HEAVY_ROWS = 10  # more rows than this fall under the sub-concurrency (Zoho v8 api-limits page)
_JSON = {"Content-Type": "application/json"}
_NEEDS_ID = frozenset({Operation.UPDATE_NOTES, Operation.DELETE_NOTES})


@dataclass(frozen=True, slots=True)
class _Shipment:
    """One call, and for each row of it the id that its result should name."""

    call: Call
    ids: tuple[str, ...]


class Writer:
    """Writes with one client."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def send(self, batch: Batch) -> list[Outcome]:
        """An error that leaves here means that nothing of the batch arrived."""
        operation = Operation(batch.operation)
        able = [p for p in batch.primitives if operation not in _NEEDS_ID or p.remote_id]
        if operation is Operation.UPDATE and batch.versions:
            outcomes = self._guarded(able, batch.versions)
        else:
            outcomes = self._ship(able, _shipment(operation, able)) if able else {}
        lost = "NOTE_ID_UNKNOWN"
        return [
            outcomes.get(p.key) or Outcome(p.key, OutcomeStatus.REFUSED, lost)
            for p in batch.primitives
        ]

    def _guarded(
        self, primitives: Sequence[Primitive], versions: Mapping[str, str]
    ) -> dict[str, Outcome]:
        """One record a call: what one If-Unmodified-Since means for several is not documented."""
        rows: dict[str, list[Primitive]] = {}
        for primitive in primitives:
            rows.setdefault(str(primitive.ref), []).append(primitive)
        outcomes: dict[str, Outcome] = {}
        for key, members in rows.items():
            shipment = _shipment(Operation.UPDATE, members, versions.get(key))
            try:
                outcomes |= self._ship(members, shipment)
            except RemoteError:
                if not outcomes:
                    raise
                sent = outcomes.keys()
                rest = [primitive for primitive in primitives if primitive.key not in sent]
                return outcomes | _all(rest, OutcomeStatus.PARKED, "NOT_SENT")
        return outcomes

    def _ship(self, primitives: Sequence[Primitive], shipment: _Shipment) -> dict[str, Outcome]:
        try:
            answer = self._http.send(shipment.call)
        except AmbiguousWrite as doubt:
            return _all(primitives, OutcomeStatus.UNKNOWN, doubt.code)
        except CallRefused as refusal:
            return _all(primitives, OutcomeStatus.REFUSED, refusal.code or str(refusal.status))
        return _read_outcomes(primitives, shipment, answer)


def _shipment(
    operation: Operation, primitives: Sequence[Primitive], version: str | None = None
) -> _Shipment:
    match operation:
        case Operation.UPDATE:
            return _update(primitives, version)
        case Operation.ADD_TAGS | Operation.REMOVE_TAGS:
            return _tags(operation, primitives)
        case Operation.CREATE_NOTES | Operation.UPDATE_NOTES:
            return _notes(operation, primitives)
        case Operation.DELETE_NOTES:
            ids = tuple(dict.fromkeys(_row_id(primitive) for primitive in primitives))
            call = Call("DELETE", f"{API}/Notes", {"ids": ",".join(ids)}, writes=True)
            return _Shipment(call, ids)


def _update(primitives: Sequence[Primitive], version: str | None) -> _Shipment:
    rows: dict[str, dict[str, Any]] = {}
    for primitive in primitives:
        row = rows.setdefault(primitive.ref.id, {"id": primitive.ref.id})
        is_owner = primitive.kind is PrimitiveKind.CHANGE_OWNER
        row[primitive.target] = {"id": primitive.after} if is_owner else primitive.after
    path = f"{API}/{primitives[0].ref.object}"
    if version is not None:
        path = f"{path}/{primitives[0].ref.id}"
    headers = {"If-Unmodified-Since": version} if version is not None else {}
    # An empty list switches every automation off; without the key all of them run (Zoho v8
    # update-records page).
    body = {"data": list(rows.values()), "trigger": []}
    return _Shipment(_call("PUT", path, body, len(rows), headers), tuple(rows))


def _tags(operation: Operation, primitives: Sequence[Primitive]) -> _Shipment:
    ids = tuple(dict.fromkeys(primitive.ref.id for primitive in primitives))
    body: dict[str, Any] = {"tags": [{"name": primitives[0].target}], "ids": ids}
    params = {}
    if operation is Operation.ADD_TAGS:
        # The documentation wants it in the body, Zoho's own SDK sends it in the query.
        body["over_write"] = False
        params["over_write"] = "false"
    path = f"{API}/{primitives[0].ref.object}/actions/{operation.value}"
    return _Shipment(_call("POST", path, body, 1, params=params), ids)


def _notes(operation: Operation, primitives: Sequence[Primitive]) -> _Shipment:
    rows = []
    for primitive in primitives:
        title, content = split_note(str(primitive.after))
        row: dict[str, Any] = {"Note_Title": title or None, "Note_Content": content}
        if operation is Operation.UPDATE_NOTES:
            row["id"] = primitive.remote_id
        else:
            module = {"api_name": primitive.ref.object}
            row["Parent_Id"] = {"module": module, "id": primitive.ref.id}
        rows.append(row)
    method = "PUT" if operation is Operation.UPDATE_NOTES else "POST"
    ids = tuple(_row_id(primitive) for primitive in primitives)
    return _Shipment(_call(method, f"{API}/Notes", {"data": rows}, len(rows)), ids)


def _call(
    method: str,
    path: str,
    body: Mapping[str, Any],
    rows: int,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Call:
    return Call(
        method,
        path,
        params or {},
        {**_JSON, **(headers or {})},
        msgspec.json.encode(body),
        writes=True,
        heavy=rows > _HEAVY_ROWS,
    )


def _row_id(primitive: Primitive) -> str:
    """What a row of the call is known by: the note's id, a new note's key, or the record's id."""
    if primitive.kind is PrimitiveKind.DELETE_NOTE:
        return primitive.remote_id or ""
    if primitive.kind is PrimitiveKind.PUT_NOTE:
        return primitive.remote_id or primitive.key
    return primitive.ref.id


def _read_outcomes(
    primitives: Sequence[Primitive], shipment: _Shipment, answer: Answer
) -> dict[str, Outcome]:
    try:
        reply = decode(answer, Reply, str(shipment.call))
    except ProtocolError:
        return _all(primitives, OutcomeStatus.UNKNOWN, f"{answer.status} unreadable")
    if not reply.rows:
        return _whole(primitives, shipment, reply.whole)
    if len(reply.rows) == 1 < len(shipment.ids) and reply.rows[0].status == "error":
        return _whole(primitives, shipment, reply.rows[0])
    results = _matched(shipment.ids, reply.rows)
    return {
        primitive.key: _outcome(primitive, results.get(_row_id(primitive)))
        for primitive in primitives
    }


def _matched(ids: Sequence[str], rows: Sequence[Result]) -> dict[str, Result]:
    """By the id that a row names; by position where it names none of ours and none is missing."""
    named = {str(row.detail("id")): row for row in rows}
    results = {identifier: named[identifier] for identifier in ids if identifier in named}
    if len(rows) == len(ids):
        for identifier, row in zip(ids, rows, strict=True):
            if identifier not in results and str(row.detail("id")) not in results:
                results[identifier] = row
    return results


def _outcome(primitive: Primitive, result: Result | None) -> Outcome:
    if result is None:
        return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "NO_RESULT")
    code = printable_code(result.code)
    status = row_status(code)
    if status is not OutcomeStatus.DONE:
        return Outcome(primitive.key, status, code, _detail(result))
    if primitive.kind.step_kind is StepKind.TAG:
        return _tag_outcome(primitive, result)
    remote_id = primitive.remote_id
    if primitive.kind is PrimitiveKind.PUT_NOTE and result.detail("id"):
        remote_id = str(result.detail("id"))
    return Outcome(primitive.key, status, code, remote_id=remote_id)


def _tag_outcome(primitive: Primitive, result: Result) -> Outcome:
    """SUCCESS is not enough: a full record takes no tag and says so in `not_added_tags` only."""
    wanted = primitive.kind is PrimitiveKind.ADD_TAG
    tags = result.detail("tags")
    if not isinstance(tags, list):
        return Outcome(primitive.key, OutcomeStatus.UNKNOWN, "NO_TAGS_SHOWN")
    shown = any(isinstance(tag, dict) and tag.get("name") == primitive.target for tag in tags)
    if shown == wanted:
        return Outcome(primitive.key, OutcomeStatus.DONE, "SUCCESS")
    code = "TAG_NOT_ADDED" if wanted else "TAG_NOT_REMOVED"
    return Outcome(primitive.key, OutcomeStatus.REFUSED, code)


def _whole(
    primitives: Sequence[Primitive], shipment: _Shipment, result: Result
) -> dict[str, Outcome]:
    """One answer for all. A lock names one record and leaves open what became of the others."""
    code = printable_code(result.code)
    status = row_status(code) if code != "SUCCESS" and code else OutcomeStatus.UNKNOWN
    outcomes = _all(primitives, status, code or "NO_RESULT", _detail(result))
    if status is OutcomeStatus.PARKED and len(shipment.ids) > 1:
        named = str(result.detail("id"))
        others = [primitive for primitive in primitives if _row_id(primitive) != named]
        outcomes |= _all(others, OutcomeStatus.UNKNOWN, code)
    return outcomes


def _all(
    primitives: Sequence[Primitive], status: OutcomeStatus, code: str, detail: str = ""
) -> dict[str, Outcome]:
    return {p.key: Outcome(p.key, status, code, detail) for p in primitives}


def _detail(result: Result) -> str:
    """The field at fault, by its API name; Zoho's messages may quote values."""
    return printable_code(result.detail("api_name"))
