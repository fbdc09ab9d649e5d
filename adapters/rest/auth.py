"""Opens the authorisation that a description asks for: what goes with each call, and where it comes
from. Tokens are kept and shared by `adapters.tokens`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from adapters.auth import OAuthTokens, TokenEndpoint, TokenRequest, basic, seconds
from adapters.calls import Answer, Call, CallRefused, ErrorTable, Reading, Verdict
from adapters.http import HttpClient, Timing
from adapters.rest.api import Api, Reply, secrets_of
from adapters.rest.errors import error_table
from adapters.rest.limits import fingerprint, http_settings, server_origin
from adapters.rest.paths import MISSING
from adapters.rest.replies import decoded
from adapters.rest.schema.auth_description import (
    Auth,
    Basic,
    Bearer,
    Cookie,
    Fixed,
    Login,
    OAuth2,
)
from adapters.rest.schema.call_description import Place
from adapters.rest.schema.description import Description
from adapters.rest.templates import render, render_text
from adapters.tokens import Grant, TokenBudget, TokenSource, TokenState
from connector.errors import AuthenticationError

# No vendor's rule is known here: one a second on average stops what has gone wild.
_BUDGET = TokenBudget(tokens=600, window_seconds=600.0)
# Statuses by which a login is refused for what was sent, not for where it was sent.
_REFUSED = frozenset({0, 400, 401, 403, 409, 422})
_COOKIE = re.compile(r"\s*(?P<name>[^=;\s]+)\s*=\s*(?P<value>[^;]*)")


class Authorisation(Protocol):
    """An `adapters.http.Authenticator` that knows more of its login, and can be closed."""

    def authorise(self, call: Call) -> Call:
        """The same call with credentials."""

    def refused(self, call: Call) -> bool:
        """The credentials on `call` were refused: True if there are others to try."""

    def login(self) -> Mapping[str, Any]:
        """What the login kept; it is made first if need be. Empty where there is no login."""

    def close(self) -> None:
        """No call is made after this."""


def open_auth(
    description: Description,
    settings: Mapping[str, Any],
    *,
    timing: Timing,
    cache_dir: Path | None = None,
) -> Authorisation:
    """The authorisation of one workspace; nothing is asked for before the first call. `cache_dir`
    is where tokens are shared between processes, by default in the user's cache directory."""
    form = description.auth
    if isinstance(form, OAuth2):
        return _OAuth(description, form, settings, timing=timing, cache_dir=cache_dir)
    if isinstance(form, Login):
        return _LoggedIn(description, form, settings, timing=timing, cache_dir=cache_dir)
    return _Constant(_constant(form, settings))


@dataclass(frozen=True, slots=True)
class _Additions:
    """What goes onto a call."""

    headers: Mapping[str, str]
    params: Mapping[str, str]

    def on(self, call: Call, credential: str = "") -> Call:
        """A link to a next page may bring our own parameters back: ours take their place."""
        path = _without(call.path, self.params) if self.params else call.path
        headers = {**call.headers, **self.headers}
        params = {**call.params, **self.params}
        return replace(call, path=path, headers=headers, params=params, credential=credential)


def _without(path: str, names: Mapping[str, str]) -> str:
    bare, _, query = path.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name not in names]
    if len(kept) == len(pairs):
        return path
    return f"{bare}?{urlencode(kept)}" if kept else bare


def _constant(form: Auth, settings: Mapping[str, Any]) -> _Additions:
    match form:
        case Fixed():
            return _Additions(_texts(form.headers, settings), _texts(form.params, settings))
        case Basic():
            user = render_text(form.user, settings)
            header = basic(user, render_text(form.password, settings))
            return _Additions({"Authorization": header}, {})
        case Bearer():
            header = f"{form.word} {render_text(form.token, settings)}".strip()
            return _Additions({"Authorization": header}, {})
    return _Additions({}, {})


def _texts(templates: Mapping[str, str], names: Mapping[str, Any]) -> dict[str, str]:
    return {name: render_text(text, names) for name, text in templates.items()}


class _Constant:
    """Credentials that do not change. When they are refused there are no others."""

    def __init__(self, additions: _Additions) -> None:
        self._additions = additions

    def authorise(self, call: Call) -> Call:
        return self._additions.on(call)

    def refused(self, call: Call) -> bool:  # noqa: ARG002 - the protocol's
        return False

    def login(self) -> Mapping[str, Any]:
        return {}

    def close(self) -> None:
        """There is nothing to close."""


class _OAuth(OAuthTokens):
    """Tokens from a token endpoint."""

    def __init__(
        self,
        description: Description,
        form: OAuth2,
        settings: Mapping[str, Any],
        *,
        timing: Timing,
        cache_dir: Path | None,
    ) -> None:
        endpoint = TokenEndpoint(
            description.name,
            _token_request(form, settings),
            timing=timing,
            timeout_seconds=description.pacing.timeout_seconds,
        )
        source = _source(description, settings, endpoint.ask, timing=timing, cache_dir=cache_dir)
        super().__init__(form.word, source, endpoint.close)

    def login(self) -> Mapping[str, Any]:
        return {}


