"""The phrase of a tripped cap, as `connector.guard` makes it, in words."""

from __future__ import annotations

import re
from decimal import Decimal

from connector.guard import MONEY, TOGETHER
from connector.titles import Titles
from policies.messages import message
from policies.messages.catalogue import grouped

_FIGURE = re.compile(r"\d+(\.\d+)?")


def cap_text(phrase: str, titles: Titles) -> str:
    """With its figures as the language writes them; an owner's id stays as it is, and a band goes
    with the label of its tier."""
    language = titles.language
    if phrase.startswith(TOGETHER):
        cap = cap_text(phrase.removeprefix(TOGETHER), titles)
        return message(language, "plan.together", cap=cap)
    head, colon, figures = phrase.rpartition(": ")
    if phrase.startswith(MONEY):
        return _money(figures, language)
    tier, sign, band = head.partition(" = ")
    name = f"{titles.rule(tier)} {band}" if sign else head
    return f"{name}{colon}{_doubted(figures, 'plan.cap_unknown_band', language)}"


def _money(figures: str, language: str) -> str:
    if figures[:1].isdigit():
        told = _doubted(figures, "plan.cap_unknown_amount", language)
        return message(language, "plan.cap_money", figures=told)
    currencies, _, most = figures.rpartition(" > ")
    values = {"currencies": currencies, "most": _figures(most, language)}
    return message(language, "plan.cap_currencies", **values)


def _doubted(figures: str, key: str, language: str) -> str:
    """Who cannot be told of stands behind a plus, before a question mark."""
    known, plus, rest = figures.partition(" + ")
    if not plus:
        return _figures(figures, language)
    count, _, limit = rest.partition(" ? ")
    told = message(language, key, known=_figures(known, language), count=int(count))
    return f"{told} {_figures(limit, language)}"


def _figures(text: str, language: str) -> str:
    return _FIGURE.sub(lambda found: grouped(language, f"{Decimal(found[0]):,f}"), text)
