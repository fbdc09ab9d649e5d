"""A walk over one listing that does not lose a record unseen.

Servers lose rows between pages when they sort by what many records share, or while rows come and
go. Such a walk begins again, a few times, and then ends with an error that says what to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import msgspec

from adapters.pagination import LoopGuard
from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.listed_page import ListedPage, fetch
from adapters.rest.pulling.listed_rows import NO_ROWS, Rows
from adapters.rest.pulling.paging import CORRECT_PAGING, NUMBERED, SEAMED, Got, Position, following
from adapters.rest.pulling.seen_ids import SeenIds
from adapters.rest.schema.object_description import Keyset, Listing, OnePage, PageNumber
from connector.errors import ProtocolError

_BY_THE_KEY = (
    "page by the unique key (`paging: {kind: keyset}`), or sort the list by its id, "
    "in the CRM's description"
)
# How often a walk begins again: rows that moved once need not do so the next time.
_ATTEMPTS = 2
_NOT_HEEDED = "the CRM seems not to heed which page is asked for: " + CORRECT_PAGING


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a walk is given up. `rows`: of a list whose total the CRM does not tell; otherwise it
    is twice the total, and `slack`. `empty_pages`: in a row."""

    rows: int = 50_000_000
    slack: int = 10_000
    empty_pages: int = 1_000


class ReadsRows(Protocol):
    """Takes the rows of a page for what they are; `id_path` says where their ids stand."""

    id_path: str

    def read(self, raws: Sequence[msgspec.Raw]) -> Rows:
        """The rows, each with its id ('' where there is none)."""


