"""What rules, protections and stages are called by people: labels in the place of ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.messages import has_message, message
from policies.model import Policy


def titles_of(policy: Policy) -> dict[str, str]:
    """The labels that the policy's author gave to rules and protections, by their ids."""
    labels = {rule.id: rule.label for rule in policy.rules}
    labels |= {protection.id: protection.label for protection in policy.protections}
    return {name: label for name, label in labels.items() if label and label != name}


@dataclass(frozen=True, slots=True)
class Titles:
    """Names in one language: the author's labels, and the product's own words. `currency`: what
    amounts were converted to."""

    labels: Mapping[str, str]
    language: str
    currency: str = ""

    def rule(self, rule: str) -> str:
        return self.labels.get(rule, rule)

    def rules(self, rules: Iterable[str]) -> str:
        return message(self.language, "list.separator").join(map(self.rule, rules))

    def protection(self, protection: str) -> str:
        """A protection by the name that its author gave it; the product's own in words."""
        key = f"guard.{protection.replace('-', '_')}"
        known = has_message(self.language, key) and protection not in self.labels
        return message(self.language, key) if known else self.rule(protection)

    def protections(self, protections: Iterable[str]) -> str:
        return message(self.language, "list.separator").join(map(self.protection, protections))

    def stage(self, stage: str | None, rule: str) -> str:
        """A stage in words: that of a rule with one alone is called as the rule."""
        if stage is None:
            return message(self.language, "stage.none")
        return self.rule(rule) if stage == rule else stage
