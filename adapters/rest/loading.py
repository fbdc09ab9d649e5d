"""Reads a description, a workspace's own or a preset, and the settings that go with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from adapters.rest.schema.description import Description, Setting
from adapters.rest.templates import check, names_in, templates_in
from connector.described_yaml import (
    Document,
    PathKey,
    Problem,
    checked,
    nearest,
    read_yaml,
    refuse,
)
from connector.errors import ConfigurationError
from connector.workspace import SECRET_SCHEMES, Workspace

ADAPTER = "rest"
MANUAL = "see docs/rest.md"
_PRESETS = "adapters.rest.presets"
_OBJECT = re.compile(r"\{\{\s*object\s*\}\}")
# What the places of a description may ask for besides the settings.
_ALWAYS = frozenset({"login"})
_NAMES: Mapping[str, frozenset[str]] = {
    "server": frozenset(),
    "auth": frozenset({"token", "answer"}),
    "identity": frozenset({"answer"}),
    "values": frozenset({"value"}),
    "objects": frozenset(
        {
            *("own", "limit", "page", "offset", "start", "stop", "cursor", "last", "since"),
            *("id", "ids", "value"),
        }
    ),
    "writes": frozenset(
        {
            *("own", "id", "ref", "fields", "record", "version", "items", "name", "value"),
            *("tag", "tag_id", "link_id", "note", "note_id", "text", "title", "content", "marker"),
            *("ids", "refs", "markers"),
            *("limit", "page", "offset", "start", "stop", "cursor", "last"),
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a description and the name under which its problems are told."""

    text: str
    name: str


def preset(name: str) -> Source:
    text = (resources.files(_PRESETS) / f"{name}.yaml").read_text(encoding="utf-8")
    return Source(text, f"{name}.yaml")


def source_of(workspace: Workspace) -> Source:
    """The description that a workspace goes by: its own file, or the preset that its adapter is
    called after."""
    if workspace.adapter != ADAPTER:
        return preset(workspace.adapter)
    name = workspace.settings.get("description")
    if not isinstance(name, str):
        raise ConfigurationError(
            "highseas.yaml, crm: the adapter 'rest' needs a description",
            "write `description: crm.yaml`, a file beside highseas.yaml; " + MANUAL,
        )
    try:
        return Source((workspace.root / name).read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the description {name} cannot be read ({type(error).__name__})",
            "its path is relative to highseas.yaml, its text UTF-8",
        ) from None


def read_description(source: Source) -> Description:
    """Raises `FileProblems` with every problem at its place."""
    document = _spread(read_yaml(source.text, source.name))
    description = checked(document, Description, MANUAL)
    refuse(_template_problems(document, description), MANUAL)
    return description


def facts_text(source: Source) -> str:
    """The `facts:` block as a mapping file of its own, each line where it stands in the
    description, so that problems in it are told at the right place."""
    document = read_yaml(source.text, source.name)
    facts = document.value.get("facts") if isinstance(document.value, dict) else None
    if not isinstance(facts, dict):
        raise ConfigurationError(
            f"{source.name} does not say which records are customers",
            "add a `facts:` block, or name a mapping file in highseas.yaml; " + MANUAL,
        )
    begin = document.keys[("facts",)].line
    lines = source.text.splitlines(keepends=True)
    end = next(
        (n for n in range(begin, len(lines)) if lines[n].strip() and lines[n][0] not in " #\n\r"),
        len(lines),
    )
    return "\n" * begin + "".join(lines[begin:end])


def settings_of(
    description: Description, given: Mapping[str, Any], workspace: Workspace
) -> dict[str, Any]:
    """The values for a description's settings. Raises ConfigurationError that names the keys at
    fault, never their values."""
    known = description.settings
    own = {"description", "status_field"}
    for name in given:
        if name not in known and name not in own:
            raise ConfigurationError(
                f"highseas.yaml, crm: {description.name} knows no setting '{name}'",
                nearest(name, known) or "remove it",
            )
    _refuse_plain_secrets(description, given)
    missing = [name for name, setting in known.items() if setting.needed and not given.get(name)]
    if missing:
        raise ConfigurationError(
            f"highseas.yaml, crm: {', '.join(missing)} missing for {description.name}",
            "; ".join(f"{name}: {known[name].label or name}" for name in missing),
        )
    found: dict[str, Any] = {}
    for name, setting in known.items():
        value = given.get(name, setting.default)
        found[name] = workspace.secret(value) if isinstance(value, str) else value
    return found


def _refuse_plain_secrets(description: Description, given: Mapping[str, Any]) -> None:
    plain = [
        name
        for name, setting in description.settings.items()
        if setting.secret and given.get(name) is not None and not _is_reference(given[name])
    ]
    if plain:
        raise ConfigurationError(
            f"highseas.yaml, crm: {', '.join(plain)} holds a value where a reference belongs",
            "write env:NAME, file:PATH or keyring:SERVICE/NAME; the value now in the file should "
            "be revoked and made anew",
        )


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith(SECRET_SCHEMES)


def starter(description: Description) -> dict[str, Any]:
    """What a new workspace says about this CRM, to be filled in; secrets are references."""
    return {
        name: _example(name, setting)
        for name, setting in description.settings.items()
        if setting.needed or setting.example is not None
    }


def _example(name: str, setting: Setting) -> str | int | None:
    if setting.secret and not _is_reference(setting.example):
        return f"env:{name.upper()}"
    return setting.example if setting.example is not None else setting.default


def _spread(document: Document) -> Document:
    """The document with `every` laid under each object; what came from there keeps its place."""
    value = document.value
    every = value.get("every") if isinstance(value, dict) else None
    objects = value.get("objects") if isinstance(value, dict) else None
    if not isinstance(every, dict) or not isinstance(objects, dict):
        return document
    laid = {
        name: _laid_over(_named(every, name), {} if own is None else own)
        for name, own in objects.items()
    }
    spans, keys = (_spread_places(places, objects) for places in (document.spans, document.keys))
    return replace(document, value={**value, "objects": laid}, spans=spans, keys=keys)


def _spread_places(places: Mapping[PathKey, Any], names: Iterable[str]) -> dict[PathKey, Any]:
    below = {path[1:]: span for path, span in places.items() if path[:1] == ("every",)}
    spread = {("objects", name, *rest): span for name in names for rest, span in below.items()}
    return {**spread, **places}


def _laid_over(under: Any, own: Any) -> Any:
    """`own` wins; keys that it does not have come from `under`; null takes one away."""
    if not isinstance(under, dict) or not isinstance(own, dict) or _is_other_kind(under, own):
        return own
    return {
        key: _laid_over(under.get(key), own.get(key, under.get(key))) for key in {**under, **own}
    }


def _is_other_kind(under: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    return "kind" in own and own["kind"] != under.get("kind")


def _named(every: Any, name: str) -> Any:
    if isinstance(every, str):
        return _OBJECT.sub(lambda _: name, every)
    if isinstance(every, dict):
        return {key: _named(item, name) for key, item in every.items()}
    return [_named(item, name) for item in every] if isinstance(every, list) else every


def _template_problems(document: Document, description: Description) -> Iterator[Problem]:
    """Templates that cannot be read, or ask for what nobody gives."""
    for part, own in _NAMES.items():
        valid = {*description.settings, *_ALWAYS, *own}
        for path, text in templates_in(document.value.get(part)):
            try:
                check(text)
            except ValueError as error:
                yield document.problem((part, *path), str(error))
                continue
            for name in sorted(names_in(text) - valid):
                message = f"nothing is called '{name}' here"
                yield document.problem((part, *path), message, nearest(name, valid))
