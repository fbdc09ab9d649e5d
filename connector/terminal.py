"""The terminal: where words go, how a result and an error look, and --json behind any command.

Imports nothing but click and the root of all errors, so that `highseas --help` stays fast.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from policies.errors import HighseasError

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

    def schema(self, command: str, schema: dict[str, Any]) -> None:
        """Print a JSON Schema, to be kept for an editor."""
        lines = [json.dumps(schema, ensure_ascii=False, indent=2)]
        self.result(command, {"schema": schema}, lines)

    def error(self, message: str, hint: str, exit_code: int) -> None:
        """One line of fact (one for each problem of a file) and one of help."""
        hint = OWN_COMMAND.sub(lambda _: self.command, hint)
        if self.as_json:
            payload = {"error": message, "hint": hint, "exit_code": exit_code}
            click.echo(json.dumps({"format": OUTPUT_FORMAT, **payload}, ensure_ascii=False))
        for line in message.splitlines():
            click.echo(f"error: {line}", err=True)
        click.echo(f"hint:  {hint}", err=True)


class Failure(NamedTuple):
    """What `Terminal.error` says, and the exit code."""

    message: str
    hint: str
    exit_code: int


def failure_words(error: Exception) -> Failure:
    """One line of fact and one of help for whatever ended a command."""
    if isinstance(error, click.Abort):
        return Failure("interrupted", "run the same command again: it goes on from there", 130)
    if isinstance(error, click.ClickException):
        return Failure(error.format_message(), _usage_hint(error), error.exit_code)
    if isinstance(error, HighseasError):
        return Failure(error.message, error.hint or "see the log file", error.exit_code)
    if isinstance(error, OSError) and error.filename and error.errno:
        message = f"{error.filename}: {os.strerror(error.errno)}"
        return Failure(message, "check its permissions, and the room left on the disk", 1)
    message = f"highseas met a defect of its own: {type(error).__name__}"
    hint = "run it again with -vv and report what it prints; .highseas/highseas.log has it too"
    return Failure(message, hint, 1)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path} --help`" if context else "see `highseas --help`"


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
language_option = partial(click.option, "--language", type=click.Choice(["en", "zh-CN", "de"]))


def _pairs(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            message = f"{name or '='} is not NAME=VALUE, for example --set quiet_days=120"
            raise click.BadParameter(message)
    return {name: value for name, _, value in pairs}


overrides_option = click.option(
    "--set",
    "overrides",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Another value for one of the policy's params; such a plan is for looking.",
)


class Command(click.Command):
    """A command that takes --json behind its name too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.append(click.Option(["--json"], **_JSON))


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type
