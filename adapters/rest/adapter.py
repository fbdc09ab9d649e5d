"""A described API behind the port: puts the parts of this package together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.http import CallCounter, HttpClient, Timing
from adapters.rest.api import Api, secrets_of
from adapters.rest.auth import open_auth
from adapters.rest.checking.diagnose import diagnose
from adapters.rest.describe import describe
from adapters.rest.errors import error_table
from adapters.rest.limits import http_settings, server_origin
from adapters.rest.pulling.pull import Puller
from adapters.rest.schema.description import Description
from adapters.rest.templates import render_text
from adapters.rest.writing.batches import batches, lower
from adapters.rest.writing.read import Reader
from adapters.rest.writing.write import Writer
from adapters.settling import settle_by_reading
from connector.models import Change, Outcome, Primitive
from connector.ports import (
    Batch,
    Finding,
    Organisation,
    Page,
    PullRequest,
    ReadRequest,
    RecordState,
    Schema,
)


class RestAdapter:
    """Implements `connector.ports.Adapter` and `Diagnosing`. `settings` are resolved, secrets among
    them; `calls` counts what was sent to the API. `timing` has the clock in seconds since 1970;
    `cache_dir` is where tokens and paces are shared between processes."""

    describes_itself = True

    def __init__(
        self,
        description: Description,
        settings: Mapping[str, Any],
        *,
        timing: Timing,
        cache_dir: Path | None = None,
    ) -> None:
        self._description = description
        self._schema = describe(description)
        self._auth = open_auth(description, settings, timing=timing, cache_dir=cache_dir)
        origin = server_origin(description, settings)
        self._http = HttpClient(
            description.name,
            lambda: origin,
            error_table(description, secrets_of(description, settings)),
            settings=http_settings(description, settings, timing=timing, cache_dir=cache_dir),
            timing=timing,
            authenticator=self._auth,
        )
        self._api = Api(description, settings, self._http, self._auth.login)
        self._puller = Puller(self._api, now=lambda: datetime.fromtimestamp(timing.clock(), UTC))
        self._reader = Reader(self._api)
        self._writer = Writer(self._api, self._reader)

    @property
    def calls(self) -> CallCounter:
        return self._http.calls

    def close(self) -> None:
        self._http.close()
        self._auth.close()

    def identity(self) -> Organisation:
        """One call, and before the first one the login, where there is one."""
        form = self._description.identity
        answer = self._api.send(form.call, self._api.names()).value
        names = self._api.names(answer=answer)
        told = {
            field: render_text(getattr(form, field), names)
            for field in ("id", "name", "timezone", "user_id", "user_name")
        }
        return Organisation(**told)

    def describe(self) -> Schema:
        """What the description says; no call."""
        return self._schema

    def diagnose(self) -> Iterator[Finding]:
        """Try every part of the description that reads, and say what was seen."""
        return diagnose(self._api, self._description)

    def pull(self, request: PullRequest) -> Iterator[Page]:
        return self._puller.pull(request)

    def read(self, request: ReadRequest) -> Iterator[RecordState]:
        return self._reader.read(request)

    def lower(self, change: Change) -> tuple[Primitive, ...]:
        return lower(self._description, change)

    def batches(self, primitives: Iterable[Primitive]) -> Iterator[Batch]:
        return batches(self._description, primitives)

    def send(self, batch: Batch) -> list[Outcome]:
        return self._writer.send(batch)

    def settle(self, batch: Batch) -> list[Outcome]:
        """Where notes cannot be looked up, a new one stays unknown."""
        blind = any(self._reader.is_blind(each.ref.object) for each in batch.primitives)
        return settle_by_reading(self._reader.read, batch, blind=blind)
