"""An answer that is opened only as far as somebody looks, so that its rows stay bytes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from adapters.rest.paths import MISSING, steps

# A pair of surrogates, one alone, or any other escape, a backslash by itself among them.
_ESCAPE = re.compile(
    rb"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def mended(text: bytes) -> bytes:
    """JSON with half characters made whole ones: servers cut texts in the middle of an emoji, and
    one such name would make a whole page unreadable."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["alone"] else found[0], text)


class Unread:
    """A part of an answer. Every method raises msgspec.DecodeError or RecursionError where the
    answer turns out to be no JSON."""

    def __init__(self, text: bytes | msgspec.Raw) -> None:
        self._text = text
        self._parts: dict[str | int, Unread] | None = None

    def at(self, path: str) -> Unread | None:
        """What stands at a path; None when nothing does."""
        part: Unread | None = self
        for step in steps(path):
            part = part._part(step) if part else None  # noqa: SLF001 - one of its own kind
        return part

    def value(self, path: str) -> Any:
        """The value at a path, or MISSING."""
        part = self.at(path)
        return MISSING if part is None else msgspec.json.decode(part._text)  # noqa: SLF001 - as above

    def rows(self) -> list[msgspec.Raw] | None:
        """The elements, each unread; null is an empty list, and what is no list is None."""
        try:
            return msgspec.json.decode(self._text, type=list[msgspec.Raw] | None) or []
        except msgspec.ValidationError:
            return None

    def _part(self, step: str | int) -> Unread | None:
        if self._parts is None:
            named = isinstance(step, str)
            opened = _opened(self._text, dict[str, msgspec.Raw] if named else list[msgspec.Raw])
            pairs = opened.items() if named and opened else enumerate(opened or ())
            self._parts = {key: Unread(part) for key, part in pairs}
        return self._parts.get(step)


def _opened(text: bytes | msgspec.Raw, shape: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError:
        return None
