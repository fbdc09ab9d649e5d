"""Walking one Zoho module: what was deleted first, then the records, oldest change first.

Rows pass through as bytes. A walk that Zoho breaks off starts again behind the newest change that
it has given; rows may come twice then, never be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from adapters.calls import Call, CallRefused
from adapters.http import HttpClient
from adapters.pagination import LoopGuard
from adapters.zoho.fields import module_fields
from adapters.zoho.replies import API, Listing, decode, decode_row, zoho_time
from connector.errors import ConfigurationError, ProtocolError
from connector.ports import Page, PullRequest

USERS = "users"
_FIELDS_A_CALL = 50  # (Zoho v8 get-records page)
_SECOND = timedelta(seconds=1)
# The walk cannot go on with its token: another parameter, 24 hours, or 100,000 rows.
_WALK_IS_OVER = frozenset(
    {
        "TOKEN_BOUND_DATA_MISMATCH",
        "EXPIRED_VALUE",
        "PAGINATION_LIMIT_EXCEEDED",
        "DISCRETE_PAGINATION_LIMIT_EXCEEDED",
    }
)
# Some of the fields asked for may not be there, such as Currency with a single currency. Whether
# Zoho refuses the call then, or leaves them out of its answer, its pages do not tell.
_UNKNOWN_FIELD = "INVALID_DATA"


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a walk stands; its JSON is the resume token.

    `anchor`: only what changed after it (If-Modified-Since). `token` or `number`: the page to ask
    for next. `newest`: the latest Modified_Time seen. `begun`: Zoho's clock when the walk began.
    """

    deleted: bool = False
    anchor: datetime | None = None
    token: str = ""
    number: int = 1
    newest: datetime | None = None
    begun: datetime | None = None


class _Stamp(msgspec.Struct, frozen=True):
    id: str
    Modified_Time: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Fetched:
    listing: Listing
    at: datetime | None
    guarded: tuple[str, ...]
    newest: datetime | None


class Puller:
    """Pulls with one client; `page_size` rows a call."""

    def __init__(self, http: HttpClient, page_size: int) -> None:
        self._http = http
        self._page_size = page_size
        self._there: dict[str, frozenset[str]] = {}

    def pull(self, request: PullRequest) -> Iterator[Page]:
        if request.object == USERS:
            yield from self._users(request)
            return
        request = self._narrowed(request)
        position = _start(request)
        if position.deleted:
            for page, following in self._deleted(request, position):
                position = following
                if page.deleted:
                    yield page
        yield from self._records(request, position)

    def _records(self, request: PullRequest, position: Position) -> Iterator[Page]:
        guard = LoopGuard(request.object)
        while True:
            try:
                fetched = self._fetch(request, position)
            except CallRefused as refusal:
                if refusal.code == _UNKNOWN_FIELD and request.object not in self._there:
                    request = self._without_unknown(request)
                    continue
                if refusal.code not in _WALK_IS_OVER:
                    raise
                position, guard = _anchored(request, position), LoopGuard(request.object)
                continue
            following = _following(position, fetched)
            guard.check(fetched.guarded, _cursor(following))
            yield _page(request, fetched, position, following)
            if following is None:
                return
            position = following

    def _without_unknown(self, request: PullRequest) -> PullRequest:
        """The request without the fields that this module does not have; asked for once."""
        listed = module_fields(self._http, request.object)
        self._there[request.object] = frozenset(field.api_name for field in listed)
        return self._narrowed(request)

    def _narrowed(self, request: PullRequest) -> PullRequest:
        known = self._there.get(request.object)
        if known is None:
            return request
        # names with a dollar are not among the module's fields, whether it has them or not
        kept = tuple(
            name for name in request.fields if name in known or name == "id" or name[0] == "$"
        )
        return msgspec.structs.replace(request, fields=kept)

    def _fetch(self, request: PullRequest, position: Position) -> _Fetched:
        params = {
            "fields": ",".join(_fields(request)),
            "per_page": str(self._page_size),
            "sort_by": "Modified_Time",
            "sort_order": "asc",
        }
        if request.object == "Leads":
            params["converted"] = "both"  # hidden by default (Zoho v8 get-records page)
        if position.token:
            params["page_token"] = position.token
        else:
            params["page"] = str(position.number)
        call = Call("GET", f"{API}/{request.object}", params, _since(position.anchor))
        answer = self._http.send(call)
        listing = decode(answer, Listing, str(call))
        stamps = [
            decode_row(row, _Stamp, str(call)) for row in (listing.data[:1] + listing.data[-1:])
        ]
        times = [stamp.Modified_Time for stamp in stamps if stamp.Modified_Time]
        ids = tuple(stamp.id for stamp in stamps)
        guarded = (*ids, str(len(listing.data))) if ids else ()
        return _Fetched(listing, answer.server_time, guarded, max(times, default=None))

    def _deleted(self, request: PullRequest, position: Position) -> Iterator[tuple[Page, Position]]:
        guard = LoopGuard(f"{request.object}/deleted")
        more = True
        while more:
            params = {"type": "all", "per_page": "200", "page": str(position.number)}
            path = f"{API}/{request.object}/deleted"
            call = Call("GET", path, params, _since(position.anchor))
            answer = self._http.send(call)
            listing = decode(answer, Listing, str(call))
            ids = tuple(decode_row(row, _Stamp, str(call)).id for row in listing.data)
            guard.check(ids, None)
            more = listing.info.more_records
            begun = position.begun or answer.server_time
            position = Position(
                deleted=more,
                anchor=position.anchor,
                number=position.number + 1 if more else 1,
                begun=begun,
            )
            yield Page(request.object, (), ids, _token_of(position)), position

    def _users(self, request: PullRequest) -> Iterator[Page]:
        """All of them each time: few, and without a list of the deleted ones."""
        number = _read_token(request.resume).number if request.resume else 1
        guard = LoopGuard(USERS)
        more = True
        while more:
            params = {"type": "AllUsers", "page": str(number), "per_page": "200"}
            call = Call("GET", f"{API}/{USERS}", params)
            listing = decode(self._http.send(call), Listing, str(call))
            more = listing.info.more_records
            number += 1
            rows = tuple(bytes(row) for row in listing.users)
            guard.check(tuple(decode_row(row, _Stamp, str(call)).id for row in listing.users), None)
            resume = _token_of(Position(number=number)) if more else None
            yield Page(USERS, rows, (), resume)


