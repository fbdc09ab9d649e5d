"""The actions that the SQL finds, against a plain re-statement of the lifecycle in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.lifecycle import STATE_TABLES, action_statements
from policies.model import Policy, Rule
from policies.policy import parse_policy

POLICY = """
policy: 2
name: lifecycle
protect:
  - {id: both, when: has_tag('a'), from: [void, tier]}
  - {id: voids, when: open_deals > 0, from: [void]}
rules:
  - {void: v1, reason: no_intent, when: won_deals > 1, mark: {tag: V1, status: void}, note: true}
  - tier: t1
    note: true
    bands:
      - {name: A, when: won_deals > 5, mark: {tag: TA}}
      - {name: B, when: won_deals > 3, mark: {tag: TB}}
  - {void: v2, reason: lost_contact, when: won_deals > 2, mark: {tag: V2}, note: false}
  - tier: t2
    note: false
    bands:
      - {name: hot, when: won_deals > 7, mark: {tag: hot}}
      - {name: mild, when: won_deals > 6}
  - {void: v3, reason: lost_contact, when: won_deals > 8, mark: {status: gone}, note: false}
  - {pool: p1, when: won_deals > 9, mark: {tag: P1}, note: false}
  - {cleanout: c1, when: won_deals > 10, mark: {tag: C1}, note: true}
  - {void: v4, reason: no_intent, when: won_deals > 11, mark: {tag: V4}, note: false}
