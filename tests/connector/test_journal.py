"""The journal keeps what it was told: runs, plans, approvals, receipts, holdings, episodes."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_mock_engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from connector import journal_intents
from connector.errors import ConfigurationError, HighseasError, RefusedError
from connector.journal import Journal
from connector.journal_bulk import GROUP, NAMES, compiled_insert, driver_calls
from connector.journal_model import Claim, Sending
from connector.journal_schema import REVISION, _listen, metadata
from connector.models import Outcome, OutcomeStatus, StepKind
from connector.plan_model import PlanRow, RowStatus
from tests.connector.journal_world import Desk, field, note, rule_count, tag


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield made


def _rows(desk: Desk, count: int) -> list[PlanRow]:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"))
    return [msgspec.structs.replace(row, seq=seq, intent_id=f"i{seq}") for seq in range(count)]


def _tamper(desk: Desk, statement: str) -> None:
    with sqlite3.connect(desk.path) as connection:
        connection.execute(statement)
    connection.close()


def test_the_file_is_for_its_owner_alone(desk: Desk) -> None:
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600


def test_commits_survive_a_power_cut(desk: Desk) -> None:
    with desk.journal._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_migrations_make_exactly_the_tables_that_the_code_uses(desk: Desk) -> None:
    with desk.journal._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_tables_and_queries_hold_for_postgresql(desk: Desk) -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
    assert "BIGSERIAL" in str(CreateTable(metadata.tables["intents"]).compile(dialect=dialect))
    groups = select(journal_intents._groups(1)).compile(dialect=dialect)
    assert "GROUP BY" in str(groups)


def test_another_database_gets_no_sqlite_set_up() -> None:
    # A mock engine refuses listeners, so that trying would fail.
    mock = create_mock_engine("postgresql+psycopg://", lambda *_: None)
    _listen(cast("Engine", mock))


def test_bulk_rows_take_the_form_of_the_drivers_placeholders() -> None:
    record = tuple(NAMES)
    ((statement, values),) = driver_calls(compiled_insert(postgresql.dialect()), [record])
    assert values == [{name: name for name in NAMES}]
    assert all(f"%({name})s" in statement for name in NAMES)


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (GROUP, [1]), (2 * GROUP + 3, [2, 3])])
def test_bulk_rows_by_position_go_many_a_statement(rows: int, sizes: list[int]) -> None:
    calls = list(driver_calls(compiled_insert(sqlite.dialect()), [tuple(NAMES)] * rows))
    assert [len(values) for _, values in calls] == sizes
    for statement, values in calls:
        assert all(statement.count("?") == len(item) for item in values)
    assert sum(len(item) for _, values in calls for item in values) == rows * len(NAMES)


def test_a_journal_is_opened_again_as_it_was(desk: Desk) -> None:
    run_id = desk.journal.begin_run("pull")
    desk.journal.close()
    with Journal.open(desk.path, now=desk.clock) as again:
        assert [run.id for run in again.runs()] == [run_id]


def test_a_url_opens_a_journal_too(tmp_path: Path, desk: Desk) -> None:
    with Journal.open(f"sqlite:///{tmp_path / 'other.sqlite'}", now=desk.clock) as journal:
        assert journal.runs() == []


def test_a_newer_journal_is_refused_and_left_alone(desk: Desk) -> None:
    desk.journal.close()
    _tamper(desk, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RefusedError, match=f"format 9999.*up to {REVISION}") as caught:
        Journal.open(desk.path, now=desk.clock)
    assert "upgrade highseas" in caught.value.hint


def test_a_journal_of_the_first_format_is_read_on(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "older.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((Path(__file__).parent / "journals" / "0001.sql").read_text("utf-8"))
    connection.close()
    with Journal.open(path, now=desk.clock) as journal:
        plan = journal.plan()
        journal.verify(plan.id)
        rows = list(journal.rows(plan.id))
        assert [(row.customer, row.status) for row in rows] == [
            ("Accounts:1", RowStatus.CHANGE),
            ("Accounts:2", RowStatus.UNDECIDED),
        ]
        run = journal.runs()[0]
        written = [each.primitive.target for each in journal.confirmed(run.id)]
        assert written == ["AAAA", "asleep"]
        with journal._engine.connect() as upgraded:
            assert compare_metadata(MigrationContext.configure(upgraded), metadata) == []


def test_a_failed_migration_leaves_no_half_a_journal(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "half.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE holdings (mine TEXT)")
    connection.close()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Journal.open(path, now=desk.clock)
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("holdings",)]


def test_a_file_that_is_no_journal_is_named(tmp_path: Path, desk: Desk) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(ConfigurationError, match=r"letter\.txt cannot be used"):
        Journal.open(path, now=desk.clock)


@pytest.mark.parametrize("url", ["nonsense://here", "postgresql+nodriver://user@host/db"])
def test_a_url_without_a_driver_says_what_to_install(url: str, desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened") as caught:
        Journal.open(url, now=desk.clock)
    assert "highseas[postgres]" in caught.value.hint
    assert "user" not in caught.value.message


# Runs


def test_a_run_is_told_from_begin_to_end(desk: Desk) -> None:
    run_id = desk.journal.begin_run("apply", "p0001")
    begun = desk.journal.run(run_id)
    assert (begun.kind, begun.plan_id, begun.status) == ("apply", "p0001", "running")
    assert begun.ended_at is None
    desk.clock.advance(5)
    desk.journal.end_run(run_id, "done", {"done": 3})
    ended = desk.journal.run(run_id)
    assert (ended.status, ended.summary) == ("done", {"done": 3})
    assert ended.ended_at == begun.started_at + timedelta(seconds=5)


def test_runs_of_one_second_differ_and_sort_by_time(desk: Desk) -> None:
    ids = [desk.journal.begin_run("pull") for _ in range(3)]
    assert sorted(set(ids)) == ids
    assert [run.id for run in desk.journal.runs(limit=2)] == [ids[2], ids[1]]


def test_a_unique_beginning_names_a_run(desk: Desk) -> None:
    first = desk.journal.begin_run("pull")
    desk.clock.advance(86_400)
    second = desk.journal.begin_run("pull")
    assert desk.journal.run(first[:8]).id == first
    assert desk.journal.run(second[:8]).id == second
    with pytest.raises(ConfigurationError, match="2 or more runs begin with"):
        desk.journal.run("2026")


@pytest.mark.parametrize("wanted", ["20260101-000000-0009", "zzz", "%", ""])
def test_an_unknown_run_names_the_nearest(desk: Desk, wanted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        desk.journal.run(wanted)
    assert caught.value.hint == "nothing was recorded here yet"
    known = desk.journal.begin_run("pull")
    with pytest.raises(ConfigurationError) as caught:
        desk.journal.run(wanted)
    assert known in caught.value.hint


# Plans


def test_a_plan_comes_back_row_by_row(desk: Desk) -> None:
    rows = _rows(desk, 2_500)
    plan = desk.journal.store_plan(desk.header(), iter(rows))
    assert list(desk.journal.rows(plan.id)) == rows
    assert list(desk.journal.rows(plan.id, after=2_497)) == rows[-2:]
    assert (plan.changes, plan.primitives, plan.applied) == (2_500, 2_500, False)
    assert desk.journal.plan() == desk.journal.plan(plan.id) == plan


def test_rows_of_one_status_come_alone(desk: Desk) -> None:
    rows = _rows(desk, 3)
    rows[1] = msgspec.structs.replace(rows[1], status=RowStatus.UNDECIDED, primitives=())
    plan = desk.plan(*rows)
    assert list(desk.journal.rows(plan.id, status=RowStatus.UNDECIDED)) == [rows[1]]
    assert plan.changes == 2


def test_rows_of_tripped_rules_are_kept_and_not_counted(desk: Desk) -> None:
    rows = _rows(desk, 3)
    plan = desk.plan(*rows, rules=(rule_count("sleeping", tripped="3 of 10"),))
    assert (plan.changes, plan.primitives) == (0, 0)
    assert len(list(desk.journal.rows(plan.id))) == 3


def test_equal_plans_have_equal_fingerprints_and_ids_of_their_own(desk: Desk) -> None:
    rows = _rows(desk, 3)
    first, second = desk.plan(*rows), desk.plan(*rows)
    assert first.fingerprint == second.fingerprint
    assert first.id != second.id
    assert desk.plan(*rows[:2]).fingerprint != first.fingerprint
    assert desk.plan(*rows, as_of="2026-02-02").fingerprint != first.fingerprint


def test_a_plan_that_breaks_off_leaves_nothing(desk: Desk) -> None:
    rows = _rows(desk, 2_001)
    with pytest.raises(ValueError, match="out of order: 0 after 2000"):
        desk.journal.store_plan(desk.header(), [*rows, rows[0]])
    with pytest.raises(ConfigurationError, match="there is no plan yet"):
        desk.journal.plan()


def test_an_unknown_plan_is_named(desk: Desk) -> None:
    plan = desk.plan(*_rows(desk, 1))
    with pytest.raises(ConfigurationError, match="there is no plan 'p0002'") as caught:
        desk.journal.plan("p0002")
    assert plan.id in caught.value.hint
    assert desk.journal.plan("p0001") == plan


def test_cost_is_no_part_of_the_fingerprint(desk: Desk) -> None:
    plan = desk.plan(*_rows(desk, 1))
    desk.journal.set_plan_cost(plan.id, calls=7, cost=9)
    priced = desk.journal.plan(plan.id)
    assert (priced.calls, priced.cost) == (7, 9)
    assert priced.fingerprint == plan.fingerprint
    desk.journal.verify(plan.id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plan_rows SET body = CAST(replace(body, 'asleep', 'awake!') AS BLOB) WHERE seq = 1",
        "DELETE FROM plan_rows WHERE seq = 1",
        "UPDATE plans SET header = CAST(replace(header, '2026-01-01', '2026-01-02') AS BLOB)",
    ],
)
def test_an_altered_plan_is_refused(desk: Desk, statement: str) -> None:
    plan = desk.plan(*_rows(desk, 3))
    desk.journal.verify(plan.id)
    _tamper(desk, statement)
    with pytest.raises(RefusedError, match="was altered") as caught:
        desk.journal.verify(plan.id)
    assert plan.fingerprint[:12] in caught.value.message


def test_an_approval_is_for_exactly_one_fingerprint(desk: Desk) -> None:
    plan = desk.plan(*_rows(desk, 1))
    assert desk.journal.approval(plan.id) is None
    with pytest.raises(RefusedError, match="the approval is for bbbbbbbbbbbb"):
        desk.journal.approve(plan.id, "b" * 64, "ann", "terminal")
    desk.journal.approve(plan.id, plan.fingerprint, "ann", "terminal")
    desk.journal.approve(plan.id, plan.fingerprint, "bob", "standing")
    given = desk.journal.approval(plan.id)
    assert given is not None
    assert (given.plan_id, given.fingerprint) == (plan.id, plan.fingerprint)
    assert (given.who, given.how, given.at) == ("bob", "standing", desk.clock())


def test_marks_keep_their_first_moment(desk: Desk) -> None:
    older, newer = desk.plan(*_rows(desk, 1)), desk.plan(*_rows(desk, 1))
    assert desk.journal.superseded_by(older.id) is None
    assert not desk.journal.has_applied(newer.header.policy_hash)
    for _ in range(2):
        desk.journal.mark_started(newer.id)
        desk.journal.mark_applied(newer.id)
        desk.clock.advance(60)
    assert desk.journal.superseded_by(older.id) == newer.id
    assert desk.journal.superseded_by(newer.id) is None
    assert desk.journal.has_applied(newer.header.policy_hash)
    assert desk.journal.plan(newer.id).applied
    with sqlite3.connect(desk.path) as connection:
        moments = connection.execute("SELECT started_at FROM plans ORDER BY number").fetchall()
    connection.close()
    assert moments == [(None,), ("2026-01-01T00:00:00.000000Z",)]


def test_a_busy_journal_is_one_line_of_fact_and_one_of_help(desk: Desk) -> None:
    blocker = sqlite3.connect(desk.path, isolation_level=None)
    with desk.journal._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(HighseasError, match="could not be written: OperationalError") as caught:
        desk.journal.begin_run("pull")
    blocker.close()
    assert "another program" in caught.value.hint


def test_a_second_writer_waits_its_turn(desk: Desk) -> None:
    blocker = sqlite3.connect(desk.path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, blocker.close)
    release.start()
    assert desk.journal.begin_run("pull")
    release.join()


# Intents, receipts, holdings, episodes


def _send(desk: Desk, plan_id: str, row: PlanRow, **outcomes: OutcomeStatus) -> None:
    """Journal one call with all the row's primitives; `outcomes` are by kind."""
    claims = tuple(Claim(row, primitive) for primitive in row.primitives)
    desk.journal.intend(Sending("r1", plan_id, f"r1/{row.seq}", "op", claims))
    desk.journal.record(
        plan_id,
        [
            Outcome(each.key, outcomes.get(each.kind, OutcomeStatus.DONE), remote_id="n1")
            for each in row.primitives
        ],
    )


