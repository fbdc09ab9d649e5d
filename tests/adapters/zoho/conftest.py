"""A Zoho adapter whose API is `wire` and whose accounts server always gives a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http import Timing
from adapters.zoho import ZohoAdapter, ZohoSettings
from tests.adapters.zoho.cassette import JsonBodies


def pytest_recording_configure(config: pytest.Config, vcr: Any) -> None:
    """The plugin's hook, asked before each cassette is opened."""
    vcr.register_serializer("json", JsonBodies)


@pytest.fixture
def zoho(wire: Any, other_wire: Any, fake_time: Any, tmp_path: Path) -> Iterator[ZohoAdapter]:
    other_wire.each(lambda number: {"access_token": f"token-{number}", "expires_in": 3600})
    settings = ZohoSettings.model_validate(
        {
            "accounts_url": other_wire.url,
            "api_url": wire.url,
            "client_id": "client",
            "client_secret": "secret",
            "refresh_token": "refresh",
            "timeout_seconds": 5,
        }
    )
    adapter = ZohoAdapter(
        settings,
        timing=Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
        token_cache_dir=tmp_path,
    )
    yield adapter
    adapter.close()
