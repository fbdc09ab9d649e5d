"""`sync --apply` writes only what a standing approval of this very policy allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.command_line import Answer
from tests.crm_sandbox import Client, sandbox_client


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A CRM on which nothing has been applied yet."""
    with sandbox_client(tmp_path_factory.mktemp("standing"), customers=60) as client:
        yield client


def approve(client: Client, policy: str, changes: int) -> None:
    path = client.folder / "highseas.yaml"
    text = path.read_text(encoding="utf-8").partition("approval:")[0]
    approval = f"approval: {{policy: '{policy}', changes: {changes}}}\n"
    path.write_text(text + approval, encoding="utf-8")


def refused(client: Client, expected: str) -> None:
    writes = len(client.server.writes)
    answer = client.run("sync", "--apply")
    assert answer.code == 3
    assert expected in answer.err
    assert len(client.server.writes) == writes


def sync(client: Client) -> Answer:
    return client.run("--json", "sync", "--apply")


def test_it_takes_an_approval_of_this_policy_after_its_first_run(prepared: Client) -> None:
    client = prepared
    policy = client.ok("policy", "check")["hash"]
    refused(client, "highseas.yaml has none")
    approve(client, "0123456789abcdef", 1_000)
    refused(client, "the policy is not the approved one (0123456789abcdef)")
    approve(client, policy[:16], 1_000)
    refused(client, "a policy's first run is never applied by standing approval")
    client.ok("apply", "--yes")
    nothing = sync(client)
    assert nothing.code == 0
    assert nothing.json()["plan"]["changes"] == 0
    call_one_quiet_customer(client)
    approve(client, policy[:16], 0)
    refused(client, "1 changes are more than the 0 approved")
    approve(client, policy[:16], 1)
    answer = sync(client)
    assert answer.code == 0
    assert answer.json()["apply"]["changes_done"] == 1


def call_one_quiet_customer(client: Client) -> None:
    """Somebody called a customer yesterday and entered it just now."""
    now = datetime.now(UTC).replace(microsecond=0)
    accounts = (key.partition(":") for key in client.store.snapshot())
    quiet = next(
        record
        for module, _, record in accounts
        if module == "Accounts" and "待作废" in client.store.values(record)["Tag"]
    )
    call = {
        "Subject": "call",
        "What_Id": quiet,
        "$se_module": "Accounts",
        "Call_Start_Time": (now - timedelta(days=1)).isoformat(),
        "Created_Time": (now - timedelta(days=1)).isoformat(),
        "Modified_Time": now.isoformat(),
    }
    client.store.insert("Calls", [call])
