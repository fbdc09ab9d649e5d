"""How plan, undo, sync, show and apply end: what is printed, and the exit code.

Imports what it needs at the top: command bodies import it when they come to their end.
"""

from __future__ import annotations

import sys

import msgspec

from connector.apply import ApplyReport
from connector.journal import Journal
from connector.payloads import plan_json
from connector.promises import of_plan
from connector.summary import Voice, apply_lines, plan_lines, preview
from connector.sync import Context, Planned, known_schema, unkept_promises
from connector.terminal import Terminal
from connector.workspace import Workspace


def print_plan(
    terminal: Terminal, command: str, context: Context, journal: Journal, planned: Planned
) -> None:
    """Counts, examples and what is not promised; all rows are left to `show --rows`."""
    voice = _voice(terminal, context.workspace)
    shown = preview(journal.rows(planned.plan.id))
    unkept = of_plan(unkept_promises(context), shown.kinds)
    capabilities = known_schema(context).capabilities
    lines = plan_lines(planned.plan, shown, voice, capabilities, unkept)
    payload = plan_json(planned, unkept, voice.language)
    terminal.result(command, payload, [*planned.remarks, *lines])


def leave_after_plan(planned: Planned, *, exit_code: bool = False) -> None:
    """Exit with 5 when something is held back or missing; if asked, with 4 when changes wait."""
    tripped = any(count.tripped for count in planned.plan.header.rules)
    if tripped or (planned.pulled and planned.pulled.partial):
        sys.exit(5)
    if exit_code and planned.plan.changes:
        sys.exit(4)


def print_apply(
    terminal: Terminal, command: str, workspace: Workspace, report: ApplyReport
) -> None:
    """What was done; exits with 5 when not everything was."""
    payload = {"apply": msgspec.to_builtins(report)}
    terminal.result(command, payload, apply_lines(report, _voice(terminal, workspace)))
    if not report.complete:
        sys.exit(5)


def _voice(terminal: Terminal, workspace: Workspace) -> Voice:
    """How results speak: the workspace's language, and commands that can be typed here."""
    return Voice(workspace.language, workspace.zone, terminal.command)
