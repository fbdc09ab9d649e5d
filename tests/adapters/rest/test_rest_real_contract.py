"""The conformance suite on Kinto and Tryton, by the descriptions that come with highseas; a proxy
before them loses what is to be lost."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import pytest
import requests

from adapters.contract import AdapterContract, Part, Samples
from adapters.http import Timing
from adapters.rest.adapter import RestAdapter
from adapters.rest.loading import Source, preset, read_description
from connector.models import Ref
from tests.servers.faulty_proxy import Fault, FaultyProxy
from tests.servers.kinto import KintoServer
from tests.servers.tryton import TrytonServer

pytest_plugins = ["tests.servers.fixtures"]

SETTLE_SECONDS = 0.3
# A read that Tryton wants as a POST.
READS = "get_preferences"


class ServerWorld(ABC):
    """A real server behind a proxy, and an adapter that sees the proxy only."""

    parts = frozenset(Part) - {Part.LOCK}
    samples: Samples

    def __init__(
        self, server: Any, proxy: FaultyProxy, text: str, settings: dict[str, Any]
    ) -> None:
        self.server = server
        self._proxy = proxy
        self._writes = 0
        url = proxy.url(server.url)
        values = {"url": "/".join(url.split("/")[:3]), **settings}
        description = read_description(Source(text, "crm.yaml"))
        self.adapter = RestAdapter(description, values, timing=Timing())

    @abstractmethod
    def customer(self, ref: Ref) -> Any:
        """A customer as the server's own functions want it."""

    def writes(self) -> int:
        return self._writes + self._passed()

    def _passed(self) -> int:
        return sum(READS not in seen.path for seen in self._proxy.writes())

    def _fail(self, fault: Fault) -> None:
        self._writes += self._passed()
        self._proxy.plan(fault)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def edit(self, ref: Ref) -> None:
        self.server.edit(self.customer(ref), name="Renamed by somebody else")

    def add_tag(self, ref: Ref, tag: str) -> None:
        self.server.add_tag(self.customer(ref), tag)

    def add_note(self, ref: Ref, text: str) -> None:
        self.server.add_note(self.customer(ref), text)

    def delete(self, ref: Ref) -> None:
        self.server.delete(self.customer(ref))

    def lock(self, ref: Ref) -> None:
        raise NotImplementedError

    def lose_answer(self) -> None:
        self._fail(Fault("cut_after", times=1, method="WRITE"))

    def drop_request(self) -> None:
        self._fail(Fault("cut_before", times=1, method="WRITE"))

    def snapshot(self) -> Mapping[str, Any]:
        seen = self.server.snapshot()
        notes: dict[str, list[str]] = {}
        for customer, text in seen["notes"]:
            notes.setdefault(str(customer), []).append(text)
        return {
            f"{self.samples.object}:{customer}": {**row, "notes": notes.get(str(customer), [])}
            for customer, row in seen["customers"].items()
        }


class KintoWorld(ServerWorld):
    samples = Samples(
        object="customers",
        pull_fields=("name", "owner", "status", "tags", "last_modified"),
        field=("status", "active", "void"),
        owners=("u1", "u2"),
    )

    def __init__(self, server: KintoServer, proxy: FaultyProxy, text: str) -> None:
        super().__init__(
            server, proxy, text, {"user": server.user, "password": server.password, "bucket": "crm"}
        )
        self._numbers = count(1)

    def customer(self, ref: Ref) -> str:
        return ref.id

    def seed(self, count: int) -> tuple[Ref, ...]:
        refs = tuple(Ref("customers", f"N{next(self._numbers)}") for _ in range(count))
        for ref in refs:
            row = {"name": f"Example {ref.id}", "owner": "u1", "status": "active", "tags": []}
            address = f"{self.server.url}/buckets/crm/collections/customers/records/{ref.id}"
            account = (self.server.user, self.server.password)
            requests.put(address, json={"data": row}, auth=account, timeout=10).raise_for_status()
        return refs


class TrytonWorld(ServerWorld):
    samples = Samples(
        object="party.party",
        pull_fields=("name", "code", "categories", "write_date"),
        field=("name", "Example", "Renamed"),
    )

    def __init__(self, server: TrytonServer, proxy: FaultyProxy, text: str) -> None:
        settings = {"database": "crm", "user": "admin", "key": server.key}
        super().__init__(server, proxy, text, {**settings, "customers": '[["code", "like", "N%"]]'})
        self._numbers = count(1)
        # A tag that is not there yet would be made first, and that write is another one.
        server.create("party.category", name=self.samples.tag)

    def customer(self, ref: Ref) -> int:
        return int(ref.id)

    def seed(self, count: int) -> tuple[Ref, ...]:
        return tuple(
            Ref("party.party", str(self.server.create("party.party", name="Example", code=code)))
            for code in (f"N{next(self._numbers)}" for _ in range(count))
        )


def small_pages(name: str, beside: str) -> str:
    text = preset(name).text
    assert text.count(beside) == 1
    text = text.replace(beside, f"{beside}\n    settle_seconds: {SETTLE_SECONDS}")
    return text.replace("page_size: 200", "page_size: 3").replace("page_size: 500", "page_size: 3")


class TestKintoKeepsTheContract(AdapterContract):
    @pytest.fixture
    def world(self, kinto: KintoServer, kinto_proxy: FaultyProxy) -> Iterator[ServerWorld]:
        world = KintoWorld(kinto, kinto_proxy, small_pages("kinto", "\n    owner: owner"))
        yield world
        world.adapter.close()


class TestTrytonKeepsTheContract(AdapterContract):
    @pytest.fixture
    def world(self, tryton: TrytonServer, tryton_proxy: FaultyProxy) -> Iterator[ServerWorld]:
        text = small_pages("tryton", "\nwrites:\n  party.party:")
        world = TrytonWorld(tryton, tryton_proxy, text)
        yield world
        world.adapter.close()
