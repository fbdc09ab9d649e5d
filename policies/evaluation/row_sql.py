"""Conditions over the rows of a facts table as SQL: what a row said as of the moment."""

from __future__ import annotations

from policies.evaluation.sql_expression import Kind, NodeSql
from policies.evaluation.sql_text import literal, local_day, moment_literal
from policies.language.number_size import known_type
from policies.language.tree import Node, RowColumn, walk
from policies.language.vocabulary import TABLES, Column, Type
from policies.moment import AsOf
from policies.money import Money

RATES = "policy_rates"
# A cut moment keeps these as they are: a row is there only if both lie before the run.
OWN_MOMENTS = frozenset({"happened_at", "recorded_at"})
# DuckDB multiplies two decimals of 18 digits in 18 digits; one of 38 makes the product exact.
WIDE = "DECIMAL(38,4)"
CONVERTED = known_type(Type.MONEY)


def reads_money(node: Node) -> bool:
    """Does the condition look at an amount?"""
    return any(isinstance(item, RowColumn) and item.type is Type.MONEY for item in walk(node))


class RowSql(NodeSql):
    """Over a facts table under the name `r`, joined with `rates_join` if it reads money."""

    def __init__(self, as_of: AsOf, money: Money | None) -> None:
        super().__init__(as_of)
        self._money = money

    def leaf(self, node: Node) -> str:
        assert isinstance(node, RowColumn)  # noqa: S101 - a condition on rows has no other leaf
        column = TABLES[node.table].column(node.name)
        if column.type is Type.MONEY and self._money is not None:
            return self._converted(column)
        if column.type is Type.MOMENT and column.name not in OWN_MOMENTS:
            return f"(CASE WHEN {self._is_past(column.name)} THEN r.{column.name} END)"
        if column.settled_by:
            later = f"r.{column.settled_by} >= {moment_literal(self._as_of.utc)}"
            before = literal(column.before) if column.before else "NULL"
            return f"(CASE WHEN {later} THEN {before} ELSE r.{column.name} END)"
        if column.blank is not None:
            return f"coalesce(r.{column.name}, {literal(column.blank)})"
        return f"r.{column.name}"

    def _is_past(self, name: str) -> str:
        return f"r.{name} < {moment_literal(self._as_of.utc)}"

    def _converted(self, column: Column) -> str:
        return (
            f"(CASE WHEN {self._foreign()} "
            f"THEN TRY_CAST(CAST(r.{column.name} AS {WIDE}) * x.rate AS {CONVERTED}) "
            f"ELSE CAST(r.{column.name} AS {CONVERTED}) END)"
        )

    def _foreign(self) -> str:
        base = "" if self._money is None else self._money.base
        return f"coalesce(r.currency, '') NOT IN ('', {literal(base)})"

    def rates_join(self) -> str:
        """The rate of the local day on which a row in another currency happened."""
        day = local_day(self._as_of, "r.happened_at")
        return (
            f"LEFT JOIN {RATES} x ON x.currency = CASE WHEN {self._foreign()} THEN r.currency END "
            f"AND x.day = CASE WHEN {self._foreign()} THEN {day} END"
        )

    def leaf_moment(self, node: Node, kind: Kind) -> str:
        value = self.leaf(node)
        if kind is Kind.INSTANT or node.type is Type.DATE:
            return value
        return local_day(self._as_of, value)

    def settled(self, node: Node) -> str:
        """What a row does not say was not so: an invoice without a date of payment is not paid.
        A column that nothing fills says nothing."""
        return "" if not isinstance(node, RowColumn) or node.told else "FALSE"
