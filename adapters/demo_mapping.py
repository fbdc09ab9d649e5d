"""The mapping of the demo's workspace: the adapter's own, and what this one company keeps in
fields that it added."""

from __future__ import annotations

from adapters import fixed_mapping

_PHONE = "      phone: Phone\n"
_EMAIL = "      email: Email\n"
_KIND = "kind: Type"
_FAULT = ", fault: {from: Fault, map: {Ours: ours, Customer: theirs}}"
# The same lines stand in docs/zoho.md.
INVOICES = """\
invoices:
  - object: Invoices
    id: id
    customer: Account_Name.id
    where: {Status: {not: [Cancelled]}}
    columns:
      happened_at: Invoice_Date
      recorded_at: Created_Time
      number: Invoice_Number
      due_on: Due_Date
      settled_at: Paid_On
      disputed: Disputed
      milestone: Milestone
      amount: Grand_Total
      currency: Currency
"""


def demo_mapping() -> str:
    """Return the text of mapping.yaml."""
    own = fixed_mapping("zoho")
    own = own.replace(_PHONE, _PHONE + _EMAIL).replace(_KIND, _KIND + _FAULT)
    return f"{own}\n{INVOICES}"
