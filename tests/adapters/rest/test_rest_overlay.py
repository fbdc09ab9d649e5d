"""One structure laid over another."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.rest.overlay import overlay


@pytest.mark.parametrize(
    ("below", "above", "laid"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"data": {"a": 1}}, {"data": {"rev": 2}}, {"data": {"a": 1, "rev": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ([1], {"a": 1}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": None}}, {"a": {"b": None}}),
    ],
)
def test_one_body_laid_over_another(below: Any, above: Any, laid: Any) -> None:
    assert overlay(below, above) == laid
