"""How large the numbers of a condition can become: what both back ends have to hold exactly."""

from __future__ import annotations

from decimal import Decimal

from policies.language.tree import Arithmetic, Case, Constant, CustomField, Extreme, Node, Rate
from policies.language.vocabulary import Type

DIVISION_SCALE = 6
MAX_DIGITS = 38
# Before the point: of amounts, and of what a field of the CRM may hold to be read as a number.
FIELD_DIGITS = 16
# Before the point of counts, days and points.
COUNT_DIGITS = 10
# Room for the sum over all customers, ten thousand million at most, and for its percents.
ADDED_DIGITS = 12


def scale(node: Node) -> int:
    """How many decimals a number of this node can have."""
    if isinstance(node, Constant) and isinstance(node.value, Decimal):
        exponent = node.value.as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    if isinstance(node, Extreme):
        return max(scale(part) for part in node.parts)
    if isinstance(node, Case):
        return max(scale(part) for part in _outcomes(node))
    if isinstance(node, Rate):
        return DIVISION_SCALE
    if isinstance(node, Arithmetic):
        left, right = scale(node.left), scale(node.right)
        scales = {"*": left + right, "/": DIVISION_SCALE}
        return scales.get(node.operator, max(left, right))
    return _LEAF_SCALES.get(node.type, 0)


_LEAF_SCALES = {Type.MONEY: 4, Type.NUMBER: 6}


def _outcomes(node: Case) -> tuple[Node, ...]:
    return node.values if node.otherwise is None else (*node.values, node.otherwise)


def digits(node: Node) -> int:
    """How many digits before the point a number of this node can have, at most.

    A leaf stays below 10^10 (counts and days) or 10^16 (money): what is larger is not known.
    """
    if isinstance(node, Constant) and isinstance(node.value, int | Decimal):
        return len(str(abs(int(node.value))))
    if isinstance(node, Extreme):
        return max(digits(part) for part in node.parts)
    if isinstance(node, Case):
        return max(digits(part) for part in _outcomes(node))
    if isinstance(node, Rate):
        otherwise = 0 if node.otherwise is None else digits(node.otherwise)
        return max(digits(node.part), otherwise)
    if isinstance(node, Arithmetic):
        return _arithmetic_digits(node)
    return FIELD_DIGITS if isinstance(node, CustomField) else most_digits(node.type)


def most_digits(kind: Type) -> int:
    """How many digits before the point a metric or the column of a row can have."""
    return FIELD_DIGITS if kind is Type.MONEY else COUNT_DIGITS


def is_known(value: Decimal | int, kind: Type) -> bool:
    """Is the value of a metric or a column small enough to reckon with?"""
    limit: int = 10 ** most_digits(kind)
    return -limit < value < limit


def known_type(kind: Type) -> str:
    """The decimal type in SQL that holds just these values."""
    places = _LEAF_SCALES.get(kind, 0)
    return f"DECIMAL({most_digits(kind) + places},{places})"


def _arithmetic_digits(node: Arithmetic) -> int:
    left, right = digits(node.left), digits(node.right)
    if node.operator == "*":
        return left + right
    if node.operator == "/":
        return left + scale(node.right)
    return max(left, right) + 1
