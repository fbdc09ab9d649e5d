"""In which order primitives go out, so that calls are few and the steps of an intent stay in order.

What may travel in one call is the vendor's business: it says which group a primitive belongs to.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from connector.models import Primitive

Run = tuple[Primitive, ...]
G = TypeVar("G", bound=Hashable)


def waves(
    primitives: Iterable[Primitive],
    group_of: Callable[[Primitive], G],
    joins: Callable[[Run, Primitive], bool],
) -> Iterator[tuple[G, list[Run]]]:
    """Groups with the runs that are ready to go, group after group. `joins`: whether a primitive
    may share a row with the run of the same intent before it.

    Keeps the step order of each intent and otherwise waits for company: a group goes when nothing
    more can join it, and if there is none such, the fullest one.
    """
    intents = _intents(primitives, joins)
    remaining = Counter(group_of(run[0]) for runs in intents for run in runs)
    ready: dict[G, list[deque[Run]]] = defaultdict(list)
    for runs in intents:
        ready[group_of(runs[0][0])].append(runs)
    while ready:
        group = _choose(ready, remaining)
        waiting = ready.pop(group)
        remaining[group] -= len(waiting)
        yield group, [runs.popleft() for runs in waiting]
        for runs in waiting:
            if runs:
                ready[group_of(runs[0][0])].append(runs)


def _choose(ready: Mapping[G, Sequence[object]], remaining: Mapping[G, int]) -> G:
    for group, waiting in ready.items():
        if len(waiting) == remaining[group]:
            return group
    return max(ready, key=lambda group: len(ready[group]))


def _intents(
    primitives: Iterable[Primitive], joins: Callable[[Run, Primitive], bool]
) -> list[deque[Run]]:
    """Each intent as runs of neighbours that one row can hold together."""
    by_intent: dict[str, list[Primitive]] = defaultdict(list)
    for primitive in primitives:
        by_intent[primitive.intent_id].append(primitive)
    found = []
    for members in by_intent.values():
        runs: deque[Run] = deque()
        for primitive in sorted(members, key=lambda each: each.step):
            if runs and joins(runs[-1], primitive):
                runs[-1] = (*runs[-1], primitive)
            else:
                runs.append((primitive,))
        found.append(runs)
    return found
