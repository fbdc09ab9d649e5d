"""A workspace on a CRM that highseas knows by its description alone, driven by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.command_line import Answer, run


@dataclass(frozen=True)
class DescribedClient:
    """A folder with highseas.yaml, policy.yaml and the description crm.yaml."""

    folder: Path

    def run(self, *arguments: str) -> Answer:
        return run(self.folder, *arguments)

    def done(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run with --json and demand this exit code."""
        answer = self.run("--json", *arguments)
        assert answer.code == code, answer.err
        return answer.json()


def described_client(
    folder: Path, description: str, policy: str, settings: dict[str, Any]
) -> DescribedClient:
    """Write a workspace that goes by `description`."""
    head = {
        "workspace": 1,
        "name": "test",
        "timezone": "Asia/Shanghai",
        "language": "zh-CN",
        "crm": {"adapter": "rest", "description": "crm.yaml", **settings},
    }
    folder.mkdir()
    (folder / "highseas.yaml").write_text(yaml.safe_dump(head), encoding="utf-8")
    (folder / "crm.yaml").write_text(description, encoding="utf-8")
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")
    return DescribedClient(folder)
