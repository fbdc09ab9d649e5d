"""Case files: facts of a few customers at a fixed moment, and what the policy must decide.

Read strictly, all problems at once. Nothing is evaluated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from policies.authoring.case_rows import NO, YES, RowReader
from policies.authoring.case_time import as_of_moment, parse_moment
from policies.errors import FileProblems, Problem
from policies.language.number_text import scalar_text
from policies.language.vocabulary import EVENTS
from policies.model import Policy
from policies.moment import AsOf, SourceState
from policies.suggestion import nearest
from policies.yaml_source import Document, PathKey, read_yaml_file

_HINT = "correct the file, then run the test again"
_ZONE_HINT = "write timezone: Asia/Shanghai"
_OBJECT = "Case"
_BEGINNING = date(1900, 1, 1)
_KEYS = (
    "cases",
    "name",
    "as_of",
    "timezone",
    "sources",
    "params",
    "thresholds",
    "people",
    "customers",
)
_CUSTOMER_KEYS = ("id", "about", "is", *EVENTS, "expect")
_SOURCES = (*EVENTS, "people")
_UNKNOWN = frozenset({"undecided", "未判断", "数据不足", "unentschieden"})
_PROTECTS = frozenset({"protects", "保护", "schützt"})
_IN_FULL = frozenset({"in full", "complete", "完整"})
_NOT_PULLED = frozenset({"not pulled", "未拉取", "未读取"})
_SINCE = ("since ", "自 ")


class Answer(StrEnum):
    """What a case expects of a rule or a protection; `stage`: one stage by its name."""

    IN = "in"
    OUT = "out"
    UNDECIDED = "undecided"
    STAGE = "stage"


@dataclass(frozen=True, slots=True)
class Expectation:
    """`written`: as the author put it. `stage`: the number of the stage that was named."""

    name: str
    answer: Answer
    written: str
    line: int
    column: int
    stage: int | None = None

    def agrees(self, found: int | None) -> bool:
        """`found`: the number of a stage, or whether a protection holds; None is undecided."""
        if self.answer is Answer.UNDECIDED or found is None:
            return self.answer is Answer.UNDECIDED and found is None
        if self.answer is Answer.STAGE:
            return found == self.stage
        return bool(found) is (self.answer is Answer.IN)


@dataclass(frozen=True, slots=True)
class CaseCustomer:
    """A row of `customers`, its rows of each facts table, and what is expected."""

    id: str
    row: Mapping[str, Any]
    events: Mapping[str, Sequence[Mapping[str, Any]]]
    expect: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class GivenThresholds:
    """The breaks of a rank by its text, such as `quintile(orders_count(365))`."""

    text: str
    breaks: tuple[Decimal | int, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One file. `params`: as text, over those of the policy. Ranks without given `thresholds` are
    made over the customers of the file."""

    file: str
    name: str
    as_of: AsOf
    sources: Mapping[str, SourceState]
    params: Mapping[str, str] = field(default_factory=dict)
    thresholds: tuple[GivenThresholds, ...] = ()
    people: tuple[Mapping[str, Any], ...] = ()
    customers: tuple[CaseCustomer, ...] = ()


def read_cases(document: Document, policy: Policy, zone: str | None = None) -> CaseFile:
    """A case file against the names of a policy. Raises `FileProblems`.

    `zone`: the time zone where neither the file nor the policy names one.
    """
    if not isinstance(document.value, dict):
        message = "a case file holds keys and values"
        raise FileProblems([document.problem((), message, "begin with cases: 1")], _HINT)
    reader = _CaseReader(document, policy, policy.timezone or zone)
    found = reader.file()
    if found is None or reader.rows.problems:
        raise FileProblems(list(dict.fromkeys(reader.rows.problems)), _HINT)
    return found


def load_all_cases(
    folder: Path, policy: Policy, *, zone: str | None = None
) -> tuple[CaseFile, ...]:
    """Every `*.yaml` of a folder, by name; none if the folder is not there. The problems of all
    files are raised together."""
    found: list[CaseFile] = []
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found.append(read_cases(read_yaml_file(path), policy, zone))
        except FileProblems as error:
            problems += error.problems
    if problems:
        raise FileProblems(problems, _HINT)
    return tuple(found)


