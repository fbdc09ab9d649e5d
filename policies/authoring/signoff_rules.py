"""The rules of a policy in plain language, as lines of Markdown: who, what is marked, what follows.

Steps that are not carried out by the program are told as such.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policies.authoring.prose import Teller, teller
from policies.condition import Expression
from policies.duration import Duration
from policies.language.number_text import Value
from policies.language.tree import Node, children
from policies.language.vocabulary import LATE_ENTRY_DAYS, Type
from policies.messages import counted, message, value_text
from policies.model import Policy, Protection, Rule, Stage
from policies.process import Act, FieldMark, Pool, Process, ProcessDate, Revisit, Tell, Todo
from policies.shadows import reads_activities
from policies.template import TEMPLATE_NAMES, names_of

_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Words:
    """The messages of one page, in one language."""

    language: str
    teller: Teller

    def say(self, key: str, /, **values: object) -> str:
        return message(self.language, f"signoff.{key}", **values)

    def text(self, written: str) -> str:
        """An author's words; the slots of a template show what will stand there."""
        return self.teller.text(_SLOT.sub(self._slot, written))

    def _slot(self, found: re.Match[str]) -> str:
        is_known = found[1] in TEMPLATE_NAMES
        return f"〈{self.say(f'slot.{found[1]}') if is_known else found[1]}〉"

    def listed(self, items: list[str]) -> str:
        return self.say("list").join(items)

    def kind(self, kind: str) -> str:
        return message(self.language, f"kind.{kind}")

    def duration(self, span: Duration) -> str:
        form = "one" if span.count == 1 else "other"
        return self.say(f"duration.{form}.{span.unit}", count=self.number(span.count))

    def counted(self, key: str, count: int) -> str:
        return counted(self.language, f"signoff.{key}", count)

    def number(self, value: Value) -> str:
        return value_text(self.language, Type.NUMBER, str(value))

    def roles(self, roles: tuple[str, ...]) -> str:
        return self.listed([self.say(f"role.{role}") for role in roles])


def words_for(policy: Policy, language: str) -> Words:
    return Words(language, teller(policy, language))


def protection_title(words: Words, protection: Protection) -> str:
    if protection.label_key:
        return message(words.language, protection.label_key)
    return words.text(protection.label or protection.id)


def rule_lines(words: Words, rule: Rule, pools: tuple[Pool, ...]) -> Iterator[str]:
    """One rule with its heading."""
    head = {"title": words.text(rule.title), "kind": words.kind(rule.kind)}
    axis = message(words.language, f"axis.{rule.axis}") if rule.axis else ""
    if axis and axis != head["title"]:
        yield f"### {words.say('rule.head_axis', axis=axis, **head)}"
    elif head["title"] == head["kind"]:
        yield f"### {head['title']}"
    else:
        yield f"### {words.say('rule.head', **head)}"
    yield ""
    if rule.kind == "tier":
        yield words.say("rule.bands")
        yield ""
        yield from (f"{place}. {_band(words, stage)}" for place, stage in enumerate(rule.stages, 1))
    else:
        yield from _single(words, rule, pools)
    if rule.reason:
        yield from ("", words.say("rule.reason", reason=_reason(words, rule.reason)))
    if rule.note:
        yield from ("", *_note(words, rule))
    if rule.process is not None:
        yield from ("", words.say("rule.later"), "")
        yield from (f"- {step}" for step in process_steps(words, rule.process))
    yield ""


def _note(words: Words, rule: Rule) -> Iterator[str]:
    """The text of an author's own note; that it gives the grounds where it does."""
    if rule.template is None:
        yield words.say("rule.note")
        return
    gives = "facts" in names_of(rule.template)
    yield words.say("rule.note_grounds" if gives else "rule.note_text")
    yield ""
    for line in rule.template.strip().splitlines():
        yield f"> {words.text(line)}".rstrip()


def _single(words: Words, rule: Rule, pools: tuple[Pool, ...]) -> Iterator[str]:
    """A rule with one condition; of a pool rule, where its customers return to."""
    by_pool = rule.kind == "pool" and bool(pools)
    condition = common_condition(rule, pools) if by_pool else rule.conditions[0].tree
    yield from condition_lines(words, condition)
    if by_pool:
        yield from ("", words.say("rule.pools"), "")
        yield from (f"{place}. {_pool(words, pool)}" for place, pool in enumerate(pools, 1))
    yield from ("", _marks(words, rule.stages[0]))
    if rule.kind == "pool" and rule.stages[0].tag and reads_activities(rule):
        yield from ("", words.say("rule.late", days=LATE_ENTRY_DAYS))


