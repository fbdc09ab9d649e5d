"""Runs the cases of a policy by both back ends, compares them with each other and with what is
expected. Cases are facts written down in files: no CRM, no warehouse, no clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from connector.engine import fill_inputs
from policies.authoring.boundaries import Gap, uncovered
from policies.authoring.case_run import CaseRun, Decided, given_thresholds
from policies.authoring.cases import Answer, CaseFile, Expectation, cases_without, load_all_cases
from policies.authoring.lint import lint
from policies.authoring.signature import Signature
from policies.errors import Problem
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.evidence import EvidenceItem
from policies.language.metrics import MIN_CASES
from policies.language.vocabulary import SQL_TYPES, TABLES, Type
from policies.messages import counted, evidence_phrase, message
from policies.messages.catalogue import FALLBACK
from policies.model import Policy
from policies.moment import SourceState
from policies.policy import load_policy

CASES_FOLDER = "cases"

Answers = Mapping[str, int | None]


@dataclass(frozen=True)
class CaseResult:
    """One expectation. `expected`: as the author wrote it; `got`: yes, no, undecided, protects,
    absent (the customer did not exist yet), or the name of a stage. `hint`: what to do about it,
    where that is known."""

    file: str
    line: int
    customer: str
    rule: str
    expected: str
    got: str
    passed: bool
    evidence: tuple[EvidenceItem, ...]
    hint: str = ""


@dataclass(frozen=True)
class Disagreement:
    """The two back ends decide differently: a fault of this program, never of a policy."""

    file: str
    customer: str
    rule: str
    duckdb: str
    python: str


@dataclass(frozen=True)
class PolicyTestReport:
    """All results. `untested`: rules and protections without a case; `gaps`: edges without one;
    `language`: that of their texts."""

    results: tuple[CaseResult, ...]
    disagreements: tuple[Disagreement, ...]
    untested: tuple[str, ...]
    gaps: tuple[Gap, ...]
    files: int
    language: str = FALLBACK

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Untested rules and gaps are shown, and fail nothing."""
        return not self.failures and not self.disagreements

    def payload(self) -> dict[str, Any]:
        """For `--json`."""
        return {"passed": self.passed, **msgspec.to_builtins(self)}


def run_policy_tests(
    path: Path,
    folder: Path | None = None,
    *,
    fields: Mapping[str, Type] | None = None,
    edges: bool = True,
    zone: str | None = None,
    language: str | None = None,
) -> PolicyTestReport:
    """Run every case of a folder (by default `cases/` beside the policy). Raises `FileProblems`.

    `zone`: the time zone of cases where neither they nor the policy name one. `language`: of what
    is said about them; by default the policy's own.
    """
    policy = load_policy(path, fields=fields)
    spoken = language or policy.language or FALLBACK
    files = load_all_cases(folder or path.parent / CASES_FOLDER, policy, zone=zone)
    pairs = [
        (load_policy(path, file.params, fields=fields) if file.params else policy, file)
        for file in files
    ]
    results: list[CaseResult] = []
    disagreements: list[Disagreement] = []
    for own, file in pairs:
        decided = CaseRun(own, file).decided()
        results += _results(own, file, decided, spoken)
        disagreements += _disagreements(own, file, decided)
    untested = cases_without(files, policy)
    gaps = uncovered(policy, pairs, untested=untested, language=spoken) if edges else ()
    found, differing = tuple(results), tuple(disagreements)
    return PolicyTestReport(found, differing, untested, gaps, len(files), spoken)


def check_policy(
    path: Path,
    *,
    fields: Mapping[str, Type] | None = None,
    signed: Signature | None = None,
    sources: Mapping[str, SourceState] | None = None,
    zone: str | None = None,
    language: str | None = None,
) -> tuple[Policy, tuple[Problem, ...]]:
    """Load a policy and its cases; the warnings of both. Raises `FileProblems` for errors.

    `language`: of what looks wrong in it; by default the policy's own.
    """
    policy = load_policy(path, fields=fields)
    files = load_all_cases(path.parent / CASES_FOLDER, policy, zone=zone)
    untested = cases_without(files, policy)
    found = lint(
        policy,
        signed=signed,
        untested=untested,
        sources=sources,
        language=language or policy.language or FALLBACK,
    )
    return policy, (*policy.warnings, *found)


def policy_check_lines(
    policy: Policy, found: Iterable[Problem], remarks: Iterable[str], language: str | None = None
) -> list[str]:
    """What `check_policy` found, what else there is to say, and the sum; by default in the
    policy's own language."""
    warnings = [str(problem) for problem in found]
    spoken = language or policy.language or FALLBACK
    facts = {"name": policy.name, "hash": policy.hash[:16]}
    facts["rules"] = counted(spoken, "policy.rules", len(policy.rules))
    facts["warnings"] = counted(spoken, "policy.warnings", len(warnings))
    total = message(spoken, "policy.checked", **facts)
    return [*warnings, *remarks, total]


