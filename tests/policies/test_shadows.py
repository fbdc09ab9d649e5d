"""Rules as they would come out without some activities: by both back ends, and in the lifecycle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from connector.engine import fill_inputs
from policies.evaluation.compile_python import PythonEvaluation
from policies.evaluation.compile_sql import compile_evaluation
from policies.lifecycle import STATE_TABLES, action_statements
from policies.model import Policy
from policies.moment import AsOf
from policies.policy import parse_policy
from policies.shadows import Shadow, Without, reads_activities, shadow_of
from tests.policies.policy_world import (
    ALL_COMPLETE,
    add_customer,
    customer_facts,
    insert,
    new_world,
)

AS_OF = AsOf.midnight(date(2026, 6, 1), "Asia/Shanghai")
POLICY = """\
policy: 2
name: p
pools:
  North: {when: region = 'north'}
  Rest: {when: activities_count(30) < 9}
rules:
  - pool: back
    when: days_since(last_followup_at) > 90 AND orders_count(30) = 0
    mark: {tag: back}
  - pool: silent
    when: attempts_unanswered(300) >= 2
    mark: {tag: silent}
  - {pool: dull, when: quintile(activities_count(300)) <= 1, mark: {tag: dull}}
  - {task: call, when: never(last_order_at), mark: {tag: call}}
"""
ALONE = """\
policy: 2
name: p
rules:
  - {void: gone, reason: no_intent, when: open_deals = 1, mark: {tag: gone}, note: false}
  - {pool: back, when: days_since(last_followup_at) > 90, mark: {tag: back}, note: false}
  - {pool: next, when: open_deals = 2, mark: {tag: next}, note: false}
