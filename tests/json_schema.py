"""A small reader of JSON Schema, as an editor is one: the words that the policy schema uses alone.

It knows nothing of the models that the schema was made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

Schema = Mapping[str, Any]

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "minLength": lambda value, bound: len(value) >= bound,
    "maxLength": lambda value, bound: len(value) <= bound,
    "minItems": lambda value, bound: len(value) >= bound,
    "maxItems": lambda value, bound: len(value) <= bound,
    "minProperties": lambda value, bound: len(value) >= bound,
    "pattern": lambda value, bound: re.search(bound, value) is not None,
    "const": lambda value, bound: value == bound,
    "enum": lambda value, bound: value in bound,
}
_SILENT = {"title", "description", "default", "$schema", "$defs"}
# Keywords that stay within a value, as a reader of the schema would go through them.
_WITHIN = {"properties", "additionalProperties", "required", "items", "anyOf", "oneOf", "$ref"}
KNOWN = {"type", *_BOUNDS, *_SILENT, *_WITHIN}


def is_valid(value: Any, schema: Schema, root: Schema | None = None) -> bool:
    """Does the value fit the schema?"""
    whole = schema if root is None else root
    unknown = schema.keys() - KNOWN
    assert not unknown, unknown
    return all(_checks(value, schema, whole))


def _checks(value: Any, schema: Schema, root: Schema) -> Iterator[bool]:
    if "type" in schema:
        fits = _TYPES[schema["type"]](value)
        yield fits
        if not fits:
            return
    for word, bound in schema.items():
        if word in _BOUNDS:
            yield _BOUNDS[word](value, bound)
    if "$ref" in schema:
        yield is_valid(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        yield any(is_valid(value, each, root) for each in schema["anyOf"])
    if "oneOf" in schema:
        yield sum(is_valid(value, each, root) for each in schema["oneOf"]) == 1
    if "items" in schema:
        yield all(is_valid(each, schema["items"], root) for each in value)
    if isinstance(value, dict):
        yield all(_keys(value, schema, root))


def _keys(value: dict[str, Any], schema: Schema, root: Schema) -> Iterator[bool]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    yield value.keys() >= set(schema.get("required", ()))
    for name, each in value.items():
        if name in known:
            yield is_valid(each, known[name], root)
        else:
            yield others if isinstance(others, bool) else is_valid(each, others, root)
