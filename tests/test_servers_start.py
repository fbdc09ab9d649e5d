"""How the real servers are installed, started and stopped, and what is said where they are not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.servers.install import SERVERS
from tests.servers.places import ROOT, environment
from tests.servers.server_process import INSIDE, ServerError, ServerProcess

PATIENCE_SECONDS = 10
INSTALL_KINTO = (
    "import sys, install; from pathlib import Path; install.SERVERS = ('kinto',); "
    "sys.exit(install.main(Path(sys.argv[1])))"
)


def is_alive(process: psutil.Process) -> bool:
    """A process that nobody has buried yet is not alive either."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl(2)")
def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        f"leash = [sys.executable, {str(INSIDE / 'leash.py')!r}, str(os.getpid())]\n"
        "server = subprocess.Popen([*leash, sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(server.pid, flush=True)\n"
        "server.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as asker:
        assert asker.stdout
        server = psutil.Process(int(asker.stdout.readline()))
        assert is_alive(server)
        os.kill(asker.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while is_alive(server):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    with pytest.raises(ServerError, match="the disk is full"):
        ServerProcess(command, folder=tmp_path, says_port=r"port (\d+)")


def test_tests_skip_where_the_servers_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIGHSEAS_SERVERS", str(tmp_path))
    monkeypatch.delenv("HIGHSEAS_REQUIRE_DATA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make servers"):
        environment("kinto")
    monkeypatch.setenv("HIGHSEAS_REQUIRE_DATA", "1")
    with pytest.raises(pytest.fail.Exception, match="make servers"):
        environment("kinto")


def test_a_server_that_cannot_be_installed_is_one_fact_and_one_hint(tmp_path: Path) -> None:
    for part in ("install.py", "requirements", "inside"):
        source = ROOT / "tests" / "servers" / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / part)
    (tmp_path / "requirements" / "kinto.txt").write_text("highseas-no-such-package==1\n")
    done = subprocess.run(
        [sys.executable, "-c", INSTALL_KINTO, str(tmp_path / "into")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_NO_INDEX": "1"},
    )
    assert done.returncode == 1
    fact, hint = done.stderr.splitlines()[-2:]
    assert fact.startswith("error: kinto could not be installed")
    assert "highseas-no-such-package" in fact
    assert "install.log" in hint


def test_each_server_is_pinned_and_nothing_else_is() -> None:
    folder = ROOT / "tests" / "servers" / "requirements"
    assert {path.stem for path in folder.iterdir()} == set(SERVERS)
    for path in folder.iterdir():
        assert all(line.count("==") == 1 for line in path.read_text("ascii").splitlines()), path