def _results(
    policy: Policy, file: CaseFile, decided: Sequence[Decided], language: str
) -> Iterator[CaseResult]:
    for one in decided:
        evidence = _evidence(one)
        for expected in one.customer.expect:
            found = one.answers.get(expected.name)
            passed = _agrees(one, expected, found)
            unranked = not passed and expected.name in one.unranked
            yield CaseResult(
                file=file.file,
                line=expected.line,
                customer=one.customer.id,
                rule=expected.name,
                expected=expected.written,
                got=_shown(policy, expected, one),
                passed=passed,
                evidence=evidence.get(expected.name, ()),
                hint=message(language, "test.ranks", count=MIN_CASES) if unranked else "",
            )


def _agrees(one: Decided, expected: Expectation, found: int | None) -> bool:
    """A customer that did not exist yet is in no rule, and nothing is undecided about it."""
    if not one.answers:
        return expected.answer is Answer.OUT
    return expected.agrees(found)


def _evidence(one: Decided) -> dict[str, tuple[EvidenceItem, ...]]:
    if one.explanation is None:
        return {}
    of_rules = {item.id: item.evidence for item in one.explanation.rules}
    return of_rules | {item.id: item.evidence for item in one.explanation.protections}


def _shown(policy: Policy, expected: Expectation, one: Decided) -> str:
    if not one.answers:
        return "absent"
    return _word(policy, expected.name, one.answers[expected.name])


def _word(policy: Policy, name: str, found: int | None) -> str:
    if found is None:
        return "undecided"
    rule = next((rule for rule in policy.rules if rule.id == name), None)
    if rule is None:
        return "protects" if found else "no"
    if len(rule.stages) > 1 and found:
        return rule.stages[found - 1].name
    return "yes" if found else "no"


def _disagreements(
    policy: Policy, file: CaseFile, decided: Sequence[Decided]
) -> Iterator[Disagreement]:
    other = _by_duckdb(policy, file)
    for one in decided:
        answers = other.get(one.customer.row["key"], {})
        for name in {**one.answers, **answers}:
            words = [
                _word(policy, name, found[name]) if name in found else "absent"
                for found in (answers, one.answers)
            ]
            if words[0] != words[1]:
                yield Disagreement(file.file, one.customer.id, name, *words)


def _by_duckdb(policy: Policy, file: CaseFile) -> dict[str, Answers]:
    """The answers of the set-based back end by customer key."""
    with duckdb.connect() as connection:
        _fill(connection, file)
        compiled = compile_evaluation(policy, file.as_of, file.sources)
        own = fill_inputs(connection, compiled)
        thresholds = {**own, **given_thresholds(file, compiled.plan.ranks)}
        connection.execute(compiled.findings_sql(thresholds))
        columns = [f"s_{number}" for number in range(len(policy.rules))]
        columns += [f"p_{number}" for number in range(len(policy.protections))]
        rows = connection.execute(f"SELECT key, {', '.join(columns)} FROM findings").fetchall()
    names = [*(rule.id for rule in policy.rules), *(item.id for item in policy.protections)]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def _fill(connection: duckdb.DuckDBPyConnection, file: CaseFile) -> None:
    """The facts tables of the vocabulary, with the rows of the file."""
    for table in TABLES.values():
        columns = ", ".join(f"{item.name} {SQL_TYPES[item.type]}" for item in table.columns)
        connection.execute(f"CREATE TABLE {table.name} ({columns})")
    _insert(connection, "customers", (who.row for who in file.customers))
    _insert(connection, "people", file.people)
    for who in file.customers:
        for fact, rows in who.events.items():
            _insert(connection, fact, rows)


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    columns = [item.name for item in TABLES[table].columns]
    marks = ", ".join("?" for _ in columns)
    for row in rows:
        values = [row[name] for name in columns]
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)


def policy_test_lines(report: PolicyTestReport, language: str = "") -> list[str]:
    """The same for people: failures with their evidence, then what no case covers, then a sum; by
    default in the language of the report."""
    language = language or report.language
    lines: list[str] = []
    for failure in report.failures:
        place = f"{failure.file}:{failure.line}"
        values = {"place": place, "customer": failure.customer, "rule": failure.rule}
        sides = {"expected": failure.expected, "got": failure.got}
        words = {side: _translated(word, language) for side, word in sides.items()}
        hint = f" - {failure.hint}" if failure.hint else ""
        lines.append(message(language, "test.failure", **values, **words) + hint)
        lines += [f"  {evidence_phrase(language, item)}" for item in failure.evidence]
    for item in report.disagreements:
        lines.append(message(language, "test.disagreement", **dataclasses.asdict(item)))
    if report.untested:
        names = message(language, "list.separator").join(report.untested)
        lines.append(message(language, "test.untested", names=names))
    lines += [str(gap.problem) for gap in report.gaps]
    counts = {"passed": len(report.results) - len(report.failures), "all": len(report.results)}
    return [*lines, message(language, "test.sum", files=report.files, **counts)]


def _translated(word: str, language: str) -> str:
    key = f"test.{word}"
    found = message(language, key)
    return word if found == key else found
