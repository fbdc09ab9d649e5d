"""One structure laid over another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def overlay(below: Any, above: Any) -> Any:
    """Mappings key by key, at every depth; anything else is replaced."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        laid = {key: overlay(below[key], above[key]) for key in below.keys() & above.keys()}
        return {**below, **above, **laid}
    return above
