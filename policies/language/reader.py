"""What customers' and rows' conditions have in common: logic, comparisons, arithmetic, constants.

A `Reader` goes down sqlglot's tree; what a name or a function stands for is a subclass's to say.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from policies.language import checks
from policies.language.checks import Refusal
from policies.language.metrics import FUNCTIONS
from policies.language.scope import Reading
from policies.language.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Case,
    Compare,
    Constant,
    Extreme,
    Node,
    Not,
    OneOf,
    children,
)
from policies.language.vocabulary import Type
from policies.suggestion import closest, nearest

_CALL = re.compile(r"(\w+)\s*\(")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}")
_COUNTS = {1: "one argument", 2: "two arguments", 3: "three arguments"}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands between the brackets of a function."""

    plain: Sequence[exp.Expr]
    named: Mapping[str, exp.Expr]


class Reader(ABC):
    """Reads one tree of sqlglot; a refusal is noted and the parts beside it are still read.
    `table`: what the tree is about."""

    def __init__(self, reading: Reading, table: str) -> None:
        self.reading = reading
        self.table = table

    @abstractmethod
    def named(self, name: str, *, quoted: bool) -> Node | None:
        """What a name stands for."""

    @abstractmethod
    def called(self, name: str, tree: exp.Expr) -> Node | None:
        """What a function with its arguments stands for."""

    @abstractmethod
    def blank(self, value: Node) -> Node:
        """`value IS NULL`."""

    def condition(self, tree: exp.Expr) -> Node | None:
        """A part that must be true or false."""
        node = self.value(tree)
        if node is not None and node.type is not Type.BOOLEAN:
            self.reading.complain(tree, *checks.not_a_condition(node))
            return None
        return node

    def value(self, tree: exp.Expr) -> Node | None:
        """Any part."""
        self.reading.enter()
        try:
            return self._value(tree)
        except Refusal as refusal:
            self.reading.complain(tree, refusal.message, refusal.suggestion, refusal.about)
            return None
        finally:
            self.reading.depth -= 1

    def _value(self, tree: exp.Expr) -> Node | None:
        self.reading.check_size()
        form = _FORMS.get(type(tree))
        if form is not None:
            return form(self, tree)
        if isinstance(tree, exp.Func) and not checks.has_own_refusal(tree):
            return self.unknown_function(tree)
        raise Refusal(*checks.refused_form(tree))

    def values(self, trees: Sequence[exp.Expr]) -> tuple[Node, ...] | None:
        """All the parts, or None when one of them cannot be read."""
        return _all_of([self.value(tree) for tree in trees])

    def adopt(self, node: Node | None, size: int, depth: int) -> Node | None:
        """A tree that was built elsewhere takes its place here."""
        self.reading.grow(size, depth)
        self.reading.check_size()
        return node

    def adopt_whole(self, node: Node | None) -> Node | None:
        """As `adopt`, of a tree that has not been measured."""
        return None if node is None else self.adopt(node, *_measured(node))

    def arguments(
        self, tree: exp.Expr, least: int, most: int, names: Sequence[str] = ()
    ) -> Arguments:
        """The arguments of a call, so many plain ones and then the named ones."""
        name = called_name(tree)
        form = FUNCTIONS[name].form if name in FUNCTIONS else f"{name}(365)"
        plain: list[exp.Expr] = []
        named: dict[str, exp.Expr] = {}
        for item in tree.expressions:
            if isinstance(item, exp.PropertyEQ):
                _add_named(name, item, names, named)
            elif named:
                raise Refusal("named arguments stand last", f"write {form}")
            else:
                plain.append(item)
        if not least <= len(plain) <= most:
            wanted = _COUNTS[least] if least == most else f"{least} to {most} arguments"
            raise Refusal(f"{name} takes {wanted}", f"write {form}")
        return Arguments(plain, named)

    def unknown_function(self, tree: exp.Expr) -> Node | None:
        match = _CALL.match(self.reading.text, self.reading.parsed.offset(tree))
        if match is None:
            raise Refusal(*checks.refused_form(tree))
        name = match.group(1)
        hint = self.spoken(name) or nearest(name, self.functions())
        raise Refusal(f"unknown function '{name}'", hint)

    def meant(self, name: str, *valid: Iterable[str]) -> str:
        """What to write for a name that stands for nothing; `valid`: the names that may stand
        here, those that are more likely first."""
        if name in self.reading.scope.params:
            return f"write ${name}"
        word = self.spoken(name)
        if word:
            return word
        near = next(filter(None, (closest(name, names) for names in valid)), "")
        return (
            f"did you mean '{near}'?"
            if near
            else f"if it is text, put it in single quotes: '{name}'"
        )

    def spoken(self, label: str) -> str:
        """What to write for something that was called by its label."""
        word = self.reading.scope.spoken(self.table, label)
        return f"write {word}" if word else ""

    @abstractmethod
    def functions(self) -> set[str]:
        """The functions that may stand here, for suggestions."""

    def _both(self, tree: exp.Expr) -> tuple[Node, Node] | None:
        left, right = self.value(tree.this), self.value(tree.expression)
        return (left, right) if left is not None and right is not None else None

    def all_or_any(self, tree: exp.Expr) -> Node | None:
        parts = _all_of([self.condition(part) for part in tree.flatten(unnest=False)])
        if parts is None:
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
        parts = self.values([tree.this, tree.args["low"], tree.args["high"]])
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
        options = self.values(tree.expressions)
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
        return None if value is None else self.blank(value)

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
        parts = self.values([tree.this, *tree.expressions])
        if parts is None:
            return None
        return Extreme(isinstance(tree, exp.Greatest), parts, checks.extreme_type(parts))

    def literal(self, tree: exp.Expr) -> Node:
        if tree.is_string:
            return Constant(tree.name)
        if len(tree.name) > 1 and tree.name.isdecimal() and tree.name.startswith("0"):
            hint = f"write {int(tree.name)}, or '{tree.name}' if it is text"
            raise Refusal(f"the number {tree.name} begins with a 0", hint)
        if tree.name.endswith("."):
            raise Refusal("a number ends with a digit", f"write {tree.name[:-1]}")
        if not _NUMBER.fullmatch(tree.name):
            raise Refusal(
                f"the number {tree.name} cannot be used",
                "at most 15 digits before and 6 behind the point",
            )
        return Constant(Decimal(tree.name) if "." in tree.name else int(tree.name))

    def truth(self, tree: exp.Expr) -> Node:
        return Constant(bool(tree.this))

    def parameter(self, tree: exp.Expr) -> Node | None:
        name, params = str(tree.this or ""), self.reading.scope.params
        if name not in params and name and self.reading.scope.partial:
            return None
        if name not in params:
            raise Refusal(f"unknown parameter '${name}'", nearest(name, params))
        return Constant(params[name], name)

    def name(self, tree: exp.Expr) -> Node | None:
        if tree.args.get("table") or not isinstance(tree.this, exp.Identifier):
            raise Refusal("a name stands without a dot or a star")
        return self.named(tree.name, quoted=bool(tree.this.quoted))

    def call(self, tree: exp.Expr) -> Node | None:
        return self.called(called_name(tree), tree)

    def choice(self, tree: exp.Expr) -> Node | None:
        """`if(condition, a, b)`."""
        condition, *values = self.arguments(tree, 3, 3).plain
        decision, outcomes = self.condition(condition), self.values(values)
        if decision is None or outcomes is None:
            return None
        kind = checks.case_type(outcomes)
        first, second = outcomes
        if first == second:
            checks.check_chosen_apart(first, second)
            return first  # DuckDB 2.0.0 fails on some choices between equal texts
        return Case((decision,), (first,), second, kind)


