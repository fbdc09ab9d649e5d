"""Why a customer is, or is not, caught by each rule: the Python back end over staged facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import duckdb
import msgspec

from connector.engine import fill_inputs, source_states
from connector.errors import ConfigurationError
from connector.policy_fit import load_client_policy, refuse_lacking
from connector.render import one_line
from connector.summary import missing_names, protection_name
from connector.warehouse import Warehouse
from connector.workspace import Workspace
from policies.evaluation.compile_python import Explanation, RuleResult, evaluate_customer
from policies.evaluation.compile_sql import compile_evaluation
from policies.evaluation.customer_facts import CustomerFacts, group_of, with_groups
from policies.evaluation.evidence import missing_inputs
from policies.language.vocabulary import EVENTS
from policies.messages import evidence_phrase, message
from policies.moment import AsOf

_CANDIDATES = 5


@dataclass(frozen=True)
class CustomerExplanation:
    """One customer and everything that the policy says about it; nothing when it did not exist."""

    key: str
    name: str
    as_of: AsOf
    explanation: Explanation | None

    def payload(self) -> dict[str, Any]:
        said = msgspec.to_builtins(self.explanation) if self.explanation else {}
        return {"customer": self.key, "name": self.name, "as_of": str(self.as_of.day), **said}


def explain_customer(workspace: Workspace, wanted: str, as_of: AsOf) -> CustomerExplanation:
    """Explain one customer, named by key, id or name.

    Raises ConfigurationError when no customer, or more than one, answers to that.
    """
    policy = load_client_policy(workspace)
    warehouse = Warehouse(workspace)
    refuse_lacking(policy, workspace, warehouse)
    with warehouse.reading(as_of.day) as connection:
        key, name = _find(connection, wanted)
        sources = source_states(connection)
        compiled = compile_evaluation(policy, as_of, sources)
        thresholds = fill_inputs(connection, compiled) if compiled.threshold_queries else {}
        facts = _facts(connection, key, as_of, policy.group)
    explanation = evaluate_customer(policy, as_of, sources, thresholds, facts)
    return CustomerExplanation(key, name, as_of, explanation)


def _facts(
    connection: duckdb.DuckDBPyConnection, key: str, as_of: AsOf, group: frozenset[str]
) -> CustomerFacts:
    """The customer, its owner and its rows; in the facts tables of `group` those of its group."""
    customer = _rows(connection, "customers", "key", key)[0]
    name = group_of(as_of, customer)
    members = {key: customer}
    if group and name is not None:
        members |= {row["key"]: row for row in _rows(connection, "customers", "group_key", name)}
    facts = {
        member: CustomerFacts(row, _events(connection, member)) for member, row in members.items()
    }
    own = with_groups(facts, as_of, group)[key]
    owners = _rows(connection, "people", "id", customer["owner_id"])
    return replace(own, owner=owners[0] if owners else None)


def _events(connection: duckdb.DuckDBPyConnection, key: str) -> dict[str, list[dict[str, Any]]]:
    return {fact: _rows(connection, fact, "customer", key) for fact in EVENTS}


def _find(connection: duckdb.DuckDBPyConnection, wanted: str) -> tuple[str, str]:
    found = connection.execute(
        "SELECT key, coalesce(name, '') FROM customers WHERE key = $1 OR id = $1 OR name = $1 "
        f"ORDER BY key LIMIT {_CANDIDATES + 1}",
        [wanted],
    ).fetchall()
    if len(found) == 1:
        return str(found[0][0]), str(found[0][1])
    if not found:
        message_text = f"no customer has the key, id or name {wanted!r}"
        raise ConfigurationError(message_text, "keys look like Accounts:5725767000000524001")
    keys = ", ".join(str(key) for key, _ in found[:_CANDIDATES])
    raise ConfigurationError(f"{wanted!r} names more than one customer", f"name one by key: {keys}")


def _rows(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, key: str | None
) -> list[dict[str, Any]]:
    result = connection.execute(f"SELECT * FROM {table} WHERE {column} = $1", [key])
    names = [item[0] for item in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def explanation_lines(explained: CustomerExplanation, language: str) -> list[str]:
    """The same for people: each rule's answer with the facts behind it, then the protections."""
    day, name = explained.as_of.day.isoformat(), one_line(explained.name)
    lines = [message(language, "explain.title", name=name, customer=explained.key, day=day)]
    if explained.explanation is None:
        return [*lines, message(language, "explain.not_yet")]
    for rule in explained.explanation.rules:
        lines += ["", _answer(rule, language)]
        lines += [f"  {evidence_phrase(language, item)}" for item in rule.evidence]
        if rule.stage is None:
            missing = missing_names(missing_inputs(rule.evidence), language)
            lines.append("  " + message(language, "row.missing", missing=missing))
    for protection in explained.explanation.protections:
        word = {True: "protected", False: "unprotected", None: "unclear"}[protection.holds]
        shown = protection_name(protection.id, language)
        lines += ["", message(language, f"explain.{word}", protection=shown)]
        lines += [f"  {evidence_phrase(language, item)}" for item in protection.evidence]
    return lines


def _answer(rule: RuleResult, language: str) -> str:
    word = "unknown" if rule.stage is None else "in" if rule.stage else "out"
    return message(language, f"explain.{word}", rule=rule.id, stage=rule.stage_name or "")
