"""The conformance suite on described servers of every kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapters.contract import AdapterContract
from tests.adapters.rest.flavours import FLAVOURS
from tests.adapters.rest.little_world import LittleWorld


class TestDescribedServersKeepTheContract(AdapterContract):
    @pytest.fixture(params=FLAVOURS)
    def world(self, request: pytest.FixtureRequest) -> Iterator[LittleWorld]:
        world = LittleWorld(FLAVOURS[request.param])
        yield world
        world.close()