def test_receipts_number_what_was_confirmed(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"), note("M", "text"), field("status", None, "void"))
    plan = desk.plan(row)
    _send(desk, plan.id, row, put_note=OutcomeStatus.REFUSED)
    receipts = list(desk.journal.receipts())
    assert [(each.seq, each.target, each.after) for each in receipts] == [
        (1, "status", "void"),
        (2, "asleep", True),
    ]
    assert receipts[0].ref == ref
    assert receipts[0].at == desk.clock()
    assert [each.seq for each in desk.journal.receipts(after=1)] == [2]


def test_an_outcome_is_recorded_once(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"))
    plan = desk.plan(row)
    _send(desk, plan.id, row)
    desk.journal.record(plan.id, [Outcome(row.primitives[0].key, OutcomeStatus.REFUSED)])
    desk.journal.record(plan.id, [])
    assert desk.journal.tally(plan.id).counts == {"done": 1}
    assert len(list(desk.journal.receipts())) == 1


def test_a_field_is_held_until_it_shows_its_original_again(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    held = []
    for seq, (before, after) in enumerate([(None, "watched"), ("watched", "void"), ("void", None)]):
        row = desk.row(0, ref, field("status", before, after), rule=f"rule{seq}")
        _send(desk, desk.plan(row).id, row)
        held.append([(h.rule, h.value, h.original) for h in desk.journal.holdings()])
    assert held == [[("rule0", "watched", None)], [("rule1", "void", None)], []]


def test_tags_and_notes_are_held_until_they_are_removed(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"), note("M", "text"))
    _send(desk, desk.plan(row).id, row)
    held = {h.kind: (h.target, h.value, h.original, h.remote_id) for h in desk.journal.holdings()}
    assert held == {
        StepKind.TAG: ("asleep", True, False, "n1"),
        StepKind.NOTE: ("M", "text", None, "n1"),
    }
    back = desk.row(0, ref, tag("asleep", on=False), note("M", None, "text", "n1"))
    _send(desk, desk.plan(back).id, back)
    assert list(desk.journal.holdings()) == []


def test_an_episode_opens_with_its_first_receipt_and_closes_with_its_last(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"), note("M", "text"))
    plan = desk.plan(row)
    assert list(desk.journal.episodes()) == []
    opened = desk.clock()
    _send(desk, plan.id, row, put_note=OutcomeStatus.REFUSED)
    episode = next(desk.journal.episodes())
    assert (episode.customer, episode.rule, episode.number) == (str(ref), "sleeping", 1)
    assert (episode.stage, episode.evidence_key, episode.opened_at) == ("out", "k1", opened)

    desk.clock.advance(60)
    steps = (tag("asleep", on=False), note("M", None, "text", "n1"))
    back = desk.row(0, ref, *steps, stage_before="out", stage_after=None)
    plan = desk.plan(back)
    _send(desk, plan.id, back, delete_note=OutcomeStatus.PARKED)
    assert [each.closed_at for each in desk.journal.episodes()] == [None]
    _send(desk, plan.id, msgspec.structs.replace(back, primitives=back.primitives[1:]))
    assert list(desk.journal.episodes()) == []
    closed = next(desk.journal.episodes(open_only=False))
    assert (closed.opened_at, closed.closed_at) == (opened, desk.clock())


def test_rows_without_writes_move_episodes_and_open_none(desk: Desk) -> None:
    one, two = desk.crm.seed("Accounts", 2)
    row = desk.row(0, one, tag("asleep"))
    _send(desk, desk.plan(row).id, row)
    moved = desk.row(0, one, stage_before="out", stage_after="far")
    never_written = desk.row(1, two, stage_after="far")
    desk.journal.conclude([moved, never_written])
    assert [(e.customer, e.stage) for e in desk.journal.episodes()] == [(str(one), "far")]
    desk.journal.conclude([msgspec.structs.replace(moved, stage_after=None)])
    assert list(desk.journal.episodes()) == []


def test_open_calls_are_told_with_what_is_still_open(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"), note("M", "text"))
    plan = desk.plan(row)
    claims = tuple(Claim(row, primitive) for primitive in row.primitives)
    desk.journal.intend(Sending("r1", plan.id, "r1/1", "op", claims))
    desk.journal.record(plan.id, [Outcome(row.primitives[0].key, OutcomeStatus.DONE)])
    (batch,) = desk.journal.open_batches()
    assert (batch.plan_id, batch.id, batch.operation) == (plan.id, "r1/1", "op")
    assert batch.primitives == row.primitives[1:]
    assert batch.intended_at == desk.clock()


def test_an_intent_that_is_taken_up_again_belongs_to_the_new_run(desk: Desk) -> None:
    ref = desk.crm.seed("Accounts", 1)[0]
    row = desk.row(0, ref, tag("asleep"))
    plan = desk.plan(row)
    _send(desk, plan.id, row, add_tag=OutcomeStatus.PARKED)
    again = Sending("r2", plan.id, "r2/1", "op", (Claim(row, row.primitives[0]),))
    desk.journal.intend(again)
    (state,) = desk.journal.intent_states(plan.id, 0, 0).values()
    assert (state.state, state.run_id) == ("intended", "r2")
    assert desk.journal.intent_states(plan.id, 1, 9) == {}


def test_tally_cuts_its_lists_and_keeps_its_totals(desk: Desk) -> None:
    refs = desk.crm.seed("Accounts", 4)
    rows = [desk.row(seq, ref, tag("a"), tag("b")) for seq, ref in enumerate(refs)]
    plan = desk.plan(*rows)
    for row in rows[:3]:
        claims = tuple(Claim(row, primitive) for primitive in row.primitives)
        desk.journal.intend(Sending("r1", plan.id, f"r1/{row.seq}", "op", claims))
        done, refused = row.primitives
        outcomes = [
            Outcome(done.key, OutcomeStatus.DONE),
            Outcome(refused.key, OutcomeStatus.REFUSED, "NO", "not now"),
        ]
        desk.journal.record(plan.id, outcomes)
    _send(desk, plan.id, rows[3])
    tally = desk.journal.tally(plan.id, cap=2)
    assert tally.counts == {"done": 5, "refused": 3}
    assert (tally.changes_done, tally.stopped_total, tally.partial_total) == (1, 3, 3)
    assert len(tally.stopped) == len(tally.partial) == 2
    assert (tally.stopped[0].target, tally.stopped[0].code) == ("b", "NO")
    assert (tally.partial[0].done, tally.partial[0].steps) == (1, 2)
