"""One write call, or one row of a batch's answer, and what it means for what was sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.calls import AmbiguousWrite, Call, CallRefused
from adapters.rest.api import Api, Reply
from adapters.rest.errors import meaning, shown_code, without_secrets
from adapters.rest.paths import MISSING, look
from adapters.rest.replies import decoded
from adapters.rest.schema.description import Errors
from adapters.rest.schema.write_description import Result
from adapters.settling import RECORD_GONE
from connector.errors import AuthenticationError, HighseasError
from connector.models import Outcome, OutcomeStatus, Primitive

_STATUSES = {
    "done": OutcomeStatus.DONE,
    "refused": OutcomeStatus.REFUSED,
    "gone": OutcomeStatus.REFUSED,
    "conflict": OutcomeStatus.CONFLICT,
    "parked": OutcomeStatus.PARKED,
    "unknown": OutcomeStatus.UNKNOWN,
}
_UNAUTHORISED = 401

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """What the server said to one write. `reply` is a call's own answer; `body` what a row holds.
    `whole`: the call was refused before any row of it was looked at."""

    status: OutcomeStatus
    code: str = ""
    body: Any = MISSING
    reply: Reply | None = None
    whole: bool = False

    @property
    def is_gone(self) -> bool:
        return self.code == RECORD_GONE

    def outcome(self, primitive: Primitive, remote_id: str | None = None) -> Outcome:
        return Outcome(primitive.key, self.status, self.code, remote_id=remote_id)

    def outcomes(self, primitives: Iterable[Primitive]) -> dict[str, Outcome]:
        return {each.key: self.outcome(each, each.remote_id) for each in primitives}


def said(errors: Errors, status: int, code: str, body: Any = MISSING) -> Told:
    """By the description's table."""
    word = meaning(errors, status, code)
    is_silent = word == "done" or not status
    shown = RECORD_GONE if word == "gone" else code or ("" if is_silent else str(status))
    return Told(_STATUSES[word], shown, body)


def ask(api: Api, call: Call, done: Collection[int] = (), *, gone: Collection[int] = ()) -> Told:
    """Send one write, once. `done`: the HTTP statuses that mean it; none: every 2xx. `gone`: those
    by which this call says that what it writes to is not there.

    Raises what `HttpClient.send` raises when nothing arrived.
    """
    try:
        answer = api.http.send(call)
    except AmbiguousWrite as doubt:
        return Told(OutcomeStatus.UNKNOWN, doubt.code)
    except CallRefused as refusal:
        if refusal.status in done:
            return Told(OutcomeStatus.DONE)
        if refusal.status in gone and refusal.code not in api.description.errors.codes:
            return Told(OutcomeStatus.REFUSED, RECORD_GONE, whole=True)
        told = said(api.description.errors, refusal.status, refusal.code)
        # The server has judged: a refusal is no done, whatever the table makes of its code.
        status = OutcomeStatus.REFUSED if told.status is OutcomeStatus.DONE else told.status
        return Told(status, told.code, whole=True)
    if done and answer.status not in done:
        return Told(OutcomeStatus.UNKNOWN, str(answer.status))
    value = decoded(answer, str(call))
    return Told(OutcomeStatus.DONE, body=value, reply=Reply(call, answer, value))


def ask_many(api: Api, call: Call, form: tuple[str, Result], ids: Sequence[str]) -> list[Told]:
    """Send one write of several rows, once; what became of each of the records `ids`, in their
    order. `form`: where the results stand, and how one of them reads."""
    told = ask(api, call)
    if told.status is not OutcomeStatus.DONE:
        return [told] * len(ids)
    place, result = form
    rows = _fitting(look(told.body, place), result, ids)
    found = [_row(api, result, row) for row in rows]
    if all(each.code == str(_UNAUTHORISED) for each in found):
        raise AuthenticationError(
            f"{api.description.name} refused the credentials ({_UNAUTHORISED}, {call})",
            "run `highseas check`, then renew the token or its scopes",
        )
    return found


def _fitting(rows: Any, result: Result, ids: Sequence[str]) -> list[Any]:
    """The result of each record, MISSING where there is none: by the id that a row names, or by
    position where rows name none and none is left out."""
    if not isinstance(rows, list):
        return [MISSING] * len(ids)
    if result.id is None:
        return rows if len(rows) == len(ids) else [MISSING] * len(ids)
    named = [str(look(row, result.id)) for row in rows]
    told = {name: row for name, row in zip(named, rows, strict=True) if named.count(name) == 1}
    return [told.get(identifier, MISSING) for identifier in ids]


def _row(api: Api, result: Result, row: Any) -> Told:
    if row is MISSING:
        return Told(OutcomeStatus.UNKNOWN, "NO_RESULTS")
    errors = api.description.errors
    body = look(row, result.body) if result.body is not None else row
    code = shown_code(errors, look(row, result.code)) if result.code is not None else ""
    code = without_secrets(code, api.secrets)
    shown = look(row, result.status) if result.status is not None else None
    if result.status is None:
        return said(errors, 0, code) if code else Told(OutcomeStatus.DONE, body=body)
    if result.ok:
        is_ok = any(shown == value and type(shown) is type(value) for value in result.ok)
        return Told(OutcomeStatus.DONE, body=body) if is_ok else said(errors, 0, code)
    if isinstance(shown, str) and shown.isdecimal():
        shown = int(shown)
    if not isinstance(shown, int) or isinstance(shown, bool):
        return Told(OutcomeStatus.UNKNOWN, "NO_STATUS")
    if shown == _UNAUTHORISED and shown not in errors.statuses:
        return Told(OutcomeStatus.PARKED, str(_UNAUTHORISED))
    return said(errors, shown, code, body)


def one_by_one(
    units: Sequence[T], primitives_of: Callable[[T], Sequence[Primitive]], send: Callable[[T], Any]
) -> dict[str, Outcome]:
    """Outcomes of several calls. Once one of them has left, an error of a later one parks the
    rest: an error that leaves here says that nothing arrived."""
    outcomes: dict[str, Outcome] = {}
    for unit in units:
        try:
            outcomes |= send(unit)
        except HighseasError:
            if not outcomes:
                raise
            rest = (each for other in units for each in primitives_of(other))
            unsent = Told(OutcomeStatus.PARKED, "NOT_SENT")
            return unsent.outcomes(each for each in rest if each.key not in outcomes) | outcomes
    return outcomes
