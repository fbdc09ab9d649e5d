"""The fixture of all tests with a hostile server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import adapters.rest.adapter
from adapters.rest.limits import http_settings
from tests.hostile_world import World, leaks


def _in_a_hurry(*arguments: Any, **options: Any) -> Any:
    return replace(
        http_settings(*arguments, **options),
        total_seconds=0.2,
        body_seconds=1.0,
        first_wait_seconds=0.01,
        throttled_wait_seconds=0.01,
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Its limits of time, those that no description sets, are those of somebody in a hurry.
    Whatever a test is about: nothing leaks, and the other host is not asked."""
    monkeypatch.setattr(adapters.rest.adapter, "http_settings", _in_a_hurry)
    world = World(tmp_path)
    try:
        yield world
    finally:
        world.close()
    assert leaks(world) == []
    assert world.other.seen == [], "the other host was asked"
