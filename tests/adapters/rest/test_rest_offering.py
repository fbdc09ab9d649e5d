"""Presets and descriptions as the list of adapters, a new workspace and an editor see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters import BUILT_IN, adapter_list, default_mapping, starter_settings
from adapters.rest.editor_schema import description_schema
from adapters.rest.loading import (
    Source,
    preset,
    read_description,
    settings_of,
)
from connector.errors import ConfigurationError, FileProblems
from connector.mapping import compile_mapping
from connector.workspace import SECRET_SCHEMES, Workspace, WorkspaceFile
from connector.workspace_files import NewWorkspace, create_workspace
from policies.yaml_source import read_yaml
from tests.adapters.rest.presets import PRESETS
from tests.json_schema import is_valid

SMALL = """\
rest: 1
name: Small
settings:
  url: {example: "https://crm.example.com"}
  pin: {secret: true}
server: {url: "{{ url }}"}
identity: {call: {path: /me}, id: "{{ answer.id }}"}
objects:
  people:
    modified: changed
    fields: {name: text}
    list: {path: /people, total: meta.count}
facts:
  mapping: 1
  customers:
    - object: people
      id: id
      columns: {name: name}
"""


def workspace(folder: Path, adapter: str, **settings: Any) -> Workspace:
    config = {
        "workspace": 1,
        "name": "acme",
        "timezone": "UTC",
        "crm": {"adapter": adapter, **settings},
    }
    return Workspace(folder, WorkspaceFile.model_validate(config))


def described(text: str) -> Any:
    return read_yaml(text, "crm.yaml").value


def test_every_preset_is_an_adapter_of_its_name() -> None:
    behind = {name for name, value in BUILT_IN.items() if value.startswith("adapters.rest:")}
    assert behind - {"rest"} == set(PRESETS)


def test_the_list_tells_who_has_seen_each_one_working() -> None:
    listed = {each.name: each for each in adapter_list()}
    assert set(listed) == set(BUILT_IN)
    for name in PRESETS:
        known = read_description(preset(name))
        assert (listed[name].title, listed[name].status) == (known.name, known.status)
    assert all(each.title and each.status and not each.origin for each in listed.values())
    assert "not yet run" in listed["zoho"].status


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_new_workspace_holds_the_settings_and_no_secret(name: str, tmp_path: Path) -> None:
    create_workspace(tmp_path, NewWorkspace("acme", name, starter_settings(name)))
    text = (tmp_path / "highseas.yaml").read_text()
    assert f"adapter: {name}" in text
    if name in PRESETS:
        known = read_description(preset(name)).settings
        given = starter_settings(name)
        assert {key for key, setting in known.items() if setting.needed} <= set(given)
        secrets = [given[key] for key, setting in known.items() if setting.secret]
        assert secrets
        assert all(str(value).startswith(SECRET_SCHEMES) for value in secrets)


@pytest.mark.parametrize("name", [*sorted(BUILT_IN)])
def test_the_mapping_of_each_adapter_compiles(name: str, tmp_path: Path) -> None:
    (tmp_path / "crm.yaml").write_text(SMALL)
    text = default_mapping(workspace(tmp_path, name, **starter_settings(name)))
    compiled = compile_mapping(text, "mapping.yaml", zone="UTC", status_field="status")
    assert compiled.customer_objects


def test_problems_in_the_facts_of_a_description_are_told_at_their_line(tmp_path: Path) -> None:
    broken = SMALL.replace("columns: {name: name}", "columns: {nmae: name}")
    (tmp_path / "crm.yaml").write_text(broken)
    text = default_mapping(workspace(tmp_path, "rest", description="crm.yaml"))
    with pytest.raises(FileProblems) as caught:
        compile_mapping(text, "crm.yaml", zone="UTC", status_field=None)
    [problem] = caught.value.problems
    assert broken.splitlines()[problem.line - 1].strip().startswith("columns:")


@pytest.mark.parametrize("value", ["hunter2", 12345, True])
def test_a_secret_of_a_description_must_be_a_reference(value: Any, tmp_path: Path) -> None:
    (tmp_path / "crm.yaml").write_text(SMALL)
    known = read_description(preset("kinto")).model_copy(
        update={"settings": _settings(SMALL)},
    )
    with pytest.raises(ConfigurationError, match=r"crm: pin holds a value") as caught:
        settings_of(known, {"url": "https://a", "pin": value}, workspace(tmp_path, "rest"))
    assert str(value) not in str(caught.value) + caught.value.hint


def test_a_reference_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HS_PIN", "1234")
    known = read_description(preset("kinto")).model_copy(update={"settings": _settings(SMALL)})
    found = settings_of(known, {"url": "https://a", "pin": "env:HS_PIN"}, workspace(tmp_path, "x"))
    assert found == {"url": "https://a", "pin": "1234"}


def _settings(text: str) -> Any:
    return read_description(Source(text, "crm.yaml")).settings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_fit_the_schema_that_editors_get(name: str) -> None:
    assert is_valid(described(preset(name).text), description_schema())


def test_the_schema_takes_short_forms_and_refuses_typing_errors() -> None:
    schema = description_schema()
    assert is_valid(described(SMALL), schema)
    for wrong in (
        SMALL.replace("modified: changed", "modfied: changed"),
        SMALL.replace("{name: text}", "{name: {kind: text}}"),
        SMALL.replace("rest: 1", "rest: 2"),
        SMALL.replace("{path: /people, total: meta.count}", "{path: /people, page_size: 0}"),
    ):
        assert not is_valid(described(wrong), schema), wrong


def test_the_schema_explains_every_part() -> None:
    schema = description_schema()
    for name, part in schema["$defs"].items():
        about = part["anyOf"][1] if "anyOf" in part else part
        assert about.get("description") or "enum" in about, name
