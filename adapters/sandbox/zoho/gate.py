"""What every API call passes before its handler: token, scope, credits, concurrency."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Mapping
from math import ceil

from flask import Flask, Response, g, request

from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.people import People, User
from adapters.sandbox.zoho.replies import Refusal
from adapters.sandbox.zoho.settings import Limits
from adapters.sandbox.zoho.tokens import Grant, Tokens

API = "/crm/v8"
DAY_SECONDS = 86_400
TOKEN = re.compile(r"(?:Zoho-oauthtoken|Bearer) +(\S+)")
# First match wins: a path below /crm/v8 and the scopes of which one is enough.
SCOPES = (
    (r"/org$", ("org",)),
    (r"/users$", ("users",)),
    (r"/settings/", ("settings",)),
    (r".*/change_owner$", ("change_owner",)),
    (r".*/Notes\b", ("modules.notes", "modules.ALL")),
    (r"/", ("modules",)),
)
BUSY = (
    "Number of API requests for the 24 hour period is exceeded or the concurrency limit"
    " of the user for the app is exceeded"
)


def calling_user() -> User:
    user: User = g.user
    return user


class Gate:
    def __init__(self, tokens: Tokens, people: People, limits: Limits, clock: OrgClock) -> None:
        self._tokens = tokens
        self._people = people
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: deque[tuple[int, int]] = deque()
        self._running = {"call": 0, "heavy": 0}

    def attach(self, app: Flask) -> None:
        app.before_request(self._enter)
        app.after_request(self._sign)
        app.teardown_request(self._leave)

    @property
    def credits_used(self) -> int:
        """Credits of the last 24 hours."""
        with self._lock:
            while self._spent and self._spent[0][0] <= self._clock.now() - DAY_SECONDS:
                self._spent.popleft()
            return sum(cost for _, cost in self._spent)

    def _enter(self) -> Response | None:
        if not request.path.startswith(API):
            return None
        g.grant = self._authenticate()
        g.user = self._people.get(g.grant.user)
        cost = call_cost()
        if self.credits_used + cost > self._limits.credits_per_day:
            raise Refusal("TOO_MANY_REQUESTS", BUSY, status=429)
        with self._lock:
            g.held = ["call", "heavy"] if is_heavy() else ["call"]
            self._running = {k: n + (k in g.held) for k, n in self._running.items()}
            self._spent.append((self._clock.now(), cost))
            over = (
                self._running["call"] > self._limits.concurrent_calls
                or self._running["heavy"] > self._limits.concurrent_heavy_calls
            )
        if over:
            raise Refusal("TOO_MANY_REQUESTS", BUSY, status=429)
        return None

    def _authenticate(self) -> Grant:
        match = TOKEN.fullmatch(request.headers.get("Authorization", ""))
        if match is None:
            raise Refusal("AUTHENTICATION_FAILURE", "Authentication failed", status=401)
        grant = self._tokens.grant(match[1])
        if grant is None:
            raise Refusal("INVALID_TOKEN", "invalid oauth token", status=401)
        path = request.path.removeprefix(API)
        wanted = next((names for pattern, names in SCOPES if re.match(pattern, path)), ())
        if wanted and not any(f"ZohoCRM.{name}" in grant.scope for name in wanted):
            message = "invalid oauth scope to access this URL"
            raise Refusal("OAUTH_SCOPE_MISMATCH", message, status=401)
        return grant

    def _leave(self, _error: BaseException | None) -> None:
        held = g.pop("held", [])
        with self._lock:
            self._running = {k: n - (k in held) for k, n in self._running.items()}

    def _sign(self, response: Response) -> Response:
        if "grant" not in g:
            return response
        response.headers["X-ACCESSTOKEN-RESET"] = self._clock.text(g.grant.expires)
        used = self.credits_used
        if used * 2 >= self._limits.credits_per_day:
            response.headers["X-API-CREDITS-REMAINING"] = str(self._limits.credits_per_day - used)
        return response


def body_count(key: str) -> int:
    body = request.get_json(silent=True) if request.method in {"POST", "PUT"} else None
    rows = body.get(key) if isinstance(body, Mapping) else None
    return len(rows) if isinstance(rows, list) else 1


def call_cost() -> int:
    """One credit a call; 10 rows written or 50 rows tagged a credit (v8 limits page)."""
    if "_tags" in request.path:
        return ceil(body_count("ids") / 50) or 1
    if request.args.get("cvid"):
        return 3
    return ceil(body_count("data") / 10) or 1


def is_heavy() -> bool:
    """Whether a call falls under sub-concurrency: sorted lists, more than ten rows written."""
    return bool({"cvid", "sort_by"} & request.args.keys()) or body_count("data") > 10
