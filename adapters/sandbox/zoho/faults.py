"""Trouble on order: what the wire does to chosen requests, so that tests can prove recovery."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal


@dataclass(frozen=True)
class Fault:
    """Applies to the `nth` request that matches method and path, and to `times` in a row.

    drop: the connection dies "before" the sandbox acts, "after" it acted (the write is done, its
    answer lost), or "midway" through the answer. Without `drop`, a `status` is answered instead of
    acting, or after it when `act` is set. `delay` seconds pass first in each case.
    """

    method: str = "*"
    path: str = "*"
    nth: int = 1
    times: int = 1
    delay: float = 0.0
    drop: Literal["before", "after", "midway"] | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    act: bool = False

    @property
    def acts(self) -> bool:
        """Whether the sandbox does what the request asks."""
        if self.drop is not None:
            return self.drop != "before"
        return self.status is None or self.act

    @property
    def payload(self) -> bytes:
        if isinstance(self.body, str):
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class Faults:
    """The faults in force; each counts the requests that match it, from when it was added."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._counted: list[tuple[Fault, list[int]]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._counted.append((fault, [0]))

    def clear(self) -> None:
        with self._lock:
            self._counted.clear()

    def pick(self, method: str, path: str) -> Fault | None:
        """Count this request and return the first fault that is due for it."""
        due = None
        with self._lock:
            for fault, seen in self._counted:
                if not fault.matches(method, path):
                    continue
                seen[0] += 1
                if due is None and fault.nth <= seen[0] < fault.nth + fault.times:
                    due = fault
        return due
