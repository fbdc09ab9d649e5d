"""How one page is asked for and which one comes behind it, for each kind of paging. Sends nothing.

Offsets and ranges ask for the last row of the page before once more: where it comes back, no row
has moved over the seam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from adapters.calls import Call
from adapters.rest.api import Api
from adapters.rest.schema.auth_description import Fixed, Login
from adapters.rest.schema.object_description import (
    Cursor,
    Keyset,
    Link,
    Listing,
    Offset,
    OnePage,
    PageNumber,
    Range,
)
from connector.errors import ProtocolError

SEAMED = (Offset, Range)
NUMBERED = (PageNumber, Offset, Range)
CORRECT_PAGING = "correct `paging` in the CRM's description; `highseas check` shows what it saw"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a walk stands; its JSON is the resume token.

    `part`: which list is being walked. `cursor`, `link` and `last` lead to the page to ask for;
    `seam` is the id of the last row, where the next page has to begin with it. `begun`: when the
    walk began, by the CRM's clock if it is `dated`; `newest`: the latest change seen. `distinct`
    ids came so far, of `fewest` to `most` by the CRM's counts; `attempts`: how often the walk began
    again.
    """

    part: str = "records"
    pages: int = 0
    passed: int = 0
    cursor: Any = None
    link: str = ""
    last: Any = None
    seam: str = ""
    begun: datetime | None = None
    dated: bool = False
    newest: datetime | None = None
    distinct: int = 0
    fewest: int | None = None
    most: int | None = None
    attempts: int = 0

    def another(self, part: str) -> Position:
        """The beginning of another list of the same walk."""
        return Position(part, begun=self.begun, dated=self.dated, newest=self.newest)

    def again(self) -> Position:
        """The beginning of the same list."""
        return msgspec.structs.replace(self.another(self.part), attempts=self.attempts + 1)


@dataclass(frozen=True, slots=True)
class Got:
    """What one page brought. `rows` it held, `fresh` ones among them (all but the one at the
    seam), the `seam` and key (`last`) of its last row; `token`: the cursor or link to the next
    page; `more`: whether there is one, where the CRM says so."""

    rows: int
    fresh: int
    seam: str = ""
    last: Any = None
    token: Any = None
    more: bool | None = None


def page_call(api: Api, listing: Listing, names: Mapping[str, Any], position: Position) -> Call:
    """The call for the page at a position."""
    own = _names(listing, position)
    call = api.call(listing, {**names, **own})
    if isinstance(listing.paging, Range):
        header = f"{listing.paging.unit}={own['start']}-{own['stop']}"
        return replace(call, headers={"Range": header, **call.headers})
    if position.link:
        path, _, query = position.link.partition("?")
        # What a link holds is told as little as the rest of a body.
        return replace(call, path=path, params=_params(query), shown=call.path)
    return call


def local_link(api: Api, call: Call, link: str) -> str:
    """A link as path and query, without what the credentials put there: those are put on each call,
    and are kept nowhere. Raises ProtocolError for a link to another server."""
    path, _, query = api.following(call, link).path.partition("?")
    secret = _auth_params(api)
    query = urlencode([pair for pair in _pairs(query) if pair[0] not in secret])
    return f"{path}?{query}" if query else path or "/"


def following(listing: Listing, position: Position, got: Got) -> Position | None:
    """The position of the next page; None behind the last one."""
    if _is_last(listing, position, got):
        return None
    paging = listing.paging
    is_seamed = isinstance(paging, SEAMED) and listing.page_size > 1
    return msgspec.structs.replace(
        position,
        pages=position.pages + 1,
        passed=position.passed + got.fresh,
        cursor=got.token if isinstance(paging, Cursor) else None,
        link=str(got.token) if isinstance(paging, Link) else "",
        last=got.last,
        seam=got.seam if is_seamed or isinstance(paging, Keyset) else "",
    )


def _names(listing: Listing, position: Position) -> dict[str, Any]:
    """What the templates of a listing may ask for."""
    own: dict[str, Any] = {"limit": listing.page_size}
    match listing.paging:
        case PageNumber(first=first):
            own["page"] = first + position.pages
        case Offset():
            own["offset"] = _start(position)
        case Range(inclusive=inclusive):
            own["start"] = _start(position)
            own["stop"] = own["start"] + listing.page_size - int(inclusive)
        case Cursor():
            own["cursor"] = position.cursor
        case Keyset():
            own["last"] = position.last
    return own


def _start(position: Position) -> int:
    return position.passed - 1 if position.seam else position.passed


def _is_last(listing: Listing, position: Position, got: Got) -> bool:
    paging = listing.paging
    if got.more is False:
        return True
    if isinstance(paging, Cursor | Link):
        asked = position.cursor if isinstance(paging, Cursor) else position.link
        is_end = got.token is None or (got.fresh == 0 and got.token == asked)
    elif isinstance(paging, OnePage):
        is_end = True
    else:
        is_end = got.fresh == 0
    if got.more is True:
        if is_end and not isinstance(paging, PageNumber):
            raise ProtocolError(
                "the CRM says that more records follow, and not where", CORRECT_PAGING
            )
        return False
    return is_end or (listing.short_page_ends and got.rows < listing.page_size)


def _auth_params(api: Api) -> frozenset[str]:
    match api.description.auth:
        case Fixed(params=params):
            return frozenset(params)
        case Login(use=use):
            return frozenset(use.params)
        case _:
            return frozenset()


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _params(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in _pairs(query):
        found.setdefault(name, []).append(value)
    return found
