"""Tag actions on records, and each module's tag catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request

from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.records import Record
from adapters.sandbox.zoho.replies import (
    STATE_MESSAGES,
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
from adapters.sandbox.zoho.service import Service
from adapters.sandbox.zoho.tags import Tag

QUOTA = "tags edition limit exceeded"


class Tagging:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        for action, handler in (("add_tags", self.add), ("remove_tags", self.remove)):
            many, one = f"{API}/<module>/actions/", f"{API}/<module>/<record>/actions/"
            app.add_url_rule(many + action, action, handler, methods=["POST"])
            app.add_url_rule(one + action, f"{action}_one", handler, methods=["POST"])

    def add(self, module: str, record: str | None = None) -> Response:
        ids = self._ids(module, record)
        over_write = self._over_write()
        with self._store.database.writing():
            wanted = self._wanted(module, create=True)
            results = [self._add_row(module, one, wanted, over_write=over_write) for one in ids]
        return self._reply(results)

    def remove(self, module: str, record: str | None = None) -> Response:
        ids = self._ids(module, record)
        with self._store.database.writing():
            wanted = self._wanted(module, create=False)
            results = [self._remove_row(module, one, wanted) for one in ids]
        return self._reply(results)

    def _ids(self, module: str, record: str | None) -> Sequence[Any]:
        self._service.module(module)
        if record is not None:
            return [record]
        body = _with_listed_ids(json_body())
        limit = self._service.limits.rows_tagged
        try:
            return body_rows(body, "ids", limit)
        except WholeReply:
            details = {"maximum_length": limit, "api_name": "ids", "json_path": "$.ids"}
            raise invalid_data(details) from None

    def _over_write(self) -> bool:
        source = self._service.quirks.over_write_read_from
        body = json_body()
        in_body = source != "query" and bool(body.get("over_write"))
        return in_body or (source != "body" and request.args.get("over_write") == "true")

    def _wanted(self, module: str, *, create: bool) -> list[Tag]:
        """Return the tags that the body names; unknown names are created when adding."""
        rows = body_rows(json_body(), "tags", 1_000)
        known = self._store.tags.of_module(module)
        by_id = {str(tag.id): tag for tag in known.values()}
        for number, row in enumerate(rows):
            self._check(row, number, by_id)
        tags = []
        for row in rows:
            tag = by_id.get(str(row.get("id"))) or known.get(row.get("name"))
            if tag is None and create:
                if len(known) >= self._service.limits.tags_per_module:
                    raise Refusal("LICENSE_LIMIT_EXCEEDED", QUOTA)
                author = calling_user().id
                tag = self._store.tags.create(module, row["name"], author, row.get("color_code"))
                known[tag.name] = tag
            tags.extend([tag] if tag and tag not in tags else [])
        return tags

    def _check(self, row: Any, number: int, by_id: Mapping[str, Tag]) -> None:
        path = f"$.tags[{number}]"
        if not isinstance(row, Mapping):
            raise invalid_data({"expected_data_type": "jsonobject", "json_path": path})
        if "id" in row:
            found = by_id.get(str(row["id"]))
            if found is None:
                raise invalid_data({"api_name": "id", "json_path": f"{path}.id"}, "invalid tag id")
            if row.get("name", found.name) != found.name:
                details = {"json_path": path}
                raise Refusal("MAPPING_MISMATCH", "tag name and id do not match", details)
            return
        check_tag_name(row, path, self._service.limits.tag_name)

    def _target(self, module: str, identifier: Any) -> Record:
        record = self._service.find(module, identifier)
        if record is None:
            raise invalid_id("$.ids")
        if record.state == "RECORD_LOCKED":
            details = {"action": "record_locking", "id": str(record.id)}
            raise Refusal("RECORD_LOCKED", STATE_MESSAGES["RECORD_LOCKED"], details)
        return record

    def _add_row(
        self, module: str, identifier: Any, wanted: Sequence[Tag], *, over_write: bool
    ) -> dict[str, Any]:
        try:
            record = self._target(module, identifier)
        except Refusal as refusal:
            return refusal.wire
        held = self._store.tags.held([record.id]).get(record.id, [])
        kept = [] if over_write else held
        new = [tag for tag in wanted if tag not in kept]
        room = max(0, self._service.limits.tags_per_record - len(kept))
        refused = [tag.name for tag in new[room:]]
        return self._store_row(record, held, [*kept, *new[:room]], refused)

    def _remove_row(self, module: str, identifier: Any, wanted: Sequence[Tag]) -> dict[str, Any]:
        try:
            record = self._target(module, identifier)
        except Refusal as refusal:
            return refusal.wire
        held = self._store.tags.held([record.id]).get(record.id, [])
        left = [tag for tag in held if tag not in wanted]
        if left == held and self._service.quirks.absent_tag_removal == "failure":
            details = {"id": str(record.id)}
            return Refusal("FAILURE", "tags not updated successfully", details).wire
        return self._store_row(record, held, left, [])

    def _store_row(
        self, record: Record, held: Sequence[Tag], tags: Sequence[Tag], refused: Sequence[str]
    ) -> dict[str, Any]:
        if list(tags) != list(held):
            self._store.tags.replace({record.id: tags})
            self._service.fire("tag", record)
            if self._service.quirks.tag_change_bumps_modified:
                self._store.records.touch(record.id, calling_user().id)
        details: dict[str, Any] = {"id": str(record.id), "tags": [tag.wire for tag in tags]}
        if refused:
            details["not_added_tags"] = list(refused)
        if self._service.quirks.tag_reply_extras:
            moment = datetime.fromtimestamp(self._store.clock.now(), UTC)
            human = moment.strftime("%a, %d %b %Y %I:%M %p")
            details |= {"affected_data": None, "modifiedTime": human}
        return success(details, "tags updated successfully")

    def _reply(self, results: Sequence[Mapping[str, Any]]) -> Response:
        codes = [row["code"] for row in results]
        if set(codes) == {"RECORD_LOCKED"} and self._service.quirks.locked_tag_reply_flat:
            return reply(results[0], 400)
        payload = {
            "data": results,
            "success_count": str(codes.count("SUCCESS")),
            "locked_count": str(codes.count("RECORD_LOCKED")),
        }
        failed = self._service.quirks.all_failed_status
        return reply(payload, rows_status(results, 200, failed))


def _with_listed_ids(body: Any) -> Any:
    """Accept `ids` as a string that holds a JSON array, as the 2026 specification types it."""
    if not isinstance(body, Mapping) or not isinstance(body.get("ids"), str):
        return body
    try:
        return {**body, "ids": json.loads(body["ids"])}
    except ValueError:
        details = {"expected_data_type": "jsonarray", "api_name": "ids", "json_path": "$.ids"}
        raise invalid_data(details) from None


def check_tag_name(row: Mapping[str, Any], path: str, limit: int) -> None:
    where = {"api_name": "name", "json_path": f"{path}.name"}
    name = row.get("name")
    if name in {None, ""}:
        refusal = mandatory("name", f"{path}.name")
    elif not isinstance(name, str):
        refusal = invalid_data({"expected_data_type": "text", **where}, "Invalid data")
    elif len(name) > limit:
        refusal = invalid_data({"maximum_length": limit, **where}, "Invalid data")
    else:
        return
    raise WholeReply({"tags": [refusal.wire]}, 400)
