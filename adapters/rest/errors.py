"""How a described API says no: what its codes and statuses mean for a call, and for one record."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args

import msgspec

from adapters.auth import seconds
from adapters.calls import Answer, Call, ErrorTable, Reading, Verdict, printable_code
from adapters.rest.paths import MISSING, look
from adapters.rest.replies import Unreadable, decoded, text_of
from adapters.rest.schema.description import VERDICTS, Description, Envelope, Errors, Meaning

RowMeaning = Literal["done", "refused", "gone", "conflict", "parked", "unknown"]

_EMPTY = frozenset({204, 205, 304})
# An error that is longer than this is somebody's page, and codes are not looked for in it.
_LONGEST_ERROR = 1024 * 1024
_FIRST_NAME = re.compile(r"[^.\[\]]+")
# A page in place of an answer, or an error as plain text, is no yes to a write; these are.
_PLAIN_YES = frozenset(
    {b"ok", b"success", b"done", b"created", b"updated", b"deleted", b"accepted"}
)
_UNREADABLE = Reading("unreadable", verdict=Verdict.UNREADABLE)
# A code is one word; digits in a row may be a phone number.
_WORDY = re.compile(r"\s|\d{6}")
# How far into a bad answer texts are searched for.
_TOLD_WITHIN = 64 * 1024
# The codes of answers whose text has told what they mean.
_SAID: Mapping[str, Meaning] = MappingProxyType(
    {f"SAID_{word.upper()}": word for word in get_args(Meaning)}
)
_CALL_STATUSES: Mapping[int, Verdict] = MappingProxyType(
    {401: Verdict.RENEW, 408: Verdict.UNAVAILABLE, 429: Verdict.WAIT}
)
_ROW_STATUSES: Mapping[int, RowMeaning] = MappingProxyType(
    {
        0: "refused",
        404: "gone",
        408: "unknown",
        409: "conflict",
        410: "gone",
        412: "conflict",
        423: "parked",
        428: "conflict",
        429: "parked",
    }
)
_ROW_WORDS: Mapping[str, RowMeaning] = MappingProxyType(
    {
        "refused": "refused",
        "gone": "gone",
        "conflict": "conflict",
        "parked": "parked",
        "wait": "parked",
        "unavailable": "unknown",
        "renew": "refused",
        "authentication": "refused",
    }
)


def error_table(description: Description, secrets: Collection[str] = ()) -> ErrorTable:
    """What to do about each answer of this API. Meanings for one record refuse a call that is about
    one record; `meaning` tells them apart. A code with one of the `secrets` in it is not shown."""
    errors = description.errors
    reader = _Reader(errors, description.pacing.retry_after, secrets)
    return ErrorTable(
        reader.read,
        {code: VERDICTS.get(word, Verdict.REFUSED) for code, word in errors.codes.items()},
        {
            **_CALL_STATUSES,
            **{
                status: VERDICTS.get(word, Verdict.REFUSED)
                for status, word in errors.statuses.items()
            },
        },
    )


def meaning(errors: Errors, status: int, code: str) -> RowMeaning:
    """What a status and a code mean for the record that they are about. Status 0: HTTP said success
    and the body said no (`CallRefused.status`)."""
    said = _SAID.get(code) if errors.texts else None
    word = errors.codes.get(code) or said or errors.statuses.get(status)
    if word is not None:
        return _ROW_WORDS[word]
    if status in _ROW_STATUSES:
        return _ROW_STATUSES[status]
    if 200 <= status < 300:
        return "done"
    return "refused" if 400 <= status < 500 else "unknown"


def code_of(errors: Errors, value: Any) -> str:
    """The code in a bad answer's body, or in a bad row of it, as a text; empty when there is none
    or when it does not look like one."""
    for path in errors.code:
        found = look(value, path)
        if found is not MISSING and found is not None:
            return shown_code(errors, found)
    return ""


def shown_code(errors: Errors, found: Any) -> str:
    """A code as it may be repeated: one that the description names, or one that looks harmless.
    What a server writes into its errors may be a customer's name."""
    if isinstance(found, bool) or not isinstance(found, int | str):
        return ""
    text = str(found) if isinstance(found, str) or abs(found) < 10**6 else ""
    if text in errors.codes:
        return text
    return "" if _WORDY.search(text) else printable_code(text)


def without_secrets(code: str, secrets: Collection[str]) -> str:
    """The code, unless the server put a secret of ours into it."""
    return "" if any(secret in code for secret in secrets if secret) else code


