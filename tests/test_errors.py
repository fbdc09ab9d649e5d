"""What goes wrong is told in one line of fact and one of help, with its exit code; nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from adapters.sandbox.zoho import Fault
from connector.journal_schema import plans
from connector.lock import workspace_lock
from connector.sync import open_journal
from connector.warehouse import Warehouse
from connector.workspace import load_workspace
from policies.errors import Problem
from tests.command_line import Answer
from tests.crm_sandbox import CREDENTIALS, POLICY, Client, sandbox_client

CUSTOMERS = 110  # enough for a cap by share to say something
TIMEOUT_SECONDS = 2
FOREVER = 1_000_000
LOST_SECRET = "the-value-that-nobody-may-see"
Setting = Callable[[Client], None]


def policy(old: str, new: str) -> Setting:
    """A policy.yaml with one thing in it that is different."""
    assert old in POLICY

    def write(client: Client) -> None:
        path = client.folder / "policy.yaml"
        path.write_text(POLICY.replace(old, new), encoding="utf-8")

    return write


def settings(old: str, new: str) -> Setting:
    def write(client: Client) -> None:
        path = client.folder / "highseas.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return write


def planned(then: Setting) -> Setting:
    """There is a plan; afterwards something happens."""

    def happen(client: Client) -> None:
        client.ok("plan")
        then(client)

    return happen


def applied(then: Setting) -> Setting:
    def happen(client: Client) -> None:
        client.ok("plan")
        client.ok("apply", "--yes")
        then(client)

    return happen


def nothing(_client: Client) -> None:
    """All is as it was."""


def refuse_token(client: Client) -> None:
    (client.folder / "credentials" / "refresh_token").write_text(LOST_SECRET)


def stop_server(client: Client) -> None:
    client.server.stop()


def lose_policy(client: Client) -> None:
    (client.folder / "policy.yaml").unlink()


def age(client: Client) -> None:
    """Make the newest plan two days old, in the journal itself: nobody waits for that."""
    with open_journal(load_workspace(client.folder)) as journal, journal._write() as connection:
        connection.execute(update(plans).values(created_at=datetime.now(UTC) - timedelta(days=2)))


def shrink(client: Client) -> None:
    accounts = [key for key in client.store.snapshot() if key.startswith("Accounts:")]
    for key in accounts[: len(accounts) // 2]:
        client.store.delete(key.partition(":")[2], permanent=True)


# What happens before, the command, its exit code, and words that the message must have.
CASES: dict[str, tuple[Setting, list[str], int, list[str]]] = {
    "wrong YAML": (policy("define:", "define: ["), ["plan"], 2, ["policy.yaml:", "YAML"]),
    "unknown field": (
        policy("days_since(last_activity_at)", "days_since(last_actvity_at)"),
        ["plan"],
        2,
        ["policy.yaml:5:", "last_actvity_at", "did you mean 'last_activity_at'"],
    ),
    "unknown key": (
        policy("note: true", "nota: true"),
        ["plan"],
        2,
        ["'nota'", "did you mean 'note'"],
    ),
    "type mismatch": (
        policy("orders_count() = 0", "orders_count() = 'none'"),
        ["policy", "check"],
        2,
        ["policy.yaml:11:", "orders_count()", "'none'"],
    ),
    "no policy": (lose_policy, ["plan"], 2, ["policy.yaml"]),
    "unknown key in highseas.yaml": (
        settings("timezone:", "timezon: x\ntimezone:"),
        ["plan"],
        2,
        ["highseas.yaml:3:1", "timezon"],
    ),
    "missing secret": (
        settings("file:credentials/client_secret", "env:NOT_SET_ANYWHERE"),
        ["plan"],
        2,
        ["env:NOT_SET_ANYWHERE", "export NOT_SET_ANYWHERE"],
    ),
    "missing secret file": (
        settings("file:credentials/client_secret", "file:nowhere"),
        ["plan"],
        2,
        ["file:nowhere"],
    ),
    "secret in the file": (
        settings("file:credentials/client_secret", LOST_SECRET),
        ["plan"],
        2,
        ["crm.client_secret", "env:CLIENT_SECRET", "revoked"],
    ),
    "unknown adapter": (settings("adapter: zoho", "adapter: zoh"), ["plan"], 2, ["'zoho'"]),
    "unknown status field": (
        settings("Customer_Status", "Customer_Stats"),
        ["plan"],
        2,
        ["Customer_Stats", "crm.status_field"],
    ),
    "refused token": (refuse_token, ["plan"], 1, ["token", "refresh_token"]),
    "server down": (stop_server, ["plan"], 1, ["could not be reached", "check the network"]),
    "wrong organisation": (
        settings("adapter: zoho", "adapter: zoho\n  organisation: '42'"),
        ["plan"],
        3,
        ["organisation 42", "credentials"],
    ),
    "wrong organisation at apply": (
        planned(settings("adapter: zoho", "adapter: zoho\n  organisation: '42'")),
        ["apply", "--yes"],
        3,
        ["organisation 42", "credentials"],
    ),
    "nothing pulled": (nothing, ["plan", "--offline"], 2, ["nothing has been pulled", "plan"]),
    "no plan": (nothing, ["apply", "--yes"], 2, ["no plan", "highseas -C"]),
    "unknown plan": (planned(nothing), ["apply", "p9999", "--yes"], 2, ["'p9999'", "p0001-"]),
    "unknown run": (planned(nothing), ["undo", "nothing"], 2, ["'nothing'"]),
    "ambiguous run": (applied(nothing), ["undo", "20"], 2, ["'20'"]),
    "stale plan, the policy changed": (
        planned(policy(">= 180", ">= 181")),
        ["apply", "--yes"],
        3,
        ["was made by policy", "plan anew"],
    ),
    "stale plan, a newer one was applied": (
        planned(applied(nothing)),
        ["apply", "p0001", "--yes"],
        3,
        ["is older than plan p0002"],
    ),
    "stale plan, too old": (planned(age), ["apply", "--yes"], 3, ["48.0 h old", "24.0 h"]),
    "no terminal": (planned(nothing), ["apply"], 3, ["no terminal", "--yes"]),
    "no standing approval": (nothing, ["sync", "--apply"], 3, ["standing approval", "apply p0001"]),
    "shrunken pull": (planned(shrink), ["pull", "--full"], 3, ["fewer", "--accept-shrink"]),
    "unknown command": (nothing, ["aply"], 2, ["'aply'", "highseas --help"]),
    "unknown option": (nothing, ["plan", "--ofline"], 2, ["--ofline", "highseas plan --help"]),
    "missing argument": (nothing, ["undo"], 2, ["RUN", "highseas undo --help"]),
    "not a date": (nothing, ["plan", "--as-of", "31.5."], 2, ["31.5.", "2026-05-31"]),
    "unknown customer": (planned(nothing), ["policy", "explain", "nobody"], 2, ["'nobody'"]),
    "already a workspace": (nothing, ["init", "{folder}"], 2, ["already is a workspace"]),
    "nothing to load": (nothing, ["sandbox", "zoho", "--load", "x"], 2, ["--load x", "demo:1000"]),
    "no room for the demo": (nothing, ["demo", "--keep", "{folder}"], 2, ["not empty", "--keep"]),
}


def lost_nothing(client: Client) -> tuple[object, object]:
    """What no error may change: the files that people wrote, and the CRM."""
    files = [path for path in client.folder.glob("*") if path.is_file()]
    files += (client.folder / "credentials").iterdir()
    return {path: path.read_bytes() for path in files}, client.store.snapshot()


def staged(client: Client) -> object:
    workspace = load_workspace(client.folder)
    with open_journal(workspace) as journal:
        kept = (
            list(journal.episodes(open_only=False)),
            list(journal.holdings()),
            list(journal.receipts()),
        )
    return kept, Warehouse(workspace).pulls()


def check_message(answer: Answer, words: list[str], *, lines: int = 1) -> None:
    """`lines` lines of fact and one of help on stderr, nothing on stdout, no secret anywhere."""
    said = answer.err.splitlines()
    assert [line[:7] for line in said] == ["error: "] * lines + ["hint:  "], answer.err
    assert all(line[7:].strip() for line in said)
    assert answer.out == ""
    for word in words:
        assert word in answer.err
    check_secrecy(answer.err)


def check_secrecy(text: str) -> None:
    for secret in (*CREDENTIALS.values(), LOST_SECRET, "oauthtoken", "@example.com", "+1 202"):
        assert secret not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", CASES)
def test_one_line_of_fact_and_one_of_help(tmp_path: Path, name: str) -> None:
    before, command, code, words = CASES[name]
    with sandbox_client(tmp_path, customers=CUSTOMERS, timeout_seconds=TIMEOUT_SECONDS) as client:
        before(client)
        kept, writes = lost_nothing(client), client.server.writes
        arguments = [word.format(folder=client.folder) for word in command]
        answer = client.run("-q", *arguments)
        assert answer.code == code, answer.err
        check_message(answer, words)
        as_json = client.run("--json", *arguments)
        assert as_json.code == code
        told = json.loads(as_json.out)
        assert told.keys() == {"format", "error", "hint", "exit_code"}
        assert told["exit_code"] == code
        assert lost_nothing(client) == kept
        assert client.server.writes == writes


def test_no_workspace(tmp_path: Path, client: Client) -> None:
    elsewhere = Client(tmp_path / "elsewhere", client.store, client.server)
    for command in ("check", "pull", "plan", "apply", "sync", "runs", "show", "stop"):
        answer = elsewhere.run(command)
        assert answer.code == 2
        check_message(answer, ["is not a workspace", "highseas init"])
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_run_at_the_same_time(client: Client) -> None:
    client.ok("plan")
    kept = staged(client)
    state = load_workspace(client.folder).state
    with workspace_lock(state, "apply", lambda: datetime(2026, 5, 1, tzinfo=UTC)):
        for command in (["pull"], ["plan"], ["apply", "--yes"], ["undo", "x"], ["sync"]):
            answer = client.run(*command)
            assert answer.code == 3
            check_message(answer, [f"apply (process {os.getpid()}) since 2026-05-01", "stop"])
    assert staged(client) == kept


def test_all_problems_of_a_file_come_at_once_a_line_each(client: Client) -> None:
    text = POLICY.replace("orders_count()", "order_count()").replace("reason:", "raeson:")
    (client.folder / "policy.yaml").write_text(text.replace(">= 180", "> 'x'"), encoding="utf-8")
    answer = client.run("policy", "check")
    assert answer.code == 2
    facts = [line for line in answer.err.splitlines() if line.startswith("error: policy.yaml:")]
    assert len(facts) >= 3
    check_message(answer, ["order_count", "raeson", "'x'"], lines=len(facts))
    assert len(facts) == len(set(facts))


def test_a_tripped_cap_stops_its_rule_and_leaves_the_rest_running(client: Client) -> None:
    text = POLICY.replace("share: 20%", "count: 1")
    (client.folder / "policy.yaml").write_text(text, encoding="utf-8")
    answer = client.run("--json", "plan")
    assert answer.code == 5
    rules = {rule["rule"]: rule for rule in answer.json()["plan"]["header"]["rules"]}
    assert rules["失联"]["tripped"].endswith("> 1")
    assert not rules["客户分层"]["tripped"]
    assert "失联" in client.run("show").out
    applied_anyway = client.run("--json", "apply", "--yes")
    assert applied_anyway.code == 5
    report = applied_anyway.json()["apply"]
    assert report["tripped"] == ["失联"]
    assert report["done"] == rules["客户分层"]["changes"]


def test_a_refused_pull_keeps_what_was_staged(client: Client) -> None:
    client.ok("plan")
    kept = staged(client)
    shrink(client)
    assert client.run("pull", "--full").code == 3
    assert staged(client) == kept
    assert not client.ok("pull", "--full", "--accept-shrink")["pull"]["partial"]


def test_a_pull_without_any_customer_is_refused(client: Client) -> None:
    client.ok("plan")
    kept = staged(client)
    client.server.faults.add(Fault(path="*/Accounts", status=204, times=FOREVER))
    answer = client.run("-q", "pull", "--full")
    assert answer.code == 3
    check_message(answer, ["customers", "--accept-shrink"])
    assert staged(client) == kept


def test_the_log_has_the_traceback_and_no_secret(client: Client) -> None:
    (client.folder / "credentials" / "refresh_token").write_text(LOST_SECRET)
    assert client.run("plan").code == 1
    log = (client.folder / ".highseas" / "highseas.log").read_text(encoding="utf-8")
    assert "Traceback" in log
    check_secrecy(log.replace("Traceback", ""))


def test_a_traceback_is_shown_only_when_asked_for(client: Client) -> None:
    for asked in (["-vv"], ["-v", "-v"], ["--verbose", "-v"], ["-q", "-vvvv"]):
        answer = client.run(*asked, "show")
        assert answer.code == 2
        assert "Traceback" in answer.err
        assert answer.err.endswith("`\n")
    assert "Traceback" not in client.run("-v", "show").err


def test_failed_runs_are_listed_as_failed(client: Client) -> None:
    client.ok("plan")
    client.server.faults.add(Fault(path="*/org", status=403, times=FOREVER))
    assert client.run("pull").code == 1
    assert client.ok("runs")["runs"][0]["status"] == "failed"


def test_what_is_remembered_of_the_crm_may_be_lost(client: Client) -> None:
    first = client.ok("plan")["plan"]["fingerprint"]
    path = load_workspace(client.folder).schema_path
    for left in (b"", b"[]"):
        path.write_bytes(left)
        assert client.ok("plan")["plan"]["fingerprint"] == first
    assert client.ok("check")["schema"]["objects"]


def test_what_could_steer_a_terminal_is_shown_as_an_escape() -> None:
    problem = Problem("p.yaml", 1, 2, "no field('a\x1b]0;b\x07\x85')", "use \u202e\ud800 'x'")
    assert str(problem) == r"p.yaml:1:2: no field('a\x1b]0;b\x07\x85') - use \u202e\ud800 'x'"
