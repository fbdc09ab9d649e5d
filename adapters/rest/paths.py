"""Dotted paths into an answer: `data.items`, `error.code`, `links[0].href`; empty is the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<number>\d+)\]")
_WHOLE = re.compile(r"(?:[^.\[\]]+(?:\[\d+\])*)(?:\.[^.\[\]]+(?:\[\d+\])*)*|(?:\[\d+\])+|")


class _Missing:
    """What stands at a path that is not there; a null that is there is None."""

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()


def _checked(path: str) -> str:
    if not _WHOLE.fullmatch(path):
        raise ValueError("a path is names with dots between them, such as data.items[0].id")
    return path


Path = Annotated[str, AfterValidator(_checked)]


@lru_cache(maxsize=4096)
def steps(path: str) -> tuple[str | int, ...]:
    """A path's names and places, one after the other."""
    found = _STEP.finditer(path)
    return tuple(step["name"] or int(step["number"]) for step in found)


def look(value: Any, path: str) -> Any:
    """What stands at `path`, or MISSING."""
    for step in steps(path):
        if isinstance(step, str):
            is_there = isinstance(value, Mapping) and step in value
        else:
            is_there = isinstance(value, list) and step < len(value)
        if not is_there:
            return MISSING
        value = value[step]
    return value


def replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy of `value` with something else at a path (`steps`) that is there."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    copy = value.copy()
    copy[step] = replaced(value[step], rest, new)
    return copy
