"""List parameters, page tokens and the `info` block of lists."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from adapters.sandbox.zoho.catalogue import Module
from adapters.sandbox.zoho.clock import OrgClock
from adapters.sandbox.zoho.records import SORT_COLUMNS, Record, Walk, reference_id
from adapters.sandbox.zoho.replies import Refusal, invalid_data
from adapters.sandbox.zoho.settings import Limits, Quirks

UNBOUND = {"page", "page_token"}


@dataclass(frozen=True)
class Place:
    """Where a page token leads: after which row, how many rows came before."""

    after: tuple[int, int]
    served: int


@dataclass(frozen=True)
class ListQuery:
    fields: tuple[str, ...]
    page: int
    per_page: int
    walk: Walk


class Paging:
    def __init__(self, limits: Limits, quirks: Quirks, clock: OrgClock, secret: str) -> None:
        self._limits = limits
        self._quirks = quirks
        self._clock = clock
        self._secret = secret.encode()

    def read(self, kind: Module, user: int, parent: int | None = None) -> ListQuery:
        """Read the list parameters of the current request, or refuse them as Zoho does."""
        given = request.args
        fields = self._fields(kind)
        token = given.get("page_token")
        if token and "page" in given:
            due = [{"param_name": name} for name in ("page", "page_token")]
            message = "ambiguity while processing the request"
            raise Refusal("AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})
        per_page = self._per_page()
        page = positive("page", 1)
        place = self._open(token, user) if token else None
        self._check_reach(place, page * per_page)
        default = self._quirks.notes_default_order if kind.api_name == "Notes" else "desc"
        walk = Walk(
            kind.api_name,
            limit=per_page + 1,
            sort_by=one_of("sort_by", tuple(SORT_COLUMNS), "id"),
            descending=one_of("sort_order", ("asc", "desc"), default) == "desc",
            since=self._since(),
            ids=listed_ids(),
            parent=parent,
            after=place.after if place else None,
            offset=0 if place else (page - 1) * per_page,
        )
        number = place.served // per_page + 1 if place else page
        return ListQuery(fields, number, per_page, walk)

    def _check_reach(self, place: Place | None, last_row: int) -> None:
        if place is None and last_row > self._limits.discrete_rows:
            message = "You can only get the first 2000 records without using page_token param"
            limit: Mapping[str, Any] = {"limit": self._limits.discrete_rows}
            raise Refusal("DISCRETE_PAGINATION_LIMIT_EXCEEDED", message, limit)
        if place is not None and place.served >= self._limits.token_rows:
            message = "You can only get upto 100000 records using page_token param"
            raise Refusal("PAGINATION_LIMIT_EXCEEDED", message, {"param_name": "page_token"})

    def info(
        self, query: ListQuery, rows: list[Record], user: int, *, more: bool
    ) -> dict[str, Any]:
        expires = self._clock.now() + self._limits.page_token_seconds
        token = None
        if more:
            served = (query.page - 1) * query.per_page + len(rows)
            last = rows[-1]
            values = {"created": last.created, "modified": last.modified, "id": last.id}
            place = Place((values[SORT_COLUMNS[query.walk.sort_by]], last.id), served)
            token = self._seal(place, user, expires)
        return {
            "per_page": query.per_page,
            "next_page_token": token,
            "count": len(rows),
            "sort_by": query.walk.sort_by,
            "page": query.page,
            "previous_page_token": None,
            "page_token_expiry": self._clock.text(expires) if token else None,
            "sort_order": "desc" if query.walk.descending else "asc",
            "more_records": more,
        }

    def _fields(self, kind: Module) -> tuple[str, ...]:
        names = tuple(name for name in request.args.get("fields", "").split(",") if name)
        if not names:
            missing = {"param_name": "fields"}
            raise Refusal("REQUIRED_PARAM_MISSING", "required param is missing", missing)
        if len(names) > self._limits.fields:
            details = {"limit": self._limits.fields, "param_name": "fields"}
            raise Refusal("LIMIT_EXCEEDED", "limit exceeded", details)
        unknown = [name for name in names if name not in kind.fields]
        if unknown and self._quirks.unknown_field_read == "error":
            message = "the field api name given seems to be invalid"
            raise invalid_data({"param_name": "fields", "api_name": unknown[0]}, message)
        return names

    def _per_page(self) -> int:
        per_page = positive("per_page", self._limits.page_rows)
        if per_page > self._limits.page_rows:
            details = {"limit": self._limits.page_rows, "param_name": "per_page"}
            raise Refusal("LIMIT_EXCEEDED", "limit exceeded", details)
        return per_page

    def _since(self) -> int | None:
        return header_moment(self._clock, "If-Modified-Since")

    def _fingerprint(self, user: int) -> str:
        bound = sorted((k, v) for k, v in request.args.items(multi=True) if k not in UNBOUND)
        since = request.headers.get("If-Modified-Since")
        meaning = json.dumps([request.path, bound, since, user])
        return hashlib.sha256(meaning.encode()).hexdigest()[:16]

    def _seal(self, place: Place, user: int, expires: int) -> str:
        content = [*place.after, place.served, expires, self._fingerprint(user)]
        text = json.dumps(content).encode()
        return (base64.urlsafe_b64encode(text) + b"." + self._sign(text)).decode()

    def _open(self, token: str, user: int) -> Place:
        encoded, _, signature = token.encode().partition(b".")
        try:
            text = base64.b64decode(encoded, altchars=b"-_", validate=True)
        except ValueError:
            raise _token_mismatch() from None
        if not hmac.compare_digest(signature, self._sign(text)):
            raise _token_mismatch()
        value, last, served, expires, fingerprint = json.loads(text)
        if expires <= self._clock.now():
            details = {"api_name": "page_token", "json_path": "$.query.page_token"}
            raise Refusal("EXPIRED_VALUE", "Page token expired", details)
        if fingerprint != self._fingerprint(user):
            raise _token_mismatch()
        return Place((value, last), served)

    def _sign(self, text: bytes) -> bytes:
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:24].encode()


def _token_mismatch() -> Refusal:
    message = (
        "The page_token given seems to be invalid or input param is added or altered or deleted"
    )
    return Refusal("TOKEN_BOUND_DATA_MISMATCH", message, {"param_name": "page_token"})


def header_moment(clock: OrgClock, name: str) -> int | None:
    """Return a header's moment (ISO with offset); None when it is not sent."""
    text = request.headers.get(name)
    if text is None:
        return None
    try:
        return clock.seconds(text)
    except ValueError:
        details: Mapping[str, Any] = {"header_name": name}
        message = "Please check whether the input values are correct"
        raise Refusal("PATTERN_NOT_MATCHED", message, details) from None


def positive(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise invalid_data({"param_name": name})
    return int(text)


def one_of(name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.args.get(name, default)
    if value not in allowed:
        raise invalid_data({"param_name": name, "supported_values": list(allowed)})
    return value


def listed_ids() -> tuple[int, ...] | None:
    if "ids" not in request.args:
        return None
    numbers = [reference_id(text) for text in request.args["ids"].split(",")]
    if None in numbers:
        raise invalid_data({"param_name": "ids"})
    return tuple(number for number in numbers if number is not None)
