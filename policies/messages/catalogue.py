"""Message catalogues: YAML files beside this module, `LANGUAGE.yaml` and `LANGUAGE.PART.yaml`.

What a language lacks is said in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

import yaml

FALLBACK = "en"

# Every scalar is text, and the C library reads a catalogue twenty times as fast.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _Blank(dict[str, object]):
    """A value that a caller forgot shows its name; a message never fails."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def parts(folder: Traversable) -> Mapping[str, tuple[Traversable, ...]]:
    """The files of each language in a folder, by their names."""
    files = (item for item in folder.iterdir() if item.name.endswith(".yaml"))
    found: dict[str, tuple[Traversable, ...]] = {}
    for item in sorted(files, key=lambda item: item.name):
        language = item.name.partition(".")[0]
        found[language] = (*found.get(language, ()), item)
    return found


def read_messages(file: Traversable) -> Mapping[str, str]:
    """The messages of one file by their dotted keys."""
    return dict(_flat("", yaml.load(file.read_text("utf-8"), _LOADER)))  # noqa: S506 - texts only


def _flat(prefix: str, section: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in section.items():
        name = f"{prefix}{key}"
        pairs += _flat(f"{name}.", value) if isinstance(value, Mapping) else [(name, str(value))]
    return pairs


@cache
def _shipped() -> Mapping[str, tuple[Traversable, ...]]:
    return parts(resources.files("policies.messages"))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All messages of a language by their dotted key; of an unknown language, the English ones."""
    files = _shipped().get(language) or _shipped()[FALLBACK]
    return {key: text for file in files for key, text in read_messages(file).items()}


def has_message(language: str, key: str) -> bool:
    return key in catalogue(language) or key in catalogue(FALLBACK)


def message(language: str, key: str, /, **values: object) -> str:
    """The message with its values filled in, whole numbers grouped as the language does it;
    English where a language has no such message, else the key."""
    text = catalogue(language).get(key) or catalogue(FALLBACK).get(key)
    if text is None:
        return key
    shown = {
        name: grouped(language, f"{value:,}") if type(value) is int else value
        for name, value in values.items()
    }
    return text.format_map(_Blank(shown))


def counted(language: str, key: str, count: int, /, **values: object) -> str:
    """The message of so many: `KEY.one` or `KEY.other`, where `count` stands for the number."""
    return message(language, f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)


def grouped(language: str, figure: str) -> str:
    """`1,234.5` with the two signs of the language."""
    signs = _signs(language)
    return figure.translate(signs) if signs else figure


@cache
def _signs(language: str) -> dict[int, str]:
    """Nothing where the language writes both signs as here."""
    signs = {",": message(language, "number.thousands"), ".": message(language, "number.decimal")}
    return {ord(sign): own for sign, own in signs.items() if sign != own}
