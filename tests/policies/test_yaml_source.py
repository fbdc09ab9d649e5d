"""Strict YAML: what stays text, what is refused, and where everything stands."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import ConfigurationError, FileProblems
from policies.yaml_source import MAX_CHARACTERS, read_yaml, read_yaml_file


def refused(text: str | bytes) -> str:
    with pytest.raises(FileProblems) as raised:
        read_yaml(text, "f.yaml")
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["NO", "yes", "on", "12:30", "0123", "2024-01-01", "~", "1_000", ".5", "0x1F", "+1", "=", "5%"],
)
def test_what_yaml_1_1_would_change_stays_text(text: str) -> None:
    assert read_yaml(f"key: {text}", "f.yaml").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal(1000)),
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("9" * 19, "9" * 19),
    ],
)
def test_json_scalars_and_quoted_text(text: str, value: object) -> None:
    read = read_yaml(f"key: {text}", "f.yaml").value["key"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' stands here twice (line 1)"),
        ("a: &x 1\nb: *x", "f.yaml:2:4: the alias *x is not allowed here"),
        ("a: {<<: {b: 1}}", "f.yaml:1:5: merge keys (<<) are not allowed here"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: the tag"),
        ("a: !!str 5", "f.yaml:1:4: the tag"),
        ("[1, 2]: 3", "f.yaml:1:1: a key must be plain text"),
        ("a:\n\t- 1", "f.yaml:2:1: a tab cannot start a YAML value - indent with spaces"),
        ("when: days_since(x, else: y)", "f.yaml:1:25: a second ': ' stands in this value"),
        ("a: [1", "f.yaml:1:6: this is not readable YAML"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: this is not readable YAML"),
        ("a: \x07", "f.yaml:1:4: the character U+0007 cannot stand in a YAML file"),
        (b"a: 1\nb: \xff\xfe", "f.yaml:2:4: this file is not UTF-8 text - save it as UTF-8"),
        ('a: "\\U00110000"', "f.yaml:1:1: this is not readable YAML"),
        ('a: "\\UFFFFFFFF"', "f.yaml:1:1: this is not readable YAML"),
        ('a: "\\ud800"', "f.yaml:1:4: half of a character"),
        ('a: 1\n"\\ud800": 1', "f.yaml:2:1: half of a character"),
        ('a: {b: 3, "x\\udfff": }', "f.yaml:1:11: half of a character"),
        ("[" * 5_000, "f.yaml:1:41: values are nested deeper than 40 levels"),
        ("a" * (MAX_CHARACTERS + 1), "f.yaml:1:1: the file is longer than"),
        ("a: 2026-01-01\n? |\n  b\n: 'x\n", "this is not readable YAML"),
    ],
)
def test_what_is_refused_says_where(text: str | bytes, problem: str) -> None:
    assert problem in refused(text)


def test_all_problems_of_the_values_are_reported_at_once() -> None:
    assert len(refused("a: 1\na: 2\nb: {c: 1, c: 2}").splitlines()) == 2


def test_a_byte_order_mark_is_harmless() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1", "f.yaml").position(("a",)) == (1, 4)
    assert read_yaml("\ufeffa: 1", "f.yaml").value == {"a": 1}


def test_an_empty_file_is_nothing() -> None:
    document = read_yaml("", "f.yaml")
    assert document.value is None
    assert document.position(("a",)) == (1, 1)


def test_positions_of_values_keys_and_what_is_missing() -> None:
    document = read_yaml("a:\n  - b: 1\n    c: 2\n", "f.yaml")
    assert document.position(("a", 0, "c")) == (3, 8)
    assert document.position(("a", 0, "c"), key=True) == (3, 5)
    assert document.position(("a", 0, "missing")) == (2, 5)
    assert document.problem(("a",), "wrong").line == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("w: ab cd XY", (1, 10)),
        ('w: "a\\nXY"', (1, 4)),
        ("w: 'a''b cd XY'", (1, 13)),
        ('w: "a\\"b cd XY"', (1, 13)),
        ("w: ab\n   cd XY", (2, 7)),
        ("w: |\n  ab\n  cd XY\n", (3, 6)),
        ("w: >-\n  ab\n  cd\n\n  XY\n", (5, 3)),
    ],
)
def test_a_place_inside_of_a_value_is_found(text: str, place: tuple[int, int]) -> None:
    document = read_yaml(text, "f.yaml")
    offset = document.value["w"].index("XY")
    assert document.position_in(("w",), offset) == place
    assert document.problem_in(("w",), offset, "wrong").column == place[1]


def test_a_place_behind_the_end_or_outside_of_text_falls_back() -> None:
    document = read_yaml('a: 5\nb: "x\\u4e2dy"\nc: ab', "f.yaml")
    assert document.position_in(("a",), 3) == (1, 4)
    assert document.position_in(("b",), 2) == (2, 4)
    assert document.position_in(("c",), 2) == (3, 6)
    assert document.position_in(("d",), 2) == (1, 1)


def test_files_are_read_and_a_missing_one_is_one_line_of_fact(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 客户", "utf-8")
    assert read_yaml_file(path).value == {"a": "客户"}
    with pytest.raises(ConfigurationError, match=r"cannot read b\.yaml: No such file"):
        read_yaml_file(tmp_path / "b.yaml")


YAML_SIGNS = st.text("ab:-[]{}&*!|>'\"#,% \n\t?", max_size=60)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60), YAML_SIGNS))
def test_any_bytes_give_a_document_or_problems(content: str | bytes) -> None:
    places = []
    try:
        document = read_yaml(content, "f.yaml")
        places = [document.position(path) for path in document.spans]
    except FileProblems as refusal:
        places = [(problem.line, problem.column) for problem in refusal.problems]
    assert all(line >= 1 and column >= 1 for line, column in places)
