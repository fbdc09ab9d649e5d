"""One lifecycle for all kinds of rules, as SQL: findings and open episodes become actions.

Set-based over `findings`, `current_customers` (what the CRM shows), `open_episodes` and `held`
(what stands by our own hand); never a loop over customers.
Undecided never adds and never removes. A protected customer enters no rule and moves in none, but
leaves one that holds no more: what we set there would be wrong by now.
A customer is in one exit at most: archived before offboarded before back to the pool. While an
earlier one cannot be told, a later one cannot either.
Who would leave a `pool` rule only by a contact that was entered late waits in it, until a person
confirms that by taking our tag away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies.evaluation.sql_text import literal
from policies.model import EXITS, RETIRED, Policy, Rule, Stage
from policies.shadows import Shadow, Without

# What the journal says we hold in the CRM: one row a customer and rule.
_OPEN = "(customer VARCHAR, rule VARCHAR, number INTEGER, stage VARCHAR, evidence_key VARCHAR)"
_CLOSED = "(customer VARCHAR, rule VARCHAR, closed INTEGER)"
_HELD = (
    "(customer VARCHAR, rule VARCHAR, tags VARCHAR[], has_status BOOLEAN, status VARCHAR, "
    "status_original VARCHAR, marker VARCHAR, note_id VARCHAR, note VARCHAR)"
)
STATE_TABLES = (
    f"CREATE OR REPLACE TEMP TABLE open_episodes {_OPEN}",
    f"CREATE OR REPLACE TEMP TABLE closed_episodes {_CLOSED}",
    f"CREATE OR REPLACE TEMP TABLE held {_HELD}",
)

# Rule by number, and its stages; `managed` are the tags of all its stages.
_RULES = "(number SMALLINT, id VARCHAR, managed VARCHAR[])"
_STAGES = "(rule SMALLINT, stage SMALLINT, name VARCHAR, tag VARCHAR, status VARCHAR, note BOOLEAN)"

# A tag of ours that we do not hold there, and one that we hold and that is not there.
_FOREIGN = (
    "list_has_any(c.tags, r.managed) AND len(list_intersect(c.tags, r.managed)) > "
    "len(list_intersect(list_intersect(c.tags, r.managed), coalesce(h.tags, [])))"
)
_GONE = (
    "len(list_intersect(h.tags, r.managed)) > "
    "len(list_intersect(list_intersect(h.tags, r.managed), c.tags))"
)
_STANDS = "len(list_intersect(list_intersect(h.tags, r.managed), c.tags)) > 0"
# What an open episode in the right stage may still lack, or has grown old.
_LACKING = (
    "(g.tag IS NOT NULL AND NOT list_contains(coalesce(h.tags, []), g.tag)) OR "
    "(g.status IS NOT NULL AND h.has_status IS NOT TRUE AND c.status IS DISTINCT FROM g.status) OR "
    "(g.note AND (h.marker IS NULL OR e.evidence_key <> s.evidence_key))"
)

_ACTIONS = f"""
CREATE OR REPLACE TEMP TABLE actions AS
WITH first_exits AS (
  SELECT key, min(CASE WHEN stage > 0 OR late THEN exit END) AS exit,
    min(CASE WHEN stage IS NULL THEN exit END) AS doubtful
  FROM candidates WHERE exit IS NOT NULL GROUP BY key
), state AS (
  SELECT s.key, s.rule, s.blocked, s.evidence_key,
    CASE WHEN x.exit < s.exit OR (s.bare AND s.stage > 0) THEN 0
      WHEN s.stage > 0 AND x.doubtful < s.exit AND (s.blocked >= 0) IS NOT TRUE THEN NULL
      ELSE s.stage END AS stage, s.late AND x.exit = s.exit AS late
  FROM candidates s LEFT JOIN first_exits x ON x.key = s.key
), judged AS (
  SELECT s.key, s.rule, s.stage, s.blocked, e.number IS NULL AS entering,
    s.stage = 0 OR e.number IS NULL OR e.stage <> g.name AS moving,
    s.stage > 0 AND g.status IS NOT NULL AS claims_status,
    CASE
      WHEN s.late THEN 'waiting'
      WHEN s.stage = 0 THEN CASE WHEN e.number IS NOT NULL THEN 'change' END
      WHEN s.blocked >= 0 THEN CASE WHEN s.stage > 0 THEN 'protected' END
      WHEN s.stage IS NULL OR s.blocked IS NULL THEN 'undecided'
      WHEN {_FOREIGN} THEN 'foreign'
      WHEN e.number IS NULL THEN 'change'
      WHEN {_GONE} OR (h.has_status AND c.status IS DISTINCT FROM h.status) THEN 'overruled'
      WHEN e.stage <> g.name OR {_LACKING} THEN 'change'
    END AS status
  FROM state s
  JOIN current_customers c ON c.key = s.key
  JOIN rules r ON r.number = s.rule
  LEFT JOIN stages g ON g.rule = s.rule AND g.stage = s.stage
  LEFT JOIN open_episodes e ON e.customer = s.key AND e.rule = r.id
  LEFT JOIN held h ON h.customer = s.key AND h.rule = r.id
), heirs AS (
  SELECT key, min(r.id) AS id FROM judged JOIN rules r ON r.number = rule
  WHERE claims_status AND coalesce(status, '') NOT IN ('protected', 'foreign') GROUP BY key
)
SELECT j.key, j.rule, j.stage, j.status, j.entering, j.moving,
  CASE WHEN j.status = 'protected' THEN j.blocked END AS blocked,
  CASE WHEN j.stage = 0 THEN heirs.id END AS heir
