"""Which adapters there are, and opening the one that a workspace names. Imports no vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from connector.errors import ConfigurationError
from connector.ports import Adapter
from connector.workspace import Workspace

GROUP = "highseas.adapters"

# Called with the workspace. Beside it the module may have `default_mapping(workspace)`,
# `starter_settings(name)`, `starter_files(name)` and `about(name)`, or mapping.yaml and
# starter.yaml.
# Those behind `adapters.rest` but for `rest` itself are the files in its folder `presets`.
BUILT_IN = MappingProxyType(
    {
        "dolibarr": "adapters.rest:open_adapter",
        "espocrm": "adapters.rest:open_adapter",
        "kinto": "adapters.rest:open_adapter",
        "odoo-json2": "adapters.rest:open_adapter",
        "odoo-jsonrpc": "adapters.rest:open_adapter",
        "rest": "adapters.rest:open_adapter",
        "suitecrm7": "adapters.rest:open_adapter",
        "tryton": "adapters.rest:open_adapter",
        "zoho": "adapters.zoho:open_adapter",
    }
)


class About(NamedTuple):
    """What an adapter is for, and who has seen it working."""

    title: str
    status: str


class Listed(NamedTuple):
    """One adapter in the list; `origin` is the distribution that it comes with."""

    name: str
    title: str
    status: str
    origin: str = ""


def adapter_list() -> Iterator[Listed]:
    """Built-in adapters and those of other distributions, by name; none of the latter is loaded."""
    for name, entry in sorted(_registered().items()):
        if entry.dist is None:
            about: About = _own(entry, "about")(name)
            yield Listed(name, *about)
        else:
            summary = entry.dist.metadata.json.get("summary", "")
            yield Listed(name, str(summary), "", f"{entry.dist.name} {entry.dist.version}")


def open_adapter(workspace: Workspace) -> Adapter:
    """The adapter that the workspace names, with its settings and secrets.

    Raises ConfigurationError when there is none of that name, or its settings do not fit.
    """
    opener: Callable[[Workspace], Adapter] = _entry(workspace.adapter).load()
    return opener(workspace)


def default_mapping(workspace: Workspace) -> str:
    """The text of the mapping that the workspace's adapter brings: the same for each workspace,
    or made for this one."""
    made: Callable[[Workspace], str] | None = _own(_entry(workspace.adapter), "default_mapping")
    return made(workspace) if made else fixed_mapping(workspace.adapter)


def fixed_mapping(name: str) -> str:
    """The text of an adapter's own mapping.yaml."""
    mapping = files(_entry(name).module).joinpath("mapping.yaml")
    if not mapping.is_file():
        raise ConfigurationError(
            f"the adapter {name!r} has no mapping of its own",
            "write one, and name it in highseas.yaml as `mapping: mapping.yaml`",
        )
    return mapping.read_text(encoding="utf-8")


def starter_settings(name: str) -> dict[str, Any]:
    """What a new workspace says about this CRM: the settings to fill in, secrets as references."""
    entry = _entry(name)
    made: Callable[[str], dict[str, Any]] | None = _own(entry, "starter_settings")
    if made is not None:
        return made(name)
    settings = files(entry.module).joinpath("starter.yaml")
    if not settings.is_file():
        return {}
    loaded: dict[str, Any] = yaml.safe_load(settings.read_text(encoding="utf-8"))
    return loaded


def starter_files(name: str) -> dict[str, str]:
    """What a new workspace gets for this CRM beside highseas.yaml: texts by file name."""
    made: Callable[[str], dict[str, str]] | None = _own(_entry(name), "starter_files")
    return made(name) if made else {}


def _own(entry: EntryPoint, function: str) -> Any:
    return getattr(import_module(entry.module), function, None)


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
