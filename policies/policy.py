"""Policies from files and from text; the file format for editors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies.language.vocabulary import Type
from policies.loader.loading import policy_of
from policies.loader.schema import PolicyShape
from policies.model import Policy
from policies.yaml_source import read_yaml, read_yaml_file


def load_policy(
    path: Path,
    overrides: Mapping[str, str] | None = None,
    fields: Mapping[str, Type] | None = None,
) -> Policy:
    """Read a policy file and what it extends. Raises `FileProblems` with all of its problems.

    `overrides` replace values of `params`; `fields` are the types of the CRM's own fields.
    """
    return policy_of(read_yaml_file(path), path.parent, overrides or {}, fields or {})


def parse_policy(
    text: str,
    name: str = "policy.yaml",
    *,
    fields: Mapping[str, Type] | None = None,
    folder: Path | None = None,
) -> Policy:
    """The same for a text; `folder` is where the files that it names stand."""
    return policy_of(read_yaml(text, name), folder, {}, fields or {})


def policy_json_schema() -> dict[str, Any]:
    """JSON Schema of the file format, for editors."""
    schema = PolicyShape.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