FROM judged j LEFT JOIN heirs ON heirs.key = j.key WHERE j.status IS NOT NULL"""


def action_statements(policy: Policy, shadows: Iterable[Shadow] = ()) -> list[str]:
    """SQL that fills `actions`: one row for each customer and rule that has something to say.

    `actions.status` is a row status of a plan; `stage` 0 means out; `blocked` is the number of
    the protection that stands in the way of a protected row; `moving`: the customer enters,
    leaves or changes its stage; `heir`: the rule that sets its status when it leaves this one. The
    policy is the one of `findings`, or the same with fewer marks and with retired rules behind its
    own; `shadows` are those of `findings`.
    """
    rules = [
        f"({number}, {literal(rule.id)}, {_texts(stage.tag for stage in rule.stages)})"
        for number, rule in enumerate(policy.rules)
    ]
    stages = [
        f"({number}, {place}, {literal(stage.name)}, {_text_or_null(stage.tag)}, "
        f"{_text_or_null(stage.status)}, {rule.note})"
        for number, rule in enumerate(policy.rules)
        for place, stage in enumerate(rule.stages, start=1)
    ]
    exits = exit_order(policy)
    candidates = [
        _candidates(number, rule, _blocked(policy, rule.kind), exits.get(number))
        for number, rule in enumerate(policy.rules)
        if rule.kind != RETIRED
    ]
    return [
        f"CREATE OR REPLACE TEMP TABLE rules {_RULES}",
        f"INSERT INTO rules VALUES {', '.join(rules)}",
        f"CREATE OR REPLACE TEMP TABLE stages {_STAGES}",
        f"INSERT INTO stages VALUES {', '.join(stages)}",
        f"CREATE OR REPLACE TEMP TABLE candidates AS {' UNION ALL '.join(candidates)}",
        _leaving(exits, [item for item in shadows if item.without is Without.LATE]),
        _ACTIONS,
    ]


def exit_order(policy: Policy) -> dict[int, int]:
    """The order in which the rules that end a relation come first, by rule number."""
    numbers = [number for number, rule in enumerate(policy.rules) if rule.kind in EXITS]
    numbers.sort(key=lambda number: (EXITS.index(policy.rules[number].kind), number))
    return {number: place for place, number in enumerate(numbers)}


def _candidates(number: int, rule: Rule, blocked: str, order: int | None) -> str:
    """Customers in the rule, and those of whom it cannot be told.

    A stage that leaves no mark in the CRM is out: there is nothing to write, or to keep. An exit
    that leaves none still decides before later ones (`bare`).
    """
    stage = f"s_{number}"
    unmarked = [place for place, item in enumerate(rule.stages, start=1) if _is_bare(rule, item)]
    if unmarked and order is None:
        places = ", ".join(map(str, unmarked))
        stage = f"CASE WHEN s_{number} IN ({places}) THEN 0 ELSE s_{number} END"
    bare = order is not None and bool(unmarked)
    evidence_key = f"k_{number}" if rule.note else "NULL"
    return (
        f"SELECT key, CAST({number} AS SMALLINT) AS rule, CAST({stage} AS SMALLINT) AS stage, "
        f"CAST({blocked} AS SMALLINT) AS blocked, CAST({_number(order)} AS SMALLINT) AS exit, "
        f"{bare} AS bare, "
        f"CAST({evidence_key} AS VARCHAR) AS evidence_key, FALSE AS late "
        f"FROM findings WHERE {stage} > 0 OR s_{number} IS NULL"
    )


def _is_bare(rule: Rule, stage: Stage) -> bool:
    return not (rule.note or stage.tag or stage.status)


def _leaving(exits: Mapping[int, int], shadows: Iterable[Shadow]) -> str:
    """Customers with an open episode in a rule that they are certainly out of. `late`: but for
    contacts that were entered late they are not known to be, and our tag stands there still."""
    orders = " ".join(f"WHEN {number} THEN {order}" for number, order in exits.items())
    order = f"CASE r.number {orders} END" if orders else "NULL"
    late, joins = "FALSE", ""
    if cases := " ".join(f"WHEN {s.number} THEN f.{s.column} IS DISTINCT FROM 0" for s in shadows):
        late = f"coalesce(CASE r.number {cases} END AND {_STANDS}, FALSE)"
        joins = """
JOIN current_customers c ON c.key = f.key
LEFT JOIN held h ON h.customer = f.key AND h.rule = r.id"""
    return f"""
INSERT INTO candidates
SELECT f.key, r.number, 0, -1, {order}, FALSE, NULL, {late}
FROM open_episodes e JOIN rules r ON r.id = e.rule JOIN findings f ON f.key = e.customer{joins}
ANTI JOIN candidates s ON s.key = f.key AND s.rule = r.number"""


def _blocked(policy: Policy, kind: str) -> str:
    """The first protection that holds, -1 when none does, NULL when one cannot be told."""
    shields = [
        number for number, protection in enumerate(policy.protections) if kind in protection.kinds
    ]
    if not shields:
        return "-1"
    holding = " ".join(f"WHEN p_{number} THEN {number}" for number in shields)
    unknown = " OR ".join(f"p_{number} IS NULL" for number in shields)
    return f"CASE {holding} WHEN {unknown} THEN NULL ELSE -1 END"


def _texts(values: Iterable[str | None]) -> str:
    return f"[{', '.join(literal(value) for value in values if value)}]"


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(value)


def _text_or_null(value: str | None) -> str:
    return literal(value) if value else "NULL"
