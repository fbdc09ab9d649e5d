"""Stored records as Zoho shows them: references with names, tags, times in the org's zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.zoho.catalogue import made_id
from adapters.sandbox.zoho.records import Record
from adapters.sandbox.zoho.store import Store
from adapters.sandbox.zoho.tags import Tag

APPROVAL = {"NOT_APPROVED": "approval_process_pending", "NOT_REVIEWED": "review_process_pending"}


@dataclass(frozen=True)
class Shelf:
    """What a page of records refers to, fetched once a page."""

    store: Store
    tags: Mapping[int, Sequence[Tag]]
    names: Mapping[int, tuple[str | None, str]]

    users: Mapping[int, Mapping[str, str]]
    owners: Mapping[int, Mapping[str, str]]

    def lookup(self, value: Any) -> dict[str, str | None] | None:
        if value is None:
            return None
        name, _ = self.names.get(int(value), (None, ""))
        return {"name": name, "id": str(value)}

    def parent(self, number: int) -> dict[str, Any]:
        name, module = self.names[number]
        kind = {"api_name": module, "id": made_id("module", module)}
        return {"module": kind, "name": name, "id": str(number)}


SYSTEM: Mapping[str, Callable[[Record, Shelf], Any]] = {
    "id": lambda record, _: str(record.id),
    "Owner": lambda record, shelf: shelf.owners.get(record.owner or 0),
    "Created_Time": lambda record, shelf: shelf.store.clock.text(record.created),
    "Modified_Time": lambda record, shelf: shelf.store.clock.text(record.modified),
    "Created_By": lambda record, shelf: shelf.users.get(record.created_by),
    "Modified_By": lambda record, shelf: shelf.users.get(record.modified_by),
    "Tag": lambda record, shelf: [tag.wire for tag in shelf.tags.get(record.id, ())],
    "Locked__s": lambda record, _: record.state == "RECORD_LOCKED",
    "$locked_for_me": lambda record, _: record.state == "RECORD_LOCKED",
    "$approval_state": lambda record, _: APPROVAL.get(record.state or "", "approved"),
    "Parent_Id": lambda record, shelf: shelf.parent(record.parent) if record.parent else None,
}


def render(store: Store, records: Sequence[Record], fields: Iterable[str]) -> list[dict[str, Any]]:
    """Return rows of one module with `id` and those of the named fields that it has."""
    kind = store.catalogue[records[0].module]
    wanted = [name for name in dict.fromkeys(("id", *fields)) if name in kind.fields]
    system = [(name, SYSTEM[name]) for name in wanted if name in SYSTEM]
    lookups = [name for name in wanted if name in kind.lookups and name not in SYSTEM]
    plain = [name for name in wanted if name not in SYSTEM and name not in lookups]
    bodies = [record.values for record in records]
    shelf = _shelf(store, records, bodies, lookups, with_tags="Tag" in wanted)
    rows = []
    for record, body in zip(records, bodies, strict=True):
        row = {name: show(record, shelf) for name, show in system}
        row.update((name, body.get(name)) for name in plain)
        row.update((name, shelf.lookup(body.get(name))) for name in lookups)
        rows.append(row)
    return rows


def _shelf(
    store: Store,
    records: Sequence[Record],
    bodies: Sequence[Mapping[str, Any]],
    lookups: Sequence[str],
    *,
    with_tags: bool,
) -> Shelf:
    tags = store.tags.held(record.id for record in records) if with_tags else {}
    named = {int(body[name]) for body in bodies for name in lookups if name in body}
    named |= {record.parent for record in records if record.parent is not None}
    names = store.records.names(named) if named else {}
    people = store.people.all()
    users = {user.id: user.reference for user in people}
    owners = {user.id: {**user.reference, "email": user.email} for user in people}
    return Shelf(store, tags, names, users, owners)


def write_details(store: Store, record: Record) -> dict[str, Any]:
    """Return the `details` of a row that was written."""
    fields = ("Modified_Time", "Modified_By", "Created_Time", "Created_By")
    return render(store, [record], fields)[0]
