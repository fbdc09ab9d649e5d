"""PUT of records: up to 100 rows, one result a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response

from adapters.sandbox.zoho.catalogue import Module
from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.paging import header_moment
from adapters.sandbox.zoho.records import Record
from adapters.sandbox.zoho.rendering import write_details
from adapters.sandbox.zoho.replies import (
    Refusal,
    WholeReply,
    body_rows,
    invalid_data,
    invalid_id,
    json_body,
    mandatory,
    reply,
    rows_status,
    success,
)
from adapters.sandbox.zoho.service import Service, refuse_state
from adapters.sandbox.zoho.values import checked_values

STALE = "record updated time has already passed if-unmodified-since time"


class Writing:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        app.add_url_rule(f"{API}/<module>", "put", self.put_many, methods=["PUT"])
        app.add_url_rule(f"{API}/<module>/<record>", "put_one", self.put_one, methods=["PUT"])

    def put_many(self, module: str) -> Response:
        rows = body_rows(json_body(), "data", self._service.limits.rows_written)
        return self._put(self._service.module(module), rows)

    def put_one(self, module: str, record: str) -> Response:
        kind = self._service.module(module)
        rows = body_rows(json_body(), "data", 1)
        if not isinstance(rows[0], Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", "json_path": "$.data[0]"})
        return self._put(kind, [{**rows[0], "id": record}])

    def _put(self, kind: Module, rows: Any) -> Response:
        limit = header_moment(self._store.clock, "If-Unmodified-Since")
        with self._store.database.writing():
            if limit is not None and self._service.quirks.conditional_many == "all":
                self._refuse_stale(kind, rows, limit)
            results = [self._row(kind, row, n, limit) for n, row in enumerate(rows)]
        failed: int = self._service.quirks.all_failed_status
        if all(row["code"] == "ALREADY_MODIFIED" for row in results):
            failed = 412
        return reply({"data": results}, rows_status(results, 200, failed))

    def _refuse_stale(self, kind: Module, rows: Any, limit: int) -> None:
        """One header speaks for all rows: a newer one stops the whole request."""
        found = [self._service.find(kind.api_name, row.get("id")) for row in rows]
        stale = [record for record in found if record and self._is_stale(record, limit)]
        if stale:
            results = [self._stale(record).wire for record in stale]
            raise WholeReply({"data": results}, 412)

    def _is_stale(self, record: Record, limit: int) -> bool:
        equal_fails = not self._service.quirks.equal_time_passes
        return record.modified > limit or (equal_fails and record.modified == limit)

    def _stale(self, record: Record) -> Refusal:
        return Refusal("ALREADY_MODIFIED", STALE, write_details(self._store, record))

    def _row(self, kind: Module, row: Any, number: int, limit: int | None) -> dict[str, Any]:
        path = f"$.data[{number}]"
        try:
            record = self._target(kind, row, path)
            if limit is not None and self._is_stale(record, limit):
                raise self._stale(record)
            values = checked_values(self._service, kind, row, path)
        except Refusal as refusal:
            return refusal.wire
        changed = self._store.records.change(record, values, calling_user().id)
        self._fire(changed)
        details = {**write_details(self._store, changed), "$approval_state": "approved"}
        return success(details, "record updated")

    def _target(self, kind: Module, row: Any, path: str) -> Record:
        if not isinstance(row, Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", "json_path": path})
        if "id" not in row:
            raise mandatory("id", f"{path}.id")
        record = self._service.find(kind.api_name, row["id"])
        if record is None:
            raise invalid_id(f"{path}.id")
        refuse_state(record, f"{path}.id")
        return record

    def _fire(self, record: Record) -> None:
        """No `trigger` key runs all automations, an empty list none (update-records page)."""
        body = json_body()
        if body.get("trigger") != []:
            self._service.fire("update", record)
