"""The part of a description that says how calls are authorised."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adapters.rest.schema.call_description import CallForm, Part, Place
from adapters.rest.templates import Template


class NoAuth(Part):
    """Nothing to show."""

    kind: Literal["none"] = "none"


class Fixed(Part):
    """A key that does not change, in headers or in the query: templates over the settings."""

    kind: Literal["key"]
    headers: dict[str, Template] = Field(default_factory=dict)
    params: dict[str, Template] = Field(default_factory=dict)


class Basic(Part):
    """HTTP Basic."""

    kind: Literal["basic"]
    user: Template
    password: Template


class Bearer(Part):
    """A token that does not change, behind a word."""

    kind: Literal["bearer"]
    token: Template
    word: str = "Bearer"


class OAuth2(Part):
    """Tokens from a token endpoint, which may live on another host. A new refresh token in an
    answer takes the place of the old one. `credentials`: where client id and secret go."""

    kind: Literal["oauth2"]
    grant: Literal["refresh_token", "client_credentials", "password"]
    token_url: Template
    client_id: Template
    client_secret: Template
    refresh_token: Template | None = None
    user: Template | None = None
    password: Template | None = None
    scope: Template | None = None
    credentials: Literal["body", "basic"] = "body"
    body: Literal["form", "json"] = "form"
    word: str = "Bearer"
    lifetime_seconds: float = Field(default=3600.0, gt=0)

    @model_validator(mode="after")
    def _has_what_its_grant_needs(self) -> Self:
        if self.grant == "refresh_token" and self.refresh_token is None:
            raise ValueError("this grant needs 'refresh_token'")
        if self.grant == "password" and (self.user is None or self.password is None):
            raise ValueError("this grant needs 'user' and 'password'")
        return self


class Use(Part):
    """Where the token goes."""

    headers: dict[str, Template] = Field(default_factory=dict)
    params: dict[str, Template] = Field(default_factory=dict)


class Login(Part):
    """A call that yields a token, in its body, a header or a cookie. `use` says what goes with each
    later call: templates over `token` and `login`. `keep`: what else of the answer is wanted, as
    `login.NAME` in every template; what changes with each login belongs into `use`, which is filled
    anew for a call that is repeated. `expires`: seconds from the login on, in its answer."""

    kind: Literal["login"]
    call: CallForm
    token: Place | Cookie
    expires: Place | None = None
    lifetime_seconds: float = Field(default=3600.0, gt=0)
    keep: dict[str, Template] = Field(default_factory=dict)
    use: Use = Field(default_factory=Use)

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        used = self.use.headers or self.use.params or isinstance(self.token, Cookie)
        if not used and not self.keep:
            raise ValueError("'use' is missing: where does the token go in later calls?")
        return self


class Cookie(Part):
    """A cookie by its name; it is sent back as `Cookie` by itself."""

    cookie: str


Auth = Annotated[NoAuth | Fixed | Basic | Bearer | OAuth2 | Login, Field(discriminator="kind")]

__all__ = ["Auth", "Basic", "Bearer", "Cookie", "Fixed", "Login", "NoAuth", "OAuth2", "Use"]
