"""An estimate of the server's clock, from the `server_time` of its answers. Pure arithmetic.

Every answer gives one offset between the server's clock and our monotonic one, true within half
its round trip. The median of the late ones that were quick is followed: slowly while it is near, so
that time never stands or goes back, and at once when it is far (`STEP_MS`), which is told.
"""

from __future__ import annotations

from collections import deque
from statistics import median

STEP_MS = 2_000
"""Farther off than this the clock steps; nearer it is slewed."""
SLEW = 0.05
"""Of the time that passes, how much the offset may move."""
KEPT = 15
_SLACK_MS = 10


class ServerClock:
    """The server's time, ms UTC, by our monotonic clock, ms."""

    def __init__(self, wall_ms: int, monotonic_ms: int) -> None:
        """Begin with our own wall clock: it counts until the first answer."""
        self._offset: float = wall_ms - monotonic_ms
        self._wanted: float = self._offset
        self._seen_ms = monotonic_ms
        self._told: deque[tuple[int, float]] = deque(maxlen=KEPT)

    def hear(self, asked_ms: int, heard_ms: int, server_time: int) -> int:
        """Take an answer to what was asked at `asked_ms` and heard at `heard_ms` (monotonic).

        Returns by how many ms the clock has stepped: 0 but for a step; below 0 it went back.
        """
        round_trip = max(heard_ms - asked_ms, 0)
        self._told.append((round_trip, server_time - (asked_ms + heard_ms) / 2))
        quick = 2 * min(trip for trip, _ in self._told) + _SLACK_MS
        self._wanted = median(offset for trip, offset in self._told if trip <= quick)
        self._slew(heard_ms)
        off = self._wanted - self._offset
        if abs(off) <= STEP_MS:
            return 0
        self._offset = self._wanted
        return round(off)

    def now(self, monotonic_ms: int) -> int:
        """Return the server's time at an instant of our monotonic clock that does not go back."""
        self._slew(monotonic_ms)
        return int(monotonic_ms + self._offset)

    def _slew(self, monotonic_ms: int) -> None:
        most: float = SLEW * max(monotonic_ms - self._seen_ms, 0)
        self._seen_ms = max(self._seen_ms, monotonic_ms)
        self._offset += min(max(self._wanted - self._offset, -most), most)
