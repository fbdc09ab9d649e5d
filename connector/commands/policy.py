"""`highseas policy`: check, test, explain, sign and document policies, without a CRM.

Rooms are imported in command bodies, so that `--help` stays fast.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from connector.terminal import Group, Terminal, language_option, pass_terminal

if TYPE_CHECKING:
    from connector.workspace import Workspace
    from policies.language.vocabulary import Type
    from policies.moment import SourceState


@click.group(cls=Group)
def policy() -> None:
    """Check, test, explain, sign and document policies."""


_policy_file = click.argument(
    "path", metavar="[FILE]", type=click.Path(path_type=Path), required=False
)


class _PolicyPlace(NamedTuple):
    """The policy's file, the types of the CRM's own fields as far as known, the language to speak
    (None: the policy's own), and which day it is there."""

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
    from connector.workspace_files import open_workspace

    if path is not None:
        return _PolicyPlace(path, {}, _language_around(terminal, path), datetime.now(UTC).date())
    workspace = open_workspace(terminal.root)
    schema = remembered_schema(workspace)
    fields = field_types(schema) if schema else {}
    today = datetime.now(workspace.zone_info).date()
    return _PolicyPlace(workspace.policy_path, fields, workspace.language, today, workspace)


def _language_of_workspace(terminal: Terminal) -> str | None:
    """None outside of a workspace, and in one that cannot be read."""
    from connector.errors import ConfigurationError
    from connector.workspace import load_workspace

    with suppress(ConfigurationError):
        return load_workspace(terminal.root).language
    return None


def _language_around(terminal: Terminal, path: Path) -> str | None:
    """The workspace's, for a policy file that names none itself."""
    from policies.policy import load_policy

    language = _language_of_workspace(terminal)
    return None if language is None or load_policy(path).language else language


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
@click.option("--as-of", help="As of the start of this day; a past one as it was known then.")
@click.option("--plan", "plan_id", help="As of this plan, and from what it saw.")
@pass_terminal
def policy_explain(
    terminal: Terminal, customer: str, as_of: str | None, plan_id: str | None
) -> None:
    """Say why a customer is, or is not, caught by each rule. CUSTOMER is a key, an id or a name.

    Example: highseas -C clients/acme policy explain Accounts:5725767000000524001
    """
    from connector.explain import explain_as_planned, explain_customer
    from connector.explain_text import explanation_lines
    from connector.sync import as_of_moment
    from connector.workspace_files import open_workspace

    if as_of and plan_id:
        raise click.UsageError("--as-of and --plan name two moments: give one of them")
    workspace = open_workspace(terminal.root)
    now = datetime.now(UTC)
    moment, today = (as_of_moment(workspace, day, now) for day in (as_of, None))
    if plan_id:
        explanation = explain_as_planned(workspace, customer, plan_id, today.day)
    else:
        explanation = explain_customer(workspace, customer, moment, today.day)
    terminal.result(
        "policy explain", explanation.payload(), explanation_lines(explanation, workspace.language)
    )


@policy.command("schema")
@pass_terminal
def policy_schema(terminal: Terminal) -> None:
    """Print the JSON Schema of a policy file, for editors."""
    from policies.policy import policy_json_schema

    terminal.schema("policy schema", policy_json_schema())


@policy.command("signoff")
@_policy_file
@language_option()
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
@language_option()
@pass_terminal
def policy_docs(terminal: Terminal, language: str | None) -> None:
    """Print the page of metrics, functions, attributes and columns.

    By default in the workspace's language, elsewhere in English.
    """
    from policies.authoring.metric_docs import metrics_page

    text = metrics_page(language or _language_of_workspace(terminal) or "en").rstrip()
    terminal.result("policy docs", {"text": text}, [text])
