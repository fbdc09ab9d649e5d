"""Names that were meant."""

from __future__ import annotations

from policies.suggestion import nearest


def test_the_nearest_name_or_the_few_valid_ones() -> None:
    assert nearest("Strter", ["starter", "other"]) == "did you mean 'starter'?"
    assert nearest("zzz", ["b", "a"]) == "valid here: a, b"
    assert nearest("zzz", []) == ""
    assert nearest("zzz", [f"name{number}" for number in range(13)]) == ""
