"""A kind, a seed and a start -> rows of samples, in event time.

The plant goes in steps of one second from its start on: physics, instruments, the plant's own
logic, samples. How `advance` cuts time changes nothing. Nobody here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from meltwatch.collect.simulate.accident import Accident, Live, check
from meltwatch.collect.simulate.instrument import Instrument
from meltwatch.collect.simulate.point import Kind, points
from meltwatch.collect.simulate.well.plant import Well
from meltwatch.collect.simulate.works.plant import Works
from meltwatch.model.ids import PointCode
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row


class Model(Protocol):
    """A plant's physics and logic, second by second; values in the points' units."""

    def step(self, now_s: int, live: Live) -> None:
        """Go on by a second, to `now_s`."""

    def truth(self) -> dict[str, float]:
        """Return the true value of every point."""

    def control(self, now_s: int, read: dict[str, float], live: Live) -> None:
        """Let the plant's own logic act on what the instruments read."""


class Simulator:
    """A plant that goes on as far as it is told to; equal seeds and accidents give equal rows."""

    def __init__(
        self, kind: Kind, seed: int, start_ms: int, accidents: Iterable[Accident] = ()
    ) -> None:
        """Begin a plant whose first samples are at `start_ms`, ms UTC.

        Raises AccidentRefused when an accident does not fit the plant.
        """
        self.kind, self.start_ms = kind, start_ms
        self._told_s = -1
        self._accidents: list[Accident] = []
        self._model: Model = Well(seed) if kind == "dc-fixed" else Works(seed)
        self._instruments = [Instrument(point, seed) for point in points(kind)]
        for accident in accidents:
            self.schedule(accident)

    @property
    def told_s(self) -> int:
        """Return the last second of the plant that has been told; -1: none."""
        return self._told_s

    def schedule(self, accident: Accident) -> None:
        """Make something happen later than what has been told.

        Raises AccidentRefused when it does not fit the plant or lies in the past; nothing changes.
        """
        check(accident, self.kind, self._told_s)
        self._accidents.append(accident)

    def advance(self, to_ms: int) -> list[Row]:
        """Return the samples not told yet, up to and including `to_ms`, in time order."""
        rows = list[Row]()
        while self.start_ms + (self._told_s + 1) * SECOND_MS <= to_ms:
            self._told_s += 1
            rows += self._second(self._told_s)
        return rows

    def _second(self, now_s: int) -> list[Row]:
        live = Live(self._accidents, now_s)
        self._model.step(now_s, live)
        read = self._read(live)
        self._model.control(now_s, read, live)
        silent = live.silent()
        at = self.start_ms + now_s * SECOND_MS
        return [
            (PointCode(one.point.name), at, read[one.point.name], int(Quality.GOOD))
            for one in self._instruments
            if now_s % one.point.period_s == 0 and one.point.name not in silent
        ]

    def _read(self, live: Live) -> dict[str, float]:
        """Return every reading; all are read each second, as the plant's logic does."""
        truth = self._model.truth()
        read = {one.point.name: one.read(truth[one.point.name]) for one in self._instruments}
        return read | live.held()
