"""The names of values in a condition: facts, numbers, dates and what is computed from them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import ClassVar

from policies.language.expressions import build
from policies.language.metrics import FORMULAS
from policies.language.number_text import Value, scalar_text
from policies.language.scope import Scope
from policies.language.tree import (
    Arithmetic,
    Attribute,
    Case,
    Constant,
    CustomField,
    DataAge,
    DaysSince,
    Extreme,
    MetricValue,
    Node,
    Rank,
    RankKind,
    Rate,
    RowColumn,
    Today,
    WorkdaysSince,
    leaves,
)
from policies.language.vocabulary import Type
from policies.messages import (
    column_label,
    has_message,
    input_label,
    message,
    metric_label,
    table_label,
    value_text,
)

Since = DaysSince | WorkdaysSince

_SIGNS = {"+": "+", "-": "\u2212", "*": "\xd7", "/": "\xf7"}
# What days are counted from where nothing else is said.
CREATED = Attribute("created_at")
_SPECIAL = re.compile(r"([\\`*|<>\[\]])")


@dataclass(frozen=True, slots=True)
class Nouns(ABC):
    """`tiers`: the tier rules that a class may come from, as (conditions, title). `marked`:
    Markdown, with the numbers that somebody chose in bold. `scores`: the sums that have a name.
    `statement`: what days are counted from where nothing ever happened is said elsewhere, once."""

    language: str
    tiers: tuple[tuple[tuple[Node, ...], str], ...] = ()
    marked: bool = True
    scores: tuple[tuple[Node, str], ...] = ()
    statement: bool = False

    @abstractmethod
    def sentence(self, node: Node) -> str:
        """A condition as a sentence."""

    @abstractmethod
    def rows(self, node: Node) -> str:
        """A condition on rows as a part of a sentence."""

    def text(self, written: str) -> str:
        """What the policy's author named: nothing in it is taken as markup."""
        line = " ".join(written.split())
        return _SPECIAL.sub(r"\\\1", line) if self.marked else line

    def chosen(self, text: object) -> str:
        """A number that is somebody's choice."""
        return f"**{text}**" if self.marked else str(text)

    def say(self, key: str, /, **values: object) -> str:
        return message(self.language, f"prose.{key}", **values)

    def noun(self, node: Node) -> str:
        """The name of a value."""
        for tree, name in self.scores:
            if tree == node:
                return self.say("score", name=self.text(name))
        tell = self._TELLERS.get(type(node))
        return self.sentence(node) if tell is None else tell(self, node)

    def constant(self, node: Constant) -> str:
        if isinstance(node.value, str):
            return message(self.language, "word.quoted", text=self.text(node.value))
        return self.of_name(node, self.figure(node))

    def figure(self, node: Constant) -> str:
        number = self.number(scalar_text(node.value))
        return number if node.value == 0 else self.chosen(number)

    def number(self, plain_text: str) -> str:
        return value_text(self.language, Type.NUMBER, plain_text)

    def of_name(self, node: Constant, amount: str) -> str:
        """With the name of the parameter that it is."""
        return self.say("named", amount=amount, name=self.text(node.name)) if node.name else amount

    def listed(self, items: Iterable[str]) -> str:
        return self.say("list").join(items)

    def moment(self, node: Node) -> str:
        key = f"prose.moment.{node.name}" if isinstance(node, Attribute) else ""
        return message(self.language, key) if has_message(self.language, key) else self.noun(node)

    def anchor(self, node: Since) -> str:
        moment = self.moment(node.moment)
        usual = self.statement and node.otherwise == CREATED
        if node.otherwise is None or usual:
            return moment
        return self.say("if_never", moment=moment, otherwise=self.moment(node.otherwise))

    def event(self, node: Since) -> str:
        """What was so many days ago, with the word that says that it was."""
        moment = node.moment
        if isinstance(moment, Attribute):
            return self.say(f"happened.{moment.name}")
        kinds = {MetricValue: "metric", RowColumn: "row"}
        return self.say(f"happened.{kinds.get(type(moment), 'other')}", label=self.anchor(node))

    def _since(self, node: Since) -> str:
        key = "since_of" if isinstance(node, DaysSince) else "workdays_since_of"
        return self.say(key, moment=self.anchor(node))

    def _attribute(self, node: Attribute | CustomField | RowColumn) -> str:
        if isinstance(node, Attribute):
            return input_label(self.language, node.name)
        if isinstance(node, RowColumn):
            return column_label(self.language, node.table, node.name)
        return message(self.language, "fact.field", field=self.text(node.name))

    def _metric(self, node: MetricValue) -> str:
        return self._or_else(self.counted_rows(node), node.otherwise)

    def counted_rows(self, node: MetricValue, *, none: bool = False) -> str:
        """The rows of a metric with its window and its condition; `none`: as it stands after the
        word for none."""
        label = metric_label(self.language, node.name)
        key = f"prose.after_none.{node.name}"
        if none and has_message(self.language, key):
            label = message(self.language, key)
        values = {"label": label}
        if node.days:
            values["days"] = self.chosen(self.number(str(node.days)))
        if node.own is not None:
            values["condition"] = self.rows(node.own)
            return self.say("window_where" if node.days else "where", **values)
        return self.say("window", **values) if node.days else label

    def _or_else(self, value: str, otherwise: Constant | None) -> str:
        if otherwise is None:
            return value
        return self.say("otherwise", value=value, otherwise=self.constant(otherwise))

    def _rate(self, node: Rate) -> str:
        known = _formula(node)
        if known is None:
            sides = {"part": self.noun(node.part), "whole": self.noun(node.whole)}
            label = self.say("rate", **sides)
        else:
            label = metric_label(self.language, known[0])
            if known[1]:
                days = self.chosen(self.number(str(known[1])))
                label = self.say("window", label=label, days=days)
        if node.min_n > 1:
            label = self.say("min_n", rate=label, number=self.chosen(node.min_n))
        return self._or_else(label, node.otherwise)

    def _rank(self, node: Rank) -> str:
        since = ahead(node.value)
        if since is not None and node.kind is RankKind.QUINTILE:
            return self.say("quintile_recent", moment=self.anchor(since))
        value = self.noun(node.value)
        if node.kind is RankKind.QUINTILE:
            return self.say("quintile", value=value)
        first, both = (self.say("percent", number=self.chosen(part)) for part in node.shares)
        return self.say("abc", value=value, first=first, both=both)

    def _case(self, node: Case) -> str:
        for conditions, title in self.tiers:
            if node.conditions == conditions:
                return self.say("tier", name=self.text(title))
        parts = [
            self.say("case_when", condition=self.sentence(condition), value=self.noun(value))
            for condition, value in zip(node.conditions, node.values, strict=True)
        ]
        if node.otherwise is not None:
            parts.append(self.say("case_else", value=self.noun(node.otherwise)))
        return self.say("case", text=self.listed(parts))

    def _arithmetic(self, node: Arithmetic) -> str:
        left, right = self._operand(node.left), self._operand(node.right)
        return f"{left} {_SIGNS[node.operator]} {right}"

    def _operand(self, node: Node) -> str:
        text = self.noun(node)
        return self.say("group", text=text) if isinstance(node, Arithmetic) else text

    def _extreme(self, node: Extreme) -> str:
        is_moment = node.type in {Type.MOMENT, Type.DATE}
        keys = ("earliest", "latest") if is_moment else ("least", "greatest")
        tell = self.moment if is_moment else self.noun
        options = self.say("alternatives").join(map(tell, node.parts))
        return self.say(keys[node.greatest], options=options)

    def _data_age(self, node: DataAge) -> str:
        return message(self.language, "fact.data_age", table=table_label(self.language, node.fact))

    def _today(self, _: Today) -> str:
        return message(self.language, "word.today")

    _TELLERS: ClassVar[Mapping[type[Node], Callable[..., str]]] = {
        Constant: constant,
        Attribute: _attribute,
        CustomField: _attribute,
        RowColumn: _attribute,
        MetricValue: _metric,
        DataAge: _data_age,
        Today: _today,
        DaysSince: _since,
        WorkdaysSince: _since,
        Rate: _rate,
        Rank: _rank,
        Case: _case,
        Arithmetic: _arithmetic,
        Extreme: _extreme,
    }


def is_share(node: Rate, value: Value) -> bool:
    """Is the value a part of a hundred? One of an author's own up to the whole."""
    known = _formula(node)
    if known is None:
        return isinstance(value, int | Decimal) and 0 < value <= 1
    return not FORMULAS[known[0]].unit


def ahead(node: Node) -> DaysSince | None:
    """The day that `days_until` asks for: zero less the days since it."""
    if isinstance(node, Arithmetic) and node.operator == "-" and node.left == Constant(0):
        return node.right if isinstance(node.right, DaysSince) else None
    return None


def _formula(node: Rate) -> tuple[str, int | None] | None:
    """The formula that this rate is, with its window."""
    found = leaves(node.part)
    days = next((leaf.days for leaf in found if isinstance(leaf, MetricValue)), None)
    for name in FORMULAS:
        known = _built(name, days)
        if isinstance(known, Rate) and (known.part, known.whole) == (node.part, node.whole):
            return name, days
    return None


@cache
def _built(name: str, days: int | None) -> Node | None:
    text = f"{name}({days or ''})" if FORMULAS[name].windowed else name
    return build(text, Scope(), condition=False).node
