"""The distribution in docs/adapters.md: built, installed, tested and used as its author would."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters import default_mapping, open_adapter, starter_settings
from connector.sync import Context, make_plan, run_apply, running
from connector.workspace import load_workspace
from connector.workspace_files import NewWorkspace, create_workspace

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = (ROOT / "docs" / "adapters.md").read_text("utf-8").partition("\n## A whole adapter\n")[2]
FILES: dict[str, str] = dict(
    re.findall(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
)
COMMANDS = [line.split()[1:] for line in re.findall(r"^\$ (highseas .*)$", TUTORIAL, re.MULTILINE)]
PUBLIC = {
    "adapters.contract",
    "connector.errors",
    "connector.models",
    "connector.ports",
    "connector.workspace",
}
NAME = "highseas_deskfile"
CUSTOMERS, QUIET = 10, 3


class Desk(NamedTuple):
    """The unpacked sources, and the folder into which their wheel was installed."""

    sources: Path
    site: Path

    def python(self, *arguments: str, cwd: Path | None = None) -> str:
        """What Python prints, which has to succeed."""
        return succeeded(run(arguments, cwd or self.sources, self.site, ROOT))

    def highseas(
        self, *arguments: str, cwd: Path, others: Sequence[Path] = ()
    ) -> subprocess.CompletedProcess[str]:
        """The command line, with what else is installed in other folders."""
        return run(("-c", "import cli; cli.main()", *arguments), cwd, self.site, *others, ROOT)


def run(arguments: Sequence[str], cwd: Path, *installed: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, installed))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    made = Desk(folder / "highseas-deskfile", folder / "site")
    for name, text in FILES.items():
        path = made.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    pip = ("-m", "pip", "--disable-pip-version-check", "--quiet")
    offline = ("--no-index", "--no-deps")
    build = ("wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder))
    succeeded(run((*pip, *build, str(made.sources)), folder))
    (wheel,) = folder.glob("*.whl")
    succeeded(run((*pip, "install", *offline, "--target", str(made.site), str(wheel)), folder))
    return made


def test_the_page_holds_a_whole_distribution() -> None:
    assert {"pyproject.toml", f"{NAME}/__init__.py", f"{NAME}/mapping.yaml"} <= set(FILES)
    assert len(COMMANDS) >= 8


def test_the_example_imports_nothing_but_the_public_modules() -> None:
    imported = set()
    for name in (name for name in FILES if name.endswith(".py")):
        for node in ast.walk(ast.parse(FILES[name])):
            if isinstance(node, ast.ImportFrom):
                within = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= within if node.module == "connector" else {str(node.module)}
    ours = {
        name for name in imported if name.split(".")[0] in {"adapters", "connector", "policies"}
    }
    assert ours == PUBLIC


def test_the_suite_is_importable_without_pytest(desk: Desk) -> None:
    desk.python("-c", "import sys; sys.modules['pytest'] = None; import adapters.contract")


def test_the_wheel_holds_the_package_and_its_data(desk: Desk) -> None:
    (found,) = distributions(name="highseas-deskfile", path=[str(desk.site)])
    assert found.requires == ["highseas"]
    names = {str(path) for path in found.files or () if path.suffix in {".py", ".yaml"}}
    assert names == {name for name in FILES if name.startswith(f"{NAME}/")}


def test_the_installed_adapter_is_found_by_its_entry_point(desk: Desk) -> None:
    ask = (
        "import json, adapters; print(json.dumps([each.name for each in adapters.adapter_list()]))"
    )
    names = json.loads(desk.python("-c", ask))
    assert {"deskfile", "zoho"} <= set(names)


def test_its_own_conformance_test_passes_and_says_what_it_leaves_out(desk: Desk) -> None:
    """With -P, so that what was installed is tested and not the sources in the same folder."""
    strict = ("-q", "-rs", "-W", "error", "-p", "no:cacheprovider")
    printed = desk.python("-P", "-m", "pytest", *strict, "tests")
    result = printed.splitlines()[-1]
    (promised,) = re.findall(r"^\d+ passed, \d+ skipped$", TUTORIAL, re.MULTILINE)
    assert result.startswith(promised)
    reasons = re.findall(r"^SKIPPED .*?: (?=the )(.*)$", printed, re.MULTILINE)
    assert sorted(reasons) == ["the samples have no native steps", "the world has no part 'lock'"]


def fill(path: Path) -> None:
    """Ten customers, of whom three have never bought; the first has a label and a note already."""
    now = datetime.now(UTC)
    began, bought = (
        (now - timedelta(days=days)).isoformat(timespec="milliseconds") for days in (700, 20)
    )
    with closing(sqlite3.connect(path)) as store, store:
        store.executescript(FILES["tests/crm.sql"])
        store.executemany(
            "INSERT INTO customers (name, owner, created_at, changed_at) VALUES (?, 'anna', ?, ?)",
            [(f"Customer {number}", began, began) for number in range(1, CUSTOMERS + 1)],
        )
        store.executemany(
            "INSERT INTO orders (customer, amount, currency, ordered_at, changed_at)"
            " VALUES (?, '120.50', 'EUR', ?, ?)",
            [(number, bought, bought) for number in range(QUIET + 1, CUSTOMERS + 1)],
        )
        store.execute("""UPDATE customers SET labels = '["fair 2024"]' WHERE id = 1""")
        store.execute(
            "INSERT INTO notes (customer, text, changed_at) VALUES (1, 'Likes tea.', ?)", [began]
        )


def content(path: Path) -> list[Any]:
    """What stands in the CRM, without what moves with every write."""
    customers = "SELECT id, name, owner, status, labels, created_at, deleted FROM customers"
    queries = (
        f"{customers} ORDER BY id",
        "SELECT customer, text FROM notes WHERE NOT deleted ORDER BY id",
        "SELECT * FROM orders ORDER BY id",
    )
    with closing(sqlite3.connect(path)) as store:
        return [store.execute(query).fetchall() for query in queries]


def test_every_command_of_the_page_does_what_the_page_says(desk: Desk, tmp_path: Path) -> None:
    crm = make_workspace(tmp_path)
    before = content(crm)
    found: list[tuple[list[Any], str]] = []  # after each apply
    run_id = ""
    for command in COMMANDS:
        arguments = [run_id if word == "RUN" else word for word in command]
        printed = succeeded(desk.highseas(*arguments, cwd=tmp_path))
        if "apply" in arguments:
            found.append((content(crm), hashlib.sha256(crm.read_bytes()).hexdigest()))
        else:
            assert content(crm) == (found[-1][0] if found else before)
        run_id = run_id or next(
            iter(re.findall(r"highseas -C acme undo (\S+)$", printed, re.MULTILINE)), ""
        )
    first, second, last = found
    customers, notes, _ = first[0]
    assert [row[3] for row in customers] == ["Void"] * QUIET + ["Active"] * (CUSTOMERS - QUIET)
    assert json.loads(customers[0][4]) == ["archive-candidate", "fair 2024"]
    assert len(notes) == QUIET + 1
    assert second == first, "the second apply has written to the file"
    assert last[0] == before


def make_workspace(folder: Path) -> Path:
    """What stands there before the first command: the CRM's file and the policy."""
    for name in (name for name in FILES if name.startswith("acme/")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(FILES[name], encoding="utf-8")
    fill(folder / "acme" / "crm.sqlite")
    return folder / "acme" / "crm.sqlite"


def test_an_edit_between_plan_and_apply_is_a_conflict(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = make_workspace(tmp_path)
    monkeypatch.syspath_prepend(desk.site)
    new = NewWorkspace("acme", "deskfile", starter_settings("deskfile"))
    create_workspace(crm.parent, new)
    workspace = load_workspace(crm.parent)
    context = Context(workspace, open_adapter(workspace), mapping=default_mapping(workspace))
    with running(context, "plan") as journal:
        plan = make_plan(context, journal).plan
    with closing(sqlite3.connect(crm)) as store, store:
        store.execute(
            "UPDATE customers SET name = 'Renamed', changed_by = 'anna', revision = revision + 1"
            " WHERE id = 2"
        )
    with running(context, "apply") as journal:
        report = run_apply(context, journal, plan.id, approver="tester", how="test")
    assert [(stopped.customer, stopped.code) for stopped in report.exceptions] == [
        ("customers:2", "edited")
    ]
    assert [row[3] for row in content(crm)[0][:QUIET]] == ["Void", "Active", "Void"]


def test_a_missing_file_is_named_and_not_made(desk: Desk, tmp_path: Path) -> None:
    crm = make_workspace(tmp_path)
    succeeded(desk.highseas(*COMMANDS[0], cwd=tmp_path))
    crm.unlink()
    done = desk.highseas(*COMMANDS[1], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    fact, hint = done.stderr.splitlines()
    assert fact == "error: Deskfile's file cannot be used (OperationalError)"
    assert hint.startswith("hint:  ")
    assert not crm.exists()


def test_another_distribution_of_the_same_name_is_refused(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "site" / "other_crm-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other-crm\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[highseas.adapters]\ndeskfile = other_crm:open\n")
    done = desk.highseas(*COMMANDS[0], cwd=tmp_path, others=[other.parent])
    assert done.returncode == 2
    assert "two adapters are called 'deskfile'" in done.stderr
    assert "other-crm" in done.stderr
