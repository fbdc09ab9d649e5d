"""The marker that every note of ours ends with: how it is found again, never what it says."""

from __future__ import annotations

import hashlib

MARKER_LENGTH = 10  # characters

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


def marker(organisation: str, customer: str, rule: str, episode: int) -> str:
    """10 base32 characters that name one stay of one customer in one rule of one organisation."""
    meaning = "\x1f".join((organisation, customer, rule, str(episode)))
    digest = hashlib.sha256(meaning.encode()).digest()
    number = int.from_bytes(digest[:7], "big") >> 6  # the first 50 bits: 5 a character
    return "".join([_PAIRS[number >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
