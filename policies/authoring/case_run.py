"""Decisions for the customers of a case file by the Python back end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from policies.authoring.cases import CaseCustomer, CaseFile
from policies.authoring.written import full_text
from policies.errors import FileProblems, Problem
from policies.evaluation.compile_python import Explanation, PythonEvaluation
from policies.evaluation.customer_facts import CustomerFacts, InputValues, with_groups
from policies.language.metrics import MIN_CASES
from policies.language.tree import Rank, RankKind
from policies.model import Policy
from policies.suggestion import nearest

Breaks = Mapping[str, Sequence[Decimal | int | None]]
GivenBreaks = Mapping[Rank, tuple[Decimal | int, ...]]
_SIZES = {RankKind.QUINTILE: 4, RankKind.ABC: 2}


@dataclass(frozen=True)
class Decided:
    """One customer: the stage of each rule and whether each protection holds, by name.

    A customer that did not exist yet has no decision at all. `unranked`: what is undecided only
    because the file has too few customers for a rank.
    """

    customer: CaseCustomer
    answers: Mapping[str, int | None] = field(default_factory=dict)
    explanation: Explanation | None = None
    unranked: frozenset[str] = frozenset()


class CaseRun:
    """One file under one policy (with the parameters of the file already set).

    `given`: the thresholds of ranks, for a policy that has not the ranks that the file names.
    """

    def __init__(self, policy: Policy, file: CaseFile, given: GivenBreaks | None = None) -> None:
        self.policy = policy
        self.file = file
        self._evaluation = PythonEvaluation(policy, file.as_of, file.sources)
        self._own_given = given

    @cached_property
    def _inputs(self) -> list[InputValues | None]:
        facts = customer_facts(self.file, self.policy)
        return [self._evaluation.inputs(facts[who.row["key"]]) for who in self.file.customers]

    @cached_property
    def given(self) -> GivenBreaks:
        """The thresholds of the file by their ranks. Raises `FileProblems`."""
        if self._own_given is not None:
            return self._own_given
        return given_breaks(self.file, self._evaluation.plan.ranks)

    @cached_property
    def thresholds(self) -> Breaks:
        """Those that the file gives; over its own customers where it gives none."""
        return self._thresholds(1)

    def _thresholds(self, times: int) -> Breaks:
        """As if each customer of the file stood there so many times."""
        population = [values for values in self._inputs if values is not None]
        found = dict(self._evaluation.thresholds(population * times))
        return found | _by_place(self.given, self._evaluation.plan.ranks)

    def answers(self) -> list[Mapping[str, int | None]]:
        """Findings alone, for each customer of the file in its order."""
        return self._answers(self.thresholds)

    def _answers(self, thresholds: Breaks) -> list[Mapping[str, int | None]]:
        rules = [rule.id for rule in self.policy.rules]
        shields = [item.id for item in self.policy.protections]
        answers: list[Mapping[str, int | None]] = []
        for values in self._inputs:
            if values is None:
                answers.append({})
                continue
            stages, holds = self._evaluation.findings(values, thresholds)
            pairs = [*zip(rules, stages, strict=True), *zip(shields, holds, strict=True)]
            answers.append(dict(pairs))
        return answers

    def decided(self) -> list[Decided]:
        """Findings with their evidence."""
        result: list[Decided] = []
        # As many customers as a rank needs, spread like those of the file.
        enough = self._answers(self._thresholds(MIN_CASES))
        found = zip(self.file.customers, self._inputs, self.answers(), enough, strict=True)
        for customer, values, answers, ranked in found:
            said = values and self._evaluation.explain(values, self.thresholds)
            unranked = (
                name for name in answers if answers[name] is None and ranked[name] is not None
            )
            result.append(Decided(customer, answers, said or None, frozenset(unranked)))
        return result


def customer_facts(file: CaseFile, policy: Policy) -> dict[str, CustomerFacts]:
    """What the Python back end wants to know of each customer, by its key."""
    people = {row["id"]: row for row in file.people}
    own = {
        who.row["key"]: CustomerFacts(who.row, who.events, people.get(who.row["owner_id"]))
        for who in file.customers
    }
    return with_groups(own, file.as_of, policy.group)


def given_thresholds(file: CaseFile, ranks: Sequence[Rank]) -> dict[str, tuple[Decimal | int, ...]]:
    """The thresholds of the file by the place of their rank. Raises `FileProblems`."""
    return _by_place(given_breaks(file, ranks), ranks)


def _by_place(given: GivenBreaks, ranks: Sequence[Rank]) -> dict[str, tuple[Decimal | int, ...]]:
    return {f"t_{place}": given[rank] for place, rank in enumerate(ranks) if rank in given}


def given_breaks(file: CaseFile, ranks: Sequence[Rank]) -> GivenBreaks:
    """The thresholds of the file by their rank. Raises `FileProblems`."""
    texts = {"".join(full_text(rank).split()): rank for rank in ranks}
    found: dict[Rank, tuple[Decimal | int, ...]] = {}
    problems: list[Problem] = []
    for given in file.thresholds:
        rank = texts.get("".join(given.text.split()))
        if rank is None:
            message = f"no condition asks for {given.text}"
            hint = nearest(given.text, map(full_text, ranks))
            problems.append(Problem(file.file, given.line, given.column, message, hint))
        elif len(given.breaks) != _SIZES[rank.kind]:
            message = f"{given.text} has {_SIZES[rank.kind]} thresholds"
            problems.append(Problem(file.file, given.line, given.column, message))
        else:
            found[rank] = given.breaks
    if problems:
        raise FileProblems(problems)
    return found
