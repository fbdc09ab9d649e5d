"""What Zoho's modules hold, as the port describes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.calls import CallRefused
from adapters.http import HttpClient
from adapters.zoho.batches import WRITE_LIMITS
from adapters.zoho.fields import Field, module_fields
from adapters.zoho.pull import USERS
from adapters.zoho.read import READ_BATCH
from connector.ports import Capabilities, FieldInfo, NoteLookup, ObjectInfo

_TAG_LENGTH = 25  # (Zoho v8 add-tags page)
_TAGS_PER_RECORD = 10  # Professional and higher; 5 with Standard (Zoho help, tags overview)
_NOTE_LENGTH = 30_000  # the create-notes page says 65,535, older ones 32,000
_SETTLE_MARGIN_SECONDS = 30.0
# A module that this edition or this user does not have is not described; the rest is.
_NOT_THERE = frozenset(
    {"INVALID_MODULE", "NO_PERMISSION", "FEATURE_NOT_ENABLED", "NOT_SUPPORTED", "INVALID_DATA"}
)
# The users module has no fields metadata of its own in the contract (Zoho v8 get-users page).
_USER_FIELDS = (
    FieldInfo("id", "text"),
    FieldInfo("full_name", "text"),
    FieldInfo("email", "text"),
    FieldInfo("status", "choice", options=("active", "inactive", "deleted")),
    FieldInfo("Reporting_To", "reference"),
    FieldInfo("state", "text"),
    FieldInfo("country", "text"),
    FieldInfo("time_zone", "text"),
)


def capabilities(timeout_seconds: float) -> Capabilities:
    """The same for every organisation; a write may arrive until its request has timed out."""
    return Capabilities(
        writes=dict(WRITE_LIMITS),
        read_batch=READ_BATCH,
        settle_seconds=timeout_seconds + _SETTLE_MARGIN_SECONDS,
        tag_length=_TAG_LENGTH,
        tags_per_record=_TAGS_PER_RECORD,
        note_length=_NOTE_LENGTH,
        note_lookup=NoteLookup.CONSISTENT,
        conditional_writes=True,
    )


def describe_objects(http: HttpClient, names: Iterable[str]) -> dict[str, ObjectInfo]:
    """One call an object; those that are not there are left out."""
    found = {}
    for name in dict.fromkeys(names):
        info = _users() if name == USERS else _module(http, name)
        if info is not None:
            found[name] = info
    return found


def _users() -> ObjectInfo:
    return ObjectInfo(USERS, "Users", _USER_FIELDS, incremental=False, deletions=False)


def _module(http: HttpClient, name: str) -> ObjectInfo | None:
    try:
        described = module_fields(http, name)
    except CallRefused as refusal:
        if refusal.code not in _NOT_THERE:
            raise
        return None
    fields = tuple(_field_info(each) for each in described)
    if "id" not in {field.name for field in fields}:
        fields = (FieldInfo("id", "text"), *fields)
    has_time = any(field.name == "Modified_Time" for field in fields)
    return ObjectInfo(name, name, fields, incremental=has_time)


def _field_info(field: Field) -> FieldInfo:
    may_update = field.operation_type is None or field.operation_type.api_update
    return FieldInfo(
        name=field.api_name,
        type=field.type,
        label=field.field_label or "",
        writable=may_update
        and not (field.read_only or field.field_read_only or field.type == "tags"),
        options=tuple(_options(field)),
    )


def _options(field: Field) -> Iterable[Any]:
    for option in field.pick_list_values or ():
        value = option.actual_value or option.display_value
        if value and option.type != "unused":
            yield value
