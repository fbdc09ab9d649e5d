"""What must agree between the parts of a policy: names, tags, fields, and no rule that undoes
itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.condition import Expression
from policies.language.tree import Attribute, CustomField, HasTag, Leaf, leaves
from policies.loader.draft import Draft
from policies.loader.guards import DEFAULT_IDS, GUARD_IDS
from policies.loader.ledger import Ledger, Place
from policies.loader.rule_schema import kind_of
from policies.model import EXITS, Protection, Rule, Stage


def check_names(draft: Draft, ledger: Ledger) -> None:
    """Rules and protections are named apart, in plans and in evidence."""
    for name, item in draft.rules.items():
        there = item.place.at(kind_of(item.value))
        if name in draft.protect:
            message = f"the name '{name}' is taken ({draft.protect[name].place.text})"
            ledger.add(there, message, "choose another")
        if name in {*GUARD_IDS, *DEFAULT_IDS}:
            ledger.add(there, f"the name '{name}' belongs to the product", "choose another")
    for name, protection in draft.protect.items():
        if name in GUARD_IDS:
            place = protection.place.at("id")
            ledger.add(place, f"the name '{name}' belongs to the product", "choose another")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A policy's own rules and protections, with the places where they stand."""

    draft: Draft
    rules: tuple[Rule, ...]
    protections: tuple[Protection, ...]
    ledger: Ledger

    def check(self) -> None:
        tags = self._check_tags()
        self._check_fields()
        self._check_loops(tags)

    def _stages(self) -> Iterator[tuple[Place, Rule, Stage]]:
        """The stages; those of a pool rule, one for each pool, stand in one place."""
        for rule in self.rules:
            place = self.draft.rules[rule.id].place
            for number, stage in enumerate(rule.stages):
                yield place.at("bands", number) if rule.kind == "tier" else place, rule, stage

    def _check_tags(self) -> set[str]:
        owners: dict[str, Place] = {}
        for place, _, stage in self._stages():
            if stage.tag is None:
                continue
            there = place.at("mark", "tag")
            if owners.setdefault(stage.tag, there) != there:
                message = f"the tag '{stage.tag}' is set elsewhere too"
                self.ledger.add(there, message, owners[stage.tag].text)
        return set(owners)

    def _check_fields(self) -> None:
        """One field holds one value: two rules that may both hold must not both write it."""
        writers: dict[str, list[Rule]] = {}
        for rule in self.rules:
            for name in _written(rule):
                writers.setdefault(name, []).append(rule)
        for name, rules in writers.items():
            alone = next((rule for rule in rules if rule.kind not in EXITS), None)
            other = next((rule for rule in rules if rule is not alone), None)
            if alone is not None and other is not None:
                what = f"the field '{name}'" if name else "the status"
                message = f"'{alone.id}' and '{other.id}' would both write {what}"
                hint = "only rules of the kinds pool, void and cleanout share it"
                self.ledger.add(self.draft.rules[alone.id].place, message, hint)

    def _check_loops(self, tags: set[str]) -> None:
        """A condition that reads what its policy writes would undo itself at the next run."""
        for protection in self.protections:
            place = self.draft.protect[protection.id].place.at("when")
            self._check_tag_loop(place, protection.when, tags)
        for place, rule, stage in self._stages():
            if stage.when is None:
                continue
            self._check_tag_loop(place.at("when"), stage.when, tags)
            read = leaves(stage.when.tree)
            for name in _written(rule):
                if _reads(read, name):
                    what = f"the field '{name}'" if name else "the status"
                    message = f"this condition reads {what} that its own rule writes"
                    hint = "the rule would undo itself at the next run"
                    self.ledger.add(place.at("when"), message, hint)

    def _check_tag_loop(self, place: Place, when: Expression, tags: set[str]) -> None:
        for leaf in leaves(when.tree):
            if isinstance(leaf, HasTag) and leaf.tag in tags:
                message = f"the tag '{leaf.tag}' is set by this policy and cannot be a condition"
                self.ledger.add(place, message, "repeat the condition of the rule that sets it")


def _written(rule: Rule) -> list[str]:
    """The fields that a rule writes; '' is the status."""
    names = [""] if any(stage.status for stage in rule.stages) else []
    names += [mark.field for stage in rule.stages for mark in stage.fields]
    return list(dict.fromkeys(names))


def _reads(read: tuple[Leaf, ...], name: str) -> bool:
    if not name:
        return Attribute("status") in read
    return any(isinstance(leaf, CustomField) and leaf.name == name for leaf in read)
