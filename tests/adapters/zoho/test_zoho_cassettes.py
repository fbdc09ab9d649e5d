"""What the client says to Zoho, request by request: recorded conversations, replayed without a
server. CONTRIBUTING.md tells how to renew them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]

from adapters.http import Timing
from adapters.sandbox.zoho import Credentials, Fault
from adapters.zoho import ZohoAdapter, ZohoSettings
from connector.models import Change, Outcome, OutcomeStatus, Ref, Step, StepKind
from connector.ports import FieldInfo, NoteRef, NoteState, Organisation, PullRequest, ReadRequest
from tests.adapters.zoho.cassette import ORIGIN, config
from tests.adapters.zoho.recording import (
    ACCOUNTS,
    ANN,
    API_USER,
    BEGUN,
    BOB,
    FIELDS,
    NOW,
    Recording,
)

pytestmark = pytest.mark.vcr

PAGE_SIZE = 5
_IDS = [ref.id for ref in ACCOUNTS]
MARKERS = tuple(f"MARKER000{number}" for number in range(3))


@dataclass(frozen=True)
class Conversation:
    """The client, and while it is recorded the sandbox that it speaks to."""

    adapter: ZohoAdapter
    cassette: Any
    sleeps: list[float]
    recording: Recording | None

    def meanwhile(self, happens: Callable[[Recording], object]) -> None:
        """Something happens in Zoho; when the conversation is replayed it has happened."""
        if self.recording:
            happens(self.recording)

    @property
    def calls(self) -> list[str]:
        """Method, path without its beginning, and status of what was said so far."""
        pairs = zip(self.cassette.requests, self.cassette.responses, strict=True)
        return [
            f"{said.method} {said.path.removeprefix('/crm/v8')} {answer['status']['code']}"
            for said, answer in pairs
        ]

    def write(self, *changes: Change) -> list[Outcome]:
        """Send changes batch by batch; the outcomes by key."""
        primitives = [p for change in changes for p in self.adapter.lower(change)]
        batches = self.adapter.batches(primitives)
        outcomes = [outcome for batch in batches for outcome in self.adapter.send(batch)]
        return sorted(outcomes, key=lambda outcome: outcome.key)


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(Path(__file__).parent / "cassettes")


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    return config()


@pytest.fixture
def start(
    fake_time: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ZohoAdapter]]:
    """Make the client of an accounts server; where the API is, the token tells it."""
    # A proxy of the machine would make another conversation.
    monkeypatch.setenv("NO_PROXY", "*")
    opened: list[ZohoAdapter] = []

    def started(origin: str) -> ZohoAdapter:
        known = Credentials()
        block = {
            "accounts_url": origin,
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "refresh_token": known.refresh_token,
            "page_size": PAGE_SIZE,
        }
        adapter = ZohoAdapter(
            ZohoSettings.model_validate(block),
            timing=Timing(fake_time.clock, fake_time.sleep, fake_time.chance),
            token_cache_dir=tmp_path,
        )
        opened.append(adapter)
        return adapter

    yield started
    for adapter in opened:
        adapter.close()


@pytest.fixture
def talk(vcr: Any, start: Any, fake_time: Any) -> Iterator[Conversation]:
    """A conversation that must be replayed whole and in the order in which it was recorded."""
    if vcr.write_protected:
        yield Conversation(start(ORIGIN), vcr, fake_time.sleeps, None)
        assert list(vcr.play_counts.items()) == [(number, 1) for number in range(len(vcr))]
        return
    recording = Recording()
    yield Conversation(start(recording.server.url), vcr, fake_time.sleeps, recording)
    recording.close()


def _add_note(ref: Ref, content: str, zoho: Recording) -> None:
    zoho.store.add_note(ref.id, content, "Title")


def ids(rows: tuple[bytes, ...]) -> list[str]:
    return [json.loads(row)["id"] for row in rows]


def tag(name: str, *, on: bool = True) -> Step:
    return Step(StepKind.TAG, name, before=not on, after=on)


def note(number: int) -> Step:
    text = f"客户已失联\n最后一次联系：2025-11-02。 {MARKERS[number]}"
    return Step(StepKind.NOTE, MARKERS[number], before=None, after=text)


def status(before: str, after: str) -> Step:
    return Step(StepKind.FIELD, "Customer_Status", before, after)


@pytest.mark.default_cassette("identity")
def test_a_token_is_asked_for_once_and_the_user_is_learnt_once(talk: Conversation) -> None:
    organisation = talk.adapter.identity()
    assert talk.adapter.identity() == organisation
    zgid = str(int(API_USER) - 999)
    assert organisation == Organisation(
        zgid, "Sandbox Trading", "Asia/Shanghai", API_USER, "API user", "sandbox"
    )
    token, org, user = "POST /oauth/v2/token 200", "GET /org 200", "GET /users 200"
    assert talk.calls == [token, org, user, org]


@pytest.mark.default_cassette("describe")
def test_modules_that_are_not_there_are_left_out_of_the_description(talk: Conversation) -> None:
    objects = talk.adapter.describe().objects
    assert set(objects) == {"Accounts", "Deals", "users"}
    fields = {field.name: field for field in objects["Accounts"].fields}
    assert fields["Tag"] == FieldInfo("Tag", "tags", "Tag")
    assert fields["Customer_Status"].type == "choice"
    assert fields["Customer_Status"].writable
    assert "公海" in fields["Customer_Status"].options
    statuses = (200, 400, 200, *[400] * 6)
    assert talk.calls[1:] == [f"GET /settings/fields {status}" for status in statuses]


@pytest.mark.default_cassette("first_pull")
def test_a_first_pull_walks_by_token_with_the_oldest_change_first(talk: Conversation) -> None:
    pages = list(talk.adapter.pull(PullRequest("Accounts", FIELDS)))
    assert [ids(page.rows) for page in pages] == [_IDS[:5], _IDS[5:10], _IDS[10:]]
    assert [page.resume is None for page in pages] == [False, False, True]
    first, second, last = (page.watermark for page in pages)
    assert (first, second) == tuple(BEGUN + timedelta(minutes=n, seconds=-1) for n in (4, 9))
    assert talk.recording or last == NOW
    assert talk.calls[1:] == ["GET /Accounts 200"] * 3


@pytest.mark.default_cassette("nothing_changed")
def test_a_pull_after_which_nothing_changed_is_two_calls(talk: Conversation) -> None:
    request = PullRequest("Accounts", FIELDS, since=NOW - timedelta(hours=1))
    (page,) = talk.adapter.pull(request)
    assert (page.rows, page.deleted, page.resume) == ((), (), None)
    assert talk.calls[1:] == ["GET /Accounts/deleted 204", "GET /Accounts 304"]


@pytest.mark.default_cassette("later_pull")
def test_a_later_pull_brings_what_was_deleted_and_what_was_changed(talk: Conversation) -> None:
    gone, changed = ACCOUNTS[2], ACCOUNTS[7]
    talk.meanwhile(lambda zoho: zoho.store.delete(gone.id, by=BOB))
    talk.meanwhile(lambda zoho: zoho.store.add_tag(changed.id, "key-account", by=BOB))
    request = PullRequest("Accounts", FIELDS, since=NOW - timedelta(hours=1))
    deleted, rows = talk.adapter.pull(request)
    assert (deleted.deleted, deleted.rows) == ((gone.id,), ())
    assert ids(rows.rows) == [changed.id]
    assert [each["name"] for each in json.loads(rows.rows[0])["Tag"]] == ["key-account"]
    assert talk.calls[1:] == ["GET /Accounts/deleted 200", "GET /Accounts 200"]


@pytest.mark.default_cassette("read_with_notes")
def test_notes_are_read_by_id_and_by_marker_and_a_missing_record_is_said(
    talk: Conversation,
) -> None:
    known, searched, absent = ACCOUNTS[0], ACCOUNTS[1], Ref("Accounts", API_USER)
    by_id = str(int(_IDS[-1]) + 2)  # behind the one tag that the seed has made
    for number, ref in enumerate((known, searched)):
        content = f"body {MARKERS[number]}"
        talk.meanwhile(partial(_add_note, ref, content))
    wanted = (NoteRef(known, MARKERS[0], by_id), NoteRef(searched, MARKERS[1]))
    request = ReadRequest((known, absent, searched), ("Customer_Status",), wanted)
    first, missing, second = talk.adapter.read(request)
    assert first.notes == (NoteState(MARKERS[0], by_id, f"Title\nbody {MARKERS[0]}"),)
    assert [each.text for each in second.notes] == [f"Title\nbody {MARKERS[1]}"]
    assert (first.owner, second.owner, missing.exists) == (ANN, BOB, False)
    assert first.tags == {"theirs"}
    assert first.fields == {"Customer_Status": "Active"}
    calls = ["GET /Accounts 200", "GET /Notes 200", f"GET /Accounts/{searched.id}/Notes 200"]
    assert talk.calls[1:] == calls


@pytest.mark.default_cassette("write")
def test_three_kinds_of_change_are_three_calls_and_each_row_has_its_own_result(
    talk: Conversation,
) -> None:
    talk.meanwhile(lambda zoho: zoho.store.lock(ACCOUNTS[1].id))
    outcomes = talk.write(
        *(
            Change(f"intent-{n}", ACCOUNTS[n], "lost", (tag("失联"), note(n), status("Active", to)))
            for n, to in enumerate(("作废", "作废", "no such option"))
        )
    )
    done, parked, refused = OutcomeStatus.DONE, OutcomeStatus.PARKED, OutcomeStatus.REFUSED
    assert [outcome.status for outcome in outcomes] == [done] * 3 + [parked] * 3 + [
        *(done, done, refused)
    ]
    assert {outcome.code for outcome in outcomes[3:6]} == {"RECORD_LOCKED"}
    assert outcomes[1].remote_id
    assert outcomes[8].detail == "Customer_Status"
    paths = ("POST /Accounts/actions/add_tags", "POST /Notes", "PUT /Accounts")
    assert talk.calls[1:] == [f"{path} 207" for path in paths]


@pytest.mark.default_cassette("undo")
def test_what_was_written_is_taken_back_by_its_inverse(talk: Conversation) -> None:
    ref, note_id = ACCOUNTS[0], str(int(_IDS[-1]) + 2)
    text = f"Title\nbody {MARKERS[0]}"
    talk.meanwhile(partial(_add_note, ref, f"body {MARKERS[0]}"))
    talk.meanwhile(lambda zoho: zoho.store.edit("Accounts", ref.id, {"Customer_Status": "作废"}))
    talk.meanwhile(lambda zoho: zoho.store.add_tag(ref.id, "失联"))
    steps = (
        status("作废", "Active"),
        Step(StepKind.NOTE, MARKERS[0], before=text, after=None, remote_id=note_id),
        tag("失联", on=False),
    )
    outcomes = talk.write(Change("undo", ref, "lost", steps))
    assert [outcome.status for outcome in outcomes] == [OutcomeStatus.DONE] * 3
    paths = ("PUT /Accounts", "DELETE /Notes", "POST /Accounts/actions/remove_tags")
    assert talk.calls[1:] == [f"{path} 200" for path in paths]


@pytest.mark.default_cassette("changed_since_read")
def test_a_record_that_was_changed_since_it_was_read_is_not_written(talk: Conversation) -> None:
    fresh, stale = ACCOUNTS[3], ACCOUNTS[4]
    versions = {str(s.ref): s.version for s in talk.adapter.read(ReadRequest((fresh, stale)))}
    edit = {"Account_Name": "Edited"}
    talk.meanwhile(lambda zoho: zoho.store.edit("Accounts", stale.id, edit, by=BOB))
    changes = [Change(r.id, r, "lost", (status("Active", "作废"),)) for r in (fresh, stale)]
    primitives = [p for change in changes for p in talk.adapter.lower(change)]
    (batch,) = talk.adapter.batches(primitives)
    kept = {key: version for key, version in versions.items() if version}
    outcomes = talk.adapter.send(msgspec.structs.replace(batch, versions=kept))
    assert [o.status for o in outcomes] == [OutcomeStatus.DONE, OutcomeStatus.CONFLICT]
    assert talk.calls[2:] == [
        f"PUT /Accounts/{fresh.id} 200",
        f"PUT /Accounts/{stale.id} 412",
    ]


@pytest.mark.default_cassette("token_dies")
def test_a_token_that_dies_between_two_pages_is_renewed_once_and_the_page_asked_for_again(
    talk: Conversation,
) -> None:
    pages = talk.adapter.pull(PullRequest("Accounts", FIELDS))
    first = next(pages)
    talk.meanwhile(lambda zoho: zoho.server.expire_tokens())
    rest = list(pages)
    assert [row for page in (first, *rest) for row in ids(page.rows)] == _IDS
    token, page = "POST /oauth/v2/token 200", "GET /Accounts"
    assert talk.calls == [token, f"{page} 200", f"{page} 401", token] + [f"{page} 200"] * 2
    used = [said.headers.get("Authorization", "none") for said in talk.cassette.requests]
    kinds = ["none", *["Zoho-oauthtoken token-1"] * 2, "none", *["Zoho-oauthtoken token-2"] * 2]
    assert used == kinds


@pytest.mark.default_cassette("throttled")
def test_when_zoho_says_later_reads_and_writes_wait_and_are_sent_again(
    talk: Conversation,
) -> None:
    body = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "later", "status": "error"}
    later = Fault(path="/crm/v8/Accounts*", status=429, body=body, headers={"Retry-After": "7"})
    change = Change("intent-0", ACCOUNTS[0], "lost", (tag("失联"),))
    talk.meanwhile(lambda zoho: zoho.faults.add(later))
    (state,) = talk.adapter.read(ReadRequest(ACCOUNTS[:1]))
    talk.meanwhile(lambda zoho: zoho.faults.add(replace(later, headers={})))
    (outcome,) = talk.write(change)
    assert (state.exists, outcome.status) == (True, OutcomeStatus.DONE)
    assert talk.sleeps == [7.0, 2.0]
    read, write = "GET /Accounts", "POST /Accounts/actions/add_tags"
    assert talk.calls[1:] == [f"{read} 429", f"{read} 200", f"{write} 429", f"{write} 200"]


def _pull(adapter: ZohoAdapter, **options: Any) -> None:
    request = PullRequest("Accounts", FIELDS, since=NOW - timedelta(hours=1))
    list(adapter.pull(msgspec.structs.replace(request, **options)))


def _write(adapter: ZohoAdapter, refs: tuple[Ref, ...], name: str) -> None:
    changes = [Change(ref.id, ref, "lost", (tag(name),)) for ref in refs]
    primitives = [p for change in changes for p in adapter.lower(change)]
    for batch in adapter.batches(primitives):
        adapter.send(batch)


# What is done otherwise than it was recorded, and what has to notice.
OTHER_READS: dict[str, Callable[[ZohoAdapter], object]] = {
    "path": lambda adapter: _pull(adapter, object="Deals"),
    "query": lambda adapter: _pull(adapter, fields=FIELDS[:-1]),
    "headers": lambda adapter: _pull(adapter, since=NOW - timedelta(hours=2)),
}
OTHER_WRITES: dict[str, tuple[tuple[Ref, ...], str]] = {
    "another tag": (ACCOUNTS[:3], "失联 "),
    "fewer records": (ACCOUNTS[:2], "失联"),
    "another order": (ACCOUNTS[2::-1], "失联"),
}


def failed_matchers(error: CannotOverwriteExistingCassetteException) -> set[str]:
    return {name for _, _, failed in error.similar_requests for name, _ in failed}


@pytest.mark.vcr(record_mode="none")
@pytest.mark.default_cassette("nothing_changed")
@pytest.mark.parametrize("differs", OTHER_READS)
def test_a_read_that_was_not_recorded_has_no_answer(differs: str, start: Any) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException) as caught:
        OTHER_READS[differs](start(ORIGIN))
    assert failed_matchers(caught.value) == {differs}


@pytest.mark.vcr(record_mode="none")
@pytest.mark.default_cassette("write")
@pytest.mark.parametrize("differs", OTHER_WRITES)
def test_a_write_that_was_not_recorded_has_no_answer(differs: str, start: Any) -> None:
    with pytest.raises(CannotOverwriteExistingCassetteException) as caught:
        _write(start(ORIGIN), *OTHER_WRITES[differs])
    assert failed_matchers(caught.value) == {"body"}


@pytest.mark.vcr(record_mode="none")
@pytest.mark.default_cassette("write")
def test_what_was_recorded_once_is_answered_once(start: Any) -> None:
    adapter = start(ORIGIN)
    _write(adapter, ACCOUNTS[:3], "失联")
    with pytest.raises(CannotOverwriteExistingCassetteException) as caught:
        _write(adapter, ACCOUNTS[:3], "失联")
    assert caught.value.reason == "already_played"
