"""The command line: parse, call one function, print. Rooms are imported in command bodies."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.policy import policy
from connector.commands.runs import runs, stop
from connector.terminal import (
    Group,
    Terminal,
    failure_words,
    json_option,
    language_option,
    overrides_option,
    pass_terminal,
)

if TYPE_CHECKING:
    from adapters.sandbox.foreground import Serving
    from connector.journal import Journal
    from connector.ports import Adapter
    from connector.sync import Context
    from connector.workspace import Workspace


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("-C", "root", type=click.Path(path_type=Path), default=".", help="The workspace.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("-v", "--verbose", count=True, help="Say more; -vv shows tracebacks.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.version_option(package_name="highseas")
@click.pass_context
def highseas(
    context: click.Context,
    root: Path,
    as_json: bool,
    verbose: int,
    quiet: bool,
) -> None:
    """Customer policies for the CRM you already have: preview, approve, apply once, undo.

    Nothing is written to a CRM unless you type `apply` or `sync --apply`.
    """
    terminal = context.ensure_object(Terminal)
    terminal.root, terminal.verbosity, terminal.is_quiet = root, verbose, quiet
    terminal.as_json |= as_json


def _context(terminal: Terminal, workspace: Workspace, adapter: Adapter | None = None) -> Context:
    from adapters import default_mapping, open_adapter
    from connector.interrupt import stop_signal
    from connector.sync import Context

    path = workspace.mapping_path
    mapping = path.read_text(encoding="utf-8") if path else default_mapping(workspace)
    signals = stop_signal(workspace.stop_path.exists)
    return Context(
        workspace,
        adapter or open_adapter(workspace),
        progress=terminal.progress,
        should_stop=click.get_current_context().with_resource(signals),
        mapping=mapping,
    )


@contextmanager
def _running(terminal: Terminal, command: str) -> Iterator[tuple[Context, Journal]]:
    from connector.sync import running
    from connector.workspace_files import open_workspace

    context = _context(terminal, open_workspace(terminal.root))
    with running(context, command) as journal:
        yield context, journal


@highseas.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--adapter", default="zoho", show_default=True, help="Which CRM; see `highseas adapters`."
)
@click.option("--name", help="The client's name; by default the folder's.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name, e.g. Asia/Shanghai.")
@language_option(default="en", show_default=True)
@pass_terminal
def init(
    terminal: Terminal,
    directory: Path,
    adapter: str,
    name: str | None,
    timezone: str,
    language: str,
) -> None:
    """Make a workspace: highseas.yaml and a starter policy.yaml.

    Example: highseas init clients/acme --timezone Asia/Shanghai --language zh-CN
    """
    from adapters import starter_files, starter_settings
    from connector.summary import init_lines
    from connector.workspace_files import NewWorkspace, create_workspace

    client = name or directory.resolve().name
    settings, own = starter_settings(adapter), starter_files(adapter)
    new = NewWorkspace(client, adapter, settings, timezone, language, own)
    files = create_workspace(directory, new)
    terminal.result(
        "init",
        {"files": [str(path) for path in files]},
        init_lines(files, language, f"highseas -C {directory}"),
    )


@highseas.command()
@pass_terminal
def check(terminal: Terminal) -> None:
    """Try the credentials and say what this CRM can do, and what cannot be promised with it.
    Reads only.

    Of a CRM behind a description, each part of it is tried. Ends with 5 when a part failed, and
    with 1 when the CRM could not be asked at all.
    """
    from adapters import open_adapter
    from connector.payloads import check_json, findings_json
    from connector.ports import Diagnosing
    from connector.summary import check_lines, finding_lines
    from connector.sync import check_workspace
    from connector.workspace_files import open_workspace

    workspace = open_workspace(terminal.root)
    language = workspace.language
    adapter = open_adapter(workspace)
    findings = tuple(adapter.diagnose()) if isinstance(adapter, Diagnosing) else ()
    tried = finding_lines(findings, language) if findings else []
    if findings and not any(each.state == "ok" for each in findings):
        terminal.result("check", {"findings": findings_json(findings)}, tried)
        sys.exit(1)
    try:
        checked = check_workspace(_context(terminal, workspace, adapter))
    except Exception:
        for line in tried:  # what was seen is a help with what went wrong
            terminal.progress(line)
        raise
    lines = [*check_lines(checked, language), *tried]
    terminal.result("check", check_json(checked, findings, language), lines)
    if any(each.state == "failed" for each in findings):
        sys.exit(5)


@highseas.group("adapters", invoke_without_command=True)
@json_option
@click.pass_context
def adapters_group(context: click.Context) -> None:
    """List the CRMs that highseas can speak to, and who has seen each one working.

    Example: highseas init clients/acme --adapter kinto
    """
    from adapters import adapter_list
    from connector.summary import adapter_lines

    if context.invoked_subcommand is not None:
        return
    found = [each._asdict() for each in adapter_list()]
    context.ensure_object(Terminal).result("adapters", {"adapters": found}, adapter_lines(found))


@adapters_group.command("schema")
@pass_terminal
def adapters_schema(terminal: Terminal) -> None:
    """Print the JSON Schema of a CRM's description, for editors."""
    from adapters.rest.editor_schema import description_schema

    terminal.schema("adapters schema", description_schema())


