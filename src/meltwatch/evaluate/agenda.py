"""Which of many instants have come, without a look at all of them.

Places stand in blocks, and each block has a bound that none of its instants lies before. An
instant that only moves further away needs no word here, so a calm batch costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meltwatch.evaluate.columns import BEFORE, NEVER, Ints

_SHIFT = 9
_BLOCK = 1 << _SHIFT
_NONE = np.zeros(0, dtype=np.int64)

InstantsOf = Callable[[Ints], Ints]
"""The instants of some places, `NEVER` for none."""


class Agenda:
    """Bounds of the instants of `size` places; the instants themselves are kept elsewhere."""

    def __init__(self, size: int) -> None:
        """Begin with nothing to come."""
        self.size = size
        self.bound = np.full((size + _BLOCK - 1) >> _SHIFT, NEVER, dtype=np.int64)
        self.soonest = NEVER

    def clone(self) -> Agenda:
        """Return a copy that shares nothing."""
        twin = Agenda.__new__(Agenda)
        twin.size, twin.bound, twin.soonest = self.size, self.bound.copy(), self.soonest
        return twin

    def add(self, places: Ints, instants: Ints) -> None:
        """Note instants that are new or come sooner than before, shape as `places`."""
        if len(places):
            np.minimum.at(self.bound, places >> _SHIFT, instants)
            self.soonest = min(self.soonest, int(instants.min()))

    def due(self, until: int, instants_of: InstantsOf) -> Ints:
        """Return the places whose instants are at or before `until`.

        They are forgotten: what stays due must be added again.
        """
        if until < self.soonest:
            return _NONE
        found = [self._look(block, until, instants_of) for block in self._blocks(until)]
        self.soonest = int(self.bound.min(initial=NEVER))
        return np.concatenate(found) if found else _NONE

    def first(self, instants_of: InstantsOf) -> int:
        """Return the first of all instants, `NEVER` if there is none."""
        while self.soonest < NEVER:
            block = int(self.bound.argmin())
            bound = int(self.bound[block])
            self._look(block, BEFORE, instants_of)
            if self.bound[block] == bound:
                self.soonest = bound
                return bound
            self.soonest = int(self.bound.min())
        return NEVER

    def _blocks(self, until: int) -> list[int]:
        blocks: list[int] = np.flatnonzero(self.bound <= until).tolist()
        return blocks

    def _look(self, block: int, until: int, instants_of: InstantsOf) -> Ints:
        """Return what is due of a block; its bound becomes the first instant beyond."""
        start = block << _SHIFT
        places = np.arange(start, min(start + _BLOCK, self.size))
        instants = instants_of(places)
        due = instants <= until
        self.bound[block] = instants[~due].min(initial=NEVER)
        return places[due]
