"""From the text of a policy file to a policy: every step, and every problem of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from policies.agreement import Agreement, check_names
from policies.definitions import Definitions
from policies.draft import Draft
from policies.errors import ConfigurationError, FileProblems, Problem
from policies.expressions import build
from policies.extends import Layer, merged, read_layers
from policies.guards import guards_for
from policies.ledger import Ledger, Place, Placed
from policies.metrics import CLOCKS
from policies.model import Policy
from policies.process import ProcessDate
from policies.rows import build_clock
from policies.rule_drafts import RuleReader
from policies.rule_schema import Scalar, TierRuleShape
from policies.schema import VERSION
from policies.scope import Scope
from policies.settings import read_settings
from policies.tree import Attribute, Value
from policies.validation import nearest
from policies.vocabulary import Type
from policies.yaml_source import Document, plain_scalar

MAX_PARAM = 10**15

_HINT = "correct the file, then run the check again"
_CONDITIONS = (("when",), ("cancel",), ("unless",))


def policy_of(
    document: Document,
    folder: Path | None,
    overrides: Mapping[str, str],
    fields: Mapping[str, Type],
) -> Policy:
    """Read a policy and what it extends. Raises `FileProblems` with all that is wrong."""
    ledger = Ledger()
    layers = read_layers(document, folder, ledger)
    if any(layer.shape is None for layer in layers):
        ledger.problems += _conditions_of_broken_files(layers, fields)
    if ledger.problems:
        raise FileProblems(list(dict.fromkeys(ledger.problems)), _HINT)
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
            has_calendar="holidays" in draft.calendar,
        )
        tiers = {
            name: Placed(item.value, item.place)
            for name, item in draft.rules.items()
            if isinstance(item.value, TierRuleShape)
        }
        definitions = Definitions(draft.define, draft.scores, tiers, ledger, scope)
        scope = definitions.read()
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
            protections=(*protections, *guards_for(rule.kind for rule in rules)),
            rules=rules,
            limits=settings.limits,
            pools=pools,
            calendar=settings.calendar,
            timezone=settings.timezone,
            money=settings.money,
            group=settings.group,
            fields=declared,
            clocks=scope.clocks,
            warnings=tuple(sorted(ledger.warnings)),
            documents={item.document.name: item.document for item in reversed(self._layers)},
        )

    def _check_whole(self) -> None:
        """What one of the files has to say."""
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
            self._ledger.complain(item.place, build_clock(item.value, Scope(params)))
        return {name: item.value for name, item in self._draft.clocks.items()}


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


def _conditions_of_broken_files(
    layers: tuple[Layer, ...], fields: Mapping[str, Type]
) -> list[Problem]:
    """What is wrong with the conditions, although the shape of a file is wrong too."""
    ledger = Ledger()
    scope = _rough_scope(layers, fields, ledger)
    for layer in layers:
        for path in layer.document.spans:
            text = layer.document.text_at(path)
            asked = text.strip() if text is not None and path[-1:] in _CONDITIONS else "else"
            if text is not None and asked != "else":
                ledger.complain(Place(layer.document, path), build(text, scope))
    return ledger.problems


def _rough_scope(layers: tuple[Layer, ...], fields: Mapping[str, Type], ledger: Ledger) -> Scope:
    """The names of the files as far as they can be read; what cannot be is not complained of."""
    params: dict[str, Value] = {}
    texts: dict[str, Placed[str]] = {}
    unread: set[str] = set()
    tiers: set[str] = set()
    declared = dict(fields)
    has_calendar = False
    for layer in reversed(layers):
        place = Place(layer.document)
        params |= {name: item for name, item in _pairs(place, "params") if _is_scalar(item)}
        for name, item in _pairs(place, "define"):
            if isinstance(item, str):
                texts[name] = Placed(item, place.at("define", name))
        unread |= {name for name, _ in _pairs(place, "scores")}
        tiers |= set(_tier_names(place))
        has_calendar = has_calendar or any(_pairs(place, "calendar"))
        named = ((name, item) for name, item in _pairs(place, "fields") if _is_type(item))
        declared |= {name: Type(item) for name, item in named}
    scope = Scope(
        params,
        undefined=frozenset(unread),
        fields=declared,
        # Any text will do in place of a stage: what it is compared with is all that is checked.
        tiers=dict.fromkeys(tiers, Attribute("region")),
        has_calendar=has_calendar,
    )
    scope = Definitions(texts, {}, {}, ledger, scope).read()
    return replace(scope, undefined=scope.undefined | unread)


def _pairs(place: Place, section: str) -> Iterator[tuple[str, Any]]:
    value = place.document.value
    found = value.get(section) if isinstance(value, dict) else None
    yield from found.items() if isinstance(found, dict) else ()


def _is_scalar(value: object) -> bool:
    return isinstance(value, Scalar)


def _is_type(value: object) -> bool:
    return isinstance(value, str) and value in set(Type)


def _tier_names(place: Place) -> Iterator[str]:
    value = place.document.value
    rules = value.get("rules") if isinstance(value, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        name = rule.get("tier") if isinstance(rule, dict) else None
        if isinstance(name, str):
            yield name
