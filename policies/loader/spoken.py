"""What the things of the vocabulary are called by people, and how a condition writes them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from policies.language.metrics import FORMULAS, FUNCTIONS, METRICS
from policies.language.vocabulary import ATTRIBUTES, EVENTS
from policies.languages import LANGUAGES
from policies.messages import column_label, message, metric_label

_CUSTOMERS = "customers"


def written(table: str, name: str) -> str:
    """How a condition writes what somebody called by its label, about customers or the rows of a
    table; empty if it is no label."""
    return _by_label(table).get(name.casefold(), "")


@cache
def _by_label(table: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for label, name in _labels(language, table):
            # What stands in brackets explains the label.
            found.setdefault(label.split("（")[0].split(" (")[0].casefold(), name)
    return found


def _labels(language: str, table: str) -> Iterator[tuple[str, str]]:
    if table != _CUSTOMERS:
        for name in EVENTS[table].usable:
            yield column_label(language, table, name), name
        return
    for name in ATTRIBUTES:
        yield column_label(language, table, name), name
    windowed = {name: item.windowed for name, item in METRICS.items()}
    windowed |= {name: item.windowed for name, item in FORMULAS.items()}
    for name, takes_days in windowed.items():
        yield metric_label(language, name), f"{name}()" if takes_days else name
    for name, function in FUNCTIONS.items():
        yield message(language, f"function.{name}"), function.form
