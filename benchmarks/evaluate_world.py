"""The world of `evaluate.py`: customers, 18 facts a customer, a policy, and what stands already.

Everything is made by SQL from hashes, so that equal sizes give equal worlds on every machine.
"""

# ruff: noqa: E501 - columns of SQL and conditions of a policy read best as one line each

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from connector.engine import source_states
from connector.warehouse import Warehouse
from policies.evaluation.compile_sql import CompiledEvaluation, compile_evaluation
from policies.lifecycle import STATE_TABLES, action_statements
from policies.model import Policy
from policies.moment import AsOf
from policies.policy import parse_policy

ZONE = "Asia/Shanghai"
AS_OF = AsOf.midnight(date(2026, 11, 22), ZONE)
FACTS_PER_CUSTOMER = {"orders": 6, "activities": 10, "deals": 1, "returns": 1}
STANDING = ("open_episodes", "closed_episodes", "held")

_HEAD = """
policy: 1
name: bench
language: zh-CN
protect:
  - {id: key-account, when: has_tag('key-account'), from: [void, tier]}
  - {id: open-deals, when: open_deals > 0, from: [void]}
  - {id: fresh, when: days_since(owned_since) < 14, from: [void]}
rules:
"""

# One template a rule; {b} is the number of the block, so that 300 rules are 300 conditions.
_VOIDS = (
    ("silent", "lost_contact", "days_since(last_activity_at) >= 640 + {b} AND orders_count(365) = 0"),
    ("no-phone", "lost_contact", "phone IS NULL AND days_since(last_activity_at) >= 420 + {b}"),
    ("never-bought", "no_intent", "never(last_order_at) AND activities_count(365) >= 16 - {b}"),
    ("asked-in-vain", "no_intent", "orders_count() = 0 AND activities_count(90) >= 7 AND won_deals = 0"),
    ("sends-back", "unqualified", "returns_count(365) >= 5 AND orders_count(365) < 4"),
    ("costs-money", "unqualified", "returns_amount(365) > orders_amount(365) * 4 + {b} AND orders_count() > 5"),
    ("small-and-far", "unqualified", "region = '西' AND orders_amount() < 40 + {b} AND orders_count() BETWEEN 1 AND 2"),
    ("least-value", "no_intent", "quintile(orders_amount()) = 1 AND quintile(activities_count()) = 1 AND days_since(last_order_at) > 900 + {b}"),
    ("rare", "no_intent", "orders_count() < 2 AND days_since(last_order_at) > 1010 + {b} AND industry IN ('制造', '零售')"),
    ("old-and-idle", "lost_contact", "days_since(created_at) > 1450 + {b} AND activities_count(365) < 2"),
    ("dormant", "lost_contact", "days_since(greatest(last_order_at, last_activity_at)) > 330 + {b}"),
    ("handed-over", "lost_contact", "days_since(owned_since) < 40 AND days_since(last_activity_at) > 360 + {b}"),
)  # fmt: skip
_TIERS = (
    ("rfm", True, ("quintile(days_since(last_order_at)) = 1 AND quintile(orders_count()) = 5 AND quintile(orders_amount()) = 5 AND orders_count() > 16 + {b}",
                   "quintile(days_since(last_order_at)) >= 4 AND quintile(orders_count()) >= 4 AND quintile(orders_amount()) = 5 AND orders_count() > 11 + {b}")),
    ("value", True, ("abc(orders_amount(365)) = 'A' AND orders_count(365) >= 10",
                     "abc(orders_amount(365)) = 'B' AND orders_count(365) >= 5 AND activities_count(365) > 5 + {b}")),
    ("growth", False, ("orders_amount(90) * 1.25 > orders_amount(365) AND orders_count(365) >= 4 AND orders_amount(90) > 1500 + {b}",)),
    ("contact", False, ("activities_count(90) >= 8", "activities_count(90) = 0 AND activities_count(365) >= 10")),
    ("returns", True, ("returns_amount(365) / orders_amount(365) > 2.5 AND orders_count(365) >= 2 AND returns_count(365) > 2",)),
    ("deals", False, ("won_deals >= 4", "open_deals >= 4")),
    ("lifetime", True, ("abc(orders_amount()) = 'A' AND days_since(created_at) > 1380 + {b} AND orders_count() > 9",
                        "abc(orders_amount()) = 'C' AND orders_count() > 7 - {b}")),
    ("margin", False, ("quintile(orders_amount() - returns_amount()) = 5 AND returns_count() = 0 AND orders_count() >= 12 AND country = 'CN'",)),
)  # fmt: skip
RULES_PER_BLOCK = len(_VOIDS) + len(_TIERS)


