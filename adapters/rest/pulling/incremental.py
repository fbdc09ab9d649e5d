"""What a listing becomes when only changes are wanted, or only the ids of all that exist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from adapters.rest.api import Api
from adapters.rest.overlay import overlay
from adapters.rest.schema.object_description import Changes, Listing, ObjectForm, Sweep
from adapters.rest.templates import render


def changed(listing: Listing, changes: Changes) -> Listing:
    """The listing of what changed."""
    return listing.model_copy(
        update={
            "path": listing.path if changes.path is None else changes.path,
            "params": {**listing.params, **changes.params},
            "headers": {**listing.headers, **changes.headers},
            "json_body": _body(listing, changes.json_body),
        }
    )


def swept(listing: Listing, sweep: Sweep) -> Listing:
    """The listing of all ids."""
    return listing.model_copy(
        update={
            "params": {**listing.params, **sweep.params},
            "json_body": _body(listing, sweep.json_body),
            "page_size": sweep.page_size or listing.page_size,
        }
    )


def asked_since(since: datetime | None, changes: Changes | None) -> datetime | None:
    """From when on the CRM is asked: what changed in its last moments may not have shown then."""
    overlap = changes.overlap_seconds if changes else 0
    return since - timedelta(seconds=overlap) if since else None


def list_names(api: Api, form: ObjectForm, since: datetime | None) -> dict[str, Any]:
    """What the templates of an object's lists find, `since` in the server's own form."""
    names = api.names(own=form.own)
    write = form.modified.write if form.modified else None
    asked = since if since is None or write is None else render(write, {**names, "value": since})
    return {**names, "since": asked}


def _body(listing: Listing, above: Any) -> Any:
    return listing.json_body if above is None else overlay(listing.json_body, above)
