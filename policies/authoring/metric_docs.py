"""The page of everything that a condition can name, made from the definitions themselves.

What is computed is said by the code; what it is called and how to read it, by the messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from policies.language.metrics import (
    CLOCKS,
    FORMULAS,
    FUNCTIONS,
    MAX_WINDOW_DAYS,
    METRICS,
    MIN_CASES,
    Aggregate,
    Formula,
    Metric,
)
from policies.language.vocabulary import (
    ATTRIBUTES,
    EVENTS,
    LATE_ENTRY_DAYS,
    OWNER_ATTRIBUTES,
    STALE_ATTITUDE_DAYS,
    Column,
    Table,
    Type,
)
from policies.messages import column_label, message, metric_label, table_label, value_text

_ANCHOR = re.compile(r"days_since\((\w+)\) <= \$days")
_MIN_CASES = re.compile(r"min_n: (\d+)")
_LEGEND = (
    *("visible", "details", "window", "forms", "gap", "currencies", "never", "otherwise"),
    "policy",
)


class _Words:
    """The texts of the page in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        return message(self.language, f"docs.{key}", **values)

    def heads(self, *names: str) -> list[str]:
        return [self(f"head.{name}") for name in names]


def metrics_page(language: str) -> str:
    """The page as Markdown."""
    words = _Words(language)
    figures = {
        "late": LATE_ENTRY_DAYS,
        "stale": STALE_ATTITUDE_DAYS,
        "cases": MIN_CASES,
        "longest": value_text(language, Type.INTEGER, MAX_WINDOW_DAYS),
    }
    lines = [f"# {words('title')}", "", words("intro"), ""]
    lines += [f"- {words(f'legend.{name}', **figures)}" for name in _LEGEND]
    for table in EVENTS.values():
        lines += _metrics(words, table)
    lines += _section(words, "formulas", _formulas(words), **figures)
    lines += _section(words, "functions", _functions(words), **figures)
    lines += _section(words, "attributes", _attributes(words), **figures)
    lines += _section(words, "columns", _columns(words), **figures)
    lines += _section(words, "clocks", _clocks(words), **figures)
    return "\n".join(lines) + "\n"


def _section(words: _Words, name: str, table: Iterable[str], **figures: object) -> list[str]:
    heading, text = words(f"{name}.title"), words(f"{name}.text", **figures)
    return ["", f"## {heading}", "", text, "", *table]


def _table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`"


def _metrics(words: _Words, table: Table) -> list[str]:
    rows = [_metric(words, item) for item in METRICS.values() if item.fact == table.name]
    heads = words.heads("metric", "meaning", "shape", "unit", "rows", "window", "empty")
    title = table_label(words.language, table.name)
    return ["", f"## {title} ({_code(table.name)})", "", *_table(heads, rows)]


def _metric(words: _Words, metric: Metric) -> list[str]:
    shape = words(f"shape.{metric.aggregate}", value=_code(metric.value))
    return [
        _code(metric_form(metric)),
        metric_label(words.language, metric.name),
        f"{words(f'type.{metric.type}')}{words('colon')}{shape}",
        message(words.language, f"unit.{metric.unit}"),
        _rows(words, metric),
        _window(metric),
        _empty(words, metric),
    ]


def metric_form(metric: Metric) -> str:
    """How a metric is written, optional parts in square brackets."""
    fallback = " [, else: number]" if metric.may_be_never and metric.type != Type.MOMENT else ""
    if metric.windowed:
        return f"{metric.name}([days] [, condition]{fallback})"
    inside = f"[condition]{fallback}" if fallback else "condition"
    return f"{metric.name}[({inside})]"


def _rows(words: _Words, metric: Metric) -> str:
    asked = [_code(metric.where)] if metric.where else []
    asked += [words("clock", clock=_code(metric.clock))] if metric.clock else []
    asked += [words("after", clock=_code(metric.after))] if metric.after else []
    return words("and").join(asked) or words("all")


def _window(metric: Metric) -> str:
    if not metric.windowed:
        return "-"
    found = _ANCHOR.search(metric.window)
    column = found[1] if found else "happened_at"
    if EVENTS[metric.fact].column(column).type is Type.DATE:
        return f"{_code(column)} ≥ D - N"
    return f"{_code(column)} ≥ 00:00 (D - N), < T"


def _empty(words: _Words, metric: Metric) -> str:
    kind = metric.aggregate.value
    if metric.aggregate is Aggregate.SUM:
        kind = "money" if metric.type is Type.MONEY else "sum"
    text = words(f"empty.{kind}")
    return f"{text}{words('whole_source')}" if metric.window else text


def _formulas(words: _Words) -> list[str]:
    rows = [
        [
            _code(_formula_form(item)),
            metric_label(words.language, item.name),
            f"{words('type.number')}{words('colon')}{_code(item.text)}",
            message(words.language, f"unit.{item.unit or 'ratio'}"),
            words("empty.rate", cases=_cases(item)),
        ]
        for item in FORMULAS.values()
    ]
    return _table(words.heads("formula", "meaning", "shape", "unit", "empty"), rows)


def _formula_form(formula: Formula) -> str:
    more = f"[, min_n: {_cases(formula)}] [, else: number]"
    if formula.windowed:
        return f"{formula.name}([days] [, condition] {more})"
    return f"{formula.name}[([condition] {more})]"


def _cases(formula: Formula) -> str:
    found = _MIN_CASES.search(formula.text)
    return found[1] if found else str(MIN_CASES)


def _functions(words: _Words) -> list[str]:
    rows = [
        [_code(item.form), words(f"function.{item.name}", cases=MIN_CASES)]
        for item in FUNCTIONS.values()
    ]
    return _table(words.heads("function", "gives"), rows)


def _attributes(words: _Words) -> list[str]:
    rows = [
        [
            _code(item.name),
            column_label(words.language, "customers", item.name),
            words(f"type.{item.type}"),
            _values(item),
            words(f"known.{_known(item)}"),
        ]
        for item in ATTRIBUTES.values()
    ]
    return _table(words.heads("attribute", "meaning", "type", "values", "unknown"), rows)


def _known(column: Column) -> str:
    if column.name in OWNER_ATTRIBUTES:
        return "owner"
    if column.derived:
        return "derived"
    return "changeable" if column.changeable else "always"


def _columns(words: _Words) -> list[str]:
    rows = [
        [
            _code(table.name),
            _code(column.name),
            column_label(words.language, table.name, column.name),
            words(f"type.{column.type}"),
            _values(column),
            words("separator").join(_remarks(words, column)),
        ]
        for table in EVENTS.values()
        for column in table.usable.values()
    ]
    return _table(words.heads("table", "column", "meaning", "type", "values", "blank"), rows)


def _remarks(words: _Words, column: Column) -> Iterator[str]:
    if column.name in {"happened_at", "recorded_at"}:
        yield words(f"blank.{column.name}")
        return
    yield words(f"blank.{'unknown' if column.blank is None else 'yes' if column.blank else 'no'}")
    if column.type is Type.MOMENT:
        yield words("blank.later")
    if column.settled_by:
        key = "blank.settled" if column.before else "blank.unsettled"
        yield words(key, value=_code(column.before), moment=_code(column.settled_by))


def _values(column: Column) -> str:
    return ", ".join(_code(f"'{value}'") for value in column.values) or "-"


def _clocks(words: _Words) -> list[str]:
    rows = [
        [_code(name), message(words.language, f"clock.{name}"), _code(text)]
        for name, text in CLOCKS.items()
    ]
    return _table(words.heads("clock", "meaning", "rows"), rows)
