"""The phases of a cast, as a machine: which follows which, and when.

Planned changes fall on the seconds at which the phase is sampled; an abort falls when it falls.
"""

from __future__ import annotations

from enum import IntEnum

from meltwatch.collect.simulate.chance import chance


class Phase(IntEnum):
    """The values of the point `phase`."""

    IDLE = 0
    PREPARING = 1
    START_UP = 2
    CASTING = 3
    ENDING = 4
    ABORTED = 5


PHASE_PERIOD_S = 5
LEAST_S = {Phase.PREPARING: 180, Phase.START_UP: 150, Phase.ENDING: 180, Phase.ABORTED: 480}
FOLLOWS = {
    Phase.IDLE: Phase.PREPARING,
    Phase.PREPARING: Phase.START_UP,
    Phase.START_UP: Phase.CASTING,
    Phase.CASTING: Phase.ENDING,
    Phase.ENDING: Phase.IDLE,
    Phase.ABORTED: Phase.IDLE,
}
NEEDS_READINESS = frozenset({Phase.IDLE, Phase.ABORTED})


class Cast:
    """The phase, since when it stands, and how long this cast's ingot shall be."""

    def __init__(self, seed: int) -> None:
        """Begin idle, a minute before the next cast."""
        self._chance = chance(seed, "cast")
        self.phase = Phase.IDLE
        self.since_s = 0
        self.length_mm = self._length_mm()
        self._idle_s = 60

    def step(self, now_s: int, platform_mm: float, *, ready: bool) -> None:
        """Change the phase if its time has come; `ready`: water, gas and trips stand for a cast."""
        if now_s % PHASE_PERIOD_S or not self._is_over(now_s, platform_mm):
            return
        if ready or self.phase not in NEEDS_READINESS:
            self._enter(FOLLOWS[self.phase], now_s)

    def abort(self, now_s: int) -> None:
        """End the cast at once."""
        self._enter(Phase.ABORTED, now_s)

    def has_stood_s(self, now_s: int) -> int:
        """Return for how long the phase has stood, seconds."""
        return now_s - self.since_s

    def _is_over(self, now_s: int, platform_mm: float) -> bool:
        if self.phase is Phase.CASTING:
            return platform_mm >= self.length_mm
        return self.has_stood_s(now_s) >= LEAST_S.get(self.phase, self._idle_s)

    def _enter(self, phase: Phase, now_s: int) -> None:
        self.phase, self.since_s = phase, now_s
        if phase is Phase.IDLE:
            self._idle_s = self._chance.randint(600, 900)
            self.length_mm = self._length_mm()

    def _length_mm(self) -> float:
        return self._chance.uniform(6_800.0, 7_400.0)
