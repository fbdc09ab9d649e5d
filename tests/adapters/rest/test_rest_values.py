"""Values as servers write them, made plain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.pulling.values import Plain, rewritable
from adapters.rest.schema.description import Values
from adapters.rest.schema.object_description import FieldForm

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def plain(row: Any, fields: dict[str, str] | None = None, **values: Any) -> Any:
    forms = {name: FieldForm.model_validate(kind) for name, kind in (fields or {}).items()}
    return Plain(Values.model_validate(values), forms, {"zone": "UTC"}).row(row)


@given(JSON)
def test_nothing_asked_changes_nothing(row: Any) -> None:
    assert Plain(Values(), {}, {}).row(row) is row
    assert not Plain(Values(), {}, {}).asked


@given(JSON)
def test_row_that_was_handed_in_stays_as_it_was(row: Any) -> None:
    before = repr(row)
    values = {"false_is_null": True, "pairs": True, "named": {"path": "a"}}
    plain({"a": [{"name": "x", "value": row}], "b": row}, **values)
    assert repr(row) == before


def test_false_is_null_but_for_booleans() -> None:
    row = {"name": False, "active": False, "on": True, "zero": 0, "user": {"active": False}}
    fields = {"active": "boolean", "on": "boolean"}
    assert plain(row, fields, false_is_null=True) == {
        "name": None,
        "active": False,
        "on": True,
        "zero": 0,
        "user": {"active": None},
    }


def test_booleans_inside_others_are_named_by_their_path() -> None:
    row = {"user": {"active": False}, "lines": [{"done": False, "note": False}, False]}
    fields = {"user.active": "boolean", "lines.done": "boolean"}
    assert plain(row, fields, false_is_null=True) == {
        "user": {"active": False},
        "lines": [{"done": False, "note": None}, False],
    }


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ([7, "Ann"], {"id": 7, "name": "Ann"}),
        ([7, 8], [7, 8]),
        (["a", "b"], ["a", "b"]),
        ([True, "Ann"], [True, "Ann"]),
        ([7, "Ann", 1], [7, "Ann", 1]),
        ([[7, "Ann"], [8, "Bo"]], [{"id": 7, "name": "Ann"}, {"id": 8, "name": "Bo"}]),
        ([], []),
    ],
)
def test_pair_of_id_and_name_is_an_object(value: Any, made: Any) -> None:
    assert plain({"user_id": value}, pairs=True) == {"user_id": made}


def test_tagged_value_is_the_text_of_its_template() -> None:
    tagged = {
        "key": "__class__",
        "forms": {"Decimal": "{{ value.decimal }}", "time": "{{ value.hour }} {{ zone }}"},
    }
    row = {
        "a": {"__class__": "Decimal", "decimal": "1000.50"},
        "b": [{"__class__": "time", "hour": 7}],
        "c": {"__class__": "unknown", "x": 1},
        "d": {"__class__": ["odd"]},
        "e": {"decimal": "1"},
    }
    assert plain(row, tagged=tagged) == {
        "a": "1000.50",
        "b": ["7 UTC"],
        "c": {"__class__": "unknown", "x": 1},
        "d": {"__class__": ["odd"]},
        "e": {"decimal": "1"},
    }


def test_named_values_are_an_object() -> None:
    values = [
        {"name": "Phone", "value": "1"},
        {"name": "Tag", "value": "a"},
        {"name": "Tag", "value": "b"},
        {"name": "Empty"},
        {"name": None, "value": "x"},
        "odd",
    ]
    made = {"Phone": "1", "Tag": ["a", "b"], "Empty": None}
    assert plain({"id": 1, "v": values}, named={"path": "v"}) == {"id": 1, "v": made}
    assert plain({"x": [{"v": values}]}, named={"path": "x[0].v"}) == {"x": [{"v": made}]}
    assert plain(values, named={"path": ""}) == made


def test_named_values_have_names_of_their_own() -> None:
    named = {"path": "v", "name": "key", "value": "data.text"}
    row = {"v": [{"key": "a", "data": {"text": "1"}}]}
    assert plain(row, named=named) == {"v": {"a": "1"}}


@pytest.mark.parametrize("row", [{"v": {"a": 1}}, {}, [], None, 5])
def test_row_without_named_values_stays(row: Any) -> None:
    assert plain(row, named={"path": "v"}) == row


def test_texts_lose_their_entities() -> None:
    row = {"a": "R&amp;D &lt;1&gt; &#039;x&#039;", "b": ["&quot;", 1, None, False], "c": {"d": "&"}}
    made = {"a": "R&D <1> 'x'", "b": ['"', 1, None, False], "c": {"d": "&"}}
    assert plain(row, entities=True) == made
    assert plain({"a": [7, "A &amp; B"]}, entities=True, pairs=True) == {
        "a": {"id": 7, "name": "A & B"}
    }


def test_record_that_goes_back_keeps_what_the_server_wrote() -> None:
    """But for names and values, which a template can turn back, and entities, which come again."""
    values = Values.model_validate(
        {
            "false_is_null": True,
            "pairs": True,
            "tagged": {"key": "t", "forms": {"x": "{{ value.x }}"}},
            "named": {"path": "v"},
            "entities": True,
        }
    )
    row = {
        "v": [{"name": "a", "value": False}, {"name": "b", "value": "x &amp; y"}],
        "p": [7, "Ann"],
        "t": {"t": "x", "x": 1},
    }
    assert Plain(rewritable(values), {}, {}).row(row) == {
        "v": {"a": False, "b": "x & y"},
        "p": [7, "Ann"],
        "t": {"t": "x", "x": 1},
    }
