"""Live values: records by id, notes by id or from their record's own list. Never by search, whose
index lags behind (Zoho v8 search-records page)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from adapters.calls import Call, CallRefused
from adapters.http import HttpClient
from adapters.pagination import Leaf, walk
from adapters.zoho.replies import API, Listing, TagName, User, decode, decode_row
from connector.models import Ref, Scalar
from connector.ports import NoteRef, NoteState, ReadRequest, RecordState

READ_BATCH = 100
_TITLE_LENGTH = 120  # (Zoho v8 create-notes page)
_NOTE_FIELDS = "Note_Title,Note_Content,Parent_Id"
_NOT_FOR_US = frozenset({"NOT_SUPPORTED", "NO_PERMISSION"})


class _Record(msgspec.Struct, frozen=True):
    id: str
    Tag: list[TagName] | None = None
    Owner: User | None = None
    Modified_Time: str | None = None
    Modified_By: User | None = None


class _Note(msgspec.Struct, frozen=True):
    id: str
    Note_Title: str | None = None
    Note_Content: str | None = None

    @property
    def text(self) -> str:
        return join_note(self.Note_Title, self.Note_Content)


class _Reference(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None


def split_note(text: str) -> tuple[str, str]:
    """Title and content of a note: the first line, and the rest. A note of one line, or with a
    first line that no title can hold, is all content."""
    first, _, rest = text.partition("\n")
    if first and rest and len(first) <= _TITLE_LENGTH:
        return first, rest
    return "", text


def join_note(title: str | None, content: str | None) -> str:
    parts = [part.replace("\r\n", "\n") for part in (title, content) if part]
    return "\n".join(parts)


class Reader:
    """Reads with one client, and remembers whether it may list notes across records."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._notes_by_id = True

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        records = self._records(request.refs, request.fields)
        wanted = [note for note in request.notes if note.ref in records]
        notes = self.notes(wanted)
        for ref in request.refs:
            row = records.get(ref)
            if row is None:
                yield RecordState(ref, exists=False)
            else:
                yield _state(ref, row, request.fields, notes.get(ref, ()))

    def notes(self, wanted: Sequence[NoteRef]) -> dict[Ref, tuple[NoteState, ...]]:
        """The notes that still exist, by record."""
        found: dict[Ref, list[NoteState]] = defaultdict(list)
        rest = [note for note in wanted if note.remote_id is None]
        known = {note.remote_id: note for note in wanted if note.remote_id is not None}
        for ids in _chunks(list(known)):
            listed = self._notes_with_ids(ids) if self._notes_by_id else None
            if listed is None:
                rest += [known[identifier] for identifier in ids]
                continue
            for note in listed:
                if note.id in known:
                    ref = known[note.id]
                    found[ref.ref].append(NoteState(ref.marker, note.id, note.text))
        self._search_lists(rest, found)
        return {ref: tuple(states) for ref, states in found.items()}

    def _search_lists(self, wanted: Iterable[NoteRef], found: dict[Ref, list[NoteState]]) -> None:
        by_record: dict[Ref, list[NoteRef]] = defaultdict(list)
        for note in wanted:
            by_record[note.ref].append(note)
        for ref, notes in by_record.items():
            listed = self._notes_of(ref)
            for note in notes:
                match = next((each for each in listed if _is_it(each, note)), None)
                if match is not None:
                    found[ref].append(NoteState(note.marker, match.id, match.text))

    def _records(self, refs: tuple[Ref, ...], fields: tuple[str, ...]) -> dict[Ref, msgspec.Raw]:
        names = dict.fromkeys(("Tag", "Owner", "Modified_Time", "Modified_By", *fields))
        by_object: dict[str, list[str]] = defaultdict(list)
        for ref in dict.fromkeys(refs):
            by_object[ref.object].append(ref.id)
        found: dict[Ref, msgspec.Raw] = {}
        for name, identifiers in by_object.items():
            for ids in _chunks(identifiers):
                params = {"ids": ",".join(ids), "fields": ",".join(names), "per_page": "200"}
                if name == "Leads":
                    params["converted"] = "both"
                call = Call("GET", f"{API}/{name}", params)
                for row in decode(self._http.send(call), Listing, str(call)).data:
                    found[Ref(name, decode_row(row, _Record, str(call)).id)] = row
        return found

    def _notes_with_ids(self, ids: Sequence[str]) -> list[_Note] | None:
        """None when this user may not list notes (administrators only, Zoho get-notes page)."""
        params = {"ids": ",".join(ids), "fields": _NOTE_FIELDS, "per_page": "200"}
        call = Call("GET", f"{API}/Notes", params)
        try:
            listing = decode(self._http.send(call), Listing, str(call))
        except CallRefused as refusal:
            if refusal.code not in _NOT_FOR_US:
                raise
            self._notes_by_id = False
            return None
        return [decode_row(row, _Note, str(call)) for row in listing.data]

    def _notes_of(self, ref: Ref) -> list[_Note]:
        path = f"{API}/{ref.object}/{ref.id}/Notes"

        def fetch(cursor: str | None) -> Leaf[list[_Note]]:
            # Without a sort the order follows the user's own setting (Zoho get-notes page).
            params = {"fields": _NOTE_FIELDS, "per_page": "200", "page": cursor or "1"}
            params |= {"sort_by": "id", "sort_order": "asc"}
            call = Call("GET", path, params)
            listing = decode(self._http.send(call), Listing, str(call))
            notes = [decode_row(row, _Note, str(call)) for row in listing.data]
            following = str(int(cursor or "1") + 1) if listing.info.more_records else None
            return Leaf(notes, tuple(note.id for note in notes), following)

        return [note for notes in walk(fetch, "Notes of a record") for note in notes]


def _is_it(note: _Note, wanted: NoteRef) -> bool:
    if wanted.remote_id is not None:
        return note.id == wanted.remote_id
    return wanted.marker in note.text


def _state(
    ref: Ref, row: msgspec.Raw, fields: tuple[str, ...], notes: Iterable[NoteState]
) -> RecordState:
    record = decode_row(row, _Record, ref.object)
    raw: Mapping[str, msgspec.Raw] = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    return RecordState(
        ref,
        exists=True,
        tags=frozenset(tag.name for tag in record.Tag or ()),
        owner=record.Owner.id if record.Owner else None,
        fields={name: _scalar(raw[name]) for name in fields if name in raw},
        notes=tuple(notes),
        version=record.Modified_Time,
        modified_by=record.Modified_By.id if record.Modified_By else None,
    )


def _scalar(raw: msgspec.Raw) -> Scalar:
    """A reference is its id, a list its elements with semicolons, a fraction its own digits."""
    text = bytes(raw)
    if text.startswith(b"{"):
        reference = msgspec.json.decode(text, type=_Reference)
        return reference.id or reference.name
    if text.startswith(b"["):
        return ";".join(str(item) for item in msgspec.json.decode(text))
    value = msgspec.json.decode(text)
    return text.decode() if isinstance(value, float) else value


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), READ_BATCH):
        yield items[start : start + READ_BATCH]
