"""The protections of the product itself: no policy can leave them out, but for the default ones.

They count facts that are known to be there, so that one that is unknown takes none of them away;
a source that was never pulled protects nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache
from typing import cast

from policies.condition import Expression
from policies.language.expressions import build
from policies.language.scope import Scope
from policies.language.tree import MetricValue, Node, rebuilt
from policies.model import EXITS, NEW_OWNER, Protection

_WITHOUT_ORDERS = ("pool", "void")
# A receivable is counted, not summed: amounts in two currencies have no sum. A complaint of which
# nobody said whose fault it was may be ours, and a contract that is signed and yet to begin binds.
_GUARDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("has-ordered", "orders_count() > 0", _WITHOUT_ORDERS),
    ("our-complaint", "complaints_open(fault IS NULL OR fault = 'ours') > 0", ("cleanout",)),
    ("open-receivable", "invoices_count(settled_at IS NULL) > 0", EXITS),
    ("open-return", "returns_open > 0", EXITS),
    ("in-warranty", "orders_in_warranty > 0", EXITS),
    (
        "active-contract",
        "contracts_count(ended_at IS NULL AND (ends_on IS NULL OR days_until(ends_on) >= 0)) > 0",
        EXITS,
    ),
    ("valid-quote", "quotes_valid > 0", EXITS),
    ("won-deal", "won_deals > 0", _WITHOUT_ORDERS),
    ("had-contract", "contracts_count() > 0", _WITHOUT_ORDERS),
)
# A policy replaces these by its own of the same id, or leaves them out. Whoever has just been given
# a customer has time to get to know it.
_DEFAULTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (NEW_OWNER, "days_since(owned_since) < 30", ("pool",)),
)
GUARD_IDS = tuple(name for name, _, _ in _GUARDS)
DEFAULT_IDS = tuple(name for name, _, _ in _DEFAULTS)


def guards_for(kinds: Iterable[str], without: Collection[str] = ()) -> tuple[Protection, ...]:
    """The protections that stand before rules of these kinds. `without`: default ones that the
    policy replaces or leaves out."""
    wanted = frozenset(kinds)
    left = frozenset(without) & frozenset(DEFAULT_IDS)
    return tuple(item for item in _guards() if item.kinds & wanted and item.id not in left)


@cache
def _guards() -> tuple[Protection, ...]:
    return tuple(_guard(*item) for item in (*_GUARDS, *_DEFAULTS))


def _guard(name: str, text: str, kinds: tuple[str, ...]) -> Protection:
    tree = rebuilt(cast("Node", build(text, Scope()).node), _certain)
    return Protection(name, Expression(text, tree), frozenset(kinds), certain=True, built_in=True)


def _certain(node: Node) -> Node | None:
    return replace(node, certain=True) if isinstance(node, MetricValue) else None
