"""The main job from end to end on a sandbox CRM, over HTTP only, with the proof at the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import requests

from adapters import open_adapter
from adapters.demo_mapping import demo_mapping
from adapters.sandbox.demo_data import load_demo
from adapters.sandbox.zoho import Credentials, Store, ZohoSandbox
from connector.plan_model import RowStatus
from connector.summary import Voice, apply_lines, plan_lines, preview, pull_lines
from connector.sync import (
    Context,
    known_schema,
    make_plan,
    make_undo,
    managed_tags,
    run_apply,
    running,
)
from connector.workspace import CONFIG_NAME, Workspace, load_workspace
from connector.workspace_files import NewWorkspace, create_workspace

# They open nothing outside of this process.
_CREDENTIALS = {
    name: value
    for name, value in asdict(Credentials()).items()
    if name in {"client_id", "client_secret", "refresh_token"}
}
_ACCOUNT_FIELDS = (
    "Account_Name,Owner,Phone,Industry,Billing_Country,Billing_State,Customer_Status,Tag"
)


class Tell(Protocol):
    """Says a message of the catalogue, by its key, to whoever watches."""

    def __call__(self, key: str, **values: object) -> None: ...


@dataclass(frozen=True)
class DemoSettings:
    """How large, in which language, and where to leave the workspace."""

    customers: int = 10_000
    language: str = "en"
    keep: Path | None = None


@dataclass(frozen=True)
class DemoOutcome:
    """The figures of one demo. `changes`, `applied` and `undone` count single writes (primitives);
    `differences_after_undo` counts accounts and notes that are not as they were."""

    workspace: Path
    plan: str
    pulled: int
    decided: int
    undecided: int
    changes: int
    applied: int
    second_apply_writes: int
    undone: int
    differences_after_undo: int
    foreign_tags_touched: int
    api_calls: int
    seconds: float

    @property
    def proven(self) -> bool:
        """Did everything hold that the demo claims?"""
        return (
            0 < self.changes == self.applied == self.undone
            and self.second_apply_writes == 0
            and self.differences_after_undo == 0
            and self.foreign_tags_touched == 0
        )

    def payload(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name not in {"workspace", "plan"}
        }


def run_demo(settings: DemoSettings, tell: Tell) -> DemoOutcome:
    """Load a sandbox CRM, then pull, preview, apply, apply again, undo and compare."""
    started = time.monotonic()
    folder = settings.keep or Path(tempfile.mkdtemp(prefix="highseas-demo-"))
    with Store() as store:
        tell("demo.load", customers=settings.customers)
        load_demo(store, customers=settings.customers, today=datetime.now(UTC).date())
        with ZohoSandbox(store) as server:
            tell("demo.serves", url=server.url)
            workspace = _make_workspace(folder, server.url, settings.language)
            figures = _run(workspace, server, tell)
    return DemoOutcome(workspace=folder, **figures, seconds=round(time.monotonic() - started, 1))


def _run(workspace: Workspace, server: ZohoSandbox, tell: Tell) -> dict[str, Any]:
    context = Context(
        workspace,
        open_adapter(workspace),
        progress=lambda line: tell("demo.line", line=line),
        mapping=demo_mapping(),
    )
    managed = managed_tags(workspace)
    visible = _VisibleState(server.url)
    before = visible.read()
    calls = len(server.requests)
    with running(context, "demo") as journal:
        tell("demo.plan")
        planned = make_plan(context, journal)
        pulled, plan = planned.pulled, planned.plan
        assert pulled is not None  # noqa: S101 - planned online
        _show(pull_lines(pulled, workspace.language), tell)
        tell("demo.preview")
        voice = Voice(workspace.language, workspace.zone, f"highseas -C {workspace.root}")
        capabilities = known_schema(context).capabilities
        _show(plan_lines(plan, preview(journal.rows(plan.id)), voice, capabilities), tell)
        undecided = {row.customer for row in journal.rows(plan.id, status=RowStatus.UNDECIDED)}
        tell("demo.apply")
        applied = run_apply(context, journal, plan.id, approver="demo", how="demo")
        _show(apply_lines(applied, voice), tell)
        tell("demo.again")
        writes = len(server.writes)
        run_apply(context, journal, plan.id, approver="demo", how="demo")
        second_writes = len(server.writes) - writes
        tell("demo.writes", writes=second_writes)
        demo_calls = len(server.requests) - calls
        after = visible.read()
        calls = len(server.requests)
        tell("demo.undo")
        undo_plan = make_undo(context, journal, applied.run_id)
        undone = run_apply(context, journal, undo_plan.id, approver="demo", how="demo")
        demo_calls += len(server.requests) - calls
    tell("demo.compare")
    return {
        "plan": plan.id,
        "pulled": sum(item.rows for item in pulled.objects),
        "decided": plan.header.customers - len(undecided),
        "undecided": len(undecided),
        "changes": plan.primitives,
        "applied": applied.done,
        "second_apply_writes": second_writes,
        "undone": undone.done,
        "differences_after_undo": _differences(before, visible.read()),
        "foreign_tags_touched": _foreign_touched(before, after, managed),
        "api_calls": demo_calls,
    }


def _make_workspace(folder: Path, url: str, language: str) -> Workspace:
    secrets = folder / "sandbox-credentials"
    secrets.mkdir(parents=True)
    for name, value in _CREDENTIALS.items():
        (secrets / name).write_text(value)
    settings = {
        "accounts_url": url,
        "api_url": url,
        "status_field": "Customer_Status",
        **{name: f"file:sandbox-credentials/{name}" for name in _CREDENTIALS},
    }
    new = NewWorkspace("demo", "zoho", settings, timezone="Asia/Shanghai", language=language)
    create_workspace(folder, new)
    (folder / "mapping.yaml").write_text(demo_mapping(), encoding="utf-8")
    with (folder / CONFIG_NAME).open("a", encoding="utf-8") as config:
        config.write("mapping: mapping.yaml\n")
    return load_workspace(folder)


def _show(lines: list[str], tell: Tell) -> None:
    for line in lines:
        tell("demo.line" if line else "demo.blank", line=line)


class _VisibleState:
    """All accounts and notes as anybody with a token sees them, read without the adapter."""

    def __init__(self, url: str) -> None:
        self._url = url
        answer = requests.post(
            f"{url}/oauth/v2/token",
            data={"grant_type": "refresh_token", **_CREDENTIALS},
            timeout=30,
        )
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Zoho-oauthtoken {answer.json()['access_token']}"

    def read(self) -> dict[str, Any]:
        accounts = {f"account {row['id']}": row for row in self._rows("Accounts", _ACCOUNT_FIELDS)}
        fields = "Note_Title,Note_Content,Parent_Id"
        notes = {f"note {row['id']}": row for row in self._rows("Notes", fields)}
        return {**accounts, **notes}

    def _rows(self, module: str, fields: str) -> Iterator[dict[str, Any]]:
        parameters: dict[str, str | int] = {"fields": fields, "per_page": 200, "page": 1}
        while True:
            answer = self._session.get(
                f"{self._url}/crm/v8/{module}", params=parameters, timeout=30
            )
            answer.raise_for_status()
            if answer.status_code == requests.codes.no_content:
                return
            body = answer.json()
            yield from body["data"]
            if not body["info"]["more_records"]:
                return
            parameters.pop("page", None)
            parameters["page_token"] = body["info"]["next_page_token"]


def _differences(before: dict[str, Any], after: dict[str, Any]) -> int:
    return sum(
        _comparable(before.get(key)) != _comparable(after.get(key)) for key in before | after
    )


def _comparable(record: dict[str, Any] | None) -> Any:
    """A record without the order and the colours of its tags: neither is anybody's data."""
    if record is None or "Tag" not in record:
        return record
    return {**record, "Tag": sorted(tag["name"] for tag in record["Tag"])}


def _foreign_touched(before: dict[str, Any], after: dict[str, Any], managed: frozenset[str]) -> int:
    def foreign(record: dict[str, Any] | None) -> set[str]:
        return {tag["name"] for tag in (record or {}).get("Tag", [])} - managed

    return sum(len(foreign(before[key]) ^ foreign(after.get(key))) for key in before)
