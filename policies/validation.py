"""Pydantic's complaints turned into problems with file, line, column and the nearest valid name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from policies.errors import Problem
from policies.signs import wide_sign
from policies.suggestion import described, nearest, shortened
from policies.yaml_source import Document, PathKey

_WORDS = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "decimal_type": "expected a number",
    "is_instance_of": "expected a number",
    "decimal_parsing": "expected a number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
}

_LISTS = frozenset({"list_type", "tuple_type"})
# How many keys an example of a list shows.
_SHOWN = 2

_CUT_OFF = (
    "inside {...} a value with a comma stands in double quotes, and a number has none: write 100000"
)

# Without these the keys beside them mean nothing.
_NEEDED = {("calendar", "holidays"), ("money", "base")}
# Here each key means something on its own.
_NAMED = {("limits", "rules"), ("limits", "tiers")}


def problems_from_validation(
    document: Document, error: ValidationError, model: type[BaseModel] | None = None
) -> list[Problem]:
    """One problem for each thing that pydantic refused; `model` lets unknown keys be corrected."""
    return [
        document.blank_by_comment(_resolved(document, item["loc"]))
        or _problem(document, item, model)
        for item in error.errors(include_url=False)
    ]


def refused_parts(document: Document, error: ValidationError) -> frozenset[PathKey]:
    """The smallest parts of a policy that mean something on their own and hold what was refused:
    a rule, a definition, a limit."""
    parts = {_part(item["loc"]) for item in error.errors(include_url=False)}
    return frozenset(part for part in parts if part in document.spans)


def _part(loc: PathKey) -> PathKey:
    if loc[:2] in _NEEDED:
        return loc[:1]
    return loc[:3] if loc[:2] in _NAMED else loc[:2]


def _problem(document: Document, item: Mapping[str, Any], model: Any) -> Problem:
    path = _resolved(document, item["loc"])
    kind, context = item["type"], item.get("ctx", {})
    last = str(item["loc"][-1]) if item["loc"] else ""
    if kind == "extra_forbidden":
        names = _field_names(model, path[:-1]) if model is not None else set()
        hint = wide_sign(last) or nearest(last, names)
        if document.is_bare_key(path):
            hint = _CUT_OFF
        return document.problem(path, f"unknown key '{shortened(last)}'", hint, key=True)
    if kind in {"missing", "union_tag_not_found"}:
        name = str(context.get("discriminator", last)).strip("'")
        return document.problem(path, f"the key '{name}' is missing", key=True)
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        if "tag" in context:
            path = (*path, str(context["discriminator"]).strip("'"))
        value = context.get("tag", item["input"])
        offered = _split(context.get("expected_tags") or context["expected"])
        hint = nearest(str(value), [each.strip(" '") for each in offered])
        return document.problem(path, f"{described(value)} is not a value for this key", hint)
    if kind in {"value_error", "assertion_error"}:
        hint = getattr(context["error"], "suggestion", "") or _meant(kind, item["input"])
        if document.is_bare_key(path):
            hint = _CUT_OFF
        return document.problem(path, str(context["error"]), hint)
    expectation = _WORDS.get(kind)
    if expectation:
        message = f"{expectation}, found {described(item['input'])}"
        return document.problem(path, message, _meant(kind, item["input"]))
    return document.problem(path, str(item["msg"]).lower(), _meant(kind, item["input"]))


def _meant(kind: str, value: object) -> str:
    """What was meant by a value of another type: a structure written with signs that make it a
    text, or a list without its dash."""
    if isinstance(value, str):
        return wide_sign(value)
    if kind not in _LISTS or not isinstance(value, Mapping) or not value:
        return ""
    plain = [f"{key}: {shortened(part)}" for key, part in value.items() if _is_plain(part)]
    shown = [*plain[:_SHOWN], *(["..."] if len(value) > len(plain[:_SHOWN]) else [])]
    return f"each item of a list begins with a dash: - {{{', '.join(shown)}}}"


def _is_plain(value: object) -> bool:
    return value is not None and not isinstance(value, Mapping | list)


def _split(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(",")


def _resolved(document: Document, loc: Sequence[str | int]) -> PathKey:
    """The location without what pydantic adds to it (names of union members), but its last part."""
    path: PathKey = ()
    for place, part in enumerate(loc):
        longer = (*path, part)
        if longer in document.spans or (place == len(loc) - 1 and not str(part).startswith("<")):
            path = longer
    return path


def _field_names(model: Any, path: PathKey) -> set[str]:
    candidates = _models(model)
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            following += _step(candidate, part)
        candidates = following
    names: set[str] = set()
    for candidate in candidates:
        if _is_model(candidate):
            fields = candidate.model_fields.items()
            names |= {info.alias or name for name, info in fields}
    return names


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def _step(candidate: Any, part: str | int) -> list[Any]:
    if _is_model(candidate):
        for name, info in candidate.model_fields.items():
            if part in (name, info.alias):
                return _models(info.annotation)
        return []
    arguments = [argument for argument in get_args(candidate) if argument is not Ellipsis]
    return _models(arguments[-1]) if arguments else []


def _models(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _models(get_args(annotation)[0])
    if origin is Union or type(annotation).__name__ == "UnionType":
        return [found for member in get_args(annotation) for found in _models(member)]
    return [annotation]
