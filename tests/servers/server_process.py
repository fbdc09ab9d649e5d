"""A server that nobody here wrote, as a child process on a port that the system chose."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from requests import Session
from requests.auth import AuthBase

INSIDE = Path(__file__).resolve().parent / "inside"
SECONDS_TO_START = 60
SECONDS_TO_STOP = 5
TIMEOUT_SECONDS = 60
PATIENCE_SECONDS = 0.02
LAST_LINES = 2_000


class ServerError(Exception):
    """A server did not start, or refused what the test asked of it."""


def command(environment: Path, script: str) -> list[str]:
    """A script of an environment, also where that has been moved since it was made."""
    programs = environment / "bin"
    return [str(programs / "python"), str(programs / script)]


class ServerProcess:
    """Started at once; ready when its log names the port that it listens on."""

    def __init__(self, command: list[str], *, folder: Path, says_port: str) -> None:
        self._log = folder / "server.log"
        environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ
        }
        leash = [sys.executable, "-I", "-S", str(INSIDE / "leash.py"), str(os.getpid())]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*leash, *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **environment,
                    "LANG": "C.UTF-8",
                    "PYTHONPATH": str(INSIDE),
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
            )
        try:
            self.port = self._wait_for_port(re.compile(says_port))
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_for_port(self, says_port: re.Pattern[str]) -> int:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            text = self._log.read_text("utf-8", errors="replace")
            if found := says_port.search(text):
                return int(found[1])
            if ended:
                raise ServerError(f"the server ended while it started:\n{text[-LAST_LINES:]}")
            time.sleep(PATIENCE_SECONDS)
        raise ServerError(f"no port after {SECONDS_TO_START} s:\n{text[-LAST_LINES:]}")


class Caller:
    """One user of a server; an answer that is not a success is an error of the test."""

    def __init__(self, url: str, auth: AuthBase) -> None:
        self._url = url
        self._session = Session()
        self._session.trust_env = False
        self._session.auth = auth

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        answer = self._session.request(method, self._url + path, timeout=TIMEOUT_SECONDS, **options)
        if not answer.ok:
            raise ServerError(f"{method} {path}: {answer.status_code} {answer.text[:LAST_LINES]}")
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._session.close()
