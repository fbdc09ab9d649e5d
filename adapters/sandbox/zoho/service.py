"""What every endpoint is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from adapters.sandbox.zoho.catalogue import Module
from adapters.sandbox.zoho.paging import Paging
from adapters.sandbox.zoho.records import Record, reference_id
from adapters.sandbox.zoho.replies import STATE_MESSAGES, Refusal
from adapters.sandbox.zoho.settings import Limits, Quirks
from adapters.sandbox.zoho.store import Store


class Automation(NamedTuple):
    """A write after which the organisation's workflow rules would have run."""

    action: str
    module: str
    id: str


@dataclass
class Service:
    store: Store
    quirks: Quirks
    limits: Limits
    paging: Paging
    automations: list[Automation] = field(default_factory=list)

    def module(self, name: str) -> Module:
        kind = self.store.catalogue.get(name)
        if kind is None:
            message = "the module name given seems to be invalid"
            raise Refusal("INVALID_MODULE", message, {"resource_path_index": 0})
        return kind

    def find(self, module: str, identifier: object) -> Record | None:
        return self.store.records.get(reference_id(identifier), module)

    def fire(self, action: str, record: Record) -> None:
        self.automations.append(Automation(action, record.module, str(record.id)))


def refuse_state(record: Record, json_path: str) -> None:
    """Raise what a locked or unapproved record answers to any write."""
    if record.state is None:
        return
    details = {"api_name": "id", "json_path": json_path}
    if record.state == "RECORD_LOCKED":
        details["action"] = "record_locking"
    raise Refusal(record.state, STATE_MESSAGES.get(record.state, "not possible"), details)
