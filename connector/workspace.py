"""A client's folder: highseas.yaml, policy.yaml and `.highseas/`. Reads files, resolves secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connector.errors import ConfigurationError, FileProblems, Problem, RefusedError
from connector.ports import Organisation
from policies.languages import Language
from policies.validation import problems_from_validation
from policies.yaml_source import read_yaml

CONFIG_NAME = "highseas.yaml"
STATE_NAME = ".highseas"
SECRET_SCHEMES = ("env:", "file:", "keyring:")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CrmSection(BaseModel):
    """Which CRM, and whatever its adapter wants to know; the adapter checks the rest."""

    model_config = ConfigDict(extra="allow", frozen=True)

    adapter: str
    organisation: str | None = None
    status_field: str | None = Field(default=None, pattern=r"^[^\s'\"\\.\[\]]+$")


class PullSection(_Section):
    """How the staged copy is kept fresh."""

    overlap_minutes: int = Field(default=10, ge=0, le=24 * 60)
    full_every_days: int = Field(default=7, ge=1)
    keep_raw: bool = False


class ApplySection(_Section):
    """How long a plan may wait before it is applied. `guard`: `strict` lets the CRM itself refuse a
    write to a record that has changed since it was re-read, where it can, at the price of smaller
    calls."""

    max_age_hours: int = Field(default=24, ge=1)
    guard: Literal["reread", "strict"] = "reread"


class ContactSection(_Section):
    """By which channels people here have contact with customers without logging it in the CRM."""

    not_logged: tuple[
        Literal["phone", "email", "sms", "wechat", "whatsapp", "chat", "meeting", "visit"], ...
    ] = ()


class StandingApproval(_Section):
    """What `sync --apply` may do by itself: only this policy, at most this many changes."""

    policy: str = Field(min_length=8)
    changes: int = Field(ge=0)


class WorkspaceFile(_Section):
    """The schema of highseas.yaml."""

    workspace: Literal[1]
    name: str = Field(min_length=1)
    timezone: str
    language: Language = "en"
    region: str | None = Field(default=None, pattern="^[A-Z]{2}$")
    crm: CrmSection
    policy: str = "policy.yaml"
    mapping: str | None = None
    pull: PullSection = PullSection()
    apply: ApplySection = ApplySection()
    contact: ContactSection = ContactSection()
    approval: StandingApproval | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            message = f"{value!r} is not a time zone; use an IANA name such as Asia/Shanghai"
            raise ValueError(message)
        return value


@dataclass(frozen=True)
class Workspace:
    """One client. `settings` is the `crm:` block as written: secrets in it are references."""

    root: Path
    config: WorkspaceFile

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def language(self) -> str:
        return self.config.language

    @property
    def zone(self) -> str:
        return self.config.timezone

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.config.timezone)

    @property
    def adapter(self) -> str:
        return self.config.crm.adapter

    @property
    def status_field(self) -> str | None:
        return self.config.crm.status_field

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.config.crm.model_dump(exclude={"adapter", "organisation"})

    @property
    def max_age(self) -> timedelta:
        return timedelta(hours=self.config.apply.max_age_hours)

    @property
    def not_logged(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.config.contact.not_logged))

    @property
    def policy_path(self) -> Path:
        return self.root / self.config.policy

    @property
    def mapping_path(self) -> Path | None:
        return self.root / self.config.mapping if self.config.mapping else None

    @property
    def state(self) -> Path:
        return self.root / STATE_NAME

    @property
    def warehouse_path(self) -> Path:
        return self.state / "warehouse.duckdb"

    @property
    def history_path(self) -> Path:
        return self.state / "history"

    @property
    def spool_path(self) -> Path:
        return self.state / "spool"

    @property
    def journal_path(self) -> Path:
        return self.state / "journal.sqlite"

    @property
    def schema_path(self) -> Path:
        return self.state / "schema.json"

    @property
    def log_path(self) -> Path:
        return self.state / "highseas.log"

    @property
    def stop_path(self) -> Path:
        return self.state / "stop"

    def prepare(self) -> None:
        """Make the state folder, readable by its owner only."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.state.chmod(0o700)

    def secret(self, reference: str) -> str:
        """The value behind `env:NAME`, `file:PATH` (from the folder) or `keyring:SERVICE/NAME`."""
        return resolve_secret(reference, self.root)

    def expect_organisation(self, organisation: Organisation) -> None:
        """Refuse a CRM other than the pinned one; the first one met is pinned.

        Raises RefusedError when the CRM that answers is not the one this workspace belongs to.
        """
        pinned = self.config.crm.organisation or self.known_organisation()
        if pinned is None:
            self.prepare()
            replace_file(self._organisation_path, json.dumps({"id": organisation.id}).encode())
            return
        if pinned != organisation.id:
            message = (
                f"workspace {self.name!r} belongs to organisation {pinned}, "
                f"but {organisation.id} answered"
            )
            hint = f"use the credentials of {pinned}, or make a workspace of its own for this CRM"
            raise RefusedError(message, hint)

    def known_organisation(self) -> str | None:
        """The pinned organisation's id, from highseas.yaml or from the first contact."""
        if self.config.crm.organisation:
            return self.config.crm.organisation
        try:
            return str(json.loads(self._organisation_path.read_text())["id"])
        except FileNotFoundError:
            return None

    @property
    def _organisation_path(self) -> Path:
        return self.state / "organisation.json"


