"""What a policy asks of this client's CRM, and what the CRM says to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from adapters.memory import MemoryAdapter
from connector.errors import ConfigurationError, FileProblems
from connector.needs import Needs
from connector.policy_fit import (
    check_policy_fits,
    custom_fields,
    derived_columns,
    field_types,
    known_schema,
    load_client_policy,
    money_tables,
    policy_needs,
    readers_of,
    remembered_schema,
    uncovered_years,
)
from connector.ports import Capabilities, FieldInfo, ObjectInfo, Schema
from connector.workspace import Workspace, WorkspaceFile
from policies.language.vocabulary import Type
from policies.model import Policy
from policies.policy import parse_policy
from tests.little_crm import Shop

RULE = """
rules:
  - void: gone
    reason: lost_contact
    when: {when}
    mark: {mark}
    note: true
"""
FIELDS = (
    FieldInfo("Name", "text"),
    FieldInfo("Grade", "choice", writable=True, options=("A", "B")),
    FieldInfo("Head", "reference"),
    FieldInfo("Size", "integer"),
    FieldInfo("Score", "number"),
    FieldInfo("Credit", "money"),
    FieldInfo("Strategic", "boolean"),
    FieldInfo("Until", "date"),
    FieldInfo("Seen", "datetime"),
    FieldInfo("Labels", "tags"),
    FieldInfo("Odd", "other"),
)


def schema(*others: FieldInfo, tag_length: int | None = None) -> Schema:
    accounts = ObjectInfo("Accounts", "Accounts", FIELDS)
    deals = ObjectInfo("Deals", "Deals", (FieldInfo("Amount", "money"), *others))
    capabilities = Capabilities({}, read_batch=1, settle_seconds=0, tag_length=tag_length)
    return Schema({"Accounts": accounts, "Deals": deals}, capabilities)


def policy(when: str = "status = 'x'", mark: str = "{tag: gone}", head: str = "") -> Policy:
    text = f"policy: 2\nname: p\n{head}\n" + RULE.replace("{when}", when).replace("{mark}", mark)
    return parse_policy(text, fields=field_types(schema()))


def workspace(root: Path, status_field: str | None = None, region: str | None = None) -> Workspace:
    settings = {
        "workspace": 1,
        "name": "shop",
        "timezone": "Asia/Shanghai",
        "region": region,
        "crm": {"adapter": "memory", "status_field": status_field},
    }
    return Workspace(root, WorkspaceFile.model_validate(settings))


def refusal(asked: Policy, root: Path, objects: Iterable[str] | None = ("Accounts",)) -> str:
    named = None if objects is None else tuple(objects)
    with pytest.raises(ConfigurationError) as caught:
        check_policy_fits(asked, schema(), workspace(root), named)
    return f"{caught.value.message} - {caught.value.hint}"


def test_fields_have_the_types_that_the_crm_gives_them() -> None:
    assert field_types(schema()) == {
        "Name": Type.TEXT,
        "Grade": Type.TEXT,
        "Head": Type.TEXT,
        "Size": Type.INTEGER,
        "Score": Type.NUMBER,
        "Credit": Type.MONEY,
        "Strategic": Type.BOOLEAN,
        "Until": Type.DATE,
        "Seen": Type.MOMENT,
        "Amount": Type.MONEY,
    }


def test_a_name_that_means_two_things_has_no_type_until_it_is_declared() -> None:
    twofold = field_types(schema(FieldInfo("Size", "text"), FieldInfo("Credit", "money")))
    assert "Size" not in twofold
    assert twofold["Credit"] is Type.MONEY


def test_the_fields_of_rules_and_protections_are_asked_for() -> None:
    head = "protect: [{id: big, when: field('Size') > 5}]"
    asked = policy("field('Grade') = 'B' AND days_until(field('Until')) < 30", head=head)
    assert custom_fields(asked) == {
        "Grade": Type.TEXT,
        "Until": Type.DATE,
        "Size": Type.INTEGER,
    }


@pytest.mark.parametrize(
    ("when", "columns"),
    [
        ("orders_count() = 0", set()),
        ("NOT phone_valid AND NOT email_valid", {"phone_valid", "email_valid"}),
        ("activities_count(burst) > 3", {"burst"}),
        ("attempts_unanswered(180) > 3", {"mass"}),
    ],
)
def test_only_what_is_asked_for_has_to_be_worked_out(when: str, columns: set[str]) -> None:
    found = derived_columns(policy(when))
    assert found >= columns
    assert columns or not found & {"phone_valid", "email_valid", "burst"}


@pytest.mark.parametrize(
    ("kind", "when", "flagged"),
    [
        ("pool", "days_since(last_followup_at) > 90", True),
        ("pool", "orders_count() = 0", False),
        ("task", "days_since(last_followup_at) > 90", False),
    ],
)
def test_bursts_are_worked_out_for_pool_rules_about_contacts(
    kind: str, when: str, flagged: bool
) -> None:
    text = f"policy: 2\nname: p\nrules: [{{{kind}: r, when: {when}, mark: {{tag: t}}}}]\n"
    assert ("burst" in derived_columns(parse_policy(text))) is flagged


def test_needs_are_fields_derived_columns_and_the_region(tmp_path: Path) -> None:
    asked = policy("field('Size') > 1 AND NOT phone_valid")
    needs = policy_needs(asked, workspace(tmp_path, region="CN"))
    assert needs == Needs(frozenset({"Size"}), derived_columns(asked), "CN")
    assert "phone_valid" in needs.derived


def test_a_policy_that_fits_passes(tmp_path: Path) -> None:
    head = (
        "fields: {Odd: number, Labels: text, Head.name: text}\ncalendar: {timezone: Asia/Shanghai}"
    )
    when = "field('Odd') > 1 AND field('Labels') = 'x' AND field('Head.name') = 'y'"
    check_policy_fits(policy(when, head=head), schema(), workspace(tmp_path), {"Accounts"})


def test_a_field_that_customers_do_not_have_is_refused_with_the_nearest(tmp_path: Path) -> None:
    asked = policy("field('Grad') = 'B'", head="fields: {Grad: text}")
    said = refusal(asked, tmp_path)
    assert said == "the CRM's customers have no field Grad - did you mean 'Grade'?"
    path = policy("field('Owner.name') = 'B'", head="fields: {Owner.name: text}")
    assert "no field Owner - " in refusal(path, tmp_path)


def test_a_field_of_another_object_is_none_of_the_customers(tmp_path: Path) -> None:
    asked = policy("field('Amount') > 1")
    assert "have no field Amount" in refusal(asked, tmp_path)
    check_policy_fits(asked, schema(), workspace(tmp_path), None)


def test_a_declared_type_that_the_crm_contradicts_is_refused(tmp_path: Path) -> None:
    asked = policy("field('Until') = 'B'", head="fields: {Until: text}")
    said = refusal(asked, tmp_path)
    assert said.startswith("field Until is date in the CRM, the policy says text - ")
    assert "below `fields:`" in said


def test_another_time_zone_is_refused(tmp_path: Path) -> None:
    asked = policy(head="calendar: {timezone: Europe/Berlin}")
    said = refusal(asked, tmp_path)
    assert "the policy is written for Europe/Berlin, the workspace is in Asia/Shanghai" in said


def test_a_tag_that_is_too_long_for_the_crm_is_refused(tmp_path: Path) -> None:
    asked = policy(mark="{tag: elephant}")
    check_policy_fits(asked, schema(tag_length=8), workspace(tmp_path))
    with pytest.raises(ConfigurationError, match="'elephant' has 8 characters, this CRM takes 7"):
        check_policy_fits(asked, schema(tag_length=7), workspace(tmp_path))


@pytest.mark.parametrize(
    ("of", "asks"),
    [
        ("field('Credit')", ({"Credit"}, set(), (), ())),
        ("if(phone_valid, 1, 2)", (set(), {"phone_valid"}, (), ())),
        ("activities_count(30, NOT mass)", (set(), {"mass"}, (), ())),
        ("orders_amount(365)", (set(), set(), ("orders",), ())),
        ("days_since(owned_since)", (set(), set(), (), ("limits.money",))),
    ],
)
def test_what_a_limit_counts_is_asked_of_the_crm_too(of: str, asks: tuple[object, ...]) -> None:
    text = "policy: 2\nname: p\nfields: {Credit: money}\n" + RULE.format(
        when="industry = 'x'", mark="{tag: t}"
    )
    assert derived_columns(parse_policy(text)) == set()
    limited = parse_policy(f'{text}limits: {{money: {{of: "{of}", at_most: 5}}}}\n')
    assert asks == (
        set(custom_fields(limited)),
        derived_columns(limited) - {"automated"},
        money_tables(limited),
        readers_of(limited, "owned_since"),
    )


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("Grade", "Grade has no option C"),
        ("Name", "field Name cannot be written"),
        ("Missing", "the CRM has no field Missing"),
    ],
)
def test_a_status_field_that_cannot_show_the_statuses_is_refused(
    tmp_path: Path, field: str, message: str
) -> None:
    asked = policy(mark="{status: C, tag: gone}", when="industry = 'x'")
    with pytest.raises(ConfigurationError, match=message):
        check_policy_fits(asked, schema(), workspace(tmp_path, field), {"Accounts"})
    check_policy_fits(policy(mark="{tag: t}"), schema(), workspace(tmp_path, field), {"Accounts"})


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (
            FieldInfo("S", "integer", writable=True),
            "field S is of type integer and cannot show a status",
        ),
        (FieldInfo("S", "choice", writable=True, options=("C",)), ""),
        (FieldInfo("S", "choice", writable=True), ""),
        (FieldInfo("S", "text", writable=True), ""),
    ],
)
def test_a_status_needs_a_field_of_words(tmp_path: Path, info: FieldInfo, message: str) -> None:
    asked = policy(mark="{status: C}", when="industry = 'x'")
    shown, own = schema(info), workspace(tmp_path, "S")
    if not message:
        check_policy_fits(asked, shown, own, {"Deals"})
        return
    with pytest.raises(ConfigurationError, match=message):
        check_policy_fits(asked, shown, own, {"Deals"})


def test_of_objects_that_are_not_named_one_that_fits_is_enough(tmp_path: Path) -> None:
    asked = policy(mark="{status: A, tag: t}", when="industry = 'x'")
    own = workspace(tmp_path, "Grade")
    check_policy_fits(asked, schema(FieldInfo("Grade", "choice")), own)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        check_policy_fits(asked, schema(FieldInfo("Grade", "choice")), own, {"Accounts", "Deals"})


def test_a_status_alone_needs_a_status_field(tmp_path: Path) -> None:
    asked = policy(mark="{status: C}", when="industry = 'x'")
    check_policy_fits(asked, schema(), workspace(tmp_path))  # its note is a mark
    silent = RULE.replace("note: true", "note: false").replace("{when}", "industry = 'x'")
    text = "policy: 2\nname: p\n" + silent.replace("{mark}", "{status: C}")
    with pytest.raises(ConfigurationError, match="rule gone marks by status alone"):
        check_policy_fits(parse_policy(text), schema(), workspace(tmp_path))


def test_the_crm_is_asked_once_and_anew_when_told(tmp_path: Path) -> None:
    own, adapter = workspace(tmp_path), MemoryAdapter()
    own.prepare()
    assert remembered_schema(own) is None
    first = known_schema(own, adapter)
    assert remembered_schema(own) == first == known_schema(own, adapter)
    assert adapter.crm.reads == 1
    known_schema(own, adapter, fresh=True)
    assert adapter.crm.reads == 2
    own.schema_path.write_text('{"of": "another version"')
    assert remembered_schema(own) is None


def test_a_policy_is_typed_by_what_the_crm_said_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write_policy(
        "policy: 2\nname: p\n"
        + RULE.replace("{when}", "field('status') = 'void'").replace("{mark}", "{tag: x}")
    )
    with pytest.raises(FileProblems, match="the type of field"):
        load_client_policy(shop.workspace)
    shop.workspace.prepare()
    known_schema(shop.workspace, shop.adapter)
    assert custom_fields(load_client_policy(shop.workspace)) == {"status": Type.TEXT}


def test_plans_ask_a_crm_that_was_never_asked_unless_offline(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    text = "policy: 2\nname: p\n" + RULE.replace("{mark}", "{tag: x}")
    shop.write_policy(text.replace("{when}", "field('name') = 'Customer 1'"))
    shop.customers(2)
    with pytest.raises(FileProblems, match="the type of field"):
        shop.plan(offline=True)
    assert shop.crm.reads == 0
    plan = shop.plan()
    assert shop.statuses(plan) == [("Accounts:1", "change")]


def test_a_field_that_the_crm_has_got_since_is_found(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    text = "policy: 2\nname: p\n" + RULE.replace("{mark}", "{tag: x}")
    shop.write_policy(text.replace("{when}", "field('name') = 'Customer 1'"))
    shop.customers(1)
    shop.workspace.prepare()
    about = known_schema(shop.workspace, shop.adapter)
    old = shop.workspace.schema_path.read_bytes().replace(b'"name":"name"', b'"name":"was"')
    assert old.count(b'"was"') == len(about.objects)
    shop.workspace.schema_path.write_bytes(old)
    assert shop.plan().changes == 1


def test_a_policy_that_is_wrong_otherwise_costs_no_call(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write_policy("policy: 2\nname: p\n" + RULE.replace("{when}", "industri = 'x'"))
    with pytest.raises(FileProblems):
        shop.plan()
    assert shop.crm.reads == 0


@pytest.mark.parametrize(
    ("head", "years"),
    [
        ("", ()),
        ("calendar: {timezone: Asia/Shanghai}", ()),
        ("calendar: {holidays: DE}", ()),
        ("calendar: {holidays: CN}", (2027,)),
    ],
)
def test_years_without_a_calendar_are_named(head: str, years: tuple[int, ...]) -> None:
    assert uncovered_years(policy(head=head), date(2026, 5, 20)) == years
