"""A local server that speaks Zoho CRM v8's wire contract, for tests, demos and trying out."""

from __future__ import annotations

from adapters.sandbox.zoho.catalogue import Field, with_fields
from adapters.sandbox.zoho.faults import Fault, Faults
from adapters.sandbox.zoho.modules import CATALOGUE
from adapters.sandbox.zoho.people import NewUser
from adapters.sandbox.zoho.server import Behaviour, ZohoSandbox
from adapters.sandbox.zoho.settings import Credentials, Limits, Quirks
from adapters.sandbox.zoho.store import Store
from adapters.sandbox.zoho.wire import Request

__all__ = [
    "CATALOGUE",
    "Behaviour",
    "Credentials",
    "Fault",
    "Faults",
    "Field",
    "Limits",
    "NewUser",
    "Quirks",
    "Request",
    "Store",
    "ZohoSandbox",
    "with_fields",
]
