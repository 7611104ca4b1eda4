"""The platform that carries the ingot down, and its two ropes."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import approach, drive
from meltwatch.collect.simulate.well.cast import Phase

CASTING_MM_S = 2.0
PLATFORM_KN, INGOT_KN_PER_MM, SLACK_KN = 50.0, 0.01, 10.0
RIGHT_SLACK_AFTER_MM, LEFT_SLACK_AFTER_MM = 12.0, 15.0
UNLOADED_AFTER_S, RETURNS_AFTER_S, RETURNS_MM_S = 120, 180, 25.0


class Hoist:
    """The platform's way down, mm, its speed, mm/s, and the ingot on it, mm."""

    def __init__(self, seed: int) -> None:
        """Begin at the top, empty."""
        self.platform_mm = 0.0
        self.speed_mm_s = 0.0
        self.ingot_mm = 0.0
        self._stuck_at_mm: float | None = None
        self._speed_wanders = Wander(seed, "hoist/speed", 0.01, 30.0)
        self._tilt_wanders = Wander(seed, "hoist/tilt", 0.004, 120.0)

    def step(self, phase: Phase, stood_s: int, *, stuck: bool) -> None:
        """Go on by a second; `stuck`: the starter head does not follow the platform."""
        wander = 1.0 + self._speed_wanders.step()
        self._tilt_wanders.step()
        if phase is Phase.IDLE:
            self._return(stood_s)
        else:
            target = _wanted_mm_s(phase, stood_s) * wander
            self.speed_mm_s = approach(self.speed_mm_s, target, 2.0)
            self.platform_mm += self.speed_mm_s
            self.ingot_mm += 0.0 if stuck else self.speed_mm_s
        if not stuck:
            self._stuck_at_mm = None
        elif self._stuck_at_mm is None:
            self._stuck_at_mm = self.platform_mm

    def ropes_kn(self) -> tuple[float, float]:
        """Return the forces in the left and the right rope, kN."""
        carried = PLATFORM_KN + INGOT_KN_PER_MM * self.ingot_mm
        tilt = carried * self._tilt_wanders.value
        slack = 0.0 if self._stuck_at_mm is None else self.platform_mm - self._stuck_at_mm
        return (
            _slackened(carried + tilt, slack / LEFT_SLACK_AFTER_MM),
            _slackened(carried - tilt, slack / RIGHT_SLACK_AFTER_MM),
        )

    def _return(self, stood_s: int) -> None:
        self.speed_mm_s = 0.0
        if stood_s >= UNLOADED_AFTER_S:
            self.ingot_mm = 0.0
        if stood_s >= RETURNS_AFTER_S:
            self.platform_mm = drive(self.platform_mm, 0.0, RETURNS_MM_S)


def _wanted_mm_s(phase: Phase, stood_s: int) -> float:
    match phase:
        case Phase.START_UP:
            return CASTING_MM_S / 2 if stood_s >= 80 else 0.0
        case Phase.CASTING:
            return CASTING_MM_S
        case Phase.ENDING:
            return CASTING_MM_S / 2 if stood_s < 60 else 0.0
        case _:
            return 0.0


def _slackened(force_kn: float, share: float) -> float:
    return force_kn + (SLACK_KN - force_kn) * min(share, 1.0)
