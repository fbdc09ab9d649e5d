"""The terminal: where words go, how a result and an error look, and --json behind any command.

Imports nothing but click, so that `highseas --help` stays fast.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click

OUTPUT_FORMAT = 1
# In a hint: a command that needs to be told the workspace.
OWN_COMMAND = re.compile(
    r"highseas(?= (?:apply|check|plan|pull|runs|show|stop|sync|undo)\b(?! --help))"
)


class Terminal:
    """Where words go: results to stdout, as JSON if asked; progress and errors to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self.root = Path()
        self.as_json = as_json
        self.verbosity = 0
        self.is_quiet = False

    @property
    def shows_tracebacks(self) -> bool:
        return self.verbosity > 1

    def progress(self, message: str) -> None:
        if not (self.is_quiet or self.as_json):
            click.echo(message, err=True)

    @property
    def command(self) -> str:
        """How the program is called for this workspace, to be typed as it stands."""
        return "highseas" if self.root == Path() else f"highseas -C {shlex.quote(str(self.root))}"

    def result(self, command: str, payload: dict[str, Any], lines: list[str]) -> None:
        """Print a result once: the payload for programs, or the lines for people."""
        if self.as_json:
            click.echo(
                json.dumps(
                    {"format": OUTPUT_FORMAT, "command": command, **payload}, ensure_ascii=False
                )
            )
        else:
            click.echo("\n".join(lines))

    def error(self, message: str, hint: str, exit_code: int) -> None:
        """One line of fact (one for each problem of a file) and one of help."""
        hint = OWN_COMMAND.sub(lambda _: self.command, hint)
        if self.as_json:
            payload = {"error": message, "hint": hint, "exit_code": exit_code}
            click.echo(json.dumps({"format": OUTPUT_FORMAT, **payload}, ensure_ascii=False))
        for line in message.splitlines():
            click.echo(f"error: {line}", err=True)
        click.echo(f"hint:  {hint}", err=True)


pass_terminal = click.make_pass_decorator(Terminal)


def _ask_for_json(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's way to call
    if wanted:
        context.ensure_object(Terminal).as_json = True


_JSON: dict[str, Any] = {
    "is_flag": True,
    "expose_value": False,
    "callback": _ask_for_json,
    "help": "One JSON object on stdout.",
}
json_option = click.option("--json", **_JSON)


class Command(click.Command):
    """A command that takes --json behind its name too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.append(click.Option(["--json"], **_JSON))


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type
