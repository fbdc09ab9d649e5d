"""The promises of the product, each against a CRM over HTTP that records what it is asked."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest

from adapters.sandbox.zoho import Behaviour, Fault, NewUser, Quirks
from connector.sync import managed_tags, open_journal
from connector.warehouse import Warehouse
from connector.workspace import load_workspace
from tests.crm_sandbox import Client, sandbox_client


def another_user(client: Client) -> str:
    """Somebody of the client's own people, who is not the connector."""
    return client.store.add_user(NewUser("Somebody Else", "somebody@example.com"))


def state_of(client: Client) -> tuple[object, ...]:
    """What a dry run must leave as it was: episodes, holdings, receipts, watermarks."""
    workspace = load_workspace(client.folder)
    with open_journal(workspace) as journal:
        kept = (
            list(journal.episodes(open_only=False)),
            list(journal.holdings()),
            list(journal.receipts()),
        )
    watermarks = {name: pull.watermark for name, pull in Warehouse(workspace).pulls().items()}
    return (*kept, watermarks)


def test_a_plan_sends_only_reads(client: Client) -> None:
    before = client.store.snapshot()
    plan = client.ok("plan")["plan"]
    assert plan["changes"] > 0
    assert client.server.writes == []
    assert client.store.snapshot() == before


def test_planning_offline_again_says_the_same_and_changes_nothing(client: Client) -> None:
    first = client.ok("plan")["plan"]
    kept, requests = state_of(client), len(client.server.requests)
    second = client.ok("plan", "--offline")["plan"]
    assert second["fingerprint"] == first["fingerprint"]
    assert second["id"] != first["id"]
    assert state_of(client) == kept
    assert len(client.server.requests) == requests


def test_after_apply_there_is_nothing_left_to_plan(client: Client) -> None:
    client.ok("plan")
    report = client.ok("apply", "--yes")["apply"]
    assert report["complete"]
    assert client.ok("plan", "--offline")["plan"]["changes"] == 0
    assert client.ok("plan")["plan"]["changes"] == 0


def test_a_second_apply_sends_no_write(client: Client) -> None:
    plan = client.ok("plan")["plan"]
    client.ok("apply", "--yes")
    state, writes = client.store.snapshot(), len(client.server.writes)
    again = client.ok("apply", plan["id"], "--yes")["apply"]
    assert (again["done"], again["writes"]) == (0, 0)
    assert len(client.server.writes) == writes
    assert client.store.snapshot() == state


def test_undo_leaves_no_difference(client: Client) -> None:
    before = client.store.snapshot()
    client.ok("plan")
    run = client.ok("apply", "--yes")["apply"]
    assert client.store.snapshot() != before
    client.ok("undo", run["run_id"])
    undone = client.ok("apply", "--yes")["apply"]
    assert undone["done"] == run["done"]
    assert client.store.snapshot() == before


def test_an_undo_can_itself_be_undone(client: Client) -> None:
    client.ok("plan")
    run = client.ok("apply", "--yes")["apply"]["run_id"]
    applied = client.ok("plan", "--offline")["plan"]
    client.ok("undo", run)
    undo_run = client.ok("apply", "--yes")["apply"]["run_id"]
    client.ok("undo", undo_run)
    client.ok("apply", "--yes")
    assert client.ok("plan", "--offline")["plan"]["changes"] == applied["changes"] == 0


def foreign(client: Client) -> dict[str, object]:
    """Everything in the CRM that is not ours: other tags, other notes, other fields."""
    managed = load_managed(client)
    kept: dict[str, object] = {}
    for key, shown in client.store.snapshot().items():
        values = client.store.values(key.partition(":")[2])
        if "编号" in (values.get("Note_Content") or ""):
            continue
        values["Tag"] = sorted(set(values["Tag"]) - managed)
        values.pop("Customer_Status", None)
        kept[key] = values if key.startswith("Accounts:") else shown
    return kept


def load_managed(client: Client) -> frozenset[str]:
    return managed_tags(load_workspace(client.folder))


def test_foreign_tags_notes_and_fields_are_untouched(client: Client) -> None:
    before = foreign(client)
    client.ok("plan")
    client.ok("apply", "--yes")
    assert foreign(client) == before


def test_a_record_edited_in_between_is_a_conflict_and_the_rest_is_done(client: Client) -> None:
    client.ok("plan")
    workspace = load_workspace(client.folder)
    with open_journal(workspace) as journal:
        changes = [row for row in journal.rows(journal.plan().id) if row.status == "change"]
    victim = changes[0].customer
    somebody = another_user(client)
    client.store.edit("Accounts", victim.partition(":")[2], {"Phone": "+49 30 1"}, by=somebody)
    answer = client.run("--json", "apply", "--yes")
    report = answer.json()["apply"]
    assert answer.code == 5
    assert {item["customer"] for item in report["exceptions"]} == {victim}
    assert report["counts"]["conflict"] >= 1
    untouched = sum(len(row.primitives) for row in changes if row.customer != victim)
    assert report["counts"]["done"] == untouched
    assert not load_managed(client) & set(client.store.values(victim.partition(":")[2])["Tag"])


