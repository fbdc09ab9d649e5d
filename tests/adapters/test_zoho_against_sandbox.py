"""Two independent readings of Zoho's contract meet: the client against the sandbox server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import AdapterContract, Part, Samples
from adapters.http import Timing
from adapters.sandbox.zoho import (
    Behaviour,
    Credentials,
    Fault,
    Faults,
    Limits,
    NewUser,
    Quirks,
    Store,
    ZohoSandbox,
)
from adapters.zoho import ZohoAdapter, ZohoSettings
from connector.errors import AuthenticationError, QuotaError
from connector.models import Change, OutcomeStatus, Ref, Step, StepKind
from connector.ports import NoteRef, PullRequest, ReadRequest

FIELDS = ("Account_Name", "Owner", "Tag", "Customer_Status", "Created_Time", "Modified_Time")


class Ticking:
    """The sandbox's time: two seconds pass with each look, for moments are whole seconds."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=2)
        return self.now


class SandboxWorld:
    """The sandbox as the conformance suite wants it."""

    def __init__(self, folder: Path, behaviour: Behaviour, *, page_size: int = 3) -> None:
        self.parts = frozenset(Part)
        self._clock = Ticking()
        self.store = Store(now=self._clock)
        self.owners = tuple(
            self.store.add_user(NewUser(name, f"{name}@example.com")) for name in ("ann", "bob")
        )
        self.faults = Faults()
        self.server = ZohoSandbox(self.store, behaviour=behaviour, faults=self.faults)
        self.server.start()
        self.folder = folder
        self.page_size = page_size
        self.samples = Samples(
            object="Accounts",
            pull_fields=FIELDS,
            field=("Customer_Status", "Active", "Void"),
            owners=self.owners,
            tag="hs-contract",
            foreign_tag="foreign-contract",
        )
        self.adapter = self.open()
        self._numbers = itertools.count(1)

    def open(self, **options: Any) -> ZohoAdapter:
        known = Credentials()
        block = {
            "accounts_url": self.server.url,
            "client_id": known.client_id,
            "client_secret": known.client_secret,
            "refresh_token": known.refresh_token,
            "page_size": self.page_size,
        }
        settings = ZohoSettings.model_validate(block | options)
        timing = Timing(sleep=lambda seconds: None)
        return ZohoAdapter(settings, timing=timing, token_cache_dir=self.folder)

    def close(self) -> None:
        self.adapter.close()
        self.server.stop()
        self.store.close()

    def store_time(self, skip: int = 0) -> datetime:
        self._clock.now += timedelta(seconds=skip)
        return self._clock.now

    def seed(self, count: int) -> tuple[Ref, ...]:
        rows = [
            {
                "Account_Name": f"Account {next(self._numbers)}",
                "Customer_Status": "Active",
                "Owner": self.owners[0],
            }
            for _ in range(count)
        ]
        return tuple(Ref("Accounts", each) for each in self.store.insert("Accounts", rows))

    def snapshot(self) -> Mapping[str, Any]:
        """The store's own snapshot rows are [fields, owner, parent, tags]."""
        rows = {key: json.loads(text) for key, text in self.store.snapshot().items()}
        accounts = {
            key: {"fields": json.loads(fields), "owner": owner, "tags": tags, "notes": []}
            for key, (fields, owner, _, tags) in rows.items()
            if key.startswith("Accounts:")
        }
        for key, (fields, _, parent, _) in rows.items():
            if key.startswith("Notes:"):
                note = json.loads(fields)
                parts = (note.get("Note_Title"), note.get("Note_Content"))
                text = "\n".join(part for part in parts if part)
                accounts[f"Accounts:{parent}"]["notes"].append(text)
        return accounts

    def writes(self) -> int:
        return len(self.server.writes)

    def wait(self, seconds: float) -> None:
        """A request that the sandbox has answered or dropped cannot arrive any more."""

    def edit(self, ref: Ref) -> None:
        self.store.edit(ref.object, ref.id, {"Phone": str(next(self._numbers))}, by=self.owners[1])

    def add_tag(self, ref: Ref, tag: str) -> None:
        self.store.add_tag(ref.id, tag, by=self.owners[1])

    def add_note(self, ref: Ref, text: str) -> None:
        self.store.add_note(ref.id, text, by=self.owners[1])

    def delete(self, ref: Ref) -> None:
        self.store.delete(ref.id)

    def lock(self, ref: Ref) -> None:
        self.store.lock(ref.id)

    def lose_answer(self) -> None:
        self.faults.add(Fault(path="/crm/*", drop="after"))

    def drop_request(self) -> None:
        self.faults.add(Fault(path="/crm/*", drop="before"))


def open_world(folder: Path, quirks: Quirks | None = None, **limits: int) -> SandboxWorld:
    behaviour = Behaviour(quirks=quirks or Quirks(), limits=Limits(**limits))
    return SandboxWorld(folder, behaviour)


