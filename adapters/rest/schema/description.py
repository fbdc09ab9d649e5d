"""The schema of a description: everything that highseas has to know about one REST API.

`docs/rest.md` is its manual. Reading is `loading`'s business; nothing here calls anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from adapters.calls import Verdict
from adapters.rest.paths import Path
from adapters.rest.schema.auth_description import Auth, NoAuth
from adapters.rest.schema.call_description import CallForm, Form, Part
from adapters.rest.schema.object_description import ObjectForm
from adapters.rest.schema.write_description import Writes
from adapters.rest.templates import Template


class Setting(Part):
    """One value that a workspace gives below `crm:`. `secret`: a reference (`env:NAME`), never
    shown. `example` is what `highseas init` writes; without a `default` the value is needed."""

    label: str = ""
    secret: bool = False
    default: str | int | None = None
    example: str | int | None = None

    @property
    def needed(self) -> bool:
        return self.default is None


class Server(Part):
    """Where the API lives. `url`: scheme, host and the path that all calls begin with. `headers` go
    with each call. `timezone`: of the server's clocks where it writes moments without an offset."""

    url: Template
    headers: dict[str, Template] = Field(default_factory=dict)
    timezone: Template = "UTC"


class Identity(Part):
    """Who answers, and as whom: templates over `answer`, the JSON that `call` gave."""

    call: CallForm
    id: Template
    name: Template = ""
    timezone: Template = "UTC"
    user_id: Template = ""
    user_name: Template = ""


class Envelope(Part):
    """Success as the body tells it: what stands at `path` is one of `ok`, whatever the HTTP status
    below 500; or, `missing: true`, nothing stands there at all in an answer that HTTP calls good.
    An answer with neither this nor anything else at `path` counts as unreadable."""

    path: Path
    ok: tuple[str | int | bool | None, ...] = ()
    missing: bool = False


class Errors(Part):
    """How this API says no. `code`: where in a bad answer's body its code stands (the first path
    that is there), or a header. `codes` go before `texts`, and those before `statuses`; each says
    what to do: `wait`, `unavailable`, `renew`, `authentication`, `refused`, or for one record
    `gone`, `conflict`, `parked`. What is not named follows the HTTP class. `texts`: regular
    expressions that are searched for in the first 64 KiB of a bad answer, whatever its status, in
    small and capital letters alike; what they find is never shown."""

    envelope: Envelope | None = None
    code: tuple[Path, ...] = ()
    code_header: str | None = None
    codes: dict[str, Meaning] = Field(default_factory=dict)
    texts: dict[Pattern, Meaning] = Field(default_factory=dict)
    statuses: dict[int, Meaning] = Field(default_factory=dict)


def _checked(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"this pattern cannot be read: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_checked)]
Meaning = Literal[
    "wait",
    "unavailable",
    "renew",
    "authentication",
    "refused",
    "gone",
    "conflict",
    "parked",
]
VERDICTS: Mapping[str, Verdict] = {
    "wait": Verdict.WAIT,
    "unavailable": Verdict.UNAVAILABLE,
    "renew": Verdict.RENEW,
    "authentication": Verdict.AUTHENTICATION,
}


class Pacing(Part):
    """How fast the server may be asked. `calls` in `seconds`, and `daily` calls a day (UTC), by all
    processes of this user together. `patience_seconds`: how long one call may take with all its
    repeats. `retry_after`: a path in the body of a "later" answer, in seconds, beside the header of
    that name."""

    concurrency: int = Field(default=4, ge=1, le=50)
    calls: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=60.0, gt=0)
    daily: int | None = Field(default=None, ge=1)
    retry_after: Path | None = None
    timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    patience_seconds: float = Field(default=300.0, gt=0, le=3600)
    body_megabytes: int = Field(default=64, ge=1, le=1024)


class Values(Part):
    """How this server writes values, made plain before anything reads a row.

    `false_is_null`: for every field that is not of type boolean. `pairs`: `[7, "Ann"]` becomes
    `{id: 7, name: "Ann"}`. `tagged`: objects that carry their type in a key become the text of a
    template over `value`. `named`: a list of names and values becomes an object. `entities`: texts
    come with HTML entities (`&amp;`), and lose them.
    """

    false_is_null: bool = False
    pairs: bool = False
    entities: bool = False
    tagged: Tagged | None = None
    named: Named | None = None


class Tagged(Part):
    """`{"__class__": "Decimal", "decimal": "1.50"}`: `key` is `__class__`, and `forms` has a
    template for `Decimal`."""

    key: str
    forms: dict[str, Template]


class Named(Part):
    """`[{"name": "phone", "value": "1"}]` at `path`; a name that comes twice becomes a list."""

    path: Path
    name: str = "name"
    value: str = "value"


class Description(Part):
    """One API. `rest` is the version of this language. `status` says who has seen it working.

    `every`: what all objects have in common, in the form of an object; `{{ object }}` in it is the
    name of each, and what an object says itself goes before it. `facts`: which records are
    customers, deals, orders, in the form of a mapping file.
    """

    rest: Literal[1]
    name: str = Field(min_length=1, max_length=60)
    status: str = "written from documentation, not yet run"
    settings: dict[str, Setting] = Field(default_factory=dict)
    server: Server
    auth: Auth = Field(default_factory=NoAuth)
    identity: Identity
    errors: Errors = Field(default_factory=Errors)
    pacing: Pacing = Field(default_factory=Pacing)
    values: Values = Field(default_factory=Values)
    every: dict[str, Any] | None = None
    objects: dict[str, ObjectForm] = Field(min_length=1)
    writes: dict[str, Writes] = Field(default_factory=dict)
    facts: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _looks_up_objects(self) -> Description:
        for name, form in self.objects.items():
            for path, lookup in form.lookups.items():
                if lookup.object not in self.objects:
                    raise ValueError(f"{name}.lookups.{path}: no object '{lookup.object}'")
        return self

    @model_validator(mode="after")
    def _writes_to_objects(self) -> Description:
        for name in self.writes:
            if name not in self.objects:
                raise ValueError(f"writes: there is no object '{name}'")
            if self.objects[name].read is None:
                raise ValueError(f"writes: '{name}' has no 'read', which comes before any write")
        return self


__all__ = ["Description", "Errors", "Form", "Identity", "Named", "Pacing", "Server", "Setting"]
