"""The first twenty rules of `evaluate_world` as the best DuckDB SQL that we could write by hand.

Threshold form: breaks from grouped values and running sums, then one pass over the inputs that
keeps only customers with something to say; everything after it works on those few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb

# The inputs by their names in the policy, and the names that this file gives them.
NAMES = {
    "last_activity_at": "last_activity",
    "last_order_at": "last_order",
    "created_at": "created",
    "owned_since": "owned",
    "phone": "phone",
    "region": "region",
    "industry": "industry",
    "country": "country",
    "orders_count()": "orders",
    "orders_count(365)": "orders_year",
    "orders_amount()": "amount",
    "orders_amount(90)": "amount_quarter",
    "orders_amount(365)": "amount_year",
    "returns_count()": "returned",
    "returns_count(365)": "returned_year",
    "returns_amount()": "refund",
    "returns_amount(365)": "refund_year",
    "activities_count()": "contacts",
    "activities_count(90)": "contacts_quarter",
    "activities_count(365)": "contacts_year",
    "open_deals": "open_deals",
    "won_deals": "won_deals",
    "has_tag('key-account')": "key_account",
    "returns_open": "returns_open",
    "orders_in_warranty": "in_warranty",
}
_DAY = "DATE '2026-11-22'"
_QUIET = f"({_DAY} - coalesce(last_activity, created))"
_ORDERED = f"({_DAY} - coalesce(last_order, created))"
_AGE = f"({_DAY} - created)"
_OWNED = f"({_DAY} - owned)"

# Rank: what is ranked, the currency that must be one, and whether it is a quintile.
_RANKS = {
    "recency": (_ORDERED, None),
    "frequency": ("orders", None),
    "money": ("CAST(amount AS DECIMAL(18,4))", "amount"),
    "contact": ("contacts", None),
    "margin": ("CAST(amount - refund AS DECIMAL(18,4))", "amount"),
    "abc_year": ("CAST(amount_year AS DECIMAL(18,4))", "amount_year"),
    "abc": ("CAST(amount AS DECIMAL(18,4))", "amount"),
}
# By number: the policy's own three, and of those that the product adds the four whose facts are
# there. They hold only where that is known, which it is of every order, return and deal here.
_PROTECTIONS = {
    0: "key_account",
    1: "open_deals > 0",
    2: f"{_OWNED} < 14",
    3: "last_order IS NOT NULL",
    5: "returns_open > 0",
    6: "in_warranty > 0",
    9: "won_deals > 0",
}

_VOIDS = (
    f"{_QUIET} >= 640 AND orders_year = 0",
    f"(CASE WHEN known THEN phone IS NULL END) AND {_QUIET} >= 420",
    "last_order IS NULL AND contacts_year >= 16",
    "orders = 0 AND contacts_quarter >= 7 AND won_deals = 0",
    "returned_year >= 5 AND orders_year < 4",
    "refund_year > amount_year * 4 + 0 AND orders > 5",
    "region = '西' AND amount < 40 AND orders BETWEEN 1 AND 2",
    f"amount <= {{money[0]}} AND contacts <= {{contact[0]}} AND {_ORDERED} > 900",
    f"orders < 2 AND {_ORDERED} > 1010 AND industry IN ('制造', '零售')",
    f"{_AGE} > 1450 AND contacts_year < 2",
    f"({_DAY} - coalesce(greatest(last_order, last_activity), created)) > 330",
    f"{_OWNED} < 40 AND {_QUIET} > 360",
)
_A_YEAR, _B_YEAR = "amount_year >= {abc_year[0]}", "amount_year >= {abc_year[1]}"
_TIERS = (
    (f"{_ORDERED} <= {{recency[0]}} AND orders > {{frequency[3]}} AND amount > {{money[3]}} "
     "AND orders > 16",
     f"{_ORDERED} > {{recency[2]}} AND orders > {{frequency[2]}} AND amount > {{money[3]}} "
     "AND orders > 11"),
    (f"{_A_YEAR} AND orders_year >= 10",
     f"{_B_YEAR} AND NOT {_A_YEAR} AND orders_year >= 5 AND contacts_year > 5"),
    ("amount_quarter * 1.25 > amount_year AND orders_year >= 4 AND amount_quarter > 1500",),
    ("contacts_quarter >= 8", "contacts_quarter = 0 AND contacts_year >= 10"),
    ("CASE WHEN amount_year <> 0 THEN refund_year > amount_year * 2.5 END "
     "AND orders_year >= 2 AND returned_year > 2",),
    ("won_deals >= 4", "open_deals >= 4"),
    (f"amount >= {{abc[0]}} AND {_AGE} > 1380 AND orders > 9",
     "amount < {abc[1]} AND orders > 7"),
    ("amount - refund > {margin[3]} AND returned = 0 AND orders >= 12 AND country = 'CN'",),
)  # fmt: skip

# What each rule looks at, and whether it has a note that has to follow those facts.
_EVIDENCE = (
    ("last_activity created orders_year", True),
    ("phone last_activity created", True),
    ("last_order contacts_year", True),
    ("orders contacts_quarter won_deals", True),
    ("returned_year orders_year", True),
    ("refund_year amount_year orders", True),
    ("region amount orders", False),
    ("amount contacts last_order created", False),
    ("orders last_order created industry", False),
    ("created contacts_year", False),
    ("last_order last_activity created", False),
    ("owned last_activity created", False),
    ("last_order created orders amount", True),
    ("amount_year orders_year contacts_year", True),
    ("amount_quarter amount_year orders_year", False),
    ("contacts_quarter contacts_year", False),
    ("refund_year amount_year orders_year returned_year", True),
    ("won_deals open_deals", False),
    ("amount created orders", True),
    ("amount refund returned orders country", False),
)


def thresholds(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[object, ...]]:
    """The breaks of each rank: four of a quintile, or the least values of A and B. Whole numbers
    are grouped first; amounts hardly repeat, and only the bins in which breaks lie are sorted."""
    currencies = connection.execute(
        "SELECT least(min(cur_amount), min(cur_amount_year), min(cur_refund)) = "
        "greatest(max(cur_amount), max(cur_amount_year), max(cur_refund)) FROM metrics"
    ).fetchone()
    assert currencies == (True,)
    found = {}
    for name, (value, currency) in _RANKS.items():
        known = f"(SELECT {value} AS v FROM metrics WHERE v IS NOT NULL)"
        if name.startswith("abc"):
            query = _ABC.format(known=known)
        elif currency:
            query = _MONEY.format(known=known)
        else:
            query = _WHOLE.format(known=known)
        row = connection.execute(query).fetchone()
        assert row is not None
        found[name] = row
    return found


_FOURS = ", ".join(f"min(CASE WHEN u * 5 >= c * {k} THEN v END)" for k in range(1, 5))
_WHOLE = f"""
SELECT {_FOURS} FROM (SELECT v, sum(n) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING) AS u,
  sum(n) OVER () AS c FROM (SELECT v, count(*) AS n FROM {{known}} GROUP BY v))"""
# The bin of each break, how many values lie below it, and then the break among the bin's own.
_MONEY = f"""
WITH x AS NOT MATERIALIZED (SELECT v, floor(CAST(v AS DOUBLE)) AS bin FROM {{known}}),
bins AS (SELECT bin, n, sum(n) OVER (ORDER BY bin ROWS UNBOUNDED PRECEDING) AS u,
  sum(n) OVER () AS c FROM (SELECT bin, count(*) AS n FROM x GROUP BY bin)),
