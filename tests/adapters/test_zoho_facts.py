"""From Zoho's modules, over HTTP, into the facts tables that policies are written against."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters import fixed_mapping, open_adapter
from adapters.demo_mapping import INVOICES, demo_mapping
from adapters.sandbox.demo_data import load_demo
from adapters.sandbox.zoho import CATALOGUE, Behaviour, Credentials, NewUser, Quirks, Store
from adapters.sandbox.zoho import ZohoSandbox as Sandbox
from connector.mapping import compile_mapping
from connector.needs import BURST, PHONE_VALID, Needs
from connector.pull import PullReport, pull
from connector.sync import Context
from connector.warehouse import Warehouse
from connector.workspace import Workspace, load_workspace

NOW = datetime(2026, 5, 14, 3, 36, 17, tzinfo=UTC)
CREATED = NOW - timedelta(days=100)
LATER = NOW - timedelta(days=40)
KEYS = {"client_id", "client_secret", "refresh_token"}


def text(moment: datetime) -> str:
    return moment.isoformat()


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


class Company:
    """A sandbox that starts empty, and what has been pulled from it."""

    def __init__(
        self,
        folder: Path,
        catalogue: Any = CATALOGUE,
        quirks: Quirks | None = None,
        now: Callable[[], datetime] = lambda: NOW,
    ) -> None:
        self._now = now
        self.store = Store(now=now, catalogue=catalogue)
        self.server = Sandbox(self.store, behaviour=Behaviour(quirks=quirks or Quirks()))
        self.server.start()
        self.workspace = _workspace(folder, self.server.url)
        self.account = self.insert("Accounts", Account_Name="Zylker")
        self.key = f"Accounts:{self.account}"

    def insert(self, module: str, **values: Any) -> str:
        row = {"Created_Time": CREATED, **values}
        return self.store.insert(module, [row])[0]

    def pull(self, mapping: str = "", needs: Needs | None = None) -> PullReport:
        adapter, needs = open_adapter(self.workspace), needs or Needs()
        context = Context(self.workspace, adapter, mapping=mapping or fixed_mapping("zoho"))
        try:
            return pull(
                self.workspace,
                adapter,
                self.warehouse,
                mapping=context.mapping_for(needs),
                now=self._now,
                needs=needs,
            )
        finally:
            adapter.close()  # type: ignore[attr-defined]

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.workspace)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.reading() as connection:
            return connection.execute(query).fetchall()

    def complete(self, fact: str) -> bool:
        return bool(self.rows(f"SELECT complete FROM sources WHERE fact = '{fact}'")[0][0])

    def close(self) -> None:
        self.server.stop()
        self.store.close()


def _workspace(folder: Path, url: str) -> Workspace:
    secrets = {name: value for name, value in asdict(Credentials()).items() if name in KEYS}
    folder.mkdir(exist_ok=True)
    for name, value in secrets.items():
        (folder / name).write_text(value)
    lines = [f"  {name}: file:{name}" for name in secrets]
    head = "workspace: 1\nname: facts\ntimezone: Asia/Shanghai\ncrm:\n  adapter: zoho\n"
    place = f"  accounts_url: {url}\n  api_url: {url}\n  status_field: Customer_Status\n"
    (folder / "highseas.yaml").write_text(head + place + "\n".join(lines) + "\n")
    workspace = load_workspace(folder)
    workspace.prepare()
    return workspace


@pytest.fixture
def open_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Company]]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    opened: list[Company] = []

    def start(**options: Any) -> Company:
        opened.append(Company(tmp_path / "workspace", **options))
        return opened[-1]

    yield start
    for company in opened:
        company.close()


@pytest.fixture
def company(open_company: Callable[..., Company]) -> Company:
    return open_company()


def without(*names: str) -> Mapping[str, Any]:
    """The sandbox's catalogue as an edition that does not have these modules."""
    return {name: kind for name, kind in CATALOGUE.items() if name not in names}


