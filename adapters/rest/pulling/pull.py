"""Pulling one object: what was deleted, then its records, then the ids of all that exist.

Rows may come twice, never be missing: whoever stages them keeps the later one of each id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from adapters.rest.api import Api
from adapters.rest.pulling.incremental import asked_since, changed, list_names, swept
from adapters.rest.pulling.listed_rows import RowReader, newest, sorted_out
from adapters.rest.pulling.lookups import LookedUp
from adapters.rest.pulling.moments import server_zone
from adapters.rest.pulling.paging import Position
from adapters.rest.pulling.values import Plain
from adapters.rest.pulling.walking import Course, Leaf, Limits, Walk
from adapters.rest.schema.object_description import (
    Deleted,
    Keyset,
    Listing,
    ObjectForm,
)
from connector.errors import ConfigurationError, ProtocolError
from connector.ports import Page, PullRequest

DELETED, RECORDS, SWEEP = "deleted", "records", "sweep"
# How far our clock may be ahead of the CRM's, where the CRM does not tell its own.
_CLOCK_MARGIN = timedelta(minutes=5)


class Puller:
    """Pulls the objects of one API. Safe to use from several threads."""

    def __init__(
        self, api: Api, *, now: Callable[[], datetime], limits: Limits | None = None
    ) -> None:
        self._api = api
        self._now = now
        self._limits = limits or Limits()

    def pull(self, request: PullRequest) -> Iterator[Page]:
        """Walk one object. Raises RemoteError and its kin, ProtocolError among them when records
        may be missing, and ConfigurationError for a description that cannot be followed."""
        form = self._form(request.object)
        courses = _courses(self._api, form, request)
        walks = {part: Walk(self._api, each, self._limits) for part, each in courses.items()}
        here: Position | None = _position(request, list(walks), self._now())
        while here is not None:
            leaf = walks[here.part].leaf(here)
            here = self._known(here, leaf, form)
            following = _following(here, leaf, list(walks))
            yield _page(request, form, _Turn(here, leaf, following))
            here = following

    def _form(self, name: str) -> ObjectForm:
        form = self._api.description.objects.get(name)
        if form is None:
            raise ConfigurationError(
                f"the CRM's description has no object '{name}'",
                "add it below `objects`, or correct the mapping",
            )
        return form

    def _known(self, here: Position, leaf: Leaf, form: ObjectForm) -> Position:
        """The position with what the page told about the CRM's clock: it is read off the first page
        that shows it, less the time that the walk had taken until then. A clock ahead of ours is
        not believed: changes would be passed over."""
        if here.dated or here.begun is None:
            return here
        if leaf.at is not None:
            begun = leaf.at - (self._now() - here.begun)
            return msgspec.structs.replace(here, begun=min(begun, here.begun), dated=True)
        if form.modified is None:
            return here
        moments = (here.newest, newest(leaf.rows.seen, form.modified, server_zone(self._api)))
        latest = max((moment for moment in moments if moment), default=None)
        return msgspec.structs.replace(here, newest=latest)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A page with its own position and the one behind it."""

    here: Position
    leaf: Leaf
    following: Position | None


def _position(request: PullRequest, parts: list[str], now: datetime) -> Position:
    """Where the walk begins, or goes on."""
    if request.resume is None:
        return Position(parts[0], begun=now)
    try:
        position = msgspec.json.decode(request.resume, type=Position)
    except msgspec.DecodeError:
        position = None
    if position is None or position.part not in parts:
        raise ProtocolError(
            "the stored place of a broken pull cannot be read", "pull again from the start"
        )
    return position


def _following(here: Position, leaf: Leaf, parts: list[str]) -> Position | None:
    """What comes next: a page of the same list, or the first one of another."""
    if leaf.following is None:
        behind = parts[parts.index(here.part) + 1 :]
        return here.another(behind[0]) if behind else None
    return msgspec.structs.replace(
        leaf.following, begun=here.begun, dated=here.dated, newest=here.newest
    )


def _page(request: PullRequest, form: ObjectForm, turn: _Turn) -> Page:
    rows = turn.leaf.rows
    resume = msgspec.json.encode(turn.following).decode() if turn.following else None
    page = Page(
        request.object,
        (),
        resume=resume,
        watermark=None if turn.following else _watermark(request, turn.here),
    )
    if turn.here.part == DELETED:
        return msgspec.structs.replace(page, deleted=_named(rows.ids))
    living, deleted = sorted_out(rows, form.changes.tombstone if form.changes else None)
    if turn.here.part == SWEEP:
        return msgspec.structs.replace(page, present=_named(living.ids))
    return msgspec.structs.replace(page, rows=tuple(living.texts), deleted=deleted)


def _named(ids: list[str]) -> tuple[str, ...]:
    return tuple(identifier for identifier in ids if identifier)


def _watermark(request: PullRequest, here: Position) -> datetime | None:
    """The moment at which the walk began. Where only our own clock tells it, the CRM's may be
    behind: then it is not later than the newest change that came."""
    if here.dated or here.begun is None:
        return here.begun
    begun = here.begun - _CLOCK_MARGIN
    if here.newest is not None:
        return min(begun, here.newest)
    return begun if request.since is None else None


def _courses(api: Api, form: ObjectForm, request: PullRequest) -> dict[str, Course]:
    """The lists of one walk, in their order. Deleted records come first: one that was restored
    afterwards comes again among the others. All ids come last: none is missing for being new."""
    found: dict[str, Course] = {}
    whole = _Lists(api, form, None)
    if request.since is None:
        found[RECORDS] = whole.course(request.object, form.list, counted=True)
        return found
    since = _Lists(api, form, asked_since(request.since, form.changes))
    if form.deleted is not None and request.deletions:
        where = f"{request.object}, deleted"
        found[DELETED] = since.course(where, form.deleted, counted=False)
    if form.changes is None:
        found[RECORDS] = whole.course(request.object, form.list, counted=True)
    else:
        listing = changed(form.list, form.changes)
        found[RECORDS] = since.course(request.object, listing, counted=False)
    if form.sweep is not None and request.deletions:
        listing = swept(form.list, form.sweep)
        found[SWEEP] = whole.course(f"{request.object}, all ids", listing, counted=True)
    return found


class _Lists:
    """Makes the courses over one object's listings."""

    def __init__(self, api: Api, form: ObjectForm, since: datetime | None) -> None:
        self._form = form
        self._names = list_names(api, form, since)
        plain = Plain(api.description.values, form.fields, self._names)
        self._plain = LookedUp(api, plain, form.lookups)

    def course(self, where: str, listing: Listing, *, counted: bool) -> Course:
        id_path = listing.id if isinstance(listing, Deleted) else self._form.id
        reader = RowReader(id_path, self._looked_at(listing), self._plain)
        return Course(where, listing, reader, self._names, counted)

    def _looked_at(self, listing: Listing) -> Iterator[str]:
        form = self._form
        if form.modified is not None:
            yield form.modified.path
            yield form.modified.created or ""
        if form.changes is not None and form.changes.tombstone is not None:
            yield form.changes.tombstone.path
        if isinstance(listing.paging, Keyset):
            yield listing.paging.by
