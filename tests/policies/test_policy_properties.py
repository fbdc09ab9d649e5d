"""What holds of every policy over all facts: less knowledge decides less, order and protections
add nothing, and a customer goes one way at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from policies.language.vocabulary import EVENTS
from policies.model import Policy
from policies.moment import SourceState
from policies.policy import parse_policy
from tests.policies.decisions import Decisions, decide
from tests.policies.metric_world import MOMENTS, complete_sources, metric_world
from tests.policies.random_policies import (
    EVERYTHING,
    EXITS,
    PLAIN,
    Parts,
    policy_of_parts,
    policy_parts,
    protections,
    reordered,
    without_guards,
)

AS_OF = MOMENTS[2]
FULL = complete_sources(AS_OF)
SEEDS = st.integers(0, 999)
quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))

# What a blank leaves unknown, by table; other blanks are knowledge: not closed, not settled.
UNKNOWN_WHEN_BLANK = {
    "customers": (
        *("party", "attitude_at", "phone_valid", "email_valid", "do_not_contact"),
        *("created_at", "first_seen_on", "owner_id"),
    ),
    "people": ("active", "department"),
    "activities": ("happened_at", "kind", "direction", "outcome", "seconds"),
    "deals": ("happened_at", "state"),
    "orders": ("happened_at", "amount"),
    "returns": ("happened_at",),
    "invoices": ("happened_at", "due_on", "amount"),
    "complaints": ("happened_at", "fault"),
    "surveys": ("happened_at", "kind", "score"),
}


@cache
def world(customers: int = 30) -> duckdb.DuckDBPyConnection:
    """Facts of every table, each of them dated, of customers who were there by then."""
    connection = metric_world(AS_OF, customers, events=5)
    connection.execute("SET threads = 1")  # for some dozen rows more threads only cost
    connection.execute(f"DELETE FROM customers WHERE created_at >= TIMESTAMP '{AS_OF.utc}'")
    for fact in EVENTS:
        connection.execute(f"DELETE FROM {fact} WHERE happened_at IS NULL")
    return connection


@contextmanager
def changed_world() -> Iterator[duckdb.DuckDBPyConnection]:
    """The world, to be changed for a while."""
    connection = world()
    connection.begin()
    try:
        yield connection
    finally:
        connection.rollback()


def less_known(decided: Decisions, fully: Decisions) -> list[object]:
    """What is decided and would be decided otherwise with all facts."""
    stages = [
        (key, stage, fully.stages[key])
        for key, stage in decided.stages.items()
        if stage is not None and stage != fully.stages[key]
    ]
    holds = [
        (key, found, fully.holds[key])
        for key, found in decided.holds.items()
        if found is not None and found is not fully.holds[key]
    ]
    return [*stages, *holds]


def more_planned(decided: Decisions, fully: Decisions) -> list[object]:
    """Changes that would not be planned, or not this way, with all facts."""
    return [
        (key, stage, fully.actions.get(key))
        for key, stage in decided.changes.items()
        if key not in fully.changes or fully.changes[key] != stage
    ]


def blank_some(connection: duckdb.DuckDBPyConnection, blanked: int) -> None:
    for table, columns in UNKNOWN_WHEN_BLANK.items():
        for place, column in enumerate(columns):
            connection.execute(
                f"UPDATE {table} SET {column} = NULL "
                f"WHERE hash(id || '{column}') % 12 = {(blanked + place) % 12}"
            )


def all_conditions() -> Policy:
    """A task for each condition."""
    rules = [
        {"task": f"task {place}", "when": when, "mark": {"tag": f"task {place}"}}
        for place, when in enumerate(PLAIN)
    ]
    parts = {"policy": 2, "name": "all", "fields": {"Size": "number"}, "rules": rules}
    return policy_of_parts({**parts, "calendar": {"holidays": "CN"}})


def one_exit(parts: Parts) -> Parts:
    """The policy with the first of its exits alone."""
    exits = [rule for rule in parts["rules"] if any(kind in rule for kind in EXITS)]
    rules = [rule for rule in parts["rules"] if rule not in exits[1:]]
    return {**parts, "rules": rules}


@st.composite
def sources_known_in_part(draw: st.DrawFn) -> Mapping[str, SourceState]:
    """Some sources are not complete, or only since some day."""
    names = draw(st.lists(st.sampled_from(sorted(FULL)), min_size=3, max_size=9, unique=True))
    since = draw(st.sampled_from([None, AS_OF.window_day(90), AS_OF.window_day(200)]))
    in_part = SourceState(since is not None, since, FULL["orders"].pulled_at)
    return {**FULL, **dict.fromkeys(names, in_part)}


# Undecided.


@quick
@given(policy_parts(), sources_known_in_part(), SEEDS)
def test_a_source_known_in_part_leaves_undecided_and_decides_nothing_otherwise(
    parts: Parts, in_part: Mapping[str, SourceState], standing: int
) -> None:
    policy = without_guards(policy_of_parts(one_exit(parts)))
    fully = decide(world(), policy, AS_OF, FULL, standing)
    decided = decide(world(), policy, AS_OF, in_part, standing)
    assert less_known(decided, fully) == []
    assert more_planned(decided, fully) == []


@quick
@given(policy_parts(PLAIN), SEEDS, SEEDS)
def test_blanks_leave_undecided_and_decide_nothing_otherwise(
    parts: Parts, blanked: int, standing: int
) -> None:
    policy = without_guards(policy_of_parts({**one_exit(parts), "group": []}))
    fully = decide(world(), policy, AS_OF, FULL, standing)
    with changed_world() as connection:
        blank_some(connection, blanked)
        decided = decide(connection, policy, AS_OF, FULL, standing)
    assert less_known(decided, fully) == []
    assert more_planned(decided, fully) == []


@quick
@given(policy_parts(), sources_known_in_part(), SEEDS)
def test_an_unknown_stage_is_never_a_change(
    parts: Parts, in_part: Mapping[str, SourceState], standing: int
) -> None:
    policy = policy_of_parts(parts)
    found = decide(world(), policy, AS_OF, in_part, standing)
    exits = [rule.id for kind in EXITS for rule in policy.rules if rule.kind == kind]
    for key, rule in found.changes:
        if found.stages[key, rule] is None:
            earlier = exits[: exits.index(rule)]
            assert any((found.stages[key, other] or 0) > 0 for other in earlier), (key, rule)
            assert found.actions[key, rule] == ("change", None), "it can only leave"


@pytest.mark.parametrize("days", [None, 30, 90, 200])
def test_no_condition_is_decided_otherwise_by_sources_known_in_part(days: int | None) -> None:
    policy, since = all_conditions(), None if days is None else AS_OF.window_day(days)
    in_part = dict.fromkeys(FULL, SourceState(since is not None, since, FULL["orders"].pulled_at))
    fully, decided = decide(world(), policy, AS_OF, FULL), decide(world(), policy, AS_OF, in_part)
    assert less_known(decided, fully) == []
    assert more_planned(decided, fully) == []
    assert decided.changes


@pytest.mark.parametrize("blanked", range(4))
def test_no_condition_is_decided_otherwise_by_blanks(blanked: int) -> None:
    policy = all_conditions()
    fully = decide(world(), policy, AS_OF, FULL)
    with changed_world() as connection:
        blank_some(connection, blanked)
        decided = decide(connection, policy, AS_OF, FULL)
    assert less_known(decided, fully) == []
    assert more_planned(decided, fully) == []
    assert decided.changes


# Order.


@quick
@given(policy_parts(), SEEDS, SEEDS)
def test_the_order_of_facts_and_of_rules_of_one_precedence_never_matters(
    parts: Parts, order: int, standing: int
) -> None:
    before = decide(world(), policy_of_parts(parts), AS_OF, FULL, standing)
    with changed_world() as connection:
        for table in (*EVENTS, "customers", "people"):
            connection.execute(
                f"CREATE OR REPLACE TABLE {table} AS FROM {table} ORDER BY hash(id || '{order}')"
            )
        policy = policy_of_parts(reordered(parts, order))
        after = decide(connection, policy, AS_OF, FULL, standing)
    assert after.stages == before.stages
    assert after.holds == before.holds
    assert after.actions == before.actions


# Protections.


@quick
@given(policy_parts(), protections("another", EVERYTHING), st.booleans(), SEEDS)
def test_a_protection_more_adds_no_change_and_keeps_its_customers_as_they_are(
    parts: Parts, shield: dict[str, object], first: bool, standing: int
) -> None:
    own = [shield, *parts["protect"]] if first else [*parts["protect"], shield]
    without = without_guards(policy_of_parts(parts))
    policy = without_guards(policy_of_parts({**parts, "protect": own}))
    before = decide(world(), without, AS_OF, FULL, standing)
    after = decide(world(), policy, AS_OF, FULL, standing)
    assert after.stages == before.stages
    assert more_planned(after, before) == []
    kinds = {rule.id: rule.kind for rule in policy.rules}
    for key, rule in before.changes.keys() - after.changes.keys():
        assert kinds[rule] in shield["from"]  # type: ignore[operator]
        assert after.holds[key, "another"] is not False
    for (key, rule), stage in after.changes.items():
        if stage is not None and kinds[rule] in shield["from"]:  # type: ignore[operator]
            assert after.holds[key, "another"] is False


@quick
@given(policy_parts(kinds=EXITS), SEEDS)
def test_the_protections_of_the_product_add_no_change(parts: Parts, standing: int) -> None:
    policy = policy_of_parts(parts)
    without = without_guards(policy)
    for one in policy.protections:
        if one.built_in:
            without = replace(without, protections=(*without.protections, one))
    assert set(without.protections) == set(policy.protections)
    before = decide(world(), without_guards(policy), AS_OF, FULL, standing)
    after = decide(world(), policy, AS_OF, FULL, standing)
    assert more_planned(after, before) == []


# Exits.

ORDERED = "SELECT customer FROM orders WHERE {} AND confirmed IS DISTINCT FROM FALSE"
OUR_COMPLAINT = (
    "SELECT customer FROM complaints WHERE {0} AND fault = 'ours' "
    "AND (closed_at IS NULL OR closed_at >= {1})"
)


def customers_who(query: str) -> set[str]:
    """Found by plain SQL over what was visible, however complete the source is."""
    moment = f"TIMESTAMP '{AS_OF.utc}'"
    visible = f"happened_at < {moment} AND coalesce(recorded_at < {moment}, TRUE)"
    rows = world().execute(query.format(visible, moment)).fetchall()
    return {key for (key,) in rows}


def entered(found: Decisions, parts: Parts, *kinds: str) -> list[tuple[str, str]]:
    """By customer, the exits of these kinds that it would enter or be moved within."""
    names = {rule[kind] for rule in parts["rules"] for kind in kinds if kind in rule}
    return [(key, rule) for (key, rule), stage in found.changes.items() if rule in names and stage]


@quick
@given(policy_parts(kinds=(*EXITS, *EXITS, "task")), SEEDS, st.booleans())
def test_a_customer_is_planned_into_one_exit_and_one_pool_at_most(
    parts: Parts, standing: int, guarded: bool
) -> None:
    policy = policy_of_parts(parts)
    if not guarded:
        policy = without_guards(policy)
    found = decide(world(), policy, AS_OF, FULL, standing)
    into = [key for key, _ in entered(found, parts, *EXITS)]
    assert len(into) == len(set(into))
    assume(into)


@quick
@given(policy_parts(kinds=("void", "void", "task")), SEEDS)
def test_nobody_who_ever_ordered_is_planned_to_be_voided(parts: Parts, standing: int) -> None:
    found = decide(world(), policy_of_parts(parts), AS_OF, FULL, standing)
    voided = {key for key, _ in entered(found, parts, "void")}
    assert voided.isdisjoint(customers_who(ORDERED))


OFFBOARD_ALL = """
policy: 2
name: everybody
rules: [{cleanout: all, when: "days_since(created_at) > 1", mark: {tag: all}}]
"""


@pytest.mark.parametrize(
    ("state", "also"),
    [
        pytest.param(SourceState(complete=True), "fault = 'theirs'", id="all is known"),
        pytest.param(SourceState(complete=True), "fault = NULL", id="unknown fault"),
        pytest.param(SourceState(complete=True), "happened_at = NULL", id="no date"),
        pytest.param(
            SourceState(complete=True, since=AS_OF.window_day(30)),
            "fault = 'theirs'",
            id="since a day",
        ),
        pytest.param(SourceState(complete=False), "fault = 'theirs'", id="not complete"),
    ],
)
def test_nobody_is_planned_to_be_offboarded_with_an_open_complaint_that_is_our_fault(
    state: SourceState, also: str
) -> None:
    with changed_world() as connection:
        connection.execute("DELETE FROM complaints")
        days = f"TIMESTAMP '{AS_OF.utc}' - INTERVAL 9 DAY"
        connection.execute(
            "INSERT INTO complaints BY NAME SELECT key AS customer, n AS id, 'ours' AS fault, "
            f"{days} AS happened_at FROM customers, range(2) t(n)"
        )
        connection.execute(f"UPDATE complaints SET {also} WHERE id = '1'")
        sources = {**FULL, "complaints": state}
        found = decide(connection, parse_policy(OFFBOARD_ALL), AS_OF, sources)
    assert found.changes == {}


def test_an_undecided_exit_lets_no_later_one_be_planned() -> None:
    policy = without_guards(
        parse_policy(
            """
policy: 2
name: two ways
rules:
  - {void: first, reason: no_intent, when: activities_count() >= 0, mark: {tag: first}}
  - {pool: second, when: "days_since(created_at) > 1", mark: {tag: second}}
"""
        )
    )
    fully = decide(world(), policy, AS_OF, FULL)
    in_part = {**FULL, "activities": SourceState(complete=False)}
    assert more_planned(decide(world(), policy, AS_OF, in_part), fully) == []


def test_a_rank_is_unknown_where_it_ranks_only_some() -> None:
    text = """
policy: 2
name: recency
rules: [{task: recent, when: quintile(days_since(last_order_at)) <= 2, mark: {tag: recent}}]
"""
    policy = parse_policy(text)
    fully = decide(world(), policy, AS_OF, FULL)
    since = SourceState(complete=True, since=AS_OF.window_day(300))
    assert less_known(decide(world(), policy, AS_OF, {**FULL, "orders": since}), fully) == []
