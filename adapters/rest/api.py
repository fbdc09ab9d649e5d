"""One description with one workspace's values: fills templates into calls, sends them, and finds
things in their answers. Knows nothing of records, pages or tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from adapters.calls import Answer, Call, local_path
from adapters.http import HttpClient
from adapters.rest.paths import MISSING, look
from adapters.rest.replies import decoded
from adapters.rest.schema.call_description import CallForm, Place
from adapters.rest.schema.description import Description
from adapters.rest.templates import render, render_text
from connector.errors import ConfigurationError, ProtocolError

_JSON = {"Content-Type": "application/json"}
# Of these one stands as a part of its own in a path.
_IN_PATHS = ("id", "note_id", "tag_id", "link_id", "tag", "name", "marker")
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `value` is its JSON, decoded when first asked for."""

    call: Call
    answer: Answer
    value: Any = MISSING

    def found(self, place: Place) -> Any:
        """What stands at a place, or MISSING. A header that is not there is MISSING too."""
        value = (
            look(self.value, place.path)
            if place.path is not None
            else self.answer.headers.get(place.header or "", MISSING)
        )
        if place.pattern is None or value is MISSING or value is None:
            return value
        match = re.search(place.pattern, str(value))
        return match[1] if match else MISSING


@dataclass(frozen=True, slots=True)
class Api:
    """What the parts of the adapter share. `settings` are resolved, secrets among them; `login`
    gives what a login call kept (`login.NAME` in templates), asking for it first if need be."""

    description: Description
    settings: Mapping[str, Any]
    http: HttpClient
    login: Callable[[], Mapping[str, Any]]

    @property
    def secrets(self) -> frozenset[str]:
        return secrets_of(self.description, self.settings)

    def names(self, **more: Any) -> dict[str, Any]:
        """The names that templates may use."""
        return {**self.settings, "login": _Lazy(self.login), **more}

    def call(self, form: CallForm, names: Mapping[str, Any], *, writes: bool = False) -> Call:
        """The call that a form describes. Raises ConfigurationError when a template cannot be
        filled."""
        server = self.description.server
        headers = {
            name: _header(name, render_text(text, names))
            for name, text in {**server.headers, **form.headers}.items()
        }
        call = Call(
            form.method,
            base_path(render_text(server.url, names)) + render_text(form.path, _quoted(names)),
            _params(render(form.params, names)),
            headers,
            writes=writes,
        )
        if form.json_body is not None:
            body = msgspec.json.encode(render(form.json_body, names))
            return replace(call, headers={**_JSON, **headers}, body=body)
        if form.form is not None:
            text = urlencode(_params(render(form.form, names)), doseq=True)
            return replace(call, headers={**_FORM, **headers}, body=text.encode())
        return call

    def send(self, form: CallForm, names: Mapping[str, Any], *, writes: bool = False) -> Reply:
        """Fill, send and read. Raises RemoteError and its kin, as `HttpClient.send` does, and
        ProtocolError when a body that should be JSON is not."""
        return self.sent(self.call(form, names, writes=writes))

    def sent(self, call: Call) -> Reply:
        answer = self.http.send(call)
        return Reply(call, answer, decoded(answer, str(call)))

    def following(self, call: Call, link: str) -> Call:
        """The call to the next page behind a link, which must not lead to another server."""
        origin = origin_of(render_text(self.description.server.url, self.names()))
        try:
            path = local_path(link, origin, call.path)
        except ValueError:
            raise ProtocolError(
                "the CRM's link to the next page is no address",
                "correct `paging` in its description; `highseas check` shows what it saw",
            ) from None
        return replace(call, path=path, params={})


def secrets_of(description: Description, settings: Mapping[str, Any]) -> frozenset[str]:
    """The values of those settings that are secret."""
    names = [name for name, setting in description.settings.items() if setting.secret]
    return frozenset(str(settings[name]) for name in names if settings.get(name))


class _Lazy(Mapping[str, Any]):
    """What the login kept, asked for when a template first wants it."""

    def __init__(self, load: Callable[[], Mapping[str, Any]]) -> None:
        self._load = load

    def __getitem__(self, name: str) -> Any:
        return self._load()[name]

    def __iter__(self) -> Any:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def base_path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def _quoted(names: Mapping[str, Any]) -> dict[str, Any]:
    """The names as a path takes them: an id or a tag may hold a slash."""
    parts = {name: _segment(str(names[name])) for name in _IN_PATHS if name in names}
    return {**names, **parts}


def _segment(text: str) -> str:
    """Raises ProtocolError for the two that lead to another address, however they are written
    (RFC 3986, 5.2.4)."""
    if text in {".", ".."}:
        raise ProtocolError(
            "an id or a tag of the CRM is '.' or '..', which cannot stand in an address",
            "give that record or tag another one in the CRM, or leave it out of the policy",
        )
    return quote(text, safe="")


def _params(values: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    found: dict[str, str | Sequence[str]] = {}
    for name, value in values.items():
        if isinstance(value, list):
            if value:
                found[name] = [_text(item) for item in value]
        elif value is not None:
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _header(name: str, value: str) -> str:
    """A line break in a header would be a second header."""
    if "\n" in value or "\r" in value:
        raise ConfigurationError(
            f"the header {name} of the CRM's description would hold a line break",
            "correct its template, or the setting that it uses",
        )
    return value