@highseas.command()
@click.option("--full", is_flag=True, help="Everything, not only what changed.")
@click.option("--accept-shrink", is_flag=True, help="Accept far fewer customers than before.")
@pass_terminal
def pull(terminal: Terminal, full: bool, accept_shrink: bool) -> None:
    """Bring the staged copy of the CRM up to date. Reads only."""
    from connector.payloads import pull_json
    from connector.summary import pull_lines
    from connector.sync import client_policy, recorded, refresh

    with _running(terminal, "pull") as (context, journal), recorded(journal, "pull") as summary:
        policy = client_policy(context)
        report = refresh(context, policy, full=full, accept_shrink=accept_shrink)
        summary.update(pull_json(report))
    terminal.result("pull", {"pull": summary}, pull_lines(report, context.workspace.language))
    if report.partial:
        sys.exit(5)


@highseas.command()
@click.option(
    "--offline", is_flag=True, help="From the staged copy as it is; asks the CRM nothing."
)
@click.option("--as-of", help="As of the start of this day, e.g. 2026-05-31.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when changes are waiting.")
@overrides_option
@pass_terminal
def plan(
    terminal: Terminal,
    offline: bool,
    as_of: str | None,
    exit_code: bool,
    overrides: dict[str, str],
) -> None:
    """Show what would change, why, and what it costs. Writes nothing.

    Example: highseas -C clients/acme plan --as-of 2026-05-31
    """
    from connector.commands.outcomes import leave_after_plan, print_plan
    from connector.sync import make_plan

    with _running(terminal, "plan") as (context, journal):
        planned = make_plan(context, journal, as_of=as_of, offline=offline, overrides=overrides)
        print_plan(terminal, "plan", context, journal, planned)
    leave_after_plan(planned, exit_code=exit_code)


@highseas.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--yes", is_flag=True, help="Approve without being asked.")
@click.option("--first", type=click.IntRange(1), help="Only the first N changes.")
@pass_terminal
def apply(terminal: Terminal, plan_id: str | None, yes: bool, first: int | None) -> None:
    """Apply a plan that you reviewed; by default the newest. Safe to run again.

    Example: highseas -C clients/acme apply 20261122-031500-7f3a
    """
    from connector.commands.outcomes import print_apply
    from connector.errors import RefusedError
    from connector.sync import run_apply

    with _running(terminal, "apply") as (context, journal):
        plan = journal.plan(plan_id)
        if not yes:
            if not sys.stdin.isatty():
                message = "apply needs an approval, and there is no terminal to ask on"
                raise RefusedError(message, f"review it, then: highseas apply {plan.id} --yes")
            click.confirm(
                f"Apply {plan.primitives:,} writes of plan {plan.id}?", abort=True, err=True
            )
        report = run_apply(
            context,
            journal,
            plan.id,
            approver=_user(),
            how="--yes" if yes else "terminal",
            first=first,
        )
    print_apply(terminal, "apply", context.workspace, report)


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"


@highseas.command()
@click.argument("run_id", metavar="RUN")
@pass_terminal
def undo(terminal: Terminal, run_id: str) -> None:
    """Plan the way back from a run: an ordinary plan, to be reviewed and applied."""
    from connector.commands.outcomes import print_plan
    from connector.sync import Planned, identify, make_undo

    with _running(terminal, "undo") as (context, journal):
        identify(context)
        planned = Planned(make_undo(context, journal, run_id), None)
        print_plan(terminal, "undo", context, journal, planned)


@highseas.command()
@click.option("--apply", "apply_too", is_flag=True, help="Apply by standing approval.")
@click.option("--as-of", help="As of the start of this day.")
@pass_terminal
def sync(terminal: Terminal, apply_too: bool, as_of: str | None) -> None:
    """Pull and plan in one go; with --apply also apply, within the standing approval.

    Example: highseas -C clients/acme sync --apply
    """
    from connector.commands.outcomes import leave_after_plan, print_apply, print_plan
    from connector.sync import make_plan, sync_and_apply

    with _running(terminal, "sync") as (context, journal):
        planned = make_plan(context, journal, as_of=as_of)
        if not (apply_too and planned.plan.changes):
            print_plan(terminal, "sync", context, journal, planned)
            report = None
        else:
            report = sync_and_apply(context, journal, planned)
    if report is not None:
        print_apply(terminal, "sync", context.workspace, report)
    leave_after_plan(planned)


