"""The type rules of conditions: what may be compared, added and ranked; each refusal helps."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from policies.tree import (
    DIVISION_SCALE,
    MAX_DIGITS,
    NUMERIC,
    Arithmetic,
    Attribute,
    Constant,
    Extreme,
    HasTag,
    MetricValue,
    Node,
    Rank,
    RankKind,
    digits,
    is_constant,
    leaves,
    scale,
    walk,
)
from policies.validation import nearest
from policies.vocabulary import Type

ABC_CLASSES = ("A", "B", "C")

_ARTICLES = {
    Type.TEXT: "text",
    Type.INTEGER: "a number",
    Type.NUMBER: "a number",
    Type.MONEY: "money",
    Type.BOOLEAN: "a condition",
    Type.MOMENT: "a moment",
}
_FORMS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Subquery: ("sub-queries are not allowed", ""),
    exp.Select: ("sub-queries are not allowed", ""),
    exp.Exists: ("sub-queries are not allowed", ""),
    exp.Cast: ("casts are not allowed", "a moment is compared with days_since(...)"),
    exp.Case: ("CASE is not allowed", "use AND, OR, NOT"),
    exp.Mod: ("the operator % is not allowed", ""),
    exp.IntDiv: ("the operator // is not allowed", "use /"),
    exp.DPipe: ("the operator || is not allowed", "write OR"),
    exp.Like: ("LIKE is not allowed", "compare with = or IN (...)"),
    exp.ILike: ("LIKE is not allowed", "compare with = or IN (...)"),
    exp.Null: ("NULL cannot be compared", "use IS NULL or never(...)"),
}


class Refusal(Exception):  # noqa: N818 - control flow inside one room, never shown as it is
    """A part of a condition that the language does not allow."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


def has_own_refusal(tree: exp.Expr) -> bool:
    return type(tree) in _FORMS


def refused_form(tree: exp.Expr) -> tuple[str, str]:
    """Why a form of SQL is not part of the language."""
    name = type(tree).__name__
    return _FORMS.get(type(tree), (f"this form of SQL ({name}) is not allowed in a condition", ""))


def described(node: Node) -> str:
    """The node in a sentence: its own text where it is short, else its type."""
    if isinstance(node, Attribute | MetricValue | HasTag):
        return node.label
    if isinstance(node, Constant):
        return f"'{node.value}'" if isinstance(node.value, str) else str(node.value)
    return _ARTICLES[node.type]


def not_a_condition(node: Node) -> tuple[str, str]:
    """A value where a condition is needed."""
    kind = _ARTICLES[node.type]
    message = f"{described(node)} is {kind}, not a condition"
    if described(node) == kind:
        message = f"this is {kind}, not a condition"
    if node.type in NUMERIC:
        return message, f"did you mean {described(node)} > 0?" if leaves(node) == (node,) else ""
    if node.type is Type.MOMENT:
        return message, "use days_since(...) or never(...)"
    return message, "compare it: = 'x'" if not isinstance(node, Constant) else ""


def check_comparison(operator: str, left: Node, right: Node) -> None:
    """Refuse what could only be false, or true, or nonsense at run time."""
    if is_constant(left) and is_constant(right):
        raise Refusal("this compares two constants: it is always the same")
    kinds = {left.type, right.type}
    if kinds <= NUMERIC:
        _check_money(left, right)
        _check_size(max(digits(left), digits(right)), max(scale(left), scale(right)))
        _check_quintile(left, right)
        return
    if kinds == {Type.TEXT}:
        if operator not in {"=", "<>"}:
            raise Refusal("text has no order here", "compare with = , <> or IN (...)")
        _check_abc(left, right)
        return
    if kinds == {Type.BOOLEAN}:
        raise Refusal("conditions are not compared", "write the condition itself, or NOT before it")
    if kinds != {Type.MOMENT}:
        raise Refusal(*_mismatch(left, right))


def _mismatch(left: Node, right: Node) -> tuple[str, str]:
    message = (
        f"{described(left)} ({_plain(left)}) is compared with {described(right)} ({_plain(right)})"
    )
    moment = next((node for node in (left, right) if node.type is Type.MOMENT), None)
    if moment is not None:
        name = described(moment) if isinstance(moment, Attribute | MetricValue) else "..."
        return message, f"use days_since({name})"
    for node, other in ((left, right), (right, left)):
        if isinstance(node, Constant) and isinstance(node.value, str) and other.type in NUMERIC:
            number = node.value.replace(".", "", 1).isdecimal()
            return (
                message,
                f"write {node.value} without quotes" if number else "compare with a number",
            )
        if isinstance(node, Constant) and node.type in NUMERIC and other.type is Type.TEXT:
            return message, f"write '{node.value}' in single quotes"
    return message, ""


