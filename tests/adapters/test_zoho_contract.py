"""The Zoho adapter against the sandbox, over HTTP, by the conformance suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import AdapterContract, Part, Samples
from adapters.sandbox.zoho import Fault, NewUser, Store, ZohoSandbox
from adapters.zoho import ZohoAdapter, ZohoSettings
from connector.models import Ref


class Time:
    """Real time, and ahead of it by as much as somebody has waited: the server's Date is real."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def seconds(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class ZohoWorld:
    """Accounts of a made-up organisation, three to a page."""

    parts = frozenset(Part)

    def __init__(self, store: Store, sandbox: ZohoSandbox, time: Time, cache: Path) -> None:
        self.store, self.sandbox, self.time = store, sandbox, time
        self.other = store.add_user(NewUser("Other", "other@example.com"))
        credentials = sandbox.credentials
        settings = ZohoSettings(
            accounts_url=sandbox.url,
            api_url=sandbox.url,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            refresh_token=credentials.refresh_token,
            page_size=3,
        )
        self.adapter = ZohoAdapter(
            settings, clock=time.seconds, sleep=time.sleep, token_cache_dir=cache
        )
        self.samples = Samples(
            object="Accounts",
            pull_fields=("Account_Name", "Customer_Status", "Owner", "Tag", "Modified_Time"),
            field=("Customer_Status", "Active", "Void"),
            owners=(store.api_user, self.other),
        )

    def seed(self, count: int) -> tuple[Ref, ...]:
        rows = [{"Account_Name": f"Firm {n}", "Customer_Status": "Active"} for n in range(count)]
        return tuple(Ref("Accounts", each) for each in self.store.insert("Accounts", rows))

    def snapshot(self) -> Mapping[str, Any]:
        records, notes = {}, []
        for key, text in self.store.snapshot().items():
            body, owner, parent, tags = json.loads(text)
            if key.startswith("Notes:"):
                notes.append((f"Accounts:{parent}", json.dumps(body, ensure_ascii=False)))
            else:
                records[key] = {"fields": body, "owner": owner, "tags": sorted(tags)}
        for key, record in records.items():
            record["notes"] = sorted(text for parent, text in notes if parent == key)
        return records

    def writes(self) -> int:
        return len(self.sandbox.writes)

    def wait(self, seconds: float) -> None:
        self.time.sleep(seconds)

    def edit(self, ref: Ref) -> None:
        self.time.sleep(2)  # Modified_Time knows whole seconds
        self.store.edit(ref.object, ref.id, {"Phone": "+86 21 5555 0100"}, by=self.other)

    def add_tag(self, ref: Ref, tag: str) -> None:
        self.store.add_tag(ref.id, tag, by=self.other)

    def add_note(self, ref: Ref, text: str) -> None:
        self.store.add_note(ref.id, text, by=self.other)

    def delete(self, ref: Ref) -> None:
        self.time.sleep(2)
        self.store.delete(ref.id, by=self.other)

    def lock(self, ref: Ref) -> None:
        self.store.lock(ref.id)

    def lose_answer(self) -> None:
        self.sandbox.faults.add(Fault(method="P*", path="/crm/*", drop="after"))

    def drop_request(self) -> None:
        self.sandbox.faults.add(Fault(method="P*", path="/crm/*", drop="before"))


class TestZohoAdapterKeepsTheContract(AdapterContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[ZohoWorld]:
        time = Time()
        with Store(now=time.now) as store, ZohoSandbox(store) as sandbox:
            world = ZohoWorld(store, sandbox, time, tmp_path)
            yield world
            world.adapter.close()
