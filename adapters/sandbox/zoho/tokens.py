"""OAuth: access tokens for a refresh token, with the accounts server's limits and odd bodies."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from typing import Any, NamedTuple

from flask import Flask, Response, request

from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.replies import reply
from adapters.sandbox.zoho.settings import Credentials, Limits
from adapters.sandbox.zoho.wire import TOKEN_PATH

# `status` stands in one of several third-party quotations of this body.
TOO_MANY = {
    "error_description": "You have made too many requests continuously."
    " Please try again after some time.",
    "error": "Access Denied",
    "status": "failure",
}


class Grant(NamedTuple):
    user: int
    expires: int
    scope: str


class Tokens:
    def __init__(self, credentials: Credentials, limits: Limits, clock: OrgClock) -> None:
        self._credentials = credentials
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._grants: dict[str, Grant] = {}
        self._issued: deque[int] = deque()

    def attach(self, app: Flask, user: int) -> None:
        app.add_url_rule(TOKEN_PATH, "token", lambda: self._refresh(user), methods=["POST"])

    def grant(self, token: str) -> Grant | None:
        """Return what a live token stands for."""
        with self._lock:
            found = self._grants.get(token)
        return found if found and found.expires > self._clock.now() else None

    def revoke_all(self) -> None:
        """Kill every token before its time, as Zoho does silently with the oldest ones."""
        with self._lock:
            self._grants.clear()

    def _refresh(self, user: int) -> Response:
        given = request.values
        expected = self._credentials
        if given.get("client_id") != expected.client_id:
            return reply({"error": "invalid_client"})
        if given.get("client_secret") != expected.client_secret:
            return reply({"error": "invalid_client_secret"})
        if given.get("grant_type") != "refresh_token":
            return reply({"error": "unsupported_grant_type"})
        if given.get("refresh_token") != expected.refresh_token:
            return reply({"error": "invalid_code"})
        token = self._issue(user)
        return reply(TOO_MANY, 400) if token is None else reply(self._body(token))

    def _issue(self, user: int) -> str | None:
        now = self._clock.now()
        with self._lock:
            while self._issued and self._issued[0] <= now - self._limits.token_window_seconds:
                self._issued.popleft()
            if len(self._issued) >= self._limits.tokens_per_window:
                return None
            self._issued.append(now)
            while len(self._grants) >= self._limits.live_tokens:
                self._grants.pop(next(iter(self._grants)))
            token = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
            expires = now + self._limits.access_token_seconds
            self._grants[token] = Grant(user, expires, self._credentials.scope)
        return token

    def _body(self, token: str) -> dict[str, Any]:
        return {
            "access_token": token,
            "scope": self._credentials.scope,
            "api_domain": request.host_url.rstrip("/"),
            "token_type": "Bearer",
            "expires_in": self._limits.access_token_seconds,
        }
