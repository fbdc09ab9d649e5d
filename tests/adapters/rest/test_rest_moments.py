"""Moments as servers write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.rest.pulling.moments import moment_of
from adapters.rest.schema.call_description import Form

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-11-22T12:00:00+08:00", Form.ISO),
        ("2026-11-22T12:00:00+0800", Form.ISO),
        ("2026-11-22T09:30:00+0530", Form.LOCAL),
        ("2026-11-22T04:00:00Z", Form.UTC),
        ("2026-11-22 12:00:00", Form.ISO),
        ("2026-11-22 12:00:00", Form.LOCAL),
        ("2026-11-22 04:00:00", Form.UTC),
        (1795320000, Form.SECONDS),
        ("1795320000", Form.SECONDS),
        (1795320000000, Form.MILLISECONDS),
    ],
)
def test_moment_is_read(value: Any, form: Form) -> None:
    assert moment_of(value, form, SHANGHAI) == NOON


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("value", [None, "", "yesterday", {}, [], 1e300, "0001-01-01T00:00:00"])
def test_what_is_no_moment_is_none(value: Any, form: Form) -> None:
    assert moment_of(value, form, SHANGHAI) is None or form is Form.UTC
