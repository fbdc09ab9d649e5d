"""The little CRM, opened by a test in the flavour that it wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.adapters.rest.flavours import Flavour
from tests.adapters.rest.writing import Desk


@pytest.fixture
def desk() -> Iterator[Callable[[Flavour], Desk]]:
    opened: list[Desk] = []

    def open_desk(flavour: Flavour) -> Desk:
        opened.append(Desk(flavour))
        return opened[-1]

    yield open_desk
    for each in opened:
        each.close()
