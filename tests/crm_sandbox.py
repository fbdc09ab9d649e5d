"""A small CRM over HTTP and a workspace that points at it, for tests from end to end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.sandbox.demo_data import load_demo
from adapters.sandbox.zoho import Behaviour, Credentials, Faults, Store, ZohoSandbox
from connector.workspace_files import NewWorkspace, create_workspace
from tests.command_line import Answer, run

CREDENTIALS = {
    name: value
    for name, value in asdict(Credentials()).items()
    if name in {"client_id", "client_secret", "refresh_token"}
}

POLICY = """
policy: 1
name: 测试策略
define:
  quiet: days_since(last_activity_at) >= 180
protect:
  - {id: 战略客户, when: has_tag('key-account'), from: [void, tier]}
rules:
  - void: 失联
    reason: lost_contact
    when: quiet AND orders_count() = 0 AND open_deals = 0
    mark: {tag: 待作废, status: 作废}
    note: true
  - tier: 客户分层
    bands:
      - {name: A, when: abc(orders_amount(365)) = 'A', mark: {tag: 客户A}}
      - {name: C, when: else, mark: {tag: 客户C}}
limits: {share: 20%}
"""


@dataclass
class Client:
    """A workspace on a sandbox CRM, driven through the command line."""

    folder: Path
    store: Store
    server: ZohoSandbox
    extra: dict[str, Any] = field(default_factory=dict)

    def run(self, *arguments: str) -> Answer:
        return run(self.folder, *arguments)

    def ok(self, *arguments: str) -> dict[str, Any]:
        """Run with --json and demand success."""
        answer = self.run("--json", *arguments)
        assert answer.code == 0, answer.err
        return answer.json()

    def managed(self) -> dict[str, Any]:
        """The sandbox's visible state."""
        return self.store.snapshot()


def make_workspace(folder: Path, url: str, **extra: Any) -> None:
    """Write a workspace for the sandbox at `url`."""
    secrets = folder / "credentials"
    secrets.mkdir(parents=True)
    for name, value in CREDENTIALS.items():
        (secrets / name).write_text(value)
    settings = {
        "accounts_url": url,
        "api_url": url,
        "status_field": "Customer_Status",
        **{name: f"file:credentials/{name}" for name in CREDENTIALS},
        **extra,
    }
    create_workspace(folder, NewWorkspace("test", "zoho", settings, "Asia/Shanghai", "zh-CN"))
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")


@contextlib.contextmanager
def sandbox_client(
    folder: Path,
    *,
    customers: int = 300,
    behaviour: Behaviour | None = None,
    faults: Faults | None = None,
    **extra: Any,
) -> Iterator[Client]:
    """A loaded sandbox, running, with a workspace of its own."""
    with Store() as store:
        load_demo(store, customers=customers, today=datetime.now(UTC).date())
        with ZohoSandbox(store, behaviour=behaviour, faults=faults) as server:
            make_workspace(folder / "workspace", server.url, **extra)
            yield Client(folder / "workspace", store, server)
