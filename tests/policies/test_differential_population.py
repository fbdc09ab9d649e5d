# ruff: noqa: E501 - generated facts are SQL in long lines
"""DuckDB and Python agree on 100,000 generated customers, from facts to rendered reasons."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

import duckdb
import pytest

from policies.evaluation.evidence import EvidenceItem
from policies.moment import AsOf, SourceState
from policies.notes import NoteForm
from policies.policy import parse_policy
from tests.policies.policy_world import (
    ALL_COMPLETE,
    Outcome,
    duckdb_outcomes,
    new_world,
    python_outcomes,
)

POLICY = """
policy: 1
name: everything
params: {安静天数: 180, cut: 0.25}
define:
  quiet: days_since(last_activity_at) >= $安静天数
  活跃: activities_count(90) > 2 OR last_activity_at > last_order_at
protect:
  - {id: 战略客户, when: has_tag('战略客户'), from: [void, tier]}
  - {id: open, when: open_deals > 0, from: [void]}
  - {id: fresh, when: days_since(owned_since) < 30 OR owned_since > last_order_at}
rules:
  - void: 失联
    reason: lost_contact
    when: quiet AND NOT 活跃 AND orders_count() = 0 AND (phone IS NULL OR region IN ('东', '西'))
    mark: {tag: 作废, status: void}
  - void: refused
    reason: no_intent
    when: "never(last_order_at) AND days_since(last_activity_at, else: owned_since) BETWEEN 20 AND 400"
    mark: {tag: refused}
  - tier: value
    note: true
    bands:
      - {name: A, when: abc(orders_amount(365)) = 'A', mark: {tag: A}}
      - {name: B, when: "abc(orders_amount(365)) = 'B' AND won_deals > 0", mark: {tag: B}}
      - {name: C, when: else, mark: {tag: C}}
  - tier: recency
    bands:
      - {name: hot, when: "quintile(days_since(greatest(last_order_at, last_activity_at))) <= 2"}
      - {name: warm, when: "quintile(orders_amount() - returns_amount()) >= 4"}
      - {name: cold, when: "days_since(least(last_return_at, created_at)) > 300"}
  - tier: returns
    bands:
      - {name: many, when: "returns_amount(365) / orders_amount(365) > $cut"}
      - {name: costly, when: "returns_amount() * 2 - 1.5 > orders_amount() / greatest(orders_count(), 3)"}
      - {name: few, when: "returns_count(730) * 10 < orders_count(730) AND NOT status = 'x'"}
"""

GENERATE = """
CREATE MACRO u(i, salt) AS (hash(i * 7919 + salt) % 1000003) / 1000003.0;
CREATE MACRO pick(i, salt, n) AS CAST(hash(i * 104729 + salt) % n AS BIGINT);
INSERT INTO customers (key, object, id, name, owner_id, created_at, modified_at, owned_since, version, tags,
  status, phone, email, country, region, industry, first_seen_on) SELECT 'A:' || i, 'A', i, '客户 ' || i, NULL,
  CASE WHEN pick(i, 1, 50) = 0 THEN NULL ELSE TIMESTAMP '$AS_OF' - to_seconds(pick(i, 2, 900) * 86400 + pick(i, 3, 4) * 1800) END,
  NULL,
  CASE WHEN pick(i, 4, 3) = 0 THEN NULL ELSE TIMESTAMP '$AS_OF' - to_seconds((pick(i, 5, 300) - 3) * 3600) END,
  NULL,
  CASE pick(i, 6, 4) WHEN 0 THEN ['战略客户', 'x'] WHEN 1 THEN ['other'] ELSE [] END,
  CASE pick(i, 7, 3) WHEN 0 THEN NULL WHEN 1 THEN 'x' ELSE 'y' END,
  CASE pick(i, 8, 3) WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '123' END,
  NULL, NULL,
  CASE pick(i, 9, 4) WHEN 0 THEN NULL WHEN 1 THEN '东' WHEN 2 THEN '西' ELSE '北' END,
  NULL,
  CASE pick(i, 10, 9) WHEN 0 THEN NULL ELSE CAST(TIMESTAMP '$AS_OF' AS DATE) + CAST(pick(i, 11, 5) - 3 AS INTEGER) END
FROM range($N) t(i);
CREATE TABLE events AS SELECT i, j, i * 40 + j AS n,
  TIMESTAMP '$AS_OF' - to_seconds(
    CASE pick(i * 40 + j, 20, 6)
      WHEN 0 THEN 86400 * [0, 20, 90, 180, 365, 730][1 + pick(i * 40 + j, 21, 6)] + [-3600, -1, 0, 1, 3600, 7200][1 + pick(i * 40 + j, 22, 6)]
      ELSE pick(i * 40 + j, 23, 900) * 86400 + pick(i * 40 + j, 24, 48) * 1800 END) AS moment
