"""The command line in this process, for tests from end to end."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

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


def run(folder: Path, *arguments: str) -> Answer:
    """`highseas -C FOLDER ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["highseas", "-C", str(folder), *arguments]
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
