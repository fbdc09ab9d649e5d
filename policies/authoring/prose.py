"""A condition as a sentence: what the typed tree says, in the words of a person.

Negations are carried down to the facts, so that no sentence has to say "it is not so that".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from policies.authoring.nouns import Nouns, Since, is_share
from policies.language.metrics import METRICS, Aggregate
from policies.language.number_text import plain
from policies.language.tree import (
    MIRRORED,
    OPPOSITE,
    AllOf,
    AnyOf,
    Arithmetic,
    Attribute,
    Compare,
    Constant,
    DaysSince,
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

    def _clause(self, node: Node, *, negated: bool) -> str:
        joined, parts = _flat(node, negated=negated)
        if len(parts) == 1:
            return self._one(*parts[0])
        word = self.say("and" if joined == "all" else "or")
        return word.join(self._part(part, is_not) for part, is_not in parts)

    def _part(self, node: Node, negated: bool) -> str:
        """As a part of a longer sentence."""
        text = self._clause(node, negated=negated)
        return self.say("group", text=text) if isinstance(node, AllOf | AnyOf) else text

    def _one(self, node: Node, negated: bool) -> str:
        """One fact."""
        tell = self._CLAUSES.get(type(node))
        return self._flag(node, negated) if tell is None else tell(self, node, negated)

    def _one_of(self, node: OneOf, negated: bool) -> str:
        options = self.listed(self._value(option, node.value) for option in node.options)
        key = "none_of" if negated else "one_of"
        return self.say(key, value=self.noun(node.value), options=options)

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
            return self.say(f"row_{_yes(negated)}", label=self.noun(node))
        return self.say(f"flag_{_yes(negated)}", label=self.noun(node))

    def _comparison(self, node: Compare, negated: bool) -> str:
        operator, left, right = node.operator, node.left, node.right
        if isinstance(left, Constant):
            operator, left, right = MIRRORED[operator], right, left
        name = _NAMES[OPPOSITE[operator] if negated else operator]
        if left.type is Type.TEXT:
            key = "row_text" if isinstance(left, RowColumn) else "text"
            sides = {"left": self.noun(left), "right": self._value(right, left)}
            return self.say(f"{key}.{name}", **sides)
        if left.type in {Type.MOMENT, Type.DATE}:
            sides = {"left": self.moment(left), "right": self.moment(right)}
            return self.say(f"moment_is.{name}", **sides)
        return self._numbers(name, left, right)

    def _numbers(self, name: str, left: Node, right: Node) -> str:
        ahead = _ahead(left)
        since = ahead or left
        if isinstance(since, DaysSince | WorkdaysSince):
            key = f"until.{name}" if ahead else f"since.{name}"
            days = self._days(right, _unit(since))
            return self.say(key, moment=self.anchor(since), days=days)
        if not isinstance(left, MetricValue) or METRICS[left.name].aggregate is not Aggregate.COUNT:
            sides = {"left": self.noun(left), "right": self._value(right, left)}
            return self.say(f"number.{name}", **sides)
        some = _EXISTENCE.get((name, right.value)) if isinstance(right, Constant) else None
        if some is not None:
            key = f"rows_{some}" if METRICS[left.name].windowed else some
            return self.say(key, label=self.noun(left))
        return self.say(f"count.{name}", left=self.noun(left), right=self.noun(right))

    def _days(self, node: Node, unit: str) -> str:
        """So many days, as the end of a sentence."""
        if not isinstance(node, Constant):
            return self.say(f"{unit}_of", value=self.noun(node))
        form = unit.removesuffix("s") if node.value == 1 else unit
        return self.of_name(node, self.say(form, number=self.figure(node)))

    def _value(self, node: Node, of: Node) -> str:
        """What something is compared with: a constant by its word or as a share."""
        if not isinstance(node, Constant):
            return self.noun(node)
        if isinstance(of, Attribute | RowColumn) and isinstance(node.value, str):
            table = of.table if isinstance(of, RowColumn) else "customers"
            known = closed_value_text(self.language, table, of.name, node.value)
            return known or self.constant(node)
        if isinstance(of, Rate) and is_share(of) and isinstance(node.value, int | Decimal):
            percent = plain(Decimal(node.value) * 100)
            number = self.chosen(self.number(percent))
            return self.of_name(node, self.say("percent", number=number))
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
    return Teller(language, tiers, marked, scores)


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


def _ahead(node: Node) -> DaysSince | None:
    """The day that `days_until` asks for: zero less the days since it."""
    if isinstance(node, Arithmetic) and node.operator == "-" and node.left == Constant(0):
        return node.right if isinstance(node.right, DaysSince) else None
    return None


def _unit(node: Since) -> str:
    return "days" if isinstance(node, DaysSince) else "workdays"
