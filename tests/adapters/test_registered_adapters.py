"""Adapters of other distributions, found by their entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapters import BUILT_IN, adapter_list, default_mapping
from connector.errors import ConfigurationError
from connector.workspace import Workspace, WorkspaceFile


def install(folder: Path, distribution: str, name: str) -> None:
    module = distribution.replace("-", "_")
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text("def open_adapter(workspace): ...\n")
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\nSummary: speaks {name}\n"
    )
    (info / "entry_points.txt").write_text(f"[highseas.adapters]\n{name} = {module}:open_adapter\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def workspace(folder: Path, adapter: str) -> Workspace:
    crm = {"workspace": 1, "name": "acme", "timezone": "UTC", "crm": {"adapter": adapter}}
    return Workspace(folder, WorkspaceFile.model_validate(crm))


def test_another_distribution_adds_its_adapter(site: Path) -> None:
    install(site, "mycrm-highseas", "mycrm")
    assert {each.name for each in adapter_list()} == {*BUILT_IN, "mycrm"}
    with pytest.raises(ConfigurationError, match="no mapping of its own"):
        default_mapping(workspace(site, "mycrm"))
    (site / "mycrm_highseas" / "mapping.yaml").write_text("mapping: 1\n")
    assert default_mapping(workspace(site, "mycrm")) == "mapping: 1\n"


def test_another_distribution_may_make_its_mapping_for_each_workspace(site: Path) -> None:
    install(site, "made-highseas", "made")
    code = "def default_mapping(workspace): return workspace.name\n"
    (site / "made_highseas" / "__init__.py").write_text(code)
    assert default_mapping(workspace(site, "made")) == "acme"


def test_the_list_names_the_distribution_and_does_not_load_it(site: Path) -> None:
    install(site, "lazy-highseas", "lazy")
    (site / "lazy_highseas" / "__init__.py").write_text("raise AssertionError\n")
    [found] = [each for each in adapter_list() if each.name == "lazy"]
    assert (found.title, found.origin) == ("speaks lazy", "lazy-highseas 1")


def test_two_adapters_of_one_name_are_refused(site: Path) -> None:
    install(site, "other-zoho", "zoho")
    with pytest.raises(ConfigurationError, match="two adapters are called 'zoho'") as caught:
        list(adapter_list())
    assert "other-zoho" in caught.value.hint
