"""Where outside data lies, and a cache folder of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.crm_sandbox import Client, sandbox_client

ROOT = Path(__file__).resolve().parent.parent
# No test measures time: a busy machine is no defect.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _outside(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not folder.is_dir():
        reason = f"{variable} names no folder ({folder})"
        if os.environ.get("HIGHSEAS_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real input data; skips where it is not at hand, fails where it is required."""
    return _outside("HIGHSEAS_DATA", "data")


@pytest.fixture(scope="session")
def contracts_dir() -> Path:
    """The vendors' own descriptions; skips or fails as above."""
    return _outside("HIGHSEAS_CONTRACTS", "contracts")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Access tokens of one test are of no use to another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A workspace on a sandbox CRM with 300 customers."""
    with sandbox_client(tmp_path) as running:
        yield running
