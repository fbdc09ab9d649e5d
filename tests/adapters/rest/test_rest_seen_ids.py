"""The set of ids that a walk has seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.pulling.seen_ids import SeenIds


@given(st.lists(st.lists(st.text(max_size=3))))
def test_it_counts_as_a_set_does(pages: list[list[str]]) -> None:
    seen, known = SeenIds(), set[str]()
    for page in pages:
        assert seen.has_any(page) == bool(set(page) & known)
        assert seen.add(page) == len(set(page) - known)
        known |= set(page)
        assert seen.count == len(known)


def test_it_grows_with_what_it_holds() -> None:
    seen = SeenIds()
    ids = [str(number) for number in range(100_000)]
    assert seen.add(ids) == 100_000
    assert seen.add(ids) == 0