def lacking(field: str) -> Mapping[str, Any]:
    """The catalogue of an organisation in which no module has this field."""
    return {
        name: replace(kind, fields={key: one for key, one in kind.fields.items() if key != field})
        for name, kind in CATALOGUE.items()
    }


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("Outbound", "Attended Dialled", ("ours", "reached")),
        ("Outbound", "Unattended Dialled", ("ours", "no_answer")),
        ("Outbound", "Scheduled Attended Delay", ("ours", "reached")),
        ("Inbound", "Received", ("theirs", "reached")),
        ("Missed", "Missed", ("theirs", "no_answer")),
        ("Outbound", None, ("ours", None)),
    ],
)
def test_a_call_tells_who_called_and_whether_anybody_answered(
    company: Company, kind: str, status: str | None, expected: tuple[str, str | None]
) -> None:
    company.insert(
        "Calls", **about(company.account), **a_call(), Call_Type=kind, Call_Status=status
    )
    report = company.pull()
    found = company.rows(
        "SELECT customer, kind, direction, outcome, seconds, happened_at, recorded_at "
        "FROM activities"
    )
    assert found == [(company.key, "call", *expected, 45, naive(LATER), naive(CREATED))]
    assert not report.partial
    assert sum(item.problems for item in report.objects) == 0


def about(target: str, module: str = "Accounts") -> dict[str, Any]:
    return {"What_Id": target, "$se_module": module}


def a_call() -> dict[str, Any]:
    return {"Subject": "S", "Call_Start_Time": text(LATER), "Call_Duration_in_seconds": 45}


@pytest.mark.parametrize("status", ["Scheduled", "Overdue", "Cancelled"])
def test_a_call_that_did_not_take_place_is_none(company: Company, status: str) -> None:
    company.insert("Calls", **about(company.account), **a_call(), Call_Status=status)
    company.pull()
    assert company.rows("FROM activities") == []


def test_a_status_that_nobody_knows_is_a_problem_and_not_a_guess(company: Company) -> None:
    company.insert("Calls", **about(company.account), **a_call(), Call_Status="Whatever")
    report = company.pull()
    assert company.rows("SELECT outcome FROM activities") == [(None,)]
    (calls,) = (item for item in report.objects if item.object == "Calls")
    assert (calls.problems, calls.examples[0].field) == (1, "Call_Status")


def test_calls_and_meetings_find_the_account_through_deal_and_contact(company: Company) -> None:
    contact = company.insert("Contacts", Last_Name="L", Account_Name=company.account)
    deal = company.insert("Deals", Deal_Name="D", Account_Name=company.account)
    lead = {"$se_module": "Leads", "Who_Id": contact}
    routes = (about(deal, "Deals"), {"Who_Id": contact}, lead, about(company.account))
    for route in routes:
        company.insert("Calls", **route, **a_call(), Call_Type="Outbound")
        company.insert("Events", **route, Event_Title="E", Start_DateTime=text(LATER))
    company.insert("Calls", **a_call(), Who_Id=contact, **about("1", "Sales_Orders"))
    company.pull()
    found = company.rows(
        "SELECT customer, source, count(*) FROM activities GROUP BY ALL ORDER BY 2"
    )
    assert found == [(company.key, "Calls", 4), (company.key, "Events", 3)]


def test_a_meeting_with_a_check_in_is_a_visit_at_that_moment(company: Company) -> None:
    planned = {"Event_Title": "E", "Start_DateTime": text(LATER), **about(company.account)}
    company.insert("Events", **planned)
    company.insert("Events", **planned, **{"$event_cancelled": True})
    made = LATER + timedelta(minutes=7)
    company.insert("Events", **planned, Check_In_Time=text(made))
    company.pull()
    found = company.rows(
        "SELECT kind, checked_in, happened_at, direction, outcome FROM activities ORDER BY 1"
    )
    assert found == [
        ("meeting", None, naive(LATER), "ours", "reached"),
        ("visit", True, naive(made), "ours", "reached"),
    ]


