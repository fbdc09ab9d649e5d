"""Message catalogues: a YAML file a language beside this module; a new file is a new language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache, lru_cache
from importlib import resources
from typing import Protocol

from policies.metrics import METRICS
from policies.tree import plain
from policies.vocabulary import ATTRIBUTES, Type
from policies.yaml_source import read_yaml

FALLBACK = "en"

_CALL = re.compile(r"(\w+)\((?:(\d+)|'(.*)')?\)", re.DOTALL)


class EvidenceLike(Protocol):
    """One fact that a rule looked at, whoever stores it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def value(self) -> str | int | bool | None: ...
    @property
    def state(self) -> str: ...


class _Blank(dict[str, object]):
    """A value that a caller forgot shows its name; a message never fails."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def language_names() -> tuple[str, ...]:
    """The languages that have a catalogue."""
    files = (item.name for item in resources.files("policies.messages").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All messages of a language by their dotted key; of an unknown language, the English ones."""
    name = language if language in language_names() else FALLBACK
    text = (resources.files("policies.messages") / f"{name}.yaml").read_text("utf-8")
    return dict(_flat("", read_yaml(text, f"{name}.yaml").value))


def _flat(prefix: str, section: Mapping[str, object]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in section.items():
        name = f"{prefix}{key}"
        pairs += _flat(f"{name}.", value) if isinstance(value, Mapping) else [(name, str(value))]
    return pairs


def has_message(language: str, key: str) -> bool:
    return key in catalogue(language) or key in catalogue(FALLBACK)


def message(language: str, key: str, /, **values: object) -> str:
    """The message with its values filled in; English where a language has none, else the key."""
    text = catalogue(language).get(key) or catalogue(FALLBACK).get(key)
    return key if text is None else text.format_map(_Blank(values))


def value_text(language: str, kind: str, value: str | int | bool | None) -> str:  # noqa: FBT001
    """A value as people read it: dates in ISO form, numbers with thousands separators."""
    if value is None:
        return message(language, "value.none")
    if isinstance(value, bool):
        return message(language, "value.yes" if value else "value.no")
    if kind in {Type.MONEY, Type.NUMBER} and isinstance(value, str):
        return _decimal_text(Decimal(value), money=kind == Type.MONEY)
    return f"{value:,}" if isinstance(value, int) else value


def _decimal_text(value: Decimal, *, money: bool) -> str:
    places = len(plain(value).partition(".")[2])
    return f"{value:,.{max(places, 2) if money else places}f}"


def evidence_phrase(language: str, item: EvidenceLike) -> str:
    """One fact in words: what it is and its value, `never`, or that nobody can tell."""
    return _phrase(language, item.name, item.type, item.value, item.state)


@lru_cache(maxsize=8_192)  # dates, counts and names come again in thousands of notes
def _phrase(
    language: str,
    name: str,
    kind: str,
    value: str | int | bool | None,  # noqa: FBT001
    state: str,
) -> str:
    label = input_label(language, name)
    if state == "missing":
        return message(language, "fact.missing", label=label)
    if state == "never":
        key = "fact.never" if kind == Type.DATE else "fact.blank"
        return message(language, key, label=label)
    return message(language, "fact.known", label=label, value=value_text(language, kind, value))


@cache
def input_label(language: str, name: str) -> str:
    """The label of an input by the name that it has in a policy; an unknown name is its own."""
    if name in ATTRIBUTES:
        return ATTRIBUTES[name].label(language)
    if name in METRICS:
        return METRICS[name].label(language)
    call = _CALL.fullmatch(name)
    if call and call[1] == "has_tag":
        return message(language, "fact.tag", tag=call[3] or "")
    if call and call[1] in METRICS:
        return METRICS[call[1]].label(language, int(call[2]) if call[2] else None)
    return name
