"""What the fields of a Zoho module are, as its settings tell; their types in the port's words."""

from __future__ import annotations

from types import MappingProxyType

import msgspec

from adapters.calls import Call
from adapters.http import HttpClient
from adapters.zoho.replies import API, decode

# (Zoho v8 fields page.) The text of a multi-select is the JSON list of what was chosen.
_TYPES = MappingProxyType(
    {
        "picklist": "choice",
        "multiselectpicklist": "text",
        "datetime": "datetime",
        "date": "date",
        "boolean": "boolean",
        "integer": "integer",
        "bigint": "integer",
        "autonumber": "text",
        "currency": "money",
        "double": "number",
        "percent": "number",
        "decimal": "number",
        "text": "text",
        "textarea": "text",
        "email": "text",
        "phone": "text",
        "website": "text",
        "lookup": "reference",
        "ownerlookup": "reference",
        "userlookup": "reference",
    }
)


class Option(msgspec.Struct, frozen=True):
    actual_value: str | None = None
    display_value: str | None = None
    type: str | None = None


class Permission(msgspec.Struct, frozen=True):
    api_update: bool = True


class Computed(msgspec.Struct, frozen=True):
    """What a formula, or a sum over related records, gives."""

    return_type: str | None = None


class Field(msgspec.Struct, frozen=True):
    api_name: str
    field_label: str | None = None
    data_type: str = "text"
    read_only: bool | None = False
    field_read_only: bool | None = False
    operation_type: Permission | None = None
    pick_list_values: list[Option] | None = None
    formula: Computed | None = None
    rollup_summary: Computed | None = None

    @property
    def type(self) -> str:
        """The port's word for it; of a computed field, that of its value."""
        if self.api_name == "Tag":
            return "tags"
        computed = {"formula": self.formula, "rollup_summary": self.rollup_summary}
        source = computed.get(self.data_type)
        name = (source.return_type or "") if source else self.data_type
        return _TYPES.get(name, "other")


class _Fields(msgspec.Struct, frozen=True):
    fields: list[Field] = []


def module_fields(http: HttpClient, module: str) -> list[Field]:
    """One call. Raises CallRefused where there is no such module, or not for this user."""
    call = Call("GET", f"{API}/settings/fields", {"module": module})
    return decode(http.send(call), _Fields, str(call)).fields
