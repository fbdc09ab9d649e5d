"""A rule as it would come out without some of the activities: contacts that were entered late, or
in a burst. A shadow is compared with its rule, and never shown or written itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from policies.condition import Expression
from policies.language.metrics import METRICS
from policies.language.rows import BACKFILLED, all_of, fixed_tree
from policies.language.tree import MetricValue, Node, Not, Surely, leaves, rebuilt
from policies.model import Policy, Rule

_TABLE = "activities"


class Without(StrEnum):
    """Which activities a shadow leaves out."""

    LATE = "late"
    BURST = "burst"


# What is said of a row; a row of which it cannot be told stays.
LEFT_OUT: Mapping[Without, Node] = MappingProxyType(
    {
        Without.LATE: Surely(fixed_tree(BACKFILLED, _TABLE, None)),
        Without.BURST: Surely(fixed_tree("burst", _TABLE, None)),
    }
)


@dataclass(frozen=True, slots=True)
class Shadow:
    """`rule`: the rule of this number without some activities; `column`: its stage in `findings`,
    0 for out and NULL for unknown."""

    number: int
    without: Without
    rule: Rule

    @property
    def column(self) -> str:
        return f"{self.without}_{self.number}"


def reads_activities(rule: Rule) -> bool:
    """Is the rule about contacts?"""
    return any(
        isinstance(leaf, MetricValue) and METRICS[leaf.name].fact == _TABLE
        for condition in rule.conditions
        for leaf in leaves(condition.tree)
    )


def shadow_of(policy: Policy, number: int, without: Without) -> Shadow:
    """The shadow of one rule of a policy."""
    rule = policy.rules[number]
    stages = (replace(stage, when=_less(stage.when, without)) for stage in rule.stages)
    return Shadow(number, without, replace(rule, stages=tuple(stages)))


def _less(when: Expression | None, without: Without) -> Expression | None:
    return None if when is None else replace(when, tree=_fewer(when.tree, without))


def _fewer(tree: Node, without: Without) -> Node:
    kept = Not(LEFT_OUT[without])

    def change(node: Node) -> Node | None:
        if not isinstance(node, MetricValue) or METRICS[node.name].fact != _TABLE:
            return None
        after = None if node.after is None else all_of(node.after, kept)
        return replace(node, rows=all_of(node.rows, kept), after=after)

    return rebuilt(tree, change)
