"""Zoho CRM behind the port: puts the parts of this package together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from adapters.auth import Credentials, RefreshTokenSource, TokenPolicy
from adapters.calls import Call
from adapters.http import CallCounter, HttpClient, HttpSettings, Timing
from adapters.settling import settle_by_reading
from adapters.zoho.batches import batches, lower
from adapters.zoho.pull import Puller
from adapters.zoho.read import Reader
from adapters.zoho.replies import API, ZOHO_ERRORS, User, decode
from adapters.zoho.schema import capabilities, describe_objects
from adapters.zoho.settings import ZohoSettings
from adapters.zoho.write import Writer
from connector.errors import ProtocolError
from connector.models import Change, Outcome, Primitive
from connector.ports import (
    Batch,
    Capabilities,
    Organisation,
    Page,
    PullRequest,
    ReadRequest,
    RecordState,
    Schema,
)

# (Zoho accounts documentation, token limits; the two spellings of the answer as observed.)
_TOKENS = TokenPolicy(
    scheme="Zoho-oauthtoken",
    path="/oauth/v2/token",
    throttled=frozenset({"Access Denied", "access_denied"}),
)
# Those that its own mapping reads, and invoices, which a company's mapping may add.
_MODULES = (
    *("Accounts", "Contacts", "Deals", "Quotes", "Sales_Orders", "Invoices", "Cases"),
    *("Calls", "Events", "users"),
)


class _Org(msgspec.Struct, frozen=True):
    zgid: str | int
    company_name: str | None = ""
    time_zone: str | None = ""
    type: str | None = None


class _Orgs(msgspec.Struct, frozen=True):
    org: list[_Org] = []


class _Users(msgspec.Struct, frozen=True):
    users: list[User] = []


class ZohoAdapter:
    """Implements `connector.ports.Adapter`. `calls` counts what was sent to the API.

    `token_cache_dir` is where tokens are shared between processes; by default a folder in the
    user's cache directory.
    """

    def __init__(
        self,
        settings: ZohoSettings,
        *,
        timing: Timing,
        token_cache_dir: Path | None = None,
    ) -> None:
        self.capabilities: Capabilities = capabilities(settings.timeout_seconds)
        self._settings = settings
        self._tokens = RefreshTokenSource(
            "zoho",
            _credentials(settings),
            _TOKENS,
            timing=timing,
            timeout_seconds=settings.timeout_seconds,
            cache_dir=token_cache_dir,
        )
        self._http = HttpClient(
            "zoho",
            lambda: settings.api_origin(self._tokens.api_domain()),
            ZOHO_ERRORS,
            settings=HttpSettings(
                timeout_seconds=settings.timeout_seconds,
                concurrency=settings.concurrency,
                heavy=min(2, settings.concurrency),
            ),
            timing=timing,
            authenticator=self._tokens,
        )
        self._puller = Puller(self._http, settings.page_size)
        self._reader = Reader(self._http)
        self._writer = Writer(self._http)
        self._schema: Schema | None = None
        self._lock = threading.Lock()

    @property
    def calls(self) -> CallCounter:
        return self._http.calls

    def close(self) -> None:
        self._http.close()
        self._tokens.close()

    def identity(self) -> Organisation:
        """One call. The first time ever on this machine a second one, for the user behind the
        refresh token, who never changes and is remembered beside the access token."""
        call = Call("GET", f"{API}/org")
        found = decode(self._http.send(call), _Orgs, str(call)).org
        if not found:
            raise ProtocolError(
                "zoho names no organisation for these credentials (GET /crm/v8/org)",
                "check that the user behind the refresh token has a Zoho CRM seat",
            )
        org = found[0]
        user = msgspec.json.decode(self._tokens.fact("user", self._learn_user), type=User)
        return Organisation(
            id=str(org.zgid),
            name=org.company_name or "",
            timezone=org.time_zone or "",
            user_id=user.id,
            user_name=user.full_name,
            kind=org.type or "production",
        )

    def describe(self) -> Schema:
        """One call an object, once in this adapter's life; `capabilities` alone needs none."""
        with self._lock:
            if self._schema is None:
                names = (*_MODULES, *self._settings.objects)
                objects = describe_objects(self._http, names)
                self._schema = Schema(objects, self.capabilities)
            return self._schema

    def pull(self, request: PullRequest) -> Iterator[Page]:
        return self._puller.pull(request)

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        return self._reader.read(request)

    def lower(self, change: Change) -> tuple[Primitive, ...]:
        return lower(change)

    def batches(self, primitives: Iterable[Primitive]) -> Iterator[Batch]:
        return batches(primitives)

    def send(self, batch: Batch) -> list[Outcome]:
        return self._writer.send(batch)

    def settle(self, batch: Batch) -> list[Outcome]:
        """All that Zoho writes can be read back."""
        return settle_by_reading(self._reader.read, batch)

    def _learn_user(self) -> str:
        call = Call("GET", f"{API}/users", {"type": "CurrentUser"})
        users = decode(self._http.send(call), _Users, str(call)).users
        if not users:
            raise ProtocolError(
                "zoho names no user for these credentials (GET /crm/v8/users)",
                "check that the refresh token has the scope ZohoCRM.users.READ",
            )
        return msgspec.json.encode(users[0]).decode()


def _credentials(settings: ZohoSettings) -> Credentials:
    return Credentials(
        accounts_url=settings.accounts_origin,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        refresh_token=settings.refresh_token.get_secret_value(),
    )
