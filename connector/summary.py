"""What a plan, a run and a pull say to people, in the workspace's language. No decisions here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from connector.apply import ApplyReport
from connector.cap_text import cap_text
from connector.journal_model import Run
from connector.models import Primitive, PrimitiveKind
from connector.plan_model import Plan, PlanRow, RowStatus
from connector.ports import Capabilities, Finding
from connector.promises import Caveat, Unkept
from connector.pull import PullReport
from connector.ranks import threshold_lines
from connector.remarks import burst_lines, pause_line
from connector.render import render_table, shorten
from connector.sync import Checked
from connector.titles import Titles
from policies.messages import evidence_phrase, input_label, message

_NAME_WIDTH = 28  # display cells
_EXAMPLES = 3  # of each rule and status


class Preview(NamedTuple):
    """The first few rows of each rule and status, and which kinds of writes there are."""

    examples: tuple[PlanRow, ...]
    kinds: frozenset[PrimitiveKind]


def preview(rows: Iterable[PlanRow]) -> Preview:
    """Pick examples in the plan's order, in one pass over its rows."""
    kept: dict[tuple[str, RowStatus], list[PlanRow]] = {}
    kinds: set[PrimitiveKind] = set()
    for row in rows:
        kinds.update(primitive.kind for primitive in row.primitives)
        examples = kept.setdefault((row.rule, row.status), [])
        if len(examples) < _EXAMPLES:
            examples.append(row)
    return Preview(tuple(row for group in kept.values() for row in group), frozenset(kinds))


class Voice(NamedTuple):
    """In which language and zone to speak, and how the program is called from here."""

    language: str
    zone: str
    command: str = "highseas"


def plan_lines(
    plan: Plan,
    shown: Preview,
    voice: Voice,
    capabilities: Capabilities,
    unkept: Iterable[Caveat] = (),
) -> list[str]:
    """Counts first, then examples with reasons, what was left alone and why, cost, which promises
    do not hold, next command."""
    header, language = plan.header, voice.language
    day = datetime.fromisoformat(header.as_of).astimezone(ZoneInfo(voice.zone)).date()
    title = "plan.undo_title" if header.kind == "undo" else "plan.title"
    customers = header.customers
    ranks = () if header.kind == "undo" else threshold_lines(header.thresholds, language)
    held_back = _held_back(plan, language)
    lines = [
        message(language, title, plan=plan.id, day=day, customers=customers, run=header.source_run),
        "",
        *_counts(plan, language),
        *ranks,
        *held_back,
        *burst_lines(header, language),
        *_examples(shown.examples, plan, language),
        "",
    ]
    untold = promise_lines(unkept, language)
    if plan.changes == 0:
        return [*lines, *untold, *([] if held_back else [message(language, "plan.none")])]
    figures = {
        "primitives": plan.primitives,
        "calls": plan.calls,
        "cost": plan.cost,
    }
    lines.append(message(language, "plan.cost", **figures))
    loud = [kind for kind in sorted(shown.kinds) if not capabilities.writes[kind].quiet]
    if loud:
        names = message(language, "list.separator").join(
            message(language, f"primitive.{kind}") for kind in loud
        )
        lines.append(message(language, "plan.automations", kinds=names))
    lines += untold
    if header.overrides:
        given = message(language, "list.separator").join(header.overrides)
        return [*lines, message(language, "plan.looking", params=given)]
    if header.kind == "policy" and not plan.is_of_its_day:
        return [*lines, message(language, "plan.other_day")]
    return [*lines, message(language, "plan.next", plan=plan.id, highseas=voice.command)]


def _counts(plan: Plan, language: str) -> list[str]:
    waits = any(count.waiting for count in plan.header.rules)
    columns = (
        "rule",
        "kind",
        "matched",
        "changes",
        "entering",
        "protected",
        "undecided",
        "overruled",
        "foreign",
        *(["waiting"] if waits else []),
    )
    header = [message(language, f"column.{column}") for column in columns]
    titles = Titles(plan.header.titles, language)
    rows = [
        [
            titles.rule(count.rule),
            message(language, f"kind.{count.kind}"),
            count.matched,
            count.changes,
            count.entering,
            count.protected,
            count.undecided,
            count.overruled,
            count.foreign,
            *([count.waiting] if waits else []),
        ]
        for count in plan.header.rules
    ]
    return render_table(header, rows, language)


def _held_back(plan: Plan, language: str) -> list[str]:
    lines = []
    titles = Titles(plan.header.titles, language)
    for count in plan.header.rules:
        rule = titles.rule(count.rule)
        if count.tripped:
            cap = cap_text(count.tripped, titles)
            lines.append(message(language, "plan.tripped", rule=rule, cap=cap))
        if count.paused:
            lines.append(pause_line(rule, count.paused, language))
    return lines


