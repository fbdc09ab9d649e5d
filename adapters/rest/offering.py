"""What the list of adapters and a new workspace say about described APIs, and their mapping."""

from __future__ import annotations

from typing import Any

import yaml

from adapters import About
from adapters.rest.description import Description
from adapters.rest.loading import (
    ADAPTER,
    facts_text,
    preset,
    read_description,
    source_of,
    starter,
)
from connector.workspace import Workspace

_OWN = About(
    "any CRM with a REST API, by a description of your own", "by the same engine as the presets"
)


def default_mapping(workspace: Workspace) -> str:
    """The `facts:` block of the workspace's description."""
    return facts_text(source_of(workspace))


def starter_settings(name: str) -> dict[str, Any]:
    """The settings of a preset to fill in, or where a description of one's own stands."""
    if name == ADAPTER:
        return {"description": "crm.yaml"}
    return starter(read_description(preset(name)))


def about(name: str) -> About:
    """A preset's own words; what else is wrong with it is for whoever opens it."""
    if name == ADAPTER:
        return _OWN
    told = yaml.safe_load(preset(name).text)
    return About(told["name"], told.get("status", Description.model_fields["status"].default))
