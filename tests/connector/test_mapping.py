"""mapping.yaml is read strictly, and says at once all that is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.errors import FileProblems
from connector.mapping import MAPPED, CompiledMapping, compile_mapping
from connector.mapping_file import MappingFile
from policies.language.vocabulary import TABLES

CUSTOMERS = "customers: [{object: Accounts, id: id, columns: {name: Account_Name}}]"


def compiled(text: str, status_field: str | None = None) -> object:
    return compile_mapping(
        f"mapping: 1\n{text}", "mapping.yaml", zone="UTC", status_field=status_field
    )


def complaints(text: str) -> str:
    with pytest.raises(FileProblems) as caught:
        compiled(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ("{from: C, as: local, zone: Europe/Berlni}", "'Europe/Berlni' is not a time zone"),
        ("{from: C, as: utc, zone: Europe/Berlin}", "'zone' needs 'as: local'"),
    ],
)
def test_a_zone_is_one_and_is_wanted(column: str, complaint: str) -> None:
    text = f"customers: [{{object: A, columns: {{created_at: {column}}}}}]"
    assert complaint in complaints(text)
    compiled(text.replace(column, "{from: C, as: local, zone: Europe/Berlin}"))


def test_columns_that_would_say_what_is_open_and_that_nothing_fills_are_known() -> None:
    text = (
        "mapping: 1\ncustomers:\n  - {object: A, columns: {name: Name}}\nreturns:\n"
        "  - {object: R, customer: A.id, columns: {happened_at: T}}\ncomplaints:\n"
        "  - {object: C, customer: A.id, columns: {happened_at: T}}\n"
        "  - {object: D, customer: A.id, columns: {happened_at: T, closed_at: E}}\n"
    )
    mapping = compile_mapping(text, "mapping.yaml", zone="UTC", status_field=None)
    assert mapping.untold("returns") == ["closed_at"]
    assert mapping.untold("complaints") == []
    assert mapping.untold("invoices") == ["settled_at"]
    assert mapping.untold("people") == []


def test_every_table_of_the_vocabulary_can_be_mapped() -> None:
    assert set(MAPPED) == set(TABLES) - {"sources"}
    assert set(MAPPED) | {"mapping", "notes"} == set(MappingFile.model_fields)


def test_each_object_is_asked_for_the_fields_of_all_its_tables() -> None:
    mapping = compile_mapping(
        "mapping: 1\n"
        "customers: [{object: A, columns: {name: N, tags: 'Tag[].name'}}]\n"
        "orders: [{object: O, customer: A.id, where: {Status: {not: [x]}}, "
        "columns: {happened_at: D}}]\n"
        "returns: [{object: O, customer: A.id, columns: {happened_at: E}}]\n"
        "activities: [{object: C, customer: W.id, through: {object: O, customer: A.id}, "
        "columns: {happened_at: T, kind: {const: call}}}]\n",
        "m",
        zone="UTC",
        status_field=None,
    )
    fields = {name: set(shape.fields) for name, shape in mapping.shapes.items()}
    assert fields == {
        "A": {"id", "N", "Tag"},
        "O": {"id", "Status", "D", "E", "A"},
        "C": {"id", "W", "T"},
    }
    assert mapping.tables_of("O") == ("activities", "orders", "returns")
    assert mapping.customer_objects == ("A",)


def test_the_status_field_is_the_workspaces() -> None:
    text = "customers: [{object: A, columns: {status: $status_field}}]"
    with_field = compile_mapping(f"mapping: 1\n{text}", "m", zone="UTC", status_field="Stage__c")
    without = compile_mapping(f"mapping: 1\n{text}", "m", zone="UTC", status_field=None)
    assert with_field.shapes["A"].fields == ("id", "Stage__c")
    assert without.shapes["A"].fields == ("id",)
    assert with_field.hash != without.hash


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customers: [{object: A, columns: {nmae: X}}]", "2:35: customers has no column 'nmae'"),
        ("customers: [{object: A, columns: {nmae: X}}]", "did you mean 'name'?"),
        ("customers: [{object: A, columns: {key: X}}]", "no column 'key' to fill"),
        ("customers: [{object: A, columns: {tags: Tag}}]", "only tags are a list"),
        ("customers: [{object: A, columns: {name: 'T[].x'}}]", "only tags are a list"),
        ("customers: [{object: A, where: {'T[].x': 1}}]", "cannot look into a list"),
        ("customers: [{object: A, columns: {name: a..b}}]", "is not a path"),
        ("customers: [{object: A, columns: {name: {from: a, const: b}}}]", "and not both"),
        ("customers: [{object: A, columns: {name: {else: b, from: a}}}]", "'else' needs a 'map'"),
        (
            "customers: [{object: A, columns: {name: {from: a, latest: b}}}]",
            "'name' is no day and no moment: 'latest' has no place here",
        ),
        (
            "customers: [{object: A, columns: {created_at: {from: a, latest: 'T[].x'}}}]",
            "only tags are a list",
        ),
        (
            "customers: [{object: A, columns: {created_at: {const: '2026-01-01', latest: b}}}]",
            "'latest' goes with a path (from)",
        ),
        (
            "customers: [{object: A, columns: {created_at: {from: a, map: {x: y}, latest: b}}}]",
            "and not with a 'map'",
        ),
        (
            "customers: [{object: A, columns: {created_at: {from: a, latest: {const: b}}}}]",
            "'latest' is a path",
        ),
        ("customers: [{object: A, where: {x: {in: [1], not: [2]}}}]", "a condition is a value"),
        ("customers: [{object: A, columns: {fields: X}}]", "no column 'fields' to fill"),
        ("customers: [{object: A, columns: {phone_valid: X}}]", "no column 'phone_valid' to fill"),
        ("customers: [{object: A, columns: {group_key: X}}]", "no column 'group_key' to fill"),
        ("customers: [{object: A, columns: {party: {const: firm}}}]", "none of the values of"),
        (
            "customers: [{object: A, columns: {party: {from: T, map: {x: compny}}}}]",
            "'compny' is none of the values of customers.party - did you mean 'company'?",
        ),
        (
            f"{CUSTOMERS}\nactivities: [{{object: C, customer: A.id, columns: "
            "{happened_at: D, direction: {from: X, map: {a: ours}, else: inbound}}}]",
            "'inbound' is none of the values of activities.direction",
        ),
        ("customers: []", "2:12: "),
        ("customers: [{objekt: A}]", "did you mean 'object'?"),
        (f"{CUSTOMERS}\norders: [{{object: O, customer: A.id}}]", "needs the column 'happened_at'"),
        (
            f"{CUSTOMERS}\norders: [{{object: Accounts, id: key, customer: A.id, "
            "columns: {happened_at: D}}]",
            "the id of Accounts is 'id' elsewhere",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(text: str, expected: str) -> None:
    assert expected in complaints(text)


def test_all_problems_are_told_at_once() -> None:
    text = "customers: [{object: A, columns: {nmae: X, tags: Tag}}]\n"
    text += "orders: [{object: O, customer: A}]"
    assert len(complaints(text).splitlines()) == 3


def with_fields(text: str, *fields: str) -> CompiledMapping:
    return compile_mapping(
        f"mapping: 1\n{text}", "m", zone="UTC", status_field=None, custom_fields=fields
    )


def test_every_customer_object_is_asked_for_the_policys_fields() -> None:
    text = "customers: [{object: A, columns: {name: N}}, {object: B}]\npeople: [{object: U}]"
    mapping = with_fields(text, "Level__c", "Owner.id", "N")
    assert {name: shape.fields for name, shape in mapping.shapes.items()} == {
        "A": ("id", "N", "Level__c", "Owner"),
        "B": ("id", "Level__c", "N", "Owner"),
        "U": ("id",),
    }
    assert mapping.custom_fields == ("Level__c", "N", "Owner.id")
    assert mapping.hash == with_fields(text).hash


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Owner", "the policy asks for field('Owner'), and 'Owner' and another path want"),
        ("Tag[].name", "asks for field('Tag[].name'), and a condition cannot look into a list"),
        ("owner.id", "differs from another path by upper and lower case only"),
        ("a..b", "is not a path"),
    ],
)
def test_a_field_of_the_policy_that_cannot_be_read_is_refused(field: str, expected: str) -> None:
    text = "customers: [{object: A, columns: {owner_id: Owner.id}}]"
    with pytest.raises(FileProblems) as caught:
        with_fields(text, field)
    assert expected in caught.value.message


def test_an_object_need_not_have_a_field_that_others_have() -> None:
    two = with_fields("customers: [{object: A, columns: {name: N}}, {object: B}]", "N", "X.id")
    assert two.may_lack("A") == {"X"}
    assert two.may_lack("B") == {"N", "X"}
    assert with_fields("customers: [{object: A}]", "X").may_lack("A") == frozenset()


def test_the_text_of_notes_is_asked_for_where_they_are_activities_too() -> None:
    mapping = with_fields(
        "customers: [{object: A}]\nnotes: [{object: Notes, customer: P.id, text: Content}]\n"
        "activities: [{object: Notes, customer: P.id, columns: {happened_at: T}}, "
        "{object: Calls, customer: P.id, columns: {happened_at: T}}]"
    )
    assert mapping.shapes["Notes"].fields == ("id", "T", "P", "Content")
    assert mapping.shapes["Calls"].fields == ("id", "T", "P")
    assert mapping.own_note("activities", "Notes") == "Content"
    assert mapping.own_note("activities", "Calls") is None
    assert mapping.own_note("orders", "Notes") is None


def test_the_mapping_of_the_docs_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
    # the other one belongs to the whole adapter at the end, whose own test reads it
    text = re.findall(r"```yaml\n(mapping: 1\n.*?)```", page, re.DOTALL)[0]
    mapping = compile_mapping(text, "m", zone="UTC", status_field="Stage")
    assert mapping.objects_of("customers") == ("Accounts", "Leads")
    assert mapping.between("activities", "Calls") == {"Deals"}