"""
POLICIES = {
    "with status": parse_policy(POLICY),
    "tags alone": parse_policy(POLICY).without_status(),
}
ORDER = {"void": 0, "cleanout": 1, "pool": 2}
TAGS = ("V1", "TA", "TB", "V2", "hot", "P1", "C1", "V4", "of somebody else")
STATUSES = (None, "void", "good", "gone", "new")


@dataclass(frozen=True)
class Episode:
    stage: str
    evidence_key: str


@dataclass(frozen=True)
class Held:
    tags: frozenset[str]
    status: str | None
    has_status: bool
    marker: str | None


@dataclass(frozen=True)
class Customer:
    """What is found, what the CRM shows, and what stands by our own hand; by rule number."""

    stages: tuple[int | None, ...]
    holds: tuple[bool | None, ...]
    tags: frozenset[str]
    status: str | None
    episodes: tuple[Episode | None, ...]
    held: tuple[Held | None, ...]


@dataclass(frozen=True)
class Action:
    stage: int | None
    status: str
    blocked: int | None
    entering: bool


def expected(policy: Policy, number: int, customer: Customer) -> Action | None:
    """One rule for one customer, told in sentences."""
    rule = policy.rules[number]
    blocked = blocked_by(policy, rule, customer)
    stage = effective_stage(policy, number, customer, blocked)
    episode = customer.episodes[number]
    status = status_of(rule, number, customer, (stage, blocked))
    if status != "protected":
        blocked = None
    return None if status is None else Action(stage, status, blocked, episode is None)


def effective_stage(
    policy: Policy, number: int, customer: Customer, blocked: int | None
) -> int | None:
    rule, stage = policy.rules[number], customer.stages[number]
    earlier = [
        customer.stages[place]
        for place in range(len(policy.rules))
        if rule.kind in ORDER and order(policy, place) < order(policy, number)
    ]
    if any(earlier):
        return 0
    if stage:
        found = rule.stages[stage - 1]
        if not (rule.note or found.tag or found.status):
            return 0
        return None if None in earlier and blocked in {None, -1} else stage
    return stage


def order(policy: Policy, number: int) -> tuple[int, int]:
    """Archived before offboarded before the pool, then as written; all else comes last."""
    return ORDER.get(policy.rules[number].kind, 9), number


def blocked_by(policy: Policy, rule: Rule, customer: Customer) -> int | None:
    """-1: nothing stands in the way; None: nobody can tell."""
    shields = [place for place, item in enumerate(policy.protections) if rule.kind in item.kinds]
    for place in shields:
        if customer.holds[place]:
            return place
    return None if any(customer.holds[place] is None for place in shields) else -1


def status_of(
    rule: Rule, number: int, customer: Customer, found: tuple[int | None, int | None]
) -> str | None:
    stage, blocked = found
    if stage == 0:
        return "change" if customer.episodes[number] is not None else None
    if blocked is not None and blocked >= 0:
        return "protected" if stage else None
    if stage is None or blocked is None:
        return "undecided"
    return status_of_member(rule, number, customer, stage)


def status_of_member(rule: Rule, number: int, customer: Customer, stage: int) -> str | None:
    """Certainly in a stage, and nothing protects."""
    episode, held = customer.episodes[number], customer.held[number]
    ours = held.tags if held else frozenset()
    managed = {item.tag for item in rule.stages if item.tag}
    wanted = rule.stages[stage - 1]
    if (managed & customer.tags) - ours:
        return "foreign"
    if episode is None:
        return "change"
    has_status = held is not None and held.has_status
    if (managed & ours) - customer.tags:
        return "overruled"
    if held is not None and has_status and customer.status != held.status:
        return "overruled"
    lacks_tag = wanted.tag is not None and wanted.tag not in ours
    lacks_status = wanted.status is not None and not has_status and customer.status != wanted.status
    lacks_note = rule.note and (
        held is None or held.marker is None or episode.evidence_key != f"key {number}"
    )
    moved = episode.stage != wanted.name
    return "change" if moved or lacks_tag or lacks_status or lacks_note else None


def found_by_sql(policy: Policy, customers: list[Customer]) -> dict[tuple[int, int], Action]:
    rules, shields = range(len(policy.rules)), range(len(policy.protections))
    columns = [f"s_{number} SMALLINT" for number in rules]
    columns += [f"p_{number} BOOLEAN" for number in shields]
    noted = [number for number in rules if policy.rules[number].note]
    columns += [f"k_{number} VARCHAR" for number in noted]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE findings (key VARCHAR, {', '.join(columns)})")
        connection.execute(
            "CREATE TABLE current_customers (key VARCHAR, tags VARCHAR[], status VARCHAR)"
        )
        for statement in STATE_TABLES:
            connection.execute(statement)
        for place, customer in enumerate(customers):
            key = str(place)
            keys = [f"key {number}" if customer.stages[number] else None for number in noted]
            values = [key, *customer.stages, *customer.holds, *keys]
            insert(connection, "findings", values)
            insert(connection, "current_customers", [key, sorted(customer.tags), customer.status])
            for number in rules:
                _stand(connection, key, policy.rules[number].id, customer, number)
        for statement in action_statements(policy):
            connection.execute(statement)
        rows = connection.execute(
            "SELECT CAST(key AS INTEGER), rule, stage, status, blocked, entering FROM actions"
        ).fetchall()
    found = {(key, number): Action(*rest) for key, number, *rest in rows}
    assert len(found) == len(rows), "at most one action for a customer and a rule"
    return found


def _stand(
    connection: duckdb.DuckDBPyConnection, key: str, rule: str, customer: Customer, number: int
) -> None:
    episode, held = customer.episodes[number], customer.held[number]
    if episode is not None:
        insert(connection, "open_episodes", [key, rule, 1, episode.stage, episode.evidence_key])
    if held is not None:
        note = ["n1", "text"] if held.marker else [None, None]
        status = [held.has_status, held.status if held.has_status else None, None]
        insert(connection, "held", [key, rule, sorted(held.tags), *status, held.marker, *note])


def insert(connection: duckdb.DuckDBPyConnection, table: str, values: Sequence[object]) -> None:
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO {table} VALUES ({marks})", list(values))


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    policy = POLICIES["with status"]
    size = [len(rule.stages) for rule in policy.rules]
    names = [[item.name for item in rule.stages] for rule in policy.rules]
    tags = st.frozensets(st.sampled_from(TAGS), max_size=3)
    held = st.builds(
        Held,
        tags=tags,
        status=st.sampled_from(STATUSES),
        has_status=st.booleans(),
        marker=st.sampled_from([None, "MARK"]),
    )
    return Customer(
        stages=tuple(draw(st.sampled_from([None, 0, *range(1, n + 1)])) for n in size),
        holds=tuple(draw(st.sampled_from([False, False, True, None])) for _ in policy.protections),
        tags=draw(tags),
        status=draw(st.sampled_from(STATUSES)),
        episodes=tuple(
            draw(
                st.none()
                | st.builds(
                    Episode,
                    stage=st.sampled_from(names[number]),
                    evidence_key=st.sampled_from([f"key {number}", "old"]),
                )
            )
            for number in range(len(size))
        ),
        held=tuple(draw(st.none() | held) for _ in size),
    )


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=60, deadline=None)
@given(people=st.lists(customers(), min_size=1, max_size=6))
def test_sql_and_sentences_agree_on_small_worlds(name: str, people: list[Customer]) -> None:
    policy = POLICIES[name]
    wanted = {
        (place, number): action
        for place, customer in enumerate(people)
        for number in range(len(policy.rules))
        if (action := expected(policy, number, customer)) is not None
    }
    assert found_by_sql(policy, people) == wanted


def test_every_kind_of_action_is_known_to_both() -> None:
    """The worlds are not empty of anything that a plan can say."""
    policy = POLICIES["with status"]
    size, shields = len(policy.rules), len(policy.protections)
    nobody, outside, free = (None,) * size, (0,) * size, (False,) * shields
    plain = Customer(outside, free, frozenset(), None, nobody, nobody)
    inside = (1, *outside[1:])
    ours = (Held(frozenset({"V1"}), "void", has_status=True, marker="M"), *nobody[1:])
    opened = (Episode("v1", "key 0"), *nobody[1:])
    shown = Customer(inside, free, frozenset({"V1"}), "void", opened, ours)
    cases = {
        "change": Customer(inside, free, frozenset(), None, nobody, nobody),
        "protected": Customer(inside, (True, *free[1:]), frozenset(), None, nobody, nobody),
        "undecided": Customer((None, *outside[1:]), free, frozenset(), None, nobody, nobody),
        "foreign": Customer(inside, free, frozenset({"V1"}), None, nobody, nobody),
        "overruled": Customer(inside, free, frozenset(), "void", opened, ours),
    }
    found = found_by_sql(policy, [plain, shown, *cases.values()])
    assert {place: action.status for (place, _), action in found.items()} == dict(
        enumerate(cases, start=2)
    )


def test_a_policy_without_protections_blocks_nobody() -> None:
    policy = parse_policy(
        "policy: 1\nname: x\nrules:\n  - {tier: t, bands: [{name: A, when: won_deals > 1, "
        "mark: {tag: A}}]}\n"
    )
    customer = Customer((1,), (), frozenset(), None, (None,), (None,))
    action = found_by_sql(policy, [customer])[0, 0]
    assert (action.status, action.blocked) == ("change", None)
