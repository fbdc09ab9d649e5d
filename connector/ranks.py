"""What ranks and scores were measured by: thresholds as data, and a customer's place in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from connector.grounds import Grounds
from connector.plan_model import Threshold
from policies.authoring.prose import Teller, teller
from policies.authoring.signature import score_terms
from policies.evaluation.inputs import InputPlan
from policies.evaluation.sql_expression import Thresholds
from policies.language.number_text import plain
from policies.language.tree import Case, MetricValue, Node, Rank, leaves
from policies.language.vocabulary import Type
from policies.messages import message, value_text
from policies.model import Policy


def told_thresholds(
    plan: InputPlan, thresholds: Thresholds, language: str
) -> tuple[Threshold, ...]:
    """The thresholds of one evaluation, each with what is ranked."""
    words = teller(plan.policy, language, marked=False)
    return tuple(
        rank_threshold(rank, thresholds[f"t_{place}"], words, plan.policy)
        for place, rank in enumerate(plan.own_ranks)
    )


def rank_threshold(
    rank: Rank, breaks: Sequence[Decimal | int | None], words: Teller, policy: Policy
) -> Threshold:
    texts = tuple(None if item is None else plain(Decimal(item)) for item in breaks)
    kind = rank.value.type if rank.value.type is Type.MONEY else Type.NUMBER
    converted = any(isinstance(item, MetricValue) for item in leaves(rank.value))
    currency = policy.base_currency if kind is Type.MONEY and converted else ""
    return Threshold(words.noun(rank), rank.kind.value, kind.value, texts, currency)


def threshold_text(threshold: Threshold, language: str) -> str:
    """`A from 1,000, B from 100`, or the ends of the lower four fifths."""
    shown = [
        None if item is None else value_text(language, threshold.type, item, threshold.currency)
        for item in threshold.breaks
    ]
    if None in shown[:1]:
        return message(language, "rank.no_breaks")
    if threshold.kind == "abc":
        first, second = shown
        return message(language, "rank.abc", first=first, second=second)
    return message(language, "rank.quintile", breaks=" / ".join(filter(None, shown)))


def threshold_lines(thresholds: Sequence[Threshold], language: str) -> Iterator[str]:
    """What the ranks of a plan were measured by."""
    for item in thresholds:
        breaks = threshold_text(item, language)
        yield message(language, "rank.line", name=item.name, breaks=breaks)


def rank_text(rank: Rank, grounds: Grounds, words: Teller, policy: Policy) -> str:
    """Why this class: the customer's value, its place, and where the classes break."""
    language = words.language
    threshold = rank_threshold(rank, grounds.breaks[rank], words, policy)
    breaks, name = threshold_text(threshold, language), threshold.name
    place, value = grounds.values[rank], grounds.values[rank.value]
    if place is None:
        return message(language, "rank.nowhere", name=name, breaks=breaks)
    shown = value_text(language, threshold.type, plain(Decimal(value)), threshold.currency)
    told = message(language, f"rank.place.{threshold.kind}", place=place)
    return message(language, "rank.placed", name=name, value=shown, place=told, breaks=breaks)


def score_lines(score: Node, grounds: Grounds, words: Teller) -> Iterator[str]:
    """The sum of a score, then what each of its terms gave to it."""
    name = words.noun(score)
    yield message(words.language, "score.sum", name=name, points=_points(score, grounds, words))
    others = replace(words, scores=tuple(item for item in words.scores if item[0] != score))
    for term in score_terms(score):
        points = _points(term, grounds, words)
        if isinstance(term, Case):
            most, told = others.noun(term.values[0]), others.sentence(term.conditions[0])
            told = message(words.language, "score.most", most=most, condition=told)
        else:
            told = others.noun(term)
        yield "  " + message(words.language, "score.term", points=points, term=told)


def _points(node: Node, grounds: Grounds, words: Teller) -> str:
    value = grounds.values[node]
    if value is None:
        return message(words.language, "score.unknown")
    return value_text(words.language, Type.NUMBER, plain(Decimal(value)))
