"""Adapters of other distributions, found by their entry points."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from adapters import adapter_names, default_mapping
from connector.errors import ConfigurationError


def install(folder: Path, distribution: str, name: str) -> None:
    module = distribution.replace("-", "_")
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text("def open_adapter(workspace): ...\n")
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[highseas.adapters]\n{name} = {module}:open_adapter\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def test_another_distribution_adds_its_adapter(site: Path) -> None:
    install(site, "mycrm-highseas", "mycrm")
    assert adapter_names() == ("mycrm", "zoho")
    with pytest.raises(ConfigurationError, match="no mapping of its own"):
        default_mapping("mycrm")
    (site / "mycrm_highseas" / "mapping.yaml").write_text("mapping: 1\n")
    assert default_mapping("mycrm") == "mapping: 1\n"


def test_two_adapters_of_one_name_are_refused(site: Path) -> None:
    install(site, "other-zoho", "zoho")
    with pytest.raises(ConfigurationError, match="two adapters are called 'zoho'") as caught:
        adapter_names()
    assert "other-zoho" in caught.value.hint
