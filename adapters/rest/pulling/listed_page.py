"""One page of a listing, fetched: its rows as bytes, and what the answer says about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from requests.utils import parse_header_links

from adapters.calls import Answer, Call, CallRefused
from adapters.rest.api import Api, Reply
from adapters.rest.paths import MISSING
from adapters.rest.pulling.paging import CORRECT_PAGING, Position, local_link, page_call
from adapters.rest.pulling.unread import Unread, mended
from adapters.rest.replies import decoded, text_of
from adapters.rest.schema.call_description import Place
from adapters.rest.schema.object_description import Cursor, Link, Listing
from connector.errors import ProtocolError

_NO = frozenset({"", "0", "false", "no"})
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class ListedPage:
    """`total`: how many records there are by the CRM's count; `more`: whether another page follows,
    as far as it says so; `token`: the cursor or link to it; `at`: the CRM's clock; `empty_by`: the
    HTTP status by which it said that there are no rows."""

    rows: list[msgspec.Raw]
    total: int | None = None
    more: bool | None = None
    token: Any = None
    at: datetime | None = None
    empty_by: int | None = None


def fetch(api: Api, listing: Listing, names: Mapping[str, Any], position: Position) -> ListedPage:
    """Ask for the page at a position. Raises RemoteError and its kin."""
    call = page_call(api, listing, names, position)
    try:
        answer = api.http.send(call)
    except CallRefused as refusal:
        if refusal.status in listing.empty:
            return ListedPage([], empty_by=refusal.status)
        raise
    if answer.status in listing.empty:
        return ListedPage([], at=answer.server_time, empty_by=answer.status)
    opened = _Opened(api, listing, call, answer)
    try:
        return opened.page(text_of(answer))
    except _NO_JSON:
        return opened.mended_page()


class _Opened:
    """An answer with the listing that tells what stands where."""

    def __init__(self, api: Api, listing: Listing, call: Call, answer: Answer) -> None:
        self._api = api
        self._listing = listing
        self._call = call
        self._answer = answer
        self._body = Unread(b"")

    def page(self, text: bytes) -> ListedPage:
        """The page as it stands in a text. Raises one of `_NO_JSON`."""
        self._body = Unread(text)
        total = _count(self._found(self._listing.total))
        more = _yes(self._found(self._listing.more))
        rows = self._rows(total)
        return ListedPage(rows, total, more, self._token(), self._answer.server_time)

    def mended_page(self) -> ListedPage:
        try:
            return self.page(mended(text_of(self._answer)))
        except _NO_JSON:
            decoded(self._answer, str(self._call))
            raise self._unexpected("is empty, or only in part JSON") from None

    def _rows(self, total: int | None) -> list[msgspec.Raw]:
        part = self._body.at(self._listing.rows)
        if part is None and total == 0:
            return []
        rows = part.rows() if part else None
        if rows is None:
            where = f"at '{self._listing.rows}'" if self._listing.rows else "as a whole"
            raise self._unexpected(f"holds no list {where}")
        return rows

    def _token(self) -> Any:
        paging = self._listing.paging
        if isinstance(paging, Cursor):
            return self._found(paging.at) or None
        if isinstance(paging, Link):
            link = self._header_link() if paging.at is None else self._found(paging.at)
            if link and not isinstance(link, str):
                raise ProtocolError("the CRM's link to the next page is no text", CORRECT_PAGING)
            return local_link(self._api, self._call, link) if link else None
        return None

    def _header_link(self) -> str | None:
        for link in parse_header_links(self._answer.headers.get("Link", "")):
            if "next" in link.get("rel", "").lower().split():
                return link["url"]
        return None

    def _found(self, place: Place | None) -> Any:
        if place is None:
            return MISSING
        if place.path is None:
            return Reply(self._call, self._answer).found(place)
        value = self._body.value(place.path)
        return Reply(self._call, self._answer, value).found(place.model_copy(update={"path": ""}))

    def _unexpected(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"the CRM's answer {what} ({self._answer.status}, {self._call})",
            "correct `rows` in its description; `highseas check` shows what it saw",
        )


def _count(value: Any) -> int | None:
    """A count; None for what is none, such as the `*` of a range whose end is not known."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if type(value) is int and value >= 0 else None


def _yes(value: Any) -> bool | None:
    if value is MISSING:
        return None
    return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)