def _token_request(form: OAuth2, settings: Mapping[str, Any]) -> TokenRequest:
    sent = {
        "refresh_token": form.refresh_token if form.grant == "refresh_token" else None,
        "username": form.user if form.grant == "password" else None,
        "password": form.password if form.grant == "password" else None,
        "scope": form.scope,
    }
    fields = {name: render_text(text, settings) for name, text in sent.items() if text is not None}
    return TokenRequest(
        url=render_text(form.token_url, settings),
        client_id=render_text(form.client_id, settings),
        client_secret=render_text(form.client_secret, settings),
        fields={"grant_type": form.grant, **fields},
        in_header=form.credentials == "basic",
        as_json=form.body == "json",
        lasts_seconds=form.lifetime_seconds,
    )


class _LoggedIn:
    """A token from a login call to the API's own server."""

    def __init__(
        self,
        description: Description,
        form: Login,
        settings: Mapping[str, Any],
        *,
        timing: Timing,
        cache_dir: Path | None,
    ) -> None:
        origin = server_origin(description, settings)
        self._name = description.name
        self._form = form
        self._http = HttpClient(
            f"{description.name} login",
            lambda: origin,
            _login_table(description, secrets_of(description, settings)),
            settings=http_settings(description, settings, timing=timing, cache_dir=cache_dir),
            timing=timing,
        )
        self._api = Api(description, settings, self._http, dict)
        self._source = _source(description, settings, self._ask, timing=timing, cache_dir=cache_dir)

    def authorise(self, call: Call) -> Call:
        state = self._source.current()
        names = {**self._api.settings, "token": state.access_token, "login": state.kept}
        headers = _texts(self._form.use.headers, names)
        if isinstance(self._form.token, Cookie):
            others = headers.get("Cookie") or call.headers.get("Cookie")
            ours = f"{self._form.token.cookie}={state.access_token}"
            headers["Cookie"] = f"{others}; {ours}" if others else ours
        additions = _Additions(headers, _texts(self._form.use.params, names))
        return additions.on(call, state.access_token)

    def refused(self, call: Call) -> bool:
        """A session may end early."""
        return self._source.current(call.credential).access_token != call.credential

    def login(self) -> Mapping[str, Any]:
        return self._source.current().kept

    def close(self) -> None:
        self._http.close()

    def _ask(self, state: TokenState) -> Grant:  # noqa: ARG002 - a login starts from nothing
        # A write: it is not sent twice without being counted.
        call = self._api.call(self._form.call, self._api.names(), writes=True)
        try:
            answer = self._http.send(call)
        except CallRefused as refusal:
            if refusal.status not in _REFUSED:
                raise
            raise self._no_token(refusal.code or str(refusal.status)) from None
        reply = Reply(call, answer, self._value(answer, call))
        token = _token(self._form.token, reply)
        if not token:
            raise self._no_token(str(answer.status))
        names = self._api.names(answer=reply.value, token=token)
        lasts = seconds(reply.found(self._form.expires)) if self._form.expires else None
        return Grant(
            token,
            answer.sent_at,
            lasts or self._form.lifetime_seconds,
            kept=render(self._form.keep, names),
        )

    def _value(self, answer: Answer, call: Call) -> Any:
        """A token in a header or a cookie may come with a page or nothing in the body."""
        places = (self._form.token, self._form.expires)
        in_body = any(isinstance(place, Place) and place.path is not None for place in places)
        return decoded(answer, str(call)) if in_body or self._form.keep else MISSING

    def _no_token(self, code: str) -> AuthenticationError:
        return AuthenticationError(
            f"{self._name} gave no token for this login ({code})",
            "check the user and the password, or whatever else the login takes, in highseas.yaml",
        )


def _login_table(description: Description, secrets: Collection[str]) -> ErrorTable:
    """A login is counted as a write but read as a read: its token may come with a page for people,
    and without the envelope of the other answers. Where it sends a browser to is no token."""
    table = error_table(description, secrets)

    def read(call: Call, answer: Answer) -> Reading:
        if 300 <= answer.status < 400:
            return Reading(verdict=Verdict.AUTHENTICATION)
        reading = table.read(replace(call, writes=False), answer)
        return Reading() if reading.verdict is Verdict.UNREADABLE else reading

    return ErrorTable(read, table.codes, table.statuses)


def _token(place: Place | Cookie, reply: Reply) -> str:
    if isinstance(place, Place):
        found = reply.found(place)
        is_token = isinstance(found, str | int) and not isinstance(found, bool)
        return str(found) if is_token else ""
    value = ""
    for line in reply.answer.set_cookies:
        cookie = _COOKIE.match(line)
        if cookie and cookie["name"] == place.cookie:
            value = cookie["value"].strip()
    return value


def _source(
    description: Description,
    settings: Mapping[str, Any],
    ask: Callable[[TokenState], Grant],
    *,
    timing: Timing,
    cache_dir: Path | None,
) -> TokenSource:
    return TokenSource(
        description.name,
        fingerprint(description, settings),
        ask,
        budget=_BUDGET,
        timing=timing,
        cache_dir=cache_dir,
    )
