"""What a plan, a pull and a check say to programs, as JSON values. For people: `summary`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from connector.ports import Finding
from connector.promises import Caveat
from connector.pull import PullReport
from connector.summary import promise_text
from connector.sync import Checked, Planned


def pull_json(report: PullReport) -> dict[str, Any]:
    """What came, object by object, and what was wrong with it."""
    result: dict[str, Any] = msgspec.to_builtins(report)
    return result


def plan_json(planned: Planned, unkept: Iterable[Caveat], language: str) -> dict[str, Any]:
    """A plan without its rows, with the pull before it; `unkept`: of this plan's writes."""
    return {
        "plan": msgspec.to_builtins(planned.plan),
        "pull": pull_json(planned.pulled) if planned.pulled else None,
        "remarks": list(planned.remarks),
        "promises": promises_json(unkept, language),
    }


def check_json(checked: Checked, findings: Iterable[Finding], language: str) -> dict[str, Any]:
    """Who answered, what can be done there, and what is to be said of the policy."""
    policy = checked.policy
    return {
        "organisation": msgspec.to_builtins(checked.organisation),
        "schema": msgspec.to_builtins(checked.schema),
        "policy": {"name": policy.name, "hash": policy.hash, "remarks": list(checked.remarks)},
        "promises": promises_json(checked.unkept, language),
        "findings": findings_json(findings),
    }


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """What trying the parts of an adapter's settings showed."""
    return [msgspec.to_builtins(each) for each in findings]


def promises_json(unkept: Iterable[Caveat], language: str) -> list[dict[str, Any]]:
    """What cannot be promised, each with its words."""
    return [
        {**msgspec.to_builtins(caveat), "text": promise_text(caveat, language)} for caveat in unkept
    ]
