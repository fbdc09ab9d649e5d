"""The product's evaluation beside the best hand-written SQL for the same rules, in one run.

    python benchmarks/evaluate.py [--customers 100000 1000000] [--rules 20 100 300] [--json]

Every figure comes from a process of its own, on two cores with two threads. What is compared is
checked first: equal counts and checksums for each rule, or the run stops.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import duckdb
import evaluate_by_hand as by_hand
from evaluate_meter import Figures, Meter, peak_mb
from evaluate_world import (
    AS_OF,
    RULES_PER_BLOCK,
    STANDING,
    World,
    build_world,
    compiled_evaluation,
    thresholds,
)

from adapters.zoho.batches import lower
from connector.journal import Journal
from connector.plan_model import Plan, PlanHeader
from connector.plan_rows import (
    PlanContext,
    RuleRows,
    gather_actions,
    rule_batches,
    show_customers,
)
from connector.warehouse import Warehouse
from policies.evaluation.compile_sql import CompiledEvaluation
from policies.lifecycle import action_statements
from policies.model import Policy

REPEATS = 3
STORE_TURNS = 7  # a difference of two figures: each must have met a quiet moment
MEMORY_VARIABLE = "HIGHSEAS_BENCH_MEMORY"  # a DuckDB size, instead of the product's own limit
BARS = {"facts_mb": 750, "ratio": 1.3, "product_mb": 400, "us_a_row": 40}


@contextmanager
def opened(world: World, *, prepared: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse as the product opens it, with two threads. `prepared`: the inputs, and what
    stands by our own hand, as tables on disk."""
    with Warehouse(world).reading() as connection:
        connection.execute("SET threads = 2")
        if limit := os.environ.get(MEMORY_VARIABLE):
            connection.execute(f"SET memory_limit = '{limit}'")
        if prepared:
            connection.execute(f"ATTACH '{world.prepared}' AS prepared (READ_ONLY)")
            for table in ("inputs", *STANDING):
                connection.execute(f"CREATE TEMP VIEW {table} AS FROM prepared.{table}")
        yield connection


def facts(world: World, _rules: int) -> Figures:
    """From facts to inputs."""
    with opened(world, prepared=False) as connection:
        meter = Meter()
        compiled = compiled_evaluation(connection, world.policy())
        for statement in compiled.inputs_statements:
            connection.execute(statement)
        meter.lap("inputs")
        return meter.result()


def product(world: World, rules: int) -> Figures:
    """From inputs to every row's structured evidence, as `highseas plan` does it."""
    policy = world.policy(rules)
    with opened(world, prepared=True) as connection:
        meter = Meter()
        compiled = compiled_evaluation(connection, policy)
        meter.lap("compile")
        breaks = thresholds(connection, compiled)
        meter.lap("thresholds")
        connection.execute(compiled.findings_sql(breaks, STANDING[0]))
        meter.lap("findings")
        show_customers(connection)
        for statement in action_statements(policy):
            connection.execute(statement)
        meter.lap("actions")
        judged = connection.execute("SELECT count(*) FROM actions").fetchall()[0][0]
        meter.pause()
        rows = 0
        sums: list[tuple[object, ...]] = []
        for numbers in rule_batches(connection):
            gather_actions(connection, compiled, numbers)
            meter.lap("gather")
            for number in numbers:
                reader = RuleRows(_context(policy), compiled, number, policy.rules[number])
                rows += sum(1 for _ in reader.evidence(connection))
            meter.lap("evidence")
            sums += _sums(connection, numbers, compiled)
            meter.pause()
        return meter.result() | {"rows": rows, "judged": judged, "sums": sums}


def _context(policy: Policy) -> PlanContext:
    adapter: Any = SimpleNamespace(lower=lower)
    return PlanContext(adapter, "bench", policy, AS_OF, "zh-CN", "Stage")


def _sums(
    connection: duckdb.DuckDBPyConnection, numbers: list[int], compiled: CompiledEvaluation
) -> Iterator[tuple[object, ...]]:
    for number in numbers:
        rule = compiled.plan.policy.rules[number]
        columns = ", ".join(item.column for item in compiled.plan.evidence_inputs(rule.id))
        row = connection.execute(
            "SELECT count(*), sum(hash(key, stage, status, blocked, entering)), "
            f"sum(hash(key, {columns})) FROM listed WHERE rule = {number}"
        ).fetchone()
        assert row is not None
        yield number, *row


