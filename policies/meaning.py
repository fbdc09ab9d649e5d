"""What a policy means as nested lists, for its hash: no layout, no text of a condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum

from policies.calendar import Calendar
from policies.condition import Expression
from policies.language.number_text import plain
from policies.language.tree import canonical
from policies.money import Money


def meaning(value: object) -> object:
    """The value as something that JSON can hold, the same for the same meaning."""
    if isinstance(value, Expression):
        return canonical(value.tree)
    if isinstance(value, Calendar | Money):
        return value.meaning()
    if dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
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
