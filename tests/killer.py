"""The command line in a process of its own that ends itself, without a word, at one boundary.

A boundary is where a crash hurts: before and after each journal commit, before a request leaves,
and when the server has acted but its answer has not been read.
"""

from __future__ import annotations

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
    """Counts what is passed, notes its name in a file, and dies at number `deadly` (0: never)."""

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

    def around(self, owner: type, method: str, name: Callable[..., str]) -> None:
        """Make each call of a method two boundaries."""
        inner = getattr(owner, method)

        def passed(*arguments: Any, **options: Any) -> Any:
            label = name(*arguments)
            self.passing(f"before {label}")
            result = inner(*arguments, **options)
            self.passing(f"after {label}")
            return result

        setattr(owner, method, passed)


def main(deadly: str, log: str, *arguments: str) -> None:
    """Run `highseas ARGUMENTS` with the boundaries in place."""
    boundaries = Boundaries(int(deadly), Path(log))
    boundaries.around(DefaultDialect, "do_commit", lambda *_: "commit")
    boundaries.around(HTTPAdapter, "send", lambda _, request, *__: f"request {request.method}")
    sys.argv = ["highseas", *arguments]
    import_module("cli").main()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main(*sys.argv[1:])
