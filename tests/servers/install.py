"""Makes the environments of the servers that tests run against, each from its pinned packages.

`python tests/servers/install.py FOLDER` does nothing where FOLDER is up to date, which contents
decide and not times: a fresh checkout may use the environments of an older one.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVERS = ("kinto", "mitmproxy", "tryton")
TEMPLATE = HERE / "inside" / "tryton_template.py"
MARK = ".made-from"
LOG = "install.log"


def made_from(server: str) -> str:
    """What an environment depends on, in one line."""
    parts = [(HERE / "requirements" / f"{server}.txt").read_bytes()]
    if server == "tryton":
        parts.append(TEMPLATE.read_bytes())
    parts.append(repr(sys.version_info[:2]).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_current(folder: Path, server: str) -> bool:
    mark = folder / server / MARK
    return mark.is_file() and mark.read_text("ascii") == made_from(server)


def make(folder: Path, server: str) -> str | None:
    """Make one environment; the last line of what went wrong, if anything did."""
    environment = folder / server
    python = str(environment / "bin" / "python")
    packages = ["-r", str(HERE / "requirements" / f"{server}.txt")]
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        [python, "-m", "pip", "--disable-pip-version-check", "install", *packages],
    ]
    if server == "tryton":
        steps.append([python, str(TEMPLATE), str(environment / "template.sqlite")])
    lines: list[str] = []
    for step in steps:
        done = subprocess.run(
            step,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines += done.stdout.splitlines()
        if environment.is_dir():
            (environment / LOG).write_text("\n".join(lines), encoding="utf-8")
        if done.returncode:
            return lines[-1] if lines else f"exit code {done.returncode}"
    (environment / MARK).write_text(made_from(server), encoding="ascii")
    return None


def main(folder: Path) -> int:
    missing = [server for server in SERVERS if not is_current(folder, server)]
    if not missing:
        return 0
    names = ", ".join(missing)
    sys.stderr.write(f"Making {folder}: {names} (once; about a minute) ...\n")
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(missing)) as pool:
        ended = list(pool.map(lambda server: make(folder, server), missing))
    failed = [(server, last) for server, last in zip(missing, ended, strict=True) if last]
    for server, last in failed:
        sys.stderr.write(
            f"error: {server} could not be installed for the tests ({last}).\n"
            f"hint:  it needs a network or a mirror; all of it is in {folder / server / LOG}.\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
