"""Caps before the first write: how many customers a rule may take at once."""

from __future__ import annotations

from decimal import Decimal

from policies.model import Limits

# Below this many customers a share says little: three of twenty are not a runaway rule.
SHARE_FLOOR = 100


def tripped_cap(limits: Limits, rule: str, kind: str, moving: int, customers: int) -> str:
    """The cap that is exceeded, in one phrase with its numbers; empty if none.

    `moving` customers enter, leave or change their stage of the rule. The limits of the whole
    policy hold for each rule but those of kind `tier`: a tier relabels, and is capped only where
    the policy names it under `limits.rules`.
    """
    own = limits.rules.get(rule)
    count = own.count if own and own.count is not None else None
    share = own.share if own and own.share is not None else None
    if kind != "tier":
        count = limits.count if count is None else count
        share = limits.share if share is None else share
    if count is not None and moving > count:
        return f"{moving} > {count}"
    if share is not None and customers >= SHARE_FLOOR and moving > share * customers:
        return f"{moving} > {_percent(share)} of {customers}"
    return ""


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
