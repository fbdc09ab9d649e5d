"""The type rules of conditions: what may be compared, added and ranked; each refusal helps."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from policies.language.number_size import (
    COUNT_DIGITS,
    DIVISION_SCALE,
    MAX_DIGITS,
    digits,
    scale,
)
from policies.language.number_text import number_meant
from policies.language.tree import (
    LEAVES,
    NUMERIC,
    Arithmetic,
    Attribute,
    Case,
    Compare,
    Constant,
    CustomField,
    Extreme,
    MetricValue,
    Node,
    Rank,
    RankKind,
    RowColumn,
    Today,
    walk,
)
from policies.language.vocabulary import ATTRIBUTES, TABLES, Type
from policies.suggestion import nearest

ABC_CLASSES = ("A", "B", "C")
MAX_CASES = 1_000_000

_ARTICLES = {
    Type.TEXT: "text",
    Type.INTEGER: "a number",
    Type.NUMBER: "a number",
    Type.MONEY: "money",
    Type.BOOLEAN: "a condition",
    Type.DATE: "a date",
    Type.MOMENT: "a moment",
}
_ITSELF = "write the condition itself, or NOT before it"
DAYS = frozenset({Type.DATE, Type.MOMENT})
_FORMS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Subquery: ("sub-queries are not allowed", ""),
    exp.Select: ("sub-queries are not allowed", ""),
    exp.Exists: ("sub-queries are not allowed", ""),
    exp.Cast: ("casts are not allowed", "a moment is compared with days_since(...)"),
    exp.Case: ("CASE is not allowed", "write if(condition, a, b)"),
    exp.If: ("this form of IF is not allowed", "write if(condition, a, b)"),
    exp.PropertyEQ: ("a named argument has no place here", ""),
    exp.CurrentDate: ("CURRENT_DATE is not allowed", "write today"),
    exp.CurrentTimestamp: ("the time of the computer is not allowed", "write today"),
    exp.Mod: ("the operator % is not allowed", ""),
    exp.IntDiv: ("the operator // is not allowed", "use /"),
    exp.DPipe: ("the operator || is not allowed", "write OR"),
    exp.Like: ("LIKE is not allowed", "compare with = or IN (...)"),
    exp.ILike: ("LIKE is not allowed", "compare with = or IN (...)"),
    exp.Dot: ("a point stands in a number once at most", "a number has no thousands separators"),
    exp.Tuple: ("a list of values is not allowed here", "a number has no comma: write 100000"),
    exp.Null: ("NULL cannot be compared", "use IS NULL or never(...)"),
}


class Refusal(Exception):  # noqa: N818 - control flow inside one room, never shown as it is
    """A part of a condition that the language does not allow."""

    def __init__(self, message: str, suggestion: str = "", about: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.about = about


def has_own_refusal(tree: exp.Expr) -> bool:
    return type(tree) in _FORMS


def refused_form(tree: exp.Expr) -> tuple[str, str]:
    """Why a form of SQL is not part of the language."""
    name = type(tree).__name__
    return _FORMS.get(type(tree), (f"this form of SQL ({name}) is not allowed in a condition", ""))


def described(node: Node) -> str:
    """The node in a sentence: its own text where it is short, else its type."""
    if isinstance(node, LEAVES):
        return node.label
    if isinstance(node, RowColumn):
        return node.name
    if isinstance(node, Today):
        return "today"
    if isinstance(node, Constant):
        return f"'{node.value}'" if isinstance(node.value, str) else str(node.value).upper()
    return _ARTICLES[node.type]


def not_a_condition(node: Node) -> tuple[str, str]:
    """A value where a condition is needed."""
    kind = _ARTICLES[node.type]
    message = f"{described(node)} is {kind}, not a condition"
    if described(node) == kind:
        message = f"this is {kind}, not a condition"
    if node.type in NUMERIC:
        is_plain = isinstance(node, (*LEAVES, RowColumn))
        return message, f"did you mean {described(node)} > 0?" if is_plain else ""
    if isinstance(node, RowColumn) and node.type in DAYS:
        return message, f"use days_since({node.name}) or {node.name} IS NULL"
    if node.type in DAYS:
        return message, "use days_since(...) or never(...)"
    return message, "compare it: = 'x'" if not isinstance(node, Constant) else ""


def check_comparison(operator: str, left: Node, right: Node) -> None:
    """Refuse what could only be false, or true, or nonsense at run time."""
    if is_fixed(left) and is_fixed(right):
        raise Refusal("this compares two constants: it is always the same")
    kinds = {left.type, right.type}
    if kinds <= NUMERIC:
        _check_money(left, right)
        _check_size(max(digits(left), digits(right)), max(scale(left), scale(right)))
        _check_quintile(left, right)
        return
    if kinds == {Type.TEXT}:
        if any(isinstance(node, Constant) and node.value == "" for node in (left, right)):
            raise Refusal("what is empty equals nothing", "use IS NULL")
        if operator not in {"=", "<>"}:
            raise Refusal("text has no order here", "compare with = , <> or IN (...)")
        _check_known_values(left, right)
        return
    if kinds == {Type.BOOLEAN}:
        raise Refusal("conditions are not compared", _ITSELF)
    if kinds != {Type.MOMENT} or isinstance(left, Today) or isinstance(right, Today):
        raise Refusal(*_mismatch(left, right))


def _mismatch(left: Node, right: Node) -> tuple[str, str]:
    message = (
        f"{described(left)} ({_plain(left)}) is compared with {described(right)} ({_plain(right)})"
    )
    days = [node for node in (left, right) if node.type in DAYS and not isinstance(node, Today)]
    if days:
        name = described(days[0]) if isinstance(days[0], (*LEAVES, RowColumn)) else "..."
        until = f" or days_until({name})" if days[0].type is Type.DATE else ""
        return message, f"use days_since({name}){until}"
    for node, other in ((left, right), (right, left)):
        if isinstance(node, Compare) and other.type in NUMERIC:
            return message, "write x BETWEEN a AND b, or x > a AND x < b"
        if node.type is Type.BOOLEAN and not isinstance(node, Constant):
            return message, _decided(node)
        if isinstance(node, Constant) and other.type in NUMERIC:
            return message, _as_number(node)
        if isinstance(node, Constant) and node.type in NUMERIC and other.type is Type.TEXT:
            return message, f"write '{node.value}' in single quotes"
    return message, ""


def _decided(node: Node) -> str:
    """A condition that needs no comparison."""
    name = described(node)
    return f"write {name}, or NOT {name}" if isinstance(node, LEAVES) else _ITSELF


def _as_number(node: Constant) -> str:
    """How a constant is written that was to be a number."""
    meant = number_meant(node.value) if isinstance(node.value, str) else ""
    if meant and node.name:
        return f"write {node.name}: {meant} in params"
    return f"write {meant} without quotes" if meant else "compare with a number"


def _plain(node: Node) -> str:
    return _ARTICLES[node.type].removeprefix("a ")


def _check_money(left: Node, right: Node) -> None:
    for money, other in ((left, right), (right, left)):
        if money.type is Type.MONEY and other.type is not Type.MONEY and not is_fixed(other):
            message = f"{described(money)} (money) does not go with {described(other)} (no money)"
            raise Refusal(message, "money goes with money or with a constant")


def _check_quintile(left: Node, right: Node) -> None:
    for node, other in ((left, right), (right, left)):
        if isinstance(node, Rank) and isinstance(other, Constant):
            value = other.value
            if not isinstance(value, int | Decimal) or not 1 <= value <= 5:
                raise Refusal("a quintile is a number from 1 to 5", "5 is the largest fifth")


def _check_known_values(left: Node, right: Node) -> None:
    for node, other in ((left, right), (right, left)):
        known = known_values(node)
        if known and isinstance(other, Constant) and other.value not in known:
            is_abc = isinstance(node, Rank)
            message = f"abc has no class {described(other)}" if is_abc else ""
            message = message or f"{described(node)} is never {described(other)}"
            raise Refusal(message, nearest(str(other.value), known))


def known_values(node: Node) -> tuple[str, ...]:
    """The only texts that a node can have; empty where there may be any."""
    if isinstance(node, Rank) and node.kind is RankKind.ABC:
        return ABC_CLASSES
    if isinstance(node, RowColumn):
        return TABLES[node.table].column(node.name).values
    if isinstance(node, Attribute):
        return ATTRIBUTES[node.name].values
    if isinstance(node, Case):
        outcomes = (*node.values, *([] if node.otherwise is None else [node.otherwise]))
        texts = [item.value for item in outcomes if isinstance(item, Constant)]
        known = tuple(text for text in texts if isinstance(text, str))
        return known if len(known) == len(outcomes) else ()
    return ()


def check_number(node: Node) -> None:
    if node.type not in NUMERIC:
        hint = _as_number(node) if isinstance(node, Constant) else ""
        hint = "use days_since(...)" if node.type in DAYS else hint
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
    _check_size(digits(right) + scale(right), scale(right))
    is_amount = left.type is Type.MONEY and right.type is not Type.MONEY
    return Type.MONEY if is_amount else Type.NUMBER


def extreme_type(parts: tuple[Node, ...]) -> Type:
    """The type of least(...) and greatest(...): all moments, or all numbers of one family."""
    if len(parts) < 2:
        raise Refusal("least and greatest take two or more values")
    is_row = any(isinstance(part, RowColumn | Today) for part in parts)
    if {part.type for part in parts} == {Type.MOMENT} and not is_row:
        return Type.MOMENT
    return _number_type(parts)


def _number_type(parts: Sequence[Node]) -> Type:
    """The type that holds each of these numbers; money only beside money and constants."""
    for part in parts:
        check_number(part)
    kinds = {part.type for part in parts}
    if Type.MONEY in kinds:
        money = next(part for part in parts if part.type is Type.MONEY)
        for part in parts:
            _check_money(money, part)
        return Type.MONEY
    return Type.NUMBER if Type.NUMBER in kinds else Type.INTEGER


def case_type(values: Sequence[Node]) -> Type:
    """The type of if(...): all its values are numbers of one family, or all are texts."""
    kinds = {value.type for value in values}
    if kinds == {Type.TEXT}:
        return Type.TEXT
    if kinds <= NUMERIC:
        return _number_type(values)
    if kinds == {Type.BOOLEAN}:
        raise Refusal("if(...) gives a number or a text", "combine conditions by AND, OR, NOT")
    if kinds & DAYS:
        raise Refusal("if(...) gives a number or a text", "use days_since(...)")
    raise Refusal("the values of if(...) are all numbers or all texts")


def check_chosen_apart(first: Node, second: Node) -> None:
    """Refuse the same result twice; two parameters may be equal, their names tell them apart."""
    if repr(first) == repr(second):
        raise Refusal(
            "both results of this if(...) are the same", "write the result without if(...)"
        )


def check_rate(part: Node, whole: Node) -> None:
    """A rate is one number of a customer over another one of the same family."""
    for node in (part, whole):
        check_number(node)
    if is_fixed(whole):
        raise Refusal("the whole of a rate differs between customers", "divide: a / 100")
    money = [node.type is Type.MONEY for node in (part, whole)]
    if money[0] != money[1]:
        message = "a rate is money of money or a number of a number"
        raise Refusal(message, "divide money by a number: a / b")
    _division_type(part, whole)


def check_otherwise(node: Node) -> Constant:
    """The number after `else:`."""
    value = node.value if isinstance(node, Constant) else None
    if not isinstance(node, Constant) or type(value) not in {int, Decimal}:
        raise Refusal("a constant number stands after else:", "for example else: 0")
    if scale(node) > DIVISION_SCALE or digits(node) > COUNT_DIGITS:
        raise Refusal("the number after else: is too long", "at most 10 digits before the point")
    return node


def check_cases(node: Node) -> int:
    """The number after `min_n:`."""
    value = node.value if isinstance(node, Constant) else None
    if type(value) is not int or not 1 <= value <= MAX_CASES:
        message = f"a whole number of cases stands after min_n:, from 1 to {MAX_CASES:,}"
        raise Refusal(message, "for example min_n: 5")
    return value


def check_shares(parts: Sequence[Node]) -> tuple[int, ...]:
    """The two numbers of abc(x, 80, 95)."""
    values = [part.value for part in parts if isinstance(part, Constant)]
    shares = tuple(value for value in values if type(value) is int)
    if len(shares) != 2 or not 0 < shares[0] < shares[1] < 100:
        message = "abc takes two shares in percent, the first below the second"
        raise Refusal(message, "for example abc(orders_amount(365), 80, 95)")
    return shares


def check_moment(function: str, node: Node) -> None:
    if node.type not in DAYS:
        moments = "last_activity_at, last_order_at, owned_since or created_at"
        message = f"{function} takes a moment; {described(node)} is {_ARTICLES[node.type]}"
        raise Refusal(message, f"for example {moments}")


def may_never_be(moment: Node) -> bool:
    """Moments of facts may never have been; those of the customer itself always were."""
    if isinstance(moment, Extreme):
        return all(may_never_be(part) for part in moment.parts)
    return isinstance(moment, MetricValue)


def may_be_blank(moment: Node) -> bool:
    """Is it known of the moment that there is none, so that `else:` can decide?"""
    if isinstance(moment, Attribute):
        return ATTRIBUTES[moment.name].changeable
    if isinstance(moment, RowColumn):
        return moment.name != "happened_at"
    if isinstance(moment, Extreme):
        return all(may_be_blank(part) for part in moment.parts)
    return isinstance(moment, CustomField | MetricValue)


def is_fixed(node: Node) -> bool:
    """Does the node read nothing of a customer or of a row?"""
    return not any(isinstance(item, (*LEAVES, RowColumn)) for item in walk(node))


def check_rank(function: str, node: Node) -> None:
    check_number(node)
    if is_fixed(node):
        raise Refusal(f"{function} takes a number that differs between customers")
    if any(isinstance(item, Rank) for item in walk(node)):
        raise Refusal(f"{function} cannot rank another rank")
