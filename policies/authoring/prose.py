"""A condition as a sentence: what the typed tree says, in the words of a person.

Negations are carried down to the facts, so that no sentence has to say "it is not so that".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import ClassVar

from policies.authoring.nouns import Nouns, Since, ahead, is_share
from policies.language.metrics import METRICS, Aggregate
from policies.language.number_text import plain
from policies.language.tree import (
    MIRRORED,
    OPPOSITE,
    AllOf,
    AnyOf,
    Attribute,
    Compare,
    Constant,
    DaysSince,
    Extreme,
    HasTag,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Not,
    OneOf,
    Rate,
    RowColumn,
    WorkdaysSince,
)
from policies.language.vocabulary import Type
from policies.messages import has_message, message
from policies.messages.phrases import closed_value_text
from policies.model import Policy

_NAMES = {"=": "eq", "<>": "ne", "<": "lt", ">": "gt", "<=": "le", ">=": "ge"}
_FIGURE_ENDS = "*0123456789"
_WORDS = {"all": "and", "any": "or"}
# How a number of things is said that are there, or are not.
_EXISTENCE: Mapping[tuple[str, object], str] = {
    ("gt", 0): "some",
    ("ge", 1): "some",
    ("ne", 0): "some",
    ("eq", 0): "none",
    ("lt", 1): "none",
    ("le", 0): "none",
}


@dataclass(frozen=True, slots=True)
class Teller(Nouns):
    """Tells conditions in one language."""

    def sentence(self, node: Node) -> str:
        return self._clause(node, negated=False)

    def clauses(self, node: Node) -> tuple[str, tuple[str, ...]]:
        """`all` or `any`, and the sentences of which all, or one, have to hold."""
        joined, parts = self.parts(node)
        return joined, tuple(text for text, _, _ in parts)

    def parts(self, node: Node) -> tuple[str, tuple[tuple[str, Node, bool], ...]]:
        """The same, each with its part of the tree and whether that has to fail instead."""
        joined, parts = _flat(node, negated=False)
        return joined, tuple(
            (self._clause(part, negated=is_not), part, is_not) for part, is_not in parts
        )

    def rows(self, node: Node) -> str:
        return self._clause(node, negated=False, near=True)

    def _clause(self, node: Node, *, negated: bool, near: bool = False) -> str:
        """`near`: as a part of a longer sentence. What is joined by AND belongs together closer
        than what is joined by OR, so that not all of it needs brackets there."""
        joined, parts = _flat(node, negated=negated)
        if len(parts) == 1:
            return self._one(*parts[0])
        simple = not any(isinstance(part, AllOf | AnyOf) for part, _ in parts)
        word = self.say(f"near.{joined}" if near and simple else _WORDS[joined])
        bare = near and joined == "any"
        told = [self._part(part, is_not, bare=bare) for part, is_not in parts]
        # A figure does not touch the word behind it.
        spaced = word if word[0] in " ,，" else f" {word}"
        text = told[0]
        for before, part in pairwise(told):
            text += (spaced if before[-1] in _FIGURE_ENDS else word) + part
        return text

    def _part(self, node: Node, negated: bool, *, bare: bool) -> str:
        if not isinstance(node, AllOf | AnyOf):
            return self._clause(node, negated=negated)
        text = self._clause(node, negated=negated, near=True)
        return text if bare else self.say("group", text=text)

    def _one(self, node: Node, negated: bool) -> str:
        """One fact."""
        tell = self._CLAUSES.get(type(node))
        return self._flag(node, negated) if tell is None else tell(self, node, negated)

    def _one_of(self, node: OneOf, negated: bool) -> str:
        options = [self._value(option, node.value) for option in node.options]
        key = _column_key(node.value)
        if has_message(self.language, key) and not negated:
            return message(self.language, key, values=self._either(options))
        if len(options) == 1:
            sides = {"left": self.noun(node.value), "right": options[0]}
            return self.say(f"text.{'ne' if negated else 'eq'}", **sides)
        if negated:
            none = self.say("nor").join(options)
            return self.say("none_of", value=self.noun(node.value), options=none)
        return self.say("one_of", value=self.noun(node.value), options=self._either(options))

    def _either(self, options: list[str]) -> str:
        *first, last = options
        return self.say("either").join([self.listed(first), last]) if first else last

    def _tag(self, node: HasTag, negated: bool) -> str:
        return self.say(f"tag_{_yes(negated)}", tag=self.text(node.tag))

    def _never(self, node: Never, negated: bool) -> str:
        return self.say(f"never_{_yes(negated)}", moment=self.moment(node.moment))

    def _blank(self, node: IsBlank, negated: bool) -> str:
        return self.say(f"blank_{_yes(negated)}", label=self.noun(node.attribute))

    def _fixed(self, node: Constant, negated: bool) -> str:
        return self.say("always" if bool(node.value) is not negated else "not_ever")

    def _flag(self, node: Node, negated: bool) -> str:
        key = f"prose.{_yes(negated)}.{node.name}" if isinstance(node, Attribute) else ""
        if has_message(self.language, key):
            return message(self.language, key)
        if isinstance(node, RowColumn):
            return self.say(f"row_not.{node.name}") if negated else self.noun(node)
        return self.say(f"flag_{_yes(negated)}", label=self.noun(node))

    def _comparison(self, node: Compare, negated: bool) -> str:
        operator, left, right = node.operator, node.left, node.right
        if isinstance(left, Constant):
            operator, left, right = MIRRORED[operator], right, left
        name = _NAMES[OPPOSITE[operator] if negated else operator]
        if left.type is Type.TEXT:
            key = "row_text" if isinstance(left, RowColumn) else "text"
            sides = {"left": self.noun(left), "right": self._value(right, left)}
            told = _column_key(left)
            if name == "eq" and has_message(self.language, told):
                return message(self.language, told, values=sides["right"])
            return self.say(f"{key}.{name}", **sides)
        if left.type in {Type.MOMENT, Type.DATE}:
            sides = {"left": self.moment(left), "right": self.moment(right)}
            return self.say(f"moment_is.{name}", **sides)
        return self._numbers(name, left, right)

    def _numbers(self, name: str, left: Node, right: Node) -> str:
        until = ahead(left)
        if until is not None:
            days = self._days(right, "days")
            return self.say(f"until.{name}", moment=self.anchor(until), days=days)
        if isinstance(left, DaysSince | WorkdaysSince):
            return self._since_days(name, left, right)
        if not isinstance(left, MetricValue) or METRICS[left.name].aggregate is not Aggregate.COUNT:
            sides = {"left": self.noun(left), "right": self._value(right, left)}
            return self.say(f"number.{name}", **sides)
        some = _EXISTENCE.get((name, right.value)) if isinstance(right, Constant) else None
        if some is not None:
            key = f"rows_{some}" if METRICS[left.name].windowed else some
            return self.say(key, label=self.counted_rows(left, none=some == "none"))
        return self.say(f"count.{name}", left=self.noun(left), right=self.noun(right))

    def _since_days(self, name: str, since: Since, right: Node) -> str:
        unit, moment = _unit(since), self.event(since)
        if isinstance(right, Constant):
            return self.say(f"since.{name}", moment=moment, days=self._days(right, unit))
        days, of = self.noun(right), self.say(f"unit.{unit}")
        if isinstance(right, Extreme):
            key = "greatest" if right.greatest else "least"
            options = self.say("alternatives_end").join(map(self.noun, right.parts))
            form = "two" if len(right.parts) == 2 else "many"
            days = self.say(f"end.{key}.{form}", options=options)
        return self.say(f"since_value.{name}", moment=moment, days=days, unit=of)

    def _days(self, node: Node, unit: str) -> str:
        """So many days, as the end of a sentence."""
        if not isinstance(node, Constant):
            return self.say("days_of", value=self.noun(node))
        form = unit.removesuffix("s") if node.value == 1 else unit
        return self.of_name(node, self.say(form, number=self.figure(node)))

    def _value(self, node: Node, of: Node) -> str:
        """What something is compared with: a constant by its word or as a share."""
        if not isinstance(node, Constant):
            return self.noun(node)
        if isinstance(of, Attribute | RowColumn) and isinstance(node.value, str):
            table = of.table if isinstance(of, RowColumn) else "customers"
            known = closed_value_text(self.language, table, of.name, node.value)
            spoken = f"prose.a.{of.name}.{node.value}"
            if known and table == "activities" and has_message(self.language, spoken):
                return message(self.language, spoken)
            return known or self.constant(node)
        if (
            isinstance(node.value, int | Decimal)
            and isinstance(of, Rate)
            and is_share(of, node.value)
        ):
            percent = plain(Decimal(node.value) * 100)
            number = self.chosen(self.number(percent))
            return self.of_name(node, self.say("percent", number=number))
        if isinstance(of, MetricValue) and METRICS[of.name].aggregate is Aggregate.INTERVAL:
            return self.of_name(node, self.say("median_days", number=self.figure(node)))
        return self.constant(node)

    _CLAUSES: ClassVar[Mapping[type[Node], Callable[..., str]]] = {
        Compare: _comparison,
        OneOf: _one_of,
        HasTag: _tag,
        Never: _never,
        IsBlank: _blank,
        Constant: _fixed,
    }


def teller(policy: Policy, language: str, *, marked: bool = True) -> Teller:
    """Tells the conditions of this policy; its classes by the names of its tier rules."""
    tiers = tuple(
        (tuple(item.tree for item in rule.conditions), rule.title)
        for rule in policy.rules
        if rule.kind == "tier"
    )
    scores = tuple((tree, name) for name, tree in policy.scores.items())
    return Teller(language, tiers, marked, scores, statement=marked)


def _yes(negated: bool) -> str:
    return "no" if negated else "yes"


def _flat(node: Node, *, negated: bool) -> tuple[str, list[tuple[Node, bool]]]:
    """The parts of an AND (`all`) or an OR (`any`), each with whether it is negated."""
    while isinstance(node, Not):
        node, negated = node.part, not negated
    if not isinstance(node, AllOf | AnyOf):
        return "all", [(node, negated)]
    joined = "all" if isinstance(node, AllOf) is not negated else "any"
    parts: list[tuple[Node, bool]] = []
    for part in node.parts:
        below, found = _flat(part, negated=negated)
        parts += found if below == joined or len(found) == 1 else [_bare(part, negated=negated)]
    return joined, parts


def _bare(node: Node, *, negated: bool) -> tuple[Node, bool]:
    while isinstance(node, Not):
        node, negated = node.part, not negated
    return node, negated


def _column_key(node: Node) -> str:
    """The words for a row by what this column holds."""
    return f"prose.row_of.{node.table}.{node.name}" if isinstance(node, RowColumn) else ""


def _unit(node: Since) -> str:
    return "days" if isinstance(node, DaysSince) else "workdays"
