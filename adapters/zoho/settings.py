"""What the `crm:` block of highseas.yaml says about a Zoho organisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from adapters.calls import checked_origin
from connector.errors import ConfigurationError

# Accounts server and API (Zoho v8 multi-dc page and the data centres of its own SDK); "uk" from
# third parties only. The API's address in a token response goes before this table.
DATA_CENTRES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "us": ("https://accounts.zoho.com", "https://www.zohoapis.com"),
        "eu": ("https://accounts.zoho.eu", "https://www.zohoapis.eu"),
        "in": ("https://accounts.zoho.in", "https://www.zohoapis.in"),
        "au": ("https://accounts.zoho.com.au", "https://www.zohoapis.com.au"),
        "jp": ("https://accounts.zoho.jp", "https://www.zohoapis.jp"),
        "cn": ("https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"),
        "ca": ("https://accounts.zohocloud.ca", "https://www.zohoapis.ca"),
        "sa": ("https://accounts.zoho.sa", "https://www.zohoapis.sa"),
        "uk": ("https://accounts.zoho.uk", "https://www.zohoapis.uk"),
    }
)
_SECRETS = ("client_id", "client_secret", "refresh_token")


class ZohoSettings(BaseModel):
    """Secrets are resolved already. `page_size` is rows a read; `concurrency` calls at a time, for
    which Zoho's editions allow 5 to 25. `objects` are described beside those of the mapping."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    data_center: str | None = None
    accounts_url: str | None = None
    api_url: str | None = None
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    status_field: str | None = None
    objects: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=30.0, gt=0, le=300)
    concurrency: int = Field(default=4, ge=1, le=25)
    page_size: int = Field(default=200, ge=1, le=200)

    @model_validator(mode="after")
    def _has_a_place(self) -> ZohoSettings:
        if self.data_center is not None and self.data_center not in DATA_CENTRES:
            known = ", ".join(DATA_CENTRES)
            message = f"data_center is none of {known}; give accounts_url and api_url instead"
            raise ValueError(message)
        if self.data_center is None and self.accounts_url is None:
            message = f"data_center is missing: one of {', '.join(DATA_CENTRES)}"
            raise ValueError(message)
        return self

    @property
    def accounts_origin(self) -> str:
        table = DATA_CENTRES[self.data_center][0] if self.data_center else ""
        return checked_origin(self.accounts_url or table)

    def api_origin(self, named_by_token: str) -> str:
        """An address written by the user wins, then the one that came with the token."""
        table = DATA_CENTRES[self.data_center][1] if self.data_center else ""
        return checked_origin(self.api_url or named_by_token or table)


def read_settings(block: Mapping[str, Any], secret: Callable[[str], str]) -> ZohoSettings:
    """Check the block and look its secrets up.

    Raises ConfigurationError that names the keys at fault, never their values.
    """
    values = dict(block)
    for key in _SECRETS:
        if isinstance(values.get(key), str):
            values[key] = secret(values[key])
    try:
        settings = ZohoSettings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors(include_input=False))
        raise ConfigurationError(
            f"highseas.yaml, crm: {problems}",
            "needed are data_center, client_id, client_secret and refresh_token",
        ) from None
    settings.accounts_origin  # noqa: B018 - refuse a bad address here, not at the first call
    return settings


def _sentence(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {text}" if place else text
