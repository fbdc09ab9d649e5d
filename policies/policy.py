"""Read a policy file: shape, names, conditions and what must agree between them, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policies.errors import ConfigurationError, FileProblems, Problem
from policies.expressions import Built, Defined, Scope, build
from policies.model import Expression, Limit, Limits, Policy, Protection, Rule, Stage
from policies.schema import BandShape, LimitsShape, PolicyShape, TierShape, VoidShape
from policies.syntax import names_in
from policies.template import template_problem
from policies.tree import Attribute, HasTag, Value, leaves
from policies.validation import nearest, problems_from_validation
from policies.yaml_source import Document, PathKey, plain_scalar, read_yaml, read_yaml_file

MAX_PARAM = 10**15

_HINT = "correct the file, then run the check again"


def load_policy(path: Path, overrides: Mapping[str, str] | None = None) -> Policy:
    """Read a policy file; `overrides` replace values of `params`. Raises `FileProblems`."""
    return _Loader(read_yaml_file(path), overrides or {}).policy()


def parse_policy(text: str, name: str = "policy.yaml") -> Policy:
    """Read a policy from text. Raises `FileProblems` with all of its problems."""
    return _Loader(read_yaml(text, name), {}).policy()


def library_names() -> tuple[str, ...]:
    """The policies that come with the product."""
    files = (item.name for item in resources.files("policies.library").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def library_text(name: str) -> str:
    """The file of a policy of the library."""
    if name not in library_names():
        hint = nearest(name, library_names())
        raise ConfigurationError(f"the library has no policy '{name}'", hint)
    return (resources.files("policies.library") / f"{name}.yaml").read_text("utf-8")


def library_policy(name: str) -> Policy:
    return parse_policy(library_text(name), f"{name}.yaml")


def policy_json_schema() -> dict[str, Any]:
    """JSON Schema of the file format, for editors."""
    schema = PolicyShape.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


class _Loader:
    """One pass over one file, collecting problems."""

    def __init__(self, document: Document, overrides: Mapping[str, str]) -> None:
        self._document = document
        self._overrides = overrides
        self._problems: list[Problem] = []
        self._scope = Scope()

    def policy(self) -> Policy:
        shape = self._shape()
        params = self._params(shape)
        self._define(shape.define, params)
        self._check_names(shape)
        protections = tuple(self._protections(shape))
        rules = tuple(self._rules(shape))
        self._check_tags(rules, protections)
        if self._problems:
            raise FileProblems(self._problems, _HINT)
        return Policy(
            version=shape.policy,
            name=shape.name,
            language=shape.language,
            params=params,
            protections=protections,
            rules=rules,
            limits=_limits(shape.limits),
        )

    def _shape(self) -> PolicyShape:
        document = self._document
        if not isinstance(document.value, dict):
            message = "a policy file holds keys and values"
            raise FileProblems([document.problem((), message, "begin with policy: 1")], _HINT)
        try:
            return PolicyShape.model_validate(document.value)
        except ValidationError as error:
            problems = problems_from_validation(document, error, PolicyShape)
            problems += self._conditions_of_broken_file()
            raise FileProblems(list(dict.fromkeys(problems)), _HINT) from None

    def _conditions_of_broken_file(self) -> list[Problem]:
        """What is wrong with the conditions, although the shape is wrong too."""
        whole = self._document.value
        params = _plain_values(whole.get("params"), bool | int | Decimal | str)
        self._define(_plain_values(whole.get("define"), str), params)
        for path in self._document.spans:
            value = self._document.text_at(path)
            if path[-1:] == ("when",) and value is not None and value.strip() != "else":
                self._complain(path, build(value, self._scope))
        return self._problems

    def _params(self, shape: PolicyShape) -> dict[str, Value]:
        params: dict[str, Value] = dict(shape.params)
        for name, text in self._overrides.items():
            if name not in params:
                hint = nearest(name, params)
                raise ConfigurationError(f"the policy has no parameter '{name}'", hint)
            value = plain_scalar(text)
            if not _same_family(value, params[name]):
                kind = type(params[name]).__name__
                raise ConfigurationError(
                    f"the parameter '{name}' cannot be set to that", f"it is {kind}"
                )
            params[name] = value
        for name, value in params.items():
            if isinstance(value, int | Decimal) and not -MAX_PARAM < value < MAX_PARAM:
                self._add(("params", name), "this number is too large")
        return params

    def _define(self, texts: Mapping[str, str], params: Mapping[str, Value]) -> None:
        """Build the definitions in the order in which they need each other."""
        needs = {name: names_in(text) & set(texts) for name, text in texts.items()}
        defines: dict[str, Defined] = {}
        while ready := [name for name in needs if needs[name] <= set(defines)]:
            for name in ready:
                del needs[name]
                built = build(texts[name], Scope(params, dict(defines)), condition=False)
                self._complain(("define", name), built)
                defines[name] = Defined(built.node, built.size, built.depth)
        for name in needs:
            self._add(("define", name), f"'{name}' is defined by way of itself")
        self._scope = Scope(params, defines, frozenset(needs))

    def _check_names(self, shape: PolicyShape) -> None:
        seen: dict[str, PathKey] = {}
        for path, name in _identifiers(shape):
            if name in seen:
                line = self._document.position(seen[name])[0]
                self._add(path, f"the name '{name}' is taken (line {line})", "choose another")
            seen.setdefault(name, path)
        rules = {name for path, name in _identifiers(shape) if path[0] == "rules"}
        for name in shape.limits.rules:
            if name not in rules:
                problem = self._document.problem
                path = ("limits", "rules", name)
                message = f"there is no rule '{name}'"
                self._problems.append(problem(path, message, nearest(name, rules), key=True))

    def _protections(self, shape: PolicyShape) -> Iterator[Protection]:
        for place, item in enumerate(shape.protect):
            when = self._condition(("protect", place, "when"), item.when)
            if not item.kinds:
                self._add(("protect", place, "from"), "a protection is from something")
            if when is not None:
                yield Protection(item.id, when, frozenset(item.kinds), item.label or "")

    def _rules(self, shape: PolicyShape) -> Iterator[Rule]:
        for place, item in enumerate(shape.rules):
            path: PathKey = ("rules", place)
            template = self._template((*path, "note"), item.note)
            if isinstance(item, VoidShape):
                yield self._void(path, item, template)
            else:
                yield self._tier(path, item, template)

    def _template(self, path: PathKey, note: object) -> str | None:
        if not isinstance(note, str):
            return None
        problem = template_problem(note)
        if problem is not None:
            self._problems.append(self._document.problem_in(path, *problem))
        return note

    def _void(self, path: PathKey, item: VoidShape, template: str | None) -> Rule:
        if item.mark.tag is None and item.mark.status is None:
            self._add((*path, "mark"), "a void rule marks the customer", "give a tag or a status")
        when = self._condition((*path, "when"), item.when)
        stages = (Stage(item.void, item.mark.tag, item.mark.status, when),)
        label = item.label or ""
        note = item.note is not False
        return Rule(item.void, "void", stages, item.reason, note, template, label)

    def _tier(self, path: PathKey, item: TierShape, template: str | None) -> Rule:
        stages: list[Stage] = []
        for place, band in enumerate(item.bands):
            band_path: PathKey = (*path, "bands", place)
            if band.name in {stage.name for stage in stages}:
                self._add((*band_path, "name"), f"the band '{band.name}' stands here twice")
            stages.append(self._band(band_path, band, last=place == len(item.bands) - 1))
        note = item.note is not False
        label = item.label or ""
        return Rule(item.tier, "tier", tuple(stages), None, note, template, label)

    def _band(self, path: PathKey, band: BandShape, *, last: bool) -> Stage:
        if band.when.strip() == "else":
            if not last:
                self._add((*path, "when"), "only the last band can be 'else'")
            return Stage(band.name, band.mark.tag, band.mark.status, None)
        when = self._condition((*path, "when"), band.when)
        return Stage(band.name, band.mark.tag, band.mark.status, when)

    def _condition(self, path: PathKey, text: str) -> Expression | None:
        built = build(text, self._scope)
        self._complain(path, built)
        if built.node is not None and not leaves(built.node):
            self._add(path, "this condition looks at no fact of a customer")
        return Expression(text.strip(), built.node) if built.node is not None else None

    def _complain(self, path: PathKey, built: Built) -> None:
        for item in built.complaints:
            problem = self._document.problem_in(path, item.offset, item.message, item.suggestion)
            self._problems.append(problem)

    def _add(self, path: PathKey, message: str, suggestion: str = "") -> None:
        self._problems.append(self._document.problem(path, message, suggestion))

    def _check_tags(self, rules: tuple[Rule, ...], protections: tuple[Protection, ...]) -> None:
        owners: dict[str, PathKey] = {}
        for path, stage in _stages(rules):
            if stage.tag in owners:
                line = self._document.position(owners[stage.tag])[0]
                self._add(
                    (*path, "mark", "tag"), f"the tag '{stage.tag}' is set on line {line} too"
                )
            if stage.tag is not None:
                owners.setdefault(stage.tag, (*path, "mark", "tag"))
        self._check_status(rules)
        self._check_loops(rules, protections, set(owners))

    def _check_status(self, rules: tuple[Rule, ...]) -> None:
        """One field holds one value: two rules that may both hold must not both write it."""
        writers = [
            (place, rule)
            for place, rule in enumerate(rules)
            if any(stage.status for stage in rule.stages)
        ]
        if len(writers) > 1 and any(rule.kind != "void" for _, rule in writers):
            place, rule = writers[1]
            message = f"'{rule.id}' and '{writers[0][1].id}' would both write the status"
            hint = "only void rules may share it, or one tier rule has it alone"
            self._problems.append(self._document.problem(("rules", place), message, hint))

    def _check_loops(
        self, rules: tuple[Rule, ...], protections: tuple[Protection, ...], tags: set[str]
    ) -> None:
        """A condition that reads what its policy writes would undo itself at the next run."""
        for place, protection in enumerate(protections):
            self._check_tag_loop(("protect", place, "when"), protection.when, tags)
        writers = [rule for rule in rules if any(stage.status for stage in rule.stages)]
        readers = {condition for rule in writers for condition in rule.conditions}
        for path, stage in _stages(rules):
            if stage.when is None:
                continue
            self._check_tag_loop((*path, "when"), stage.when, tags)
            writes = stage.when in readers
            if writes and Attribute("status") in leaves(stage.when.tree):
                message = "this condition reads the status that its own rule writes"
                self._add((*path, "when"), message, "the rule would undo itself at the next run")

    def _check_tag_loop(self, path: PathKey, when: Expression, tags: set[str]) -> None:
        for leaf in leaves(when.tree):
            if isinstance(leaf, HasTag) and leaf.tag in tags:
                message = f"the tag '{leaf.tag}' is set by this policy and cannot be a condition"
                self._add(path, message, "repeat the condition of the rule that sets it")


def _plain_values(section: object, kinds: Any) -> dict[str, Any]:
    pairs = section.items() if isinstance(section, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, kinds)}


def _same_family(value: object, other: object) -> bool:
    numeric = isinstance(value, int | Decimal) and isinstance(other, int | Decimal)
    either_bool = isinstance(value, bool) or isinstance(other, bool)
    return type(value) is type(other) or (numeric and not either_bool)


def _identifiers(shape: PolicyShape) -> Iterator[tuple[PathKey, str]]:
    for place, protection in enumerate(shape.protect):
        yield ("protect", place, "id"), protection.id
    for place, rule in enumerate(shape.rules):
        if isinstance(rule, VoidShape):
            yield ("rules", place, "void"), rule.void
        else:
            yield ("rules", place, "tier"), rule.tier


def _stages(rules: tuple[Rule, ...]) -> Iterator[tuple[PathKey, Stage]]:
    for place, rule in enumerate(rules):
        for number, stage in enumerate(rule.stages):
            bands: PathKey = ("bands", number) if rule.kind == "tier" else ()
            yield ("rules", place, *bands), stage


def _limits(shape: LimitsShape) -> Limits:
    rules = {name: Limit(item.count, item.share) for name, item in shape.rules.items()}
    return Limits(shape.count, shape.share, rules)
