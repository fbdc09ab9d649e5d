"""The grounds of an answer about one customer: the parts of each condition, ranks, scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from policies.authoring.prose import teller
from policies.authoring.signature import score_terms
from policies.authoring.signoff_rules import common_condition
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.customer_facts import InputValues
from policies.evaluation.sql_expression import Thresholds
from policies.language.metrics import METRICS
from policies.language.tree import MetricValue, Node, Rank, leaves, walk
from policies.model import Policy, Protection, Rule


@dataclass(frozen=True)
class Grounds:
    """`values`: what each node came to for the customer, None where it cannot be told. `breaks`:
    where each rank breaks. `unread`: protections of the product whose facts were never pulled."""

    values: Mapping[Node, Any]
    breaks: Mapping[Rank, Sequence[Decimal | int | None]]
    unread: frozenset[str]


def gather_grounds(
    evaluation: PythonEvaluation, inputs: InputValues, thresholds: Thresholds
) -> Grounds:
    """All that an explanation tells of one customer."""
    plan = evaluation.plan
    nodes = tuple(dict.fromkeys(_nodes(plan.policy)))
    values = dict(zip(nodes, evaluation.values(nodes, inputs, thresholds), strict=True))
    breaks = {rank: thresholds[f"t_{place}"] for place, rank in enumerate(plan.ranks)}
    unread = frozenset(
        item.id
        for item in plan.policy.protections
        if item.certain and not all(plan.state(fact).complete for fact in _facts(item))
    )
    return Grounds(values, breaks, unread)


def asked_of(rule: Rule, policy: Policy) -> Iterator[tuple[str, Node]]:
    """The conditions of a rule, each with the class or pool that it decides about; the rule's own
    under no name."""
    if rule.kind == "pool" and policy.pools:
        yield "", common_condition(rule, policy.pools)
        yield from ((pool.label or pool.name, pool.when.tree) for pool in policy.pools if pool.when)
        return
    for stage in rule.stages:
        if stage.when is not None:
            yield stage.name if rule.kind == "tier" else "", stage.when.tree


def ranks_of(rule: Rule) -> tuple[Rank, ...]:
    """The ranks that a rule asks for, each once."""
    return tuple(dict.fromkeys(node for node in _within(rule) if isinstance(node, Rank)))


def scores_of(rule: Rule, policy: Policy) -> tuple[tuple[str, Node], ...]:
    """The scores that a rule asks for, by name."""
    asked = frozenset(_within(rule))
    return tuple((name, tree) for name, tree in policy.scores.items() if tree in asked)


def _within(rule: Rule) -> Iterator[Node]:
    for condition in rule.conditions:
        yield from walk(condition.tree)


def _nodes(policy: Policy) -> Iterator[Node]:
    parts = teller(policy, "en").parts
    for rule in policy.rules:
        for _, tree in asked_of(rule, policy):
            yield tree
            yield from (part for _, part, _ in parts(tree)[1])
        for rank in ranks_of(rule):
            yield from (rank, rank.value)
        for _, score in scores_of(rule, policy):
            yield from (score, *score_terms(score))


def _facts(protection: Protection) -> Iterator[str]:
    found = (leaf for leaf in leaves(protection.when.tree) if isinstance(leaf, MetricValue))
    return (METRICS[leaf.name].fact for leaf in found)
