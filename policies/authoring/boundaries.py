"""Which edges of a policy no case covers: each rule is changed a little, and a case must notice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from policies.authoring.case_run import CaseRun, GivenBreaks
from policies.authoring.cases import CaseFile
from policies.authoring.mutants import Mutant, mutants, rank_pairs, ranks_in
from policies.authoring.places import Places, Position, problem_at, word_pattern
from policies.authoring.written import name_in, written
from policies.errors import Problem
from policies.messages import message
from policies.model import Policy, Protection, Rule

# So many changed rules are compiled into one function.
_AT_ONCE = 150


@dataclass(frozen=True, slots=True)
class Gap:
    """An edge of a rule, or a part of it, that no case notices. `asks`: who would notice, in the
    language."""

    rule: str
    part: str
    edge: str
    asks: tuple[str, ...]
    position: Position
    language: str = "en"

    @property
    def problem(self) -> Problem:
        values = {"rule": self.rule, "part": self.part, "edge": self.edge}
        fact = message(self.language, "gap.edge" if self.edge else "gap.part", **values)
        asks = message(self.language, "gap.and").join(self.asks)
        return problem_at(self.position, fact, message(self.language, "gap.add", asks=asks))


def uncovered(
    policy: Policy,
    files: Iterable[tuple[Policy, CaseFile]],
    *,
    untested: Sequence[str] = (),
    language: str = "en",
) -> tuple[Gap, ...]:
    """Gaps in the order of the file, in a language. Each case file comes with the policy under
    its parameters.

    Only what a case expects counts. Rules in `untested` have no case at all, which is said once,
    elsewhere.
    """
    noticed: set[tuple[object, ...]] = set()
    for own, file in files:
        noticed |= set(_noticed(own, file))
    places = Places(policy, language)
    groups: dict[tuple[object, ...], list[Mutant]] = defaultdict(list)
    positions: dict[tuple[object, ...], Position] = {}
    for mutant in mutants(policy):
        if mutant.name not in untested:
            position = _position(places, mutant)
            # What a definition says once is covered once, however many rules use it.
            group = (position, mutant.change)
            groups[group].append(mutant)
            positions[group] = position
    unnoticed = {
        group: members
        for group, members in groups.items()
        if noticed.isdisjoint(member.key for member in members)
    }
    return tuple(_gaps(unnoticed, positions, language))


def _gaps(
    groups: dict[tuple[object, ...], list[Mutant]],
    positions: dict[tuple[object, ...], Position],
    language: str,
) -> Iterator[Gap]:
    """One for each part: what the two sides of an edge ask for stands together."""
    found: dict[tuple[object, ...], Gap] = {}
    for group, members in groups.items():
        first = members[0]
        gap = Gap(
            first.name,
            written(first.change.part),
            first.change.edge,
            (first.change.asks.told(language),),
            positions[group],
            language,
        )
        same = (gap.rule, first.change.part, gap.edge, gap.position)
        known = found.setdefault(same, gap)
        found[same] = replace(known, asks=tuple(dict.fromkeys((*known.asks, *gap.asks))))
    # Parts that read the same ask for the same customer.
    return iter(dict.fromkeys(sorted(found.values(), key=lambda gap: gap.position)))


def _position(places: Places, mutant: Mutant) -> Position:
    name = name_in(mutant.change.part)
    if mutant.change.edge:
        return places.number(mutant.where, mutant.change.edge, near=name)
    return places.word(mutant.where, word_pattern(name), r"\S")


def _noticed(policy: Policy, file: CaseFile) -> Iterator[tuple[object, ...]]:
    """The keys of the changes that make a case of the file fail."""
    expected = [{item.name for item in who.expect} for who in file.customers]
    named = set().union(*expected)
    unchanged = CaseRun(policy, file)
    usual = unchanged.answers()
    everything = [mutant for mutant in mutants(policy) if mutant.name in named]
    for start in range(0, len(everything), _AT_ONCE):
        some = everything[start : start + _AT_ONCE]
        given = _given(policy, some, unchanged.given)
        changed = CaseRun(_policy_of(policy, some), file, given).answers()
        for number, mutant in enumerate(some):
            if any(
                mutant.name in names and after and after[_id(number)] != before[mutant.name]
                for names, before, after in zip(expected, usual, changed, strict=True)
            ):
                yield mutant.key


def _given(policy: Policy, some: Sequence[Mutant], given: GivenBreaks) -> GivenBreaks:
    """The given thresholds of a rank hold for the changed rank too."""
    if not given:
        return given
    pairs = [pair for mutant in some for pair in rank_pairs(policy, mutant)]
    changed = {new: given[old] for old, new in pairs if old in given}
    # A changed rank may be another one that the policy has, with thresholds of its own.
    own = {rank for condition in policy.conditions for rank in ranks_in(condition.tree)}
    return {rank: breaks for rank, breaks in changed.items() if rank not in own} | dict(given)


def _policy_of(policy: Policy, some: Sequence[Mutant]) -> Policy:
    """All changed rules as the rules of one policy, so that one pass decides them all."""
    rules: list[Rule] = []
    protections: list[Protection] = []
    for number, mutant in enumerate(some):
        if isinstance(mutant.changed, Rule):
            rules.append(replace(mutant.changed, id=_id(number)))
        else:
            protections.append(replace(mutant.changed, id=_id(number)))
    return replace(policy, rules=tuple(rules), protections=tuple(protections))


def _id(number: int) -> str:
    return f"changed {number}"
