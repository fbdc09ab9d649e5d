"""One leaf of the conditions of a policy, and its columns in the table `inputs`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from policies.evaluation.evidence import MISSING, NEVER
from policies.language.metrics import METRICS, Metric
from policies.language.tree import Leaf, MetricValue, Node
from policies.language.vocabulary import Type


@dataclass(frozen=True)
class Input:
    """One leaf and its column. `available`: it can be computed at all. `exhaustive`: a value that
    is not there is knowledge (never), not a gap. `history`: known from our first version on.

    `may_be_unclear`: there are customers of whom it cannot be told although all of that holds.
    `start`: rows before it do not count. `asked`: the metric with what is known of the columns of
    its rows. `value`: what is summed or taken of a row.
    """

    place: int
    leaf: Leaf
    available: bool = True
    exhaustive: bool = False
    history: bool = False
    instant: bool = False
    workday: bool = False
    currency: bool = False
    may_be_unclear: bool = False
    start: datetime | None = None
    asked: MetricValue | None = None
    value: Node | None = None

    @property
    def certain(self) -> bool:
        """Does nothing that is unknown take its value away?"""
        return self.asked is not None and self.asked.certain

    @property
    def column(self) -> str:
        return f"i_{self.place}"

    @property
    def instant_column(self) -> str:
        return f"m_{self.place}"

    @property
    def workday_column(self) -> str:
        return f"w_{self.place}"

    @property
    def currency_column(self) -> str:
        return f"c_{self.place}"

    @property
    def unclear_column(self) -> str:
        return f"g_{self.place}"

    @cached_property
    def name(self) -> str:
        return self.leaf.label

    @cached_property
    def type(self) -> Type:
        return Type.DATE if self.leaf.type is Type.MOMENT else self.leaf.type

    @cached_property
    def type_name(self) -> str:
        return self.type.value

    @cached_property
    def metric(self) -> Metric | None:
        return METRICS[self.leaf.name] if isinstance(self.leaf, MetricValue) else None

    @cached_property
    def empty_state(self) -> str:
        """What it means that there is no value, once the history is known.

        A count or a sum is never empty: it is a number, or it could not be computed.
        """
        countable = self.metric is not None and not self.metric.may_be_never
        return NEVER if self.exhaustive and not countable else MISSING
