"""What happens over several runs: each part may be right by itself and the whole still wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from adapters.memory_crm import AnswerLostError, Fault, RowError
from adapters.memory_profile import PLAIN, Profile
from connector import sync
from connector.errors import ConfigurationError, RefusedError, UnavailableError
from connector.journal import RESEED
from connector.marker import marker
from connector.models import Outcome, PrimitiveKind, Ref
from connector.plan_model import RowStatus
from connector.ports import FieldInfo, NoteLookup, ObjectInfo, Schema
from connector.sync import check_policy_fits, open_journal
from connector.workspace import load_workspace, replace_file
from policies.policy import load_policy
from tests.crm_sandbox import Client
from tests.little_crm import POLICY, Shop

TAG_ONLY = POLICY.replace("note: true", "note: false").replace(", status: void", "")
TIERS = """
policy: 1
name: little
rules:
  - tier: value
    bands:
      - {name: A, when: industry = 'a', mark: {tag: A}}
      - {name: B, when: else, mark: {tag: B}}
    note: true
"""
TRIED_NAMES = (
    "a\nb",
    "'; DROP TABLE customers; --",
    '"q"',
    "😀",
    "\u202eabc",
    "\x1b[31m",
    None,
    "",
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def quiet_customer(shop: Shop) -> Ref:
    """A customer whom the rule has caught."""
    (ref,) = shop.customers(1, industry="quiet", status="active")
    assert shop.go().complete
    return ref


def status_of(shop: Shop, ref: Ref) -> str:
    status: str = shop.crm.snapshot()[str(ref)]["fields"]["status"]
    return status


# What other people do.


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "deleted"])
def test_a_note_that_somebody_changed_is_named_once_and_the_stay_still_ends(
    shop: Shop, edited: bool
) -> None:
    ref = quiet_customer(shop)
    (note,) = shop.crm.notes
    if edited:
        shop.crm.edit_note(note, "mine now")
    else:
        shop.crm.delete_note(note)
    shop.crm.edit(ref, industry="busy")
    report = shop.go()
    assert [each.kind for each in report.exceptions] == [PrimitiveKind.DELETE_NOTE]
    assert shop.go().complete
    assert shop.plan().changes == 0
    assert shop.crm.snapshot()[str(ref)]["notes"] == (["mine now"] if edited else [])
    assert [still for *_, still in shop.episodes()] == [False]
    assert shop.holdings() == []


def test_a_deleted_note_is_not_put_back_when_the_evidence_changes(tmp_path: Path) -> None:
    wider = "industry = 'quiet' OR industry = 'silent'"
    shop = Shop(tmp_path, POLICY.replace("industry = 'quiet'", wider))
    ref = quiet_customer(shop)
    shop.crm.delete_note(next(iter(shop.crm.notes)))
    shop.crm.edit(ref, industry="silent")
    assert [each.code for each in shop.go().exceptions] == ["changed"]
    assert shop.plan().changes == 0
    assert shop.crm.snapshot()[str(ref)]["notes"] == []


def test_leaving_restores_what_somebody_set_between_two_stays(shop: Shop) -> None:
    ref = quiet_customer(shop)
    shop.crm.edit(ref, status="watched", industry="busy")
    assert shop.go().complete
    assert (status_of(shop, ref), shop.holdings()) == ("watched", [])
    shop.crm.edit(ref, industry="quiet")
    assert shop.go().complete
    assert status_of(shop, ref) == "void"
    shop.crm.edit(ref, industry="busy")
    assert shop.go().complete
    assert status_of(shop, ref) == "watched"


def test_a_tag_that_somebody_set_after_our_stay_is_theirs(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TAG_ONLY)
    ref = quiet_customer(shop)
    shop.later(hours=1)
    shop.crm.remove_tag(ref, "quiet")
    shop.crm.edit(ref, industry="busy")
    assert shop.go().complete
    shop.later(hours=1)
    shop.crm.add_tag(ref, "quiet")
    shop.crm.edit(ref, industry="quiet")
    shop.later(hours=1)
    assert shop.statuses(shop.plan()) == [(str(ref), "foreign")]
    shop.crm.edit(ref, industry="busy")
    shop.go()
    assert shop.crm.snapshot()[str(ref)]["tags"] == ["quiet"]


def test_protection_keeps_a_stay_as_it_is_for_as_long_as_the_rule_holds(shop: Shop) -> None:
    ref = quiet_customer(shop)
    before = shop.crm.snapshot()[str(ref)]
    shop.crm.edit(ref, region="key")
    shop.later(hours=1)
    assert shop.statuses(shop.plan()) == [(str(ref), "protected")]
    assert (shop.go().done, shop.crm.snapshot()[str(ref)]["tags"]) == (0, before["tags"])
    shop.crm.edit(ref, industry="busy")
    assert shop.go().complete
    assert shop.crm.snapshot()[str(ref)]["tags"] == []


def test_a_customer_deleted_during_a_stay_is_out_of_every_plan(shop: Shop) -> None:
    ref, other = shop.customers(2, industry="quiet", status="active")
    assert shop.go().complete
    shop.crm.delete(ref)
    shop.crm.edit(other, industry="busy")
    shop.later(hours=1)
    assert shop.statuses(shop.plan()) == [(str(other), "change")]


# Ways back.


def test_undoing_two_runs_one_after_the_other_leads_back_to_the_start(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TIERS)
    (ref,) = shop.customers(1, industry="a")
    start = shop.crm.snapshot()[str(ref)]
    first = shop.go().run_id
    middle = shop.crm.snapshot()
    shop.crm.edit(ref, industry="b")
    second = shop.go().run_id
    assert shop.apply(shop.undo(second)).complete
    assert shop.crm.snapshot()[str(ref)]["tags"] == middle[str(ref)]["tags"]
    assert shop.apply(shop.undo(first)).complete
    end = shop.crm.snapshot()[str(ref)]
    assert (end["tags"], end["notes"]) == (start["tags"], start["notes"])
    assert shop.holdings() == []


def test_a_note_put_back_by_undo_is_taken_away_by_an_older_undo(shop: Shop) -> None:
    ref = quiet_customer(shop)
    with open_journal(shop.workspace, shop.clock) as journal:
        entered = next(run.id for run in journal.runs() if run.summary.get("done"))
    shop.crm.edit(ref, industry="busy")
    left = shop.go().run_id
    assert shop.apply(shop.undo(left)).complete
    assert len(shop.crm.notes) == 1
    assert shop.apply(shop.undo(entered)).complete
    assert shop.crm.notes == {}


def test_an_ended_stay_is_not_reopened_beside_the_next_one(shop: Shop) -> None:
    ref = quiet_customer(shop)
    shop.crm.edit(ref, industry="busy")
    left = shop.go().run_id
    shop.crm.edit(ref, industry="quiet")
    assert shop.go().complete
    state = shop.crm.snapshot()
    plan = shop.undo(left)
    assert {row.status for row in shop.rows(plan)} == {RowStatus.IRREVERSIBLE}
    shop.apply(plan)
    assert shop.crm.snapshot() == state
    shop.crm.edit(ref, industry="busy")
    shop.later(hours=1)
    assert len(shop.rows(shop.plan())) == 1


def test_undoing_a_run_of_which_half_was_refused_leaves_no_difference(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.customers(5, industry="quiet", status="active")
    before = shop.crm.snapshot()
    create, asked = shop.crm.create_note, []

    def reluctant(ref: Ref, text: str, by: str = "api") -> str:
        asked.append(ref)
        if len(asked) < 3:
            raise RowError("REFUSED")
        return create(ref, text, by)

    with monkeypatch.context() as patch:
        patch.setattr(shop.crm, "create_note", reluctant)
        report = shop.go()
    assert report.partial_total == 2
    assert shop.apply(shop.undo(report.run_id)).complete
    assert shop.crm.snapshot() == before
    assert shop.holdings() == []


def test_the_first_few_then_the_rest_then_back_in_two_steps(shop: Shop) -> None:
    shop.customers(5, industry="quiet", status="active")
    before = shop.crm.snapshot()
    plan = shop.plan()
    few = shop.apply(plan, first=2)
    assert (few.changes_done, shop.apply(plan, first=2).writes) == (2, 0)
    assert shop.plan(offline=True).changes == 3
    rest = shop.apply(plan)
    assert rest.changes_done == 5
    for run in (rest, few):
        assert shop.apply(shop.undo(run.run_id)).complete
    assert shop.crm.snapshot() == before


# What the ground does.


def test_a_note_that_nobody_can_tell_of_is_not_put_again_by_the_next_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = msgspec.structs.replace(PLAIN.capabilities, note_lookup=NoteLookup.NONE)
    shop = Shop(tmp_path, profile=Profile("blind", blind))
    (ref,) = shop.customers(1, industry="quiet", status="active")
    create = shop.crm.create_note

    def lost(ref: Ref, text: str, by: str = "api") -> str:
        create(ref, text, by)
        raise AnswerLostError

    with monkeypatch.context() as patch:
        patch.setattr(shop.crm, "create_note", lost)
        assert [each.state for each in shop.go().exceptions] == ["unknown"]
    assert shop.go().writes == 0
    assert len(shop.crm.snapshot()[str(ref)]["notes"]) == 1


def test_a_plan_after_a_killed_run_shows_what_that_run_wrote(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.customers(1, industry="quiet", status="active")
    plan = shop.plan()
    with monkeypatch.context() as patch:
        patch.setattr(sync, "stage_written", lambda *_: None)
        shop.apply(plan)
    assert shop.rows(shop.plan(offline=True)) == []


def test_a_staged_copy_that_was_deleted_is_filled_again_and_nothing_is_proposed(shop: Shop) -> None:
    quiet_customer(shop)
    for path in shop.workspace.state.glob("warehouse*"):
        path.unlink()
    with pytest.raises(RefusedError, match="nothing has been pulled"):
        shop.plan(offline=True)
    assert shop.plan().changes == 0
    assert shop.plan(offline=True).changes == 0


def test_a_value_that_nobody_can_tell_of_is_not_held_as_ours(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.customers(1, industry="quiet", status="active")
    shop.crm.fail_next(Fault.DROP)
    monkeypatch.setattr(shop.adapter, "settle", lambda _batch: [])
    assert [each.state for each in shop.go().exceptions] == ["unknown"]
    assert shop.holdings() == []


def unanswered(_batch: object) -> list[Outcome]:
    raise UnavailableError("no answer", "later")


def test_a_clock_set_back_makes_nobody_wait_for_days(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.customers(1, industry="quiet", status="active")
    plan = shop.plan()
    with monkeypatch.context() as patch:
        patch.setattr(shop.adapter, "send", unanswered)
        with pytest.raises(UnavailableError):
            shop.apply(plan)
    shop.later(days=-2)
    before = shop.clock()
    assert shop.apply(plan).complete
    assert (shop.clock() - before).total_seconds() < 120


def test_a_policy_edited_after_the_plan_is_refused(shop: Shop) -> None:
    shop.customers(1, industry="quiet", status="active")
    plan = shop.plan()
    shop.write_policy(POLICY + "limits: {count: 5}\n")
    with pytest.raises(RefusedError, match="the policy is now"):
        shop.apply(plan)
    assert shop.crm.writes == 0


@pytest.mark.parametrize("day", ["2025-12-30", "2030-01-01"])
def test_a_plan_as_of_another_day_is_for_looking_only(shop: Shop, day: str) -> None:
    shop.customers(1, industry="quiet", status="active")
    shop.plan()
    plan = shop.plan(as_of=day)
    with pytest.raises(RefusedError, match="is as of"):
        shop.apply(plan)
    assert shop.crm.writes == 0


def test_a_plan_as_of_yesterday_is_for_looking_soon_after_midnight_too(shop: Shop) -> None:
    shop.customers(1, industry="quiet", status="active")
    shop.plan()
    shop.later(hours=16, minutes=30)
    assert (
        shop.clock().astimezone(shop.workspace.zone_info).isoformat() == "2026-01-05T00:30:00+08:00"
    )
    plan = shop.plan(as_of="2026-01-04")
    with pytest.raises(RefusedError, match="is as of"):
        shop.apply(plan)


def test_names_ids_and_tags_may_hold_anything(tmp_path: Path) -> None:
    policy = POLICY.replace("void: quiet", 'void: "qu\'i\\"et; DROP TABLE x --"')
    shop = Shop(tmp_path, policy.replace("tag: quiet", 'tag: "o\'cl\\"ock"'))
    for name in TRIED_NAMES:
        shop.crm.seed("Accounts", 1, name=name, industry="quiet", region="north", status="active")
    shop.later(days=3)
    before = shop.crm.snapshot()
    plan = shop.plan()
    assert plan.changes == len(TRIED_NAMES)
    assert shop.plan(offline=True).fingerprint == plan.fingerprint
    run = shop.apply(plan)
    assert run.complete
    assert shop.plan(offline=True).changes == 0
    assert shop.apply(shop.undo(run.run_id)).complete
    assert shop.crm.snapshot() == before


# A lost journal.


def lose_journal(client: Client) -> None:
    for path in load_workspace(client.folder).state.glob("journal.sqlite*"):
        path.unlink()


@pytest.mark.parametrize("number", [1, 2], ids=["copied", "of another stay"])
def test_a_lost_journal_takes_one_note_a_stay(client: Client, number: int) -> None:
    client.ok("plan")
    client.ok("apply", "--yes")
    workspace = load_workspace(client.folder)
    with open_journal(workspace) as journal:
        held = next(each for each in journal.holdings() if each.kind == "note")
    organisation = str(workspace.known_organisation())
    name = marker(organisation, held.customer, held.rule, number)
    title, _, content = str(held.value).replace(held.target, name).partition("\n")
    client.store.add_note(held.customer.partition(":")[2], content, title)
    lose_journal(client)
    client.ok("plan")
    with open_journal(workspace) as journal:
        mine = [each for each in journal.episodes() if each.customer == held.customer]
    assert [each.number for each in mine] == [number]


def test_a_crm_that_is_down_for_a_moment_is_asked_for_our_notes_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.customers(1, industry="quiet", status="active")

    def down(*_: object) -> int:
        raise UnavailableError("no answer", "later")

    with monkeypatch.context() as patch:
        patch.setattr(sync, "reseed", down)
        with pytest.raises(UnavailableError):
            shop.plan()
    assert shop.plan().changes == 1
    with open_journal(shop.workspace, shop.clock) as journal:
        assert [run.status for run in journal.runs() if run.kind == RESEED] == [
            "done",
            "broken off",
        ]


# The CRM's fields.


def described(shop: Shop, **fields: FieldInfo) -> Schema:
    objects = {name: ObjectInfo(name, name, (info,)) for name, info in fields.items()}
    return Schema(objects, shop.adapter.profile.capabilities)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (FieldInfo("other", "text", writable=True), "has no field"),
        (FieldInfo("status", "text"), "cannot be written"),
        (FieldInfo("status", "boolean", writable=True), "is of type boolean"),
        (FieldInfo("status", "choice", writable=True, options=("new",)), "has no option void"),
    ],
)
def test_the_status_field_of_another_object_is_no_help(
    shop: Shop, info: FieldInfo, said: str
) -> None:
    policy = load_policy(shop.root / "policy.yaml")
    fine = FieldInfo("status", "choice", writable=True, options=("void",))
    schema = described(shop, Accounts=info, Orders=fine)
    check_policy_fits(policy, schema, shop.workspace)
    check_policy_fits(policy, schema, shop.workspace, ["Orders"])
    with pytest.raises(ConfigurationError, match=said):
        check_policy_fits(policy, schema, shop.workspace, ["Accounts"])
    with pytest.raises(ConfigurationError, match=said):
        check_policy_fits(policy, described(shop, Accounts=info), shop.workspace)


def test_an_option_added_in_the_crm_is_seen_by_the_next_plan(shop: Shop) -> None:
    shop.customers(1, industry="quiet", status="active")
    shop.plan()
    schema = described(shop, Accounts=FieldInfo("status", "choice", writable=True, options=("x",)))
    replace_file(shop.workspace.schema_path, msgspec.json.encode(schema))
    assert shop.plan().changes == 1


# What the policy's author does.

TWO_VOIDS = """
policy: 1
name: two
rules:
  - void: first
    reason: lost_contact
    when: industry = 'quiet'
    mark: {tag: first, status: void}
  - void: second
    reason: no_intent
    when: industry = 'quiet' OR industry = 'refused'
    mark: {tag: second, status: STATUS}
