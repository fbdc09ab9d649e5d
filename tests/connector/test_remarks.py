"""What is said about a policy beside its decisions, in every language."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from connector.errors import FileProblems
from connector.guard import NOT_LOGGED
from connector.mapping import CompiledMapping, compile_mapping
from connector.remarks import (
    contact_remarks,
    owner_remarks,
    pause_line,
    policy_remarks,
    process_words,
    read_signed,
    sign_policy,
    status_remarks,
)
from connector.workspace import ContactSection
from policies.authoring.signature import SIGNOFF_FILE
from policies.languages import LANGUAGES
from policies.messages import message
from policies.model import Policy
from policies.policy import parse_policy
from policies.process import Process
from tests.connector.pull_world import World, account, make_world

TODAY = date(2026, 5, 20)
PLAIN = """\
policy: 2
name: p
language: en
params: {days: 90}
rules:
  - void: gone
    reason: lost_contact
    when: days_since(last_order_at) >= $days
    mark: {tag: gone}
"""
FULL = """\
policy: 2
name: p
calendar: {holidays: CN}
pools:
  North: {when: region = 'north', unclaimed: {after: 15 workdays, move_to: Rest}}
  Rest: {when: else}
rules:
  - pool: back
    when: days_since(owned_since) >= 90
    mark: {tag: back, field: {Due: $act_date}}
    tell: [{at: start, to: owner}]
    wait: 7 workdays
    cancel: open_deals > 0
    extend: {times: 1, days: 15, approve: manager}
    act: {return: auto}
  - void: gone
    reason: lost_contact
    when: attempts_unanswered(180) >= 5
    mark: {tag: gone}
    review: [owner, manager]
    revisit: {every: 180 days}
  - task: wake
    when: days_since(last_order_at) > 90
    todo: {to: owner, due: 10 workdays, text: Call}
  - defect: late
    axis: conduct
    when: invoices_overdue > 3
    mark: {tag: late}
limits: {total: 3%, backlog: {wave: 50, order: oldest}}
"""
ALL_WORDS = ("tell", "wait", "cancel", "extend", "act", "mark.field", "review", "revisit", "todo")
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def said(text: str | Policy, path: Path, language: str = "en", day: date = TODAY) -> list[str]:
    policy = parse_policy(text) if isinstance(text, str) else text
    return policy_remarks(policy, path, language, day)


@each_language
def test_of_a_policy_that_is_carried_out_whole_there_is_nothing_to_say(
    path: Path, language: str
) -> None:
    assert said(PLAIN, path, language) == []


@each_language
def test_an_older_version_is_said_with_its_place(path: Path, language: str) -> None:
    lines = said(PLAIN.replace("policy: 2", "policy: 1"), path, language)
    assert len(lines) == 1
    assert "policy.yaml:1:9: " in lines[0]
    assert lines[0].startswith(message(language, "policy.warning", problem=""))


@each_language
def test_words_that_are_kept_and_not_carried_out_are_named(path: Path, language: str) -> None:
    lines = said(FULL, path, language)
    assert len(lines) == 5
    separator = message(language, "list.separator")
    for rule, words in (
        ("back", ["tell", "wait", "cancel", "extend", "act", "mark.field"]),
        ("gone", ["review", "revisit"]),
        ("wake", ["todo"]),
    ):
        shown = separator.join(words)
        assert message(language, "policy.marks_only", rule=rule, words=shown) in lines
    kept = separator.join(["pools.North.unclaimed", "limits.backlog"])
    assert message(language, "policy.kept", words=kept) in lines
    assert not any("late" in line for line in lines)


def test_every_word_of_the_process_can_be_named() -> None:
    text = "\n".join(said(FULL, Path("policy.yaml")))
    assert all(word in text for word in ALL_WORDS)
    assert set(Process.__slots__) == set(ALL_WORDS) - {"mark.field"}
    assert process_words(None) == ()
    assert process_words(Process()) == ()


@each_language
def test_a_year_without_a_calendar_is_named(path: Path, language: str) -> None:
    assert said(FULL, path, language)[-1] == message(language, "policy.calendar", years="2027")
    separator = message(language, "list.separator")
    later = said(FULL, path, language, date(2030, 5, 1))[-1]
    assert f"2030{separator}2031" in later


def test_what_was_signed_is_read_again(path: Path) -> None:
    assert read_signed(path) is None
    policy = parse_policy(PLAIN)
    signed = sign_policy(policy, path, "王敏", TODAY)
    assert read_signed(path) == signed
    assert (signed.name, signed.on, signed.hash) == ("王敏", TODAY, policy.hash)
    assert "name: 王敏" in (path.parent / SIGNOFF_FILE).read_text("utf-8")
    assert said(policy, path) == []


@each_language
def test_what_differs_from_what_was_signed_is_named(path: Path, language: str) -> None:
    sign_policy(parse_policy(PLAIN), path, "王敏", TODAY)
    changed = PLAIN.replace("days: 90", "days: 120").replace(
        "language: en", f"language: {language}"
    )
    (line,) = said(changed, path, language)
    for word in ("王敏", "2026-05-20", "90", "120", "days", "gone"):
        assert word in line
    assert "{" not in line
    assert "policy.differs" not in line


def test_a_new_signature_settles_it(path: Path) -> None:
    sign_policy(parse_policy(PLAIN), path, "王敏", TODAY)
    changed = parse_policy(PLAIN.replace("days: 90", "days: 120"))
    assert len(said(changed, path)) == 1
    sign_policy(changed, path, "李雷", TODAY)
    assert said(changed, path) == []


def test_a_signature_that_cannot_be_read_is_a_problem_with_a_place(path: Path) -> None:
    path.with_name(SIGNOFF_FILE).write_text("signoff: 1\nname: 3\n", encoding="utf-8")
    with pytest.raises(FileProblems, match=r"signoff\.yaml:2:7"):
        read_signed(path)


@each_language
def test_pool_rules_are_for_review_where_contact_is_not_logged(language: str) -> None:
    policy = parse_policy(FULL)
    channels = message(language, "list.separator").join(
        message(language, f"channel.{name}") for name in ("wechat", "phone")
    )
    line = message(language, "policy.review_only", rules="back", channels=channels)
    assert contact_remarks(policy, ("wechat", "phone"), language) == [line]
    assert contact_remarks(policy, (), language) == []
    assert contact_remarks(parse_policy(PLAIN), ("phone",), language) == []


@each_language
def test_every_channel_has_a_name(language: str) -> None:
    (names,) = get_args(ContactSection.model_fields["not_logged"].annotation)[:1]
    assert all(message(language, f"channel.{name}") for name in get_args(names))
    line = pause_line("back", NOT_LOGGED + "wechat, sms", language)
    assert line.startswith("back")
    assert message(language, "channel.sms") in line
    assert "not_logged" not in line


SINCE = """\
policy: 2
name: p
protect: [{id: fresh, when: days_since(owned_since) < 30, from: [pool]}]
rules:
  - {pool: back, when: "days_since(last_followup_at, else: owned_since) > 90", mark: {tag: b}}
  - {task: call, when: open_deals > 0}
