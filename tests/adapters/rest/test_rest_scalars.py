"""Single values between a row and a plan."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.rest.paths import MISSING
from adapters.rest.schema.object_description import FieldForm
from adapters.rest.writing.scalars import outgoing, put, scalar
from connector.errors import ConfigurationError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (MISSING, None),
        ("", None),
        ("x", "x"),
        (0, "0"),
        (12345678901234567890123, "12345678901234567890123"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ({"id": 7, "name": "Ann"}, "7"),
        ({"name": "Ann"}, "Ann"),
        ({}, None),
        (["a", 1, None], "a;1;"),
        ([], None),
    ],
)
def test_text_by_which_plans_compare(value: Any, text: str | None) -> None:
    assert scalar(value) == text


@pytest.mark.parametrize(
    ("form", "value", "sent"),
    [
        (None, "7", "7"),
        (FieldForm(), "7", "7"),
        (FieldForm(), None, None),
        (FieldForm(type="integer"), "7", 7),
        (FieldForm(type="integer"), "-7", -7),
        (FieldForm(type="integer"), "007", "007"),
        (FieldForm(type="integer"), "many", "many"),
        (FieldForm(type="integer"), None, None),
        (FieldForm(type="number"), "7.5", 7.5),
        (FieldForm(type="money"), "7.50", "7.50"),
        (FieldForm(type="money"), "1000", 1000),
        (FieldForm(type="boolean"), "true", True),
        (FieldForm(type="boolean"), "perhaps", "perhaps"),
        (FieldForm(write="{{ value | int }}"), "7", 7),
        (FieldForm(write="{{ value or none }}"), "", None),
        (FieldForm(write="/users/{{ value }}"), "7", "/users/7"),
    ],
)
def test_what_is_sent_for_a_value(form: FieldForm | None, value: Any, sent: Any) -> None:
    found = outgoing(form, value, {})
    assert (found, type(found)) == (sent, type(sent))


def test_dots_lead_into_objects() -> None:
    fields: dict[str, Any] = {}
    put(fields, "attributes.status", "void")
    put(fields, "attributes.owner.id", 7)
    put(fields, "plain", 1)
    assert fields == {"attributes": {"status": "void", "owner": {"id": 7}}, "plain": 1}


def test_place_in_a_list_cannot_be_written() -> None:
    with pytest.raises(ConfigurationError, match="stands in a list"):
        put({}, "emails[0].address", "x")
