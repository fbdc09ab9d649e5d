"""What somebody probably meant, and how a value of a file is called in a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence


def closest(name: str, valid: Iterable[str]) -> str:
    """The valid name that was meant; empty if none comes near."""
    lowered = {candidate.lower(): candidate for candidate in sorted(set(valid))}
    match = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[match[0]] if match else ""


def nearest(name: str, valid: Iterable[str]) -> str:
    """`did you mean 'x'?` for the closest valid name; else the valid names, if they are few."""
    names = sorted(set(valid))
    meant = closest(name, names)
    if meant:
        return f"did you mean '{meant}'?"
    return f"valid here: {', '.join(names)}" if 0 < len(names) <= 12 else ""


def described(value: object) -> str:
    """A value of a file, in a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "keys and values"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return f"'{shortened(value)}'"


def shortened(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