@dataclass(frozen=True, slots=True)
class Course:
    """A listing to be walked. `where` names it in errors; `counted`: as many ids have to come as
    the CRM counts in all."""

    where: str
    listing: Listing
    reader: ReadsRows
    names: Mapping[str, Any]
    counted: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page: its new rows, the CRM's clock, and the position of the next page; None on the last
    one."""

    rows: Rows
    at: datetime | None
    following: Position | None = None


class Walk:
    """One walk in one process. A walk that goes on from an earlier process knows what `Position`
    holds, not which ids came before it."""

    def __init__(self, api: Api, course: Course, limits: Limits) -> None:
        self._api = api
        self._course = course
        self._limits = limits
        self._begin()

    def _begin(self) -> None:
        self._guard = LoopGuard(self._course.where)
        self._seen = SeenIds()
        self._before: list[str] = []
        self._empty_pages = 0

    def leaf(self, here: Position) -> Leaf:
        """The page at a position; an empty one with the first page behind it where the walk has to
        begin again. Raises ProtocolError when records may be missing, and RemoteError and its
        kin."""
        page = fetch(self._api, self._course.listing, self._course.names, here)
        here = _counted(here, page)
        rows = self._course.reader.read(page.rows)
        is_joined = bool(here.seam) and rows.ids[:1] == [here.seam]
        fresh = rows.behind(1) if is_joined else rows
        ids = [identifier for identifier in fresh.ids if identifier]
        self._check_has_ids(here, fresh, ids)
        if self._is_clamped(here, ids):
            return self._last_leaf(here, Leaf(NO_ROWS, page.at))
        lost = self._lost(here, ids, is_joined=is_joined)
        if lost is not None:
            return Leaf(NO_ROWS, page.at, self._again(here, lost))
        added = self._seen.add(ids)
        self._before = ids
        came = added + len(fresh.ids) - len(ids)
        here = msgspec.structs.replace(here, distinct=here.distinct + came)
        behind = following(self._course.listing, here, self._got(here, page, rows, fresh))
        if behind is None:
            self._check_is_whole(len(page.rows))
            return self._last_leaf(here, Leaf(fresh, page.at))
        self._check_goes_on(behind, len(fresh.ids))
        return Leaf(fresh, page.at, behind)

    def _check_is_whole(self, rows: int) -> None:
        """A list of which a limit was asked for, and got, is cut off where nothing leads on."""
        listing = self._course.listing
        is_one = isinstance(listing.paging, OnePage) and listing.total is None
        if is_one and rows == listing.page_size and "limit" in listing.asks_for():
            raise ProtocolError(
                f"{self._course.where} has {rows} rows or more, and no way to the next ones",
                "say how its pages follow: `paging` in the description, see docs/rest.md",
            )

    def _lost(self, here: Position, ids: list[str], *, is_joined: bool) -> ProtocolError | None:
        """Why rows may have been lost before this page, if they may."""
        try:
            self._check_is_new(tuple(ids), None)
        except ProtocolError as error:
            if not self._may_lose:
                raise
            return error
        is_torn = self._is_seamed and bool(here.seam) and not is_joined
        twice = self._may_lose and self._seen.has_any(ids)
        return self._moved() if is_torn or twice else None

    def _last_leaf(self, here: Position, leaf: Leaf) -> Leaf:
        """The last page; where fewer ids came than the CRM counts, the first one is behind it.

        Records may be added or deleted meanwhile, so that the lowest count is to be reached. Where
        pages go by number it is the highest: for each record that is deleted behind us another one
        slips over to a page that we have had."""
        is_by_number = isinstance(self._course.listing.paging, PageNumber)
        goal = here.most if is_by_number else here.fewest
        if not self._course.counted or goal is None or here.distinct >= goal:
            return leaf
        return replace(leaf, following=self._again(here, self._incomplete(here, goal)))

    def _again(self, here: Position, error: ProtocolError) -> Position:
        """The beginning of the list, or the error when it has begun again too often."""
        if here.attempts >= _ATTEMPTS:
            raise error
        self._begin()
        return here.again()

    def _got(self, here: Position, page: ListedPage, rows: Rows, fresh: Rows) -> Got:
        return Got(
            rows=len(rows.ids),
            fresh=len(fresh.ids),
            seam=rows.ids[-1] if rows.ids else "",
            last=self._last_key(here, fresh),
            token=page.token,
            more=page.more,
        )

    def _last_key(self, here: Position, fresh: Rows) -> Any:
        paging = self._course.listing.paging
        if not isinstance(paging, Keyset) or not fresh.seen:
            return here.last
        keys = (look(row, paging.by) for row in reversed(fresh.seen))
        key = next((key for key in keys if key is not MISSING and key is not None), None)
        if key is None:
            raise ProtocolError(
                f"the records of {self._course.where} have no '{paging.by}' to page by",
                "correct `by` of `paging` in the CRM's description",
            )
        return key

    @property
    def _is_seamed(self) -> bool:
        return isinstance(self._course.listing.paging, SEAMED)

    @property
    def _may_lose(self) -> bool:
        """Rows that come twice mean that others may not have come at all. With a cursor they are
        records that changed meanwhile and moved to the end."""
        return isinstance(self._course.listing.paging, (*NUMBERED, Keyset))

    def _is_clamped(self, here: Position, ids: list[str]) -> bool:
        """Some servers give their last page again to whoever asks for one behind it."""
        if not ids or ids != self._before:
            return False
        is_counted = here.fewest is not None and here.distinct >= here.fewest
        return is_counted or (
            isinstance(self._course.listing.paging, PageNumber) and here.pages > 1
        )

    def _check_has_ids(self, here: Position, fresh: Rows, ids: list[str]) -> None:
        """One record without an id is rejected later on; when all are so, the path is wrong."""
        if fresh.ids and not ids and not here.distinct:
            raise ProtocolError(
                f"no record of {self._course.where} has an id at '{self._course.reader.id_path}'",
                "correct `id`, or `rows` of the list, in the CRM's description",
            )

    def _check_is_new(self, ids: tuple[str, ...], token: str | None) -> None:
        try:
            self._guard.check(ids, token)
        except ProtocolError as error:
            raise ProtocolError(error.message, _NOT_HEEDED) from None

    def _check_goes_on(self, behind: Position, fresh: int) -> None:
        if behind.cursor is not None or behind.link:
            token = behind.link or msgspec.json.encode(behind.cursor)
            self._check_is_new((), str(hash(token)))
        self._empty_pages = 0 if fresh else self._empty_pages + 1
        if self._empty_pages > self._limits.empty_pages:
            raise self._endless(f"{self._empty_pages} empty pages in a row")
        most = self._limits.rows
        if behind.most is not None:
            most = min(most, 2 * behind.most + self._limits.slack)
        if behind.passed > most:
            raise self._endless(f"more than {most} records")

    def _endless(self, what: str) -> ProtocolError:
        return ProtocolError(
            f"the CRM gave {what} of {self._course.where}, and says that more follow",
            "correct `paging` and `total` in its description; `highseas check` shows what it saw",
        )

    def _moved(self) -> ProtocolError:
        return ProtocolError(
            f"records of {self._course.where} moved between pages while they were listed: "
            "some may be missing",
            _BY_THE_KEY,
        )

    def _incomplete(self, here: Position, goal: int) -> ProtocolError:
        return ProtocolError(
            f"the CRM counts {goal} records of {self._course.where} and lists "
            f"{here.distinct} different ones",
            f"{_BY_THE_KEY}; where its count takes in records that it does not list, "
            "leave `total` out",
        )


def _counted(here: Position, page: ListedPage) -> Position:
    if page.total is None:
        return here
    fewest = page.total if here.fewest is None else min(here.fewest, page.total)
    most = page.total if here.most is None else max(here.most, page.total)
    return msgspec.structs.replace(here, fewest=fewest, most=most)
