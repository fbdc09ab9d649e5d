"""Checks of written values against the module's fields, in Zoho's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from adapters.sandbox.zoho.catalogue import Field, Module
from adapters.sandbox.zoho.records import reference_id
from adapters.sandbox.zoho.replies import Refusal, invalid_data, mandatory
from adapters.sandbox.zoho.service import Service

REAL = (int, float)
NUMBERS = {"currency": REAL, "double": REAL, "percent": REAL, "integer": (int,)}
TEXTS = {"text", "textarea", "phone", "email", "website", "picklist"}


def checked_values(
    service: Service, kind: Module, row: Mapping[str, Any], json_path: str
) -> dict[str, Any]:
    """Return the values of a row that may be written; raise Refusal for the first bad one."""
    values = {}
    for name, value in row.items():
        path = f"{json_path}.{name}"
        field = kind.fields.get(name)
        if field is None and service.quirks.unknown_field_written == "error":
            message = "the field api name given seems to be invalid"
            raise invalid_data({"api_name": name, "json_path": path}, message)
        if field is None or field.read_only or name == "Parent_Id":
            continue
        if value is None and field.mandatory:
            raise mandatory(name, path)
        if value is not None:
            check_value(service, field, value, path)
        values[name] = value
    return values


def check_value(service: Service, field: Field, value: Any, path: str) -> None:
    where = {"api_name": field.api_name, "json_path": path}
    if not _has_type(field, value):
        raise invalid_data({"expected_data_type": field.data_type, **where})
    if field.data_type in TEXTS and len(value) > field.length:
        raise invalid_data({"maximum_length": field.length, **where})
    if field.data_type == "picklist" and service.quirks.picklist_checked:
        _check_options(field, [value], where)
    elif field.data_type == "multiselectpicklist" and service.quirks.picklist_checked:
        _check_options(field, value, where)
    elif field.data_type == "datetime":
        _check_moment(service, value, where)
    elif field.data_type == "date":
        _check_date(value, where)
    elif field.data_type == "lookup":
        _check_lookup(service, field, value, where)
    elif field.data_type == "ownerlookup":
        active_owner(service, value, where)


def _has_type(field: Field, value: Any) -> bool:
    if field.data_type in NUMBERS:
        return isinstance(value, NUMBERS[field.data_type]) and not isinstance(value, bool)
    if field.data_type == "boolean":
        return isinstance(value, bool)
    if field.data_type in {"lookup", "ownerlookup"}:
        return isinstance(value, Mapping | str | int)
    if field.data_type == "multiselectpicklist":
        return isinstance(value, list)
    return isinstance(value, str)


def _check_options(field: Field, values: Iterable[Any], where: Mapping[str, Any]) -> None:
    if any(value not in field.options for value in values):
        raise invalid_data({"supported_values": list(field.options), **where})


def _check_moment(service: Service, value: str, where: Mapping[str, Any]) -> None:
    try:
        service.store.clock.seconds(value)
    except ValueError:
        raise invalid_data({"expected_data_type": "datetime", **where}) from None


def _check_date(value: str, where: Mapping[str, Any]) -> None:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise invalid_data({"expected_data_type": "date", **where}) from None


def _check_lookup(service: Service, field: Field, value: Any, where: Mapping[str, Any]) -> None:
    found = service.store.records.get(reference_id(value))
    if found is None or found.module not in field.target:
        raise invalid_data(where, "the related id given seems to be invalid")


def active_owner(service: Service, value: Any, where: Mapping[str, Any]) -> int:
    """Return the id of an active user, or refuse as change_owner and PUT do."""
    number = reference_id(value)
    user = service.store.people.get(number) if number is not None else None
    if user is None:
        raise invalid_data(where, "the id given seems to be invalid")
    if user.status != "active":
        status = 403 if user.status == "deleted" else 400
        details = {"owner_status": user.status, **where}
        raise Refusal("INVALID_DATA", "the given owner is not active", details, status)
    return user.id
