"""Our notes in a text field that others write in as well: each between two lines that carry its
marker. Pure text."""

from __future__ import annotations

import re


def block(whole: str, marker: str) -> str | None:
    """The text between our two lines; servers may write line breaks their own way."""
    found = _pattern(marker).search(whole)
    return None if found is None else found["text"].replace("\r\n", "\n")


def with_block(whole: str, marker: str, text: str | None) -> str:
    """The field with our text put in at its end, replaced where it stands, or (None) taken out."""
    found = _pattern(marker).search(whole)
    if found is None:
        new = "" if text is None else f"-- {marker}\n{text}\n-- /{marker}"
        return f"{whole}\n{new}" if whole and new else whole + new
    before, after = whole[: found.start()], whole[found.end() :]
    if text is None:
        return before + after
    return f"{before}{found['edge']}-- {marker}\n{text}\n-- /{marker}{after}"


def _pattern(marker: str) -> re.Pattern[str]:
    """With the line break before it, which came with it."""
    name = re.escape(marker)
    return re.compile(
        rf"(?P<edge>(?:\r?\n)?)-- {name}\r?\n(?P<text>.*?)\r?\n-- /{name}(?![A-Z2-7])", re.DOTALL
    )
