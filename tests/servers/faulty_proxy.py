"""A proxy (mitmproxy) before a real server that breaks exchanges by a plan, the same each time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from tests.servers.server_process import INSIDE, TIMEOUT_SECONDS, ServerProcess, command

Kind = Literal["too_many", "unavailable", "cut_before", "cut_after", "torn", "delay"]
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class Fault:
    """What happens to every `every`-th request that matches, at most `times` times.

    too_many: 429 with Retry-After `seconds`; unavailable: 503 with a page of HTML; cut_before:
    no answer, and the server never heard of it; cut_after: no answer, but the server has acted;
    torn: the answer ends too early; delay: the request arrives `seconds` later.
    Faults stand in order: with `every` 1 and `times` 1 each, a list is consumed one by one.
    """

    kind: Kind
    every: int = 1
    times: int | None = None
    method: str = "*"  # or WRITE for whatever is no GET
    path: str = "*"  # a pattern for path and query, as a shell's
    seconds: float = 1


@dataclass(frozen=True)
class Exchange:
    """A request as the proxy saw it; `reached` when the server has answered it."""

    method: str
    path: str
    fault: Kind | None
    reached: bool
    status: int | None


class FaultyProxy:
    """Stands before one origin; `url(target)` is the same address seen through it."""

    def __init__(self, environment: Path, folder: Path, target: str) -> None:
        self._target = urlsplit(target)
        origin = f"http://{self._target.netloc}"
        self.process = ServerProcess(
            [
                *command(environment, "mitmdump"),
                *("--quiet", "--mode", f"reverse:{origin}"),
                *("--listen-host", "127.0.0.1", "--listen-port", "0"),
                *("--set", f"confdir={folder}", "--set", "connection_strategy=lazy"),
                *("--set", "keep_host_header=true"),  # a server's own links lead back here
                *("--scripts", str(INSIDE / "faults_addon.py")),
            ],
            folder=folder,
            says_port=r"listening on port (\d+)",
        )
        self._origin = f"http://127.0.0.1:{self.process.port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def stop(self) -> None:
        self._session.close()
        self.process.stop()

    def url(self, target: str) -> str:
        return self._origin + urlsplit(target).path

    def plan(self, *faults: Fault) -> None:
        """These faults from now on, none without any; forgets what has passed."""
        self._control("PUT", json=[asdict(fault) for fault in faults])

    def exchanges(self) -> list[Exchange]:
        return [Exchange(**fields) for fields in self._control("GET")]

    def writes(self) -> list[Exchange]:
        """The writes that the server has acted upon, whoever has heard of it."""
        return [seen for seen in self.exchanges() if seen.reached and seen.method in WRITES]

    def _control(self, method: str, **options: Any) -> list[dict[str, Any]]:
        address = f"{self._origin}/__faults__"
        answer = self._session.request(method, address, timeout=TIMEOUT_SECONDS, **options)
        answer.raise_for_status()
        exchanges: list[dict[str, Any]] = answer.json()
        return exchanges
