"""What stands between the brackets of a metric or formula: days, a condition over rows, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from policies.language import checks
from policies.language.checks import Refusal
from policies.language.metrics import MAX_WINDOW_DAYS, Formula, Metric
from policies.language.reader import Reader
from policies.language.rows import RowReader, all_of, metric_rows, rows_after
from policies.language.scope import Scope
from policies.language.syntax import argument_text
from policies.language.tree import AnyOf, Constant, MetricValue, Node
from policies.language.vocabulary import Type


@dataclass(frozen=True, slots=True)
class Brackets:
    """The arguments of a metric or a formula; `asked` is the text of the condition `rows`. The
    parameters that the days and the number of cases are stand beside them by name."""

    days: int | None = None
    rows: Node | None = None
    asked: str = ""
    min_n: int | None = None
    otherwise: Constant | None = None
    days_name: str = ""
    min_n_name: str = ""

    def narrowed_by(self, outer: Brackets) -> Brackets:
        """These and the condition of the formula that the metric stands in."""
        if outer.rows is None:
            return self
        if self.rows is None:
            return replace(self, rows=outer.rows, asked=outer.asked)
        asked = f"{_closed(self.asked, self.rows)} AND {_closed(outer.asked, outer.rows)}"
        return replace(self, rows=all_of(self.rows, outer.rows), asked=asked)


def _closed(text: str, node: Node) -> str:
    return f"({text})" if isinstance(node, AnyOf) else text


def read_brackets(
    reader: Reader, tree: exp.Expr, item: Metric | Formula, names: Sequence[str]
) -> Brackets | None:
    """Read the arguments of a metric or formula; None when one of them is wrong."""
    if not item.windowed and not tree.expressions:
        raise Refusal(f"'{item.name}' takes no brackets", f"write {item.name}")
    arguments = reader.arguments(tree, 0, 2, names)
    trees = list(arguments.plain)
    takes_days = len(trees) == 2 or (len(trees) == 1 and _is_number(reader, trees[0]))
    if len(trees) == 2 and _is_number(reader, trees[1]) and not _is_number(reader, trees[0]):
        raise Refusal("the days stand before the condition", f"write {item.name}(365, condition)")
    condition = trees[-1] if len(trees) > takes_days else None
    rows = None
    if condition is not None:
        rows = RowReader(reader.reading, item.fact).rows(condition)
    options = read_options(reader, arguments.named)
    days = reader.value(trees[0]) if takes_days else None
    if options is None or (condition and rows is None) or (takes_days and days is None):
        return None
    asked = ""
    if condition is not None:
        asked = argument_text(reader.reading.parsed, reader.reading.text, tree, len(trees) - 1)
    window = None if days is None else _window(item, days)
    name = parameter_name(days)
    return replace(options, days=window, rows=rows, asked=asked, days_name=name)


def parameter_name(node: Node | None) -> str:
    """The parameter that a number is; empty if it is none."""
    return node.name if isinstance(node, Constant) else ""


def _is_number(reader: Reader, tree: exp.Expr) -> bool:
    """Days rather than a condition?"""
    if isinstance(tree, exp.Placeholder):
        value = reader.reading.scope.params.get(str(tree.this or ""))
        return not isinstance(value, bool)
    inner = tree.unnest() if isinstance(tree, exp.Paren) else tree
    return isinstance(inner, exp.Neg) or (isinstance(inner, exp.Literal) and not inner.is_string)


def _window(item: Metric | Formula, days: Node) -> int:
    name = item.name
    if not item.windowed:
        raise Refusal(f"{name} takes no days", f"write {name} or {name}(condition)")
    value = days.value if isinstance(days, Constant) else None
    if type(value) is not int or not 1 <= value <= MAX_WINDOW_DAYS:
        message = f"{name} takes a whole number of days, from 1 to {MAX_WINDOW_DAYS}"
        raise Refusal(message, f"for example {name}(365)")
    return value


def read_options(reader: Reader, named: Mapping[str, exp.Expr]) -> Brackets | None:
    """The values of `min_n:` and `else:`."""
    nodes = {name: reader.value(tree) for name, tree in named.items()}
    if None in nodes.values():
        return None
    min_n, otherwise = nodes.get("min_n"), nodes.get("else")
    return Brackets(
        min_n=None if min_n is None else checks.check_cases(min_n),
        otherwise=None if otherwise is None else checks.check_otherwise(otherwise),
        min_n_name=parameter_name(min_n),
    )


def metric_node(metric: Metric, brackets: Brackets, scope: Scope) -> Node | None:
    """The leaf of a metric; None if a clock of the policy is wrong, which is reported there."""
    if brackets.otherwise is not None:
        _check_else(metric)
    own = metric_rows(metric, brackets.days, scope)
    after = rows_after(metric, scope) if metric.after else None
    if own is None or (metric.after and after is None):
        return None
    return MetricValue(
        metric.name,
        brackets.days,
        all_of(*own, brackets.rows),
        after,
        brackets.asked,
        brackets.otherwise,
        days_name=brackets.days_name,
        own=brackets.rows,
    )


def _check_else(metric: Metric) -> None:
    if metric.type is Type.MOMENT:
        hint = f"write days_since({metric.name}, else: owned_since)"
        raise Refusal(f"else: does not go with {metric.name}, which is a moment", hint)
    if not metric.may_be_never:
        raise Refusal(f"{metric.name} is 0 where there is none", "leave else: out")
