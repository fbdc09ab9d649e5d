"""From the text of a condition to the typed tree: names, functions and structure.

Only what stands in the table of builders is allowed; anything else is refused with its position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlglot import exp

from policies import checks
from policies.checks import Refusal
from policies.metrics import FUNCTIONS, MAX_WINDOW_DAYS, METRICS
from policies.syntax import Complaint, Parsed, parse
from policies.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
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
    Rank,
    RankKind,
    Value,
)
from policies.validation import nearest
from policies.vocabulary import ATTRIBUTES, Type

MAX_DEPTH = 60
MAX_SIZE = 5_000

_CALL = re.compile(r"(\w+)\s*\(")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Defined:
    """What a name of `define:` stands for; `node` is None when it has problems of its own."""

    node: Node | None
    size: int = 1
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that a policy adds to the vocabulary."""

    params: Mapping[str, Value] = field(default_factory=dict)
    defines: Mapping[str, Defined] = field(default_factory=dict)
    undefined: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Built:
    """A condition's tree, or the complaints that stand in its way."""

    node: Node | None
    complaints: tuple[Complaint, ...]
    size: int
    depth: int


def build(text: str, scope: Scope, *, condition: bool = True) -> Built:
    """Build the tree of one expression; `condition`: it has to be true or false. Never raises."""
    parsed = parse(text)
    if parsed.tree is None:
        return Built(None, tuple(parsed.complaints), 1, 1)
    builder = _Builder(text, parsed, scope)
    node = builder.condition(parsed.tree) if condition else builder.value(parsed.tree)
    complaints = tuple(dict.fromkeys(builder.complaints))
    return Built(None if complaints else node, complaints, builder.size, builder.deepest)


