"""Our notes between the lines of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.writing.note_field import block, with_block

MARK, OTHER = "ABCDEFGHI2", "ABCDEFGHI3"
TEXT = f"Nobody called.\n\nSince May. {MARK}"
foreign = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=60)


@given(foreign, foreign)
def test_what_is_put_comes_out_and_leaves_no_trace(before: str, text: str) -> None:
    put = with_block(before, MARK, f"{text}.")
    assert block(put, MARK) == f"{text}."
    assert with_block(put, MARK, None) == before


@given(foreign)
def test_second_note_leaves_the_first_alone_in_any_order(before: str) -> None:
    first = with_block(before, MARK, "one")
    both = with_block(first, OTHER, "two")
    assert (block(both, MARK), block(both, OTHER)) == ("one", "two")
    assert with_block(both, OTHER, None) == first
    assert block(with_block(both, MARK, None), OTHER) == "two"


def test_replaced_text_stays_in_its_place() -> None:
    put = with_block("above", MARK, TEXT) + "\nbelow"
    changed = with_block(put, MARK, "new")
    assert changed.startswith("above\n-- ")
    assert changed.endswith("-- /" + MARK + "\nbelow")
    assert block(changed, MARK) == "new"


def test_putting_it_twice_is_putting_it_once() -> None:
    once = with_block("above", MARK, TEXT)
    assert with_block(once, MARK, TEXT) == once


def test_taking_out_what_is_not_there_changes_nothing() -> None:
    assert with_block("above", MARK, None) == "above"


def test_line_breaks_of_a_server_do_no_harm() -> None:
    put = with_block("above\nmore", MARK, TEXT).replace("\n", "\r\n")
    assert block(put, MARK) == TEXT
    assert with_block(put, MARK, None) == "above\r\nmore"


@pytest.mark.parametrize("whole", ["", f"-- {MARK}", f"-- {MARK}\ntext", f"text\n-- /{MARK}"])
def test_half_a_block_is_none(whole: str) -> None:
    assert block(whole, MARK) is None


def test_marker_that_begins_like_ours_is_another() -> None:
    assert block(f"-- {MARK}\ntext\n-- /{MARK}A", MARK) is None