def hand(world: World, _rules: int) -> Figures:
    """The same by hand."""
    policy = world.policy()
    rules = [
        (rule.id, [(item.name, item.tag or "", item.status or "") for item in rule.stages])
        for rule in policy.rules
    ]
    with opened(world, prepared=True) as connection:
        _show_metrics(connection, compiled_evaluation(connection, policy))
        meter = Meter()
        breaks = by_hand.thresholds(connection)
        meter.lap("thresholds")
        by_hand.evaluate(connection, breaks)
        meter.lap("findings")
        by_hand.decide(connection, rules)
        meter.lap("actions")
        rows = sum(1 for _ in by_hand.evidence(connection, [rule for rule, _ in rules]))
        meter.lap("evidence")
        return meter.result() | {"rows": rows, "sums": by_hand.evidence_sums(connection)}


def _show_metrics(connection: duckdb.DuckDBPyConnection, compiled: CompiledEvaluation) -> None:
    """The product's inputs under the names that the hand-written SQL uses."""
    columns = ["key", "h AS known"]
    seen: set[str] = set()
    for item in compiled.plan.inputs:
        name = by_hand.NAMES.get(item.name)
        # of a source that was never pulled, or once more as a protection of the product asks it
        if name is None or name in seen:
            continue
        seen.add(name)
        columns.append(f"{item.column} AS {name}")
        if item.currency:
            columns.append(f"{item.currency_column} AS cur_{name}")
    connection.execute(f"CREATE TEMP VIEW metrics AS SELECT {', '.join(columns)} FROM inputs")


def store(world: World, _rules: int) -> Figures:
    """Rows of a plan: notes rendered, hashed and stored. What it takes to fetch the evidence is
    measured apart; the least CPU of several turns counts for both."""
    policy = world.policy()
    fetching, storing = [], []
    with opened(world, prepared=True) as connection:
        compiled = compiled_evaluation(connection, policy)
        breaks = thresholds(connection, compiled)
        connection.execute(compiled.findings_sql(breaks, STANDING[0]))
        show_customers(connection)
        for statement in action_statements(policy):
            connection.execute(statement)
        before = 0.0
        for _ in range(STORE_TURNS):
            meter = Meter()
            fetched = sum(
                1
                for reader in _readers(policy, compiled, connection, meter, "evidence")
                for _ in reader.evidence(connection)
            )
            meter.lap("evidence")
            before = before or peak_mb()
            plan = _stored(policy, compiled, connection, meter)
            fetching.append(meter.laps["evidence"]["cpu"])
            storing.append(meter.laps["store"]["cpu"])
    own = min(storing) - min(fetching)
    return meter.result() | {
        "rows": fetched,
        "changes": plan.changes,
        "us_a_row": 1e6 * own / fetched,
        "us_a_changed_row": 1e6 * own / plan.changes,
        "grown_mb": peak_mb() - before,
    }


def _readers(
    policy: Policy,
    compiled: CompiledEvaluation,
    connection: duckdb.DuckDBPyConnection,
    meter: Meter,
    lap: str,
) -> Iterator[RuleRows]:
    """Rule by rule; what gathering takes is no part of the lap."""
    for numbers in rule_batches(connection):
        meter.lap(lap)
        gather_actions(connection, compiled, numbers)
        meter.lap("gather")
        for number in numbers:
            yield RuleRows(_context(policy), compiled, number, policy.rules[number])


def _stored(
    policy: Policy,
    compiled: CompiledEvaluation,
    connection: duckdb.DuckDBPyConnection,
    meter: Meter,
) -> Plan:
    """The plan, in a journal of its own."""
    header = PlanHeader("bench", "", policy.hash, 0, (), "zh-CN")
    sequence = count()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        with Journal.open(path, now=partial(datetime.now, UTC)) as journal:
            meter.lap("open")
            rows = (
                row
                for reader in _readers(policy, compiled, connection, meter, "store")
                for row in reader.rows(connection, sequence)
            )
            plan = journal.store_plan(header, rows)
            meter.lap("store")
    return plan


def world(place: World, customers: int) -> Figures:
    """Make it."""
    return dict(build_world(place, customers))


ROLES: dict[str, Callable[[World, int], Figures]] = {
    role.__name__: role for role in (world, facts, product, hand, store)
}


