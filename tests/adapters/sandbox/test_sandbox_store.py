"""The store's own API: loading, foreign edits, snapshots, files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.sandbox.zoho import NewUser, Store

Call = Callable[..., requests.Response]


def test_values_of_python_become_what_zoho_shows(store: Store) -> None:
    row = {
        "Deal_Name": "D",
        "Amount": Decimal("12.50"),
        "Closing_Date": date(2026, 6, 1),
        "Account_Name": {"id": "123"},
    }
    deal = store.insert("Deals", [row])[0]
    values = store.values(deal)
    assert (values["Amount"], values["Closing_Date"]) == (12.5, "2026-06-01")
    assert values["Account_Name"] == "123"
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    call = store.insert("Calls", [{"Subject": "S", "Call_Start_Time": moment}])[0]
    assert store.values(call)["Call_Start_Time"] == "2026-05-01T08:00:00+08:00"


def test_what_json_does_not_know_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="no JSON for set"):
        store.insert("Accounts", [{"Account_Name": {1, 2}}])


@pytest.mark.parametrize("moment", ["2026-05-01T00:00:00", datetime(2026, 5, 1), 1.5])  # noqa: DTZ001
def test_a_moment_needs_an_offset(store: Store, moment: Any) -> None:
    with pytest.raises(ValueError, match="offset"):
        store.insert("Accounts", [{"Account_Name": "A", "Created_Time": moment}])


def test_an_unknown_field_is_named(store: Store) -> None:
    with pytest.raises(ValueError, match="Accounts has no field 'Nothing'"):
        store.insert("Accounts", [{"Account_Name": "A", "Nothing": 1}])
    assert store.count("Accounts") == 0


def test_a_failing_insert_leaves_nothing(store: Store) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A"}])[0]
    with pytest.raises(Exception, match="UNIQUE"):
        store.insert("Accounts", [{"Account_Name": "B"}, {"id": number, "Account_Name": "C"}])
    assert store.count("Accounts") == 1


def test_ids_may_be_given_and_new_ones_stay_clear_of_them(store: Store) -> None:
    given = "5725767000009000000"
    assert store.insert("Accounts", [{"id": given, "Account_Name": "A"}]) == [given]
    assert int(store.insert("Accounts", [{"Account_Name": "B"}])[0]) > int(given)


def test_a_foreign_edit_carries_its_author_and_time(store: Store, call: Call, clock: Any) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A"}])[0]
    someone = store.add_user(NewUser("Someone", "s@example.com"))
    clock.advance(3)
    store.edit("Accounts", number, {"Phone": "1", "Owner": someone}, by=someone)
    path = f"/Accounts/{number}?fields=Phone,Modified_By,Modified_Time,Created_By"
    (row,) = call("GET", path).json()["data"]
    assert row == {
        "id": number,
        "Phone": "1",
        "Modified_By": {"name": "Someone", "id": someone},
        "Modified_Time": "2026-05-14T11:36:20+08:00",
        "Created_By": {"name": "API user", "id": store.api_user},
    }
    with pytest.raises(LookupError, match="holds no record"):
        store.edit("Deals", number, {})


def test_a_snapshot_sees_what_users_see_and_no_times(store: Store, clock: Any) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A", "Tag": ["own"]}])[0]
    someone = store.add_user(NewUser("Someone", "s@example.com"))
    before = store.snapshot()
    assert set(before) == {f"Accounts:{number}"}
    differences = []
    for change, undo in (
        (lambda: store.add_tag(number, "x"), lambda: store.remove_tag(number, "x")),
        (
            lambda: store.edit("Accounts", number, {"Phone": "1"}),
            lambda: store.edit("Accounts", number, {"Phone": None}),
        ),
        (
            lambda: store.edit("Accounts", number, {"Owner": someone}),
            lambda: store.edit("Accounts", number, {"Owner": store.api_user}),
        ),
    ):
        clock.advance(1)
        change()
        differences.append(store.snapshot() != before)
        undo()
        assert store.snapshot() == before
    note = store.add_note(number, "x", by=someone)
    assert set(store.snapshot()) - set(before) == {f"Notes:{note}"}
    store.delete(note)
    assert store.snapshot() == before
    assert differences == [True, True, True]


def test_the_order_in_which_tags_were_added_is_no_difference(store: Store) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A", "Tag": ["a", "b"]}])[0]
    before = store.snapshot()
    store.remove_tag(number, "a")
    store.add_tag(number, "a")
    assert store.snapshot() == before


def test_foreign_tags_may_leave_the_time_alone(store: Store, call: Call, clock: Any) -> None:
    number = store.insert("Accounts", [{"Account_Name": "A"}])[0]
    clock.advance(9)
    store.add_tag(number, "x", bump=False)
    store.remove_tag(number, "x", bump=False)
    (row,) = call("GET", f"/Accounts/{number}?fields=Modified_Time").json()["data"]
    assert row["Modified_Time"] == "2026-05-14T11:36:17+08:00"
    store.add_tag(number, "x")
    (row,) = call("GET", f"/Accounts/{number}?fields=Modified_Time").json()["data"]
    assert row["Modified_Time"] == "2026-05-14T11:36:26+08:00"


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite"
    with Store(path) as store:
        number = store.insert("Accounts", [{"Account_Name": "A", "Tag": ["own"]}])[0]
        kept = (store.snapshot(), store.database.secret("page_tokens"), store.api_user)
    with Store(path) as store:
        assert (store.snapshot(), store.database.secret("page_tokens"), store.api_user) == kept
        assert int(store.insert("Accounts", [{"Account_Name": "B"}])[0]) > int(number)


def test_a_lookup_whose_target_is_gone_has_no_name(store: Store, call: Call) -> None:
    account = store.insert("Accounts", [{"Account_Name": "A"}])[0]
    store.insert("Sales_Orders", [{"Subject": "S", "Account_Name": account}])
    store.delete(account)
    (row,) = call("GET", "/Sales_Orders?fields=Account_Name").json()["data"]
    assert row["Account_Name"] == {"name": None, "id": account}
