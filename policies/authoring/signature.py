"""Who agreed to a policy, when and to what; and in what the policy differs from it now. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import count

import yaml

from policies.authoring.numbers import Number, clocks_of, numbers_of
from policies.authoring.places import Places, parameters_in
from policies.errors import FileProblems, Problem
from policies.language.number_text import Value, scalar_text
from policies.language.tree import Arithmetic, Case, Compare, Node, Rank, children, walk
from policies.meaning import meaning
from policies.model import Policy
from policies.yaml_source import Document, read_yaml

SIGNOFF_VERSION = 1
SIGNOFF_FILE = "signoff.yaml"

# How the numbers of a clock, of a default protection and of what a limit counts are called.
CLOCK, DEFAULT, LIMIT = "clocks.", "defaults.", "limits."

_HEAD = "# Written by `highseas policy signoff`: who agreed to the policy, and to what.\n"
_KEYS = ("signoff", "name", "on", "hash", "thresholds", "parts")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number or word that somebody chose: a parameter, or a number in a condition, with the
    smallest condition that holds it; None: no condition compares with it."""

    name: str
    value: str
    clause: Node | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """`parts`: a digest of each rule, protection and setting, to name what changed."""

    name: str
    on: date
    hash: str
    thresholds: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: threshold, rule, protection, setting or language. `signed`, `now`: the values of a
    threshold; of the others, whether they were there (an empty text) or not (None)."""

    kind: str
    name: str
    signed: str | None
    now: str | None


def sign(policy: Policy, name: str, on: date) -> Signature:
    """Agree to a policy as it stands."""
    values = {item.name: item.value for item in thresholds(policy)}
    return Signature(name, on, policy.hash, values, _parts(policy))


def thresholds(policy: Policy) -> tuple[Threshold, ...]:
    """The parameters, then the numbers in scores and conditions that have no name, each once. A
    parameter that only an extended file has, and that decides nothing here, is none."""
    users = _first_uses(policy)
    own = _own_parameters(policy)
    found = [
        Threshold(name, scalar_text(value), users.get(name))
        for name, value in policy.params.items()
        if name in users or name in own
    ]
    seen: set[object] = set()
    for owner, trees in _owned_conditions(policy):
        for place, (clause, value) in enumerate(_unnamed(trees, policy, seen), start=1):
            found.append(Threshold(f"{owner} #{place}", scalar_text(value), clause))
    return tuple(found)


def differences(policy: Policy, signature: Signature) -> tuple[Difference, ...]:
    """In what the policy differs from what was signed; nothing if it is the same."""
    if policy.hash == signature.hash:
        return ()
    now = {item.name: item.value for item in thresholds(policy)}
    found = [
        Difference("threshold", name, signature.thresholds.get(name), now.get(name))
        for name in _changed(signature.thresholds, now)
    ]
    parts = _parts(policy)
    for key in _changed(signature.parts, parts):
        kind, _, name = key.partition(":")
        was, is_now = ("" if key in group else None for group in (signature.parts, parts))
        found.append(Difference(kind, name, was, is_now))
    return tuple(found) or (Difference("language", "", "", ""),)


def signature_text(signature: Signature) -> str:
    """The file `signoff.yaml`."""
    content = {
        "signoff": SIGNOFF_VERSION,
        "name": signature.name,
        "on": signature.on.isoformat(),
        "hash": signature.hash,
        "thresholds": dict(signature.thresholds),
        "parts": dict(signature.parts),
    }
    return _HEAD + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1_000)


def read_signature(text: str | bytes, name: str = SIGNOFF_FILE) -> Signature:
    """Read `signoff.yaml`. Raises `FileProblems`."""
    document = read_yaml(text, name)
    problems = list(_file_problems(document))
    if problems:
        raise FileProblems(problems, "sign the policy again with `highseas policy signoff`")
    value = document.value
    return Signature(
        value["name"],
        date.fromisoformat(value["on"]),
        value["hash"],
        value["thresholds"],
        value["parts"],
    )


def _file_problems(document: Document) -> Iterator[Problem]:
    value = document.value
    if not isinstance(value, dict) or value.get("signoff") != SIGNOFF_VERSION:
        yield document.problem((), "this is no sign-off that this program reads")
        return
    for key in _KEYS:
        if key not in value:
            yield document.problem((), f"the key '{key}' is missing")
    for key in ("name", "hash"):
        if not isinstance(value.get(key, ""), str):
            yield document.problem((key,), "expected text")
    for key in ("thresholds", "parts"):
        group = value.get(key, {})
        texts = group.values() if isinstance(group, dict) else (None,)
        if not all(isinstance(item, str) for item in texts):
            yield document.problem((key,), "expected names with texts")
    if not _is_date(value.get("on", "2026-01-01")):
        yield document.problem(("on",), "expected a date such as 2026-01-31")


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _changed(signed: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*signed, *now)):
        if signed.get(name) != now.get(name):
            yield name


def _parts(policy: Policy) -> dict[str, str]:
    parts: dict[str, object] = {f"rule:{rule.id}": rule for rule in policy.rules}
    parts |= {f"protection:{item.id}": item for item in policy.protections}
    parts |= {f"setting:{name}": getattr(policy, name) for name in SETTINGS}
    return {name: _digest(part) for name, part in parts.items()}


SETTINGS = ("limits", "pools", "calendar", "money", "group", "language")


def _digest(part: object) -> str:
    text = json.dumps(meaning(part), ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def score_terms(tree: Node) -> tuple[Node, ...]:
    """The parts of a score: points under a condition, or a number times its weight."""
    if isinstance(tree, Arithmetic) and tree.operator == "+":
        return (*score_terms(tree.left), tree.right)
    return (tree,)


def _owned_conditions(policy: Policy) -> Iterator[tuple[str, Iterable[Node]]]:
    for name, tree in policy.scores.items():
        yield name, score_terms(tree)
    for item in policy.protections:
        if not item.built_in or item.is_default:
            yield f"{DEFAULT if item.is_default else ''}{item.id}", [item.when.tree]
    for pool in policy.pools:
        yield pool.name, [pool.when.tree] if pool.when else []
    for rule in policy.rules:
        conditions = rule.conditions
        if rule.process is not None:
            conditions += rule.process.conditions
        yield rule.id, [item.tree for item in conditions]
    for clock, node in clocks_of(policy).items():
        yield f"{CLOCK}{clock}", [node]
    money = policy.limits.money
    if money is not None and not _is_named(money.of.tree, policy):
        yield f"{LIMIT}money", [money.of.tree]


def _own_parameters(policy: Policy) -> frozenset[str]:
    """Those of the policy's own file, and what rules write; all where the file is not known."""
    places = Places(policy)
    known = dict(places.sections("params"))
    own = {name for name in policy.params if known.get(name, places.top)[0] == places.top[0]}
    return frozenset(own).union(*map(parameters_in, places.marks()))


