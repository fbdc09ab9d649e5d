"""`make` on a machine where something is missing, and what `make help` tells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKE = shutil.which("make") or ""
pytestmark = pytest.mark.skipif(not MAKE, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    outer = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"}
    environment = {key: value for key, value in os.environ.items() if key not in outer} | settings
    return subprocess.run(
        [MAKE, *arguments], cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )


def fake_python(folder: Path, refuses: str) -> str:
    """An interpreter that fails whatever mentions `refuses`, and says it is an old one."""
    path = folder / "fake-python"
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "--version) echo Python 3.9.2 ;;\n"
        f"*{refuses}*) exit 1 ;;\n"
        f'*) exec "{sys.executable}" "$@" ;;\n'
        "esac\n"
    )
    path.chmod(0o755)
    return str(path)


def complaint(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """The line of fact and the line of help; there is one of each."""
    assert done.returncode != 0
    facts = re.findall(r"^error: (.+)$", done.stderr, flags=re.MULTILINE)
    hints = re.findall(r"^hint: {2}(.+)$", done.stderr, flags=re.MULTILINE)
    assert (len(facts), len(hints)) == (1, 1), done.stderr
    return facts[0], hints[0]


@pytest.mark.parametrize("target", ["demo", "test"])
def test_missing_python_is_one_fact_and_one_hint(checkout: Path, target: str) -> None:
    fact, hint = complaint(make(target, "PYTHON=no-such-python", cwd=checkout))
    assert fact == "no-such-python was not found."
    assert "PYTHON=" in hint


def test_old_python_is_named_with_its_version(checkout: Path) -> None:
    python = fake_python(checkout, refuses="version_info")
    fact, _ = complaint(make("test", f"PYTHON={python}", cwd=checkout))
    assert fact == f"{python} is Python 3.9.2; highseas needs 3.11 or newer."
    assert not (checkout / ".venv").exists()


def test_python_without_venv_names_the_package_to_install(checkout: Path) -> None:
    python = fake_python(checkout, refuses="ensurepip")
    fact, hint = complaint(make("test", f"PYTHON={python}", cwd=checkout))
    assert fact == f"{python} has no venv module."
    assert "python3-venv" in hint


def test_no_packages_to_be_had_says_so_and_leaves_nothing_that_looks_complete(
    checkout: Path,
) -> None:
    (checkout / "requirements.lock").write_text("highseas-no-such-package==1\n")
    done = make("test", f"PYTHON={sys.executable}", cwd=checkout, PIP_NO_INDEX="1")
    fact, hint = complaint(done)
    assert "could not install" in fact
    assert "highseas-no-such-package==1" in fact
    assert ".venv/install.log" in hint
    assert make("--question", ".venv/.locked", cwd=checkout).returncode == 1


def test_an_up_to_date_environment_is_left_alone(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    for stamp in (".locked", ".installed"):
        (checkout / ".venv" / stamp).touch()
    done = make("install", "PYTHON=no-such-python", cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_change_of_what_is_installed_renews_the_environment(checkout: Path, changed: str) -> None:
    (checkout / ".venv").mkdir()
    for stamp in (".locked", ".installed"):
        (checkout / ".venv" / stamp).touch()
    later = (checkout / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(checkout / changed, (later, later))
    assert make("--question", ".venv/.installed", cwd=checkout).returncode == 1


def test_help_lists_every_target(checkout: Path) -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    declared = re.search(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
    assert declared
    listed = re.findall(r"^make (\w+) ", make(cwd=checkout).stdout, flags=re.MULTILINE)
    assert sorted(listed) == sorted(declared[1].split())


def test_clean_leaves_a_workspace_alone(checkout: Path) -> None:
    journal = checkout / ".highseas" / "journal.sqlite"
    journal.parent.mkdir()
    journal.touch()
    (checkout / ".venv").mkdir()
    assert make("clean", cwd=checkout).returncode == 0
    assert journal.exists()
    assert not (checkout / ".venv").exists()