def load_workspace(root: Path) -> Workspace:
    """Read `highseas.yaml` of a folder.

    Raises ConfigurationError when there is none and FileProblems with every problem in it.
    """
    path = root / CONFIG_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        message = f"{root} is not a workspace: it has no {CONFIG_NAME}"
        raise ConfigurationError(
            message, "make one with `highseas init`, or pick one with -C DIR"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", "check its permissions"
        ) from None
    document = read_yaml(text, CONFIG_NAME)
    try:
        config = WorkspaceFile.model_validate(document.value)
    except ValidationError as error:
        raise FileProblems(
            problems_from_validation(document, error, WorkspaceFile), "see docs/workspace.md"
        ) from None
    _refuse_plain_secrets(document.value["crm"], document.position)
    return Workspace(root, config)


def _refuse_plain_secrets(crm: Mapping[str, Any], position: Any) -> None:
    """A secret in a file is a leak waiting for a commit: only references are accepted."""
    problems = []
    for key, value in crm.items():
        secret_like = any(word in key for word in ("secret", "token", "password", "api_key"))
        if secret_like and isinstance(value, str) and not value.startswith(SECRET_SCHEMES):
            line, column = position(("crm", key))
            problems.append(
                Problem(
                    CONFIG_NAME,
                    line,
                    column,
                    f"crm.{key} holds a value where a reference belongs",
                    f"write env:{key.upper()}, file:PATH or keyring:SERVICE/NAME",
                )
            )
    if problems:
        raise FileProblems(problems, "the value now in the file should be revoked and made anew")


def resolve_secret(reference: str, root: Path) -> str:
    """The value behind a reference; a text without a scheme is returned as it is.

    Raises ConfigurationError that names the reference, never a value.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(rest)
        if not value:
            message = f"secret env:{rest} is not set"
            raise ConfigurationError(message, f"export {rest}=... before running highseas")
        return value
    if scheme == "file":
        try:
            return (root / Path(rest).expanduser()).read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"secret file:{rest} cannot be read: {error.strerror}"
            raise ConfigurationError(message, "paths are relative to the workspace") from None
    if scheme == "keyring":
        return _from_keyring(rest)
    return reference


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file in one step: whoever is killed meanwhile leaves the old one, or none."""
    draft = path.with_suffix(".tmp")
    draft.write_bytes(content)
    draft.replace(path)


def _from_keyring(entry: str) -> str:
    service, _, name = entry.rpartition("/")
    try:
        import keyring.errors  # noqa: PLC0415 - an optional extra
    except ImportError:
        message = f"secret keyring:{entry} needs the keyring library"
        raise ConfigurationError(message, "install highseas[keyring]") from None
    try:
        value = keyring.get_password(service, name)
    except keyring.errors.KeyringError as error:
        message = f"secret keyring:{entry} cannot be read: {type(error).__name__}"
        hint = "this machine may have no keyring; env:NAME and file:PATH work everywhere"
        raise ConfigurationError(message, hint) from None
    if not value:
        message = f"secret keyring:{entry} is not in the keyring"
        raise ConfigurationError(message, f"store it with `keyring set {service} {name}`")
    return str(value)
