"""A point as a step function over sample time: its value, and whether it is known.

A good or uncertain sample sets the value from its instant on; a bad one sets none. The point is
unknown from `at of its last value + stale_s` unless a newer value has come at or before that
instant. It is *blind* inside an open hole of its source: nothing is known to have come or not,
so what is decided there is marked, while staleness and gates go on as sample time tells them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from enum import IntEnum
from itertools import groupby

import msgspec

from meltwatch.model.quality import Quality

Order = tuple[str, int, int]
"""What was sent later is greater: (epoch, frame number, row)."""


class Turn(IntEnum):
    """What can happen to a signal at an instant."""

    VALUE = 0
    UNKNOWN = 1
    BLIND = 2
    AFRESH = 3


Sample = tuple[int, Order, float, int]
"""(instant, order, value, quality)."""

Event = tuple[int, Turn, float]
"""(instant, turn, value); the value counts for `VALUE` only."""


class Signal(msgspec.Struct):
    """The state of a point up to its frontier, and the samples that wait beyond it.

    `last`: instant of the last value, or the source's first instant (None before either).
    """

    stale_ms: int | None
    last: int | None = None
    value: float | None = None
    unknown: bool = False
    blind: bool = False
    waiting: list[Sample] = []

    def clone(self) -> Signal:
        """Return a copy that shares nothing that changes."""
        twin = copy.copy(self)
        twin.waiting = self.waiting.copy()
        return twin

    def begin(self, first: int) -> None:
        """Count a point never seen as last seen at the source's first instant."""
        if self.last is None:
            self.last = first

    def advance(self, frontier: int, *, stale: bool = True) -> list[Event]:
        """Return what happens up to and including `frontier`, in order.

        `stale` False leaves staleness out (for a look ahead in which silence proves nothing).
        """
        events: list[Event] = []
        due = sorted(sample for sample in self.waiting if sample[0] <= frontier)
        if due:
            self.waiting = [sample for sample in self.waiting if sample[0] > frontier]
        for at, told in groupby(due, key=lambda sample: sample[0]):
            value = ruling(told)
            if value is None:
                continue
            if stale:
                self._grow_stale(at - 1, events)
            self.last, self.value, self.unknown, self.blind = at, value, False, False
            events.append((at, Turn.VALUE, value))
        if stale:
            self._grow_stale(frontier, events)
        return events

    def _grow_stale(self, until: int, events: list[Event]) -> None:
        """Become unknown if the last value is too old at or before `until`."""
        if self.unknown or self.stale_ms is None or self.last is None:
            return
        if self.last + self.stale_ms <= until:
            self.unknown = True
            events.append((self.last + self.stale_ms, Turn.UNKNOWN, 0.0))


def ruling(told: Iterable[Sample]) -> float | None:
    """Return the value that samples of one instant give, in the order sent; None: no value.

    The later sent rules. Equal values are one sample: the value counts if any of them is not bad.
    """
    samples = list(told)
    _, _, value, quality = samples[-1]
    if quality & Quality.BAD and not any(
        other == value and not grade & Quality.BAD for _, _, other, grade in samples
    ):
        return None
    return value
