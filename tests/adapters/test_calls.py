"""What an answer tells besides its body."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.calls import Answer


@pytest.mark.parametrize(
    "text", ["", "soon", "Sun, 99 Nov 2026 04:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -0100"]
)
def test_server_without_a_clock_has_no_time(text: str) -> None:
    assert Answer(200, {"Date": text}, b"").server_time is None
    assert Answer(200, {}, b"").server_time is None


def test_server_tells_its_time() -> None:
    said = {"Date": "Sun, 22 Nov 2026 04:00:00 GMT"}
    assert Answer(200, said, b"").server_time == datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
