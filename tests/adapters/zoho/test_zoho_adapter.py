"""Who answers, what it holds, and opening it for a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters import adapter_list, fixed_mapping, open_adapter
from adapters.zoho import ZohoAdapter
from connector.errors import ConfigurationError, ProtocolError
from connector.mapping import compile_mapping
from connector.models import PrimitiveKind
from connector.ports import Adapter, NoteLookup
from connector.workspace import load_workspace

ORG = {
    "org": [
        {
            "zgid": 4711,
            "company_name": "甲公司",
            "time_zone": "Asia/Shanghai",
            "type": "sandbox",
            "id": "9",
        }
    ]
}
USER = {"users": [{"id": "42", "full_name": "Bot", "email": "bot@example.com"}]}


def test_identity_is_one_call_once_the_user_is_known(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, ORG).say(200, USER).say(200, ORG)
    first, second = zoho.identity(), zoho.identity()
    assert first == second
    assert (first.id, first.name, first.timezone, first.kind) == (
        "4711",
        "甲公司",
        "Asia/Shanghai",
        "sandbox",
    )
    assert (first.user_id, first.user_name) == ("42", "Bot")
    assert [seen.path for seen in wire.seen] == ["/crm/v8/org", "/crm/v8/users", "/crm/v8/org"]
    assert wire.seen[1].query == {"type": "CurrentUser"}


def test_an_organisation_or_user_without_a_name_is_an_error(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(204)
    with pytest.raises(ProtocolError, match="no organisation"):
        zoho.identity()
    wire.say(200, ORG).say(204)
    with pytest.raises(ProtocolError, match="no user"):
        zoho.identity()


def field(name: str, data_type: str = "text", **more: Any) -> dict[str, Any]:
    return {"api_name": name, "field_label": f"L {name}", "data_type": data_type} | more


ACCOUNT_FIELDS = [
    field("Account_Name", operation_type={"api_update": True, "api_create": True}),
    field("Tag", "text", json_type="jsonarray"),
    field("Modified_Time", "datetime", read_only=True),
    field("Score", "formula", operation_type={"api_update": False}),
    field("Left", "formula", formula={"return_type": "currency"}, read_only=True),
    field("Visits", "rollup_summary", rollup_summary={"return_type": "integer"}, read_only=True),
    field("Channels", "multiselectpicklist", formula=None, rollup_summary=None),
    field("Where", "address"),
    field("Amount", "currency", field_read_only=None, pick_list_values=[]),
    field(
        "Customer_Status",
        "picklist",
        pick_list_values=[
            {"display_value": "正常", "actual_value": "Active", "type": "used"},
            {"display_value": "旧", "actual_value": "Old", "type": "unused"},
            {"display_value": "Void"},
        ],
    ),
]


def test_fields_are_described_once(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(200, {"fields": ACCOUNT_FIELDS})
    wire.say(400, {"code": "INVALID_MODULE", "status": "error"})
    wire.always(200, {"fields": [field("Subject")]})
    schema = zoho.describe()
    assert zoho.describe() is schema
    there = ("Accounts", "Deals", "Quotes", "Sales_Orders", "Invoices", "Cases", "Calls", "Events")
    assert set(schema.objects) == {*there, "users"}
    fields = {each.name: each for each in schema.objects["Accounts"].fields}
    assert [(name, each.type, each.writable) for name, each in fields.items()] == [
        ("id", "text", False),
        ("Account_Name", "text", True),
        ("Tag", "tags", False),
        ("Modified_Time", "datetime", False),
        ("Score", "other", False),
        ("Left", "money", False),
        ("Visits", "integer", False),
        ("Channels", "text", True),
        ("Where", "other", True),
        ("Amount", "money", True),
        ("Customer_Status", "choice", True),
    ]
    assert fields["Customer_Status"].options == ("Active", "Void")
    assert schema.objects["Accounts"].incremental
    assert not schema.objects["Calls"].incremental
    assert not schema.objects["users"].deletions
    assert [seen.query["module"] for seen in wire.seen] == ["Accounts", "Contacts", *there[1:]]


def test_trouble_with_the_description_is_an_error(wire: Any, zoho: ZohoAdapter) -> None:
    wire.say(400, {"code": "REQUIRED_PARAM_MISSING", "status": "error"})
    with pytest.raises(ProtocolError, match="REQUIRED_PARAM_MISSING"):
        zoho.describe()


def test_capabilities_need_no_call(wire: Any, zoho: ZohoAdapter) -> None:
    can = zoho.capabilities
    assert isinstance(zoho, Adapter)
    assert (can.tag_length, can.note_lookup) == (25, NoteLookup.CONSISTENT)
    assert can.settle_seconds > 5
    assert can.writes[PrimitiveKind.SET_FIELD].quiet
    assert not can.writes[PrimitiveKind.ADD_TAG].quiet
    assert wire.seen == []


def test_the_default_mapping_is_sound_and_fits_into_one_call_an_object() -> None:
    compiled = compile_mapping(
        fixed_mapping("zoho"), "mapping.yaml", zone="Asia/Shanghai", status_field="Status_X"
    )
    assert compiled.customer_objects == ("Accounts",)
    assert compiled.objects_of("activities") == ("Calls", "Events", "Quotes", "Cases")
    asked = {name: len({*shape.fields, "Modified_Time"}) for name, shape in compiled.shapes.items()}
    assert max(asked.values()) <= 50


CONFIG = """\
workspace: 1
name: acme
timezone: Asia/Shanghai
crm:
  adapter: {adapter}
  data_center: eu
  client_id: env:HS_ID
  client_secret: env:HS_SECRET
  refresh_token: env:HS_TOKEN
  status_field: Customer_Status
"""


def test_a_workspace_opens_its_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HS_ID", "HS_SECRET", "HS_TOKEN"):
        monkeypatch.setenv(name, "value")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "highseas.yaml").write_text(CONFIG.format(adapter="zoho"))
    adapter = open_adapter(load_workspace(tmp_path))
    assert isinstance(adapter, ZohoAdapter)
    assert adapter.calls.total == 0
    adapter.close()


@pytest.mark.parametrize(("name", "hint"), [("zohoo", "did you mean 'zoho'"), ("sap", "zoho")])
def test_an_adapter_that_is_not_there_is_named(name: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "highseas.yaml").write_text(CONFIG.format(adapter=name))
    workspace = load_workspace(tmp_path)
    with pytest.raises(ConfigurationError, match=f"no adapter '{name}'") as caught:
        open_adapter(workspace)
    assert hint in caught.value.hint
    assert "zoho" in {each.name for each in adapter_list()}
