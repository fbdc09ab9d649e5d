"""Single values between a row and a plan: what is compared, and what is sent for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.rest.paths import MISSING
from adapters.rest.schema.object_description import FieldForm
from adapters.rest.templates import render
from connector.errors import ConfigurationError
from connector.models import Scalar

_NUMBERS = frozenset({"integer", "number", "money"})


def scalar(value: Any) -> str | None:
    """The text by which plans compare: as the warehouse has it, where empty is null. A reference is
    its id, a list its elements with semicolons."""
    if value is None or value is MISSING or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return scalar(value.get("id")) or scalar(value.get("name"))
    if isinstance(value, list | tuple):
        return ";".join(scalar(item) or "" for item in value) or None
    return str(value)


def outgoing(form: FieldForm | None, value: Scalar, names: Mapping[str, Any]) -> Any:
    """What is sent for a value: by the field's own template, else by its type."""
    if form is None:
        return value
    if form.write is not None:
        return render(form.write, {**names, "value": value})
    if isinstance(value, str) and form.type in _NUMBERS:
        return _number(value)
    if isinstance(value, str) and form.type == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value


def _number(text: str) -> Any:
    """As a number where that loses no digit; the server judges the rest."""
    kind = int if text.lstrip("-").isdecimal() else float
    try:
        number = kind(text)
    except ValueError:
        return text
    return number if str(number) == text else text


def put(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a dotted path; the objects on the way hold nothing else."""
    if "[" in path:
        raise ConfigurationError(
            f"the field '{path}' of the CRM's description stands in a list and cannot be written",
            "name the whole field, or write it by a template of its own",
        )
    *way, last = path.split(".")
    for name in way:
        fields = fields.setdefault(name, {})
    fields[last] = value
