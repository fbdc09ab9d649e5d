"""The limits of a policy: how many customers one run may change, whose, of which bands, and what
they may come to."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from policies.condition import Expression
from policies.language import checks
from policies.language.expressions import build
from policies.language.scope import Scope
from policies.language.tree import NUMERIC, leaves
from policies.loader.draft import Draft, bands_of
from policies.loader.ledger import Ledger, Place, Placed
from policies.loader.rule_schema import kind_of
from policies.loader.schema import BacklogShape, LimitShape, OwnerLimitShape
from policies.model import Limit, Limits, MoneyLimit, OwnerLimit
from policies.process import Backlog
from policies.suggestion import nearest

MAX_AMOUNT = 10**15
_MONEY = "write an amount or a number, such as orders_amount(365)"


def read_limits(draft: Draft, scope: Scope, ledger: Ledger) -> Limits:
    """`scope` has the names that the policy defines."""
    for name, item in draft.rule_limits.items():
        if name not in draft.rules and not draft.partial:
            hint = nearest(name, draft.rules)
            ledger.add(item.place, f"there is no rule '{name[:60]}'", hint, key=True)
    parts = draft.limits
    named = [parts[name] for name in ("total", "owner") if name in parts]
    _check_given([*draft.rule_limits.values(), *draft.band_limits.values(), *named], ledger)
    total, owner, backlog = (
        parts[name].value if name in parts else None for name in ("total", "owner", "backlog")
    )
    return Limits(
        total.count if isinstance(total, LimitShape) else None,
        total.share if isinstance(total, LimitShape) else None,
        {name: _limit(item.value) for name, item in draft.rule_limits.items()},
        OwnerLimit(owner.count, owner.share, owner.per)
        if isinstance(owner, OwnerLimitShape)
        else None,
        Backlog(backlog.wave, backlog.order) if isinstance(backlog, BacklogShape) else None,
        _tiers(draft, ledger),
        _money(draft, scope, ledger),
    )


def _check_given(
    items: Iterable[Placed[LimitShape] | Placed[LimitShape | BacklogShape]], ledger: Ledger
) -> None:
    for item in items:
        value = item.value
        if isinstance(value, LimitShape) and value.count is None and value.share is None:
            hint = "write 3%, or {share: 3%, count: 50}"
            ledger.add(item.place, "this limit limits nothing", hint)


def _limit(shape: LimitShape) -> Limit:
    return Limit(shape.count, shape.share)


def _tiers(draft: Draft, ledger: Ledger) -> dict[str, dict[str, Limit]]:
    found: dict[str, dict[str, Limit]] = {}
    for (tier, band), item in draft.band_limits.items():
        found.setdefault(tier, {})[band] = _limit(item.value)
        if tier in draft.rules or not draft.partial:
            _check_band(draft, tier, band, item.place, ledger)
    return found


def _check_band(draft: Draft, tier: str, band: str, place: Place, ledger: Ledger) -> None:
    """The rule is there, is a tier, and has the band."""
    rules = {name: item.value for name, item in draft.rules.items()}
    of_tier = Place(place.document, place.path[:-1])
    tiers = [name for name in rules if kind_of(rules[name]) == "tier"]
    if tier not in rules:
        message = f"there is no tier rule '{tier[:60]}'"
        ledger.add(of_tier, message, nearest(tier, tiers), key=True)
    elif tier not in tiers:
        message = f"rule '{tier}' is a {kind_of(rules[tier])} rule, not a tier rule"
        ledger.add(of_tier, message, nearest(tier, tiers), key=True)
    elif band not in bands_of(rules[tier]):
        message = f"the tier '{tier}' has no band '{band[:60]}'"
        ledger.add(place, message, nearest(band, bands_of(rules[tier])), key=True)


def _money(draft: Draft, scope: Scope, ledger: Ledger) -> MoneyLimit | None:
    item = draft.money_limit
    if item is None:
        return None
    place, text, most = item.place.at("of"), item.value.of, Decimal(item.value.at_most)
    if not 0 < most < MAX_AMOUNT:
        hint = "a number above 0, such as 100000"
        ledger.add(item.place.at("at_most"), "this is no limit of an amount", hint)
    built = build(text, scope, condition=False)
    ledger.complain(place, built)
    if built.node is None:
        return None
    if built.node.type not in NUMERIC:
        message = f"a limit adds up amounts, not {checks.described(built.node)}"
        ledger.add(place, message, _MONEY)
    elif not leaves(built.node):
        ledger.add(place, "this amount looks at no fact of a customer", _MONEY)
    of = Expression(text.strip(), built.node, place.document.name, place.path)
    return MoneyLimit(of, most)
