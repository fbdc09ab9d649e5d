"""Notes that are records of their own: found by their marker, and what their templates get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look
from adapters.rest.tags import asked_names, listed
from adapters.rest.templates import render_text
from adapters.rest.write_description import NoteRecords
from connector.errors import ProtocolError
from connector.models import Primitive, Ref
from connector.ports import NoteLookup, NoteRef, NoteState


class NoteFinder:
    """Looks for the notes of one object's records. A note that is there twice is found once."""

    def __init__(self, api: Api, form: NoteRecords) -> None:
        self._api = api
        self._form = form
        self._by_marker = form.find is not None and "marker" in asked_names(form.find)

    def find(self, wanted: Iterable[NoteRef]) -> list[tuple[Ref, NoteState]]:
        """Those of the wanted ones that exist; by id where it is known, else by marker."""
        seen: dict[tuple[Ref, str], list[tuple[str, str]]] = {}
        found = []
        for note in wanted:
            if note.remote_id is None and self._form.lookup is NoteLookup.NONE:
                continue
            key = (note.ref, note.marker if self._by_marker else "")
            if key not in seen:
                seen[key] = self._listed(note)
            fitting = [each for each in seen[key] if _is_it(*each, note)]
            if fitting:
                # The oldest, as numbers go, and in any case the same each time.
                identifier, text = min(fitting, key=lambda each: (len(each[0]), each[0]))
                found.append((note.ref, NoteState(note.marker, identifier, text)))
        return found

    def _listed(self, note: NoteRef) -> list[tuple[str, str]]:
        form = self._form
        if form.find is None:
            return []
        names = {"id": note.ref.id, "ref": str(note.ref), "marker": note.marker}
        return [self._note(row) for row in listed(self._api, form.find, form.rows, names)]

    def _note(self, row: Any) -> tuple[str, str]:
        identifier = look(row, self._form.note_id)
        if identifier is MISSING or identifier is None:
            raise ProtocolError(
                "a note has no id where it should stand",
                "correct `note_id` in the description's notes",
            )
        text = render_text(self._form.text, self._api.names(note=row))
        return str(identifier), text.replace("\r\n", "\n").strip("\n")


def _is_it(identifier: str, text: str, wanted: NoteRef) -> bool:
    if wanted.remote_id is not None:
        return identifier == wanted.remote_id
    return wanted.marker in text


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