"""


def mapped(world: World, *, claimed: bool = False) -> CompiledMapping:
    owner = "owner_id: Owner.id"
    own = f"{owner}\n      owned_since: Claimed_On" if claimed else owner
    text = world.mapping.replace(owner, own)
    return compile_mapping(text, "mapping.yaml", zone="Asia/Shanghai", status_field="Stage_Now")


@each_language
def test_where_nothing_tells_since_when_an_owner_has_a_customer_it_is_said(
    tmp_path: Path, language: str
) -> None:
    world, policy = make_world(tmp_path), parse_policy(SINCE)
    mapping = mapped(world)
    names = message(language, "list.separator").join(["back", "fresh"])
    default = message(language, "guard.new_owner")
    assert owner_remarks(policy, mapping, world.warehouse, language) == [
        message(language, "policy.owned_since_first", names=names),
        message(language, "policy.new_owner_first", names=default),
    ]
    world.crm.rows["Accounts"][0]["Owner"] = None
    world.pull()
    assert owner_remarks(policy, mapping, world.warehouse, language) == [
        message(language, "policy.owned_since", names=names, count=4),
        message(language, "policy.new_owner", names=default, count=4),
    ]
    world.later(days=1)
    world.crm.changed["Accounts"] = [account(number, Owner={"id": "8"}) for number in range(1, 6)]
    world.pull()
    assert owner_remarks(policy, mapping, world.warehouse, language) == []


def test_a_pool_rule_alone_tells_of_those_whose_owner_may_be_new(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    pool = "policy: 2\nname: p\nrules: [{pool: back, when: open_deals = 0, mark: {tag: b}}]\n"
    (told,) = owner_remarks(parse_policy(pool), mapped(world), world.warehouse, "en")
    assert "just taken over" in told
    without = f"{pool}protect: [{{id: new-owner, off: true}}]\n"
    assert owner_remarks(parse_policy(without), mapped(world), world.warehouse, "en") == []
    asking = parse_policy(without.replace("open_deals = 0", "days_since(owned_since) > 90"))
    (told,) = owner_remarks(asking, mapped(world), world.warehouse, "en")
    assert "just taken over" not in told


def test_who_asks_for_no_owner_or_has_a_date_for_it_is_told_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    assert owner_remarks(parse_policy(PLAIN), mapped(world), world.warehouse, "en") == []
    claimed = mapped(world, claimed=True)
    assert owner_remarks(parse_policy(SINCE), claimed, world.warehouse, "en") == []


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "the statuses of gone, dusty are not written: set status_field"),
        ("zh-CN", "gone、dusty的状态不会写入：请在 highseas.yaml"),
        ("de", "der Status von gone, dusty wird nicht geschrieben: in highseas.yaml"),
    ],
)
def test_statuses_that_no_field_is_named_for_are_told(language: str, line: str) -> None:
    text = PLAIN.replace("{tag: gone}", "{tag: gone, status: Void}")
    text += "  - {cleanout: dusty, when: open_deals > 3, mark: {tag: d, status: Dusty}}\n"
    text += "  - {task: call, when: open_deals > 4, mark: {tag: c}}\n"
    policy = parse_policy(text)
    (told,) = status_remarks(policy, None, language)
    assert told.startswith(line)
    assert status_remarks(policy, "Status", language) == []
    assert status_remarks(parse_policy(PLAIN), None, language) == []