def policy_text(rules: int) -> str:
    """A policy of so many rules: the same twenty with other numbers, over the same facts."""
    parts = [_HEAD]
    for number in range(rules):
        block, place = divmod(number, RULES_PER_BLOCK)
        parts += _void(place, block) if place < len(_VOIDS) else _tier(place - len(_VOIDS), block)
    return "".join(parts)


def _void(place: int, block: int) -> Iterator[str]:
    name, reason, condition = _VOIDS[place]
    rule = f"{name}-{block}"
    yield f"  - void: {rule}\n    reason: {reason}\n    when: {condition.format(b=block)}\n"
    status = ", status: void" if place < 4 else ""
    yield f"    mark: {{tag: 作废-{rule}{status}}}\n    note: {'true' if place < 6 else 'false'}\n"


def _tier(place: int, block: int) -> Iterator[str]:
    name, note, bands = _TIERS[place]
    rule = f"{name}-{block}"
    yield f"  - tier: {rule}\n    note: {'true' if note else 'false'}\n    bands:\n"
    for number, condition in enumerate(bands):
        when = condition.format(b=block)
        yield f'      - {{name: B{number}, when: "{when}", mark: {{tag: {rule}-{number}}}}}\n'


@dataclass(frozen=True)
class World:
    """Where one world lies on disk. `prepared` holds the inputs and what stands by our own hand."""

    folder: Path

    zone = ZONE

    @property
    def warehouse_path(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def history_path(self) -> Path:
        return self.folder / "history"

    @property
    def prepared(self) -> Path:
        return self.folder / "prepared.duckdb"

    def policy(self, rules: int = RULES_PER_BLOCK) -> Policy:
        return parse_policy(policy_text(rules))


_MACROS = """
CREATE OR REPLACE TEMP MACRO pick(i, salt, n) AS CAST(hash(i * 104729 + salt) % n AS BIGINT);
CREATE OR REPLACE TEMP MACRO whose(i, salt, n) AS
  'Accounts:4150868' || lpad(CAST(CAST(floor(n * pow((hash(i * 7919 + salt) % 1000000007) / 1000000007.0, 1.35)) AS BIGINT) AS VARCHAR), 11, '0');
CREATE OR REPLACE TEMP MACRO moment_of(i, salt) AS TIMESTAMP '{moment}'
  - to_seconds(CAST(pow((hash(i * 15485863 + salt) % 1000000007) / 1000000007.0, 1.6) * 1300 * 86400 AS BIGINT));
"""  # fmt: skip

_CUSTOMERS = """
INSERT INTO customers BY NAME SELECT
  'Accounts:4150868' || lpad(CAST(i AS VARCHAR), 11, '0') AS key, 'Accounts' AS object,
  '4150868' || lpad(CAST(i AS VARCHAR), 11, '0') AS id, '机械有限公司 ' || i AS name,
  'user' || pick(i, 1, 300) AS owner_id,
  CASE WHEN pick(i, 2, 2000) = 0 THEN NULL ELSE TIMESTAMP '{moment}' - to_seconds(pick(i, 3, 1500) * 86400 + 5000) END AS created_at,
  TIMESTAMP '{moment}' - to_seconds(pick(i, 4, 9000000)) AS modified_at,
  CASE WHEN pick(i, 5, 200) = 0 THEN NULL ELSE TIMESTAMP '{moment}' - to_seconds(pick(i, 6, 1000) * 86400) END AS owned_since,
  CAST(hash(i) AS VARCHAR) AS version,
  list_sort(list_concat(
    CASE WHEN pick(i, 7, 50) = 0 THEN ['key-account'] ELSE CAST([] AS VARCHAR[]) END,
    CASE pick(i, 8, 4) WHEN 0 THEN ['展会'] WHEN 1 THEN ['网站', 'newsletter'] ELSE CAST([] AS VARCHAR[]) END)) AS tags,
  CASE pick(i, 9, 3) WHEN 0 THEN NULL WHEN 1 THEN 'active' ELSE 'new' END AS status,
  CASE WHEN pick(i, 10, 12) = 0 THEN NULL ELSE '+86 21 5555 ' || pick(i, 11, 10000) END AS phone,
  CASE WHEN pick(i, 12, 3) = 0 THEN NULL ELSE 'c' || i || '@example.org' END AS email,
  ['CN', 'DE', 'VN', 'US'][1 + pick(i, 13, 4)] AS country, ['东', '西', '南', '北'][1 + pick(i, 14, 4)] AS region,
  ['制造', '零售', '建筑', '医药', '物流'][1 + pick(i, 15, 5)] AS industry,
  CASE WHEN pick(i, 16, 1000) = 0 THEN DATE '2026-11-22' ELSE DATE '2026-01-01' END AS first_seen_on
FROM range({n}) t(i)
"""  # fmt: skip

_FACTS = {
    "orders": "CAST(i AS VARCHAR) AS number, CAST(pow(pick(i, 30, 1000) / 100.0, 3.2) + 10 AS DECIMAL(18,4)) AS amount, 'CNY' AS currency",
    "returns": "CAST(i AS VARCHAR) AS number, CAST(pick(i, 31, 400) AS DECIMAL(18,4)) AS amount, 'CNY' AS currency",
    "activities": "'call' AS kind, 'out' AS direction, 'reached' AS outcome, pick(i, 32, 900) AS seconds, 'user' || pick(i, 33, 300) AS owner_id",
    "deals": "NULL AS closed_at, 'proposal' AS stage, ['open', 'won', 'lost', 'lost'][1 + pick(i, 34, 4)] AS state, CAST(pick(i, 35, 90000) AS DECIMAL(18,4)) AS amount, 'CNY' AS currency",
}  # fmt: skip


def build_world(world: World, customers: int) -> dict[str, int]:
    """Write the warehouse, the inputs and what stands; returns how many rows of each."""
    world.folder.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(world)
    moment = AS_OF.utc.isoformat(sep=" ")
    with warehouse.writing() as connection:
        connection.execute("SET memory_limit = '8GB'")
        connection.execute(_MACROS.format(moment=moment))
        connection.execute(_CUSTOMERS.format(moment=moment, n=customers))
        for salt, (fact, share) in enumerate(FACTS_PER_CUSTOMER.items()):
            happened = f"moment_of(i, {salt})"
            connection.execute(
                f"INSERT INTO {fact} BY NAME SELECT whose(i, {salt}, {customers}) AS customer, "
                f"CAST(i AS VARCHAR) AS id, 'bench' AS source, {happened} AS happened_at, "
                f"CASE WHEN pick(i, 20, 9) = 0 THEN NULL ELSE {happened} END AS recorded_at, "
                f"{_FACTS[fact]} FROM range({customers * share}) t(i)"
            )
            connection.execute(
                f"INSERT INTO sources VALUES ('{fact}', TRUE, NULL, TIMESTAMP '{moment}', [])"
            )
        connection.execute("INSERT INTO meta VALUES ('loaded_on', '2026-11-22')")
        connection.execute(f"ATTACH '{world.prepared}' AS prepared")
        counts = _let_stand(connection, world.policy())
    return counts | {fact: customers * share for fact, share in FACTS_PER_CUSTOMER.items()}


def compiled_evaluation(
    connection: duckdb.DuckDBPyConnection, policy: Policy
) -> CompiledEvaluation:
    return compile_evaluation(policy, AS_OF, source_states(connection))


def thresholds(
    connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation
) -> dict[str, tuple[int | None, ...]]:
    rows = {}
    for name, query in compiled.threshold_queries:
        row = connection.execute(query).fetchone()
        assert row is not None
        rows[name] = row
    return rows


def _let_stand(connection: duckdb.DuckDBPyConnection, policy: Policy) -> dict[str, int]:
    """Most of what the policy wants stands already; the rest is old, gone, foreign or in the wrong
    stage. The tags and statuses of the customers follow."""
    compiled = compiled_evaluation(connection, policy)
    connection.execute("CREATE TEMP VIEW current_customers AS FROM warehouse.main.customers")
    for statement in compiled.inputs_statements:
        connection.execute(statement)
    connection.execute(compiled.findings_sql(thresholds(connection, compiled)))
    for statement in (*STATE_TABLES, *action_statements(policy)):
        connection.execute(statement)
    stages = ", ".join(
        f"({number}, {place}, '{rule.id}', '{stage.name}', '{stage.tag}', "
        f"nullif('{stage.status or ''}', ''), {rule.note})"
        for number, rule in enumerate(policy.rules)
        for place, stage in enumerate(rule.stages, start=1)
    )
    connection.execute(_STANDING.format(stages=stages))
    found = connection.execute(
        "SELECT (SELECT count(*) FROM prepared.open_episodes), (SELECT count(*) FROM actions)"
    ).fetchone()
    assert found is not None
    connection.execute("CREATE TABLE prepared.inputs AS FROM inputs ORDER BY hash(key)")
    return {"open_episodes": found[0], "first_actions": found[1]}


_STANDING = """
CREATE TEMP TABLE stage_names AS SELECT * FROM (VALUES {stages})
  t(rule, stage, id, name, tag, status, note);
CREATE TEMP TABLE standing AS
SELECT a.key, g.id AS rule, g.name AS stage, g.tag, g.status, g.note, c.status AS shown,
  CASE WHEN hash(a.key || g.id) % 100 < 12 OR k.evidence_key IS NULL THEN '' ELSE k.evidence_key END AS evidence_key,
  hash(g.id || a.key) % 100 AS fate
FROM actions a JOIN stage_names g ON g.rule = a.rule AND g.stage = a.stage
JOIN candidates k ON k.key = a.key AND k.rule = a.rule
JOIN customers c ON c.key = a.key
WHERE a.status = 'change' AND hash(a.key || a.rule) % 100 < 75
UNION ALL
SELECT c.key, g.id, g.name, g.tag, g.status, g.note, c.status, '', hash(g.id || c.key) % 100
FROM customers c JOIN stage_names g ON g.stage = 1
  AND g.rule = hash(c.key) % (SELECT max(rule) + 1 FROM stage_names)
LEFT JOIN actions a ON a.key = c.key AND a.rule = g.rule
WHERE hash(c.key || 'leaving') % 250 = 0 AND a.key IS NULL;
CREATE TABLE prepared.open_episodes AS
  SELECT key AS customer, rule, 1 AS number, stage, evidence_key FROM standing;
CREATE TABLE prepared.closed_episodes AS
  SELECT key AS customer, rule, 1 AS closed FROM standing WHERE fate = 99 LIMIT 0;
CREATE TABLE prepared.held AS
  SELECT key AS customer, rule, [tag] AS tags, status IS NOT NULL AS has_status, status,
    CASE WHEN status IS NOT NULL THEN shown END AS status_original,
    CASE WHEN note THEN upper(left(md5(key || rule), 10)) END AS marker,
    CASE WHEN note THEN left(md5(rule || key), 18) END AS note_id,
    CASE WHEN note THEN 'an older note' END AS note
  FROM standing WHERE fate > 0;
CREATE TEMP TABLE shown AS
  SELECT key, list(tag) AS tags, max(status) AS status FROM (
    SELECT key, tag, CASE WHEN fate = 2 THEN NULL ELSE status END AS status FROM standing
    WHERE fate <> 1
    UNION ALL
    SELECT a.key, g.tag, NULL FROM actions a
    JOIN stage_names g ON g.rule = a.rule AND g.stage = a.stage
    WHERE a.status = 'change' AND hash(a.key || a.rule) % 100 > 97
  ) GROUP BY key;
UPDATE customers SET tags = list_sort(list_concat(customers.tags, s.tags)),
  status = coalesce(s.status, customers.status)
FROM shown s WHERE s.key = customers.key;
CHECKPOINT;
"""
