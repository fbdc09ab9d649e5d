"""The modules and fields that the sandbox's organisation has, as data.

Names and types are those of Zoho's standard modules; options are the ones it ships in English.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.sandbox.zoho.catalogue import SYSTEM, Catalogue, Field, Module

STATUSES = ("Active", "At risk", "Void", "Pool", "正常", "风险", "作废", "公海")
CURRENCIES = ("CNY", "USD", "EUR", "GBP")


def _module(api_name: str, singular: str, fields: Iterable[Field]) -> Module:
    own = tuple(fields)
    listed = {field.api_name: field for field in (*SYSTEM, *own)}
    return Module(api_name, singular, own[0].api_name, listed)


def _pick(api_name: str, *options: str, custom: bool = False) -> Field:
    return Field(api_name, "picklist", 120, options, custom=custom)


def _lookup(api_name: str, *modules: str) -> Field:
    return Field(api_name, "lookup", target=modules)


def _text(api_name: str, length: int = 255, *, mandatory: bool = False) -> Field:
    return Field(api_name, length=length, mandatory=mandatory)


_SUBJECT = _text("Subject", 120, mandatory=True)
_ACCOUNT, _DEAL = _lookup("Account_Name", "Accounts"), _lookup("Deal_Name", "Deals")
_CONTACT = _lookup("Contact_Name", "Contacts")
_CURRENCY = _pick("Currency", *CURRENCIES)
_TOTALS = (Field("Sub_Total", "currency"), Field("Grand_Total", "currency"), _CURRENCY)
_DESCRIPTION = Field("Description", "textarea", 32_000)
# What an activity is about: a record, which `$se_module` names the module of, and a contact.
_ABOUT = (
    _lookup("What_Id", "Accounts", "Deals", "Quotes", "Sales_Orders", "Invoices", "Cases"),
    _lookup("Who_Id", "Contacts"),
    Field("$se_module", read_only=True),
    _DESCRIPTION,
)

_ACCOUNTS = _module(
    "Accounts",
    "Account",
    (
        _text("Account_Name", 200, mandatory=True),
        _text("Account_Number", 40),
        _pick("Account_Type", "Customer", "Prospect", "Partner", "Reseller", "Supplier"),
        _pick("Industry", "Machinery", "Electronics", "Chemicals", "Logistics", "Retail"),
        _pick("Rating", "Hot", "Warm", "Cold"),
        Field("Annual_Revenue", "currency"),
        Field("Employees", "integer"),
        Field("Phone", "phone", 30),
        Field("Website", "website", 450),
        _text("Billing_Country", 120),
        _text("Billing_State", 120),
        _text("Billing_City", 120),
        _DESCRIPTION,
        _lookup("Parent_Account", "Accounts"),
        Field("Last_Activity_Time", "datetime", read_only=True),
        Field("Email", "email", 100, custom=True),
        _pick("Customer_Status", *STATUSES, custom=True),
        Field("Credit_Limit", "currency", custom=True),
        _pick("Grade", "A", "B", "C", custom=True),
        Field("Frame_Contract_Until", "date", custom=True),
        Field("Strategic", "boolean", custom=True),
        Field("Discount", "percent", custom=True),
        Field(
            "Channels",
            "multiselectpicklist",
            options=("Direct", "Dealer", "Online", "Tender"),
            custom=True,
        ),
        Field("Credit_Left", "formula", custom=True, read_only=True, returns="currency"),
    ),
)
_CONTACTS = _module(
    "Contacts",
    "Contact",
    (
        _text("Last_Name", 80, mandatory=True),
        _text("First_Name", 40),
        _ACCOUNT,
        Field("Email", "email", 100),
        Field("Phone", "phone", 30),
        Field("Email_Opt_Out", "boolean"),
    ),
)
_DEALS = _module(
    "Deals",
    "Deal",
    (
        _text("Deal_Name", 120, mandatory=True),
        _ACCOUNT,
        _pick(
            "Stage",
            *("Qualification", "Needs Analysis", "Proposal/Price Quote"),
            *("Negotiation/Review", "Closed Won", "Closed Lost"),
        ),
        Field("Amount", "currency"),
        Field("Closing_Date", "date"),
        Field("Probability", "integer"),
        _CURRENCY,
        _pick("Type", "New Business", "Existing Business"),
    ),
)
_QUOTES = _module(
    "Quotes",
    "Quote",
    (
        _SUBJECT,
        Field("Quote_Number", "autonumber", 40, read_only=True),
        _ACCOUNT,
        _DEAL,
        _CONTACT,
        _pick(
            "Quote_Stage",
            *("Draft", "Negotiation", "Delivered", "On Hold", "Confirmed"),
            *("Closed Won", "Closed Lost"),
        ),
        Field("Valid_Till", "date"),
        *_TOTALS,
    ),
)
_SALES_ORDERS = _module(
    "Sales_Orders",
    "Sales Order",
    (
        _SUBJECT,
        _text("SO_Number", 40),
        _ACCOUNT,
        _DEAL,
        _CONTACT,
        _pick("Status", "Created", "Approved", "Delivered", "Cancelled"),
        *_TOTALS,
        Field("Due_Date", "date"),
        _text("Purchase_Order", 100),
        Field("Order_Date", "datetime", custom=True),
    ),
)
_INVOICES = _module(
    "Invoices",
    "Invoice",
    (
        _SUBJECT,
        _text("Invoice_Number", 40),
        _ACCOUNT,
        _CONTACT,
        _lookup("Sales_Order", "Sales_Orders"),
        _pick("Status", "Created", "Approved", "Delivered", "Cancelled"),
        Field("Invoice_Date", "date"),
        Field("Due_Date", "date"),
        *_TOTALS,
        # Zoho's own fields do not tell when, or whether, an invoice was paid.
        Field("Paid_On", "date", custom=True),
        Field("Disputed", "boolean", custom=True),
        _pick("Milestone", "Deposit", "Acceptance", "Retention", custom=True),
    ),
)
_CASES = _module(
    "Cases",
    "Case",
    (
        _SUBJECT,
        Field("Case_Number", "autonumber", 40, read_only=True),
        _ACCOUNT,
        _DEAL,
        _lookup("Related_To", "Contacts"),
        _pick("Status", "New", "On Hold", "Escalated", "Closed"),
        _pick("Type", "Problem", "Feature Request", "Question"),
        _pick("Priority", "High", "Medium", "Low"),
        _pick("Case_Origin", "Email", "Phone", "Web"),
        _pick("Case_Reason", "User did not attend any training", "Complex functionality"),
        _DESCRIPTION,
        _pick("Fault", "Ours", "Customer", custom=True),
    ),
)
_CALLS = _module(
    "Calls",
    "Call",
    (
        _text("Subject", mandatory=True),
        _pick("Call_Type", "Outbound", "Inbound", "Missed"),
        Field("Call_Start_Time", "datetime"),
        Field("Call_Duration_in_seconds", "integer"),
        _text("Call_Status", 60),
        _pick("Call_Result", "Interested", "Not interested", "No response/Busy", "Invalid"),
        *_ABOUT,
    ),
)
_EVENTS = _module(
    "Events",
    "Event",
    (
        _text("Event_Title", mandatory=True),
        Field("Start_DateTime", "datetime"),
        Field("End_DateTime", "datetime"),
        Field("All_day", "boolean"),
        _text("Venue"),
        Field("Check_In_Time", "datetime", read_only=True),
        Field("Check_In_Address", "textarea", 2_000, read_only=True),
        Field("$event_cancelled", "boolean", read_only=True),
        *_ABOUT,
    ),
)
_NOTES = _module(
    "Notes",
    "Note",
    (
        _text("Note_Title", 120),
        Field("Note_Content", "textarea", 65_535),
        Field("Parent_Id", "lookup", mandatory=True),
    ),
)

CATALOGUE: Catalogue = {
    module.api_name: module
    for module in (
        _ACCOUNTS,
        _CONTACTS,
        _DEALS,
        _QUOTES,
        _SALES_ORDERS,
        _INVOICES,
        _CASES,
        _CALLS,
        _EVENTS,
        _NOTES,
    )
}