@pytest.mark.parametrize(
    ("stage", "state", "outcome"),
    [
        ("Draft", "open", None),
        ("Delivered", "open", "no_answer"),
        ("Negotiation", "open", "reached"),
        ("Confirmed", "accepted", "reached"),
        ("Closed Won", "accepted", "reached"),
        ("Closed Lost", "declined", "reached"),
        (None, "open", None),
    ],
)
def test_a_quote_is_open_until_its_stage_says_otherwise(
    company: Company, stage: str | None, state: str, outcome: str | None
) -> None:
    company.insert(
        "Quotes",
        Subject="Q",
        Quote_Number="7",
        Account_Name=company.account,
        Quote_Stage=stage,
        Valid_Till="2026-06-30",
        Grand_Total=120.5,
        Currency="EUR",
        Modified_Time=LATER,
    )
    company.pull()
    ((*found, closed, valid),) = company.rows(
        "SELECT customer, number, state, CAST(amount AS VARCHAR), currency, happened_at, "
        "closed_at, CAST(valid_until AS VARCHAR) FROM quotes"
    )
    assert found == [company.key, "7", state, "120.5000", "EUR", naive(CREATED)]
    assert (closed, valid) == (None if state == "open" else naive(LATER), "2026-06-30")
    done = [] if stage == "Draft" else [("quote", "ours", outcome)]
    assert company.rows("SELECT kind, direction, outcome FROM activities") == done


def test_orders_and_deals_carry_their_currency(company: Company) -> None:
    money = {"Account_Name": company.account, "Currency": "USD"}
    company.insert("Sales_Orders", Subject="O", Status="Created", Grand_Total=5, **money)
    company.insert("Sales_Orders", Subject="O", Status="Cancelled", Grand_Total=5, **money)
    company.insert("Deals", Deal_Name="D", Stage="Closed Won", Amount=9, **money)
    company.pull()
    query = "SELECT CAST(amount AS VARCHAR), currency, confirmed FROM orders"
    assert company.rows(query) == [("5.0000", "USD", None)]
    query = "SELECT CAST(amount AS VARCHAR), currency, state FROM deals"
    assert company.rows(query) == [("9.0000", "USD", "won")]


@pytest.mark.parametrize(
    ("stage", "closing", "state", "closed"),
    [
        ("Closed Won", "2026-12-31", "won", naive(LATER)),
        ("Closed Lost to Competition", "2026-12-31", "lost", naive(LATER)),
        ("Closed Won", "2026-01-15", "won", datetime(2026, 1, 14, 16)),  # noqa: DTZ001
        ("Qualification", "2026-12-31", "open", datetime(2026, 12, 30, 16)),  # noqa: DTZ001
    ],
)
def test_a_deal_that_is_decided_was_decided_at_its_last_change_at_the_latest(
    company: Company, stage: str, closing: str, state: str, closed: datetime
) -> None:
    names = {"Deal_Name": "D", "Account_Name": company.account}
    company.insert("Deals", Stage=stage, Closing_Date=closing, Modified_Time=LATER, **names)
    company.pull()
    assert company.rows("SELECT state, closed_at FROM deals") == [(state, closed)]


def test_a_case_belongs_to_its_account_or_to_the_one_behind_deal_or_person(
    company: Company,
) -> None:
    contact = company.insert("Contacts", Last_Name="L", Account_Name=company.account)
    deal = company.insert("Deals", Deal_Name="D", Account_Name=company.account)
    other = company.insert("Accounts", Account_Name="Other")
    by_account = {"Account_Name": other, "Deal_Name": deal, "Related_To": contact}
    for links in (by_account, {"Deal_Name": deal, "Related_To": contact}, {"Related_To": contact}):
        for status in ("New", "Closed"):
            company.insert("Cases", Subject="C", Status=status, Modified_Time=LATER, **links)
    company.pull()
    found = company.rows(
        "SELECT customer, closed_at, count(*) FROM complaints GROUP BY ALL ORDER BY 1, 2"
    )
    assert found == [
        (company.key, naive(LATER), 2),
        (company.key, None, 2),
        (f"Accounts:{other}", naive(LATER), 1),
        (f"Accounts:{other}", None, 1),
    ]


