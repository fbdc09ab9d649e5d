"""One call a batch, and one outcome a primitive from whatever comes back."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.zoho import ZohoAdapter
from connector.errors import AuthenticationError, QuotaError, UnavailableError
from connector.models import Change, Outcome, OutcomeStatus, Ref, Step, StepKind
from connector.ports import Batch

DONE, REFUSED = OutcomeStatus.DONE, OutcomeStatus.REFUSED
UNKNOWN, PARKED = OutcomeStatus.UNKNOWN, OutcomeStatus.PARKED
CONFLICT = OutcomeStatus.CONFLICT
STATUS = Step(StepKind.FIELD, "Customer_Status", "Active", "Void")
OWNER = Step(StepKind.OWNER, "", "41", "42")
ADD = Step(StepKind.TAG, "ours", before=False, after=True)
REMOVE = Step(StepKind.TAG, "ours", before=True, after=False)
TEXT = "第一行\nsecond line ABCDEFGHIJ"
NOTE = Step(StepKind.NOTE, "ABCDEFGHIJ", before=None, after=TEXT)
REWRITE = Step(StepKind.NOTE, "ABCDEFGHIJ", before="old", after=TEXT, remote_id="77")
DELETE = Step(StepKind.NOTE, "ABCDEFGHIJ", before=TEXT, after=None, remote_id="77")
ANY = [STATUS, ADD, REMOVE, NOTE, REWRITE, DELETE]


def batch_of(zoho: ZohoAdapter, *steps: Step, records: int = 1) -> Batch:
    changes = [
        Change(f"i{n}", Ref("Accounts", str(n)), "rule", steps) for n in range(1, records + 1)
    ]
    (batch,) = zoho.batches(tuple(p for change in changes for p in zoho.lower(change)))
    return batch


def row(code: str = "SUCCESS", **details: Any) -> dict[str, Any]:
    status = "success" if code == "SUCCESS" else "error"
    return {"code": code, "details": details, "message": "4711", "status": status}


def statuses(outcomes: list[Outcome]) -> list[OutcomeStatus]:
    return [outcome.status for outcome in outcomes]


def test_fields_and_owner_of_a_record_are_one_row_without_automations(
    wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(200, {"data": [row(id="1"), row(id="2")]})
    sent = zoho.send(batch_of(zoho, STATUS, OWNER, records=2))
    assert [(each.key, each.status) for each in sent] == [
        ("i1.0", DONE),
        ("i1.1", DONE),
        ("i2.0", DONE),
        ("i2.1", DONE),
    ]
    (seen,) = wire.seen
    assert (seen.method, seen.path) == ("PUT", "/crm/v8/Accounts")
    assert seen.json == {
        "data": [
            {"id": "1", "Customer_Status": "Void", "Owner": {"id": "42"}},
            {"id": "2", "Customer_Status": "Void", "Owner": {"id": "42"}},
        ],
        "trigger": [],
    }
    assert seen.headers["Content-Type"] == "application/json"


def test_tags_are_added_and_never_replace_others(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [row(id="1", tags=[{"name": "theirs"}, {"name": "ours"}])]})
    assert statuses(zoho.send(batch_of(zoho, ADD))) == [DONE]
    (seen,) = wire.seen
    assert (seen.method, seen.path) == ("POST", "/crm/v8/Accounts/actions/add_tags")
    assert seen.json == {"tags": [{"name": "ours"}], "ids": ["1"], "over_write": False}
    assert seen.query == {"over_write": "false"}


def test_tags_are_removed_by_name(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [row(id="1", tags=[])]})
    assert statuses(zoho.send(batch_of(zoho, REMOVE))) == [DONE]
    (seen,) = wire.seen
    assert seen.path == "/crm/v8/Accounts/actions/remove_tags"
    assert seen.json == {"tags": [{"name": "ours"}], "ids": ["1"]}


@pytest.mark.parametrize(
    ("step", "details", "status", "code"),
    [
        (ADD, {"tags": [{"name": "theirs"}], "not_added_tags": ["ours"]}, REFUSED, "TAG_NOT_ADDED"),
        (ADD, {"tags": [{"name": "Ours"}]}, REFUSED, "TAG_NOT_ADDED"),
        (ADD, {}, UNKNOWN, "NO_TAGS_SHOWN"),
        (REMOVE, {"tags": [{"name": "ours"}]}, REFUSED, "TAG_NOT_REMOVED"),
    ],
)
def test_success_is_believed_only_when_the_tags_show_it(
    step: Step,
    details: dict[str, Any],
    status: OutcomeStatus,
    code: str,
    wire: Any,
    zoho: ZohoAdapter,
) -> None:
    wire.say(200, {"data": [row(id="1", **details)]})
    assert zoho.send(batch_of(zoho, step)) == [Outcome("i1.0", status, code)]


def test_a_note_has_its_first_line_as_title(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(201, {"data": [row(id="901"), row(id="902")]})
    sent = zoho.send(batch_of(zoho, NOTE, records=2))
    assert [(each.status, each.remote_id) for each in sent] == [(DONE, "901"), (DONE, "902")]
    (seen,) = wire.seen
    assert (seen.method, seen.path) == ("POST", "/crm/v8/Notes")
    assert seen.json["data"][1] == {
        "Note_Title": "第一行",
        "Note_Content": "second line ABCDEFGHIJ",
        "Parent_Id": {"module": {"api_name": "Accounts"}, "id": "2"},
    }


@pytest.mark.parametrize("text", ["one line", "x" * 121 + "\nrest", "\nrest"])
def test_a_note_without_a_fitting_title_is_all_content(
    text: str, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(201, {"data": [row(id="901")]})
    zoho.send(batch_of(zoho, Step(StepKind.NOTE, "M", before=None, after=text)))
    sent = wire.seen[0].json["data"][0]
    assert (sent["Note_Title"], sent["Note_Content"]) == (None, text)


def test_notes_are_rewritten_and_deleted_by_id(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [row(id="77")]}).say(200, {"data": [row(id="77")]})
    for step in (REWRITE, DELETE):
        (outcome,) = zoho.send(batch_of(zoho, step))
        assert (outcome.status, outcome.remote_id) == (DONE, "77")
    rewrite, delete = wire.seen
    assert (rewrite.method, rewrite.path, rewrite.json["data"][0]["id"]) == (
        "PUT",
        "/crm/v8/Notes",
        "77",
    )
    assert (delete.method, delete.path, delete.query) == ("DELETE", "/crm/v8/Notes", {"ids": "77"})


@pytest.mark.parametrize("step", [REWRITE, DELETE])
def test_a_note_whose_id_is_lost_is_not_touched(step: Step, wire: Any, zoho: ZohoAdapter) -> None:
    lost = Step(step.kind, step.target, step.before, step.after)
    assert zoho.send(batch_of(zoho, lost)) == [Outcome("i1.0", REFUSED, "NOTE_ID_UNKNOWN")]
    assert wire.seen == []


@pytest.mark.parametrize("status", [200, 202, 207, 400])
@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("RECORD_LOCKED", PARKED),
        ("NOT_APPROVED", PARKED),
        ("NOT_REVIEWED", PARKED),
        ("ALREADY_MODIFIED", CONFLICT),
        ("INVALID_DATA", REFUSED),
        ("INTERNAL_ERROR", UNKNOWN),
        ("RECORD_IN_BLUEPRINT", REFUSED),
        ("NEVER_SEEN_BEFORE", REFUSED),
    ],
)
def test_rows_are_read_whatever_the_http_status(
    status: int, code: str, outcome: OutcomeStatus, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(status, {"data": [row(id="1"), row(code, api_name="Customer_Status")]})
    sent = zoho.send(batch_of(zoho, STATUS, records=2))
    assert statuses(sent) == [DONE, outcome]
    assert (sent[1].code, sent[1].detail) == (code, "Customer_Status")
    assert "4711" not in f"{sent}"


def test_rows_that_name_their_record_may_come_in_any_order(wire: Any, zoho: ZohoAdapter) -> None:
    tags = [{"name": "ours"}]
    rows = [row(id="3", tags=tags), row("RECORD_LOCKED", id="1"), row(id="2", tags=tags)]
    wire.say(207, {"data": rows})
    assert statuses(zoho.send(batch_of(zoho, ADD, records=3))) == [PARKED, DONE, DONE]


def test_rows_that_are_missing_leave_their_record_unknown(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(207, {"data": [row(id="1"), row(id="3")]})
    assert statuses(zoho.send(batch_of(zoho, STATUS, records=3))) == [DONE, UNKNOWN, DONE]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, row("INVALID_MODULE")),
        (403, row("NO_PERMISSION")),
        (403, {"data": [row("NO_PERMISSION")]}),
        (400, {"data": [row("LIMIT_EXCEEDED", maximum_length=100)]}),
        (400, {"data": row("INVALID_DATA")}),
        (400, {"tags": [row("INVALID_DATA", api_name="name")]}),
        (404, b"not json"),
    ],
)
@pytest.mark.parametrize("step", ANY)
def test_a_call_that_is_refused_as_a_whole_refuses_each(
    step: Step, status: int, body: Any, wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(status, body)
    assert set(statuses(zoho.send(batch_of(zoho, step, records=2)))) == {REFUSED}
    assert len(wire.seen) == 1


def test_a_flat_lock_parks_its_record_and_leaves_the_others_open(
    wire: Any, zoho: ZohoAdapter
) -> None:
    wire.say(400, row("RECORD_LOCKED", id="2")).say(400, row("RECORD_LOCKED", id="1"))
    assert statuses(zoho.send(batch_of(zoho, ADD, records=3))) == [UNKNOWN, PARKED, UNKNOWN]
    assert statuses(zoho.send(batch_of(zoho, ADD))) == [PARKED]


@pytest.mark.parametrize("step", ANY)
@pytest.mark.parametrize("trouble", ["lost", "500", "502", "cut", "html", "empty", "internal"])
def test_nobody_knows_what_became_of_a_write_without_a_clear_answer(
    trouble: str, step: Step, wire: Any, zoho: ZohoAdapter
) -> None:
    answers = {
        "lost": {"lost": True},
        "cut": {"cut": True, "body": b"{"},
        "html": {"body": b"<html>"},
        "empty": {"body": {"data": []}},
        "500": {"status": 500},
        "502": {"status": 502},
        "internal": {"status": 400, "body": row("INTERNAL_ERROR")},
    }
    wire.say(**answers[trouble])
    sent = zoho.send(batch_of(zoho, step, records=3))
    assert set(statuses(sent)) == {UNKNOWN}
    assert all(outcome.code for outcome in sent)
    assert len(wire.seen) == 1


def test_a_write_that_was_turned_away_is_sent_again(
    wire: Any, zoho: ZohoAdapter, fake_time: Any
) -> None:
    wire.say(429, row("TOO_MANY_REQUESTS", retry_after=60)).say(200, {"data": [row(id="1")]})
    assert statuses(zoho.send(batch_of(zoho, STATUS))) == [DONE]
    assert fake_time.sleeps == [60]


def test_a_dead_token_does_not_lose_a_write(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(401, row("INVALID_TOKEN")).say(200, {"data": [row(id="1")]})
    assert statuses(zoho.send(batch_of(zoho, STATUS))) == [DONE]
    tokens = [seen.headers["Authorization"] for seen in wire.seen]
    assert tokens == ["Zoho-oauthtoken token-1", "Zoho-oauthtoken token-2"]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (429, "TOO_MANY_REQUESTS", QuotaError),
        (401, "INVALID_TOKEN", AuthenticationError),
        (401, "OAUTH_SCOPE_MISMATCH", AuthenticationError),
    ],
)
def test_a_batch_that_never_arrived_is_an_error(
    status: int, code: str, error: type[Exception], wire: Any, zoho: ZohoAdapter
) -> None:
    wire.always(status, row(code))
    with pytest.raises(error):
        zoho.send(batch_of(zoho, STATUS))


def test_a_server_that_is_not_there_is_an_error(wire: Any, zoho: ZohoAdapter) -> None:
    wire.close()
    with pytest.raises(UnavailableError):
        zoho.send(batch_of(zoho, STATUS))


def guarded(zoho: ZohoAdapter, records: int) -> Batch:
    batch = batch_of(zoho, STATUS, records=records)
    versions = {f"Accounts:{n}": f"2026-05-14T11:36:1{n}+08:00" for n in range(1, records + 1)}
    return Batch(batch.operation, batch.primitives, batch.cost, versions)


def test_a_guarded_write_goes_record_by_record(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [row(id="1")]}).say(412, {"data": [row("ALREADY_MODIFIED", id="2")]})
    assert statuses(zoho.send(guarded(zoho, 2))) == [DONE, CONFLICT]
    assert [(seen.path, seen.headers["If-Unmodified-Since"]) for seen in wire.seen] == [
        ("/crm/v8/Accounts/1", "2026-05-14T11:36:11+08:00"),
        ("/crm/v8/Accounts/2", "2026-05-14T11:36:12+08:00"),
    ]


def test_a_guarded_write_that_is_stopped_keeps_what_it_knows(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"data": [row(id="1")]})
    wire.always(429, row("TOO_MANY_REQUESTS"))
    assert statuses(zoho.send(guarded(zoho, 3))) == [DONE, PARKED, PARKED]
    with pytest.raises(QuotaError):
        zoho.send(guarded(zoho, 1))