def _examples(rows: Iterable[PlanRow], plan: Plan, language: str) -> list[str]:
    titles = Titles(plan.header.titles, language, plan.header.currency)
    rules = {count.rule for count in plan.header.rules}
    lines: list[str] = []
    heading = ""
    for row in rows:
        title = f"{titles.rule(row.rule)} · {message(language, f'status.{row.status}')}"
        if title != heading:
            lines += ["", title]
        waits = bool(row.missing) and rules.issuperset(row.missing)
        lines += row_lines(row, titles, waits=waits)
        if title != heading:
            lines += _note_lines(row)
        heading = title
    return lines


def _note_lines(row: PlanRow) -> list[str]:
    """The note that would be written, word for word."""
    notes = [str(item.after) for item in row.primitives if item.kind is PrimitiveKind.PUT_NOTE]
    return [f"      │ {line}" for note in notes for line in note.splitlines()]


def row_lines(row: PlanRow, titles: Titles, *, waits: bool = False) -> list[str]:
    """One customer: name and what becomes of it; below, what is written, and why (or why not).
    `waits`: what an undecided one lacks are rules that come first."""
    language = titles.language
    name = f"  {shorten(row.name or row.customer, _NAME_WIDTH)} ({row.customer})"
    facts = message(language, "note.separator").join(
        evidence_phrase(language, item, titles.currency) for item in row.evidence
    )
    if row.status is RowStatus.CHANGE:
        before, after = (titles.stage(s, row.rule) for s in (row.stage_before, row.stage_after))
        stages = f"{before} → {after}"
        writes = "  ".join(_write(item, language) for item in row.primitives)
        details = [f"      {part}" for part in (writes, facts) if part]
        return [f"{name}  {stages}", *details]
    reasons = {
        RowStatus.UNDECIDED: (
            ("row.waits", {"rules": titles.rules(row.missing)})
            if waits
            else ("row.missing", {"missing": missing_names(row.missing, language)})
        ),
        RowStatus.PROTECTED: ("row.protected", {"protection": titles.protection(row.blocked_by)}),
        RowStatus.FOREIGN: ("row.foreign", {"tag": row.blocked_by}),
        RowStatus.WAITING: ("row.waiting", {"tag": row.blocked_by}),
        RowStatus.IRREVERSIBLE: ("row.irreversible", {"obstacle": row.blocked_by}),
    }
    if row.status in reasons:
        key, values = reasons[row.status]
        facts = message(language, key, **values)
    return [f"{name}  {facts}"]


def missing_names(names: Iterable[str], language: str) -> str:
    """What is missing, in the words of the language; where nothing is, what there is decides
    nothing."""
    separator = message(language, "list.separator")
    shown = separator.join(input_label(language, name) for name in names)
    return shown or message(language, "row.few")


def _write(primitive: Primitive, language: str) -> str:
    """One write in a few characters: +tag, -tag, field=value, or the note's name."""
    if primitive.kind is PrimitiveKind.ADD_TAG:
        return f"+{primitive.target}"
    if primitive.kind is PrimitiveKind.REMOVE_TAG:
        return f"-{primitive.target}"
    if primitive.kind in {PrimitiveKind.PUT_NOTE, PrimitiveKind.DELETE_NOTE}:
        return message(language, f"primitive.{primitive.kind}")
    shown = message(language, "value.none") if primitive.after is None else primitive.after
    return f"{primitive.target}={shown}"


def pull_lines(report: PullReport, language: str) -> list[str]:
    """What came, object by object, and what was wrong with it."""
    columns = ("object", "rows", "deleted", "problems", "orphans")
    header = [message(language, f"column.{column}") for column in columns]
    rows = [
        [item.object, item.rows, item.deleted, item.problems, item.orphans]
        for item in report.objects
    ]
    lines = render_table(header, rows, language)
    lines += [
        message(language, "pull.unreadable", object=item.object, reason=item.error)
        for item in report.objects
        if item.error
    ]
    lines += [
        f"  {item.object}:{example.id}  {example.field}: {example.message}"
        for item in report.objects
        for example in item.examples
    ]
    return lines


