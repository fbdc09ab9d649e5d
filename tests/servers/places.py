"""Where the servers are installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.install import MARK

ROOT = Path(__file__).resolve().parents[2]


def environment(server: str) -> Path:
    """Where a server is installed; skips where it is not, fails where it has to be."""
    folder = Path(os.environ.get("HIGHSEAS_SERVERS", ROOT / ".venv-servers")).resolve() / server
    if not (folder / MARK).is_file():
        reason = f"{server} is not installed ({folder}): run `make servers`"
        if os.environ.get("HIGHSEAS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
