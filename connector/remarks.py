"""What there is to say about a policy beside its decisions: how it is read, what of it is kept and
not carried out, what its calendar does not know, what rests, and whether it still is what was
signed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from connector.fact_remarks import fact_remarks
from connector.guard import NOT_LOGGED
from connector.mapping import CompiledMapping
from connector.plan_model import PlanHeader
from connector.policy_fit import readers_of, uncovered_years
from connector.titles import Titles
from connector.warehouse import Warehouse
from connector.workspace import Workspace, replace_file
from policies.authoring.signature import (
    SIGNOFF_FILE,
    Signature,
    differences,
    read_signature,
    sign,
    signature_text,
)
from policies.authoring.signoff import difference_text
from policies.messages import has_message, message
from policies.model import NEW_OWNER, Policy
from policies.moment import AsOf
from policies.process import Process

_SINCE = "owned_since"
_UNTOLD = "SELECT count(*) FROM customers WHERE owner_id IS NOT NULL AND owned_since IS NULL"


def read_signed(policy_path: Path) -> Signature | None:
    """Who signed the policy, from `signoff.yaml` beside it. Raises `FileProblems`."""
    path = policy_path.with_name(SIGNOFF_FILE)
    return read_signature(path.read_bytes(), path.name) if path.exists() else None


def sign_policy(policy: Policy, policy_path: Path, name: str, day: date) -> Signature:
    """Note beside the policy who agreed to it as it stands, and when."""
    signed = sign(policy, name, day)
    replace_file(policy_path.with_name(SIGNOFF_FILE), signature_text(signed).encode())
    return signed


def policy_remarks(policy: Policy, policy_path: Path, language: str, today: date) -> list[str]:
    """One line each, in the language."""
    return [
        *(message(language, "policy.warning", problem=problem) for problem in policy.warnings),
        *_unfinished(policy, language),
        *_calendar(policy, language, today),
        *_signed(policy, policy_path, language),
    ]


def owner_remarks(
    policy: Policy, mapping: CompiledMapping, warehouse: Warehouse, language: str
) -> list[str]:
    """Where nothing tells since when an owner has a customer, how many cannot be judged by it."""
    readers = readers_of(policy, _SINCE)
    if not readers or all(_SINCE in source.columns for source in mapping.file.customers):
        return []
    default = [item for item in policy.protections if item.is_default]
    names = [name for name in readers if not (default and name == NEW_OWNER)]
    told = {"owned_since": message(language, "list.separator").join(names)} if names else {}
    if default:
        told["new_owner"] = message(language, default[0].label_key)
    if not warehouse.exists():
        return [message(language, f"policy.{key}_first", names=told[key]) for key in told]
    with warehouse.reading() as connection:
        count = connection.execute(_UNTOLD).fetchall()[0][0]
    lines = [message(language, f"policy.{key}", names=told[key], count=count) for key in told]
    return lines if count else []


def plan_remarks(
    policy: Policy, workspace: Workspace, warehouse: Warehouse, as_of: AsOf
) -> tuple[str, ...]:
    """What both a check and a plan say of a policy, and of the facts it is held against."""
    language = workspace.language
    return (
        *policy_remarks(policy, workspace.policy_path, language, as_of.day),
        *status_remarks(policy, workspace.status_field, language),
        *fact_remarks(policy, warehouse, as_of, language),
    )


def status_remarks(policy: Policy, status_field: str | None, language: str) -> list[str]:
    """Which rules have a status that is not written, as the workspace names no field for it."""
    if status_field is not None:
        return []
    titles = [rule.title for rule in policy.rules if any(stage.status for stage in rule.stages)]
    rules = message(language, "list.separator").join(titles)
    return [message(language, "policy.no_status", rules=rules)] if titles else []


def contact_remarks(policy: Policy, not_logged: Iterable[str], language: str) -> list[str]:
    """Which rules are for review, as contact by some channel is not logged."""
    names = [rule.id for rule in policy.rules if rule.kind == "pool"]
    channels = channel_names(not_logged, language)
    if not (names and channels):
        return []
    rules = message(language, "list.separator").join(names)
    return [message(language, "policy.review_only", rules=rules, channels=channels)]


def burst_lines(header: PlanHeader, language: str) -> list[str]:
    """How many customers contacts in bursts alone keep out of a rule: nobody is named."""
    titles = Titles(header.titles, language)
    return [
        message(language, "plan.bursts", rule=titles.rule(count.rule), count=count.burst)
        for count in header.rules
        if count.burst
    ]


def pause_line(rule: str, reason: str, language: str) -> str:
    """That a rule rests, and why: `reason` is as `connector.guard.pause` says it."""
    if reason.startswith(NOT_LOGGED):
        channels = channel_names(reason.removeprefix(NOT_LOGGED).split(", "), language)
        return message(language, "plan.review_only", rule=rule, channels=channels)
    return message(language, "plan.paused", rule=rule, reason=pause_reason(reason, language))


def pause_reason(reason: str, language: str) -> str:
    """Why a rule rests: a freeze as it was written, or in words."""
    if reason.startswith(NOT_LOGGED):
        channels = channel_names(reason.removeprefix(NOT_LOGGED).split(", "), language)
        return message(language, "paused.not_logged", channels=channels)
    key = f"paused.{reason}"
    return message(language, key) if has_message(language, key) else reason


def channel_names(channels: Iterable[str], language: str) -> str:
    """Ways of contact, in the words of the language."""
    separator = message(language, "list.separator")
    return separator.join(message(language, f"channel.{channel}") for channel in channels)


def process_words(process: Process | None) -> tuple[str, ...]:
    """The process words that a rule has."""
    if process is None:
        return ()
    names = ("tell", "wait", "cancel", "extend", "act", "review", "revisit", "todo")
    return tuple(name for name in names if getattr(process, name))


def _unfinished(policy: Policy, language: str) -> Iterator[str]:
    separator = message(language, "list.separator")
    for rule in policy.rules:
        words = list(process_words(rule.process))
        if any(stage.fields for stage in rule.stages):
            words.append("mark.field")
        if words:
            shown = separator.join(words)
            yield message(language, "policy.marks_only", rule=rule.id, words=shown)
    kept = [f"pools.{pool.name}.unclaimed" for pool in policy.pools if pool.unclaimed]
    kept += ["limits.backlog"] if policy.limits.backlog else []
    if kept:
        yield message(language, "policy.kept", words=separator.join(kept))


def _calendar(policy: Policy, language: str, today: date) -> Iterator[str]:
    years = uncovered_years(policy, today)
    if years:
        separator = message(language, "list.separator")
        yield message(language, "policy.calendar", years=separator.join(map(str, years)))


def _signed(policy: Policy, policy_path: Path, language: str) -> Iterator[str]:
    signed = read_signed(policy_path)
    changed = differences(policy, signed) if signed else ()
    if signed and changed:
        separator = message(language, "note.separator")
        texts = separator.join(difference_text(item, language) for item in changed)
        yield message(
            language, "policy.differs", name=signed.name, day=signed.on, differences=texts
        )