def apply_lines(report: ApplyReport, voice: Voice) -> list[str]:
    """What was done, and by name what was not."""
    language = voice.language
    counts = {**report.counts}
    lines = [
        message(
            language,
            "apply.done",
            done=report.done,
            writes=report.writes,
            run=report.run_id,
        )
    ]
    for status, count in sorted(counts.items()):
        if status != "done" and count:
            lines.append(message(language, f"outcome.{status}", count=count))
    lines += [pause_line(rule, reason, language) for rule, reason in sorted(report.paused.items())]
    if report.not_restored:
        lines.append(message(language, "outcome.not_restored", count=len(report.not_restored)))
    lines.extend(
        f"  {item.customer}  {item.rule}  {item.code}: {item.detail}"
        for item in (*report.exceptions, *report.not_restored)
    )
    if report.done:
        lines.append(message(language, "apply.next", run=report.run_id, highseas=voice.command))
    return lines


def runs_lines(runs: Sequence[Run], language: str, zone: str) -> list[str]:
    """The journal's runs, newest first."""
    columns = ("run", "command", "started", "ended", "state")
    header = [message(language, f"column.{column}") for column in columns]
    local = ZoneInfo(zone)

    def moment(value: datetime | None) -> str:
        return value.astimezone(local).strftime("%Y-%m-%d %H:%M:%S") if value else "-"

    rows = [
        [
            run.id,
            run.kind,
            moment(run.started_at),
            moment(run.ended_at),
            message(language, f"run_state.{run.status.replace(' ', '_')}"),
        ]
        for run in runs
    ]
    return render_table(header, rows, language)


def init_lines(files: Iterable[Path], language: str, command: str) -> list[str]:
    """The files of a new workspace, and what comes next; `command` calls the program there."""
    wrote = [message(language, "init.wrote", path=path) for path in files]
    return [*wrote, message(language, "init.next", highseas=command)]


def stop_lines(holder: str, language: str) -> list[str]:
    """Who was asked to stop (`holder_description`), if anybody runs here."""
    return [message(language, "stop.asked" if holder else "stop.idle", holder=holder)]


def check_lines(checked: Checked, language: str) -> list[str]:
    """Who answered, as whom, what can be written there, and what cannot be promised."""
    organisation, schema = checked.organisation, checked.schema
    lines = [
        message(
            language,
            "check.organisation",
            name=organisation.name,
            id=organisation.id,
            kind=organisation.kind,
            zone=organisation.timezone,
        ),
        message(language, "check.objects", objects=", ".join(sorted(schema.objects))),
    ]
    for kind, limit in sorted(schema.capabilities.writes.items()):
        quiet = message(language, "check.quiet" if limit.quiet else "check.loud")
        lines.append(
            message(
                language,
                "check.write",
                kind=message(language, f"primitive.{kind}"),
                batch=limit.batch,
                quiet=quiet,
            )
        )
    if PrimitiveKind.PUT_NOTE in schema.capabilities.writes:
        lines.append(message(language, f"check.notes_{schema.capabilities.note_lookup}"))
    return [*lines, *promise_lines(checked.unkept, language), *checked.remarks]


def promise_lines(unkept: Iterable[Caveat], language: str) -> list[str]:
    """What cannot be promised with this CRM, but for automations: of these `check` speaks with
    each kind of write, and a plan in a line of its own."""
    return [
        promise_text(caveat, language) for caveat in unkept if caveat.code is not Unkept.AUTOMATIONS
    ]


def promise_text(caveat: Caveat, language: str) -> str:
    """One of them in words."""
    separator = message(language, "list.separator")
    kinds = (message(language, f"primitive.{kind}") for kind in caveat.kinds)
    return message(
        language,
        f"promise.{caveat.code}",
        objects=separator.join(caveat.objects),
        kinds=separator.join(kinds),
        days=caveat.days,
        seconds=caveat.seconds,
    )


def finding_lines(findings: Iterable[Finding], language: str) -> list[str]:
    """What trying the parts of an adapter's settings showed, part by part."""
    header = [message(language, f"finding.{name}") for name in ("state", "part", "seen")]
    rows = [[message(language, f"finding.{each.state}"), each.part, each.text] for each in findings]
    return render_table(header, rows, language)


def demo_lines(figures: Mapping[str, Any], language: str, *, proven: bool) -> list[str]:
    """What a demo showed, what it proves, and where to look next."""
    verdict = message(language, "demo.proven" if proven else "demo.unproven")
    facts = ("decided", "applied", "proof", "calls", "blank", "look", "policy", "next")
    shown = {**figures, "verdict": verdict}
    return ["", *(message(language, f"demo.{fact}", **shown) for fact in facts)]


def adapter_lines(listed: Sequence[Mapping[str, str]]) -> list[str]:
    """Adapters by name: what for, who has seen them working, and where they come from."""
    rows = [
        [each["name"], each["title"], each["status"] or f"from {each['origin']}"] for each in listed
    ]
    return render_table(("name", "for", "status"), rows)
