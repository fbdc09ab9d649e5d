"""What the list of adapters and a new workspace say about described APIs, and their mapping."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml

from adapters import About
from adapters.rest.loading import (
    ADAPTER,
    Source,
    facts_text,
    preset,
    read_description,
    source_of,
    starter,
)
from adapters.rest.schema.description import Description
from connector.workspace import Workspace

OWN_FILE = "crm.yaml"
_OWN = About(
    "any CRM with a REST API, by a description of your own", "by the same engine as the presets"
)


def default_mapping(workspace: Workspace) -> str:
    """The `facts:` block of the workspace's description."""
    return facts_text(source_of(workspace))


def starter_settings(name: str) -> dict[str, Any]:
    """The settings of a preset to fill in, or where a description of one's own stands."""
    if name == ADAPTER:
        return {"description": OWN_FILE, **starter(read_description(_skeleton()))}
    return starter(read_description(preset(name)))


def starter_files(name: str) -> dict[str, str]:
    """What a new workspace gets beside highseas.yaml: a description to be filled in."""
    return {OWN_FILE: _skeleton().text} if name == ADAPTER else {}


def _skeleton() -> Source:
    text = (resources.files("adapters.rest") / "skeleton.yaml").read_text(encoding="utf-8")
    return Source(text, OWN_FILE)


def about(name: str) -> About:
    """A preset's own words; what else is wrong with it is for whoever opens it."""
    if name == ADAPTER:
        return _OWN
    told = yaml.safe_load(preset(name).text)
    return About(told["name"], told.get("status", Description.model_fields["status"].default))
