"""From the text of a policy file to a policy: every step, and every problem of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from policies.errors import ConfigurationError, FileProblems, Problem
from policies.language.expressions import build
from policies.language.metrics import CLOCKS
from policies.language.number_text import Value
from policies.language.rows import build_clock
from policies.language.scope import Scope
from policies.language.tree import Node
from policies.language.vocabulary import Type
from policies.loader.agreement import Agreement, check_names
from policies.loader.definitions import TIER, Definitions
from policies.loader.draft import Draft
from policies.loader.extends import Layer, merged, read_layers
from policies.loader.guards import guards_for
from policies.loader.ledger import Ledger, Place, Placed
from policies.loader.limits import read_limits
from policies.loader.rule_drafts import RuleReader
from policies.loader.rule_schema import TierRuleShape
from policies.loader.schema import VERSION
from policies.loader.settings import read_settings
from policies.loader.spoken import written
from policies.model import KINDS, Policy, Protection, Rule
from policies.process import ProcessDate
from policies.suggestion import closest, nearest
from policies.yaml_source import Document, PathKey, plain_scalar

MAX_PARAM = 10**15

_HINT = "correct the file, then run the check again"
_CONDITIONS = (("when",), ("cancel",), ("unless",), ("of",))
_QUOTED = re.compile(r"'\$?([^']*)'")
_WORD = re.compile(r"[^\s,:{}\[\]'\"]+")


def policy_of(
    document: Document,
    folder: Path | None,
    overrides: Mapping[str, str],
    fields: Mapping[str, Type],
) -> Policy:
    """Read a policy and what it extends. Raises `FileProblems` with all that is wrong."""
    ledger = Ledger()
    layers = read_layers(document, folder, ledger)
    if ledger.problems:
        problems = ledger.problems + _problems_of_the_rest(layers, fields, Ledger())
        raise FileProblems(list(dict.fromkeys(problems)), _HINT)
    draft = merged(layers, ledger)
    policy = _Loader(draft, layers, ledger).policy(overrides, fields)
    if ledger.problems:
        raise FileProblems(list(dict.fromkeys(ledger.problems)), _HINT)
    return policy


class _Loader:
    """One pass over the parts of one policy, collecting problems."""

    def __init__(self, draft: Draft, layers: tuple[Layer, ...], ledger: Ledger) -> None:
        self._draft = draft
        self._layers = layers
        self._ledger = ledger
        self._lost = {path for layer in layers for path in layer.lost}
        self.scope = Scope()

    def policy(self, overrides: Mapping[str, str], fields: Mapping[str, Type]) -> Policy:
        draft, ledger = self._draft, self._ledger
        self._check_whole()
        check_names(draft, ledger)
        folders = {layer.document.name: layer.folder for layer in self._layers}
        settings = read_settings(draft, folders, ledger)
        declared = {name: Type(item.value) for name, item in draft.fields.items()}
        params = self._params(overrides)
        scope = Scope(
            params,
            clocks=self._clocks(params),
            fields={**fields, **declared},
            tiers=dict.fromkeys(_lost_tiers(self._layers)),
            has_calendar=draft.partial
            or "holidays" in draft.calendar
            or ("calendar",) in self._lost,
            partial=draft.partial,
            knows_crm=bool(fields),
            spoken=written,
        )
        tiers = {
            name: Placed(item.value, item.place)
            for name, item in draft.rules.items()
            if isinstance(item.value, TierRuleShape)
        }
        definitions = Definitions(draft.define, draft.scores, tiers, ledger, scope)
        self.scope = scope = definitions.read()
        reader = RuleReader(draft, scope, definitions.bands, ledger)
        protections = tuple(reader.protections())
        pools = reader.pools()
        rules = tuple(reader.rules(pools))
        Agreement(draft, rules, protections, ledger).check()
        return Policy(
            version=VERSION,
            name=draft.name or "",
            language=draft.language,
            params=params,
            protections=(*protections, *self._guards(rules)),
            rules=rules,
            limits=read_limits(draft, scope, ledger),
            pools=pools,
            calendar=settings.calendar,
            timezone=settings.timezone,
            money=settings.money,
            group=settings.group,
            fields=declared,
            clocks=scope.clocks,
            scores=_scores(draft, scope),
            warnings=tuple(sorted(ledger.warnings)),
            documents={item.document.name: item.document for item in reversed(self._layers)},
        )

    def _guards(self, rules: Iterable[Rule]) -> tuple[Protection, ...]:
        own = self._draft.left_out.union(self._draft.protect)
        return guards_for((rule.kind for rule in rules), own)

    def _check_whole(self) -> None:
        """What one of the files has to say, unless it was refused."""
        if self._draft.partial:
            return
        if any(len(path) == 1 or path[0] == "rules" for path in self._lost):
            return
        if self._draft.name is None:
            self._ledger.add(self._draft.top, "the key 'name' is missing")
        if not self._draft.rules:
            self._ledger.add(self._draft.top.at("rules"), "a policy has at least one rule")

    def _params(self, overrides: Mapping[str, str]) -> dict[str, Value]:
        draft = self._draft.params
        params: dict[str, Value] = {name: item.value for name, item in draft.items()}
        for name, text in overrides.items():
            params[name] = _overridden(name, text, params)
        for name, value in params.items():
            if not isinstance(value, str) and not -MAX_PARAM < value < MAX_PARAM:
                self._ledger.add(draft[name].place, "this number is too large")
            if name in set(ProcessDate):
                message = f"'${name}' is a date of the process"
                self._ledger.add(draft[name].place, message, "choose another name", key=True)
        return params

    def _clocks(self, params: Mapping[str, Value]) -> dict[str, str]:
        for name, item in self._draft.clocks.items():
            if name not in CLOCKS:
                message = f"there is no clock '{name[:60]}'"
                self._ledger.add(item.place, message, nearest(name, CLOCKS), key=True)
            self._ledger.complain(
                item.place, build_clock(item.value, Scope(params, spoken=written))
            )
        return {name: item.value for name, item in self._draft.clocks.items()}


def _scores(draft: Draft, scope: Scope) -> dict[str, Node]:
    nodes = ((name, scope.defines[name].node) for name in draft.scores if name in scope.defines)
    return {name: node for name, node in nodes if node is not None}


_KINDS = {bool: "true or false", int: "a number", Decimal: "a number", str: "a text"}


def _overridden(name: str, text: str, params: Mapping[str, Value]) -> Value:
    if name not in params:
        hint = nearest(name, params)
        raise ConfigurationError(f"the policy has no parameter '{name}'", hint)
    value: Value = plain_scalar(text)
    if not _same_family(value, params[name]):
        kind = _KINDS[type(params[name])]
        raise ConfigurationError(f"the parameter '{name}' cannot be set to that", f"it is {kind}")
    return value


def _same_family(value: object, other: object) -> bool:
    numeric = isinstance(value, int | Decimal) and isinstance(other, int | Decimal)
    either_bool = isinstance(value, bool) or isinstance(other, bool)
    return type(value) is type(other) or (numeric and not either_bool)


def _problems_of_the_rest(
    layers: tuple[Layer, ...], fields: Mapping[str, Type], ledger: Ledger
) -> list[Problem]:
    """What else is wrong, beside the shape. What speaks of a refused part by its name is left out:
    it may be right as soon as that part is."""
    readable = tuple(layer for layer in layers if layer.shape is not None)
    if not readable:
        return []
    draft = merged(readable, ledger, partial=_is_partial(layers))
    loader = _Loader(draft, readable, ledger)
    loader.policy({}, fields)
    for layer in readable:
        for path in layer.whole.spans if layer.whole is not None else ():
            _check_condition(layer, path, loader.scope, ledger)
    lost = {name for layer in readable for name in _lost_names(layer)}
    return [item for item in ledger.problems if lost.isdisjoint(_QUOTED.findall(item.message))]


def _check_condition(layer: Layer, path: PathKey, scope: Scope, ledger: Ledger) -> None:
    """A condition, also one of a refused part, whose rest is not read."""
    if layer.whole is None or path[-1:] not in _CONDITIONS:
        return
    text = layer.whole.text_at(path)
    if text is not None and text.strip() != "else":
        ledger.complain(Place(layer.whole, path), build(text, scope, condition=path[-1] != "of"))


def _is_partial(layers: tuple[Layer, ...]) -> bool:
    """Is a file missing that one of these extends, or meant to extend?"""
    words = (str(path[0]) for layer in layers for path in layer.lost if len(path) == 1)
    if any(word == "extends" or closest(word, ["extends"]) for word in words):
        return True
    lowest = layers[-1]
    return lowest.shape is None or "extends" in lowest.document.value


def _lost_names(layer: Layer) -> Iterator[str]:
    whole = layer.whole
    if whole is None:
        return
    for path in layer.lost:
        span = whole.spans[path]
        if path[0] in ("rules", "protect") and len(path) > 1:
            yield from _names_of(whole.value[path[0]][path[1]])
        elif len(path) == 1:
            yield from _WORD.findall(whole.text[span.start : span.end])
        if isinstance(path[-1], str):
            yield path[-1]


def _names_of(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (str(part[key]) for key in (*KINDS, "id") if key in part)


def _lost_tiers(layers: tuple[Layer, ...]) -> Iterator[str]:
    for layer in layers:
        rules = layer.whole.value.get("rules") if layer.whole is not None else None
        for rule in rules if isinstance(rules, list) else ():
            name = rule.get(TIER) if isinstance(rule, dict) else None
            if isinstance(name, str):
                yield name
