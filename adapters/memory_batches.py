"""Changes into primitives, primitives into calls, for the CRM kept in memory. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.memory_profile import LIFE_FIELD, LIFE_NORMAL, POOL_FIELD, Profile
from connector.errors import ConfigurationError
from connector.models import Change, Primitive, PrimitiveKind, Ref, Step, StepKind
from connector.ports import Batch, Capabilities

# What needs a live, owned record comes before the call that ends that, and after the one that
# brings it back: an invalid or unclaimed customer cannot be edited (Fxiaoke).
_RANK = {
    PrimitiveKind.SET_FIELD: 1,
    PrimitiveKind.ADD_TAG: 2,
    PrimitiveKind.REMOVE_TAG: 2,
    PrimitiveKind.PUT_NOTE: 3,
    PrimitiveKind.DELETE_NOTE: 3,
    PrimitiveKind.CHANGE_OWNER: 4,
    PrimitiveKind.CALL: 5,
}


@dataclass(frozen=True, slots=True)
class Unit:
    """What one request does to one record; `pool` is the pool call that also moves the owner."""

    operation: str
    primitives: tuple[Primitive, ...]
    pool: Primitive | None = None

    @property
    def ref(self) -> Ref:
        return self.primitives[0].ref


def lower_steps(change: Change, profile: Profile) -> tuple[Primitive, ...]:
    """One primitive for each step, in an order in which the CRM can take them."""
    kinds = [(_kind(step, profile), step) for step in change.steps]
    for kind, _ in kinds:
        if kind not in profile.capabilities.writes:
            raise ConfigurationError(
                f"the CRM '{profile.name}' cannot write {kind.value}",
                "Leave that out of the policy, or use a field instead.",
            )
    targets = {step.target for step in change.steps}
    if _is_pooled(targets, profile) and PrimitiveKind.CHANGE_OWNER not in dict(kinds):
        raise ConfigurationError(
            "a move into or out of a pool has to say what becomes of the owner",
            f"Give the change an owner step beside '{POOL_FIELD}'.",
        )
    ordered = sorted(kinds, key=lambda pair: _rank(*pair))
    return tuple(_primitive(change, number, *pair) for number, pair in enumerate(ordered))


def _is_pooled(targets: set[str], profile: Profile) -> bool:
    return POOL_FIELD in targets and POOL_FIELD in profile.native


def _rank(kind: PrimitiveKind, step: Step) -> int:
    is_call = kind is PrimitiveKind.CALL
    if is_call and step.target == LIFE_FIELD:
        return 0 if step.after == LIFE_NORMAL else 6
    return _RANK[kind]


def _kind(step: Step, profile: Profile) -> PrimitiveKind:
    if step.kind is StepKind.FIELD:
        is_native = step.target in profile.native
        return PrimitiveKind.CALL if is_native else PrimitiveKind.SET_FIELD
    if step.kind is StepKind.OWNER:
        return PrimitiveKind.CHANGE_OWNER
    if step.kind is StepKind.TAG:
        return PrimitiveKind.ADD_TAG if step.after else PrimitiveKind.REMOVE_TAG
    return PrimitiveKind.DELETE_NOTE if step.after is None else PrimitiveKind.PUT_NOTE


def _primitive(change: Change, number: int, kind: PrimitiveKind, step: Step) -> Primitive:
    return Primitive(
        intent_id=change.intent_id,
        step=number,
        ref=change.ref,
        kind=kind,
        target=step.target,
        before=step.before,
        after=step.after,
        remote_id=step.remote_id,
    )


def units(primitives: Iterable[Primitive], profile: Profile) -> list[Unit]:
    """Each primitive by itself, but a pool call together with the owner step beside it."""
    found: list[Unit] = []
    for primitive in primitives:
        pool = _pool_of(found[-1], primitive, profile) if found else None
        if pool is not None:
            pair = (*found[-1].primitives, primitive)
            found[-1] = Unit(_operation(pool, profile), pair, pool)
        else:
            found.append(Unit(_operation(primitive, profile), (primitive,)))
    return found


def _pool_of(last: Unit, primitive: Primitive, profile: Profile) -> Primitive | None:
    """The pool call of a pair, if these two make one."""
    other = last.primitives[0]
    is_pair = {other.kind, primitive.kind} == {PrimitiveKind.CALL, PrimitiveKind.CHANGE_OWNER}
    if not is_pair or last.pool is not None or other.intent_id != primitive.intent_id:
        return None
    call = primitive if primitive.kind is PrimitiveKind.CALL else other
    return call if _is_pooled({call.target}, profile) else None


def _operation(primitive: Primitive, profile: Profile) -> str:
    if primitive.kind is PrimitiveKind.CALL:
        return f"call:{primitive.target}"
    return "patch" if profile.one_request else primitive.kind.value


def group(found: list[Unit], capabilities: Capabilities) -> Iterator[Batch]:
    """Batches of one operation each. The operation that fewest intents still need later goes
    first, so that those which come late in many intents are sent together.

    A second opinion on purpose, and not `adapters.waves`: whoever applies a plan may count on the
    step order of each intent and on nothing else of the order."""
    waiting: dict[str, deque[Unit]] = defaultdict(deque)
    for unit in found:
        waiting[unit.primitives[0].intent_id].append(unit)
    while waiting:
        heads = Counter(queue[0].operation for queue in waiting.values())
        later = Counter(u.operation for q in waiting.values() for u in list(q)[1:])
        operation = min(heads, key=lambda name: (later[name], -heads[name], name))
        yield from _cut(operation, _take(waiting, operation), capabilities)


def _take(waiting: dict[str, deque[Unit]], operation: str) -> list[Unit]:
    """What stands at the front of each intent for this operation; emptied intents go."""
    taken: list[Unit] = []
    for intent in list(waiting):
        queue = waiting[intent]
        while queue and queue[0].operation == operation:
            taken.append(queue.popleft())
        if not queue:
            del waiting[intent]
    return taken


def _cut(operation: str, taken: list[Unit], capabilities: Capabilities) -> Iterator[Batch]:
    limits = [capabilities.writes[p.kind] for unit in taken for p in unit.primitives]
    size = min(limit.batch for limit in limits)
    limit = limits[0]
    for start in range(0, len(taken), size):
        rows = taken[start : start + size]
        cost = limit.cost * -(-len(rows) // limit.cost_rows)
        yield Batch(operation, tuple(p for unit in rows for p in unit.primitives), cost)
