"""Any CRM with a REST API, by a description in YAML alone."""

from __future__ import annotations

from adapters.http import Timing
from adapters.rest.adapter import RestAdapter
from adapters.rest.loading import read_description, settings_of, source_of
from adapters.rest.offering import about, default_mapping, starter_files, starter_settings
from connector.workspace import Workspace

__all__ = [
    "RestAdapter",
    "about",
    "default_mapping",
    "open_adapter",
    "starter_files",
    "starter_settings",
]


def open_adapter(workspace: Workspace) -> RestAdapter:
    """The adapter for a workspace, with the machine's own clock."""
    description = read_description(source_of(workspace))
    settings = settings_of(description, workspace.settings, workspace)
    return RestAdapter(description, settings, timing=Timing())
