"""A workspace as files: makes one with a starter policy.yaml, opens one with its log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from connector.errors import ConfigurationError
from connector.workspace import CONFIG_NAME, STATE_NAME, Workspace, load_workspace
from policies.library import library_names, library_text


@dataclass(frozen=True)
class NewWorkspace:
    """What a new workspace starts with; `settings` is the adapter's part of the `crm:` block,
    `files` are texts of its own by file name."""

    name: str
    adapter: str
    settings: Mapping[str, str]
    timezone: str = "UTC"
    language: str = "en"
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def starter(self) -> str:
        """The library's first policy, in the client's language where there is one."""
        own = f"starter.{self.language}"
        return own if own in library_names() else "starter"


def create_workspace(root: Path, new: NewWorkspace) -> list[Path]:
    """Write the files that are not there yet, check that they load, and name those written.

    Raises ConfigurationError when the folder already is a workspace.
    """
    if (root / CONFIG_NAME).exists():
        message = f"{root} already is a workspace"
        raise ConfigurationError(message, f"edit {root / CONFIG_NAME}, or choose another folder")
    root.mkdir(parents=True, exist_ok=True)
    head = {
        "workspace": 1,
        "name": new.name,
        "timezone": new.timezone,
        "language": new.language,
        "crm": {"adapter": new.adapter, **new.settings},
    }
    files = {
        CONFIG_NAME: _yaml(head),
        "policy.yaml": library_text(new.starter),
        ".gitignore": f"{STATE_NAME}/\n",
        **new.files,
    }
    missing = {root / name: text for name, text in files.items() if not (root / name).exists()}
    for path, text in missing.items():
        path.write_text(text, encoding="utf-8")
    load_workspace(root).prepare()
    return list(missing)


def open_workspace(root: Path) -> Workspace:
    """Load a workspace and make its state folder; what is logged from now on goes to its log."""
    workspace = load_workspace(root)
    workspace.prepare()
    _log_to(workspace.log_path)
    return workspace


def _log_to(path: Path) -> None:
    """Everything that a support case needs goes to the log file, tracebacks included."""
    path.touch(mode=0o600, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("highseas")
    root.setLevel(logging.INFO)
    root.addHandler(handler)


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=False)