def test_what_somebody_touched_since_is_not_undone_and_is_named(client: Client) -> None:
    client.ok("plan")
    run = client.ok("apply", "--yes")["apply"]["run_id"]
    with open_journal(load_workspace(client.folder)) as journal:
        held = next(item for item in journal.holdings() if item.kind == "tag")
    record = held.customer.partition(":")[2]
    client.store.remove_tag(record, held.target, by=another_user(client))
    client.ok("undo", run)
    answer = client.run("--json", "apply", "--yes")
    assert answer.code == 5
    assert [item["customer"] for item in answer.json()["apply"]["exceptions"]] == [held.customer]


def test_a_removed_tag_is_an_objection_and_is_not_put_back(client: Client) -> None:
    client.ok("plan")
    client.ok("apply", "--yes")
    with open_journal(load_workspace(client.folder)) as journal:
        held = next(item for item in journal.holdings() if item.kind == "tag")
    record = held.customer.partition(":")[2]
    client.store.remove_tag(record, held.target, by=another_user(client))
    plan = client.ok("plan")["plan"]
    overruled = {rule["rule"]: rule["overruled"] for rule in plan["header"]["rules"]}
    assert plan["changes"] == 0
    assert overruled[held.rule] == 1


@pytest.mark.parametrize("bumps", [True, False])
def test_it_does_not_matter_whether_a_tag_moves_the_modified_time(
    tmp_path: Path, bumps: bool
) -> None:
    quirks = Quirks(tag_change_bumps_modified=bumps)
    with sandbox_client(tmp_path, behaviour=Behaviour(quirks=quirks)) as client:
        before = client.store.snapshot()
        client.ok("plan")
        run = client.ok("apply", "--yes")["apply"]["run_id"]
        assert client.ok("plan")["plan"]["changes"] == 0
        client.ok("undo", run)
        client.ok("apply", "--yes")
        assert client.store.snapshot() == before


def test_nothing_changed_costs_one_read_an_object_and_one_for_identity(client: Client) -> None:
    client.ok("plan")
    seen = len(client.server.requests)
    client.ok("plan")
    requests = client.server.requests[seen:]
    assert all(request.method == "GET" for request in requests)
    paths = [request.path for request in requests]
    assert len(paths) == len(set(paths)), paths
    assert len([path for path in paths if path.endswith("/org")]) == 1
    assert len(paths) <= 1 + 9 + 8


def test_a_lost_journal_finds_its_notes_again_and_doubles_none(client: Client) -> None:
    client.ok("plan")
    client.ok("apply", "--yes")
    state = client.store.snapshot()
    workspace = load_workspace(client.folder)
    for path in workspace.state.glob("journal.sqlite*"):
        path.unlink()
    plan = client.ok("plan")["plan"]
    void = next(rule for rule in plan["header"]["rules"] if rule["kind"] == "void")
    assert void["entering"] == void["foreign"] == 0
    client.ok("apply", "--yes")
    assert client.store.snapshot() == state
    with open_journal(workspace) as journal:
        notes = [held for held in journal.holdings() if held.kind == "note"]
    assert len(notes) == void["matched"] - void["protected"]


def test_a_plan_is_written_in_the_fewest_calls_that_the_batches_allow(client: Client) -> None:
    plan = client.ok("plan")["plan"]
    with open_journal(load_workspace(client.folder)) as journal:
        primitives = [each for row in journal.rows(plan["id"]) for each in row.primitives]
    rows = Counter(
        (each.kind, each.target if each.kind == "add_tag" else "") for each in primitives
    )
    limits = {"add_tag": 500, "set_field": 100, "put_note": 100}
    fewest = sum(math.ceil(number / limits[kind]) for (kind, _), number in rows.items())
    report = client.ok("apply", "--yes")["apply"]
    assert report["writes"] == plan["calls"] == len(client.server.writes) == fewest


def test_notes_that_may_not_be_listed_stop_nothing(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, customers=60) as client:
        client.server.faults.add(
            Fault("GET", "/crm/v8/Notes", status=403, body={"code": "NOT_SUPPORTED"}, times=2)
        )
        first = client.run("plan")
        assert first.code == 0
        assert "备注" in first.err
        client.ok("plan")
        client.ok("plan")
        kinds = [run["kind"] for run in client.ok("runs")["runs"]]
        assert kinds.count("reseed") == 3
