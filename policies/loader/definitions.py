"""The names that a policy gives: defines, scores and tiers, in the order in which they need each
other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain

from policies.language import checks
from policies.language.checks import Refusal
from policies.language.expressions import build, own_name
from policies.language.scope import Built, Defined, Scope
from policies.language.syntax import names_in, tiers_in
from policies.language.tree import NUMERIC, Arithmetic, Case, Constant, Node
from policies.language.vocabulary import Type
from policies.loader.ledger import Ledger, Place, Placed
from policies.loader.rule_schema import TierRuleShape
from policies.loader.schema import ScoreShape, TermShape

TIER = "tier"
_TERMS = "write {when: CONDITION, points: 10} or {of: NUMBER, weight: 0.5}"
_NOTHING = Constant(0)


@dataclass
class Definitions:
    """What is to be read, and what came of it. `bands`: the conditions of the tiers, by rule."""

    texts: Mapping[str, Placed[str]]
    scores: Mapping[str, Placed[ScoreShape]]
    tiers: Mapping[str, Placed[TierRuleShape]]
    ledger: Ledger
    scope: Scope
    bands: dict[str, tuple[Built | None, ...]] = field(default_factory=dict)

    def read(self) -> Scope:
        """The scope with all the names; one that needs itself is a problem and left out."""
        self._check_names()
        needs = {key: self._needs(key) for key in self._keys()}
        while ready := [key for key in needs if not needs[key] & set(needs)]:
            for key in ready:
                del needs[key]
                self._read(key)
        for key in needs:
            if _reaches(needs, key, key):
                self.ledger.add(self._place(key), f"'{key[1]}' is defined by way of itself")
        lost = frozenset(name for kind, name in needs if kind != TIER)
        tiers: dict[str, Node | None] = dict(self.scope.tiers)
        tiers |= {name: None for kind, name in needs if kind == TIER}
        self.scope = replace(self.scope, undefined=lost, tiers=tiers)
        return self.scope

    def _check_names(self) -> None:
        """A name of the language means the same in every policy."""
        texts = ((name, item.place) for name, item in self.texts.items())
        scores = ((name, item.place) for name, item in self.scores.items())
        for name, place in chain(texts, scores):
            kind = own_name(name)
            if kind:
                message = f"the name '{name}' is taken: it is {kind}"
                self.ledger.add(place, message, "choose another name", key=True)

    def _keys(self) -> Iterator[tuple[str, str]]:
        for name, item in self.texts.items():
            if name in self.scores:
                place = self.scores[name].place
                message = f"the name '{name}' is taken ({item.place.text})"
                self.ledger.add(place, message, "choose another", key=True)
            else:
                yield "define", name
        yield from (("score", name) for name in self.scores)
        yield from ((TIER, name) for name in self.tiers)

    def _place(self, key: tuple[str, str]) -> Place:
        kind, name = key
        if kind == TIER:
            return self.tiers[name].place.at(TIER)
        return self.texts[name].place if kind == "define" else self.scores[name].place

    def _needs(self, key: tuple[str, str]) -> set[tuple[str, str]]:
        needed: set[tuple[str, str]] = set()
        for text in self._conditions(key):
            names = names_in(text)
            needed |= {("score", name) for name in names if name in self.scores}
            needed |= {("define", name) for name in names if name in self.texts}
            asked = tiers_in(text)
            bare = "" in asked and len(self.tiers) == 1
            needed |= {(TIER, name) for name in self.tiers if bare or name in asked}
        return needed

    def _conditions(self, key: tuple[str, str]) -> Iterator[str]:
        kind, name = key
        if kind == "define":
            yield self.texts[name].value
        elif kind == "score":
            for term in self.scores[name].value.terms:
                yield from filter(None, (term.when, term.of))
        else:
            yield from (band.when for band in self.tiers[name].value.bands)

    def _read(self, key: tuple[str, str]) -> None:
        kind, name = key
        if kind == TIER:
            tiers = {**self.scope.tiers, name: self._tier(name)}
            self.scope = replace(self.scope, tiers=tiers)
            return
        defined = self._define(name) if kind == "define" else self._score(name)
        self.scope = replace(self.scope, defines={**self.scope.defines, name: defined})

    def _define(self, name: str) -> Defined:
        item = self.texts[name]
        built = build(item.value, self.scope, condition=False)
        self.ledger.complain(item.place, built)
        return Defined(built.node, built.size, built.depth)

    def _score(self, name: str) -> Defined:
        item = self.scores[name]
        parts = [
            self._term(item.place.at("terms", number), term)
            for number, term in enumerate(item.value.terms)
        ]
        nodes = [part.node for part in parts if part is not None and part.node is not None]
        size = sum(part.size + 3 for part in parts if part is not None)
        depth = len(parts) + max((part.depth + 2 for part in parts if part is not None), default=0)
        if len(nodes) < len(parts):
            return Defined(None, size, depth)
        try:
            return Defined(_sum(nodes), size, depth)
        except Refusal as refusal:
            self.ledger.add(item.place, refusal.message, refusal.suggestion)
            return Defined(None, size, depth)

    def _term(self, place: Place, term: TermShape) -> Built | None:
        given = term.model_fields_set
        if term.when is not None and term.points is not None and len(given) == 2:
            return self._points(place.at("when"), term.when, term.points)
        if term.of is not None and term.weight is not None and len(given) == 2:
            return self._weighted(place.at("of"), term.of, term.weight)
        self.ledger.add(place, "this is no term of a score", _TERMS)
        return None

    def _points(self, place: Place, when: str, points: int | Decimal) -> Built:
        built = build(when, self.scope)
        self.ledger.complain(place, built)
        if built.node is None:
            return built
        if points == 0:
            return replace(built, node=_NOTHING)
        constant = Constant(points)
        return replace(built, node=Case((built.node,), (constant,), Constant(0), constant.type))

    def _weighted(self, place: Place, text: str, weight: int | Decimal) -> Built:
        built = build(text, self.scope, condition=False)
        self.ledger.complain(place, built)
        if built.node is None:
            return built
        if built.node.type not in NUMERIC - {Type.MONEY}:
            message = f"a score adds numbers, not {checks.described(built.node)}"
            self.ledger.add(place, message, _TERMS)
            return replace(built, node=None)
        try:
            return replace(built, node=_arithmetic("*", built.node, Constant(weight)))
        except Refusal as refusal:
            self.ledger.add(place, refusal.message, refusal.suggestion)
            return replace(built, node=None)

    def _tier(self, name: str) -> Node | None:
        item = self.tiers[name]
        built = tuple(
            self._band(item.place.at("bands", number, "when"), band.when)
            for number, band in enumerate(item.value.bands)
        )
        self.bands[name] = built
        names = [Constant(band.name) for band in item.value.bands]
        nodes = [part.node for part in built if part is not None and part.node is not None]
        if len(nodes) < sum(part is not None for part in built):
            return None
        otherwise = names.pop() if built[-1] is None else None
        return Case(tuple(nodes), tuple(names), otherwise, Type.TEXT)

    def _band(self, place: Place, text: str) -> Built | None:
        """None for `else`."""
        if text.strip() == "else":
            return None
        built = build(text, self.scope)
        self.ledger.complain(place, built)
        return built


def _sum(nodes: list[Node]) -> Node:
    """Terms of no points are no part of it."""
    given = [node for node in nodes if node != _NOTHING]
    total = given[0] if given else _NOTHING
    for node in given[1:]:
        total = _arithmetic("+", total, node)
    return total


def _arithmetic(operator: str, left: Node, right: Node) -> Node:
    return Arithmetic(operator, left, right, checks.arithmetic_type(operator, left, right))


def _reaches(
    needs: Mapping[tuple[str, str], set[tuple[str, str]]],
    start: tuple[str, str],
    goal: tuple[str, str],
) -> bool:
    waiting, seen = [start], set[tuple[str, str]]()
    while waiting:
        for key in needs.get(waiting.pop(), set()) - seen:
            if key == goal:
                return True
            seen.add(key)
            waiting.append(key)
    return False
