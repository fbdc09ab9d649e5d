"""Signs that a Chinese keyboard or a word processor puts in the place of plain ones: what is meant.

One table for files and for conditions; each of them says where a sign means something to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

# Full-width forms of ASCII stand at a fixed distance; these others are typed for them too.
_FULL_WIDTH_SHIFT = 0xFEE0
_LOOKALIKES: Mapping[str, str] = MappingProxyType(
    {
        "\u3000": " ",  # ideographic space
        "\u00a0": " ",  # no-break space
        "、": ",",
        "。": ".",
        "\u300c": "'",  # corner brackets
        "\u300d": "'",
        "\u300e": "'",  # white corner brackets
        "\u300f": "'",
        "\u3010": "(",  # black lenticular brackets
        "\u3011": ")",
        "\u2265": ">=",
        "\u2264": "<=",
        "\u2260": "<>",
        "\u00d7": "*",
        "\u00f7": "/",
        "\u2212": "-",  # minus sign and dashes
        "\u2013": "-",
        "\u2014": "-",
        "\uffe5": "$",  # where a Chinese keyboard has it
        "\u00a5": "$",
    }
)
# What a word processor makes of straight quotes; a pair of them is no pair of YAML's.
CURLY = "“”‘’„\u201a«»"
_OPENING, _CLOSING = "“”„‘\u201a«»「『", "“”‘’«»」』"
_IN_QUOTES = re.compile(f"[{_OPENING}]([^{_OPENING}{_CLOSING}]+)[{_CLOSING}]")

# The signs that YAML has a use for, when they stand outside of text.
_IN_YAML: Mapping[str, str] = MappingProxyType(
    {
        "：": "': ' with a space after it",
        "，": "', ' with a space after it",
        "\uff5b": "'{'",
        "\uff5d": "'}'",
        "\uff3b": "'['",
        "\uff3d": "']'",
        "\u3010": "'['",
        "\u3011": "']'",
        "“": "a straight quote",
        "”": "a straight quote",
        "\uff03": "'#'",
        "\uff0d": "'-'",
        "\u3000": "a plain space",
    }
)


def plain_sign(sign: str) -> str:
    """The sign of ASCII that is meant; empty if this one stands for itself."""
    if "\uff01" <= sign <= "\uff5e":
        return chr(ord(sign) - _FULL_WIDTH_SHIFT)
    return _LOOKALIKES.get(sign, "")


def plain_text(text: str) -> str:
    """The text with the signs that are meant."""
    return "".join(plain_sign(sign) or sign for sign in text)


def wide_sign(text: str) -> str:
    """What to write instead of the first full-width or curly sign that means nothing in YAML."""
    found = next((sign for sign in text if sign in _IN_YAML), "")
    return f"the sign {found} means nothing here: write {_IN_YAML[found]}" if found else ""


def without_quotes(text: str) -> str:
    """What stands between typographic quotes, if they hold the whole text; else nothing."""
    match = _IN_QUOTES.fullmatch(text)
    return match.group(1) if match else ""
