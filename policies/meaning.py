"""What a policy means as nested lists, for its hash: no layout, no text of a condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from policies.calendar import Calendar
from policies.condition import Expression
from policies.language.number_text import plain
from policies.language.tree import canonical
from policies.money import Money

# Marks a field that came later: without a value it says nothing, and a hash stays what it was.
WHERE_GIVEN: Mapping[str, bool] = MappingProxyType({"where_given": True})


def meaning(value: object) -> object:
    """The value as something that JSON can hold, the same for the same meaning."""
    if isinstance(value, Expression):
        return canonical(value.tree)
    if isinstance(value, Calendar | Money):
        return value.meaning()
    if dataclasses.is_dataclass(value):
        fields = ((getattr(value, item.name), item.metadata) for item in dataclasses.fields(value))
        parts = [part for part, metadata in fields if part or metadata != WHERE_GIVEN]
        return [type(value).__name__, *map(meaning, parts)]
    return _plain(_several(value))


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return [type(value).__name__, value.value]
    return ["decimal", plain(value)] if isinstance(value, Decimal) else value


def _several(value: object) -> object:
    if isinstance(value, Mapping):
        return sorted([str(name), meaning(item)] for name, item in value.items())
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, tuple):
        return [meaning(item) for item in value]
    return value
