"""Trying a description part by part, by reads alone, and saying in plain words what was seen.

No finding holds a value of a record: fields, counts, types and forms are told, never contents.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.rest.api import Api
from adapters.rest.checking.diagnose_lists import ListTrial
from adapters.rest.checking.diagnose_records import RecordTrial
from adapters.rest.checking.findings import explained, failed, ok, untried, warning
from adapters.rest.pulling.moments import server_zone
from adapters.rest.schema.description import Description
from adapters.rest.schema.write_description import NoNotes, NoTags, Writes
from adapters.rest.templates import render_text
from adapters.rest.writing.read import Reader
from connector.errors import AuthenticationError, HighseasError
from connector.ports import Finding

_IDENTITY = "identity"


def diagnose(api: Api, description: Description) -> Iterator[Finding]:
    """What each part showed. Credentials that are refused end it: all else would fail alike."""
    found = tuple(_identity(api, description))
    yield from found
    if any(each.state == "failed" for each in found):
        return
    try:
        zone = server_zone(api)
    except HighseasError as error:
        yield failed("server.timezone", explained(error))
        return
    reader = Reader(api)
    for name, form in description.objects.items():
        lists = ListTrial(api, name, form, zone)
        yield from lists.findings()
        yield from RecordTrial(api, description, reader, name).findings(lists.ids)
        if name in description.writes:
            yield untried(f"writes.{name}", _unsent(description.writes[name]))


def _identity(api: Api, description: Description) -> Iterator[Finding]:
    form = description.identity
    try:
        answer = api.send(form.call, api.names()).value
        names = api.names(answer=answer)
        told = {name: render_text(getattr(form, name), names) for name in ("id", "user_id")}
    except AuthenticationError as error:
        yield failed(_IDENTITY, f"the credentials were refused: {error.message}")
        return
    except HighseasError as error:
        yield failed(_IDENTITY, explained(error))
        return
    if not told["id"]:
        yield failed(_IDENTITY, "the CRM answers, and `id` is empty: a workspace cannot be pinned")
    elif not told["user_id"]:
        yield warning(
            _IDENTITY,
            "the CRM answers and says which one it is; `user_id` is empty, so that what we write "
            "cannot be told from what others write",
        )
    else:
        yield ok(_IDENTITY, "the CRM answers, and says which one it is and who we are")


def _unsent(writes: Writes) -> str:
    parts = {
        "the update": writes.update is not None,
        "the batch": writes.batch is not None,
        "tags": not isinstance(writes.tags, NoTags),
        "notes": not isinstance(writes.notes, NoNotes),
        "locking": writes.locking is not None,
    }
    named = ", ".join(name for name, is_there in parts.items() if is_there) or "nothing"
    return f"writing is never tried here ({named}): apply a first change with `apply --first 1`"
