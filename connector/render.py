"""Plain text for terminals: columns padded by display width, so that Chinese names line up."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from policies.messages import value_text

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def display_width(text: str) -> int:
    """How many terminal cells a text takes; wide East Asian characters take two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill with spaces up to a display width; `right` aligns to the right."""
    gap = " " * max(0, width - display_width(text))
    return gap + text if right else text + gap


def render_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], language: str = "en"
) -> list[str]:
    """Lines of a table; columns of numbers are aligned to the right."""
    body = [list(row) for row in rows]
    numeric = [all(isinstance(row[place], int) for row in body) for place in range(len(header))]
    texts = [list(header), *([_cell(value, language) for value in row] for row in body)]
    widths = [max(display_width(row[place]) for row in texts) for place in range(len(header))]
    return [
        "  ".join(
            pad(text, widths[place], right=numeric[place] and bool(body))
            for place, text in enumerate(row)
        ).rstrip()
        for row in texts
    ]


def one_line(text: str) -> str:
    """What a CRM holds, without what would move the cursor, break the line or turn the writing
    direction: nobody's name may look like a row of the plan."""
    return "".join(" " if _is_control(char) else char for char in text)


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Zl", "Zp"} or char in _DIRECTIONS


def shorten(text: str, width: int) -> str:
    """Cut to a display width on one line, with an ellipsis where something was cut."""
    text = one_line(text)
    if display_width(text) <= width:
        return text
    kept = ""
    for char in text:
        if display_width(kept + char) > width - 1:
            break
        kept += char
    return kept + "…"


def _cell(value: object, language: str) -> str:
    return value_text(language, "integer", value) if isinstance(value, int) else str(value)