picked AS (SELECT k, min(bin) AS bin, min(u - n) AS lower, any_value(c) AS c
  FROM bins, (VALUES (1), (2), (3), (4)) f(k) WHERE u * 5 >= c * k GROUP BY k),
found AS (SELECT k, v, c, lower + row_number() OVER (PARTITION BY k ORDER BY v) AS u
  FROM x JOIN picked USING (bin))
SELECT {", ".join(f"min(CASE WHEN k = {k} AND u * 5 >= c * {k} THEN v END)" for k in range(1, 5))}
FROM found"""
_ABC = """
WITH x AS NOT MATERIALIZED (SELECT v, floor(CAST(v AS DOUBLE)) AS bin FROM {known} WHERE v > 0),
bins AS (SELECT bin, sum(s) OVER (ORDER BY bin DESC ROWS UNBOUNDED PRECEDING) - s AS above,
  sum(s) OVER () AS total FROM (SELECT bin, sum(v) AS s FROM x GROUP BY bin)),
picked AS (SELECT k, min(bin) AS bin, max(above) AS higher, any_value(total) AS total
  FROM bins, (VALUES (80), (95)) f(k) WHERE above * 100 < total * k GROUP BY k),
found AS (SELECT k, v, total, higher - v + sum(v) OVER
  (PARTITION BY k ORDER BY v DESC ROWS UNBOUNDED PRECEDING) AS above
  FROM x JOIN picked USING (bin))