def cases_without(files: Sequence[CaseFile], policy: Policy) -> tuple[str, ...]:
    """The rules and protections that no case expects anything of."""
    named = {item.name for file in files for who in file.customers for item in who.expect}
    names = [rule.id for rule in policy.rules] + [
        item.id for item in policy.protections if not getattr(item, "built_in", False)
    ]
    return tuple(name for name in names if name not in named)


class _CaseReader:
    """One pass over one file, collecting problems."""

    def __init__(self, document: Document, policy: Policy, zone: str | None) -> None:
        self._document = document
        self._whole: dict[str, Any] = document.value
        self._policy = policy
        self._zone = zone
        self.rows = RowReader(document, _BEGINNING, "UTC")

    def file(self) -> CaseFile | None:
        self._keys((), self._whole, _KEYS)
        if self._whole.get("cases") != 1:
            self.rows.complain(("cases",), "a case file begins with its version", "write cases: 1")
        as_of = self._as_of()
        if as_of is None:
            return None
        self.rows.today, self.rows.zone = as_of.day, as_of.zone
        return CaseFile(
            file=self._document.name,
            name=str(self._whole.get("name") or self._document.name),
            as_of=as_of,
            sources=self._sources(as_of),
            params=self._params(),
            thresholds=tuple(self._thresholds()),
            people=tuple(self._people()),
            customers=tuple(self._customers()),
        )

    def _keys(self, path: PathKey, value: Mapping[str, Any], valid: Sequence[str]) -> None:
        for name in value:
            if name not in valid:
                hint = nearest(name, valid)
                self.rows.complain((*path, name), f"unknown key '{name}'", hint, key=True)

    def _as_of(self) -> AsOf | None:
        zone, written = self._whole.get("timezone", self._zone), self._whole.get("as_of")
        if not isinstance(zone, str) or not _is_zone(zone):
            self.rows.complain(("timezone",), "expected a time zone", _ZONE_HINT)
            zone = None
        found = as_of_moment(written, zone or "UTC") if isinstance(written, str) else None
        if found is None:
            self.rows.complain(("as_of",), "expected the day of the run", "write as_of: 2026-06-01")
        return found if zone else None

    def _sources(self, as_of: AsOf) -> dict[str, SourceState]:
        states = {name: SourceState(complete=True, pulled_at=as_of.utc) for name in _SOURCES}
        written = self.rows.mapping(("sources",), self._whole.get("sources"))
        self._keys(("sources",), written, _SOURCES)
        for name in written.keys() & states.keys():
            states[name] = self._source(("sources", name), written[name], as_of)
        return states

    def _source(self, path: PathKey, value: object, as_of: AsOf) -> SourceState:
        if isinstance(value, dict):
            self._keys(path, value, ("state", "pulled"))
            state = self._source((*path, "state"), value.get("state", "in full"), as_of)
            pulled = self._instant((*path, "pulled"), value.get("pulled"))
            return SourceState(state.complete, state.since, pulled or state.pulled_at)
        text = value.strip() if isinstance(value, str) else ""
        start = next((word for word in _SINCE if text.startswith(word)), None)
        since = parse_moment(text.removeprefix(start), as_of.day) if start else None
        if since is not None:
            return SourceState(complete=True, since=since.day, pulled_at=as_of.utc)
        if text in _NOT_PULLED:
            return SourceState(complete=False)
        if text not in _IN_FULL:
            hint = "write in full, not pulled, or since 2024-01-01"
            self.rows.complain(path, "this does not say how complete the source is", hint)
        return SourceState(complete=True, pulled_at=as_of.utc)

    def _instant(self, path: PathKey, value: object) -> datetime | None:
        found = self.rows.moment(path, value) if value is not None else None
        return None if found is None else found.instant(self.rows.zone)

    def _params(self) -> dict[str, str]:
        written = self.rows.mapping(("params",), self._whole.get("params"))
        self._keys(("params",), written, tuple(self._policy.params))
        return {name: scalar_text(value) for name, value in written.items()}

    def _thresholds(self) -> Iterator[GivenThresholds]:
        written = self.rows.mapping(("thresholds",), self._whole.get("thresholds"))
        for name, value in written.items():
            path: PathKey = ("thresholds", name)
            breaks = self.rows.sequence(path, value)
            if not all(isinstance(item, int | Decimal) for item in breaks):
                self.rows.complain(path, "expected a list of numbers", "write [1, 2, 5, 9]")
            yield GivenThresholds(name, tuple(breaks), *self._document.position(path, key=True))

    def _people(self) -> Iterator[dict[str, Any]]:
        for place, item in enumerate(self.rows.sequence(("people",), self._whole.get("people"))):
            path: PathKey = ("people", place)
            row = self.rows.row("people", path, item)
            if row["id"] is None:
                self.rows.complain(path, "the key 'id' is missing")
            row["active"] = True if row["active"] is None else row["active"]
            yield row

    def _customers(self) -> Iterator[CaseCustomer]:
        listed = self.rows.sequence(("customers",), self._whole.get("customers"))
        if not listed:
            self.rows.complain(("customers",), "a case file needs a customer")
        taken: dict[str, PathKey] = {}
        for place, item in enumerate(listed):
            path: PathKey = ("customers", place)
            written = self.rows.mapping(path, item)
            self._keys(path, written, _CUSTOMER_KEYS)
            name = scalar_text(written.get("id") or "")
            if not name:
                self.rows.complain(path, "the key 'id' is missing")
            elif name in taken:
                line = self._document.position(taken[name])[0]
                self.rows.complain((*path, "id"), f"'{name}' stands here twice (line {line})")
            taken.setdefault(name, (*path, "id"))
            yield self._customer(path, name, written)

    def _customer(self, path: PathKey, name: str, written: Mapping[str, Any]) -> CaseCustomer:
        key = f"{_OBJECT}:{name}"
        own = {"key": key, "object": _OBJECT, "id": name}
        row = {**self.rows.row("customers", (*path, "is"), written.get("is")), **own}
        row["name"] = row["name"] or name
        row["tags"] = row["tags"] or []
        row["fields"] = row["fields"] or {}
        row["first_seen_on"] = row["first_seen_on"] or _BEGINNING
        events = {
            fact: [
                {**event, "customer": key}
                for event in self.rows.events(fact, (*path, fact), written[fact])
            ]
            for fact in EVENTS
            if fact in written
        }
        return CaseCustomer(name, row, events, tuple(self._expected(path, written)))

    def _expected(self, path: PathKey, written: Mapping[str, Any]) -> Iterator[Expectation]:
        stages = {rule.id: [stage.name for stage in rule.stages] for rule in self._policy.rules}
        names = {*stages, *(item.id for item in self._policy.protections)}
        for name, value in self.rows.mapping((*path, "expect"), written.get("expect")).items():
            where: PathKey = (*path, "expect", name)
            if name not in names:
                message = f"the policy has no rule or protection '{name}'"
                self.rows.complain(where, message, nearest(name, names), key=True)
                continue
            expected = self._expectation(where, name, value, stages.get(name))
            if expected is not None:
                yield expected

    def _expectation(
        self, path: PathKey, name: str, value: object, stages: Sequence[str] | None
    ) -> Expectation | None:
        line, column = self._document.position(path)
        text = scalar_text(value).strip()
        if stages is not None and text in stages:
            number = stages.index(text) + 1
            return Expectation(name, Answer.STAGE, text, line, column, number)
        answer = _answer(text.lower(), protects=stages is None)
        if answer is None:
            words = ["yes", "no", "undecided", *(stages or ["protects"])]
            self.rows.complain(path, f"'{text}' is no answer of '{name}'", nearest(text, words))
            return None
        return Expectation(name, answer, text, line, column)


def _answer(word: str, *, protects: bool) -> Answer | None:
    if word in YES or word == "true" or (protects and word in _PROTECTS):
        return Answer.IN
    if word in NO or word == "false":
        return Answer.OUT
    return Answer.UNDECIDED if word in _UNKNOWN else None


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