"""


@pytest.mark.parametrize("second", ["void", "watched"])
def test_a_status_passes_from_one_rule_to_the_next_and_back_to_what_it_was(
    tmp_path: Path, second: str
) -> None:
    shop = Shop(tmp_path, TWO_VOIDS.replace("STATUS", second))
    ref = quiet_customer(shop)
    assert status_of(shop, ref) == "void"
    for industry, status, tags in (
        ("refused", second, ["second"]),
        ("quiet", "void", ["first"]),
        ("refused", second, ["second"]),
        ("busy", "active", []),
    ):
        shop.later(hours=1)
        shop.crm.edit(ref, industry=industry)
        assert shop.go().complete
        assert (status_of(shop, ref), shop.crm.snapshot()[str(ref)]["tags"]) == (status, tags)
        assert shop.plan().changes == 0


def test_a_rule_removed_from_the_policy_takes_its_marks_with_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TWO_VOIDS.replace("STATUS", "watched"))
    before = shop.crm.snapshot()
    refs = shop.customers(2, industry="quiet", status="active")
    kept = shop.customers(1, industry="refused", status="active")
    before = shop.crm.snapshot()
    assert shop.go().complete
    first, _ = TWO_VOIDS.split("  - void: second")
    shop.write_policy(first.replace("industry = 'quiet'", "industry = 'nobody'"))
    shop.later(hours=1)
    plan = shop.plan()
    retired = [rule for rule in plan.header.rules if rule.kind == "retired"]
    assert [(rule.rule, rule.changes, rule.matched) for rule in retired] == [("second", 1, 0)]
    assert plan.changes == len(refs) + len(kept)
    assert shop.apply(plan).complete
    assert visible(shop, refs + kept) == {key: before[key] for key in map(str, refs + kept)}
    assert shop.plan().changes == 0


def visible(shop: Shop, refs: tuple[Ref, ...]) -> dict[str, object]:
    shown = shop.crm.snapshot()
    return {str(ref): shown[str(ref)] for ref in refs}


def test_the_marks_of_a_removed_rule_are_taken_back_from_protected_customers_too(
    shop: Shop,
) -> None:
    ref = quiet_customer(shop)
    shop.crm.edit(ref, region="key")
    shop.write_policy(
        POLICY.replace("void: quiet", "void: renamed").replace("tag: quiet", "tag: r")
    )
    shop.later(hours=1)
    plan = shop.plan()
    assert [(rule.rule, rule.changes) for rule in plan.header.rules] == [
        ("renamed", 0),
        ("quiet", 1),
    ]


def test_a_renamed_rule_hands_its_customers_over_in_two_plans(shop: Shop) -> None:
    ref = quiet_customer(shop)
    shop.write_policy(POLICY.replace("void: quiet", "void: renamed"))
    shop.go()
    assert shop.crm.snapshot()[str(ref)]["tags"] == []
    assert shop.go().complete
    assert shop.crm.snapshot()[str(ref)]["tags"] == ["quiet"]
    assert [each[1] for each in shop.episodes() if each[4]] == ["renamed"]
    assert shop.plan().changes == 0


def test_a_cap_holds_for_leaving_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path, POLICY + "limits: {count: 3}\n")
    refs = shop.customers(3, industry="quiet", status="active")
    assert shop.go().complete
    shop.write_policy(POLICY + "limits: {count: 2}\n")
    for ref in refs:
        shop.crm.edit(ref, industry="busy")
    shop.later(hours=1)
    plan = shop.plan()
    assert plan.header.tripped == {"quiet"}
    assert plan.changes == 0
