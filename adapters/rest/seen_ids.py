"""A set of ids that has to hold millions: their 64-bit hashes, at most 32 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

_WORD = (1 << 64) - 1
_FIRST_SLOTS = 1 << 10


class SeenIds:
    """An open table of hashes, never more than half full. Two ids of one hash count as one, which
    among ten million happens once in 400,000 walks; hence no row is dropped for being in it."""

    def __init__(self) -> None:
        self.count = 0
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))

    def add(self, ids: Iterable[str]) -> int:
        """Add them; how many were new."""
        before = self.count
        for identifier in ids:
            self._put(hash(identifier) & _WORD or 1)
            if self.count * 2 > len(self._slots):
                self._grow()
        return self.count - before

    def _put(self, word: int) -> None:
        slots = self._slots
        mask = len(slots) - 1
        place = word & mask
        while slots[place]:
            if slots[place] == word:
                return
            place = (place + 1) & mask
        slots[place] = word
        self.count += 1

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        self.count = 0
        for word in old:
            if word:
                self._put(word)
