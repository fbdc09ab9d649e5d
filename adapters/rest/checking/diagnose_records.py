"""Trying how records of one object are read, and where their tags and notes stand. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.rest.api import Api
from adapters.rest.checking.findings import counted, failed, ok, tried, untried, warning
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.short_lists import listed
from adapters.rest.schema.description import Description
from adapters.rest.schema.write_description import (
    NoteField,
    NoteRecords,
    TagCommands,
    TagLinks,
    TagList,
    Writes,
)
from adapters.rest.writing.read import Live, Reader, lock_version
from connector.errors import HighseasError
from connector.models import Ref
from connector.ports import Finding, NoteLookup, NoteRef

_SEVERAL = 3
# Looks like a marker of ours, and is none.
_NO_MARKER = "A" * 10


class RecordTrial:
    """Tries the records of one object."""

    def __init__(self, api: Api, description: Description, reader: Reader, name: str) -> None:
        self._api = api
        self._name = name
        self._form = description.objects[name]
        self._writes = description.writes.get(name, Writes())
        self._reader = reader
        self._live: dict[Ref, Live] = {}

    def findings(self, ids: Sequence[str]) -> Iterator[Finding]:
        """`ids` are of records that were just listed."""
        if self._form.read is None:
            return
        read, writes = f"objects.{self._name}.read", f"writes.{self._name}"
        if not ids:
            yield untried(read, "no record was listed that could be read")
            return
        yield from tried(read, lambda: self._known(ids))
        yield from tried(f"{read}.missing", lambda: self._missing(ids))
        if self._name not in self._api.description.writes or not self._live:
            return
        yield from tried(f"{writes}.locking", self._locking)
        yield from tried(f"{writes}.tags", self._tags)
        yield from tried(f"{writes}.notes", self._notes)

    def _known(self, ids: Sequence[str]) -> Iterator[Finding]:
        part = f"objects.{self._name}.read"
        refs = [Ref(self._name, identifier) for identifier in ids[:_SEVERAL]]
        self._live = self._reader.records(refs)
        count = len(self._live)
        if count == len(refs):
            yield ok(part, f"{counted(count, 'listed record')} read again")
        else:
            yield failed(part, f"{count} of {len(refs)} listed records were shown when asked for")

    def _missing(self, ids: Sequence[str]) -> Iterator[Finding]:
        """A record that is gone has to be told from one that cannot be read now."""
        part = f"objects.{self._name}.read.missing"
        refs = [Ref(self._name, identifier) for identifier in (ids[0], _nobody(ids))]
        try:
            found = self._reader.records(refs)
        except HighseasError as error:
            yield failed(
                part,
                "asking for a record that is not there is an error: name its status in `missing`, "
                f"or its code as gone in `errors` ({error.message})",
            )
            return
        if refs[1] in found:
            yield warning(part, "a record came for an id that should not exist")
        elif refs[0] not in found:
            yield failed(part, "beside an id that is not there, a known record is not shown either")
        else:
            yield ok(part, "a record that is not there is told as such")

    def _locking(self) -> Iterator[Finding]:
        part = f"writes.{self._name}.locking"
        versions = [lock_version(self._writes, live) for live in self._live.values()]
        if self._writes.locking is None:
            yield ok(part, "none: the last write wins, between our last look and our write too")
        elif not all(versions):
            yield failed(part, "records have no version, which locking goes by")
        else:
            yield ok(part, "records have the version that locking goes by")

    def _tags(self) -> Iterator[Finding]:
        part, form = f"writes.{self._name}.tags", self._writes.tags
        names = form.names if isinstance(form, TagCommands | TagLinks) else None
        if names is not None and "name" not in names.list.asks_for():
            api = self._reader.api(self._name)
            rows = listed(api, names.list, {"name": ""}, what="tags", id_path=names.id)
            whole = [
                row
                for row in rows
                if look(row, names.id) is not MISSING and look(row, names.name) is not MISSING
            ]
            if len(whole) < len(rows):
                yield failed(part, "tags of the catalogue have no id, or no name, where told")
                return
            yield ok(part, f"{counted(len(rows), 'tag')} in the catalogue")
        if isinstance(form, TagList) and all(
            look(live.row, form.field) is MISSING for live in self._live.values()
        ):
            yield warning(part, f"no record that was read has '{form.field}'")
            return
        if isinstance(form, TagList | TagCommands | TagLinks):
            found = [self._reader.tags(ref, live) for ref, live in self._live.items()]
            several = counted(len(found), "record")
            yield ok(part, f"{counted(sum(map(len, found)), 'tag')} on {several}")

    def _notes(self) -> Iterator[Finding]:
        part, form = f"writes.{self._name}.notes", self._writes.notes
        if isinstance(form, NoteField):
            if all(look(live.row, form.field) is MISSING for live in self._live.values()):
                yield warning(part, f"no record that was read has '{form.field}'")
            else:
                yield ok(part, "the field that notes go into is there")
        elif isinstance(form, NoteRecords):
            yield from self._looked_for(form)

    def _looked_for(self, form: NoteRecords) -> Iterator[Finding]:
        part = f"writes.{self._name}.notes"
        if form.lookup is NoteLookup.NONE:
            yield untried(part, "notes cannot be looked for here")
            return
        found = self._reader.find_note(NoteRef(next(iter(self._live)), _NO_MARKER))
        if found is None:
            yield ok(part, "notes can be looked for")
        else:
            yield warning(part, "a note was found by a marker that nobody wrote: `find` or `text`")


def _nobody(ids: Sequence[str]) -> str:
    """An id of the same kind that belongs to nobody, as far as can be told."""
    pattern = ids[0]
    if pattern.isdecimal():
        guess = pattern[0] + "9" * (len(pattern) - 1) if len(pattern) > 9 else "2000000011"
    else:
        guess = "".join("0" if char.isalnum() else char for char in pattern)
    return guess if guess not in ids else guess[:-1] + "8"
