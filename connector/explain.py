"""Why a customer is, or is not, caught by each rule, and what a plan would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import msgspec

from connector.engine import fill_inputs, source_states
from connector.errors import ConfigurationError, FileProblems, RefusedError
from connector.grounds import Grounds, gather_grounds
from connector.journal import Journal
from connector.journal_model import Episode
from connector.plan_model import Plan
from connector.policy_fit import load_client_policy, refuse_lacking
from connector.shadows import shadows_of
from connector.standing import load_standing
from connector.verdict import Judged, Verdict
from connector.warehouse import Warehouse
from connector.workspace import Workspace
from policies.evaluation.compile_python import Explanation, PythonEvaluation
from policies.evaluation.compile_sql import CompiledEvaluation, compile_evaluation
from policies.evaluation.customer_facts import CustomerFacts, group_of, with_groups
from policies.evaluation.sql_expression import Thresholds
from policies.evaluation.sql_text import literal
from policies.language.vocabulary import EVENTS
from policies.lifecycle import STATE_TABLES
from policies.model import Policy
from policies.moment import AsOf

_CANDIDATES = 5


@dataclass(frozen=True)
class CustomerExplanation:
    """One customer and everything that the policy says about it; nothing when it did not exist.

    `policy` is the one that is written: without statuses where no field holds them. `plan`: the
    one as which it is told.
    """

    key: str
    name: str
    as_of: AsOf
    policy: Policy
    explanation: Explanation | None = None
    grounds: Grounds | None = None
    verdicts: tuple[Verdict, ...] = ()
    today: date | None = None
    plan: Plan | None = None

    @property
    def other_policy(self) -> bool:
        """Is the policy another one than that of the plan?"""
        return self.plan is not None and self.plan.header.policy_hash != self.policy.hash

    @property
    def other_day(self) -> str:
        """`past` or `future`, where it is told as of another day than today."""
        if self.today is None or self.today == self.as_of.day:
            return ""
        return "past" if self.as_of.day < self.today else "future"

    def payload(self) -> dict[str, Any]:
        said = msgspec.to_builtins(self.explanation) if self.explanation else {}
        judged = {"verdicts": msgspec.to_builtins(self.verdicts)} if self.explanation else {}
        about = {"customer": self.key, "name": self.name, "as_of": str(self.as_of.day)}
        if self.other_day:
            about["other_day"] = self.other_day
        if self.plan is not None:
            about["plan"] = self.plan.id
        return {**about, **judged, **said}


def explain_as_planned(
    workspace: Workspace, wanted: str, plan_id: str, today: date | None = None
) -> CustomerExplanation:
    """Explain one customer from what a plan saw, as of its moment and with its params, if the
    policy still has them.

    Raises RefusedError when there is no such plan, or it takes a run back.
    """
    with _journal(workspace) as journal:
        plan = journal.plan(plan_id) if journal else None
    if plan is None or plan.header.kind != "policy":
        message_text = f"no policy decided what is in plan {plan_id}"
        raise RefusedError(message_text, "name a plan of `highseas plan`")
    moment, replayed = datetime.fromisoformat(plan.header.as_of), plan.header.replayed
    # what was seen in the very moment was seen for the plan
    known_by = moment if replayed else plan.created_at + timedelta(microseconds=1)
    as_of = AsOf(moment, workspace.zone, known_by)
    policy = _policy_of(workspace, plan)
    return replace(_explained(workspace, policy, wanted, as_of, today), plan=plan)


def _policy_of(workspace: Workspace, plan: Plan) -> Policy:
    """The policy with the params of the plan; as it is, if it does not take them any more."""
    overrides = dict(item.split("=", 1) for item in plan.header.overrides)
    try:
        return load_client_policy(workspace, overrides)
    except (ConfigurationError, FileProblems):
        return load_client_policy(workspace)


def explain_customer(
    workspace: Workspace, wanted: str, as_of: AsOf, today: date | None = None
) -> CustomerExplanation:
    """Explain one customer, named by key, id or name; where `today` is another day than that of
    `as_of`, it is said.

    Raises ConfigurationError when no customer, or more than one, answers to that.
    """
    return _explained(workspace, load_client_policy(workspace), wanted, as_of, today)


def _explained(
    workspace: Workspace, policy: Policy, wanted: str, as_of: AsOf, today: date | None
) -> CustomerExplanation:
    warehouse = Warehouse(workspace)
    refuse_lacking(policy, workspace, warehouse)
    written = policy if workspace.status_field else policy.without_status()
    with warehouse.reading(as_of.known_by) as connection:
        key, name = _find(connection, wanted)
        with _journal(workspace) as journal:
            stays = _standing(connection, journal, key)
        shadows = shadows_of(connection, policy, as_of)
        compiled = compile_evaluation(policy, as_of, source_states(connection), shadows)
        members, facts = _facts(connection, key, as_of, policy.group)
        evaluation = PythonEvaluation(policy, as_of, source_states(connection))
        inputs = evaluation.inputs(facts)
        if inputs is None:
            return CustomerExplanation(key, name, as_of, written, today=today)
        thresholds = _fill_inputs(connection, compiled, key, members)
        explanation = evaluation.explain(inputs, thresholds)
        grounds = gather_grounds(evaluation, inputs, thresholds)
        connection.execute(compiled.findings_sql(thresholds, "open_episodes"))
        judged = Judged(
            connection, written, as_of, explanation, stays, workspace.not_logged, shadows
        )
        verdicts = tuple(judged.verdicts())
    return CustomerExplanation(key, name, as_of, written, explanation, grounds, verdicts, today)


def _fill_inputs(
    connection: duckdb.DuckDBPyConnection,
    compiled: CompiledEvaluation,
    key: str,
    members: Iterable[str],
) -> Thresholds:
    """Fill `inputs` for this customer. Where nobody is ranked nobody else is read, but those whose
    rows count for it."""
    if not compiled.threshold_queries:
        listed = ", ".join(map(literal, members))
        for table, column in (("customers", "key"), *((fact, "customer") for fact in EVENTS)):
            connection.execute(
                f"CREATE TEMP VIEW {table} AS SELECT * FROM memory.main.{table} "
                f"WHERE {column} IN ({listed})"
            )
    thresholds = fill_inputs(connection, compiled)
    connection.execute("DELETE FROM inputs WHERE key <> $1", [key])
    return thresholds


@contextmanager
def _journal(workspace: Workspace) -> Iterator[Journal | None]:
    """The journal, where there is one: to look at a customer makes none."""
    if not workspace.journal_path.exists():
        yield None
        return
    with Journal.open(workspace.journal_path, now=_never) as journal:
        yield journal


def _never() -> datetime:
    """Nothing is written here, so nothing asks for the time."""
    return datetime.max.replace(tzinfo=UTC)


def _standing(
    connection: duckdb.DuckDBPyConnection, journal: Journal | None, key: str
) -> Mapping[str, Episode]:
    """Fill what stands of ours on this customer; the rules in which it stays."""
    if journal is None:
        for statement in STATE_TABLES:
            connection.execute(statement)
        return {}
    load_standing(connection, journal, key)
    return {stay.rule: stay for stay in journal.episodes(customer=key)}


def _facts(
    connection: duckdb.DuckDBPyConnection, key: str, as_of: AsOf, group: frozenset[str]
) -> tuple[tuple[str, ...], CustomerFacts]:
    """The customers of its group, and the customer, its owner and its rows; in the facts tables of
    `group` those of its group."""
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
    return tuple(members), replace(own, owner=owners[0] if owners else None)


def _events(connection: duckdb.DuckDBPyConnection, key: str) -> dict[str, list[dict[str, Any]]]:
    return {fact: _rows(connection, fact, "customer", key) for fact in EVENTS}


def _find(connection: duckdb.DuckDBPyConnection, wanted: str) -> tuple[str, str]:
    """Key and name; in the past a customer answers to the name of today too."""
    found = connection.execute(
        "SELECT c.key, coalesce(c.name, n.name, '') FROM customers c "
        "LEFT JOIN warehouse.main.customers n ON n.key = c.key "
        "WHERE c.key = $1 OR c.id = $1 OR c.name = $1 OR n.name = $1 "
        f"ORDER BY c.key LIMIT {_CANDIDATES + 1}",
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
