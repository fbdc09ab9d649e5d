"""Lists that are wanted as a whole: the catalogue of tags, the tags of a record, notes. They are
walked as a pull is, page by page, so that none of their rows goes missing unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.calls import CallRefused
from adapters.rest.api import Api
from adapters.rest.errors import meaning
from adapters.rest.paths import look
from adapters.rest.pulling.listed_rows import Rows
from adapters.rest.pulling.paging import Position
from adapters.rest.pulling.values import Plain
from adapters.rest.pulling.walking import Course, Limits, Walk
from adapters.rest.schema.object_description import Listing
from connector.errors import ProtocolError

_LIMITS = Limits(rows=200_000, empty_pages=100)


def listed(
    api: Api, listing: Listing, names: Mapping[str, Any], *, what: str, id_path: str = "id"
) -> list[Any]:
    """All rows, made plain. `what` names the list in errors; `id_path`: what tells its rows apart,
    where it stands in them.

    Some servers say "not found" where there are none. Nothing where the rows should stand is no
    empty list: what is not seen would be written anew.
    """
    reader = _RowReader(id_path, Plain(api.description.values, {}, api.names()))
    course = Course(what, listing, reader, api.names(**names), counted=True)
    walk = Walk(api, course, _LIMITS)
    found: dict[str, Any] = {}
    here: Position | None = Position()
    while here is not None:
        try:
            leaf = walk.leaf(here)
        except CallRefused as refusal:
            word = meaning(api.description.errors, refusal.status, refusal.code)
            if here.pages or word != "gone":
                raise
            return []
        values = map(reader.value, leaf.rows.texts)
        found |= dict(zip(leaf.rows.ids, values, strict=True))
        if leaf.following is not None and leaf.following.attempts > here.attempts:
            found.clear()
        here = leaf.following
    return list(found.values())


class _RowReader:
    """Reads rows whole. One without an id, such as a mere name, goes by all that it says."""

    def __init__(self, id_path: str, plain: Plain) -> None:
        self.id_path = id_path
        self._plain = plain

    def read(self, raws: Sequence[msgspec.Raw]) -> Rows:
        texts = [bytes(raw) for raw in raws]
        values = [self.value(text) for text in texts]
        ids = [self._id(*pair) for pair in zip(values, texts, strict=True)]
        return Rows(texts, ids, [row if isinstance(row, dict) else {} for row in values])

    def value(self, text: bytes) -> Any:
        try:
            return self._plain.row(msgspec.json.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProtocolError(
                "a row of the CRM's answer is no JSON that can be read",
                "`highseas check` shows what it saw",
            ) from None

    def _id(self, value: Any, text: bytes) -> str:
        found = look(value, self.id_path)
        return str(found) if isinstance(found, int | str) else text.decode("utf-8", "replace")
