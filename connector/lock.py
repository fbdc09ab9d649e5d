"""One run at a time in a workspace: a lock that says who holds it, and a way to ask it to stop."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from connector.errors import RefusedError


@contextmanager
def workspace_lock(state: Path, command: str, now: Callable[[], datetime]) -> Iterator[None]:
    """Hold the workspace for one run.

    Raises RefusedError that names the holder (command, process, since when) when it is taken.
    """
    holder = state / "lock.json"
    lock = FileLock(state / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = f"another run holds this workspace{_describe(holder)}"
        hint = "wait for it to end, or ask it to with `highseas stop`"
        raise RefusedError(message, hint) from None
    try:
        holder.write_text(
            json.dumps({"command": command, "pid": os.getpid(), "since": now().isoformat()})
        )
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _describe(holder: Path) -> str:
    try:
        known = json.loads(holder.read_text())
    except (FileNotFoundError, ValueError):
        return ""
    return f": {known['command']} (process {known['pid']}) since {known['since']}"


def holder_description(state: Path) -> str:
    """`: COMMAND (process N) since T` of the run that holds the workspace, or an empty text.

    What a killed run left behind counts for nothing: only the lock itself tells.
    """
    try:
        with FileLock(state / "lock").acquire(timeout=0):
            return ""
    except Timeout:
        return _describe(state / "lock.json") or ": a run that has just begun"