def _first_uses(policy: Policy) -> dict[str, Node]:
    """The first smallest condition that a parameter decides, by the parameter's name."""
    found: dict[str, Node] = {}
    for _, trees in _owned_conditions(policy):
        for tree in trees:
            for clause, _, number in _numbers(tree, tree, policy, count()):
                if number.name:
                    found.setdefault(number.name, clause)
    return found


def _unnamed(
    trees: Iterable[Node], policy: Policy, seen: set[object]
) -> Iterator[tuple[Node, Value]]:
    """The numbers without a name, each once: a window that two metrics of a clause have is one,
    and so are the numbers of a rank that decides several classes."""
    for tree in trees:
        for clause, place, number in _numbers(tree, tree, policy, count()):
            known = (clause, _names(clause), number.kind, place, number.value)
            if not number.name and known not in seen:
                seen.add(known)
                yield clause, number.value


def _names(tree: Node) -> tuple[str, ...]:
    """The parameters of a condition: with others in their places it is another one."""
    return tuple(number.name for node in walk(tree) for number in numbers_of(node))


def _numbers(
    node: Node, clause: Node, policy: Policy, places: Iterator[int]
) -> Iterator[tuple[Node, int, Number]]:
    """The numbers of a condition, each with the smallest comparison or rank that holds it, and its
    place there (0 for a window); those of a score or a tier stand with these."""
    if isinstance(node, Compare | Rank):
        clause, places = node, count()
    for child in children(node):
        if not _is_named(child, policy):
            yield from _numbers(child, clause, policy, places)
    for number in numbers_of(node):
        yield clause, 0 if number.kind == "window" else next(places), number


def _is_named(node: Node, policy: Policy) -> bool:
    """Is it a score or a tier of the policy, used within a condition?"""
    if any(node == tree for tree in policy.scores.values()):
        return True
    return isinstance(node, Case) and any(
        rule.kind == "tier" and node.conditions == tuple(item.tree for item in rule.conditions)
        for rule in policy.rules
    )
