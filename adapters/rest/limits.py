"""How a described API may be called, and the name that its shared files go by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from adapters.calls import checked_origin
from adapters.http import HttpSettings, Timing
from adapters.pacing import Allowance, Pace
from adapters.rest.schema.description import Description
from adapters.rest.templates import names_in, render_text, templates_in

# What a password's fingerprint costs whoever wants to guess it from the name of a file.
_ROUNDS = 100_000


def http_settings(
    description: Description,
    settings: Mapping[str, Any],
    *,
    timing: Timing,
    cache_dir: Path | None,
) -> HttpSettings:
    """The limits of every client of this API. Clients made apart keep one pace: it lives in a file
    of the user's."""
    pacing = description.pacing
    gate = None
    if pacing.calls is not None or pacing.daily is not None:
        gate = Pace(
            description.name,
            Allowance(pacing.calls, pacing.seconds, pacing.daily),
            fingerprint(description, settings),
            timing=timing,
            cache_dir=cache_dir,
        )
    return HttpSettings(
        timeout_seconds=pacing.timeout_seconds,
        total_seconds=pacing.patience_seconds,
        concurrency=pacing.concurrency,
        heavy=pacing.concurrency,
        body_limit=pacing.body_megabytes * 1024 * 1024,
        gate=gate,
    )


def server_origin(description: Description, settings: Mapping[str, Any]) -> str:
    return checked_origin(render_text(description.server.url, settings))


def fingerprint(description: Description, settings: Mapping[str, Any]) -> str:
    """Names the files of one server and one set of credentials; says nothing about the secrets, a
    weak password among them."""
    form = description.auth.model_dump(mode="json", by_alias=True)
    used = {name for _, text in templates_in(form) if "{" in text for name in names_in(text)}
    values = {name: str(settings[name]) for name in sorted(used & settings.keys())}
    secret = msgspec.json.encode([form, values], order="deterministic")
    salt = server_origin(description, settings).encode()
    return _derived(secret, salt)


@lru_cache(maxsize=8)
def _derived(secret: bytes, salt: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret, salt, _ROUNDS, dklen=20).hex()
