"""The clocks of a played story: all who live in one telling live by the same one.

`Pace` goes as fast as the machine's clock, but is wound up by the loop: a stall of the whole
process, on a machine that others use too, passes as `MOST_STEP_MS` and no more, for everybody
alike. What takes long by itself (a disk, a request, a lane that backs off) still takes its time.
`StoryClock` is the story's wall clock: it runs `speed` times as fast, from the story's start to
its end, and stands before and behind.
"""

from __future__ import annotations

import asyncio

from meltwatch.clock import Clock, SystemClock

WIND_S = 0.002
MOST_STEP_MS = 10


class Pace:
    """A clock that a task winds up; it stands until `go`."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Begin at 0."""
        self._clock = clock or SystemClock()
        self._passed_ms = 0
        self.stalled_ms = 0
        """How much of the machine's time did not count."""

    async def go(self) -> None:
        """Wind until cancelled."""
        before = self._clock.monotonic_ms()
        while True:
            await asyncio.sleep(WIND_S)
            now = self._clock.monotonic_ms()
            step = min(now - before, MOST_STEP_MS)
            self._passed_ms += step
            self.stalled_ms += now - before - step
            before = now

    def monotonic_ms(self) -> int:
        """Return how much time has passed, ms."""
        return self._passed_ms

    def wall_ms(self) -> int:
        """Return the same: a played server has no wall clock of its own."""
        return self._passed_ms


class StoryClock:
    """The story's own time, ms UTC: `start` until the pace goes, `until` at its end."""

    def __init__(self, pace: Pace, start: int, until: int, speed: float) -> None:
        """Run `speed` times as fast as the pace."""
        self._pace = pace
        self._start = start
        self._until = until
        self._speed = speed

    def wall_ms(self) -> int:
        """Return the story's instant, ms UTC."""
        passed = round(self._pace.monotonic_ms() * self._speed)
        return min(self._start + passed, self._until)

    def monotonic_ms(self) -> int:
        """Return the same: in a story nobody sets the clock."""
        return self.wall_ms()
