"""mapping.yaml is read strictly, and says at once all that is wrong with it."""

from __future__ import annotations

import pytest

from connector.errors import FileProblems
from connector.mapping import MAPPED, MappingFile, compile_mapping
from policies.vocabulary import TABLES

CUSTOMERS = "customers: [{object: Accounts, id: id, columns: {name: Account_Name}}]"


def compiled(text: str, status_field: str | None = None) -> object:
    return compile_mapping(
        f"mapping: 1\n{text}", "mapping.yaml", zone="UTC", status_field=status_field
    )


def complaints(text: str) -> str:
    with pytest.raises(FileProblems) as caught:
        compiled(text)
    return caught.value.message


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
        ("customers: [{object: A, where: {x: {in: [1], not: [2]}}}]", "a condition is a value"),
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
