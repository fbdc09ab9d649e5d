"""The JSON Schema of a description, for editors: pydantic's, and the short forms that it takes."""

from __future__ import annotations

from typing import Any

from adapters.rest.schema.description import Description

# Parts that may be written as a text alone: a path, or a type.
_SHORT = ("FieldForm", "Modified", "Place")


def description_schema() -> dict[str, Any]:
    """What `highseas adapters schema` prints."""
    schema: dict[str, Any] = _without_discriminators(Description.model_json_schema())
    parts = schema["$defs"]
    for name in _SHORT:
        parts[name] = {"anyOf": [{"type": "string"}, parts[name]]}
    # What `every` says need not be said again by an object, which may then say nothing at all.
    parts["ObjectForm"].pop("required")
    objects = schema["properties"]["objects"]
    objects["additionalProperties"] = {"anyOf": [objects["additionalProperties"], {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_discriminators(part: Any) -> Any:
    """A word of OpenAPI, not of JSON Schema."""
    if isinstance(part, dict):
        return {
            key: _without_discriminators(each)
            for key, each in part.items()
            if key != "discriminator"
        }
    return [_without_discriminators(each) for each in part] if isinstance(part, list) else part