@highseas.command()
@click.argument("identifier", metavar="[PLAN]", required=False)
@click.option("--rows", is_flag=True, help="Every row, as NDJSON.")
@pass_terminal
def show(terminal: Terminal, identifier: str | None, rows: bool) -> None:
    """Show a stored plan again; by default the newest."""
    from connector.commands.outcomes import print_plan
    from connector.plan_model import encode_row
    from connector.sync import Planned, open_journal
    from connector.workspace_files import open_workspace

    workspace = open_workspace(terminal.root)
    with open_journal(workspace) as journal:
        stored = journal.plan(identifier)
        if rows:
            for row in journal.rows(stored.id):
                click.echo(encode_row(row).decode())
            return
        context = _context(terminal, workspace)
        print_plan(terminal, "show", context, journal, Planned(stored, None))


for each in (runs, stop, policy):
    highseas.add_command(each)


@highseas.group()
def sandbox() -> None:
    """Local servers that speak a CRM's own wire contract."""


@sandbox.command("zoho")
@click.option("--port", default=8020, show_default=True, type=click.IntRange(0, 65535))
@click.option("--load", help="Seed data: `demo` or `demo:CUSTOMERS`.")
@pass_terminal
def sandbox_zoho(terminal: Terminal, port: int, load: str | None) -> None:
    """Run a sandbox that answers like Zoho CRM v8, on loopback, until Ctrl-C.

    Example: highseas sandbox zoho --port 8020 --load demo:1000
    """
    from adapters.sandbox.foreground import run_foreground
    from connector.errors import ConfigurationError

    def announce(serving: Serving) -> None:
        lines = [
            f"Zoho CRM v8 sandbox on {serving.url} with {serving.customers:,} customers",
            "In highseas.yaml, below crm:",
            f"  accounts_url: {serving.url}",
            f"  api_url: {serving.url}",
            f"Its client_id is {serving.client_id}, its client_secret {serving.client_secret},",
            f"its refresh_token {serving.refresh_token}; Ctrl-C ends it.",
        ]
        terminal.result("sandbox zoho", {"url": serving.url}, lines)
        sys.stdout.flush()

    try:
        run_foreground(port, load, today=datetime.now(UTC).date(), announce=announce)
    except ValueError as error:
        raise ConfigurationError(
            f"--load {load}: {error}", "for example: --load demo:1000"
        ) from None
    except OSError as error:
        message = f"port {port} cannot be used: {os.strerror(error.errno or 0)}"
        raise ConfigurationError(message, "choose another one with --port") from None


@highseas.command()
@click.option("--customers", default=10_000, show_default=True, type=click.IntRange(100, 1_000_000))
@language_option(default="en", show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the workspace in this folder.")
@pass_terminal
def demo(terminal: Terminal, customers: int, language: str, keep: Path | None) -> None:
    """The main job on a sandbox CRM: pull, preview, apply, apply again, undo, compare."""
    from adapters.demo import DemoSettings, run_demo
    from connector.errors import ConfigurationError
    from connector.summary import demo_lines
    from policies.messages import message

    if keep and keep.exists() and any(keep.iterdir()):
        raise ConfigurationError(f"{keep} is not empty", "choose a new folder for --keep")

    def tell(key: str, **values: object) -> None:
        terminal.progress(message(language, key, **values))

    settings = DemoSettings(customers=customers, language=language, keep=keep)
    outcome = run_demo(settings, tell)
    lines = demo_lines(vars(outcome), language, proven=outcome.proven)
    terminal.result("demo", outcome.payload(), lines)
    if not outcome.proven:
        sys.exit(1)


def main() -> None:
    """Run the command line; every error becomes one line of fact and one of help."""
    logging.getLogger("highseas").propagate = False
    logging.getLogger("highseas").addHandler(logging.NullHandler())
    terminal = Terminal(as_json="--json" in sys.argv[1:])
    try:
        code = highseas.main(prog_name="highseas", standalone_mode=False, obj=terminal)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: nobody is shown a traceback
        code = _report(terminal, error)
    sys.exit(code if isinstance(code, int) else 0)


def _report(terminal: Terminal, error: Exception) -> int:
    if not isinstance(error, click.ClickException | click.Abort):
        logging.getLogger("highseas").error("failed", exc_info=error)
        if terminal.shows_tracebacks:
            traceback.print_exception(error)
    failure = failure_words(error)
    terminal.error(*failure)
    return failure.exit_code
