"""Trying how one object is listed: pages, ids, fields, moments, changes, deletions. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any

import msgspec

from adapters.rest.api import Api
from adapters.rest.checking.diagnose_values import (
    ascending,
    falling,
    field_findings,
    modified_findings,
)
from adapters.rest.checking.findings import counted, failed, ok, tried, untried, warning
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.incremental import changed, list_names, swept
from adapters.rest.pulling.listed_page import ListedPage, fetch
from adapters.rest.pulling.listed_rows import identifier_of
from adapters.rest.pulling.moments import changed_at
from adapters.rest.pulling.paging import NUMBERED, SEAMED, Got, Position, following
from adapters.rest.pulling.values import Plain
from adapters.rest.schema.object_description import (
    Changes,
    Deleted,
    Keyset,
    Listing,
    ObjectForm,
    OnePage,
    Sweep,
    Tombstone,
)
from connector.errors import HighseasError
from connector.ports import Finding

_MANY = 20  # rows that look like more than all there is
_LONG_AGO = timedelta(days=30)
_TOMORROW = timedelta(days=1)
# Some servers show no seconds, and filter by them all the same.
_COARSE = timedelta(minutes=1)
_LOSING = "records get lost between pages: sort by the unique id, or page by `keyset`"


@dataclass(frozen=True, slots=True)
class _Seen:
    """One page: its rows made plain, and their ids ('' where there is none)."""

    page: ListedPage
    rows: list[Mapping[str, Any]]
    ids: list[str]

    def behind(self, count: int) -> _Seen:
        """The page without its first rows."""
        return replace(self, rows=self.rows[count:], ids=self.ids[count:])


class ListTrial:
    """Tries one object. `ids` are those of its first page once `findings` has run."""

    def __init__(self, api: Api, name: str, form: ObjectForm, zone: tzinfo) -> None:
        self.ids: list[str] = []
        self._api = api
        self._form = form
        self._zone = zone
        self._part = f"objects.{name}"
        self._plain = Plain(api.description.values, form.fields, api.names())
        self._seen: list[_Seen] = []

    def findings(self) -> Iterator[Finding]:
        part, form = self._part, self._form
        yield from tried(f"{part}.list", self._first)
        if not self.ids:
            return
        yield from tried(f"{part}.list.paging", self._second)
        yield from self._fields()
        if form.modified is not None:
            at = self._seen[0].page.at
            yield from modified_findings(
                f"{part}.modified", form.modified, self._rows, self._zone, at
            )
        if form.changes is not None:
            yield from tried(f"{part}.changes", partial(self._changes, form.changes))
        if form.deleted is not None:
            yield from tried(f"{part}.deleted", partial(self._deleted, form.deleted))
        if form.sweep is not None:
            yield from tried(f"{part}.sweep", partial(self._sweep, form.sweep))

    # Pages.

    def _first(self) -> Iterator[Finding]:
        part, listing = f"{self._part}.list", self._form.list
        seen = self._fetch(listing, Position())
        count, total = len(seen.rows), seen.page.total
        if listing.total is not None and total is None:
            yield warning(f"{part}.total", "there is no count where it should stand")
        if not count:
            yield warning(part, _empty(seen.page) + "; nothing else could be tried on this object")
            return
        if count > listing.page_size:
            asked = counted(listing.page_size, "row")
            yield warning(part, f"{counted(count, 'row')} came where {asked} were asked for")
        in_all = f", {total:,} in all" if total is not None else ""
        yield ok(part, f"{counted(count, 'row')} on the first page{in_all}")
        yield from self._identified(seen)

    def _identified(self, seen: _Seen) -> Iterator[Finding]:
        part, found = f"{self._part}.id", [each for each in seen.ids if each]
        if not found:
            yield failed(part, f"no row has an id at '{self._form.id}': correct `id`, or `rows`")
            return
        lacking, double = len(seen.ids) - len(found), len(found) - len(set(found))
        if lacking:
            yield warning(part, f"{counted(lacking, 'row')} without an id")
        if double:
            yield failed(part, f"{counted(double, 'id')} came twice on one page: it is not unique")
        else:
            yield ok(part, "each id came once")
        self._seen.append(seen)
        self.ids = list(dict.fromkeys(found))

    def _second(self) -> Iterator[Finding]:
        part, listing, first = f"{self._part}.list.paging", self._form.list, self._seen[0]
        behind = following(listing, Position(), self._got(first))
        total, count = first.page.total, len(first.rows)
        is_short = total is not None and total > count
        if behind is None and is_short:
            yield failed(
                part, f"the CRM counts {total:,}, and nothing leads on behind the first {count:,}"
            )
            return
        if behind is None and self._is_followed(listing, first):
            asked, came = counted(listing.page_size, "row"), counted(count, "row")
            yield warning(
                part,
                f"{came} came where {asked} were asked for, and more follow: a short page is not "
                f"the last one; set `page_size` to {count}, or take `short_page_ends` away",
            )
            return
        if behind is None and isinstance(listing.paging, OnePage) and count >= _MANY:
            yield warning(
                part,
                f"{counted(count, 'row')}, and by the description there is never another page: "
                "is that all of them? if not, say how pages follow (`paging`)",
            )
            return
        if behind is None:
            yield ok(part, "the first page is the only one")
            return
        second, again = self._fetch(listing, behind), False
        if second.rows:
            is_joined = bool(behind.seam) and second.ids[:1] == [behind.seam]
            fresh = second.behind(int(is_joined))
            again = not set(fresh.ids).isdisjoint(first.ids)
            self._seen.append(fresh)
            is_torn = isinstance(listing.paging, SEAMED) and bool(behind.seam) and not is_joined
            yield from self._compared(first, fresh, is_torn=is_torn)
        elif is_short:
            yield failed(part, f"the CRM counts {total:,}, and the second page is empty")
        else:
            yield ok(part, "a second page was asked for, and is empty")
        if not again:
            yield from self._ordered()

    def _is_followed(self, listing: Listing, first: _Seen) -> bool:
        """Whether rows stand behind a page that is the last one only for being short."""
        going_on = listing.model_copy(update={"short_page_ends": False})
        behind = following(going_on, Position(), self._got(first))
        if behind is None:
            return False
        try:
            second = self._fetch(going_on, behind)
        except HighseasError:  # as some servers say that nothing stands there
            return False
        return not set(second.ids) <= set(first.ids)

    def _compared(self, first: _Seen, second: _Seen, *, is_torn: bool) -> Iterator[Finding]:
        part = f"{self._part}.list.paging"
        again = set(second.ids) & set(first.ids)
        if again and set(second.ids) <= set(first.ids):
            yield failed(part, "the second page holds the rows of the first one again")
        elif again:
            yield failed(
                part,
                f"{counted(len(again), 'row')} of the first page came again on the "
                f"second: {_LOSING}",
            )
        elif is_torn:
            yield warning(
                part,
                "the second page does not begin with the last row of the first one, as asked: "
                "rows moved meanwhile, or their places are counted in another way",
            )
        else:
            yield ok(part, f"{counted(len(second.ids), 'other row')} on the second page")

    def _ordered(self) -> Iterator[Finding]:
        part, paging = f"{self._part}.list.paging", self._form.list.paging
        if isinstance(paging, Keyset):
            keys = [look(row, paging.by) for row in self._rows]
            if ascending(keys) is False and not falling(keys):
                yield failed(part, f"rows are not sorted by '{paging.by}', which pages go by")
        elif isinstance(paging, NUMBERED):
            ids = [identifier for seen in self._seen for identifier in seen.ids]
            if ascending(ids) is False and not falling(ids):
                yield warning(part, f"rows are not sorted by their id; {_LOSING}")

    def _got(self, seen: _Seen) -> Got:
        paging, rows = self._form.list.paging, seen.rows
        last = look(rows[-1], paging.by) if isinstance(paging, Keyset) else None
        return Got(
            rows=len(rows),
            fresh=len(rows),
            seam=seen.ids[-1],
            last=None if last is MISSING else last,
            token=seen.page.token,
            more=seen.page.more,
        )

    # What the rows hold.

    def _fields(self) -> Iterator[Finding]:
        form = self._form
        known = [form.id, form.version or ""]
        if form.modified is not None:
            known += [form.modified.path, form.modified.created or "", form.modified.by or ""]
        yield from field_findings(f"{self._part}.fields", form.fields, self._rows, known)

    # What changed, and what is gone.

    def _changes(self, changes: Changes) -> Iterator[Finding]:
        part, latest = f"{self._part}.changes", self._latest()
        if latest is None:
            yield untried(part, "without a moment of change there is nothing to ask from")
            return
        listing = changed(self._form.list, changes)
        seen = self._fetch(listing, Position(), latest)
        living = [row for row in seen.rows if not _is_deleted(row, changes.tombstone)]
        old = [row for row in living if (at := self._moment(row)) and at < latest - _COARSE]
        if old:
            yield warning(
                part,
                f"{len(old)} of {counted(len(living), 'row')} are older than what was asked for: "
                "the CRM does not heed the filter, and all is pulled each time",
            )
            return
        yield from self._included(changes, seen, latest)
        yield from self._nothing_from(listing, latest)
        if changes.tombstone is not None and len(living) == len(seen.rows):
            yield untried(f"{part}.tombstone", "no deleted record came, so none was seen")

    def _included(self, changes: Changes, seen: _Seen, latest: datetime) -> Iterator[Finding]:
        part = f"{self._part}.changes"
        text = f"{counted(len(seen.rows), 'row')} from the newest change on"
        own = {
            identifier
            for page in self._seen
            for row, identifier in zip(page.rows, page.ids, strict=True)
            if self._moment(row) == latest
        }
        if own & set(seen.ids):
            yield ok(part, f"{text}, which is among them")
        elif seen.page.more or len(seen.rows) >= self._form.list.page_size:
            yield ok(part, f"{text}, and more pages behind them")
        elif changes.overlap_seconds:
            yield ok(
                part,
                f"{text}, which is not among them (>): the overlap of "
                f"{counted(changes.overlap_seconds, 'second')} asks for it again",
            )
        else:
            yield warning(part, f"{text}, which is not among them: use >=, or an overlap")

    def _nothing_from(self, listing: Listing, latest: datetime) -> Iterator[Finding]:
        """From tomorrow on nothing can have changed."""
        part = f"{self._part}.changes"
        moments = [moment for moment in (latest, self._seen[0].page.at) if moment]
        try:
            seen = self._fetch(listing, Position(), max(moments) + _TOMORROW)
        except HighseasError:
            yield untried(part, "the CRM does not let anybody ask for changes from tomorrow on")
            return
        if seen.rows:
            count = counted(len(seen.rows), "row")
            yield warning(
                part, f"{count} from tomorrow on: the CRM does not heed the filter, or its form"
            )

    def _deleted(self, listing: Deleted) -> Iterator[Finding]:
        part = f"{self._part}.deleted"
        since = self._latest() or self._seen[0].page.at
        if since is None:
            yield untried(part, "without a moment there is nothing to ask from")
            return
        seen = self._fetch(listing, Position(), since - _LONG_AGO)
        if not all(seen.ids):
            yield failed(part, f"deleted records have no id at '{listing.id}'")
        elif set(seen.ids) & set(self.ids):
            yield warning(part, "some records are listed as deleted, and among the others")
        else:
            yield ok(part, f"{counted(len(seen.ids), 'deleted record')} on the first page")

    def _sweep(self, sweep: Sweep) -> Iterator[Finding]:
        part, form = f"{self._part}.sweep", self._form
        listing = swept(form.list, sweep)
        seen = self._fetch(listing, Position())
        missed = set(self.ids) - set(seen.ids)
        if not all(seen.ids) or not seen.ids:
            yield failed(part, f"the sweep gives rows without an id at '{form.id}', or none")
        elif missed and len(seen.ids) < listing.page_size and not seen.page.token:
            yield failed(part, f"{counted(len(missed), 'listed record')} not among the swept ids")
        else:
            yield ok(part, f"{counted(len(seen.ids), 'id')} on its first page")

    # What they share.

    @property
    def _rows(self) -> list[Mapping[str, Any]]:
        return [row for seen in self._seen for row in seen.rows]

    def _latest(self) -> datetime | None:
        return max((at for row in self._rows if (at := self._moment(row))), default=None)

    def _moment(self, row: Mapping[str, Any]) -> datetime | None:
        modified = self._form.modified
        if modified is None:
            return None
        return changed_at(row, modified, self._zone)

    def _fetch(self, listing: Listing, at: Position, since: datetime | None = None) -> _Seen:
        names = list_names(self._api, self._form, since)
        page = fetch(self._api, listing, names, at)
        id_path = listing.id if isinstance(listing, Deleted) else self._form.id
        rows = [self._row(raw) for raw in page.rows]
        return _Seen(page, rows, [identifier_of(look(row, id_path)) for row in rows])

    def _row(self, raw: msgspec.Raw) -> Mapping[str, Any]:
        try:
            row = self._plain.row(msgspec.json.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return row if isinstance(row, dict) else {}


def _empty(page: ListedPage) -> str:
    if page.empty_by is None or page.empty_by < 400:
        return "no row came"
    return f"answered {page.empty_by}, which counts as no records: a wrong path would look the same"


def _is_deleted(row: Mapping[str, Any], tombstone: Tombstone | None) -> bool:
    return tombstone is not None and tombstone.stands_in(row)
