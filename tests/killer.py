"""Processes that run the command line and end themselves, without a word, at one boundary.

A boundary is where a crash hurts: before each journal commit, before a request leaves, and when
the server has acted but nobody has read its answer. Run as a script, this is a server that forks
one such process for each line of its standard input: a fresh interpreter would take a second each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from sqlalchemy.engine.default import DefaultDialect


class Boundaries:
    """Notes each boundary in a file as it is passed, and dies at number `deadly` (0: never)."""

    def __init__(self, deadly: int, log: Path) -> None:
        self._deadly = deadly
        self._log = log
        self._passed = 0

    def passing(self, name: str) -> None:
        self._passed += 1
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        if self._passed == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put a boundary before each commit, and one on either side of each request."""
        commit: Callable[..., Any] = DefaultDialect.do_commit
        send: Callable[..., Any] = HTTPAdapter.send

        def counted_commit(*arguments: Any) -> None:
            self.passing("before a commit")
            commit(*arguments)

        def counted_send(transport: HTTPAdapter, request: Any, **options: Any) -> Any:
            self.passing(f"before {request.method} {request.path_url}")
            answer = send(transport, request, **options)
            self.passing(f"after {request.method} {request.path_url}")
            return answer

        for owner, name, method in (
            (DefaultDialect, "do_commit", counted_commit),
            (HTTPAdapter, "send", counted_send),
        ):
            setattr(owner, name, method)


def run(job: dict[str, Any]) -> None:
    """Run one command line in this process, which belongs to it alone."""
    out = os.open(job["out"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    Boundaries(job["deadly"], Path(job["log"])).install()
    sys.argv = ["highseas", *job["argv"]]
    import_module("cli").main()


def serve() -> None:
    """Answer each job with the code that its process ended with; a negative one is a signal."""
    for name in ("cli", "connector.sync", "connector.summary", "adapters.zoho"):
        import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                run(json.loads(line))
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    serve()