class _Reader:
    """Looks into one answer."""

    def __init__(self, errors: Errors, retry_after: str | None, secrets: Collection[str]) -> None:
        self._errors = errors
        self._secrets = secrets
        self._retry_after = retry_after
        self._head = _head_of(errors.envelope) if errors.envelope else None
        self._texts = [
            (re.compile(pattern, re.IGNORECASE), word) for pattern, word in errors.texts.items()
        ]

    def read(self, call: Call, answer: Answer) -> Reading:
        if answer.status >= 400:
            return self._bad(call, answer)
        if answer.status in _EMPTY or answer.status >= 300:
            return Reading(self._header_code(answer) if answer.status not in _EMPTY else "")
        return self._good(call, answer)

    def _good(self, call: Call, answer: Answer) -> Reading:
        """HTTP says success. Does the body, and can it be read?"""
        envelope = self._errors.envelope
        if call.writes and not _is_readable(call, answer):
            return _UNREADABLE
        if envelope is None or self._head is None:
            return Reading()
        try:
            stands = self._head(answer)
        except (ValueError, RecursionError):
            return _UNREADABLE
        if _is_good(envelope, stands):
            return Reading()
        if stands is MISSING:
            return _UNREADABLE
        return self._refusal(call, answer, Verdict.REFUSED)

    def _bad(self, call: Call, answer: Answer) -> Reading:
        """HTTP says no, unless the body says yes in so many words."""
        reading = self._refusal(call, answer, None)
        envelope = self._errors.envelope
        if envelope is None or self._head is None or answer.status >= 500:
            return reading
        try:
            stands = self._head(answer)
        except (ValueError, RecursionError):
            return reading
        said = stands is not MISSING and stands is not None and _is_good(envelope, stands)
        return Reading(results=True) if said else reading

    def _refusal(self, call: Call, answer: Answer, verdict: Verdict | None) -> Reading:
        value: Any = MISSING
        if len(answer.body) <= _LONGEST_ERROR:
            try:
                value = decoded(answer, str(call))
            except Unreadable:
                value = MISSING
        code = self._header_code(answer) or code_of(self._errors, value)
        code = without_secrets(code, self._secrets)
        asked = look(value, self._retry_after) if self._retry_after is not None else MISSING
        word = None if code in self._errors.codes else self._told_in_words(answer)
        if word is not None:
            code, verdict = f"SAID_{word.upper()}", VERDICTS.get(word, Verdict.REFUSED)
        return Reading(code, retry_after=seconds(asked), verdict=verdict)

    def _told_in_words(self, answer: Answer) -> Meaning | None:
        """What the first text that is found in a bad answer means."""
        if not self._texts:
            return None
        text = answer.body[:_TOLD_WITHIN].decode("utf-8", "replace")
        return next((word for pattern, word in self._texts if pattern.search(text)), None)

    def _header_code(self, answer: Answer) -> str:
        name = self._errors.code_header
        return shown_code(self._errors, answer.headers.get(name, "")) if name else ""


def _is_readable(call: Call, answer: Answer) -> bool:
    try:
        decoded(answer, str(call))
    except Unreadable:
        return text_of(answer).strip(b".! ").lower() in _PLAIN_YES
    return True


def _is_good(envelope: Envelope, stands: Any) -> bool:
    if stands is MISSING:
        return envelope.missing
    # True is not 1, though Python says that they are equal.
    return any(type(stands) is type(ok) and stands == ok for ok in envelope.ok)


def _head_of(envelope: Envelope) -> Callable[[Answer], Any]:
    """Finds what stands at the envelope's path. A list of a thousand records beside it is passed
    over, not decoded: whoever asked for them will."""
    first = _FIRST_NAME.match(envelope.path)
    if first is None:
        return lambda answer: look(msgspec.json.decode(text_of(answer)), envelope.path)
    name = first[0]
    shape = msgspec.defstruct("Head", [("value", Any, MISSING)], rename={"value": name})
    decoder = msgspec.json.Decoder(shape)

    def head(answer: Answer) -> Any:
        text = text_of(answer)
        if not text.startswith(b"{"):
            msgspec.json.decode(text or b"null", type=msgspec.Raw)
            return MISSING
        value: Any = decoder.decode(text).value  # type: ignore[attr-defined] # a struct made here
        return MISSING if value is MISSING else look({name: value}, envelope.path)

    return head
