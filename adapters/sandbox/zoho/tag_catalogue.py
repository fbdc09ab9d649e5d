"""GET and POST of a module's tag definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.replies import (
    Refusal,
    WholeReply,
    body_rows,
    invalid_data,
    json_body,
    reply,
    rows_status,
    success,
)
from adapters.sandbox.zoho.service import Service
from adapters.sandbox.zoho.tagging import QUOTA, check_tag_name
from adapters.sandbox.zoho.tags import Tag

ROWS = 100


class TagCatalogue:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        app.add_url_rule(f"{API}/settings/tags", "tags", self.listing)
        app.add_url_rule(f"{API}/settings/tags", "new_tags", self.create, methods=["POST"])

    def listing(self) -> Response:
        module = self._module()
        tags = self._store.tags.of_module(module).values()
        rows = [{**self._details(tag), "name": tag.name} for tag in tags]
        allowed = self._service.limits.tags_per_module
        return reply({"tags": rows, "info": {"count": len(rows), "allowed_count": allowed}})

    def create(self) -> Response:
        module = self._module()
        rows = body_rows(json_body(), "tags", ROWS)
        with self._store.database.writing():
            results = [self._create(module, row, n) for n, row in enumerate(rows)]
        return reply({"tags": results}, rows_status(results, 201, 400))

    def _module(self) -> str:
        module = request.args.get("module")
        if not module:
            raise Refusal(
                "REQUIRED_PARAM_MISSING",
                "One of the expected param is missing",
                {"param": "module"},
            )
        return self._service.module(module).api_name

    def _create(self, module: str, row: Any, number: int) -> dict[str, Any]:
        path = f"$.tags[{number}]"
        try:
            tag = self._new(module, row, path)
        except WholeReply as answer:
            only: dict[str, Any] = answer.payload["tags"][0]
            return only
        except Refusal as refusal:
            return refusal.wire
        return success(self._details(tag), "tags created successfully")

    def _new(self, module: str, row: Any, path: str) -> Tag:
        if not isinstance(row, Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", "json_path": path})
        check_tag_name(row, path, self._service.limits.tag_name)
        known = self._store.tags.of_module(module)
        if row["name"] in known:
            existing = str(known[row["name"]].id)
            details = {"api_name": "name", "json_path": f"{path}.name", "id": existing}
            raise Refusal("DUPLICATE_DATA", "duplicate data", details)
        if len(known) >= self._service.limits.tags_per_module:
            raise Refusal("LICENSE_LIMIT_EXCEEDED", QUOTA)
        return self._store.tags.create(
            module, row["name"], calling_user().id, row.get("color_code")
        )

    def _details(self, tag: Tag) -> dict[str, Any]:
        moment = self._store.clock.text(tag.created)
        author = self._store.people.reference(tag.author)
        return {
            "created_time": moment,
            "modified_time": moment,
            "created_by": author,
            "modified_by": author,
            "id": str(tag.id),
            "color_code": tag.color,
        }
