"""The command line: parse, call one function, print. Rooms are imported in command bodies."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from connector.terminal import Group, Terminal, json_option, pass_terminal

if TYPE_CHECKING:
    from adapters.sandbox.foreground import Serving
    from connector.apply import ApplyReport
    from connector.journal import Journal
    from connector.ports import Adapter
    from connector.summary import Voice
    from connector.sync import Context, Planned
    from connector.workspace import Workspace
    from policies.language.vocabulary import Type
    from policies.moment import SourceState


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


def _voice(terminal: Terminal, workspace: Workspace) -> Voice:
    """How results speak: the workspace's language, and commands that can be typed here."""
    from connector.summary import Voice

    return Voice(workspace.language, workspace.zone, terminal.command)


def _open_workspace(terminal: Terminal) -> Workspace:
    from connector.workspace import load_workspace

    workspace = load_workspace(terminal.root)
    workspace.prepare()
    _log_to(workspace.log_path)
    return workspace


def _log_to(path: Path) -> None:
    """Everything that a support case needs goes to the log file, tracebacks included."""
    path.touch(mode=0o600, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("highseas")
    root.setLevel(logging.INFO)
    root.addHandler(handler)


def _context(terminal: Terminal, workspace: Workspace, adapter: Adapter | None = None) -> Context:
    from adapters import default_mapping, open_adapter
    from connector.sync import Context

    path = workspace.mapping_path
    mapping = path.read_text(encoding="utf-8") if path else default_mapping(workspace)
    return Context(
        workspace,
        adapter or open_adapter(workspace),
        progress=terminal.progress,
        should_stop=_stop_signal(workspace),
        mapping=mapping,
    )


def _stop_signal(workspace: Workspace) -> Callable[[], bool]:
    """True once somebody asked this run to stop: SIGTERM, Ctrl-C, or `highseas stop`.

    A run that asks ends by itself between two calls; any other one, and whoever is asked twice,
    is interrupted at once.
    """
    import signal

    asked: list[int] = []
    is_asking = False

    def remember(number: int, _frame: object) -> None:
        asked.append(number)
        if not is_asking or len(asked) > 1:
            raise KeyboardInterrupt

    def should_stop() -> bool:
        nonlocal is_asking
        is_asking = True
        return bool(asked) or workspace.stop_path.exists()

    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.signal(number, remember)
        click.get_current_context().call_on_close(partial(signal.signal, number, before))
    return should_stop


@contextmanager
def _running(terminal: Terminal, command: str) -> Iterator[tuple[Context, Journal]]:
    from connector.sync import running

    context = _context(terminal, _open_workspace(terminal))
    with running(context, command) as journal:
        yield context, journal


@highseas.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option(
    "--adapter", default="zoho", show_default=True, help="Which CRM; see `highseas adapters`."
)
@click.option("--name", help="The client's name; by default the folder's.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA name, e.g. Asia/Shanghai.")
@click.option(
    "--language", type=click.Choice(["en", "zh-CN", "de"]), default="en", show_default=True
)
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

    workspace = _open_workspace(terminal)
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
    import json

    from adapters.rest.editor_schema import description_schema

    schema = description_schema()
    terminal.result(
        "adapters schema", {"schema": schema}, [json.dumps(schema, ensure_ascii=False, indent=2)]
    )


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


def _pairs(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not (name and equals):
            message = f"{name or '='} is not NAME=VALUE, for example --set quiet_days=120"
            raise click.BadParameter(message)
    return {name: value for name, _, value in pairs}


_overrides = click.option(
    "--set",
    "overrides",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_pairs,
    help="Another value for one of the policy's params; such a plan is for looking.",
)


def _plan_result(
    terminal: Terminal, command: str, context: Context, journal: Journal, planned: Planned
) -> None:
    from connector.payloads import plan_json
    from connector.promises import of_plan
    from connector.summary import plan_lines, preview
    from connector.sync import known_schema, unkept_promises

    voice = _voice(terminal, context.workspace)
    shown = preview(journal.rows(planned.plan.id))
    unkept = of_plan(unkept_promises(context), shown.kinds)
    capabilities = known_schema(context).capabilities
    lines = plan_lines(planned.plan, shown, voice, capabilities, unkept)
    payload = plan_json(planned, unkept, voice.language)
    terminal.result(command, payload, [*planned.remarks, *lines])


def _plan_exit(planned: Planned, *, exit_code: bool = False) -> None:
    tripped = any(count.tripped for count in planned.plan.header.rules)
    if tripped or (planned.pulled and planned.pulled.partial):
        sys.exit(5)
    if exit_code and planned.plan.changes:
        sys.exit(4)


@highseas.command()
@click.option(
    "--offline", is_flag=True, help="From the staged copy as it is; asks the CRM nothing."
)
@click.option("--as-of", help="As of the start of this day, e.g. 2026-05-31.")
@click.option("--exit-code", is_flag=True, help="Exit with 4 when changes are waiting.")
@_overrides
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
    from connector.sync import make_plan

    with _running(terminal, "plan") as (context, journal):
        planned = make_plan(context, journal, as_of=as_of, offline=offline, overrides=overrides)
        _plan_result(terminal, "plan", context, journal, planned)
    _plan_exit(planned, exit_code=exit_code)


@highseas.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option("--yes", is_flag=True, help="Approve without being asked.")
@click.option("--first", type=click.IntRange(1), help="Only the first N changes.")
@pass_terminal
def apply(terminal: Terminal, plan_id: str | None, yes: bool, first: int | None) -> None:
    """Apply a plan that you reviewed; by default the newest. Safe to run again.

    Example: highseas -C clients/acme apply 20261122-031500-7f3a
    """
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
    _apply_result(terminal, "apply", context.workspace, report)


def _user() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"


def _apply_result(
    terminal: Terminal, command: str, workspace: Workspace, report: ApplyReport
) -> None:
    import msgspec

    from connector.summary import apply_lines

    payload = {"apply": msgspec.to_builtins(report)}
    terminal.result(command, payload, apply_lines(report, _voice(terminal, workspace)))
    if not report.complete:
        sys.exit(5)


@highseas.command()
@click.argument("run_id", metavar="RUN")
@pass_terminal
def undo(terminal: Terminal, run_id: str) -> None:
    """Plan the way back from a run: an ordinary plan, to be reviewed and applied."""
    from connector.sync import Planned, identify, make_undo

    with _running(terminal, "undo") as (context, journal):
        identify(context)
        planned = Planned(make_undo(context, journal, run_id), None)
        _plan_result(terminal, "undo", context, journal, planned)


@highseas.command()
@click.option("--apply", "apply_too", is_flag=True, help="Apply by standing approval.")
@click.option("--as-of", help="As of the start of this day.")
@pass_terminal
def sync(terminal: Terminal, apply_too: bool, as_of: str | None) -> None:
    """Pull and plan in one go; with --apply also apply, within the standing approval.

    Example: highseas -C clients/acme sync --apply
    """
    from connector.sync import make_plan, sync_and_apply

    with _running(terminal, "sync") as (context, journal):
        planned = make_plan(context, journal, as_of=as_of)
        if not (apply_too and planned.plan.changes):
            _plan_result(terminal, "sync", context, journal, planned)
            report = None
        else:
            report = sync_and_apply(context, journal, planned)
    if report is not None:
        _apply_result(terminal, "sync", context.workspace, report)
    _plan_exit(planned)


@highseas.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@pass_terminal
def runs(terminal: Terminal, limit: int) -> None:
    """List what was run here, newest first."""
    import msgspec

    from connector.summary import runs_lines
    from connector.sync import open_journal

    workspace = _open_workspace(terminal)
    with open_journal(workspace) as journal:
        found = journal.runs(limit)
    terminal.result(
        "runs",
        {"runs": msgspec.to_builtins(found)},
        runs_lines(found, workspace.language, workspace.zone),
    )


@highseas.command()
@click.argument("identifier", metavar="[PLAN]", required=False)
@click.option("--rows", is_flag=True, help="Every row, as NDJSON.")
@pass_terminal
def show(terminal: Terminal, identifier: str | None, rows: bool) -> None:
    """Show a stored plan again; by default the newest."""
    from connector.plan_model import encode_row
    from connector.sync import Planned, open_journal

    workspace = _open_workspace(terminal)
    with open_journal(workspace) as journal:
        stored = journal.plan(identifier)
        if rows:
            for row in journal.rows(stored.id):
                click.echo(encode_row(row).decode())
            return
        context = _context(terminal, workspace)
        _plan_result(terminal, "show", context, journal, Planned(stored, None))


@highseas.command()
@pass_terminal
def stop(terminal: Terminal) -> None:
    """Ask the run that holds this workspace to stop after the batch in flight."""
    from connector.lock import holder_description
    from connector.summary import stop_lines

    workspace = _open_workspace(terminal)
    holder = holder_description(workspace.state)
    if holder:
        workspace.stop_path.touch()
    terminal.result("stop", {"asked": bool(holder)}, stop_lines(holder, workspace.language))


@highseas.group()
def policy() -> None:
    """Check, test, explain, sign and document policies."""


_policy_file = click.argument(
    "path", metavar="[FILE]", type=click.Path(path_type=Path), required=False
)


class _PolicyPlace(NamedTuple):
    """The policy's file, the types of the CRM's own fields as far as known, the workspace's
    language (None: the policy's own), and which day it is there."""

    path: Path
    fields: Mapping[str, Type]
    language: str | None
    today: date
    workspace: Workspace | None = None

    @property
    def zone(self) -> str | None:
        return self.workspace.zone if self.workspace else None


def _policy_place(terminal: Terminal, path: Path | None) -> _PolicyPlace:
    from connector.policy_fit import field_types, remembered_schema

    if path is not None:
        return _PolicyPlace(path, {}, None, datetime.now(UTC).date())
    workspace = _open_workspace(terminal)
    schema = remembered_schema(workspace)
    fields = field_types(schema) if schema else {}
    today = datetime.now(workspace.zone_info).date()
    return _PolicyPlace(workspace.policy_path, fields, workspace.language, today, workspace)


def _known_sources(workspace: Workspace | None) -> dict[str, SourceState] | None:
    """How complete each facts table is; None outside of a workspace, and before the first pull."""
    from connector.engine import source_states
    from connector.warehouse import Warehouse

    if workspace is None or not Warehouse(workspace).exists():
        return None
    with Warehouse(workspace).reading() as connection:
        return source_states(connection)


@policy.command("check")
@_policy_file
@pass_terminal
def policy_check(terminal: Terminal, path: Path | None) -> None:
    """Report every problem of a policy, with its place, then what looks wrong in it.

    FILE is a policy, by default the workspace's own.
    """
    from dataclasses import replace

    from connector.policy_test import check_policy, policy_check_lines
    from connector.remarks import policy_remarks, read_signed

    place = _policy_place(terminal, path)
    loaded, found = check_policy(
        place.path,
        fields=place.fields,
        signed=read_signed(place.path),
        sources=_known_sources(place.workspace),
        zone=place.zone,
        language=place.language,
    )
    told = replace(loaded, warnings=())  # they are among those found
    spoken = place.language or loaded.language or "en"
    remarks = policy_remarks(told, place.path, spoken, place.today)
    terminal.result(
        "policy check",
        {
            "name": loaded.name,
            "hash": loaded.hash,
            "rules": [rule.id for rule in loaded.rules],
            "warnings": [str(problem) for problem in found],
            "remarks": remarks,
        },
        policy_check_lines(loaded, found, remarks, place.language),
    )


@policy.command("test")
@_policy_file
@click.option("--cases", type=click.Path(path_type=Path), help="Default: `cases` beside FILE.")
@pass_terminal
def policy_test(terminal: Terminal, path: Path | None, cases: Path | None) -> None:
    """Run the cases of a policy by both back ends, and name the edges that no case covers."""
    from connector.policy_test import policy_test_lines, run_policy_tests

    place = _policy_place(terminal, path)
    report = run_policy_tests(
        place.path, cases, fields=place.fields, zone=place.zone, language=place.language
    )
    terminal.result("policy test", report.payload(), policy_test_lines(report))
    if not report.passed:
        sys.exit(1)


@policy.command("explain")
@click.argument("customer")
@click.option("--as-of", help="As of the start of this day.")
@pass_terminal
def policy_explain(terminal: Terminal, customer: str, as_of: str | None) -> None:
    """Say why a customer is, or is not, caught by each rule. CUSTOMER is a key, an id or a name.

    Example: highseas -C clients/acme policy explain Accounts:5725767000000524001
    """
    from connector.explain import explain_customer, explanation_lines
    from connector.sync import as_of_moment

    workspace = _open_workspace(terminal)
    moment = as_of_moment(workspace, as_of, datetime.now(UTC))
    explanation = explain_customer(workspace, customer, moment)
    terminal.result(
        "policy explain", explanation.payload(), explanation_lines(explanation, workspace.language)
    )


@policy.command("schema")
@pass_terminal
def policy_schema(terminal: Terminal) -> None:
    """Print the JSON Schema of a policy file, for editors."""
    import json

    from policies.policy import policy_json_schema

    schema = policy_json_schema()
    terminal.result(
        "policy schema", {"schema": schema}, [json.dumps(schema, ensure_ascii=False, indent=2)]
    )


_language = click.option("--language", type=click.Choice(["en", "zh-CN", "de"]))


@policy.command("signoff")
@_policy_file
@_language
@click.option("--name", help="Who agrees to it: writes signoff.yaml beside FILE.")
@pass_terminal
def policy_signoff(
    terminal: Terminal, path: Path | None, language: str | None, name: str | None
) -> None:
    """Print a policy in plain words, with its thresholds, to be agreed to.

    Example: highseas -C clients/acme policy signoff --language zh-CN --name 王敏
    """
    from connector.remarks import read_signed, sign_policy
    from policies.authoring.signoff import render_signoff
    from policies.policy import load_policy

    place = _policy_place(terminal, path)
    loaded = load_policy(place.path, fields=place.fields)
    signed = sign_policy(loaded, place.path, name, place.today) if name else None
    text = render_signoff(
        loaded,
        language or loaded.language or place.language or "en",
        signed=signed or read_signed(place.path),
    )
    terminal.result("policy signoff", {"text": text, "hash": loaded.hash}, [text])


@policy.command("docs")
@_language
@pass_terminal
def policy_docs(terminal: Terminal, language: str | None) -> None:
    """Print the page of metrics, functions, attributes and columns."""
    from policies.authoring.metric_docs import metrics_page

    text = metrics_page(language or "en").rstrip()
    terminal.result("policy docs", {"text": text}, [text])


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
@click.option(
    "--language", type=click.Choice(["en", "zh-CN", "de"]), default="en", show_default=True
)
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
    except click.exceptions.Abort:
        terminal.error("interrupted", "run the same command again: it goes on from there", 130)
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        terminal.error(error.format_message(), _usage_hint(error), error.exit_code)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: nobody is shown a traceback
        code = _report(terminal, error)
    sys.exit(code if isinstance(code, int) else 0)


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"see `{context.command_path} --help`" if context else "see `highseas --help`"


def _report(terminal: Terminal, error: Exception) -> int:
    import traceback

    from policies.errors import HighseasError

    logging.getLogger("highseas").error("failed", exc_info=error)
    if terminal.shows_tracebacks:
        traceback.print_exception(error)
    if isinstance(error, HighseasError):
        terminal.error(error.message, error.hint or "see the log file", error.exit_code)
        return error.exit_code
    if isinstance(error, OSError) and error.filename and error.errno:
        message = f"{error.filename}: {os.strerror(error.errno)}"
        terminal.error(message, "check its permissions, and the room left on the disk", 1)
        return 1
    terminal.error(
        f"highseas met a defect of its own: {type(error).__name__}",
        "run it again with -vv and report what it prints; .highseas/highseas.log has it too",
        1,
    )
    return 1
