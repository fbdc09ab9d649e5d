"""The command line as people and programs use it: help, machine output, processes of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters import fixed_mapping
from adapters.sandbox.zoho import Store, ZohoSandbox
from connector.workspace import load_workspace
from policies.policy import load_policy
from tests.crm_sandbox import Client, sandbox_client
from tests.process import ROOT, highseas

PATIENCE_SECONDS = 60
DEMO_KEYS = {
    "pulled",
    "decided",
    "undecided",
    "changes",
    "applied",
    "second_apply_writes",
    "undone",
    "differences_after_undo",
    "foreign_tags_touched",
    "api_calls",
    "seconds",
}
HEAVY = ("duckdb", "sqlalchemy", "requests", "flask", "pydantic", "sqlglot", "jinja2", "alembic")


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Client]:
    """The command line outside of any workspace, and without a CRM."""
    with Store() as store:
        yield Client(tmp_path, store, ZohoSandbox(store))


def commands(client: Client) -> Iterator[list[str]]:
    """All commands, as `--help` lists them."""
    for name in listed(client):
        below = listed(client, name)
        yield from ([name, each] for each in below) if below else [[name]]


def listed(client: Client, *path: str) -> list[str]:
    _, _, names = client.run(*path, "--help").out.partition("Commands:\n")
    return re.findall(r"^  (\S+)  ", names, re.MULTILINE)


def test_every_command_says_what_it_does(nobody: Client) -> None:
    found = list(commands(nobody))
    assert len(found) == 19
    for command in found:
        answer = nobody.run(*command, "--help")
        assert answer.code == 0
        usage, _, rest = answer.out.partition("\n\n")
        assert usage.startswith(f"Usage: highseas {' '.join(command)}")
        assert re.match(r"  [A-Z][^\n]+", rest), command
        assert "--json" in rest
        assert nobody.run(*command, "-h").out == answer.out


def test_the_help_of_what_writes_has_an_example(nobody: Client) -> None:
    for command in (["init"], ["plan"], ["apply"], ["sync"], ["policy", "explain"]):
        assert "Example: highseas" in " ".join(nobody.run(*command, "--help").out.split())


def test_without_a_command_the_help_is_shown() -> None:
    with highseas() as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert out == ""
    assert err.startswith("Usage: highseas")
    assert "error" not in err


def test_help_imports_no_engine(nobody: Client) -> None:
    heavy = f"{set(HEAVY)} & set(sys.modules)"
    code = f"import sys, cli\ntry: cli.main()\nfinally: print({heavy}, file=sys.stderr)"
    shown = subprocess.run(
        [sys.executable, "-c", code, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("Usage: highseas")
    assert shown.stderr.strip() == "set()"


def results(client: Client) -> Iterator[tuple[str, list[str]]]:
    """Every command that gives a result on a workspace, in an order that works."""
    yield "check", ["check"]
    yield "pull", ["pull"]
    yield "plan", ["plan", "--offline"]
    yield "sync", ["sync"]
    yield "show", ["show"]
    yield "apply", ["apply", "--yes"]
    run = client.ok("runs", "--limit", "1")["runs"][0]["id"]
    yield "undo", ["undo", run]
    yield "runs", ["runs"]
    yield "stop", ["stop"]
    yield "policy check", ["policy", "check"]
    yield "policy explain", ["policy", "explain", some_customer(client)]


def some_customer(client: Client) -> str:
    return next(key for key in client.store.snapshot() if key.startswith("Accounts:"))


def test_machine_output_is_one_object_with_format_and_command(client: Client) -> None:
    for name, arguments in results(client):
        answer = client.run("--json", *arguments)
        assert answer.code == 0, answer.err
        assert len(answer.out.splitlines()) == 1
        loaded = json.loads(answer.out)
        assert (loaded["format"], loaded["command"]) == (1, name)
        assert len(loaded) > 2
        assert answer.err == ""


def test_json_may_be_asked_for_behind_the_command(client: Client) -> None:
    client.ok("plan")
    for arguments in (["runs", "--json"], ["policy", "check", "--json"], ["show", "--json"]):
        assert json.loads(client.run(*arguments).out)["format"] == 1
    refused = client.run("show", "p9999", "--json")
    assert json.loads(refused.out)["exit_code"] == refused.code == 2


def test_results_for_people_go_to_stdout_and_progress_to_stderr(client: Client) -> None:
    loud = client.run("plan")
    assert "p0001-" in loud.out
    assert loud.err
    quiet = client.run("-q", "plan")
    assert quiet.err == ""
    assert "p0002-" in quiet.out


def test_the_next_command_can_be_typed_as_it_stands(client: Client) -> None:
    shown = client.run("plan").out.splitlines()[-1]
    command = shown.partition("highseas ")[2].split()
    assert command[:2] == ["-C", str(client.folder)]
    assert client.run(*command[2:], "--yes").code == 0
    assert client.run("--json", *command[2:], "--yes").json()["apply"]["writes"] == 0


def test_show_gives_every_row_as_a_line_of_json(client: Client) -> None:
    plan = client.ok("plan")["plan"]
    rows = [json.loads(line) for line in client.run("show", "--rows").out.splitlines()]
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    changes = [row for row in rows if row["status"] == "change"]
    assert len(changes) == plan["changes"]
    assert sum(len(row["primitives"]) for row in changes) == plan["primitives"]
    again = client.run("show", plan["id"][:5], "--rows")
    assert [json.loads(line) for line in again.out.splitlines()] == rows


def test_rows_may_be_cut_off_by_whoever_reads_them(client: Client) -> None:
    client.ok("plan")
    with highseas("-C", str(client.folder), "show", "--rows") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["seq"] == 0
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert err == ""


def test_plan_says_by_its_exit_code_that_changes_wait(client: Client) -> None:
    assert client.run("plan").code == 0
    assert client.run("plan", "--exit-code").code == 4
    client.ok("apply", "--yes")
    assert client.run("plan", "--offline", "--exit-code").code == 0


def test_a_plan_as_of_a_day_says_so(client: Client) -> None:
    client.ok("pull")
    plan = client.ok("plan", "--offline", "--as-of", "2026-05-31")["plan"]
    assert plan["header"]["as_of"] == "2026-05-30T16:00:00+00:00"  # midnight in Shanghai


def test_only_the_first_changes(client: Client) -> None:
    changes = client.ok("plan")["plan"]["changes"]
    assert client.ok("apply", "--yes", "--first", "2")["apply"]["changes_done"] == 2
    assert client.ok("apply", "--yes")["apply"]["changes_done"] == changes


def test_runs_are_listed_newest_first(client: Client) -> None:
    client.ok("plan")
    client.ok("apply", "--yes")
    found = client.ok("runs")["runs"]
    assert found[0]["kind"] == "apply"
    assert [run["id"] for run in found] == sorted((run["id"] for run in found), reverse=True)
    assert {run["status"] for run in found} == {"done"}
    assert len(client.ok("runs", "--limit", "1")["runs"]) == 1
    assert found[0]["id"] in client.run("runs").out


def test_explain_speaks_chinese_and_names_its_evidence(client: Client) -> None:
    client.ok("plan")
    rows = [json.loads(line) for line in client.run("show", "--rows").out.splitlines()]
    row = next(row for row in rows if row["rule"] == "失联")
    for wanted in (row["customer"], row["customer"].partition(":")[2], row["name"]):
        text = client.run("policy", "explain", wanted).out
        assert row["name"] in text
        assert "失联：是" in text.replace(" ", "").replace(":", "：")
        assert "订单数 0" in text
        assert "最近互动" in text
    told = client.ok("policy", "explain", row["customer"])
    assert told["customer"] == row["customer"]
    assert {rule["id"] for rule in told["rules"]} == {"失联", "客户分层"}


def test_explain_agrees_with_the_plan(client: Client) -> None:
    client.ok("plan")
    rows = [json.loads(line) for line in client.run("show", "--rows").out.splitlines()]
    for row in rows[:: len(rows) // 12]:
        if row["status"] != "change":
            continue
        told = client.ok("policy", "explain", row["customer"])["rules"]
        stage = next(rule["stage_name"] for rule in told if rule["id"] == row["rule"])
        assert stage == row["stage_after"]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_init_makes_a_workspace_that_loads(tmp_path: Path, nobody: Client, language: str) -> None:
    folder = tmp_path / "clients" / "acme"
    arguments = ["init", str(folder), "--timezone", "Asia/Shanghai", "--language", language]
    made = nobody.ok(*arguments)["files"]
    assert {Path(path).name for path in made} == {"highseas.yaml", "policy.yaml", ".gitignore"}
    workspace = load_workspace(folder)
    assert (workspace.name, workspace.zone) == ("acme", "Asia/Shanghai")
    assert (workspace.language, workspace.adapter) == (language, "zoho")
    assert load_policy(workspace.policy_path).rules
    assert (folder / ".highseas").stat().st_mode & 0o777 == 0o700
    assert Client(folder, nobody.store, nobody.server).run("policy", "check").code == 0


def test_init_keeps_what_is_there(tmp_path: Path, nobody: Client) -> None:
    mine = {"policy.yaml": "policy: 1\n", ".gitignore": "secrets/\n"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert nobody.ok("init", str(tmp_path))["files"] == [str(tmp_path / "highseas.yaml")]
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in mine} == mine


def test_stop_with_nothing_to_stop(client: Client) -> None:
    assert client.ok("stop")["asked"] is False
    assert not load_workspace(client.folder).stop_path.exists()


def test_what_a_killed_run_left_is_nothing_to_stop(client: Client) -> None:
    left = load_workspace(client.folder).state / "lock.json"
    left.parent.mkdir(exist_ok=True)
    left.write_text('{"command": "apply", "pid": 1, "since": "2026-05-01T00:00:00+00:00"}')
    assert client.ok("stop")["asked"] is False


def serving(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    said: dict[str, Any] = json.loads(line)
    return said


def test_the_sandbox_serves_until_it_is_interrupted() -> None:
    arguments = ["--json", "sandbox", "zoho", "--port", "0", "--load", "demo:50"]
    with highseas(*arguments) as process:
        said = serving(process)
        assert said["command"] == "sandbox zoho"
        assert said["url"].startswith("http://127.0.0.1:")
        answer = requests.get(f"{said['url']}/crm/v8/org", timeout=PATIENCE_SECONDS)
        assert answer.status_code == 401
        port = said["url"].rpartition(":")[2]
        with highseas("sandbox", "zoho", "--port", port) as second:
            out, err = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 2
        assert out == ""
        assert err.splitlines()[0] == f"error: port {port} cannot be used: Address already in use"
        assert "--port" in err.splitlines()[1]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in {0, 130}


def test_the_sandbox_says_how_to_reach_it(tmp_path: Path, nobody: Client) -> None:
    with highseas("sandbox", "zoho", "--port", "0", "--load", "demo:50") as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(6)]
        text = "".join(said)
        assert "50 customers" in text
        url = re.search(r"accounts_url: (\S+)", text)
        assert url is not None
        assert f"api_url: {url[1]}" in text
        assert "Ctrl-C" in text
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def test_the_demo_proves_what_it_claims(tmp_path: Path) -> None:
    keep = str(tmp_path / "kept")
    with highseas("demo", "--json", "--customers", "200", "--keep", keep) as process:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    assert err == ""
    said = json.loads(out)
    assert said.keys() == DEMO_KEYS | {"format", "command"}
    assert said["command"] == "demo"
    assert 0 < said["changes"] == said["applied"] == said["undone"]
    assert said["second_apply_writes"] == 0
    assert said["differences_after_undo"] == 0
    assert said["foreign_tags_touched"] == 0
    assert said["decided"] + said["undecided"] == 200
    assert said["pulled"] > 200


def test_the_demo_says_where_to_look_next(tmp_path: Path, nobody: Client) -> None:
    keep = tmp_path / "kept"
    answer = nobody.run("demo", "--customers", "100", "--keep", str(keep))
    assert answer.code == 0
    last = answer.out.splitlines()
    assert any(f"highseas -C {keep} show" in line for line in last)
    assert any("highseas init" in line for line in last)
    assert "1/7" in answer.err
    assert "7/7" in answer.err
    assert Client(keep, nobody.store, nobody.server).run("runs").code == 0


def test_a_question_that_is_answered_with_no_writes_nothing(client: Client) -> None:
    client.ok("plan")
    theirs, ours = pty.openpty()
    with highseas("-C", str(client.folder), "apply", stdin=ours) as process:
        os.write(theirs, b"n\n")
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 130
    assert out == ""
    assert "Apply " in err
    assert client.server.writes == []


def test_a_pull_names_the_record_and_the_field_of_a_problem(tmp_path: Path) -> None:
    with sandbox_client(tmp_path, customers=60) as client:
        mapping = fixed_mapping("zoho").replace("amount: Grand_Total", "amount: Status")
        (client.folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
        path = client.folder / "highseas.yaml"
        path.write_text(path.read_text("utf-8") + "mapping: mapping.yaml\n", "utf-8")
        shown = client.run("pull").out
        orders = {item["object"]: item for item in client.ok("pull")["pull"]["objects"]}
    examples = orders["Sales_Orders"]["examples"]
    assert 1 < len(examples) <= 5 < orders["Sales_Orders"]["problems"]
    assert {example["field"] for example in examples} == {"Status"}
    assert f"Sales_Orders:{examples[0]['id']}  Status: " in shown
