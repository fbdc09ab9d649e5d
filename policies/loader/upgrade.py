"""Older versions of the language: brought up to the present one in memory, a step a version.

A step changes the values that were read, never the meaning; every value keeps its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from policies.loader.ledger import Ledger, Place
from policies.loader.schema import VERSION
from policies.yaml_source import Document, PathKey, Span

# What a protection was from before there were other kinds of rules.
_FIRST_KINDS = ["void", "tier"]


def upgraded(document: Document, ledger: Ledger) -> Document | None:
    """The document in the present version of the language, with a warning if it was older; None
    if its version is none that can be read."""
    version = document.value.get("policy")
    if type(version) is not int or version == VERSION:
        return document
    place = Place(document, ("policy",))
    if version > VERSION:
        message = f"this file is written in version {version} of the policy language"
        ledger.add(place, message, f"this program reads up to version {VERSION}: update it")
        return None
    if version not in STEPS:
        ledger.add(place, f"there is no version {version}", f"write policy: {VERSION}")
        return None
    message = f"this file is written in version {version} of the policy language"
    hint = f"it is read as before; write policy: {VERSION} when you edit it next"
    ledger.warnings.append(document.problem(place.path, message, hint))
    for step in range(version, VERSION):
        document = STEPS[step](document)
    return document


def _from_1(document: Document) -> Document:
    """Limits of the whole got a name, and protections a default that spares tiers."""
    value = {**document.value, "policy": 2}
    moved: dict[PathKey, PathKey] = {}
    limits = value.get("limits")
    if isinstance(limits, dict) and "total" not in limits:
        total = {key: limits[key] for key in ("share", "count") if key in limits}
        rest = {key: item for key, item in limits.items() if key not in total}
        value["limits"] = {**rest, "total": total} if total else rest
        moved = {("limits", "total", key): ("limits", key) for key in total}
    protect = value.get("protect")
    if isinstance(protect, list):
        value["protect"] = [_with_first_kinds(item) for item in protect]
    return _moved(document, value, moved)


def _with_first_kinds(item: Any) -> Any:
    return {"from": [*_FIRST_KINDS], **item} if isinstance(item, dict) else item


def _moved(document: Document, value: Any, moved: Mapping[PathKey, PathKey]) -> Document:
    """The document with this value; what stands elsewhere in it keeps its place in the file."""
    new_places = {old: new for new, old in moved.items()}

    def follow(places: Mapping[PathKey, Span]) -> dict[PathKey, Span]:
        found = {_followed(path, new_places): span for path, span in places.items()}
        # What holds a moved value now may be new: it stands where the value's old holder does.
        holders = {new[:-1]: places[old[:-1]] for new, old in moved.items() if old in places}
        return {**holders, **found}

    return replace(document, value=value, spans=follow(document.spans), keys=follow(document.keys))


def _followed(path: PathKey, new_places: Mapping[PathKey, PathKey]) -> PathKey:
    for old, new in new_places.items():
        if path[: len(old)] == old:
            return (*new, *path[len(old) :])
    return path


STEPS: Mapping[int, Callable[[Document], Document]] = MappingProxyType({1: _from_1})