SELECT min(CASE WHEN k = 80 AND above * 100 < total * 80 THEN v END),
  min(CASE WHEN k = 95 AND above * 100 < total * 95 THEN v END) FROM found"""


def evaluate(connection: duckdb.DuckDBPyConnection, breaks: Mapping[str, object]) -> None:
    """Fill `hit`: the customers of whom any rule has something to say, with their inputs."""
    stages = [f"CAST({condition} AS TINYINT) AS s_{i}" for i, condition in enumerate(_VOIDS)]
    for place, bands in enumerate(_TIERS, start=len(_VOIDS)):
        cases = " ".join(
            f"WHEN {band} THEN {number} WHEN ({band}) IS NULL THEN NULL"
            for number, band in enumerate(bands, start=1)
        )
        stages.append(f"CAST(CASE {cases} ELSE 0 END AS TINYINT) AS s_{place}")
    shields = [f"({condition}) AS p_{place}" for place, condition in _PROTECTIONS.items()]
    text = ", ".join([*stages, *shields]).format(**breaks)
    speaks = " OR ".join(f"coalesce(s_{place}, 1) > 0" for place in range(len(_EVIDENCE)))
    connection.execute(
        f"CREATE TEMP TABLE hit AS SELECT *, {_first('> 0')} AS first_void, "
        f"{_first('IS NULL')} AS first_doubt FROM "
        f"(SELECT *, {text} FROM metrics) "
        f"WHERE {speaks} OR key IN (SELECT customer FROM open_episodes)"
    )
    connection.execute(
        "CREATE TEMP TABLE shown AS SELECT key, name, version, owner_id, tags, status "
        "FROM customers SEMI JOIN hit USING (key)"
    )


def _first(test: str) -> str:
    cases = " ".join(f"WHEN s_{place} {test} THEN {place}" for place in range(len(_VOIDS)))
    return f"CASE {cases} ELSE 99 END"


_BLOCKED = {
    True: "CASE WHEN p_0 THEN 0 WHEN p_1 THEN 1 WHEN p_2 THEN 2 "
    "WHEN p_3 THEN 3 WHEN p_5 THEN 5 WHEN p_6 THEN 6 WHEN p_9 THEN 9 "
    "WHEN p_0 IS NULL OR p_1 IS NULL OR p_2 IS NULL THEN NULL ELSE -1 END",
    False: "CASE WHEN p_0 THEN 0 WHEN p_0 IS NULL THEN NULL ELSE -1 END",
}


def decide(
    connection: duckdb.DuckDBPyConnection, rules: list[tuple[str, list[tuple[str, str, str]]]]
) -> None:
    """Fill `decided`. `rules`: for each its id, and name, tag and status of its stages."""
    connection.execute(
        "CREATE TEMP TABLE mine AS SELECT coalesce(e.customer, h.customer) AS key, "
        "coalesce(e.rule, h.rule) AS rule, e.number, e.stage AS old_stage, e.evidence_key, h.tags, "
        "h.has_status, h.status, h.status_original, h.marker, h.note_id, h.note "
        "FROM open_episodes e FULL JOIN held h ON e.customer = h.customer AND e.rule = h.rule"
    )
    parts = [_decide_rule(number, *rule) for number, rule in enumerate(rules)]
    connection.execute(f"CREATE TEMP TABLE decided AS {' UNION ALL '.join(parts)}")


def _decide_rule(number: int, rule: str, stages: list[tuple[str, str, str]]) -> str:
    is_void = number < len(_VOIDS)
    stage = (
        f"CASE WHEN first_void < {number} THEN 0 WHEN s_{number} > 0 AND first_doubt < {number} "
        f"AND ({_BLOCKED[is_void]} >= 0) IS NOT TRUE THEN NULL ELSE s_{number} END"
        if is_void
        else f"s_{number}"
    )
    columns, note = _EVIDENCE[number]
    texts = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '')" for name in columns.split())
    fresh = f"md5(concat_ws(chr(31), {texts}))"
    tags = [tag for _, tag, _ in stages]
    foreign = " OR ".join(
        f"(list_contains(c.tags, '{tag}') AND NOT coalesce(list_contains(m.tags, '{tag}'), FALSE))"
        for tag in tags
    )
    gone = " OR ".join(
        f"(list_contains(m.tags, '{tag}') AND NOT list_contains(c.tags, '{tag}'))" for tag in tags
    )
    name, tag, status = (
        "CASE t.stage "
        + " ".join(f"WHEN {i} THEN {_text(v)}" for i, v in enumerate(values, 1))
        + " END"
        for values in zip(*stages, strict=True)
    )
    stale = f"OR m.marker IS NULL OR m.evidence_key <> {fresh}" if note else ""
    return f"""