def _child(role: str, folder: Path, number: int = RULES_PER_BLOCK) -> Figures:
    own = [sys.executable, str(Path(__file__).resolve()), "--role", role]
    command = [*own, "--world", str(folder), "--rules", str(number)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(answer.stdout)
    return figures


def _best(runs: list[Figures]) -> Figures:
    """The run that was disturbed least."""
    return min(runs, key=lambda run: float(run["wall"]))


def measure(folder: Path, customers: int, rules: list[int], repeats: int) -> Figures:
    """All figures of one world; the two sides take turns."""
    place = World(folder / str(customers))
    made = _child("world", place.folder, customers)
    metrics = _child("facts", place.folder)
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(_child("hand", place.folder))
        ours.append(_child("product", place.folder))
    for side in (*ours, *theirs):
        assert side["sums"] == ours[0]["sums"], "the two sides do not agree"
    best, by_them = _best(ours), _best(theirs)
    growth = {
        number: _child("product", place.folder, number)
        for number in rules
        if number != RULES_PER_BLOCK
    } | {RULES_PER_BLOCK: best}
    for figures in (best, by_them, *growth.values()):
        figures.pop("sums", None)
    return {
        "customers": customers,
        "facts": sum(made[fact] for fact in ("orders", "activities", "deals", "returns")),
        "open_episodes": made["open_episodes"],
        "metrics": metrics,
        "product": best,
        "hand": by_them,
        "ratio": best["wall"] / by_them["wall"],
        "cpu_ratio": min(run["cpu"] for run in ours) / min(run["cpu"] for run in theirs),
        "store": _child("store", place.folder),
        "growth": {number: growth[number] for number in sorted(growth)},
    }


def _line(name: str, value: float, bar: float | None, unit: str) -> str:
    verdict = ""
    if bar is not None:
        missed = f"missed by {value - bar:.2f}"
        verdict = f"bar <= {bar:<6} {'met' if value <= bar else missed}"
    return f"  {name:<46} {value:>9.2f} {unit:<4} {verdict}"


def show(figures: Figures) -> None:
    """The table of one world."""
    whole = figures["customers"] >= 1_000_000
    ours, theirs, stored = figures["product"], figures["hand"], figures["store"]
    print(
        f"{figures['customers']:,} customers, {figures['facts']:,} facts, "
        f"{figures['open_episodes']:,} open episodes, {ours['rows']:,} rows, both sides agree"
    )
    lines = [
        ("product / hand-written, wall", figures["ratio"], BARS["ratio"], ""),
        ("product / hand-written, CPU", figures["cpu_ratio"], BARS["ratio"], ""),
        ("product, peak memory", ours["peak_mb"], BARS["product_mb"], "MB"),
        ("hand-written, peak memory", theirs["peak_mb"], None, "MB"),
        ("product", ours["wall"], None, "s"),
        *((f"  {name}", lap["wall"], None, "s") for name, lap in ours["laps"].items()),
        ("hand-written", theirs["wall"], None, "s"),
        *((f"  {name}", lap["wall"], None, "s") for name, lap in theirs["laps"].items()),
        ("facts to metrics, peak memory", figures["metrics"]["peak_mb"], BARS["facts_mb"], "MB"),
        ("facts to metrics, wall", figures["metrics"]["wall"], None, "s"),
        ("facts to metrics, CPU", figures["metrics"]["cpu"], None, "s"),
        ("render, hash, store: CPU a row of the plan", stored["us_a_row"], None, "us"),
        ("render, hash, store: a changed row", stored["us_a_changed_row"], BARS["us_a_row"], "us"),
        ("memory grown while storing", stored["grown_mb"], None, "MB"),
    ]
    memory_bars = {"product, peak memory", "facts to metrics, peak memory"}
    for name, value, bar, unit in lines:
        print(_line(name, value, bar if whole or name not in memory_bars else None, unit))
    for number, run in figures["growth"].items():
        laps = {name: 1e3 * lap["wall"] for name, lap in run["laps"].items()}
        by_answer = 1e3 * laps["actions"] / max(1, run["judged"])
        by_row = 1e3 * (laps["gather"] + laps["evidence"]) / max(1, run["rows"])
        print(
            f"  {number:>4} rules: compile {laps['compile']:4.0f} ms, thresholds "
            f"{laps['thresholds']:4.0f} ms, findings {laps['findings'] / number:5.1f} ms a rule, "
            f"{run['judged']:,} actions at {by_answer:.2f} us, {run['rows']:,} rows at "
            f"{by_row:.1f} us, {run['wall']:.2f} s, {run['peak_mb']:.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rules", type=int, nargs="+", default=[RULES_PER_BLOCK])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--folder", type=Path, help="where to make the worlds, and leave them")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--role", choices=sorted(ROLES), help=argparse.SUPPRESS)
    parser.add_argument("--world", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        if options.role != "world":
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
        print(json.dumps(ROLES[options.role](World(options.world), options.rules[0])))
        return
    with tempfile.TemporaryDirectory(prefix="highseas-") as folder:
        place = options.folder or Path(folder)
        runs = []
        for customers in options.customers:
            runs.append(measure(place, customers, options.rules, options.repeats))
            if not options.json:
                show(runs[-1])
    if options.json:
        print(json.dumps({"bars": BARS, "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