FROM range($N) t(i), range(14) s(j) WHERE pick(i * 40 + j, 25, 3) = 0;
INSERT INTO activities (customer, id, source, happened_at, recorded_at, kind, direction, outcome, seconds, owner_id)
  SELECT 'A:' || i, n, 's', moment,
  CASE pick(n, 30, 9) WHEN 0 THEN NULL WHEN 1 THEN TIMESTAMP '$AS_OF' + INTERVAL 1 SECOND ELSE moment END,
  'call', NULL, NULL, 60, NULL FROM events WHERE pick(i, 31, 4) > 0 AND j < 6;
INSERT INTO orders (customer, id, source, happened_at, recorded_at, number, amount, currency) SELECT 'A:' || i, n, 's', CASE WHEN pick(n, 38, 400) > 0 THEN moment END, moment, n,
  CASE pick(n, 32, 400) WHEN 0 THEN NULL ELSE CAST(pick(n, 33, 40) * 25.0625 AS DECIMAL(18,4)) END,
  CASE pick(n, 34, $MIXED) WHEN 0 THEN 'EUR' ELSE 'CNY' END FROM events WHERE pick(i, 35, 4) > 0 AND j > 4;
INSERT INTO returns (customer, id, source, happened_at, recorded_at, number, amount, currency) SELECT 'A:' || i, n, 's', moment, NULL, n, CAST(pick(n, 36, 20) * 10.3333 AS DECIMAL(18,4)), 'CNY'
  FROM events WHERE j = 7 OR j = 8;
INSERT INTO deals (customer, id, source, happened_at, recorded_at, closed_at, stage, state, amount, currency)
  SELECT 'A:' || i, n, 's', moment, moment,
  CASE pick(n, 37, 3) WHEN 0 THEN NULL ELSE moment + to_seconds(pick(n, 38, 200) * 43200) END, NULL,
  CASE pick(n, 39, 80) WHEN 0 THEN NULL ELSE ['open', 'won', 'lost'][1 + pick(n, 40, 3)] END, 1, 'CNY'
  FROM events WHERE j IN (2, 9);
"""


def generated(as_of: AsOf, customers: int, *, mixed: bool) -> duckdb.DuckDBPyConnection:
    """A seeded world around the moment: nulls, blanks, ties, window edges, late records."""
    connection = new_world()
    text = GENERATE.replace("$AS_OF", as_of.utc.isoformat(sep=" ")).replace("$N", str(customers))
    connection.execute(text.replace("$MIXED", "40" if mixed else "1000000007"))
    return connection


def differences(
    as_of: AsOf, customers: int, sources: dict[str, SourceState], *, mixed: bool
) -> tuple[int, int]:
    """Customers compared, and those on which the back ends differ in anything."""
    policy = parse_policy(POLICY)
    connection = generated(as_of, customers, mixed=mixed)
    by_sql, sql_thresholds = duckdb_outcomes(connection, policy, as_of, sources)
    by_python, thresholds = python_outcomes(connection, policy, as_of, sources)
    assert sql_thresholds == thresholds
    assert by_sql.keys() == by_python.keys()
    if sources == ALL_COMPLETE and not mixed:
        seen = {stage for outcome in by_sql.values() for stage in outcome.stages}
        assert seen == {None, 0, 1, 2, 3}, "the world exercises every kind of answer"

    @cache
    def note(place: int, stage: int, evidence: tuple[EvidenceItem, ...]) -> str:
        rule = policy.rules[place]
        name = rule.stages[stage - 1].name
        return NoteForm(rule, name, "zh-CN").fill(evidence, "X")

    def notes(outcome: Outcome) -> list[str]:
        stages = enumerate(outcome.stages)
        return [note(place, stage, outcome.evidence[place]) for place, stage in stages if stage]

    different = sum(
        outcome != by_python[key] or notes(outcome) != notes(by_python[key])
        for key, outcome in by_sql.items()
    )
    return len(by_sql), different


@pytest.mark.heavy
def test_one_hundred_thousand_customers_come_out_alike() -> None:
    as_of = AsOf.midnight(date(2026, 3, 30), "Europe/Berlin")  # the day after clocks jump
    compared, different = differences(as_of, 100_000, ALL_COMPLETE, mixed=False)
    assert different == 0
    assert compared > 95_000


@pytest.mark.parametrize(
    ("as_of", "sources"),
    [
        (AsOf.midnight(date(2026, 11, 22), "Asia/Shanghai"), ALL_COMPLETE),
        (
            AsOf(datetime(2026, 11, 2, 7, 30, tzinfo=UTC), "America/New_York"),
            ALL_COMPLETE
            | {"activities": SourceState(complete=True, since=date(2025, 11, 2))}
            | {"returns": SourceState(complete=True, since=date(2025, 11, 3))},
        ),
        (
            AsOf.midnight(date(2026, 9, 6), "America/Santiago"),  # clocks jump over this midnight
            ALL_COMPLETE | {"orders": SourceState(complete=True, since=date(2020, 1, 1))},
        ),
    ],
)
def test_other_zones_and_shorter_sources_come_out_alike(
    as_of: AsOf, sources: dict[str, SourceState]
) -> None:
    compared, different = differences(as_of, 5_000, sources, mixed=True)
    assert different == 0
    assert compared > 4_000