class _Builder:
    def __init__(self, text: str, parsed: Parsed, scope: Scope) -> None:
        self._text = text
        self._parsed = parsed
        self._scope = scope
        self._depth = 0
        self.complaints: list[Complaint] = []
        self.size = 0
        self.deepest = 1

    def condition(self, tree: exp.Expr) -> Node | None:
        """A part that must be true or false."""
        node = self.value(tree)
        if node is not None and node.type is not Type.BOOLEAN:
            self._complain(tree, *checks.not_a_condition(node))
            return None
        return node

    def value(self, tree: exp.Expr) -> Node | None:
        """Any part; a refusal is noted and its siblings are still read."""
        self._depth += 1
        self.size += 1
        self.deepest = max(self.deepest, self._depth)
        try:
            return self._value(tree)
        except Refusal as refusal:
            self._complain(tree, refusal.message, refusal.suggestion)
            return None
        finally:
            self._depth -= 1

    def _value(self, tree: exp.Expr) -> Node | None:
        if self._depth > MAX_DEPTH:
            raise Refusal("this condition is nested too deeply", "give parts a name in define:")
        if self.size > MAX_SIZE:
            raise Refusal("this condition is too large", "simplify it or its defines")
        build_node = _BUILDERS.get(type(tree))
        if build_node is not None:
            return build_node(self, tree)
        if isinstance(tree, exp.Func) and not checks.has_own_refusal(tree):
            return self._unknown_function(tree)
        raise Refusal(*checks.refused_form(tree))

    def _complain(self, tree: exp.Expr, message: str, suggestion: str = "") -> None:
        self.complaints.append(Complaint(self._parsed.offset(tree), message, suggestion))

    def _both(self, tree: exp.Expr) -> tuple[Node, Node] | None:
        left, right = self.value(tree.this), self.value(tree.expression)
        return (left, right) if left is not None and right is not None else None

    def _parts(self, trees: list[exp.Expr]) -> tuple[Node, ...] | None:
        nodes = [self.value(tree) for tree in trees]
        found = tuple(node for node in nodes if node is not None)
        return found if len(found) == len(nodes) else None

    def all_or_any(self, tree: exp.Expr) -> Node | None:
        nodes = [self.condition(part) for part in tree.flatten(unnest=False)]
        parts = tuple(node for node in nodes if node is not None)
        if len(parts) < len(nodes):
            return None
        return AllOf(parts) if isinstance(tree, exp.And) else AnyOf(parts)

    def negation(self, tree: exp.Expr) -> Node | None:
        part = self.condition(tree.this)
        return None if part is None else Not(part)

    def bracket(self, tree: exp.Expr) -> Node | None:
        return self.value(tree.this)

    def comparison(self, tree: exp.Expr) -> Node | None:
        both = self._both(tree)
        if both is None:
            return None
        operator = _COMPARISONS[type(tree)]
        checks.check_comparison(operator, *both)
        return Compare(operator, *both)

    def between(self, tree: exp.Expr) -> Node | None:
        parts = self._parts([tree.this, tree.args["low"], tree.args["high"]])
        if parts is None:
            return None
        value, low, high = parts
        checks.check_comparison(">=", value, low)
        checks.check_comparison("<=", value, high)
        return AllOf((Compare(">=", value, low), Compare("<=", value, high)))

    def one_of(self, tree: exp.Expr) -> Node | None:
        value = self.value(tree.this)
        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field"):
            raise Refusal("IN takes a list of constants", "write IN ('a', 'b')")
        options = self._parts(tree.expressions)
        if value is None or options is None:
            return None
        constants = tuple(option for option in options if isinstance(option, Constant))
        if not constants or len(constants) < len(options):
            raise Refusal("IN takes a list of constants", "write IN ('a', 'b')")
        for option in constants:
            checks.check_comparison("=", value, option)
        return OneOf(value, constants)

    def is_null(self, tree: exp.Expr) -> Node | None:
        if not isinstance(tree.expression, exp.Null):
            raise Refusal("only IS NULL and IS NOT NULL are allowed after IS")
        value = self.value(tree.this)
        if value is None:
            return None
        if value.type is Type.MOMENT:
            return Never(value)
        if not isinstance(value, Attribute):
            raise Refusal(
                f"{checks.described(value)} is never blank: it is known or not",
                "IS NULL is for attributes and moments",
            )
        return IsBlank(value)

    def arithmetic(self, tree: exp.Expr) -> Node | None:
        both = self._both(tree)
        if both is None:
            return None
        operator = _ARITHMETIC[type(tree)]
        return Arithmetic(operator, *both, checks.arithmetic_type(operator, *both))

    def negative(self, tree: exp.Expr) -> Node | None:
        value = self.value(tree.this)
        if value is None:
            return None
        if isinstance(value, Constant) and isinstance(value.value, int | Decimal):
            checks.check_number(value)
            return Constant(-value.value)
        result = checks.arithmetic_type("-", Constant(0), value)
        return Arithmetic("-", Constant(0), value, result)

    def extreme(self, tree: exp.Expr) -> Node | None:
        parts = self._parts([tree.this, *tree.expressions])
        if parts is None:
            return None
        return Extreme(isinstance(tree, exp.Greatest), parts, checks.extreme_type(parts))

    def literal(self, tree: exp.Expr) -> Node:
        if tree.is_string:
            return Constant(tree.name)
        if not _NUMBER.fullmatch(tree.name):
            raise Refusal(
                f"the number {tree.name} cannot be used",
                "at most 15 digits before and 6 behind the point",
            )
        return Constant(Decimal(tree.name) if "." in tree.name else int(tree.name))

    def truth(self, tree: exp.Expr) -> Node:
        return Constant(bool(tree.this))

    def parameter(self, tree: exp.Expr) -> Node:
        name = str(tree.this or "")
        if name not in self._scope.params:
            raise Refusal(f"unknown parameter '${name}'", nearest(name, self._scope.params))
        return Constant(self._scope.params[name])

    def name(self, tree: exp.Expr) -> Node | None:
        name = tree.name
        if tree.args.get("table") or not isinstance(tree.this, exp.Identifier):
            raise Refusal("a name stands without a dot or a star")
        if name in self._scope.defines:
            return self._defined(self._scope.defines[name])
        if name in ATTRIBUTES and not tree.this.quoted:
            return Attribute(name)
        if name in METRICS and not tree.this.quoted:
            if METRICS[name].call:
                raise Refusal(f"'{name}' needs brackets", f"write {name}() or {name}(365)")
            return MetricValue(name)
        if name in self._scope.undefined:
            return None
        if tree.this.quoted:
            raise Refusal(f'unknown name "{name}"', f"text stands in single quotes: '{name}'")
        if name == "tags":
            raise Refusal("'tags' cannot be compared", "use has_tag('x')")
        plain = [item for item, metric in METRICS.items() if not metric.call]
        valid = {*ATTRIBUTES, *plain, *self._scope.defines}
        raise Refusal(f"unknown name '{name}'", nearest(name, valid) or _closest_call(name))

    def _defined(self, defined: Defined) -> Node | None:
        self.size += defined.size
        self.deepest = max(self.deepest, self._depth + defined.depth)
        if self.size > MAX_SIZE or self.deepest > MAX_DEPTH:
            raise Refusal("this condition is too large", "simplify it or its defines")
        return defined.node

    def call(self, tree: exp.Expr) -> Node | None:
        name = tree.name.lower()
        if name in METRICS:
            return self._metric(name, tree)
        build_call = _CALLS.get(name)
        if build_call is None:
            return self._unknown_function(tree)
        return build_call(self, tree)

    def _unknown_function(self, tree: exp.Expr) -> Node | None:
        match = _CALL.match(self._text, self._parsed.offset(tree))
        if match is None:
            raise Refusal(*checks.refused_form(tree))
        name = match.group(1)
        raise Refusal(f"unknown function '{name}'", _closest_call(name))

    def _metric(self, name: str, tree: exp.Expr) -> Node | None:
        if not METRICS[name].call:
            raise Refusal(f"'{name}' takes no brackets", f"write {name}")
        if not tree.expressions:
            return MetricValue(name)
        days = self._only_argument(tree, name)
        if days is None:
            return None
        value = days.value if isinstance(days, Constant) else None
        if type(value) is not int or not 1 <= value <= MAX_WINDOW_DAYS:
            message = f"{name} takes a whole number of days, from 1 to {MAX_WINDOW_DAYS}"
            raise Refusal(message, f"for example {name}(365)")
        return MetricValue(name, value)

    def _only_argument(self, tree: exp.Expr, name: str) -> Node | None:
        if len(tree.expressions) != 1:
            form = FUNCTIONS[name].form if name in FUNCTIONS else f"{name}(365)"
            raise Refusal(f"{name} takes one argument", f"write {form}")
        return self.value(tree.expressions[0])

    def days_since(self, tree: exp.Expr) -> Node | None:
        if not 1 <= len(tree.expressions) <= 2:
            raise Refusal("days_since takes a moment", f"write {FUNCTIONS['days_since'].form}")
        parts = self._parts(tree.expressions)
        if parts is None:
            return None
        if len(parts) == 2 and not self._parsed.named_else:
            raise Refusal("the second moment is named", f"write {FUNCTIONS['days_since'].form}")
        for part in parts:
            checks.check_moment("days_since", part)
        moment = parts[0]
        otherwise = parts[1] if len(parts) == 2 else None
        if otherwise is None:
            otherwise = Attribute("created_at") if checks.may_never_be(moment) else None
        elif not checks.may_never_be(moment):
            raise Refusal("else: is for moments that may never have been", "leave it out")
        return DaysSince(moment, otherwise)

    def never(self, tree: exp.Expr) -> Node | None:
        moment = self._only_argument(tree, "never")
        if moment is None:
            return None
        checks.check_moment("never", moment)
        return Never(moment)

    def has_tag(self, tree: exp.Expr) -> Node | None:
        tag = self._only_argument(tree, "has_tag")
        if tag is None:
            return None
        if not isinstance(tag, Constant) or not isinstance(tag.value, str) or not tag.value.strip():
            raise Refusal("has_tag takes a tag in quotes", "write has_tag('x')")
        return HasTag(tag.value)

    def rank(self, tree: exp.Expr) -> Node | None:
        name = tree.name.lower()
        value = self._only_argument(tree, name)
        if value is None:
            return None
        checks.check_rank(name, value)
        return Rank(RankKind(name), value)