def test_a_case_that_was_closed_since_the_last_pull_stands_there_once(
    open_company: Callable[..., Company],
) -> None:
    company = open_company(now=lambda: datetime.now(UTC))
    case = company.insert("Cases", Subject="C", Account_Name=company.account, Status="New")
    meeting = {"Event_Title": "E", "Start_DateTime": text(LATER), **about(company.account)}
    event = company.insert("Events", **meeting)
    company.pull()
    company.store.edit("Cases", case, {"Status": "Closed"})
    company.store.edit("Events", event, {"Check_In_Time": text(LATER)})
    report = company.pull()
    assert {item.kind for item in report.objects if item.object != "users"} == {"incremental"}
    assert company.rows("SELECT closed_at IS NULL FROM complaints") == [(False,)]
    assert sorted(company.rows("SELECT kind FROM activities")) == [("message",), ("visit",)]


def test_questions_and_wishes_are_no_complaints(company: Company) -> None:
    for kind in ("Problem", "Question", "Feature Request", None):
        company.insert("Cases", Subject="C", Account_Name=company.account, Type=kind)
    company.pull()
    assert sorted(company.rows("SELECT kind, fault FROM complaints"), key=str) == [
        ("Problem", None),
        (None, None),
    ]


def test_a_parent_account_and_those_below_it_are_one_group(company: Company) -> None:
    child = company.insert("Accounts", Account_Name="Child", Parent_Account=company.account)
    company.insert("Accounts", Account_Name="Alone")
    company.pull()
    groups = dict(company.rows("SELECT key, group_key FROM customers"))
    assert groups[company.key] == groups[f"Accounts:{child}"]
    assert len(set(groups.values())) == 2


def test_owners_have_managers_and_are_active_or_not(company: Company) -> None:
    boss = company.store.add_user(NewUser("A Boss", "boss@example.com"))
    gone = NewUser("B Gone", "gone@example.com", "inactive", manager=boss, region="East")
    company.store.add_user(gone)
    company.pull()
    found = company.rows("SELECT name, active, manager_id, region FROM people ORDER BY name")
    known = [row for row in found if row[0] != "API user"]
    assert known == [("A Boss", True, None, None), ("B Gone", False, boss, "East")]


def test_the_own_mapping_leaves_invoices_to_the_company(company: Company) -> None:
    company.insert("Invoices", Subject="I", Account_Name=company.account)
    company.pull()
    assert company.rows("FROM invoices") == []
    assert not company.complete("invoices")
    assert company.complete("quotes")


def test_invoices_with_fields_of_the_company_are_read_whole(company: Company) -> None:
    given = {
        "Invoice_Number": "R1",
        "Account_Name": company.account,
        "Invoice_Date": "2026-03-01",
        "Due_Date": "2026-03-31",
        "Grand_Total": 10.25,
        "Milestone": "Deposit",
    }
    company.insert("Invoices", Subject="I", **given, Paid_On="2026-04-02", Disputed=True)
    company.insert("Invoices", Subject="I", **{**given, "Invoice_Number": "R2"})
    company.insert("Invoices", Subject="I", **given, Status="Cancelled")
    company.pull(fixed_mapping("zoho") + INVOICES)
    found = company.rows(
        "SELECT number, CAST(due_on AS VARCHAR), settled_at, disputed, milestone, "
        "CAST(amount AS VARCHAR) FROM invoices ORDER BY number"
    )
    midnight = datetime(2026, 4, 1, 16)  # noqa: DTZ001 - in UTC, as the tables keep it
    assert found == [
        ("R1", "2026-03-31", midnight, True, "Deposit", "10.2500"),
        ("R2", "2026-03-31", None, None, "Deposit", "10.2500"),
    ]
    assert company.complete("invoices")


def test_the_lines_about_invoices_are_those_of_the_docs() -> None:
    page = Path(__file__).parents[2] / "docs" / "zoho.md"
    assert INVOICES in page.read_text(encoding="utf-8")


