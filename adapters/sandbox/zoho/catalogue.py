"""What a module and a field of the sandbox's organisation are; which there are is in `modules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

JSON_TYPES = {
    "integer": "integer",
    "bigint": "string",
    "currency": "double",
    "double": "double",
    "percent": "double",
    "boolean": "boolean",
    "multiselectpicklist": "jsonarray",
    "formula": "double",
    "lookup": "jsonobject",
    "ownerlookup": "jsonobject",
    "text_tags": "jsonarray",
}


@dataclass(frozen=True)
class Field:
    """`returns`: the type of a formula's value."""

    api_name: str
    data_type: str = "text"
    length: int = 255
    options: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    custom: bool = False
    read_only: bool = False
    mandatory: bool = False
    returns: str = ""

    @property
    def label(self) -> str:
        return self.api_name.lstrip("$").removesuffix("__s").replace("_", " ")


@dataclass(frozen=True)
class Module:
    api_name: str
    singular: str
    name_field: str
    fields: Mapping[str, Field]

    @cached_property
    def lookups(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.data_type == "lookup")


Catalogue = Mapping[str, Module]

SYSTEM = (
    Field("id", "bigint", 20, read_only=True),
    Field("Owner", "ownerlookup"),
    Field("Created_Time", "datetime", read_only=True),
    Field("Modified_Time", "datetime", read_only=True),
    Field("Created_By", "ownerlookup", read_only=True),
    Field("Modified_By", "ownerlookup", read_only=True),
    Field("Tag", "text_tags", read_only=True),
    Field("Locked__s", "boolean", read_only=True),
    Field("$locked_for_me", "boolean", read_only=True),
    Field("$approval_state", read_only=True),
)


def with_fields(catalogue: Catalogue, module: str, *fields: Field) -> Catalogue:
    """Return the same catalogue with fields added to, or replaced in, one module."""
    old = catalogue[module]
    listed = {**old.fields, **{field.api_name: field for field in fields}}
    return {**catalogue, module: replace(old, fields=listed)}


def made_id(family: str, name: str) -> str:
    """Return an id that is the same in each run, in the range of the sandbox's own ids."""
    number = int.from_bytes(f"{family}:{name}".encode().ljust(24, b"."), "big") % 10**8
    return str(5_725_767_000_000_000_000 + number)
