"""Tags: their names in a record, the catalogue of those that there are, and what is sent for them.

Which call carries them, and whether it may go out, is said elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adapters.rest.api import Api
from adapters.rest.paths import MISSING, look
from adapters.rest.pulling.short_lists import listed
from adapters.rest.schema.write_description import Catalogue, TagCommands, TagLinks, TagList
from adapters.rest.templates import render
from adapters.rest.writing.scalars import put
from adapters.rest.writing.sending import Told, ask
from connector.errors import ProtocolError
from connector.models import OutcomeStatus

_HINT = "compare the description's tags with what `highseas check` shows"


class TagNames:
    """The catalogue of one object's tags: read when first asked for, and again when a name or an
    id is missing from it. Safe to use from several threads."""

    def __init__(self, api: Api, form: Catalogue) -> None:
        self._api = api
        self._form = form
        self._searches = "name" in form.list.asks_for()
        self._lock = threading.Lock()
        self._ids: dict[str, Any] | None = None
        self._names: dict[str, str] = {}
        self._missing: set[str] = set()  # names that nobody here can make
        self._unknown: set[str] = set()  # ids

    def name(self, identifier: Any) -> str:
        """The name behind an id; the id itself for one that the catalogue does not show."""
        key = str(identifier)
        with self._lock:
            if key not in self._names and key not in self._unknown:
                self._load("")
            if key not in self._names:
                self._unknown.add(key)
            return self._names.get(key, key)

    def find(self, name: str) -> Any:
        """The id of a name, or MISSING."""
        with self._lock:
            return self._find(name)

    def find_or_make(self, name: str, headers: Mapping[str, str]) -> tuple[Any, Told]:
        """The id of a name, which is made if need be; if it is MISSING, what was said to that.

        Whatever an attempt to make it came to, the catalogue is looked at before anything else.
        """
        with self._lock:
            found = self._find(name)
            if found is not MISSING:
                return found, Told(OutcomeStatus.DONE)
            form = self._form.create
            if form is None:
                return MISSING, Told(OutcomeStatus.REFUSED, "TAG_UNKNOWN")
            sent = form.model_copy(update={"headers": {**form.headers, **headers}})
            told = ask(self._api, self._api.call(sent, self._api.names(name=name), writes=True))
            found = self._made(told)
            if found is MISSING:
                self._load(name)
                found = (self._ids or {}).get(name, MISSING)
            else:
                self._learn(name, found)
            if found is MISSING and told.status is OutcomeStatus.DONE:
                told = Told(OutcomeStatus.UNKNOWN, "TAG_NOT_SHOWN")
            return found, told

    def _made(self, told: Told) -> Any:
        place = self._form.created
        if told.status is not OutcomeStatus.DONE or told.reply is None or place is None:
            return MISSING
        found = told.reply.found(place)
        return MISSING if found is None else found

    def _find(self, name: str) -> Any:
        if self._ids is None or name not in self._ids:
            self._look_again(name)
        return (self._ids or {}).get(name, MISSING)

    def _look_again(self, name: str) -> None:
        """A name that nobody here can make is looked for once and no more."""
        if name in self._missing:
            return
        self._load(name)
        if self._form.create is None and name not in (self._ids or {}):
            self._missing.add(name)

    def _learn(self, name: str, identifier: Any) -> None:
        self._ids = {**(self._ids or {}), name: identifier}
        self._names[str(identifier)] = name

    def _load(self, wanted: str) -> None:
        """All tags, or those that a search for one name shows."""
        if self._searches and not wanted:
            self._ids = self._ids or {}
            return
        form = self._form
        rows = listed(self._api, form.list, {"name": wanted}, what="tags", id_path=form.id)
        ids: dict[str, Any] = {}
        names: dict[str, str] = {}
        for row in rows:
            identifier, name = look(row, self._form.id), look(row, self._form.name)
            if identifier is MISSING or name is MISSING:
                raise ProtocolError("a tag of the catalogue has no id or no name", _HINT)
            ids.setdefault(str(name), identifier)
            names[str(identifier)] = str(name)
        if self._searches:
            ids, names = {**(self._ids or {}), **ids}, {**self._names, **names}
        self._ids, self._names = ids, names


def shown_names(
    form: TagList | TagCommands | TagLinks, value: Any, catalogue: TagNames | None
) -> tuple[str, ...]:
    """The names that stand in a record's field, or in the rows that list them."""
    if isinstance(value, str) and isinstance(form, TagList) and form.separator is not None:
        return tuple(part.strip() for part in value.split(form.separator) if part.strip())
    if isinstance(value, str) and value:
        return (value,)
    if not isinstance(value, list):
        return ()
    if isinstance(form, TagLinks) and form.tag_id is not None and catalogue is not None:
        return tuple(catalogue.name(_told(look(each, form.tag_id))) for each in value)
    return tuple(_name(form.of, element, catalogue) for element in value)


def _name(path: str | None, element: Any, catalogue: TagNames | None) -> str:
    if path is not None:
        found = look(element, path)
    elif isinstance(element, Mapping):
        found = element.get("id", MISSING) if catalogue else MISSING
    else:
        found = element
    found = _told(found)
    return catalogue.name(found) if catalogue and path is None else str(found)


def _told(found: Any) -> Any:
    if found is MISSING or found is None or isinstance(found, Mapping | list):
        raise ProtocolError("a tag of a record has no name where it should stand", _HINT)
    return found


def merged(form: TagList, value: Any, wanted: Mapping[str, bool], names: Mapping[str, Any]) -> Any:
    """The field with our names put in (True) or taken out (False). What others put there stays as
    it is, in its order."""
    present = set(shown_names(form, value, None))
    new = [name for name, is_wanted in wanted.items() if is_wanted and name not in present]
    if form.separator is not None:
        text = value if isinstance(value, str) else ""
        parts = text.split(form.separator) if text.strip() else []
        return form.separator.join([part for part in parts if wanted.get(part.strip(), True)] + new)
    elements: Sequence[Any] = value if isinstance(value, list) else ([value] if value else [])
    kept = [each for each in elements if wanted.get(_name(form.of, each, None), True)]
    return kept + [_element(form, name, names) for name in new]


def _element(form: TagList, name: str, names: Mapping[str, Any]) -> Any:
    if form.element is not None:
        return render(form.element, {**names, "name": name})
    if form.of is None:
        return name
    made: dict[str, Any] = {}
    put(made, form.of, name)
    return made


def commands(
    form: TagCommands, ids: Iterable[tuple[Any, bool]], names: Mapping[str, Any]
) -> list[Any]:
    """The list of commands that changes a many-to-many field."""
    return [
        render(form.add if present else form.remove, {**names, "tag_id": identifier})
        for identifier, present in ids
    ]
