"""Conditions over the rows of a facts table in Python: what a row said as of the moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from policies.evaluation.inputs import InputPlan
from policies.evaluation.python_expression import FunctionWriter
from policies.evaluation.row_sql import OWN_MOMENTS
from policies.evaluation.sql_expression import Kind
from policies.language.tree import Node, RowColumn
from policies.language.vocabulary import TABLES, Type
from policies.moment import utc_without_zone

Row = Mapping[str, Any]


def utc(moment: datetime | None) -> datetime | None:
    """The moment as the warehouse writes it: UTC without a zone."""
    return None if moment is None else utc_without_zone(moment)


class RowWriter(FunctionWriter):
    """Over one row, `r`."""

    arguments = "r"

    def __init__(self, plan: InputPlan) -> None:
        super().__init__(plan.as_of)
        self._money = plan.policy.money

    def compiled(self, results: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
        names = {
            "cut": self._cut,
            "day": self._as_of.day,
            "in_base": self._in_base,
            "local_day": self._local_day,
            "now": self._as_of.utc,
            "utc": utc,
        }
        return self.function(results, names)

    def _cut(self, moment: datetime | None) -> datetime | None:
        happened = utc(moment)
        return happened if happened is not None and happened < self._as_of.utc else None

    def _local_day(self, moment: datetime | None) -> Any:
        return None if moment is None else self._as_of.local_day(moment)

    def _in_base(self, row: Row, amount: Decimal | None) -> Decimal | None:
        if amount is None or self._money is None:
            return None
        day = self._local_day(row["happened_at"])
        return self._money.converted(Decimal(amount), row.get("currency"), day)

    def leaf(self, node: Node) -> str:
        assert isinstance(node, RowColumn)  # noqa: S101 - a condition on rows has no other leaf
        return self.named("c", node, lambda: self._read(node))

    def _read(self, node: RowColumn) -> str:
        column = TABLES[node.table].column(node.name)
        raw = f"r.get({node.name!r})"
        if column.type is Type.MONEY and self._money is not None:
            return f"in_base(r, {raw})"
        if column.type is Type.MOMENT:
            return f"utc({raw})" if column.name in OWN_MOMENTS else f"cut({raw})"
        if column.settled_by:
            moment = f"r.get({column.settled_by!r})"
            later = f"{moment} is not None and cut({moment}) is None"
            return f"{column.before or None!r} if {later} else {raw}"
        if column.blank is not None:
            return f"{column.blank!r} if {raw} is None else {raw}"
        return raw

    def leaf_moment(self, node: Node, kind: Kind) -> str:
        value = self.leaf(node)
        if kind is Kind.INSTANT or node.type is Type.DATE:
            return value
        if kind is Kind.WORKDAY:
            return self.workday(value)
        return self.named(kind, node, lambda: f"local_day({value})")

    def settled(self, node: Node) -> str:
        """What a row does not say was not so; a column that nothing fills says nothing."""
        return "" if not isinstance(node, RowColumn) or node.told else "False"
