"""Notes: created on a record, changed and deleted by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from flask import Flask, Response, request

from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.records import Record, reference_id
from adapters.sandbox.zoho.rendering import write_details
from adapters.sandbox.zoho.replies import (
    Refusal,
    body_rows,
    invalid_data,
    json_body,
    mandatory,
    reply,
    rows_status,
    success,
    too_many,
)
from adapters.sandbox.zoho.service import Service, refuse_state
from adapters.sandbox.zoho.values import check_value

TEXTS = ("Note_Title", "Note_Content")


class Noting:
    """Changing a note goes through the records' own PUT; the rest is here."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        notes = f"{API}/Notes"
        related = f"{API}/<module>/<record>/Notes"
        app.add_url_rule(notes, "new_notes", self.create, methods=["POST"])
        app.add_url_rule(related, "new_related", self.create, methods=["POST"])
        app.add_url_rule(notes, "drop_notes", self.delete_many, methods=["DELETE"])
        app.add_url_rule(f"{notes}/<note>", "drop_note", self.delete_one, methods=["DELETE"])

    def create(self, module: str | None = None, record: str | None = None) -> Response:
        limit = self._service.limits.rows_written
        rows = body_rows(json_body(), "data", limit)
        given = {"module": {"api_name": module}, "id": record} if module else None
        with self._store.database.writing():
            results = [self._create(row, f"$.data[{n}]", given) for n, row in enumerate(rows)]
        failed = self._service.quirks.all_failed_status
        return reply({"data": results}, rows_status(results, 201, failed))

    def _create(self, row: Any, path: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
        return _row(lambda: self._insert(row, path, given))

    def _insert(self, row: Any, path: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", "json_path": path})
        texts = self._texts(row, path)
        parent = self._parent(given or row.get("Parent_Id"), f"{path}.Parent_Id")
        refuse_state(parent, f"{path}.Parent_Id")
        user = calling_user()
        number = self._store.records.insert("Notes", [{**texts, "Parent_Id": parent.id}], user.id)
        if self._service.quirks.note_bumps_parent:
            self._store.records.touch(parent.id, user.id)
        note = self._store.records.get(number[0])
        assert note is not None  # noqa: S101 (inserted two lines above, in this transaction)
        self._service.fire("note", note)
        return success(write_details(self._store, note), "record added")

    def _texts(self, row: Mapping[str, Any], path: str) -> dict[str, str]:
        texts = {name: row[name] for name in TEXTS if row.get(name)}
        if not texts:
            names = ("Note_Content", "Note_Title")
            expected = [{"api_name": name, "json_path": f"{path}.{name}"} for name in names]
            message = "should contain either content or title"
            raise Refusal("EXPECTED_FIELD_MISSING", message, {"expected_fields": expected})
        fields = self._store.catalogue["Notes"].fields
        for name, text in texts.items():
            check_value(self._service, fields[name], text, f"{path}.{name}")
        return texts

    def _parent(self, parent: Any, path: str) -> Record:
        if parent is None:
            raise mandatory("Parent_Id", path)
        where = {"api_name": "Parent_Id", "json_path": path}
        if not isinstance(parent, Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", **where})
        module = parent.get("module")
        if not isinstance(module, Mapping) or not module.get("api_name", module.get("id")):
            raise mandatory("module", f"{path}.module")
        name = module.get("api_name") or module.get("id")
        found = self._service.find(str(name), parent.get("id"))
        if found is None:
            raise invalid_data(where, "the related id given seems to be invalid")
        return found

    def delete_many(self) -> Response:
        ids = [text for text in request.args.get("ids", "").split(",") if text]
        if not ids:
            details = {"param_name": "ids"}
            raise Refusal("REQUIRED_PARAM_MISSING", "required param is missing", details)
        if len(ids) > self._service.limits.rows_written:
            raise too_many("ids", self._service.limits.rows_written)
        return self._delete(ids)

    def delete_one(self, note: str) -> Response:
        return self._delete([note])

    def _delete(self, ids: Sequence[str]) -> Response:
        with self._store.database.writing():
            results = [_row(partial(self._remove, one)) for one in ids]
        failed = self._service.quirks.all_failed_status
        return reply({"data": results}, rows_status(results, 200, failed))

    def _remove(self, note: str) -> dict[str, Any]:
        found = self._service.find("Notes", reference_id(note))
        if found is None:
            raise invalid_data({"id": note}, "record not deleted")
        self._store.records.delete(found, calling_user().id)
        return success({"id": str(found.id)}, "record deleted")


def _row(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except Refusal as refusal:
        return refusal.wire
