"""Reading the body of an answer that should be JSON, whatever it turns out to be."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.calls import Answer
from connector.errors import ProtocolError

DEEPEST = 100
_BOM = b"\xef\xbb\xbf"


class Unreadable(ProtocolError):  # noqa: N818 - what the answer is
    """HTTP said success and the body cannot be read. Of a write nobody knows what became of it;
    `HttpClient.send` has told that already, as AmbiguousWrite."""


def text_of(answer: Answer) -> bytes:
    """The body without a byte order mark and without spaces around it."""
    return answer.body.removeprefix(_BOM).strip()


def decoded(answer: Answer, where: str) -> Any:
    """The answer's JSON; None for an empty body. Raises Unreadable, which holds no part of it.

    Integers are exact whatever their size; of a key that comes twice the last one counts; numbers
    that no double can hold, nesting beyond `DEEPEST` and text that is not UTF-8 are refused.
    """
    text = text_of(answer)
    if not text:
        return None
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise _unreadable("something that is not JSON", answer, where) from None
    if _is_too_deep(value, text):
        raise _unreadable("JSON that is nested too deeply", answer, where)
    return value


def _unreadable(what: str, answer: Answer, where: str) -> Unreadable:
    return Unreadable(
        f"the CRM sent {what} ({answer.status}, {where})",
        "check the url of the server in its description",
    )


def _is_too_deep(value: Any, text: bytes) -> bool:
    """Level by level and not recursively, which is what whoever reads the value may want to be."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [
            part
            for whole in level
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True
