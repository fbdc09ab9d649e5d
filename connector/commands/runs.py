"""`highseas runs` and `highseas stop`: what ran in a workspace, and what runs there now.

Rooms are imported in command bodies, so that `--help` stays fast.
"""

from __future__ import annotations

import click

from connector.terminal import Command, Terminal, pass_terminal


@click.command(cls=Command)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@pass_terminal
def runs(terminal: Terminal, limit: int) -> None:
    """List what was run here, newest first."""
    import msgspec

    from connector.summary import runs_lines
    from connector.sync import open_journal
    from connector.workspace_files import open_workspace

    workspace = open_workspace(terminal.root)
    with open_journal(workspace) as journal:
        found = journal.runs(limit)
    terminal.result(
        "runs",
        {"runs": msgspec.to_builtins(found)},
        runs_lines(found, workspace.language, workspace.zone),
    )


@click.command(cls=Command)
@pass_terminal
def stop(terminal: Terminal) -> None:
    """Ask the run that holds this workspace to stop after the batch in flight."""
    from connector.lock import holder_description
    from connector.summary import stop_lines
    from connector.workspace_files import open_workspace

    workspace = open_workspace(terminal.root)
    holder = holder_description(workspace.state)
    if holder:
        workspace.stop_path.touch()
    terminal.result("stop", {"asked": bool(holder)}, stop_lines(holder, workspace.language))
