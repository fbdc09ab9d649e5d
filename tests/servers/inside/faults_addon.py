"""An addon for mitmproxy, run in mitmproxy's own environment: breaks exchanges as a plan says.

`PUT /__faults__` takes a new plan and starts all counts anew, `GET /__faults__` tells what passed.
Of the rules that match a request each one counts it, and the first whose turn it is breaks it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from fnmatch import fnmatchcase
from typing import Any

from mitmproxy import ctx, http

CONTROL = "/__faults__"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
PAGE = b"<!doctype html><title>503</title><h1>Service Unavailable</h1>"
TORN_BYTES = 64


class Rule:
    def __init__(self, fields: dict[str, Any]) -> None:
        self.kind = fields["kind"]
        self._method, self._path = fields["method"], fields["path"]
        self._every, self._times = fields["every"], fields["times"]
        self.seconds = fields["seconds"]
        self._seen = self._fired = 0

    def takes(self, request: http.Request) -> bool:
        """Counts a request that matches; true when it is this rule's turn."""
        matches = self._method in {"*", request.method} or (
            self._method == "WRITE" and request.method in WRITES
        )
        if not matches or not fnmatchcase(request.path, self._path):
            return False
        self._seen += 1
        return self._seen % self._every == 0 and (self._times is None or self._fired < self._times)

    def fire(self) -> None:
        self._fired += 1


class Faults:
    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._exchanges: list[dict[str, Any]] = []

    def running(self) -> None:
        ((_, port),) = ctx.master.addons.get("proxyserver").listen_addrs()
        sys.stdout.write(f"listening on port {port}\n")
        sys.stdout.flush()

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.request.path == CONTROL:
            flow.response = self._control(flow.request)
            return
        ready = [rule for rule in self._rules if rule.takes(flow.request)]
        rule = ready[0] if ready else None
        exchange = {
            "method": flow.request.method,
            "path": flow.request.path,
            "fault": rule and rule.kind,
            "reached": False,
            "status": None,
        }
        self._exchanges.append(exchange)
        flow.metadata["exchange"] = exchange
        if rule:
            rule.fire()
            await self._before(flow, rule)

    async def _before(self, flow: http.HTTPFlow, rule: Rule) -> None:
        if rule.kind == "cut_before":
            flow.kill()
        elif rule.kind == "too_many":
            wait = {"Retry-After": f"{rule.seconds:g}", "Content-Type": "application/json"}
            flow.response = http.Response.make(429, b'{"message": "slow down"}', wait)
        elif rule.kind == "unavailable":
            flow.response = http.Response.make(503, PAGE, {"Content-Type": "text/html"})
        elif rule.kind == "delay":
            await asyncio.sleep(rule.seconds)

    def response(self, flow: http.HTTPFlow) -> None:
        exchange = flow.metadata.get("exchange")
        if exchange is None or exchange["fault"] in {"too_many", "unavailable"}:
            return
        exchange["reached"], exchange["status"] = True, flow.response.status_code
        if exchange["fault"] == "cut_after":
            flow.kill()
        elif exchange["fault"] == "torn":
            promised = len(flow.response.raw_content) + TORN_BYTES
            flow.response.headers["Content-Length"] = str(promised)
            flow.response.headers["Connection"] = "close"

    def _control(self, request: http.Request) -> http.Response:
        if request.method == "PUT":
            self._rules = [Rule(fields) for fields in json.loads(request.content)]
            self._exchanges = []
        answer = json.dumps(self._exchanges).encode()
        return http.Response.make(200, answer, {"Content-Type": "application/json"})


addons = [Faults()]
