"""Zoho CRM, API version 8."""

from __future__ import annotations

from adapters import About
from adapters.http import Timing
from adapters.zoho.adapter import ZohoAdapter
from adapters.zoho.settings import ZohoSettings, read_settings
from connector.workspace import Workspace

__all__ = ["ZohoAdapter", "ZohoSettings", "about", "open_adapter", "read_settings"]


def open_adapter(workspace: Workspace) -> ZohoAdapter:
    """The adapter for a workspace, with the machine's own clock."""
    settings = read_settings(workspace.settings, workspace.secret)
    return ZohoAdapter(settings, timing=Timing())


def about(_name: str) -> About:
    """For the list of adapters."""
    status = "tested with the sandbox of highseas, not yet run against Zoho itself"
    return About("Zoho CRM, API v8", status)
