"""What the documentation says is true: names exist, commands parse, examples load."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import click
import pytest

import cli
from adapters.sandbox.zoho import Behaviour, Credentials
from policies.language.metrics import FORMULAS, FUNCTIONS, METRICS
from policies.language.vocabulary import ATTRIBUTES
from policies.policy import parse_policy
from tests.crm_sandbox import sandbox_client

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
ROOMS = ("adapters", "connector", "policies", "cli")
NAME = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:\.\w+)+)`")
COMMAND = re.compile(r"^\$ (highseas .*)$", re.MULTILINE)
INLINE = re.compile(r"`(highseas [^`]+)`")
POLICY = re.compile(r"```yaml\n(policy: [12]\n.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")


def resolve(dotted: str) -> object:
    """Import the longest module prefix, then follow attributes."""
    parts = dotted.split(".")
    for size in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[size:]:
            found = getattr(found, attribute)
        return found
    raise ModuleNotFoundError(dotted)


def names(page: Path) -> list[str]:
    return NAME.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_on_a_page_exists(page: Path) -> None:
    for dotted in names(page):
        if not dotted.endswith((".yaml", ".py")):
            resolve(dotted)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_parses(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in [*COMMAND.findall(text), *INLINE.findall(text)]:
        parse_command(shlex.split(line)[1:], line)


def parse_command(arguments: list[str], line: str) -> None:
    """Walk the groups down to the command and let it parse its own arguments."""
    group: click.Command = cli.highseas
    context = click.Context(group, info_name="highseas", resilient_parsing=True)
    while isinstance(group, click.Group):
        rest = drop_options(arguments)
        if not rest:
            return
        found = group.get_command(context, rest[0])
        assert found is not None, f"{line}: there is no command {rest[0]}"
        group, arguments = found, rest[1:]
    known = {name for option in group.params for name in option.opts} | {"-h", "--help"}
    for argument in arguments:
        if argument.startswith("-"):
            assert argument.partition("=")[0] in known, f"{line}: {argument}"


def drop_options(arguments: list[str]) -> list[str]:
    """Skip the program's own options; -C takes a value."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] == "-C" else rest[1:]
    return rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_policy_on_a_page_loads(page: Path) -> None:
    for text in POLICY.findall(page.read_text(encoding="utf-8")):
        assert parse_policy(text, page.name).rules


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_on_a_page_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_in_the_changelog_or_the_readme() -> None:
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md")
    )
    for name in cli.highseas.commands:
        assert f"{name}`" in text or f"highseas {name}" in text, name


@pytest.mark.parametrize("page", ["metrics.md", "metrics.zh-CN.md"])
def test_a_page_names_everything_that_a_condition_can_use(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name in (*METRICS, *FORMULAS, *FUNCTIONS, *ATTRIBUTES):
        assert re.search(rf"`{name}\b", text), name


def test_the_language_page_leads_to_the_metrics() -> None:
    assert "](metrics.md)" in (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")


def test_the_scopes_on_the_zoho_page_are_enough(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "zoho.md").read_text(encoding="utf-8")
    scopes = re.findall(r"`(ZohoCRM\.[\w.]+)`", text)
    behaviour = Behaviour(credentials=Credentials(scope=" ".join(scopes)))
    with sandbox_client(tmp_path, customers=60, behaviour=behaviour) as client:
        before = client.store.snapshot()
        client.ok("check")
        client.ok("plan")
        run = client.ok("apply", "--yes")["apply"]
        client.ok("undo", run["run_id"])
        client.ok("apply", "--yes")
        assert client.store.snapshot() == before