def test_the_mapping_of_the_demo_reads_what_this_company_added(company: Company) -> None:
    company.store.edit("Accounts", company.account, {"Email": "a@example.com"})
    company.insert("Cases", Subject="C", Account_Name=company.account, Fault="Customer")
    company.insert("Invoices", Subject="I", Account_Name=company.account, Invoice_Date="2026-03-01")
    report = company.pull(demo_mapping())
    assert company.rows("SELECT email FROM customers") == [("a@example.com",)]
    assert company.rows("SELECT fault FROM complaints") == [("theirs",)]
    assert company.rows("SELECT customer FROM invoices") == [(company.key,)]
    assert not report.partial


def test_what_the_docs_add_to_the_mapping_can_be_added() -> None:
    page = (Path(__file__).parents[2] / "docs" / "zoho.md").read_text(encoding="utf-8")
    blocks = [part for part in page.split("```yaml\n")[1:] if not part.startswith("crm:")]
    added = "".join(part.split("```")[0] for part in blocks)
    text = fixed_mapping("zoho") + added
    compiled = compile_mapping(text, "mapping.yaml", zone="UTC", status_field=None)
    assert {"Invoices", "Contracts1"} < set(compiled.shapes)


def test_fields_of_the_company_come_as_text(company: Company) -> None:
    own = {"Credit_Limit": 5000, "Strategic": True, "Channels": ["Direct", "Dealer"], "Grade": None}
    company.store.edit("Accounts", company.account, own)
    company.pull(needs=Needs(frozenset(own)))
    ((found,),) = company.rows("SELECT fields FROM customers")
    assert json.loads(found.pop("Channels")) == ["Direct", "Dealer"]
    assert float(found.pop("Credit_Limit")) == 5000
    assert found == {"Strategic": "true"}


def test_the_demo_has_broken_numbers_and_a_burst_of_calls(
    open_company: Callable[..., Company],
) -> None:
    company = open_company()
    load_demo(company.store, customers=600, today=NOW.date())
    company.pull(demo_mapping(), Needs(derive=frozenset({PHONE_VALID, BURST})))
    phones = dict(
        company.rows(
            "SELECT phone_valid, count(*) FROM customers WHERE phone IS NOT NULL GROUP BY 1"
        )
    )
    assert 5 < phones[False] < phones[True] / 10
    ((count, owners),) = company.rows(
        "SELECT count(*), count(DISTINCT owner_id) FROM activities WHERE burst"
    )
    assert (count, owners) == (30, 1)


@pytest.mark.parametrize("module", ["Quotes", "Cases", "Sales_Orders"])
def test_a_module_that_is_not_there_is_named_and_its_facts_are_incomplete(
    open_company: Callable[..., Company], module: str
) -> None:
    company = open_company(catalogue=without(module))
    fact = {"Quotes": "quotes", "Cases": "complaints", "Sales_Orders": "orders"}[module]
    report = company.pull()
    (missing,) = (item for item in report.objects if item.error)
    assert missing.object == module
    assert "INVALID_MODULE" in missing.error
    assert report.partial
    assert not company.complete(fact)
    assert company.complete("deals")
    assert company.complete("activities") == (module not in {"Quotes", "Cases"})
    assert len(company.rows("FROM customers")) == 1


@pytest.mark.parametrize("reaction", ["ignored", "error"])
def test_an_organisation_with_one_currency_has_no_such_field(
    open_company: Callable[..., Company], reaction: Any
) -> None:
    quirks = Quirks(unknown_field_read=reaction)
    company = open_company(catalogue=lacking("Currency"), quirks=quirks)
    for _ in range(2):
        company.insert("Sales_Orders", Subject="O", Grand_Total=5, Account_Name=company.account)
    report = company.pull()
    assert not report.partial
    assert company.rows("SELECT DISTINCT currency FROM orders") == [(None,)]
    assert company.complete("orders")
    asked = [one.query for one in company.server.requests if one.path.endswith("/settings/fields")]
    expected = 3 if reaction == "error" else 0
    assert len(asked) == expected
