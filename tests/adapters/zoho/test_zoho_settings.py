"""The `crm:` block: what it needs, what it refuses, and that it keeps its secrets."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.zoho import read_settings
from connector.errors import ConfigurationError

BLOCK = {
    "data_center": "eu",
    "client_id": "env:ID",
    "client_secret": "env:SECRET",
    "refresh_token": "env:TOKEN",
    "status_field": "Customer_Status",
}


def read(**changes: Any) -> Any:
    block = {key: value for key, value in (BLOCK | changes).items() if value is not None}
    return read_settings(block, lambda reference: reference.replace("env:", "value-4711-"))


def test_secrets_are_looked_up_and_do_not_show() -> None:
    settings = read()
    assert settings.client_id == "value-4711-ID"
    assert settings.refresh_token.get_secret_value() == "value-4711-TOKEN"
    assert "4711-SECRET" not in repr(settings)
    assert "4711-TOKEN" not in repr(settings)


def test_a_data_centre_names_both_servers() -> None:
    assert read().accounts_origin == "https://accounts.zoho.eu"
    assert read().api_origin("") == "https://www.zohoapis.eu"


def test_the_address_in_the_token_goes_before_the_table_and_the_users_before_both() -> None:
    named = "https://sandbox.zohoapis.eu"
    assert read().api_origin(named) == named
    assert read(api_url="https://proxy.example").api_origin(named) == "https://proxy.example"


def test_an_accounts_server_may_stand_for_the_data_centre() -> None:
    settings = read(data_center=None, accounts_url="https://accounts.zoho.sg/")
    assert settings.accounts_origin == "https://accounts.zoho.sg"
    assert settings.api_origin("https://www.zohoapis.sg") == "https://www.zohoapis.sg"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data_center": "mars"}, "data_center is none of us, eu"),
        ({"data_center": None}, "data_center is missing"),
        ({"client_secret": None}, "client_secret: Field required"),
        ({"refresh_token": 4711}, "refresh_token"),
        ({"page_size": 500}, "page_size"),
        ({"concurrency": 0}, "concurrency"),
        ({"pagesize": 5}, "pagesize: Extra inputs"),
        ({"accounts_url": "http://accounts.zoho.eu"}, "not an https address"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_value(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        read(**changes)
    assert "4711" not in f"{caught.value.message} {caught.value.hint}"
