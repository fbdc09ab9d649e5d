"""From the shapes of rules, pools and protections to what they mean: conditions, marks, process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.condition import Expression
from policies.language.expressions import build
from policies.language.number_text import shortest
from policies.language.scope import Built, Scope
from policies.language.tree import AllOf, leaves
from policies.loader.draft import Draft
from policies.loader.ledger import Ledger, Place
from policies.loader.rule_schema import (
    DefectRuleShape,
    MarkShape,
    ProcessShape,
    Scalar,
    TierRuleShape,
    VoidRuleShape,
    kind_of,
)
from policies.loader.schema import PoolShape
from policies.model import EXITS, VERBS, Kind, Protection, Rule, Stage
from policies.process import (
    Act,
    Extend,
    FieldMark,
    Pool,
    Process,
    ProcessDate,
    Revisit,
    Tell,
    Todo,
    Unclaimed,
)
from policies.suggestion import nearest

_DATES = {item.value: item for item in ProcessDate}


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Reads the parts of a draft with the names that its definitions gave."""

    draft: Draft
    scope: Scope
    bands: Mapping[str, tuple[Built | None, ...]]
    ledger: Ledger

    def protections(self) -> Iterator[Protection]:
        for name, item in self.draft.protect.items():
            if not item.value.kinds:
                self.ledger.add(item.place.at("from"), "a protection is from something")
            when = self._condition(item.place.at("when"), item.value.when)
            if when is not None:
                kinds = frozenset(item.value.kinds)
                yield Protection(name, when, kinds, item.value.label or "")

    def pools(self) -> tuple[Pool, ...]:
        items = self.draft.pools
        found = []
        for number, (name, item) in enumerate(items.items(), start=1):
            when = self._else(
                item.place.at("when"), item.value.when, last=number == len(items), what="pool"
            )
            unclaimed = self._unclaimed(name, item.place, item.value)
            found.append(Pool(name, when, unclaimed, item.value.label or ""))
        return tuple(found)

    def _unclaimed(self, name: str, place: Place, pool: PoolShape) -> Unclaimed | None:
        if pool.unclaimed is None:
            return None
        target = pool.unclaimed.move_to
        others = set(self.draft.pools) - {name}
        if target not in others and not self.scope.partial:
            there = place.at("unclaimed", "move_to")
            self.ledger.add(there, f"there is no other pool '{target}'", nearest(target, others))
        return Unclaimed(pool.unclaimed.after, target)

    def rules(self, pools: tuple[Pool, ...]) -> Iterator[Rule]:
        for name, item in self.draft.rules.items():
            shape, place = item.value, item.place
            template = shape.note if isinstance(shape.note, str) else None
            if template is not None:
                self.ledger.check_template(place.at("note"), template)
            label = shape.label or ""
            if isinstance(shape, TierRuleShape):
                stages = tuple(self._tier(place, shape))
                note = bool(shape.note)
                yield Rule(name, "tier", stages, None, note, template, label)
            else:
                yield self._rule(name, place, shape, pools)

    def _rule(self, name: str, place: Place, shape: ProcessShape, pools: tuple[Pool, ...]) -> Rule:
        kind = kind_of(shape)
        if kind in EXITS and shape.mark.tag is None and shape.mark.status is None:
            there = place.at("mark") if "mark" in shape.model_fields_set else place
            self.ledger.add(there, f"a {kind} rule marks the customer", "give a tag or a status")
        when = self._condition(place.at("when"), shape.when)
        fields = self._fields(place.at("mark", "field"), shape.mark)
        stage = Stage(name, shape.mark.tag, shape.mark.status, when, fields)
        stages = _by_pool(stage, pools) if kind == "pool" and pools else (stage,)
        return Rule(
            name,
            kind,
            stages,
            shape.reason if isinstance(shape, VoidRuleShape) else None,
            note=shape.note is not False and (shape.note is not None or kind in EXITS),
            template=shape.note if isinstance(shape.note, str) else None,
            label=shape.label or "",
            axis=shape.axis if isinstance(shape, DefectRuleShape) else None,
            process=self._process(kind, place, shape),
        )

    def _tier(self, place: Place, shape: TierRuleShape) -> Iterator[Stage]:
        names: set[str] = set()
        built = self.bands.get(shape.tier, ())
        for number, band in enumerate(shape.bands):
            there = place.at("bands", number)
            if band.name in names:
                message = f"the band '{band.name}' stands here twice"
                self.ledger.add(there.at("name"), message)
            names.add(band.name)
            fields = self._fields(there.at("mark", "field"), band.mark)
            when = None
            if band.when.strip() == "else":
                self._check_last(there.at("when"), last=number == len(shape.bands) - 1, what="band")
            elif number < len(built):
                when = self._read(there.at("when"), band.when, built[number])
            yield Stage(band.name, band.mark.tag, band.mark.status, when, fields)

    def _else(self, place: Place, text: str, *, last: bool, what: str) -> Expression | None:
        if text.strip() == "else":
            self._check_last(place, last=last, what=what)
            return None
        return self._condition(place, text)

    def _check_last(self, place: Place, *, last: bool, what: str) -> None:
        if not last:
            self.ledger.add(place, f"only the last {what} can be 'else'")

    def _condition(self, place: Place, text: str | None) -> Expression | None:
        if text is None:
            return None
        built = build(text, self.scope)
        self.ledger.complain(place, built)
        return self._read(place, text, built)

    def _read(self, place: Place, text: str, built: Built | None) -> Expression | None:
        if built is None or built.node is None:
            return None
        if not leaves(built.node):
            self.ledger.add(place, "this condition looks at no fact of a customer")
        return Expression(text.strip(), built.node, place.document.name, place.path)

    def _fields(self, place: Place, mark: MarkShape) -> tuple[FieldMark, ...]:
        return tuple(
            FieldMark(name, self._value(place.at(name), value))
            for name, value in mark.field.items()
        )

    def _value(self, place: Place, value: Scalar) -> Scalar | ProcessDate:
        if not isinstance(value, str) or not value.startswith("$"):
            return shortest(value)
        name = value[1:]
        if name in _DATES:
            return _DATES[name]
        if name in self.scope.params:
            return shortest(self.scope.params[name])
        if self.scope.partial:
            return value
        known = {*_DATES, *self.scope.params}
        self.ledger.add(place, f"unknown parameter '{value[:60]}'", nearest(name, known))
        return value

    def _process(self, kind: Kind, place: Place, shape: ProcessShape) -> Process | None:
        self._check_wait(place, shape)
        tell = tuple(
            Tell(item.left, tuple(item.to), self._text(place.at("tell", number), item.text))
            for number, item in enumerate(shape.tell)
        )
        process = Process(
            tell,
            shape.wait,
            self._condition(place.at("cancel"), shape.cancel),
            _extend(shape),
            self._act(kind, place.at("act"), shape),
            tuple(shape.review),
            self._revisit(place.at("revisit"), shape),
            self._todo(place.at("todo"), shape),
        )
        return None if process == Process() else process

    def _text(self, place: Place, text: str | None) -> str:
        if text is not None:
            self.ledger.check_template(place.at("text"), text)
        return text or ""

    def _check_wait(self, place: Place, shape: ProcessShape) -> None:
        """What is counted within a wait needs one."""
        for word in ("extend", "cancel"):
            if getattr(shape, word) is not None and shape.wait is None:
                self.ledger.add(place.at(word), f"{word}: needs a wait", "add wait: 7 workdays")
        for number, item in enumerate(shape.tell):
            there = place.at("tell", number)
            if (item.at is None) == (item.left is None):
                self.ledger.add(there, "a tell has one moment", "write at: start or left: 3 days")
            elif item.left is not None and shape.wait is None:
                self.ledger.add(there.at("left"), "left: needs a wait", "add wait: 7 workdays")
            elif item.left is not None and shape.wait is not None:
                longer = item.left.unit == shape.wait.unit and item.left.count >= shape.wait.count
                if longer:
                    message = f"nothing is left of {shape.wait} by then"
                    self.ledger.add(there.at("left"), message, "write less than the wait")

    def _act(self, kind: Kind, place: Place, shape: ProcessShape) -> Act | None:
        act = shape.act
        if act is None:
            return None
        given = {"return": act.returned, "archive": act.archive, "offboard": act.offboard}
        verb = VERBS.get(kind, "")
        mode = given.pop(verb, None)
        if not verb:
            self.ledger.add(place, f"a {kind} rule ends with its mark or its todo", "remove act:")
        elif mode is None or any(given.values()):
            message = f"what a {kind} rule does in the end is {verb}"
            self.ledger.add(place, message, f"write act: {{{verb}: auto}} or {{{verb}: review}}")
        return Act(verb, mode or "review", act.reason or "", act.open_records)

    def _revisit(self, place: Place, shape: ProcessShape) -> Revisit | None:
        item = shape.revisit
        if item is None:
            return None
        return Revisit(item.every, self._condition(place.at("unless"), item.unless))

    def _todo(self, place: Place, shape: ProcessShape) -> Todo | None:
        item = shape.todo
        if item is None:
            return None
        unless = self._condition(place.at("unless"), item.unless)
        return Todo(tuple(item.to), item.due, self._text(place, item.text), unless)


def _extend(shape: ProcessShape) -> Extend | None:
    given = shape.extend
    return None if given is None else Extend(given.times, given.days, given.approve)


def _by_pool(stage: Stage, pools: tuple[Pool, ...]) -> tuple[Stage, ...]:
    """A stage for each pool: the first that holds is the customer's, as with the bands of a
    tier, so that no stage has to deny the ones before it."""
    return tuple(
        Stage(pool.name, stage.tag, stage.status, _both(stage.when, pool.when), stage.fields)
        for pool in pools
    )


def _both(when: Expression | None, pool: Expression | None) -> Expression | None:
    if when is None or pool is None:
        return when
    text = f"({when.text}) AND ({pool.text})"
    return Expression(text, AllOf((when.tree, pool.tree)), when.file, when.path)
