"""The made-up Zoho organisation that conversations are recorded with; not needed to replay them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sandbox.zoho import CATALOGUE, Faults, NewUser, Store, ZohoSandbox
from connector.models import Ref
from tests.adapters.zoho.cassette import DATE

NOW = datetime.strptime(DATE, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
BEGUN = NOW - timedelta(days=10)
# The sandbox counts its ids from the API user on; these follow it in the order of `_seed`.
API_USER, ANN, BOB, *_ACCOUNTS = (str(5_725_767_000_000_100_001 + n) for n in range(15))
ACCOUNTS = tuple(Ref("Accounts", each) for each in _ACCOUNTS)
FIELDS = ("Account_Name", "Owner", "Tag", "Customer_Status")


class Recording:
    """The sandbox behind a conversation, while it is recorded."""

    def __init__(self) -> None:
        self.moment = BEGUN
        self.store = Store(now=lambda: self.moment, catalogue=_small_catalogue())
        self.faults = Faults()
        self.server = ZohoSandbox(self.store, faults=self.faults)
        self._seed()
        self.moment = NOW
        self.server.start()

    def _seed(self) -> None:
        owners = [self.store.add_user(NewUser(n, f"{n}@example.com")) for n in ("ann", "bob")]
        rows = [
            {
                "Account_Name": f"Account {number}",
                "Customer_Status": "Active",
                "Owner": owners[number % 2],
                "Tag": ["theirs"] if number < 2 else [],
                "Modified_Time": BEGUN + timedelta(minutes=number),
            }
            for number in range(len(ACCOUNTS))
        ]
        made = self.store.insert("Accounts", rows)
        assert [*owners, *made] == [ANN, BOB, *_ACCOUNTS]

    def close(self) -> None:
        self.server.stop()
        self.store.close()


def _small_catalogue() -> Any:
    """Few fields, and of the mapping's modules two only, so that cassettes can be read."""
    kept = {
        "Accounts": ("id", *FIELDS, "Created_Time", "Created_By", "Modified_Time", "Modified_By"),
        "Deals": ("id", "Deal_Name", "Stage", "Amount"),
        "Notes": tuple(CATALOGUE["Notes"].fields),
    }
    return {
        name: replace(CATALOGUE[name], fields={key: CATALOGUE[name].fields[key] for key in fields})
        for name, fields in kept.items()
    }
