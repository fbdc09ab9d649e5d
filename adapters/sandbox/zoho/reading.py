"""GET of records, related notes and deletions."""

from __future__ import annotations

from flask import Flask, Response, request

from adapters.sandbox.zoho.catalogue import Module
from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.paging import header_moment, positive
from adapters.sandbox.zoho.records import Deletion, reference_id
from adapters.sandbox.zoho.rendering import render
from adapters.sandbox.zoho.replies import Refusal, empty, invalid_id, reply
from adapters.sandbox.zoho.service import Service

DELETED_KINDS = {
    "all": ("recycle", "permanent"),
    "recycle": ("recycle",),
    "permanent": ("permanent",),
}


class Reading:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        app.add_url_rule(f"{API}/<module>", "list", self.list_records)
        app.add_url_rule(f"{API}/<module>/<record>", "single", self.single)
        app.add_url_rule(f"{API}/<module>/<record>/Notes", "related", self.related_notes)
        app.add_url_rule(f"{API}/<module>/deleted", "deleted", self.deleted)

    def list_records(self, module: str) -> Response:
        kind = self._service.module(module)
        admin_only = module == "Notes" and self._service.quirks.notes_listing_admin_only
        if admin_only and not calling_user().is_admin:
            message = "This API is supported only for admin users"
            raise Refusal("NOT_SUPPORTED", message, status=403)
        return self._page(kind)

    def related_notes(self, module: str, record: str) -> Response:
        self._service.module(module)
        found = self._service.find(module, record)
        if found is None:
            raise invalid_id("$.path.id")
        return self._page(self._service.module("Notes"), found.id)

    def _page(self, kind: Module, parent: int | None = None) -> Response:
        user = calling_user().id
        query = self._service.paging.read(kind, user, parent)
        with self._store.database.reading():
            rows = self._store.records.page(query.walk)
            more = len(rows) > query.per_page
            rows = rows[: query.per_page]
            if not rows:
                return self._nothing(first=query.page == 1)
            data = render(self._store, rows, query.fields)
        info = self._service.paging.info(query, rows, user, more=more)
        return reply({"data": data, "info": info})

    def _nothing(self, *, first: bool) -> Response:
        conditional = first and "If-Modified-Since" in request.headers
        return empty(self._service.quirks.not_modified_status if conditional else 204)

    def single(self, module: str, record: str) -> Response:
        kind = self._service.module(module)
        if reference_id(record) is None:
            message = "Please check if the URL trying to access is a correct one"
            raise Refusal("INVALID_URL_PATTERN", message, status=404)
        found = self._service.find(module, record)
        if found is None:
            if self._service.quirks.missing_record == "empty":
                return empty()
            raise invalid_id("$.path.id")
        fields = [name for name in request.args.get("fields", "").split(",") if name]
        return reply({"data": render(self._store, [found], fields or kind.fields)})

    def deleted(self, module: str) -> Response:
        self._service.module(module)
        kinds = DELETED_KINDS.get(request.args.get("type", "all"))
        if kinds is None:
            message = "Please check whether the input values are correct"
            raise Refusal("PATTERN_NOT_MATCHED", message, {"api_name": "type"})
        per_page = min(positive("per_page", 200), self._service.limits.page_rows)
        page = positive("page", 1)
        since = header_moment(self._store.clock, "If-Modified-Since")
        every = self._store.records.deletions(module, -1 if since is None else since, kinds)
        rows = every[(page - 1) * per_page : page * per_page]
        if not rows:
            return empty()
        more = len(every) > page * per_page
        info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
        return reply({"data": [self._deletion(row) for row in rows], "info": info})

    def _deletion(self, row: Deletion) -> dict[str, object]:
        kept = row.type == "recycle"
        return {
            "deleted_by": self._store.people.reference(row.by) if kept else None,
            "id": str(row.id),
            "display_name": row.name if kept else None,
            "type": row.type,
            "created_by": self._store.people.reference(row.created_by) if kept else None,
            "deleted_time": self._store.clock.text(row.at),
        }
