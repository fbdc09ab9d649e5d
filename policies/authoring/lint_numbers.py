"""Findings about numbers whose decimal point was meant to group thousands, as in `100.000`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from policies.authoring.numbers import trees_of
from policies.authoring.places import Places, Position
from policies.errors import Problem
from policies.language.number_text import plain
from policies.language.tree import Compare, Constant, MetricValue, Node, OneOf, walk
from policies.language.vocabulary import Type
from policies.model import Policy

# Text in quotes is passed over.
_WRITTEN = re.compile(r"'[^']*'|\"[^\"]*\"|(?<![\w.$])([1-9]\d{0,2}\.\d{3})(?![\w.])", re.ASCII)
_WHOLE = frozenset({Type.INTEGER, Type.MONEY})
# Rates of exchange have as many decimals as the bank gives them.
_EXACT = frozenset({"money"})


def grouped_numbers(policy: Policy, places: Places) -> Iterator[Problem]:
    """Numbers with three decimals that are all 0, or that an amount or a count is compared with."""
    compared = [item for tree in trees_of(policy) for item in _compared(tree)]
    values = {item.value for item in compared if not item.name}
    names = {item.name for item in compared}
    for text, position in _conditions(policy, places):
        if text.endswith("000") or Decimal(text) in values:
            yield _found(places, position, text)
    for path, text, position in places.numbers():
        grouped = text.endswith("000") or (path[0] == "params" and path[-1] in names)
        if grouped and path[0] not in _EXACT and _WRITTEN.fullmatch(text):
            yield _found(places, position, text)


def _found(places: Places, position: Position, text: str) -> Problem:
    value = plain(Decimal(text))
    return places.found(position, "grouped", text=text, value=value, meant=text.replace(".", ""))


def _conditions(policy: Policy, places: Places) -> Iterator[tuple[str, Position]]:
    of_rules = (rule.process.conditions for rule in policy.rules if rule.process is not None)
    pools = (pool.when for pool in policy.pools if pool.when is not None)
    for when in (*policy.conditions, *pools, *(item for found in of_rules for item in found)):
        for document, path in places.spots(when):
            for match in _WRITTEN.finditer(document.text_at(path) or ""):
                if match[1]:
                    offset = match.start(1)
                    yield match[1], (document.name, *document.position_in(path, offset))


def _compared(tree: Node) -> Iterator[Constant]:
    """The constants that stand beside an amount or a count, in conditions on rows too."""
    for node in walk(tree):
        if isinstance(node, MetricValue) and node.own is not None:
            yield from _compared(node.own)
        elif isinstance(node, Compare):
            for side, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(side, Constant) and other.type in _WHOLE:
                    yield side
        elif isinstance(node, OneOf) and node.value.type in _WHOLE:
            yield from node.options
