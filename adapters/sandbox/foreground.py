"""A sandbox for people: load it, say where it is, serve until told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from adapters.sandbox.demo_data import CUSTOMERS, load_demo
from adapters.sandbox.zoho.server import ZohoSandbox
from adapters.sandbox.zoho.store import Store


@dataclass(frozen=True)
class Serving:
    """What a person needs in order to connect to a sandbox."""

    url: str
    client_id: str
    client_secret: str
    refresh_token: str
    customers: int


def parse_load(text: str) -> int:
    """Return how many customers `demo` or `demo:N` asks for; ValueError for anything else."""
    name, _, count = text.partition(":")
    if name != "demo" or (text != "demo" and not (count.isascii() and count.isdigit())):
        raise ValueError("what can be loaded is demo or demo:N, with N customers")
    return int(count) if count else CUSTOMERS


def run_foreground(
    port: int,
    load: str | None,
    *,
    today: date,
    announce: Callable[[Serving], None],
    path: Path | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve until `stop` is set (or KeyboardInterrupt); OSError when the port is taken.

    A store file that already holds customers is served as it is.
    """
    customers = parse_load(load) if load else 0
    with Store(path) as store:
        if customers and not store.count("Accounts"):
            load_demo(store, customers=customers, today=today)
        with ZohoSandbox(store, port=port) as sandbox:
            keys = sandbox.credentials
            announce(
                Serving(
                    sandbox.url,
                    keys.client_id,
                    keys.client_secret,
                    keys.refresh_token,
                    store.count("Accounts"),
                )
            )
            (stop or threading.Event()).wait()
