"""Facts in words: the label of an input, a value as people read it, a condition on rows.

Dates stay ISO; figures are grouped as the language does it, whatever the system's settings are.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from typing import Protocol

from policies.language.metrics import METRICS, Aggregate
from policies.language.vocabulary import ATTRIBUTES, TABLES, Type
from policies.messages.catalogue import grouped, message

Scalar = str | int | bool | None

# The names that leaves of a condition have, `MetricValue.label` and its like.
_METRIC = re.compile(r"(\w+)(?:\((?:(\d+)(?:, (?=.)|(?=\)$)))?(.*)\))?", re.DOTALL)
_CURRENCY = re.compile(r"currency\((.*)\)", re.DOTALL)
_QUOTED = re.compile(r"(has_tag|field|data_age)\('(.*)'\)", re.DOTALL)
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\bis\s+not\s+null\b|\bis\s+null\b|\w+|\s+|<>|[<>]=?|.",
    re.DOTALL | re.IGNORECASE,
)
_SIGNS = {">=": "\u2265", "<=": "\u2264", "<>": "\u2260"}
_KEYWORDS = frozenset(
    {"and", "or", "not", "in", "is", "null", "between", "true", "false", "today", "backfilled"}
)
_FUNCTIONS = frozenset({"days_since", "days_until", "workdays_since", "least", "greatest"})


class EvidenceLike(Protocol):
    """One fact that a rule looked at, whoever stores it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def value(self) -> Scalar: ...
    @property
    def state(self) -> str: ...


_PLACE = "\0"  # stands in no message
# Wide enough for every amount: nothing is rounded but what stands behind the cents.
_EXACT, _CENT = Context(prec=60, rounding=ROUND_HALF_UP), Decimal("0.01")
_FIGURES = frozenset({Type.MONEY.value, Type.NUMBER.value})


def value_text(language: str, kind: str, value: Scalar, currency: str = "") -> str:
    """A value as people read it: dates in ISO form, figures grouped as the language does it. An
    amount in a `currency` is rounded to two decimals, half away from zero."""
    if value is None:
        return message(language, "value.none")
    if isinstance(value, bool):
        return message(language, "value.yes" if value else "value.no")
    if isinstance(value, int):
        return grouped(language, f"{value:,}")
    if kind in _FIGURES:
        number, money = Decimal(value), kind == Type.MONEY
        if not money or not currency:
            return _decimal_text(language, number, money=money)
        shown = _decimal_text(language, _EXACT.quantize(number, _CENT) + 0, money=True)
        return _amount(language, currency).replace(_PLACE, shown)
    return value


@cache
def _amount(language: str, currency: str) -> str:
    return message(language, "value.amount", currency=currency, amount=_PLACE)


def _decimal_text(language: str, value: Decimal, *, money: bool) -> str:
    whole, _, places = f"{value:,f}".partition(".")
    shown = places.rstrip("0").ljust(2 if money else 0, "0")
    return grouped(language, f"{whole}.{shown}" if shown else whole)


def evidence_phrase(language: str, item: EvidenceLike, base: str = "") -> str:
    """One fact in words: what it is and its value, `never`, or that nobody can tell. `base`: the
    currency that the policy converts the amounts of metrics to."""
    name, value = item.name, item.value
    if item.state == "missing":
        return message(language, "fact.missing", label=input_label(language, name))
    if item.state == "never":
        key = "fact.never" if item.type == Type.DATE and _is_metric(name) else "fact.blank"
        return message(language, key, label=input_label(language, name))
    text = closed_value_text(language, "customers", name, value) if name in ATTRIBUTES else None
    currency = base if base and _is_metric(name) else ""  # a field's own is not known
    shown = text or value_text(language, item.type, value, currency)
    return _known(language, name).replace(_PLACE, shown)


@cache
def _known(language: str, name: str) -> str:
    """The words around a value: made once for thousands of customers."""
    metric = METRICS.get(name.partition("(")[0])
    in_days = metric is not None and metric.aggregate is Aggregate.INTERVAL
    key = "fact.known_days" if in_days else "fact.known"
    return message(language, key, label=input_label(language, name), value=_PLACE)


def _is_metric(name: str) -> bool:
    return name.partition("(")[0] in METRICS


def closed_value_text(language: str, table: str, column: str, value: Scalar) -> str | None:
    """The word for one of the values that a column can have, if it is one of those."""
    found = TABLES[table].by_name.get(column)
    known = found is not None and value in found.values
    return message(language, f"value.{table}.{column}.{value}") if known else None


@cache
def input_label(language: str, name: str) -> str:
    """The label of an input by the name that it has in a policy; an unknown name is its own."""
    if name in ATTRIBUTES:
        return message(language, f"column.{name}")
    quoted = _QUOTED.fullmatch(name)
    if quoted:
        return _quoted_label(language, quoted[1], quoted[2])
    mixed = _CURRENCY.fullmatch(name)
    if mixed:
        return message(language, "fact.currency", label=input_label(language, mixed[1]))
    call = _METRIC.fullmatch(name)
    if not call or call[1] not in METRICS:
        return name
    label = metric_label(language, call[1], int(call[2]) if call[2] else None)
    if not call[3]:
        return label
    condition = condition_words(language, METRICS[call[1]].fact, call[3])
    return message(language, "fact.where", label=label, condition=condition)


def _quoted_label(language: str, function: str, name: str) -> str:
    if function == "has_tag":
        return message(language, "fact.tag", tag=name)
    if function == "field":
        return message(language, "fact.field", field=name)
    return message(language, "fact.data_age", table=table_label(language, name))


def table_label(language: str, table: str) -> str:
    """What a facts table is called; an unknown one is its own label."""
    return message(language, f"table.{table}") if table in TABLES else table


def metric_label(language: str, name: str, days: int | None = None) -> str:
    """What a metric or formula is called, over a window if there is one."""
    label = message(language, f"{'metric' if name in METRICS else 'formula'}.{name}")
    return message(language, "fact.window", label=label, days=days) if days else label


def column_label(language: str, table: str, column: str) -> str:
    """What a column is called: of customers and their owners, or of an event table."""
    return message(
        language, f"column.{column}" if table == "customers" else f"column.{table}.{column}"
    )


def condition_words(language: str, table: str, text: str) -> str:
    """A condition on rows with the words of the language for columns, values and AND, OR, NOT."""
    column, words = "", []
    for token in _TOKEN.findall(text):
        name = token.lower()
        if token.startswith("'"):
            words.append(_literal(language, table, column, token))
            continue
        column = name if name in TABLES[table].usable else column
        words.append(_word(language, table, token))
    return "".join(words)


def _word(language: str, table: str, token: str) -> str:
    name = token.lower()
    if name in TABLES[table].usable:
        return column_label(language, table, name)
    if name in _KEYWORDS:
        return message(language, f"word.{name}")
    if name.startswith("is") and name.endswith("null"):
        return message(language, "word.filled" if "not" in name.split() else "word.blank")
    if name in _FUNCTIONS:
        return message(language, f"function.{name}")
    return _SIGNS.get(token, token)


def _literal(language: str, table: str, column: str, token: str) -> str:
    text = token[1:-1].replace("''", "'")
    quoted = message(language, "word.quoted", text=text)
    return closed_value_text(language, table, column, text) or quoted
