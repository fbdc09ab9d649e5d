"""The typed tree as one generated Python function: for `explain`, policy tests and as an oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

from policies.evaluation.customer_facts import CustomerFacts, InputReader, InputValues
from policies.evaluation.evidence import EvidenceItem
from policies.evaluation.inputs import InputPlan
from policies.evaluation.python_expression import ExpressionWriter
from policies.evaluation.sql_expression import Thresholds
from policies.evaluation.thresholds import thresholds_of
from policies.language.tree import Node
from policies.model import Policy, Rule
from policies.moment import AsOf, SourceState

# Wider than any number that the type rules let through.
_EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """`stage`: 0 known and out, k the k-th stage, None unknown. `stage_name` names the k-th."""

    id: str
    kind: str
    stage: int | None
    stage_name: str | None
    evidence: tuple[EvidenceItem, ...]


@dataclass(frozen=True, slots=True)
class ProtectionResult:
    """`holds`: None is unknown, which protects too."""

    id: str
    holds: bool | None
    evidence: tuple[EvidenceItem, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that a policy says about one customer."""

    rules: tuple[RuleResult, ...]
    protections: tuple[ProtectionResult, ...]


class PythonEvaluation:
    """A policy compiled to Python for one moment."""

    def __init__(self, policy: Policy, as_of: AsOf, sources: Mapping[str, SourceState]) -> None:
        self.plan = InputPlan(policy, as_of, sources)
        self._reader = InputReader(self.plan)
        self._findings = _findings(self.plan)
        self._ranked = _ranked(self.plan)

    def inputs(self, facts: CustomerFacts) -> InputValues | None:
        """The customer's inputs; None when the customer did not exist yet."""
        with localcontext(_EXACT):
            return self._reader.read(facts)

    def findings(
        self, inputs: InputValues, thresholds: Thresholds
    ) -> tuple[tuple[int | None, ...], tuple[bool | None, ...]]:
        """The stage of each rule, and whether each protection holds."""
        with localcontext(_EXACT):
            result = self._findings(*_known_of(inputs), self._breaks(thresholds))
        policy = self.plan.policy
        names = [rule.id for rule in policy.rules] + [item.id for item in policy.protections]
        known = tuple(
            value if inputs.gaps.undated.isdisjoint(self.plan.facts_of(name)) else None
            for name, value in zip(names, result, strict=True)
        )
        holds = (
            bool(held) if item.certain else held
            for item, held in zip(policy.protections, known[len(policy.rules) :], strict=True)
        )
        return known[: len(policy.rules)], tuple(holds)

    def _breaks(self, thresholds: Thresholds) -> list[Sequence[Decimal | int | None]]:
        return [thresholds[f"t_{place}"] for place in range(len(self.plan.ranks))]

    def thresholds(self, population: Iterable[InputValues]) -> Thresholds:
        """The thresholds over all customers."""
        everyone = list(population)
        result: dict[str, tuple[Decimal | int | None, ...]] = {}
        with localcontext(_EXACT):
            rows = [self._ranked(*_known_of(item), ()) for item in everyone]
            for place, rank in enumerate(self.plan.ranks):
                places = [item.place for item in self.plan.currencies(rank)]
                currencies = (item.currencies[place] for item in everyone for place in places)
                values = [row[place] for row in rows]
                seen = values if self.plan.sees_everybody(rank) else ()
                result[f"t_{place}"] = thresholds_of(rank, seen, currencies)
        return result

    def explain(self, inputs: InputValues, thresholds: Thresholds) -> Explanation:
        """Findings with their evidence."""
        stages, holds = self.findings(inputs, thresholds)
        policy = self.plan.policy
        rules = tuple(
            RuleResult(
                rule.id, rule.kind, stage, stage_name(rule, stage), self._evidence(rule.id, inputs)
            )
            for rule, stage in zip(policy.rules, stages, strict=True)
        )
        protections = tuple(
            ProtectionResult(item.id, held, self._evidence(item.id, inputs))
            for item, held in zip(policy.protections, holds, strict=True)
        )
        return Explanation(rules, protections)

    def values(
        self, nodes: Sequence[Node], inputs: InputValues, thresholds: Thresholds
    ) -> tuple[Any, ...]:
        """The values of parts of the policy's conditions; None where one cannot be told."""
        writer = ExpressionWriter(self.plan)
        function = writer.compiled([writer.value(node) for node in nodes])
        with localcontext(_EXACT):
            found = function(*_known_of(inputs), self._breaks(thresholds))
        return tuple(
            value if inputs.gaps.undated.isdisjoint(self.plan.facts_below(node)) else None
            for node, value in zip(nodes, found, strict=True)
        )

    def _evidence(self, name: str, inputs: InputValues) -> tuple[EvidenceItem, ...]:
        values = [inputs.values[item.place] for item in self.plan.evidence_inputs(name)]
        return self.plan.evidence(name, values, inputs.gaps)


def stage_name(rule: Rule, stage: int | None) -> str | None:
    """The name of the k-th stage; None for out and for unknown."""
    return rule.stages[stage - 1].name if stage else None


def evaluate_customer(
    policy: Policy,
    as_of: AsOf,
    sources: Mapping[str, SourceState],
    thresholds: Thresholds,
    facts: CustomerFacts,
) -> Explanation | None:
    """What the policy says about one customer; None when the customer did not exist yet."""
    evaluation = PythonEvaluation(policy, as_of, sources)
    inputs = evaluation.inputs(facts)
    return None if inputs is None else evaluation.explain(inputs, thresholds)


def _known_of(inputs: InputValues) -> tuple[object, ...]:
    gaps = inputs.gaps
    return inputs.values, inputs.instants, gaps.history_known, gaps.unclear, gaps.mixed


def _findings(plan: InputPlan) -> Callable[..., tuple[Any, ...]]:
    writer = ExpressionWriter(plan)
    results = [
        writer.stage([None if stage.when is None else stage.when.tree for stage in rule.stages])
        for rule in plan.policy.rules
    ]
    results += [writer.value(item.when.tree) for item in plan.policy.protections]
    return writer.compiled(results)


def _ranked(plan: InputPlan) -> Callable[..., tuple[Any, ...]]:
    writer = ExpressionWriter(plan)
    return writer.compiled([writer.value(rank.value) for rank in plan.ranks])
