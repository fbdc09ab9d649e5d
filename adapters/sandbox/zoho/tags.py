"""The tag catalogue of each module and which tags each record holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.database import Database

PALETTE = ("#57B1FD", "#879BFC", "#658BA8", "#FD87BD", "#F48435", "#1DB9B4", "#E7A826", "#63C57E")


class Tag(NamedTuple):
    id: int
    module: str
    name: str
    color: str | None
    created: int
    author: int

    @property
    def wire(self) -> dict[str, str | None]:
        return {"name": self.name, "id": str(self.id), "color_code": self.color}


class Tags:
    def __init__(self, database: Database, clock: OrgClock) -> None:
        self._database = database
        self._clock = clock

    def of_module(self, module: str) -> dict[str, Tag]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM tags WHERE module = ? ORDER BY id", (module,)
            ).fetchall()
        return {row[2]: Tag._make(row) for row in rows}

    def create(self, module: str, name: str, author: int, color: str | None = None) -> Tag:
        number = self._database.take_ids(1)[0]
        shade = color or PALETTE[number % len(PALETTE)]
        tag = Tag(number, module, name, shade, self._clock.now(), author)
        with self._database.writing() as connection:
            connection.execute("INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?)", tag)
        return tag

    def ensure(self, module: str, names: Iterable[str], author: int) -> dict[str, Tag]:
        with self._database.writing():
            known = self.of_module(module)
            for name in dict.fromkeys(names):
                if name not in known:
                    known[name] = self.create(module, name, author)
        return known

    def held(self, records: Iterable[int]) -> dict[int, list[Tag]]:
        """Return the tags of each record, in the order in which they were added."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT r.record, t.* FROM record_tags r JOIN tags t ON t.id = r.tag"
                " WHERE r.record IN (SELECT value FROM json_each(?)) ORDER BY r.record, r.position",
                (json.dumps(list(records)),),
            ).fetchall()
        held: dict[int, list[Tag]] = {}
        for record, *tag in rows:
            held.setdefault(record, []).append(Tag._make(tag))
        return held

    def names_held(self) -> dict[int, list[str]]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT r.record, t.name FROM record_tags r JOIN tags t ON t.id = r.tag"
                " ORDER BY r.record, t.name"
            ).fetchall()
        held: dict[int, list[str]] = {}
        for record, name in rows:
            held.setdefault(record, []).append(name)
        return held

    def replace(self, holdings: Mapping[int, Sequence[Tag]]) -> None:
        """Make each record hold exactly these tags."""
        places = [
            (record, position, tag.id)
            for record, tags in holdings.items()
            for position, tag in enumerate(tags)
        ]
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM record_tags WHERE record = ?", [(record,) for record in holdings]
            )
            connection.executemany("INSERT INTO record_tags VALUES (?, ?, ?)", places)
