"""Notes that are records of their own: found by their marker, and what their templates get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.short_lists import listed
from adapters.rest.schema.write_description import NoteRecords
from adapters.rest.templates import render_text
from connector.errors import ProtocolError
from connector.models import Primitive, Ref
from connector.ports import NoteLookup, NoteRef, NoteState


@dataclass(frozen=True, slots=True)
class _Note:
    """A note as the server shows it. `customer`: whose it is, where the description asks."""

    id: str
    text: str
    customer: str = ""

    def is_it(self, wanted: NoteRef) -> bool:
        if self.customer and self.customer != wanted.ref.id:
            return False
        if wanted.remote_id is not None:
            return self.id == wanted.remote_id
        return wanted.marker in self.text


class NoteFinder:
    """Looks for the notes of one object's records. A note that is there twice is found once."""

    def __init__(self, api: Api, form: NoteRecords) -> None:
        self._api = api
        self._form = form
        self._by_marker = form.find is not None and "marker" in form.find.asks_for()

    def find(self, wanted: Iterable[NoteRef]) -> list[tuple[Ref, NoteState]]:
        """Those of the wanted ones that exist; by id where it is known, else by marker."""
        is_blind = self._form.lookup is NoteLookup.NONE
        asked = [note for note in wanted if note.remote_id is not None or not is_blind]
        shown = self._together(asked) if self._form.finds_many else self._one_by_one(asked)
        found = []
        for note, notes in shown:
            fitting = [each for each in notes if each.is_it(note)]
            if fitting:
                # The oldest, as numbers go, and in any case the same each time.
                first = min(fitting, key=lambda each: (len(each.id), each.id))
                found.append((note.ref, NoteState(note.marker, first.id, first.text)))
        return found

    def _together(self, wanted: list[NoteRef]) -> Iterator[tuple[NoteRef, list[_Note]]]:
        for start in range(0, len(wanted), self._form.find_batch):
            notes = wanted[start : start + self._form.find_batch]
            shown = self._listed(
                {
                    "ids": [note.ref.id for note in notes],
                    "refs": [str(note.ref) for note in notes],
                    "markers": [note.marker for note in notes],
                }
            )
            yield from ((note, shown) for note in notes)

    def _one_by_one(self, wanted: list[NoteRef]) -> Iterator[tuple[NoteRef, list[_Note]]]:
        seen: dict[tuple[Ref, str], list[_Note]] = {}
        for note in wanted:
            key = (note.ref, note.marker if self._by_marker else "")
            if key not in seen:
                names = {"id": note.ref.id, "ref": str(note.ref), "marker": note.marker}
                seen[key] = self._listed(names)
            yield note, seen[key]

    def _listed(self, names: Mapping[str, Any]) -> list[_Note]:
        form = self._form
        if form.find is None:
            return []
        rows = listed(self._api, form.find, names, what="notes", id_path=form.note_id)
        return [self._note(row) for row in rows]

    def _note(self, row: Any) -> _Note:
        identifier = look(row, self._form.note_id)
        if identifier is MISSING or identifier is None:
            raise ProtocolError(
                "a note has no id where it should stand",
                "correct `note_id` in the description's notes",
            )
        names = self._api.names(note=row)
        text = render_text(self._form.text, names)
        customer = render_text(self._form.customer, names)
        return _Note(str(identifier), text.replace("\r\n", "\n").strip("\n"), customer)


def note_names(primitive: Primitive) -> dict[str, Any]:
    """What the templates of a note that is written may ask for."""
    text = "" if primitive.after is None else str(primitive.after)
    title, _, content = text.partition("\n")
    return {
        "id": primitive.ref.id,
        "ref": str(primitive.ref),
        "marker": primitive.target,
        "text": text,
        "title": title if content else "",
        "content": content or text,
    }
