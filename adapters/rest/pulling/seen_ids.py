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
            self._put(_hashed(identifier))
            if self.count * 2 > len(self._slots):
                self._grow()
        return self.count - before

    def has_any(self, ids: Iterable[str]) -> bool:
        """Whether one of them was added before."""
        return any(self._slots[self._place(_hashed(each))] for each in ids)

    def _place(self, word: int) -> int:
        """Where a hash stands, or would."""
        slots = self._slots
        mask = len(slots) - 1
        place = word & mask
        while slots[place] and slots[place] != word:
            place = (place + 1) & mask
        return place

    def _put(self, word: int) -> None:
        place = self._place(word)
        if not self._slots[place]:
            self._slots[place] = word
            self.count += 1

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        self.count = 0
        for word in old:
            if word:
                self._put(word)


def _hashed(identifier: str) -> int:
    """Never 0, which is an empty slot."""
    return hash(identifier) & _WORD or 1
