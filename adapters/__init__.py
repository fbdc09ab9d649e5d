"""Which adapters there are, and opening the one that a workspace names. Imports no vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from types import MappingProxyType

import yaml

from connector.errors import ConfigurationError
from connector.ports import Adapter
from connector.workspace import Workspace

GROUP = "highseas.adapters"

# Called with the workspace; `mapping.yaml` stands beside the module.
BUILT_IN = MappingProxyType({"zoho": "adapters.zoho:open_adapter"})


def adapter_names() -> tuple[str, ...]:
    """Built-in adapters and those of other distributions."""
    return tuple(sorted(_registered()))


def open_adapter(workspace: Workspace) -> Adapter:
    """The adapter that the workspace names, with its settings and secrets.

    Raises ConfigurationError when there is none of that name, or its settings do not fit.
    """
    opener: Callable[[Workspace], Adapter] = _entry(workspace.adapter).load()
    return opener(workspace)


def default_mapping(name: str) -> str:
    """The text of an adapter's own mapping.yaml."""
    mapping = files(_entry(name).module).joinpath("mapping.yaml")
    if not mapping.is_file():
        raise ConfigurationError(
            f"the adapter {name!r} has no mapping of its own",
            "write one, and name it in highseas.yaml as `mapping: mapping.yaml`",
        )
    return mapping.read_text(encoding="utf-8")


def starter_settings(name: str) -> dict[str, str]:
    """What a new workspace says about this CRM: the settings to fill in, secrets as references."""
    settings = files(_entry(name).module).joinpath("starter.yaml")
    if not settings.is_file():
        return {}
    loaded: dict[str, str] = yaml.safe_load(settings.read_text(encoding="utf-8"))
    return loaded


def _entry(name: str) -> EntryPoint:
    registered = _registered()
    if name in registered:
        return registered[name]
    near = get_close_matches(name, registered, n=1)
    known = ", ".join(sorted(registered))
    raise ConfigurationError(
        f"there is no adapter {name!r}",
        f"did you mean {near[0]!r}?" if near else f"the adapters are: {known}",
    )


def _registered(others: Iterable[EntryPoint] | None = None) -> dict[str, EntryPoint]:
    found = {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
    for point in entry_points(group=GROUP) if others is None else others:
        if point.name in found:
            raise ConfigurationError(
                f"two adapters are called {point.name!r}",
                f"uninstall {_origin(point)}, or the other one of that name",
            )
        found[point.name] = point
    return found


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
