"""What `rate` remembers: the latest values of points, in rings that lie side by side.

Every point that a rate reads has a ring, shared by all its rates. Slot k of all rings of a block
lies side by side (`base + slot * stride`), so that a batch over many points writes and reads runs
of memory. A ring grows when a new value would push out one that may still be needed.
"""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import BEFORE, Bools, Floats, Ints, spread

_LEAST = 4
"""Slots of a new ring; all rings have a power of two."""


class PastState(msgspec.Struct, frozen=True):
    """Rings as plain data, little-endian: values of each point (i8), instants (i8), values (f8)."""

    count: bytes = b""
    at: bytes = b""
    value: bytes = b""


class Past:
    """The rings of `reach_ms` points (shape (points,), 0: no rate reads the point).

    Values have numbers, the first of a point 0; `head`: that of its next one. `newest`: its latest
    instant. A value is kept while it is not older than `reach_ms` before the newest one of the
    batch before.
    """

    def __init__(self, reach_ms: Ints) -> None:
        """Begin with nothing seen."""
        self.reach_ms = reach_ms
        having = np.flatnonzero(reach_ms)
        self.base = np.zeros(len(reach_ms), dtype=np.int64)
        self.stride = np.zeros(len(reach_ms), dtype=np.int64)
        self.mask = np.zeros(len(reach_ms), dtype=np.int64)
        self.head = np.zeros(len(reach_ms), dtype=np.int64)
        self.newest = reach_ms + (BEFORE + 1)
        self.used = 0
        self.at, self.value = np.zeros(0, dtype=np.int64), np.zeros(0)
        self._lay(having, _LEAST)

    def clone(self) -> Past:
        """Return a copy that shares nothing that changes."""
        twin = Past.__new__(Past)
        twin.reach_ms, twin.used = self.reach_ms, self.used
        for name in ("base", "stride", "mask", "head", "newest", "at", "value"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def push(self, point: Ints, at: Ints, value: Floats, newest: Ints) -> Ints:
        """Remember one value of each of some points; return the numbers that they get.

        `newest`: the latest instant of each point before the batch.
        """
        head = self.head[point]
        place = self.base[point] + (head & self.mask[point]) * self.stride[point]
        needed = self.at[place] >= newest - self.reach_ms[point]
        if needed.any():
            self._grow(point[needed])
            place = self.base[point] + (head & self.mask[point]) * self.stride[point]
        self.at[place], self.value[place] = at, value
        self.head[point] = head + 1
        return head

    def seek(self, point: Ints, number: Ints, cursor: Ints, until: Ints) -> Ints:
        """Return the places of the latest values at or before `until`, and move cursors there.

        `number`: that of each point's newest value, which lies beyond `until`. `cursor` (changed):
        numbers of values at or before `until`, or -1; it only goes forward.
        """
        base, mask, stride = self.base[point], self.mask[point], self.stride[point]
        np.maximum(cursor, number - mask - 1, out=cursor)
        going = np.arange(len(point))
        while len(going):
            after = base[going] + ((cursor[going] + 1) & mask[going]) * stride[going]
            going = going[self.at[after] <= until[going]]
            cursor[going] += 1
        return base + (cursor & mask) * stride

    def find(self, point: Ints, until: Ints) -> Ints:
        """Return the places of the latest values at or before `until`; -1: none is kept."""
        head = self.head[point]
        first = np.maximum(head - self.mask[point] - 1, 0)
        low, high = first - 1, head - 1
        while (low < high).any():
            middle = (low + high + 1) >> 1
            fits = self.at[self._place(point, middle)] <= until
            low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
        return np.where(low >= first, self._place(point, low), -1)

    def entries(self, point: int, since: int) -> list[tuple[int, float]]:
        """Return what is remembered of a point from an instant on, oldest first."""
        head, mask = int(self.head[point]), int(self.mask[point])
        numbers = np.arange(max(0, head - mask - 1), head)
        place = self._place(np.full(len(numbers), point), numbers)
        place = place[self.at[place] >= since]
        return list(zip(self.at[place].tolist(), self.value[place].tolist(), strict=True))

    def pack(self) -> PastState:
        """Return all that is still needed, as plain data."""
        point, at, value = self._all()
        count = np.bincount(point, minlength=len(self.head))
        return PastState(
            count.astype("<i8").tobytes(), at.astype("<i8").tobytes(), value.astype("<f8").tobytes()
        )

    def unpack(self, state: PastState) -> None:
        """Let the rings stand as a state tells."""
        count = np.frombuffer(state.count, dtype="<i8")
        point = np.repeat(np.arange(len(count)), count)
        at, value = np.frombuffer(state.at, dtype="<i8"), np.frombuffer(state.value, dtype="<f8")
        self._fill(point, at.astype(np.int64), value.astype(np.float64))

    def join(self, point: Ints, at: Ints, value: Floats) -> None:
        """Remember more values, as old as they are; shape (values,). All get new numbers."""
        kept = self._all()
        point, at, value = (
            np.concatenate(pair) for pair in zip(kept, (point, at, value), strict=True)
        )
        order = np.lexsort((at, point))
        point, at, value = point[order], at[order], value[order]
        once = np.ones(len(point), dtype=np.bool_)
        once[1:] = (point[1:] != point[:-1]) | (at[1:] != at[:-1])
        self._fill(point[once], at[once], value[once])

    # inside

    def _all(self) -> tuple[Ints, Ints, Floats]:
        """Return point, instant and value of all that is still needed, by point and instant."""
        first = np.maximum(self.head - self.mask - 1, 0)
        point, number = spread(first, self.head - first)
        place = self._place(point, number)
        needed = self.at[place] >= (self.newest - self.reach_ms)[point]
        return point[needed], self.at[place[needed]], self.value[place[needed]]

    def _fill(self, point: Ints, at: Ints, value: Floats) -> None:
        """Let the rings hold just these values, sorted by point and instant."""
        self.used = 0
        self.at, self.value = np.zeros(0, dtype=np.int64), np.zeros(0)
        count = np.bincount(point, minlength=len(self.head))
        having = np.flatnonzero(self.reach_ms)
        slots = np.array([_slots(values) for values in count[having].tolist()], dtype=np.int64)
        for size in np.unique(slots).tolist():
            self._lay(having[slots == size], size)
        place = self._place(point, np.arange(len(point)) - (np.cumsum(count) - count)[point])
        self.at[place], self.value[place] = at, value
        self.head = count
        self.newest[point] = at  # of several the last one

    def _place(self, point: Ints, number: Ints) -> Ints:
        place: Ints = self.base[point] + (number & self.mask[point]) * self.stride[point]
        return place

    def _lay(self, points: Ints, slots: int) -> None:
        """Give some points empty rings, side by side."""
        end = self.used + slots * len(points)
        if end > len(self.at):
            room = max(end, 2 * self.used)
            at, value = np.full(room, BEFORE), np.zeros(room)
            at[: self.used], value[: self.used] = self.at[: self.used], self.value[: self.used]
            self.at, self.value = at, value
        self.base[points] = self.used + np.arange(len(points))
        self.stride[points], self.mask[points] = len(points), slots - 1
        self.used = end

    def _grow(self, points: Ints) -> None:
        """Give some points rings of twice the slots, with all that theirs hold."""
        mask = self.mask[points]
        for slots in np.unique(mask + 1).tolist():
            those = points[mask == slots - 1]
            self._move(those, slots, 2 * slots)
        if self.used > 1024 and self.used > 3 * int((self.mask[self.reach_ms > 0] + 1).sum()):
            self._close_up()

    def _move(self, points: Ints, held: int, slots: int) -> None:
        head = self.head[points]
        numbers = [head - 1 - back for back in range(held)]
        places = [self._place(points, number) for number in numbers]
        kept = [(self.at[place], self.value[place]) for place in places]
        self._lay(points, slots)
        for number, (at, value) in zip(numbers, kept, strict=True):
            place = self._place(points, number)
            self.at[place] = np.where(number >= 0, at, BEFORE)
            self.value[place] = value

    def _close_up(self) -> None:
        """Move all rings together, so that those left behind take no room."""
        at, value = self.at, self.value
        having = np.flatnonzero(self.reach_ms)
        base, stride, slots = self.base.copy(), self.stride.copy(), self.mask + 1
        self.used, self.at, self.value = 0, np.zeros(0, dtype=np.int64), np.zeros(0)
        for size in np.unique(slots[having]).tolist():
            points = having[slots[having] == size]
            self._lay(points, size)
            for slot in range(size):
                old, new = base[points] + slot * stride[points], self.base[points]
                new = new + slot * self.stride[points]
                self.at[new], self.value[new] = at[old], value[old]


def reaches(points: int, main: Ints, window_ms: Ints) -> Ints:
    """Return how far back each point is needed: twice the longest window of its rates, ms."""
    reach = np.zeros(points, dtype=np.int64)
    np.maximum.at(reach, main, np.maximum(2 * window_ms, 1))
    return reach


def comparable(at: Ints, window_ms: Ints, then: Ints, begin: Ints) -> Bools:
    """Return whether a rate may compare a value at `at` with one at `then`, all shape (rows,)."""
    fits: Bools = (then <= at - np.maximum(window_ms, 1)) & (then >= at - 2 * window_ms)
    fits &= then >= begin
    return fits


def _slots(values: int) -> int:
    return max(_LEAST, 1 << max(0, values - 1).bit_length())