def called_name(tree: exp.Expr) -> str:
    """The name of a function, as the language writes it."""
    return tree.name.strip().lower()


def _all_of(nodes: Sequence[Node | None]) -> tuple[Node, ...] | None:
    found = tuple(node for node in nodes if node is not None)
    return found if len(found) == len(nodes) else None


def _measured(node: Node) -> tuple[int, int]:
    """How many nodes, and how deep."""
    below = [_measured(child) for child in children(node)]
    return 1 + sum(size for size, _ in below), 1 + max((depth for _, depth in below), default=0)


def _add_named(
    function: str, item: exp.Expr, names: Sequence[str], named: dict[str, exp.Expr]
) -> None:
    name = item.this.name.lower()
    if name not in names:
        raise Refusal(f"{function} has no argument '{name}:'", nearest(name, names))
    if name in named:
        raise Refusal(f"'{name}:' stands here twice", "leave one out")
    named[name] = item.expression


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
_Method = Callable[[Reader, exp.Expr], Node | None]
_FORMS: Mapping[type[exp.Expr], _Method] = {
    exp.And: Reader.all_or_any,
    exp.Or: Reader.all_or_any,
    exp.Not: Reader.negation,
    exp.Paren: Reader.bracket,
    exp.Between: Reader.between,
    exp.In: Reader.one_of,
    exp.Is: Reader.is_null,
    exp.Neg: Reader.negative,
    exp.Least: Reader.extreme,
    exp.Greatest: Reader.extreme,
    exp.Literal: Reader.literal,
    exp.Boolean: Reader.truth,
    exp.Placeholder: Reader.parameter,
    exp.Column: Reader.name,
    exp.Anonymous: Reader.call,
    **dict.fromkeys(_COMPARISONS, Reader.comparison),
    **dict.fromkeys(_ARITHMETIC, Reader.arithmetic),
}