"""


def ago(days: float) -> datetime:
    return (AS_OF.moment - timedelta(days=days)).astimezone(UTC).replace(tzinfo=None)


def contact(
    world: duckdb.DuckDBPyConnection, happened: float, recorded: float | None, **other: object
) -> None:
    values = {"kind": "call", "direction": "ours", "outcome": "reached", "seconds": 60} | other
    at = {"happened_at": ago(happened), "recorded_at": None if recorded is None else ago(recorded)}
    insert(world, "activities", **({"customer": "A:1"} | values | at))


def new_customer(key: str = "A:1") -> duckdb.DuckDBPyConnection:
    world = new_world()
    add_customer(world, key, created_at=ago(900), first_seen_on=date(2020, 1, 1), region="south")
    return world


def stages(
    world: duckdb.DuckDBPyConnection, policy: Policy, *shadows: Shadow
) -> tuple[int | None, ...]:
    """By SQL: of each shadow; the same of a policy that has them as its rules, in Python."""
    compiled = compile_evaluation(policy, AS_OF, ALL_COMPLETE, shadows)
    thresholds = fill_inputs(world, compiled)
    world.execute(compiled.findings_sql(thresholds))
    columns = ", ".join(shadow.column for shadow in shadows)
    found = world.execute(f"SELECT {columns} FROM findings WHERE key = 'A:1'").fetchall()[0]
    alike = replace(policy, rules=tuple(shadow.rule for shadow in shadows))
    evaluation = PythonEvaluation(alike, AS_OF, ALL_COMPLETE)
    everyone = {key: evaluation.inputs(facts) for key, facts in customer_facts(world).items()}
    known = {key: inputs for key, inputs in everyone.items() if inputs is not None}
    own, _ = evaluation.findings(known["A:1"], evaluation.thresholds(known.values()))
    assert own == found
    return own


def shadows_of(policy: Policy, without: Without = Without.LATE) -> list[Shadow]:
    return [shadow_of(policy, number, without) for number in range(len(policy.rules))]


def test_which_rules_are_about_contacts() -> None:
    policy = parse_policy(POLICY)
    assert [reads_activities(rule) for rule in policy.rules] == [True, True, True, False]
    first = parse_policy(POLICY.replace("when: never(last_order_at)", "when: open_deals > 1")).rules
    assert not reads_activities(first[-1])


@pytest.mark.parametrize(("recorded", "expected"), [(6, 2), (7, 0), (None, 0)])
def test_a_contact_of_which_we_heard_more_than_three_days_later_is_left_out(
    recorded: float | None, expected: int
) -> None:
    world, policy = new_customer(), parse_policy(POLICY)
    contact(world, 200, 200)
    contact(world, 10, recorded)
    assert stages(world, policy, *shadows_of(policy)[:1]) == (expected,)
    own = world.execute("SELECT s_0 FROM findings").fetchall()
    assert own == [(0,)]


def test_what_else_ends_a_rule_ends_it_there_too() -> None:
    world, policy = new_customer(), parse_policy(POLICY)
    contact(world, 200, 200)
    contact(world, 10, 2)
    insert(world, "orders", customer="A:1", happened_at=ago(5), recorded_at=ago(0.5))
    assert stages(world, policy, *shadows_of(policy)[:1]) == (0,)


def test_a_contact_in_a_burst_is_left_out_and_what_nobody_knows_stays() -> None:
    world, policy = new_customer(), parse_policy(POLICY)
    contact(world, 200, 200, burst=True)
    contact(world, 300, 300)
    contact(world, 10, 10, burst=True)
    (shadow, *_) = shadows_of(policy, Without.BURST)
    assert stages(world, policy, shadow) == (2,)
    contact(world, 5, 5, burst=None)
    assert stages(world, policy, shadow) == (0,)


def test_an_answer_entered_late_does_not_end_a_row_of_attempts() -> None:
    """The rows, and those after which they count."""
    world, policy = new_customer(), parse_policy(POLICY)
    for days in (40, 30, 20):
        contact(world, days, days, outcome="no_answer")
    contact(world, 5, 1, direction="theirs", kind="message")
    assert stages(world, policy, shadows_of(policy)[1]) == (2,)
    assert world.execute("SELECT s_1 FROM findings").fetchall() == [(0,)]
    contact(world, 4, 4, direction="theirs", kind="message")
    assert stages(world, policy, shadows_of(policy)[1]) == (0,)


def test_a_rank_is_taken_among_all_without_them() -> None:
    world, policy = new_customer(), parse_policy(POLICY)
    for number in range(2, 12):
        add_customer(world, f"A:{number}", created_at=ago(900), first_seen_on=date(2020, 1, 1))
        for _ in range(number):
            contact(world, 20, 20, customer=f"A:{number}")
    for _ in range(20):
        contact(world, 20, 3)
    found = stages(world, policy, *shadows_of(policy)[:3])
    assert found[2] == 2
    assert world.execute("SELECT s_2 FROM findings WHERE key = 'A:1'").fetchall() == [(0,)]


def test_what_a_policy_reads_keeps_its_place_and_without_shadows_nothing_is_added() -> None:
    policy = parse_policy(POLICY)
    plain = compile_evaluation(policy, AS_OF, ALL_COMPLETE)
    more = compile_evaluation(policy, AS_OF, ALL_COMPLETE, tuple(shadows_of(policy)))
    assert more.plan.inputs[: len(plain.plan.inputs)] == plain.plan.inputs
    assert more.plan.own_ranks == plain.plan.ranks
    assert more.plan.ranks[:1] == plain.plan.ranks
    assert len(more.plan.ranks) == 2
    same = compile_evaluation(policy, AS_OF, ALL_COMPLETE, ())
    assert same.inputs_statements == plain.inputs_statements
    thresholds = {name: (1, 2, 3, 4) for name, _ in plain.threshold_queries}
    assert same.findings_sql(thresholds, "x") == plain.findings_sql(thresholds, "x")
    assert "late" not in plain.findings_sql(thresholds, "x")


def act(
    found: tuple[int | None, int | None, int | None],
    late: int | None,
    tags: list[str],
    *,
    held: list[str] | None = None,
    shadowed: bool = True,
) -> dict[str, str]:
    """The actions of one customer that stays in `back`, by rule. `found`: its findings."""
    policy = parse_policy(ALONE)
    shadow = shadow_of(policy, 1, Without.LATE)
    with duckdb.connect() as world:
        world.execute(
            "CREATE TABLE findings (key VARCHAR, s_0 SMALLINT, s_1 SMALLINT, s_2 SMALLINT, "
            "late_1 SMALLINT, "
            + ", ".join(f"p_{n} BOOLEAN DEFAULT FALSE" for n in range(len(policy.protections)))
            + ")"
        )
        world.execute(
            "INSERT INTO findings (key, s_0, s_1, s_2, late_1) VALUES ('c', ?, ?, ?, ?)",
            [*found, late],
        )
        world.execute(
            "CREATE TABLE current_customers AS SELECT 'c' AS key, "
            "CAST(? AS VARCHAR[]) AS tags, NULL::VARCHAR AS status",
            [tags],
        )
        for statement in STATE_TABLES:
            world.execute(statement)
        world.execute("INSERT INTO open_episodes VALUES ('c', 'back', 1, 'back', '')")
        if held is not None:
            world.execute(
                "INSERT INTO held VALUES ('c', 'back', ?, FALSE, NULL, NULL, NULL, NULL, NULL)",
                [held],
            )
        for statement in action_statements(policy, [shadow] if shadowed else []):
            world.execute(statement)
        rows = world.execute(
            "SELECT r.id, a.status FROM actions a JOIN rules r ON r.number = a.rule"
        ).fetchall()
    return dict(rows)


@pytest.mark.parametrize(
    ("found", "late", "tags", "held", "expected"),
    [
        ((0, 0, 0), 1, ["back"], ["back"], {"back": "waiting"}),
        ((0, 0, 0), None, ["back"], ["back"], {"back": "waiting"}),
        ((0, 0, 0), 0, ["back"], ["back"], {"back": "change"}),
        ((0, 0, 0), 1, [], ["back"], {"back": "change"}),
        ((0, 0, 0), 1, ["back"], [], {"back": "change"}),
        ((0, 0, 0), 1, ["back"], None, {"back": "change"}),
        ((0, None, 0), 1, ["back"], ["back"], {"back": "undecided"}),
        ((0, 1, 0), 1, ["back"], ["back"], {}),
        ((1, 0, 0), 1, ["back"], ["back"], {"gone": "change", "back": "change"}),
        ((None, 0, 0), 1, ["back"], ["back"], {"gone": "undecided", "back": "waiting"}),
        ((0, 0, 1), 1, ["back"], ["back"], {"back": "waiting"}),
        ((0, 0, 1), 1, [], ["back"], {"back": "change", "next": "change"}),
        ((0, 0, 1), 0, ["back"], ["back"], {"back": "change", "next": "change"}),
    ],
)
def test_who_would_leave_by_a_late_entry_waits_in_the_rule(
    found: tuple[int | None, int | None, int | None],
    late: int | None,
    tags: list[str],
    held: list[str] | None,
    expected: dict[str, str],
) -> None:
    assert act(found, late, tags, held=held) == expected


def test_a_rule_without_a_shadow_is_left_at_once() -> None:
    found = act((0, 0, 0), 1, ["back"], held=["back"], shadowed=False)
    assert found == {"back": "change"}
