"""GET of the organisation, its users, modules and fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request

from adapters.sandbox.zoho.catalogue import JSON_TYPES, Field, Module, made_id
from adapters.sandbox.zoho.gate import API, calling_user
from adapters.sandbox.zoho.paging import header_moment, one_of, positive
from adapters.sandbox.zoho.people import User
from adapters.sandbox.zoho.replies import Refusal, empty, reply
from adapters.sandbox.zoho.service import Service

CHOICES: Mapping[str, Callable[[User], bool]] = {
    "AllUsers": lambda user: user.status != "deleted",
    "ActiveUsers": lambda user: user.status == "active",
    "DeactiveUsers": lambda user: user.status == "inactive",
    "DeletedUsers": lambda user: user.status == "deleted",
    "ActiveConfirmedUsers": lambda user: user.status == "active",
    "AdminUsers": lambda user: user.is_admin,
    "CurrentUser": lambda user: user.id == calling_user().id,
}


class Organisation:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.store

    def attach(self, app: Flask) -> None:
        app.add_url_rule(f"{API}/org", "org", self.org)
        app.add_url_rule(f"{API}/users", "users", self.users)
        app.add_url_rule(f"{API}/settings/modules", "modules", self.modules)
        app.add_url_rule(f"{API}/settings/fields", "fields", self.fields)

    def org(self) -> Response:
        number = self._store.organisation
        row = {
            "id": number,
            "zgid": str(int(number) + 1),
            "company_name": "Sandbox Trading",
            "domain_name": "org_sandbox",
            "type": "sandbox",
            "country_code": "CN",
            "currency": "Chinese Yuan - CNY",
            "iso_code": "CNY",
            "time_zone": self._store.clock.zone_name,
            "max_per_page": self._service.limits.page_rows,
            "license_details": {"paid_type": "enterprise", "paid": True, "trial_type": None},
        }
        return reply({"org": [row]})

    def users(self) -> Response:
        chosen = CHOICES[one_of("type", tuple(CHOICES), "AllUsers")]
        page = positive("page", 1)
        per_page = min(positive("per_page", 200), self._service.limits.page_rows)
        since = header_moment(self._store.clock, "If-Modified-Since")
        every = [user for user in self._store.people.all() if chosen(user)]
        newer = [user for user in every if since is None or user.modified > since]
        if every and not newer:
            return empty(self._service.quirks.not_modified_status)
        rows = newer[(page - 1) * per_page : page * per_page]
        if not rows:
            return empty()
        more = len(newer) > page * per_page
        info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
        return reply({"users": [self._user(user) for user in rows], "info": info})

    def _user(self, user: User) -> dict[str, Any]:
        first, _, last = user.name.rpartition(" ")
        return {
            "id": str(user.id),
            "full_name": user.name,
            "first_name": first or None,
            "last_name": last,
            "email": user.email,
            "status": user.status,
            "confirm": True,
            "role": {"name": user.role, "id": made_id("role", user.role)},
            "profile": {"name": user.profile, "id": made_id("profile", user.profile)},
            "zuid": str(user.id % 10**9),
            "time_zone": self._store.clock.zone_name,
            "Reporting_To": self._store.people.reference(user.manager),
            "state": user.region,
            "Department": user.department,
            "Modified_Time": self._store.clock.text(user.modified),
        }

    def modules(self) -> Response:
        return reply({"modules": [_module(kind) for kind in self._store.catalogue.values()]})

    def fields(self) -> Response:
        name = request.args.get("module")
        if not name:
            details = {"param_name": "module"}
            raise Refusal("REQUIRED_PARAM_MISSING", "required param is missing", details)
        kind = self._service.module(name)
        return reply({"fields": [_field(kind, field) for field in kind.fields.values()]})


def _module(kind: Module) -> dict[str, Any]:
    return {
        "api_name": kind.api_name,
        "module_name": kind.api_name,
        "singular_label": kind.singular,
        "plural_label": kind.api_name.replace("_", " "),
        "id": made_id("module", kind.api_name),
        "api_supported": True,
        "creatable": True,
        "editable": True,
        "deletable": True,
        "viewable": True,
        "visible": True,
        "generated_type": "default",
        "modified_time": None,
    }


def _field(kind: Module, field: Field) -> dict[str, Any]:
    writable = not field.read_only
    options = [
        {
            "display_value": text,
            "actual_value": text,
            "reference_value": text,
            "id": made_id(field.api_name, text),
            "sequence_number": number,
            "type": "used",
            "colour_code": None,
        }
        for number, text in enumerate(field.options, 1)
    ]
    target = field.target[0] if field.target else None
    return {
        "id": made_id(kind.api_name, field.api_name),
        "api_name": field.api_name,
        "field_label": field.label,
        "display_label": field.label,
        "data_type": "text" if field.data_type == "text_tags" else field.data_type,
        "json_type": JSON_TYPES.get(field.data_type, "string"),
        "length": field.length,
        "decimal_place": 2 if field.data_type in {"currency", "double"} else None,
        "system_mandatory": field.mandatory,
        "read_only": field.read_only,
        "field_read_only": field.read_only,
        "custom_field": field.custom,
        "visible": True,
        "view_type": {"view": True, "edit": writable, "quick_create": False, "create": writable},
        "operation_type": {
            "api_create": writable,
            "api_update": writable,
            "web_create": writable,
            "web_update": writable,
        },
        "pick_list_values": options,
        "formula": {"return_type": field.returns} if field.returns else None,
        "unique": {},
        "lookup": {"module": {"api_name": target}, "api_name": None} if target else {},
        "history_tracking": None,
    }