SELECT * REPLACE (CASE WHEN decision = 'protected' THEN blocked END AS blocked)
FROM (SELECT t.key, {number} AS rule, t.stage, t.blocked, m.number IS NULL AS entering,
  CASE
  WHEN t.stage = 0 THEN CASE WHEN m.number IS NOT NULL THEN 'change' END
  WHEN t.blocked >= 0 THEN CASE WHEN t.stage > 0 THEN 'protected' END
  WHEN t.stage IS NULL OR t.blocked IS NULL THEN 'undecided'
  WHEN {foreign} THEN 'foreign'
  WHEN m.number IS NULL THEN 'change'
  WHEN {gone} OR (m.has_status AND c.status IS DISTINCT FROM m.status) THEN 'overruled'
  WHEN m.old_stage <> {name} OR NOT coalesce(list_contains(coalesce(m.tags, []), {tag}), TRUE)
    OR (m.has_status IS NOT TRUE AND {status} IS NOT NULL AND c.status IS DISTINCT FROM {status})
    {stale} THEN 'change' END AS decision
FROM (SELECT *, {stage} AS stage, {_BLOCKED[is_void]} AS blocked FROM hit) t
JOIN shown c USING (key)
LEFT JOIN mine m ON m.key = t.key AND m.rule = '{rule}'
WHERE t.stage IS NULL OR t.stage > 0 OR m.number IS NOT NULL) WHERE decision IS NOT NULL"""


def _text(value: str) -> str:
    return f"'{value}'" if value else "NULL"


def evidence(
    connection: duckdb.DuckDBPyConnection, rules: list[str]
) -> Iterator[tuple[tuple[object, ...], tuple[tuple[str, object], ...]]]:
    """Each row with what the CRM shows and we hold there, and its facts by name."""
    columns = ", ".join(f"t.{name}" for name in dict.fromkeys(NAMES.values()))
    ids = ", ".join(f"({number}, '{rule}')" for number, rule in enumerate(rules))
    crowded = connection.execute(
        "SELECT rule FROM decided WHERE decision <> 'change' "
        f"GROUP BY rule, decision HAVING count(*) > {LISTED}"
    ).fetchone()
    crowd = _FIRST if crowded else ""
    connection.execute(
        "CREATE TEMP TABLE told AS SELECT d.*, c.name, c.version, c.owner_id, c.tags, c.status, "
        "m.* EXCLUDE (key, rule, tags, status), m.tags AS held_tags, m.status AS held_status, "
        f"x.closed, t.known, {columns} FROM decided d JOIN (VALUES {ids}) r(number, id) "
        "ON r.number = d.rule JOIN hit t ON t.key = d.key JOIN shown c ON c.key = d.key "
        "LEFT JOIN mine m ON m.key = d.key AND m.rule = r.id "
        f"LEFT JOIN closed_episodes x ON x.customer = d.key AND x.rule = r.id{crowd}"
    )
    for number in range(len(rules)):
        names = _EVIDENCE[number][0].split()
        result = connection.execute(
            "SELECT key, decision, stage, blocked, name, version, owner_id, tags, status, number, "
            "old_stage, evidence_key, closed, held_tags, has_status, held_status, status_original, "
            f"marker, note_id, note, {', '.join(names)} FROM told WHERE rule = {number} "
            "ORDER BY decision, key"
        )
        while rows := result.fetchmany(2_000):
            for row in rows:
                yield row[:20], tuple(zip(names, row[20:], strict=True))


# Rows that change nothing are listed up to here for each rule and decision, as the product does.
LISTED = 10_000
_FIRST = (
    " QUALIFY d.decision = 'change' OR "
    f"row_number() OVER (PARTITION BY d.rule, d.decision ORDER BY d.key) <= {LISTED}"
)


def evidence_sums(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """For each rule: rows, and a sum over what was decided and over the facts behind it."""
    return [
        (number, *row)
        for number, (columns, _) in enumerate(_EVIDENCE)
        for row in connection.execute(
            "SELECT count(*), sum(hash(key, CAST(stage AS SMALLINT), decision, "
            "CAST(blocked AS SMALLINT), entering)), "
            f"sum(hash(key, {', '.join(columns.split())})) FROM told WHERE rule = {number} "
            "HAVING count(*) > 0"
        ).fetchall()
    ]
