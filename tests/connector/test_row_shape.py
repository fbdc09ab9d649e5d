"""Rows are checked against the paths that a mapping wants, and read by DuckDB the same way."""

from __future__ import annotations

import json

import pytest

from connector.row_shape import PathError, RowCheck, RowShape, split_path

SHAPE = RowShape("Accounts", "id", ["Owner.id", "Tag[].name", "Labels[]", "Name"])


def row(**changes: object) -> bytes:
    return json.dumps({"id": "1", "Owner": {"id": "7"}, "Name": "x", **changes}).encode()


def test_a_row_as_wanted_passes() -> None:
    assert SHAPE.check(row(Tag=[{"name": "a", "id": "9"}], Labels=["b", None], Extra={})) is None


def test_absent_and_empty_fields_pass() -> None:
    assert SHAPE.check(b'{"id": 5, "Owner": null, "Tag": null}') is None


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"Owner": {"id": {}}}, "$.Owner.id", "got `object`"),
        ({"Owner": "Li"}, "$.Owner", "got `str`"),
        ({"Tag": [{"name": ["a"]}]}, "$.Tag[0].name", "got `array`"),
        ({"Name": []}, "$.Name", "got `array`"),
    ],
)
def test_a_wrong_shape_is_named_with_its_exact_path(
    changes: dict[str, object], field: str, message: str
) -> None:
    reject = SHAPE.check(row(**changes))
    assert reject is not None
    assert (reject.id, reject.field) == ("1", field)
    assert message in reject.message
    assert "Li" not in reject.message


def test_a_row_without_id_is_rejected_without_one() -> None:
    missing = SHAPE.check(b'{"Name": "x"}')
    empty = SHAPE.check(b'{"id": ""}')
    assert missing is not None
    assert empty is not None
    assert (missing.id, empty.id, empty.field) == ("", "", "$.id")


def test_a_row_that_is_not_json_is_rejected() -> None:
    reject = SHAPE.check(b'{"id": "1", "Name": ')
    assert reject is not None
    assert reject.field == "$"


def test_text_that_is_not_utf8_is_rejected_even_in_a_field_nobody_wants() -> None:
    rows = (row(), b'{"id": "2", "Junk": "\xff\xfe"}', '{"id": "3", "Junk": "客户"}'.encode())
    rejects = RowCheck(SHAPE, ()).rejects(rows, b"".join(rows))
    assert {place: reject.id for place, reject in rejects.items()} == {1: "2"}


def test_lone_surrogates_are_rejected() -> None:
    assert SHAPE.check(b'{"id": "1", "Junk": "\\ud800 "}') is not None


def test_fields_that_no_row_carries_are_noticed() -> None:
    check = RowCheck(SHAPE, SHAPE.fields)
    rows = (row(), row(Tag=None))
    check.rejects(rows, b"".join(rows))
    assert check.unseen == ("Labels",)


def test_a_name_that_may_be_escaped_proves_nothing() -> None:
    shape = RowShape("A", "id", ["客户"])
    assert RowCheck(shape, shape.fields).unseen == ("id",)


@pytest.mark.parametrize("path", ["", "a..b", "a[]b", "a[].b[]", "[]", "a[0]"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        split_path(path)


@pytest.mark.parametrize(
    "paths", [["Owner", "Owner.id"], ["Owner.id", "Owner"], ["Tag[].name", "Tag.name"], ["a", "A"]]
)
def test_paths_that_contradict_each_other_are_refused(paths: list[str]) -> None:
    with pytest.raises(PathError):
        RowShape("A", "id", paths)


@pytest.mark.parametrize("path", ["a.b", "a[]"])
def test_an_id_inside_something_is_refused(path: str) -> None:
    with pytest.raises(PathError, match="field of the record itself"):
        RowShape("A", path, [])


def test_fields_are_asked_for_once_and_by_their_own_name() -> None:
    shape = RowShape("A", "id", ["Owner.id", "Owner.name", "$se_module"])
    assert shape.fields == ("id", "Owner", "$se_module")
    assert shape.column_type == (
        'STRUCT("id" VARCHAR, "Owner" STRUCT("id" VARCHAR, "name" VARCHAR), "$se_module" VARCHAR)'
    )
