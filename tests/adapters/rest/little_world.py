"""The little CRM as the conformance suite wants it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from adapters.contract import Part, Samples
from adapters.http import Timing
from adapters.rest.adapter import RestAdapter
from adapters.rest.loading import Source, read_description
from connector.models import Ref
from tests.adapters.rest.flavours import Flavour
from tests.adapters.rest.little_server import LittleCrm

OBJECT = "customers"


def open_adapter(text: str, url: str) -> RestAdapter:
    """An adapter that never waits."""
    description = read_description(Source(text, "crm.yaml"))
    timing = Timing(time.time, lambda seconds: None, lambda: 1.0)
    return RestAdapter(description, {"url": url}, timing=timing)


class LittleWorld:
    """One flavour: its server, and an adapter by its description."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.crm = LittleCrm(flavour.behaviour)
        self.adapter = open_adapter(flavour.text, self.crm.url)
        self.parts = frozenset(Part)
        self.in_field = "model: field" in flavour.text
        if "notes:" not in flavour.text:
            self.parts -= {Part.FOREIGN_NOTES}
        self.samples = Samples(
            object=OBJECT,
            pull_fields=("name", "status", "owner", "tags", "updated"),
            field=("status", "active", "void"),
            owners=("1", "2"),
        )

    def close(self) -> None:
        self.adapter.close()
        self.crm.close()

    def seed(self, count: int) -> tuple[Ref, ...]:
        return tuple(Ref(OBJECT, str(self.crm.add())) for _ in range(count))

    def snapshot(self) -> Mapping[str, Any]:
        with self.crm.lock:
            return {
                f"{OBJECT}:{number}": {
                    "fields": {name: row[name] for name in ("name", "status", "size")},
                    "owner": row["owner"],
                    "tags": self.crm.tag_names(number),
                    "notes": self._notes(number),
                }
                for number, row in self.crm.store.customers.items()
            }

    def _notes(self, number: int) -> list[str]:
        notes = [
            note["text"] for note in self.crm.store.notes.values() if note["customer"] == number
        ]
        remark = self.crm.store.customers[number]["remark"]
        return [*notes, remark] if remark else notes

    def writes(self) -> int:
        return len(self.crm.writes)

    def wait(self, seconds: float) -> None:
        """A request that this server has answered or dropped cannot arrive any more."""

    def edit(self, ref: Ref) -> None:
        self.crm.edit(int(ref.id), name="Renamed by somebody else")

    def add_tag(self, ref: Ref, tag: str) -> None:
        self.crm.add_tag(int(ref.id), tag)

    def add_note(self, ref: Ref, text: str) -> None:
        if self.in_field:
            self.crm.edit(int(ref.id), remark=text)
        else:
            self.crm.add_note(int(ref.id), text)

    def delete(self, ref: Ref) -> None:
        self.crm.delete(int(ref.id))

    def lock(self, ref: Ref) -> None:
        self.crm.store.locked.add(int(ref.id))

    def lose_answer(self) -> None:
        self.crm.fault = "lose"

    def drop_request(self) -> None:
        self.crm.fault = "drop"
