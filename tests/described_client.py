"""A workspace on a CRM that highseas knows by its description alone, driven by the command line."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

import cli


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


@dataclass(frozen=True)
class DescribedClient:
    """A folder with highseas.yaml, policy.yaml and the description crm.yaml."""

    folder: Path

    def run(self, *arguments: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        argv = ["highseas", "-C", str(self.folder), *arguments]
        with (
            mock.patch.object(sys, "argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main()
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else 1
            else:
                code = 0
        return Answer(code, out.getvalue(), err.getvalue())

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
