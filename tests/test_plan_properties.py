"""What holds of every plan, from a pull to what would be written: order never matters, the past
stays as it was, and protections add nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.moment import AsOf
from tests.fact_shop import ZONE, FactShop
from tests.policies.random_policies import Parts, reordered

SEEDS = st.integers(0, 9_999)
quick = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))

POLICY: Parts = {
    "policy": 2,
    "name": "shop",
    "fields": {"Size": "number"},
    "params": {"quiet_days": 60, "size": 3},
    "define": {
        "silent": "days_since(last_activity_at) >= $quiet_days",
        "big": "field('Size') > $size",
    },
    "group": ["orders"],
    "money": {"base": "CNY", "rates": [{"currency": "EUR", "date": "2020-01-01", "rate": 8}]},
    "protect": [
        {"id": "key", "when": "region = 'key'", "from": ["void", "cleanout", "tier"]},
        {
            "id": "good",
            "when": "attitude = 'good' AND NOT do_not_contact",
            "from": ["pool", "task"],
        },
        {"id": "new", "when": "days_since(owned_since) < 3 OR owner_absent", "from": ["pool"]},
    ],
    "pools": {"people": {"when": "party = 'person'"}, "others": {"when": "party = 'company'"}},
    "rules": [
        {
            "void": "lost",
            "reason": "lost_contact",
            "when": "silent OR NOT phone_valid",
            "mark": {"tag": "lost", "status": "void"},
            "note": True,
        },
        {
            "pool": "unworked",
            "when": "NOT big OR owner_active",
            "mark": {"tag": "pool"},
            "note": True,
        },
        {
            "cleanout": "costly",
            "when": "complaints_count() > orders_count() OR has_tag('x')",
            "mark": {"tag": "costly"},
        },
        {
            "task": "call",
            "when": "silent AND industry = 'a'",
            "mark": {"tag": "call"},
            "note": True,
        },
        {
            "defect": "late",
            "axis": "conduct",
            "when": "invoices_overdue > 0",
            "mark": {"tag": "late"},
        },
        {
            "task": "deal",
            "when": "open_deals > 0 AND owner_department = 'a'",
            "mark": {"tag": "deal"},
        },
        {
            "tier": "value",
            "note": True,
            "bands": [
                {"name": "A", "when": "quintile(orders_amount()) >= 4", "mark": {"tag": "A"}},
                {"name": "B", "when": "deals_won() > 0 OR big", "mark": {"tag": "B"}},
                {"name": "C", "when": "else", "mark": {"tag": "C"}},
            ],
        },
        {
            "tier": "size",
            "bands": [
                {"name": "small", "when": "NOT big", "mark": {"tag": "small"}},
                {"name": "large", "when": "tier('value') <> 'A'", "mark": {"tag": "large"}},
            ],
        },
    ],
}


@contextmanager
def shop_of(seed: int, parts: Parts = POLICY) -> Iterator[FactShop]:
    """A workspace after a few months: some rules hold some customers already."""
    with tempfile.TemporaryDirectory() as folder:
        shop = FactShop(Path(folder), json.dumps(parts), seed)
        shop.settle(22)
        shop.later(days=90)
        shop.happen(45, back_days=89)
        shop.later(days=1)
        assert shop.go().complete
        shop.later(days=1)
        shop.move_on()
        shop.later(days=1)
        yield shop


def test_the_story_has_every_kind_of_row() -> None:
    found = set()
    for seed in range(1, 7):
        with shop_of(seed) as shop:
            found |= {(row.kind, row.status.value) for row in shop.rows(shop.plan())}
    assert {kind for kind, status in found if status == "change"} >= {"tier", "task", "void"}
    assert {status for _, status in found} >= {"change", "protected", "undecided"}


@quick
@given(SEEDS, SEEDS)
def test_pages_in_any_order_and_of_any_size_make_the_same_plan(seed: int, order: int) -> None:
    with shop_of(seed) as shop:
        before = shop.plan()
        rows = shop.written(before)
        shop.shuffled = order
        with tempfile.TemporaryDirectory() as folder:
            shop.workspace.warehouse_path.rename(Path(folder) / "warehouse")
            after = shop.plan()
        assert shop.written(after) == rows
        assert after.fingerprint == before.fingerprint


@quick
@given(SEEDS, SEEDS)
def test_rules_in_any_order_of_one_precedence_write_the_same(seed: int, order: int) -> None:
    with shop_of(seed) as shop:
        before = shop.written(shop.plan())
        parts = reordered(POLICY, order)
        pools = list(POLICY["pools"].items())
        shop.write_policy(json.dumps({**parts, "pools": dict(reversed(pools))}))
        assert shop.written(shop.plan()) == before


@quick
@given(
    SEEDS,
    st.sampled_from(["big", "industry = 'b'", "never(last_order_at)", "NOT owner_active"]),
    st.sampled_from(["pool", "void", "cleanout", "task", "defect", "tier"]),
)
def test_a_protection_more_writes_nothing_more(seed: int, when: str, kind: str) -> None:
    with shop_of(seed) as shop:
        before = shop.written(shop.plan())
        shield = {"id": "another", "when": when, "from": [kind]}
        protect = [shield, *POLICY["protect"]]
        shop.write_policy(json.dumps({**POLICY, "protect": protect}))
        after = shop.plan()
        more = {row for row in shop.written(after) - before if row[2] == "change"}
        assert more == set()
        place = len(POLICY["rules"])  # the findings of protections stand behind those of rules
        findings = shop.findings(shop.today).items()
        kept = {customer for customer, found in findings if found[place] is not False}
        rows = [row for row in shop.rows(after) if row.status == "change" and row.kind == kind]
        inside = [row for row in rows if row.stage_after is not None]
        assert kept.isdisjoint(row.customer for row in inside)


@settings(quick, max_examples=2)
@given(SEEDS)
def test_a_past_moment_is_decided_from_what_was_seen_before_it_and_from_nothing_later(
    seed: int,
) -> None:
    """Seen: the pull half an hour before each midnight, of which the day to come is decided."""
    with shop_of(seed) as shop:
        decided: dict[AsOf, tuple[object, object]] = {}
        for _ in range(4):
            shop.wait_until(hour=23, minute=30)
            coming = AsOf.midnight(shop.today.day + timedelta(days=1), ZONE)
            plan = shop.plan(as_of=coming.day.isoformat())
            matched = [(count.rule, count.matched) for count in plan.header.rules]
            decided[coming.replayed] = (shop.findings(coming), matched)
            shop.later(minutes=shop.chance.choice([31, 40, 600, 2400]))
            shop.move_on()
            shop.plan()
            shop.later(minutes=5)
            shop.move_on()
            for as_of, (findings, _) in decided.items():
                assert shop.findings(as_of) == findings
        shop.later(days=1)
        for as_of, (_, matched) in decided.items():
            again = shop.plan(as_of=as_of.day.isoformat())
            assert [(count.rule, count.matched) for count in again.header.rules] == matched
        assert len({str(found) for found in decided.values()}) > 1, "something did happen"
