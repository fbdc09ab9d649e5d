"""How conversations with Zoho are kept in cassettes: bodies as JSON; no secret, no port, no clock.

Everything here leaves a kept conversation as it is, because vcrpy filters again when it replays.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

ORIGIN = "https://zoho.invalid"
DATE = "Thu, 14 May 2026 04:00:00 GMT"
_LOCAL = re.compile(r"https?://(?:127\.0\.0\.1|localhost):\d+")
_SECRETS = ("client_id", "client_secret", "refresh_token", "access_token")
_FILTERED = [(name, "filtered") for name in _SECRETS]
_NAMED = re.compile(r"(?:token|page)-\d+")
_NAMES = {"access_token": "token", "next_page_token": "page", "previous_page_token": "page"}
# What differs between machines, or follows from the rest.
_NOISE = ("Accept", "Accept-Encoding", "Connection", "Content-Length", "Server", "User-Agent")


def config() -> dict[str, Any]:
    """vcrpy's settings for one conversation. Every header that is kept has to match, too."""
    names = Names()
    return {
        "serializer": "json",
        "match_on": ("method", "scheme", "host", "path", "query", "headers", "body"),
        "filter_headers": list(_NOISE),
        "filter_query_parameters": _FILTERED,
        "filter_post_data_parameters": _FILTERED,
        "before_record_request": names.in_request,
        "before_record_response": names.in_response,
    }


class Names:
    """Tokens are `token-1`, `token-2` in the order in which they are given, places in a walk
    `page-1` and so on: a request with the wrong one of them still does not match."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def in_request(self, request: Any) -> Any:
        parts = urlsplit(request.uri)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = [(k, self._name("page", v) if k == "page_token" else v) for k, v in pairs]
        request.uri = ORIGIN + parts.path + ("?" + urlencode(query, safe=",") if query else "")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if token:
            request.headers["Authorization"] = f"{scheme} {self._name('token', token)}"
        return request

    def in_response(self, response: dict[str, Any]) -> dict[str, Any]:
        noise = {name.lower() for name in _NOISE}
        named = sorted(response["headers"].items())  # vcrpy knows no order of them
        headers = {name: values for name, values in named if name.lower() not in noise}
        response["headers"] = headers | ({"Date": [DATE]} if "Date" in headers else {})
        body = response["body"]["string"]
        if body:
            response["body"]["string"] = _text(self._walk(json.loads(body))).encode()
        return response

    def _walk(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._walk(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(inner) for inner in value]
        if isinstance(value, str):
            value = _LOCAL.sub(ORIGIN, value)
            return self._name(_NAMES[key], value) if key in _NAMES else value
        return value

    def _name(self, kind: str, value: str) -> str:
        if _NAMED.fullmatch(value):
            return value
        number = sum(name.startswith(kind) for name in self._given.values()) + 1
        return self._given.setdefault(value, f"{kind}-{number}")


class JsonBodies:
    """A serializer that keeps a JSON body as JSON instead of as text that holds JSON."""

    @staticmethod
    def serialize(kept: dict[str, Any]) -> str:
        for each in kept["interactions"]:
            each["request"]["body"] = _opened(each["request"]["body"])
            each["response"]["body"]["string"] = _opened(each["response"]["body"]["string"])
        return json.dumps(kept, ensure_ascii=False, indent=1) + "\n"

    @staticmethod
    def deserialize(text: str) -> Any:
        kept = json.loads(text)
        for each in kept["interactions"]:
            each["request"]["body"] = _closed(each["request"]["body"])
            each["response"]["body"]["string"] = _closed(each["response"]["body"]["string"])
        return kept


def _opened(body: str | None) -> Any:
    """A form and an empty body stay text."""
    return json.loads(body) if body and body.startswith(("{", "[")) else body


def _closed(body: Any) -> str | None:
    return body if body is None or isinstance(body, str) else _text(body)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
