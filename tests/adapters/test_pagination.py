"""Walking pages, and noticing circles."""

from __future__ import annotations

import pytest

from adapters.pagination import Leaf, walk
from connector.errors import ProtocolError


def test_a_walk_goes_on_until_there_is_no_next_page() -> None:
    pages = {
        None: Leaf("first", ("1", "2"), "a"),
        "a": Leaf("short", (), "b"),
        "b": Leaf("last", ("3",), None),
    }
    assert list(walk(pages.__getitem__, "things")) == ["first", "short", "last"]


def test_the_same_next_page_twice_is_a_circle() -> None:
    pages = {None: Leaf(1, ("1",), "a"), "a": Leaf(2, ("2",), "b"), "b": Leaf(3, ("3",), "a")}
    with pytest.raises(ProtocolError, match="same next page twice"):
        list(walk(pages.__getitem__, "things"))


def test_the_same_records_twice_are_a_circle() -> None:
    pages = {None: Leaf(1, ("1", "2"), "a"), "a": Leaf(2, ("1", "2"), "b")}
    with pytest.raises(ProtocolError, match="same page twice"):
        list(walk(pages.__getitem__, "things"))


def test_empty_pages_are_not_compared() -> None:
    pages = {None: Leaf(1, (), "a"), "a": Leaf(2, (), None)}
    assert list(walk(pages.__getitem__, "things")) == [1, 2]