OTHERWISE = Quirks(
    tag_change_bumps_modified=False,
    note_bumps_parent=True,
    not_modified_status=204,
    unknown_field_read="error",
    unknown_field_written="error",
    all_failed_status=202,
    locked_tag_reply_flat=True,
    over_write_read_from="query",
    tag_reply_extras=True,
    notes_default_order="desc",
    missing_record="empty",
)


@pytest.fixture(params=[Quirks(), OTHERWISE], ids=["likelier", "otherwise"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SandboxWorld]:
    opened = open_world(tmp_path, request.param)
    yield opened
    opened.close()


class TestZohoKeepsThePort(AdapterContract):
    """The conformance suite, whichever way Zoho answers the open questions."""


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[SandboxWorld]:
    opened = open_world(tmp_path)
    yield opened
    opened.close()


def paths(world: SandboxWorld) -> list[str]:
    return [request.path for request in world.server.requests]


def ids_pulled(world: SandboxWorld, adapter: ZohoAdapter, **options: Any) -> list[str]:
    request = PullRequest("Accounts", FIELDS, **options)
    return [json.loads(row)["id"] for page in adapter.pull(request) for row in page.rows]


def test_nothing_changed_costs_one_call_an_object_and_one_for_the_identity(
    plain: SandboxWorld,
) -> None:
    plain.seed(7)
    plain.adapter.identity()
    since = list(plain.adapter.pull(PullRequest("Accounts", FIELDS)))[-1].watermark
    plain.adapter.close()
    later = max(since, plain.store_time()) + timedelta(seconds=1)
    plain.adapter = plain.open()
    plain.server.forget_requests()
    plain.adapter.identity()
    pages = list(plain.adapter.pull(PullRequest("Accounts", FIELDS, since=later)))
    assert [(page.rows, page.deleted, page.resume) for page in pages] == [((), (), None)]
    assert paths(plain) == ["/crm/v8/org", "/crm/v8/Accounts/deleted", "/crm/v8/Accounts"]
    assert plain.adapter.calls.total == 3


def test_a_walk_goes_beyond_the_limits_of_page_numbers_and_of_tokens(tmp_path: Path) -> None:
    world = open_world(tmp_path, discrete_rows=6, token_rows=12)
    refs = [ref for _ in range(30) for ref in world.seed(1)]
    found = ids_pulled(world, world.adapter)
    world.close()
    assert set(found) == {ref.id for ref in refs}
    assert len(found) < 45


def test_a_walk_starts_again_when_its_token_has_expired(tmp_path: Path) -> None:
    world = open_world(tmp_path, page_token_seconds=3)
    refs = [ref for _ in range(9) for ref in world.seed(1)]
    pages = world.adapter.pull(PullRequest("Accounts", FIELDS))
    first = next(pages)
    world.store_time(skip=60)
    rest = list(pages)
    world.close()
    found = {json.loads(row)["id"] for page in (first, *rest) for row in page.rows}
    assert found == {ref.id for ref in refs}


def test_records_that_change_during_the_walk_are_not_lost(plain: SandboxWorld) -> None:
    refs = [ref for _ in range(12) for ref in plain.seed(1)]
    found: set[str] = set()
    for number, page in enumerate(plain.adapter.pull(PullRequest("Accounts", FIELDS))):
        found |= {json.loads(row)["id"] for row in page.rows}
        if number < 2:
            plain.edit(refs[number])
    assert found == {ref.id for ref in refs}


def test_a_token_that_dies_early_is_renewed_once(plain: SandboxWorld) -> None:
    plain.adapter.identity()
    plain.server.expire_tokens()
    plain.server.forget_requests()
    plain.adapter.identity()
    assert paths(plain) == ["/crm/v8/org", "/oauth/v2/token", "/crm/v8/org"]


def test_one_token_serves_all_processes(plain: SandboxWorld) -> None:
    for _ in range(12):
        adapter = plain.open()
        adapter.identity()
        adapter.close()
    assert paths(plain).count("/oauth/v2/token") == 1


def test_never_more_tokens_than_zoho_gives(plain: SandboxWorld) -> None:
    for _ in range(9):
        plain.adapter.identity()
        plain.server.expire_tokens()
    plain.adapter.identity()
    plain.server.expire_tokens()
    with pytest.raises(QuotaError) as caught:
        plain.adapter.identity()
    assert "try again after" in caught.value.hint
    assert paths(plain).count("/oauth/v2/token") == 10


def test_zoho_refusing_more_tokens_says_when_to_try_again(
    tmp_path: Path,
) -> None:
    world = open_world(tmp_path, tokens_per_window=1)
    world.adapter.identity()
    world.server.expire_tokens()
    for _ in range(2):
        with pytest.raises(QuotaError) as caught:
            world.adapter.identity()
        assert "try again after" in caught.value.hint
    asked = paths(world).count("/oauth/v2/token")
    world.close()
    assert asked == 2


def test_a_wrong_refresh_token_is_said_at_once(plain: SandboxWorld) -> None:
    adapter = plain.open(refresh_token="1000.revoked")
    with pytest.raises(AuthenticationError, match="invalid_code"):
        adapter.identity()
    adapter.close()
    assert paths(plain) == ["/oauth/v2/token"]


@pytest.mark.parametrize("profile", ["Administrator", "Standard"])
def test_notes_are_found_with_and_without_the_right_to_list_them_all(
    profile: str, tmp_path: Path
) -> None:
    world = open_world(tmp_path)
    refs = world.seed(4)
    changes = [note_change(ref, number) for number, ref in enumerate(refs)]
    outcomes = send(world.adapter, changes)
    if profile == "Standard":
        world.server.stop()
        user = Credentials(user=world.owners[0])
        world.server = ZohoSandbox(world.store, behaviour=Behaviour(credentials=user))
        world.server.start()
    adapter = world.open()
    world.server.forget_requests()
    notes = tuple(
        NoteRef(ref, f"MARKER000{number}", outcome.remote_id)
        for number, (ref, outcome) in enumerate(zip(refs, outcomes, strict=True))
    )
    states = list(adapter.read(ReadRequest(refs, notes=notes)))
    again = list(adapter.read(ReadRequest(refs, notes=notes)))
    asked = paths(world)
    adapter.close()
    world.close()
    assert [state.notes[0].text for state in states] == [
        f"Title {number}\nmore MARKER000{number}" for number in range(4)
    ]
    assert again == states
    assert asked.count("/crm/v8/Notes") == (1 if profile == "Standard" else 2)


def note_change(ref: Ref, number: int) -> Change:
    marker = f"MARKER000{number}"
    step = Step(StepKind.NOTE, marker, before=None, after=f"Title {number}\nmore {marker}")
    return Change(f"note-{ref.id}", ref, "rule", (step,))


def send(adapter: ZohoAdapter, changes: list[Change]) -> list[Any]:
    primitives = tuple(p for change in changes for p in adapter.lower(change))
    return [each for batch in adapter.batches(primitives) for each in adapter.send(batch)]


def test_a_record_that_is_full_of_tags_takes_no_other(tmp_path: Path) -> None:
    world = open_world(tmp_path, tags_per_record=1)
    full, empty = world.seed(2)
    world.add_tag(full, "theirs")
    steps = (Step(StepKind.TAG, "ours", before=False, after=True),)
    outcomes = send(world.adapter, [Change(ref.id, ref, "rule", steps) for ref in (full, empty)])
    tags = [state.tags for state in world.adapter.read(ReadRequest((full, empty)))]
    world.close()
    assert [outcome.status for outcome in outcomes] == [OutcomeStatus.REFUSED, OutcomeStatus.DONE]
    assert tags == [{"theirs"}, {"ours"}]


@pytest.mark.parametrize("flat", [True, False])
def test_one_locked_record_keeps_no_other_from_its_tag(flat: bool, tmp_path: Path) -> None:
    world = open_world(tmp_path, Quirks(locked_tag_reply_flat=flat))
    refs = world.seed(3)
    world.lock(refs[1])
    steps = (Step(StepKind.TAG, "ours", before=False, after=True),)
    primitives = tuple(
        p for ref in refs for p in world.adapter.lower(Change(ref.id, ref, "rule", steps))
    )
    (batch,) = world.adapter.batches(primitives)
    sent = world.adapter.send(batch)
    settled = world.adapter.settle(batch)
    live = [bool(state.tags) for state in world.adapter.read(ReadRequest(refs))]
    world.close()
    assert sent[1].status is OutcomeStatus.PARKED
    for position in (0, 2):
        known = sent[position] if not flat else settled[position]
        assert (known.status is OutcomeStatus.DONE) == live[position]


def test_fields_are_written_without_waking_automations(plain: SandboxWorld) -> None:
    (ref,) = plain.seed(1)
    steps = (
        Step(StepKind.FIELD, "Customer_Status", "Active", "Void"),
        Step(StepKind.OWNER, "", plain.owners[0], plain.owners[1]),
    )
    outcomes = send(plain.adapter, [Change("one", ref, "rule", steps)])
    assert [outcome.status for outcome in outcomes] == [OutcomeStatus.DONE] * 2
    assert len(plain.server.writes) == 1
    assert list(plain.server.automations) == []


def test_a_value_that_the_field_does_not_take_is_refused(plain: SandboxWorld) -> None:
    (ref,) = plain.seed(1)
    step = Step(StepKind.FIELD, "Customer_Status", "Active", "Nonsense")
    (outcome,) = send(plain.adapter, [Change("one", ref, "rule", (step,))])
    assert outcome.status is OutcomeStatus.REFUSED
    assert outcome.detail == "Customer_Status"
    fields = plain.adapter.describe().objects["Accounts"].fields
    (status,) = (field for field in fields if field.name == "Customer_Status")
    assert "Nonsense" not in status.options
    assert "Void" in status.options


def test_people_are_pulled_in_full_each_time(plain: SandboxWorld) -> None:
    request = PullRequest("users", ("full_name",), since=datetime.now(UTC))
    (page,) = plain.adapter.pull(request)
    names = {json.loads(row)["full_name"] for row in page.rows}
    assert {"ann", "bob"} <= names
    assert page.deleted == ()