def common_condition(rule: Rule, pools: tuple[Pool, ...]) -> Node:
    """The rule's own condition: that of a stage is `rule AND pool`, or the rule's for `else`."""
    tree = rule.conditions[0].tree
    return tree if pools[0].when is None else children(tree)[0]


def condition_lines(words: Words, node: Node) -> Iterator[str]:
    """A short condition as a sentence, a longer one as a list."""
    joined, clauses = words.teller.clauses(node)
    if len(clauses) == 1:
        yield words.say("rule.when", condition=clauses[0])
        return
    yield words.say(f"rule.{joined}")
    yield ""
    yield from (f"- {clause}" for clause in clauses)


def _band(words: Words, stage: Stage) -> str:
    condition = words.say("rule.rest") if stage.when is None else _sentence(words, stage.when)
    name = words.text(stage.name)
    return words.say("rule.band", name=name, condition=condition, marks=_marks(words, stage))


def _pool(words: Words, pool: Pool) -> str:
    name = words.text(pool.label or pool.name)
    condition = words.say("rule.rest") if pool.when is None else _sentence(words, pool.when)
    if pool.unclaimed is None:
        return words.say("rule.pool", name=name, condition=condition)
    after, target = words.duration(pool.unclaimed.after), words.text(pool.unclaimed.move_to)
    step = words.say("process.unclaimed", after=after, pool=target)
    return words.say("rule.pool_unclaimed", name=name, condition=condition, step=step)


def _sentence(words: Words, condition: Expression) -> str:
    return words.teller.sentence(condition.tree)


def _reason(words: Words, reason: str) -> str:
    return message(words.language, f"reason.{reason}")


def _marks(words: Words, stage: Stage) -> str:
    marks = [words.say("mark.tag", tag=words.text(stage.tag))] if stage.tag else []
    if stage.status:
        marks.append(words.say("mark.status", status=words.text(stage.status)))
    marks += [_field(words, mark) for mark in stage.fields]
    if not marks:
        return words.say("rule.no_marks")
    return words.say("rule.marks", marks=words.say("rule.marks_list").join(marks))


def _field(words: Words, mark: FieldMark) -> str:
    if isinstance(mark.value, ProcessDate):
        value = words.say(f"date.{mark.value.value}")
    elif isinstance(mark.value, str):
        value = words.text(mark.value)
    elif isinstance(mark.value, bool):
        value = value_text(words.language, Type.BOOLEAN, mark.value)
    else:
        value = words.number(mark.value)
    return words.say("mark.field", field=words.text(mark.field), value=value)


def process_steps(words: Words, process: Process) -> Iterator[str]:
    """What is asked of people and of time, in the order in which it happens."""
    for step in _steps(words, process):
        yield words.say("stop", text=step)


def _steps(words: Words, process: Process) -> Iterator[str]:
    yield from (_tell(words, tell) for tell in process.tell)
    if process.review:
        yield words.say("process.review", roles=words.roles(process.review))
    if process.wait is not None:
        yield words.say("process.wait", wait=words.duration(process.wait))
    if process.cancel is not None:
        yield words.say("process.cancel", condition=_sentence(words, process.cancel))
    if process.extend is not None:
        item = process.extend
        approve = words.say(f"role.{item.approve}")
        yield words.say("process.extend", approve=approve, times=item.times, days=item.days)
    if process.act is not None:
        yield _act(words, process.act)
        yield words.say(f"process.open_records.{process.act.open_records}")
    if process.todo is not None:
        yield _todo(words, process.todo)
    if process.revisit is not None:
        yield _revisit(words, process.revisit)


def _tell(words: Words, tell: Tell) -> str:
    to = words.roles(tell.to)
    if tell.left is None:
        step = words.say("process.tell_start", to=to)
    else:
        step = words.say("process.tell_left", to=to, left=words.duration(tell.left))
    return words.say("process.text", step=step, text=words.text(tell.text)) if tell.text else step


def _act(words: Words, act: Act) -> str:
    step = words.say(f"process.act.{act.verb}_{act.mode}")
    if not act.reason:
        return step
    return words.say("process.act_reason", act=step, reason=words.text(act.reason))


def _todo(words: Words, todo: Todo) -> str:
    values = {"to": words.roles(todo.to), "due": words.duration(todo.due)}
    step = words.say("process.todo", text=words.text(todo.text), **values)
    return _unless(words, step, todo.unless)


def _revisit(words: Words, revisit: Revisit) -> str:
    step = words.say("process.revisit", every=words.duration(revisit.every))
    return _unless(words, step, revisit.unless)


def _unless(words: Words, step: str, unless: Expression | None) -> str:
    if unless is None:
        return step
    return words.say("process.unless", step=step, condition=_sentence(words, unless))
