"""A condition of a policy: what the author wrote, and the typed tree that it means."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.language.tree import Node
from policies.yaml_source import PathKey


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: its text as written, its typed tree, and where it stands."""

    text: str
    tree: Node
    file: str = field(default="", compare=False)
    path: PathKey = field(default=(), compare=False)
