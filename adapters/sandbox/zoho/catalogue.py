"""The modules and fields that the sandbox's organisation has, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

JSON_TYPES = {
    "integer": "integer",
    "bigint": "string",
    "currency": "double",
    "double": "double",
    "boolean": "boolean",
    "lookup": "jsonobject",
    "ownerlookup": "jsonobject",
    "text_tags": "jsonarray",
}


@dataclass(frozen=True)
class Field:
    api_name: str
    data_type: str = "text"
    length: int = 255
    options: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    custom: bool = False
    read_only: bool = False
    mandatory: bool = False

    @property
    def label(self) -> str:
        return self.api_name.lstrip("$").removesuffix("__s").replace("_", " ")


@dataclass(frozen=True)
class Module:
    api_name: str
    singular: str
    name_field: str
    fields: Mapping[str, Field]

    @cached_property
    def lookups(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.data_type == "lookup")


Catalogue = Mapping[str, Module]

SYSTEM = (
    Field("id", "bigint", 20, read_only=True),
    Field("Owner", "ownerlookup"),
    Field("Created_Time", "datetime", read_only=True),
    Field("Modified_Time", "datetime", read_only=True),
    Field("Created_By", "ownerlookup", read_only=True),
    Field("Modified_By", "ownerlookup", read_only=True),
    Field("Tag", "text_tags", read_only=True),
    Field("Locked__s", "boolean", read_only=True),
    Field("$locked_for_me", "boolean", read_only=True),
    Field("$approval_state", read_only=True),
)

STATUSES = ("Active", "At risk", "Void", "Pool", "正常", "风险", "作废", "公海")


def _module(api_name: str, singular: str, fields: Iterable[Field]) -> Module:
    own = tuple(fields)
    listed = {field.api_name: field for field in (*SYSTEM, *own)}
    return Module(api_name, singular, own[0].api_name, listed)


def _pick(api_name: str, *options: str, custom: bool = False) -> Field:
    return Field(api_name, "picklist", 120, options, custom=custom)


CATALOGUE: Catalogue = {
    module.api_name: module
    for module in (
        _module(
            "Accounts",
            "Account",
            (
                Field("Account_Name", mandatory=True, length=200),
                Field("Account_Number", length=40),
                _pick("Account_Type", "Customer", "Prospect", "Partner", "Reseller", "Supplier"),
                _pick("Industry", "Machinery", "Electronics", "Chemicals", "Logistics", "Retail"),
                _pick("Rating", "Hot", "Warm", "Cold"),
                Field("Annual_Revenue", "currency"),
                Field("Employees", "integer"),
                Field("Phone", "phone", 30),
                Field("Website", "website", 450),
                Field("Billing_Country", length=120),
                Field("Billing_State", length=120),
                Field("Billing_City", length=120),
                Field("Description", "textarea", 32_000),
                Field("Parent_Account", "lookup", target=("Accounts",)),
                Field("Last_Activity_Time", "datetime", read_only=True),
                Field("Email", "email", 100, custom=True),
                _pick("Customer_Status", *STATUSES, custom=True),
            ),
        ),
        _module(
            "Contacts",
            "Contact",
            (
                Field("Last_Name", mandatory=True, length=80),
                Field("First_Name", length=40),
                Field("Account_Name", "lookup", target=("Accounts",)),
                Field("Email", "email", 100),
                Field("Phone", "phone", 30),
            ),
        ),
        _module(
            "Deals",
            "Deal",
            (
                Field("Deal_Name", mandatory=True, length=120),
                Field("Account_Name", "lookup", target=("Accounts",)),
                _pick(
                    "Stage",
                    *("Qualification", "Needs Analysis", "Proposal/Price Quote"),
                    *("Negotiation/Review", "Closed Won", "Closed Lost"),
                ),
                Field("Amount", "currency"),
                Field("Closing_Date", "date"),
                Field("Probability", "integer"),
                _pick("Currency", "CNY", "USD", "EUR"),
                _pick("Type", "New Business", "Existing Business"),
            ),
        ),
        _module(
            "Sales_Orders",
            "Sales Order",
            (
                Field("Subject", mandatory=True, length=120),
                Field("SO_Number", length=40),
                Field("Account_Name", "lookup", target=("Accounts",)),
                Field("Deal_Name", "lookup", target=("Deals",)),
                _pick("Status", "Created", "Approved", "Delivered", "Cancelled"),
                Field("Sub_Total", "currency"),
                Field("Grand_Total", "currency"),
                _pick("Currency", "CNY", "USD", "EUR", "GBP"),
                Field("Due_Date", "date"),
                Field("Purchase_Order", length=100),
                Field("Order_Date", "datetime", custom=True),
            ),
        ),
        _module(
            "Calls",
            "Call",
            (
                Field("Subject", mandatory=True, length=255),
                _pick("Call_Type", "Outbound", "Inbound", "Missed"),
                Field("Call_Start_Time", "datetime"),
                Field("Call_Duration_in_seconds", "integer"),
                Field("Call_Status", length=60),
                _pick("Call_Result", "Interested", "Not interested", "No response/Busy", "Invalid"),
                Field("What_Id", "lookup", target=("Accounts", "Deals", "Sales_Orders")),
                Field("Who_Id", "lookup", target=("Contacts",)),
                Field("$se_module", read_only=True),
                Field("Description", "textarea", 32_000),
            ),
        ),
        _module(
            "Notes",
            "Note",
            (
                Field("Note_Title", length=120),
                Field("Note_Content", "textarea", 65_535),
                Field("Parent_Id", "lookup", mandatory=True),
            ),
        ),
    )
}


def with_fields(catalogue: Catalogue, module: str, *fields: Field) -> Catalogue:
    """Return the same catalogue with fields added to, or replaced in, one module."""
    old = catalogue[module]
    listed = {**old.fields, **{field.api_name: field for field in fields}}
    return {**catalogue, module: replace(old, fields=listed)}


def made_id(family: str, name: str) -> str:
    """Return an id that is the same in each run, in the range of the sandbox's own ids."""
    number = int.from_bytes(f"{family}:{name}".encode().ljust(24, b"."), "big") % 10**8
    return str(5_725_767_000_000_000_000 + number)