def _plain(node: Node) -> str:
    return _ARTICLES[node.type].removeprefix("a ")


def _check_money(left: Node, right: Node) -> None:
    for money, other in ((left, right), (right, left)):
        if money.type is Type.MONEY and other.type is not Type.MONEY and not is_constant(other):
            message = f"{described(money)} (money) does not go with {described(other)} (no money)"
            raise Refusal(message, "money goes with money or with a constant")


def _check_quintile(left: Node, right: Node) -> None:
    for node, other in ((left, right), (right, left)):
        if isinstance(node, Rank) and isinstance(other, Constant):
            value = other.value
            if not isinstance(value, int | Decimal) or not 1 <= value <= 5:
                raise Refusal("a quintile is a number from 1 to 5", "5 is the largest fifth")


def _check_abc(left: Node, right: Node) -> None:
    for node, other in ((left, right), (right, left)):
        is_rank = isinstance(node, Rank) and node.kind is RankKind.ABC
        if is_rank and isinstance(other, Constant) and other.value not in ABC_CLASSES:
            raise Refusal(f"abc has no class {described(other)}", nearest(str(other.value), "ABC"))


def check_number(node: Node) -> None:
    if node.type not in NUMERIC:
        hint = "use days_since(...)" if node.type is Type.MOMENT else ""
        raise Refusal(f"{described(node)} is no number", hint)


def _check_size(before: int, behind: int) -> None:
    if before + behind > MAX_DIGITS:
        message = f"this number could need more than {MAX_DIGITS} digits"
        raise Refusal(message, "use fewer decimals or fewer factors")


def arithmetic_type(operator: str, left: Node, right: Node) -> Type:
    """The type of `left operator right`; refuses what has no meaning or no bound."""
    check_number(left)
    check_number(right)
    money = [node.type is Type.MONEY for node in (left, right)]
    if operator in {"+", "-"}:
        _check_money(left, right)
    if operator == "*" and all(money):
        raise Refusal("money times money has no meaning")
    if operator == "/":
        return _division_type(left, right)
    result = Type.MONEY if any(money) else Type.INTEGER
    if Type.NUMBER in {left.type, right.type} and not any(money):
        result = Type.NUMBER
    node = Arithmetic(operator, left, right, result)
    _check_size(digits(node), scale(node))
    return result


def _division_type(left: Node, right: Node) -> Type:
    if isinstance(right, Constant) and right.value == 0:
        raise Refusal("this divides by zero")
    if max(scale(left), scale(right)) > DIVISION_SCALE:
        raise Refusal("too many decimals for a division", "divide before you multiply")
    _check_size(digits(left) + scale(right), DIVISION_SCALE + scale(left))
    is_amount = left.type is Type.MONEY and right.type is not Type.MONEY
    return Type.MONEY if is_amount else Type.NUMBER


def extreme_type(parts: tuple[Node, ...]) -> Type:
    """The type of least(...) and greatest(...): all moments, or all numbers of one family."""
    if len(parts) < 2:
        raise Refusal("least and greatest take two or more values")
    kinds = {part.type for part in parts}
    if kinds == {Type.MOMENT}:
        return Type.MOMENT
    for part in parts:
        check_number(part)
    for part in parts[1:]:
        _check_money(parts[0], part)
    if Type.MONEY in kinds:
        return Type.MONEY
    return Type.NUMBER if Type.NUMBER in kinds else Type.INTEGER


def check_moment(function: str, node: Node) -> None:
    if node.type is not Type.MOMENT:
        moments = "last_activity_at, last_order_at, owned_since or created_at"
        message = f"{function} takes a moment; {described(node)} is {_ARTICLES[node.type]}"
        raise Refusal(message, f"for example {moments}")


def may_never_be(moment: Node) -> bool:
    """Moments of facts may never have been; those of the customer itself always were."""
    if isinstance(moment, Extreme):
        return all(may_never_be(part) for part in moment.parts)
    return isinstance(moment, MetricValue)


def check_rank(function: str, node: Node) -> None:
    check_number(node)
    if is_constant(node):
        raise Refusal(f"{function} takes a number that differs between customers")
    if any(isinstance(item, Rank) for item in walk(node)):
        raise Refusal(f"{function} cannot rank another rank")