def _start(request: PullRequest) -> Position:
    if request.resume:
        return _read_token(request.resume)
    if request.since is None:
        return Position()
    # "Modified after" may or may not include the moment itself; one second makes it ours.
    return Position(deleted=request.deletions, anchor=request.since - _SECOND)


def _fields(request: PullRequest) -> tuple[str, ...]:
    fields = tuple(dict.fromkeys((*request.fields, "Modified_Time")))
    if len(fields) > _FIELDS_A_CALL:
        raise ConfigurationError(
            f"the mapping asks for {len(fields)} fields of {request.object}; "
            f"zoho gives {_FIELDS_A_CALL} at most",
            "remove columns that no rule needs from the mapping",
        )
    return fields


def _following(position: Position, fetched: _Fetched) -> Position | None:
    info = fetched.listing.info
    if not info.more_records:
        return None
    changes = {
        "newest": fetched.newest or position.newest,
        "begun": position.begun or fetched.at,
        "token": info.next_page_token or "",
        "number": position.number + 1,
    }
    return msgspec.structs.replace(position, **changes)


def _cursor(position: Position | None) -> str | None:
    return (position.token or str(position.number)) if position else None


def _anchored(request: PullRequest, position: Position) -> Position:
    """Begin a new walk at the newest change seen; needed after 100,000 rows in any case."""
    anchor = position.newest - _SECOND if position.newest else None
    if anchor is None or (position.anchor and anchor <= position.anchor):
        raise ProtocolError(
            f"zoho does not let the walk over {request.object} go on, and too many records "
            "share one modification time to begin again behind them",
            "pull again later; if it stays so, edit some of these records in Zoho first",
        )
    return Position(anchor=anchor, newest=position.newest, begun=position.begun)


def _page(
    request: PullRequest, fetched: _Fetched, position: Position, following: Position | None
) -> Page:
    rows = tuple(bytes(row) for row in fetched.listing.data)
    watermark = _watermark(fetched, position, is_last=following is None)
    resume = _token_of(following) if following else None
    return Page(request.object, rows, (), resume, watermark)


def _watermark(fetched: _Fetched, position: Position, *, is_last: bool) -> datetime | None:
    """On the way: just before the newest change, for its second may go on on the next page. At
    the end: the moment, by Zoho's clock, at which the walk began."""
    begun = position.begun or fetched.at
    newest = fetched.newest or position.newest
    if is_last and begun:
        return begun
    reached = newest - _SECOND if newest else None
    return min(reached, begun) if reached and begun else reached


def _since(anchor: datetime | None) -> dict[str, str]:
    return {"If-Modified-Since": zoho_time(anchor)} if anchor else {}


def _token_of(position: Position) -> str:
    return msgspec.json.encode(position).decode()


def _read_token(token: str) -> Position:
    try:
        return msgspec.json.decode(token, type=Position)
    except msgspec.DecodeError:
        raise ProtocolError(
            "the stored place of a broken pull cannot be read", "pull again from the start"
        ) from None
