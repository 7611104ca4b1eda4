"""The stages of a heat in the converter; planned changes fall on the samples of `blowing`."""

from __future__ import annotations

from enum import IntEnum

from meltwatch.collect.simulate.chance import chance


class Stage(IntEnum):
    """What the converter is doing."""

    CHARGING = 0
    BLOWING = 1
    TAPPING = 2
    STOPPED = 3


BLOWING_PERIOD_S = 5
LASTS_S = {
    Stage.CHARGING: (300, 420),
    Stage.BLOWING: (840, 960),
    Stage.TAPPING: (480, 660),
    Stage.STOPPED: (300, 300),
}
FOLLOWS = {
    Stage.CHARGING: Stage.BLOWING,
    Stage.BLOWING: Stage.TAPPING,
    Stage.TAPPING: Stage.CHARGING,
    Stage.STOPPED: Stage.TAPPING,
}


class Heat:
    """The stage, since when it stands and until when it is planned, seconds."""

    def __init__(self, seed: int) -> None:
        """Begin charging, a minute before the blow."""
        self._chance = chance(seed, "heat")
        self.stage = Stage.CHARGING
        self.since_s, self.until_s = 0, 60

    def step(self, now_s: int, *, ready: bool) -> None:
        """Change the stage if its time has come; without `ready` no stopped blow is resolved."""
        if now_s % BLOWING_PERIOD_S or now_s < self.until_s:
            return
        if ready or self.stage not in {Stage.CHARGING, Stage.STOPPED}:
            self._enter(FOLLOWS[self.stage], now_s)

    def stop(self, now_s: int) -> None:
        """Stop the blow at once."""
        if self.stage is Stage.BLOWING:
            self._enter(Stage.STOPPED, now_s)

    def _enter(self, stage: Stage, now_s: int) -> None:
        self.stage, self.since_s = stage, now_s
        self.until_s = now_s + self._chance.randint(*LASTS_S[stage])
