"""Walking pages until there are no more, and noticing when a server sends us in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from connector.errors import ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T]):
    """One page: what it holds, what identifies its content, and the cursor of the one behind it."""

    content: T
    ids: tuple[str, ...]
    following: str | None


class LoopGuard:
    """Raises ProtocolError when a walk meets a cursor or a page's ids for the second time."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._cursors: set[str] = set()
        self._ids: set[int] = set()

    def check(self, ids: tuple[str, ...], following: str | None) -> None:
        """Call once a page; an empty page's ids are not compared."""
        digest = hash(ids)
        if following is not None and following in self._cursors:
            self._fail("the same next page twice")
        if ids and digest in self._ids:
            self._fail("the same page twice")
        self._ids.add(digest)
        if following is not None:
            self._cursors.add(following)

    def _fail(self, what: str) -> None:
        raise ProtocolError(
            f"the CRM gave {what} ({self._where})",
            "run the command again; if it stays so, report it with the log file",
        )


def walk(fetch: Callable[[str | None], Leaf[T]], where: str) -> Iterator[T]:
    """Yield each page's content, from the first page on. A short page with a next one goes on."""
    guard = LoopGuard(where)
    cursor: str | None = None
    while True:
        leaf = fetch(cursor)
        guard.check(leaf.ids, leaf.following)
        yield leaf.content
        cursor = leaf.following
        if cursor is None:
            return
