"""The parts of a description that say what one call looks like and where its answer holds what."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.rest.paths import Path
from adapters.rest.templates import Template, names_in, templates_in


class Part(BaseModel):
    """A part of a description: strict, frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Form(StrEnum):
    """How moments are written: `iso` with an offset (`Z`, `+08:00`, `+0530`); `utc` and `local`
    without one (`local`: on the server's clocks); or as a number since 1970."""

    ISO = "iso"
    UTC = "utc"
    LOCAL = "local"
    SECONDS = "epoch_seconds"
    MILLISECONDS = "epoch_milliseconds"


class CallForm(Part):
    """One call. `path` follows the server's url. `params` that are null or empty lists are left
    out; a list is repeated. `json` is sent as JSON, `form` as a form; a text that is one template
    keeps its type."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Template = ""
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Template] = Field(default_factory=dict)
    json_body: Any = Field(default=None, alias="json")
    form: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.json_body is not None and self.form is not None:
            raise ValueError("a call has a json body or a form, not both")
        return self

    def asks_for(self) -> frozenset[str]:
        """The names that its templates ask for."""
        parts = [self.path, self.params, self.headers, self.json_body, self.form]
        return frozenset(name for _, text in templates_in(parts) for name in names_in(text))


class Place(Part):
    """Where an answer holds something: at a path of its body, or in a header, of which `pattern`
    (a regular expression with one group) takes a part."""

    path: Path | None = None
    header: str | None = None
    pattern: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.header is None):
            raise ValueError("a place is a path, or a header, and not both")
        _check_pattern(self.pattern)
        return self


def _check_pattern(pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"this pattern cannot be read: {error}") from None
    if compiled.groups != 1:
        raise ValueError("a pattern has one group in brackets: the part that is wanted")