def _closest_call(name: str) -> str:
    return nearest(name, {*FUNCTIONS, *(item for item, metric in METRICS.items() if metric.call)})


_COMPARISONS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_ARITHMETIC: Mapping[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_Method = Callable[[_Builder, exp.Expr], Node | None]
_BUILDERS: Mapping[type[exp.Expr], _Method] = {
    exp.And: _Builder.all_or_any,
    exp.Or: _Builder.all_or_any,
    exp.Not: _Builder.negation,
    exp.Paren: _Builder.bracket,
    exp.Between: _Builder.between,
    exp.In: _Builder.one_of,
    exp.Is: _Builder.is_null,
    exp.Neg: _Builder.negative,
    exp.Least: _Builder.extreme,
    exp.Greatest: _Builder.extreme,
    exp.Literal: _Builder.literal,
    exp.Boolean: _Builder.truth,
    exp.Placeholder: _Builder.parameter,
    exp.Column: _Builder.name,
    exp.Anonymous: _Builder.call,
    **dict.fromkeys(_COMPARISONS, _Builder.comparison),
    **dict.fromkeys(_ARITHMETIC, _Builder.arithmetic),
}
_CALLS: Mapping[str, _Method] = {
    "days_since": _Builder.days_since,
    "never": _Builder.never,
    "has_tag": _Builder.has_tag,
    "quintile": _Builder.rank,
    "abc": _Builder.rank,
}
