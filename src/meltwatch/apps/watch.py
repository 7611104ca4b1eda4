"""When the next tick is due, on the clocks that each kind of waiting belongs to.

`offline` is due by the receiver's monotonic clock, so that no jump of the wall clock makes a
gateway look gone; across a restart the wall clock has to do. Everything else waits for the wall
clock.
"""

from __future__ import annotations

from meltwatch.clock import Clock
from meltwatch.journey import Journey
from meltwatch.model.ids import SourceId
from meltwatch.model.log import TickRecord


class Watch:
    """Turns what a journey waits for into ticks."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing watched."""
        self.clock = clock
        self._offline: dict[SourceId, tuple[int, int]] = {}

    def due_ticks(self, journey: Journey) -> list[TickRecord]:
        """Return the ticks that are due now, in order."""
        wall, monotonic = self.clock.wall_ms(), self.clock.monotonic_ms()
        self._look(journey, wall, monotonic)
        ticks = [
            TickRecord(at=due, offline=(source,))
            for source, (due, at) in self._offline.items()
            if at <= monotonic
        ]
        wake = journey.wake_at()
        if wake is not None and wake <= wall:
            ticks.append(TickRecord(at=wake))
        return sorted(ticks, key=lambda tick: tick.at)

    def sleep_ms(self, journey: Journey) -> int | None:
        """Return how long nothing is due, ms; None: nothing is waited for."""
        wall, monotonic = self.clock.wall_ms(), self.clock.monotonic_ms()
        self._look(journey, wall, monotonic)
        waits = [at - monotonic for _, at in self._offline.values()]
        wake = journey.wake_at()
        if wake is not None:
            waits.append(wake - wall)
        return max(min(waits), 0) if waits else None

    def _look(self, journey: Journey, wall: int, monotonic: int) -> None:
        """Note on the monotonic clock when a source would be offline, once for each advance."""
        dues = journey.offline_due()
        self._offline = {
            source: known
            if (known := self._offline.get(source)) is not None and known[0] == due
            else (due, monotonic + due - wall)
            for source, due in dues.items()
        }
