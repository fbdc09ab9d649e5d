"""Descriptions and settings: every problem at its place, secrets only as references."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.rest.loading import (
    Source,
    facts_text,
    preset,
    read_description,
    settings_of,
    source_of,
    starter,
)
from connector.errors import ConfigurationError, FileProblems
from connector.mapping import compile_mapping
from connector.workspace import load_workspace
from tests.adapters.rest.presets import PRESETS

TEXT = """\
rest: 1
name: Small
settings:
  url: {label: address}
  key: {secret: true}
  pages: {default: 50}
server: {url: "{{ url }}/api"}
auth: {kind: key, headers: {X-Key: "{{ key }}"}}
identity: {call: {path: /me}, id: "{{ answer.id }}"}
every:
  list:
    path: "/{{ object }}"
    params: {limit: "{{ limit }}", after: "{{ last }}"}
    rows: items
    paging: {kind: keyset}
objects:
  people:
    fields: {name: text}
  companies:
    list:
      rows: data
      params: {after: null, offset: "{{ offset }}"}
      paging: {kind: offset}
facts:
  mapping: 1
  customers:
    - object: companies
      columns: {name: title}
"""


def problems(text: str) -> list[tuple[int, int, str, str]]:
    with pytest.raises(FileProblems) as caught:
        read_description(Source(text, "crm.yaml"))
    found = caught.value.problems
    return [(each.line, each.column, each.message, each.suggestion) for each in found]


def test_what_all_objects_have_in_common_is_laid_under_each() -> None:
    people, companies = read_description(Source(TEXT, "crm.yaml")).objects.values()
    assert people.list.path == "/people"
    assert people.list.params == {"limit": "{{ limit }}", "after": "{{ last }}"}
    assert companies.list.path == "/companies"
    assert companies.list.rows == "data"
    assert companies.list.paging.kind == "offset"
    assert companies.list.params == {
        "limit": "{{ limit }}",
        "after": None,
        "offset": "{{ offset }}",
    }


def test_a_problem_in_the_common_part_is_told_once_and_there() -> None:
    assert problems(TEXT.replace("rows: items", "row: items")) == [
        (14, 5, "unknown key 'row'", "did you mean 'rows'?")
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{{ url }}/api", "{{ urll }}/api", (7, 15, "nothing is called 'urll' here")),
        ("kind: keyset", "kind: key-set", (15, 20, "'key-set' is not a value for this key")),
        ("kind: key,", "", (8, 1, "the key 'kind' is missing")),
        ("{{ limit }}", "{{ limit }", (13, 21, "this template cannot be read: unexpected '}'")),
        ("rows: data", "rows: da..ta", (21, 13, "a path is names with dots between them, such as")),
        ("rest: 1", "rest: 2", (1, 7, "'2' is not a value for this key")),
        ("name: Small", "", (1, 1, "the key 'name' is missing")),
    ],
)
def test_problems_have_their_place(old: str, new: str, problem: tuple[int, int, str]) -> None:
    (found,) = problems(TEXT.replace(old, new))
    assert found[:2] == problem[:2]
    assert found[2].startswith(problem[2])


def test_writing_needs_reading() -> None:
    text = TEXT + "writes:\n  people:\n    update: {method: PUT}\n  nobody: {}\n"
    assert any("'people' has no 'read'" in message for _, _, message, _ in problems(text))


def test_facts_are_a_mapping_with_the_places_of_the_description() -> None:
    source = Source(TEXT, "crm.yaml")
    good = compile_mapping(facts_text(source), "crm.yaml", zone="UTC", status_field=None)
    assert good.customer_objects == ("companies",)
    broken = Source(TEXT.replace("name: title", "nam: title"), "crm.yaml")
    with pytest.raises(FileProblems) as caught:
        compile_mapping(facts_text(broken), "crm.yaml", zone="UTC", status_field=None)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.suggestion) == (28, 17, "did you mean 'name'?")


def test_a_description_without_facts_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="which records are customers"):
        facts_text(Source(TEXT.partition("facts:")[0], "crm.yaml"))


def workspace(folder: Path, crm: str) -> Path:
    head = "workspace: 1\nname: acme\ntimezone: UTC\ncrm:\n"
    (folder / "highseas.yaml").write_text(head + crm, encoding="utf-8")
    return folder


def test_settings_are_resolved_and_defaults_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_KEY", "s3cret")
    (tmp_path / "crm.yaml").write_text(TEXT, encoding="utf-8")
    given = load_workspace(
        workspace(
            tmp_path,
            "  adapter: rest\n  description: crm.yaml\n  url: https://x.example\n"
            "  key: env:SMALL_KEY\n",
        )
    )
    description = read_description(source_of(given))
    assert settings_of(description, given.settings, given) == {
        "url": "https://x.example",
        "key": "s3cret",
        "pages": 50,
    }


@pytest.mark.parametrize(
    ("crm", "message"),
    [
        ("  url: https://x.example\n", "key missing for Small"),
        ("  url: u\n  key: env:K\n  pagse: 5\n", "knows no setting 'pagse'"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, crm: str, message: str) -> None:
    (tmp_path / "crm.yaml").write_text(TEXT, encoding="utf-8")
    text = "  adapter: rest\n  description: crm.yaml\n" + crm
    given = load_workspace(workspace(tmp_path, text))
    with pytest.raises(ConfigurationError, match=message):
        settings_of(read_description(source_of(given)), given.settings, given)


@pytest.mark.parametrize(
    ("crm", "message"),
    [
        ("  adapter: rest\n", "needs a description"),
        ("  adapter: rest\n  description: nowhere.yaml\n", "cannot be read"),
    ],
)
def test_a_description_that_is_not_there(tmp_path: Path, crm: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        source_of(load_workspace(workspace(tmp_path, crm)))


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_whole(name: str) -> None:
    source = preset(name)
    description = read_description(source)
    mapping = compile_mapping(
        facts_text(source), source.name, zone="UTC", status_field="some_status"
    )
    assert set(mapping.shapes) <= set(description.objects)
    for object_name in mapping.customer_objects:
        assert object_name in description.writes
    for setting, value in starter(description).items():
        assert description.settings[setting].secret == str(value).startswith("env:")


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}"])
def test_a_text_that_is_no_pattern_is_told_at_its_place(pattern: str) -> None:
    text = TEXT.replace("auth:", f"errors: {{texts: {{'{pattern}': refused}}}}\nauth:")
    with pytest.raises(FileProblems, match="pattern") as caught:
        read_description(Source(text, "crm.yaml"))
    assert (
        caught.value.problems[0].line
        == TEXT.splitlines().index('auth: {kind: key, headers: {X-Key: "{{ key }}"}}') + 1
    )


def test_a_field_is_sent_under_its_path_and_no_other_name() -> None:
    assert "name: text" in TEXT
    text = TEXT.replace("name: text", "name: {type: text, send: title}")
    with pytest.raises(FileProblems, match="unknown key 'send'"):
        read_description(Source(text, "crm.yaml"))
