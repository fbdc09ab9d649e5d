"""Change of owner, for one record or up to 500."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response

from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.replies import (
    Refusal,
    body_rows,
    invalid_id,
    json_body,
    mandatory,
    reply,
    rows_status,
    success,
)
from adapters.sandbox.zoho.service import Service, refuse_state
from adapters.sandbox.zoho.values import active_owner


class Owning:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        for place in ("<module>", "<module>/<record>"):
            rule = f"{API}/{place}/actions/change_owner"
            app.add_url_rule(rule, f"own_{place}", self.change, methods=["POST"])

    def change(self, module: str, record: str | None = None) -> Response:
        self._service.module(module)
        body = json_body()
        ids: Sequence[Any] = [record]
        if record is None:
            ids = body_rows(body, "ids", self._service.limits.rows_tagged)
        if not isinstance(body, Mapping) or not body.get("owner"):
            raise mandatory("owner", "$.owner")
        where = {"api_name": "owner", "json_path": "$.owner.id"}
        owner = active_owner(self._service, body["owner"], where)
        with self._store.database.writing():
            results = [self._row(module, one, owner, f"$.ids[{n}]") for n, one in enumerate(ids)]
        failed = self._service.quirks.all_failed_status
        return reply({"data": results}, rows_status(results, 200, failed))

    def _row(self, module: str, identifier: Any, owner: int, path: str) -> dict[str, Any]:
        record = self._service.find(module, identifier)
        try:
            if record is None:
                raise invalid_id(path)
            refuse_state(record, path)
        except Refusal as refusal:
            return refusal.wire
        self._store.records.set_owner(record.id, owner)
        if self._service.quirks.owner_change_bumps_modified:
            self._store.records.touch(record.id, calling_user().id)
        self._service.fire("owner", record)
        return success({"id": str(record.id)}, "owner is successfully updated")
