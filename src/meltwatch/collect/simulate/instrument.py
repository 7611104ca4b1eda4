"""An instrument: a true value in, a reading out, with its noise, span and resolution."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import chance
from meltwatch.collect.simulate.dynamics import limit
from meltwatch.collect.simulate.point import SimPoint


class Instrument:
    """One point's instrument; its noise is its own."""

    def __init__(self, point: SimPoint, seed: int) -> None:
        """Take the point's figures, and a generator of the plant's seed."""
        self.point = point
        self._chance = chance(seed, f"instrument/{point.name}")

    def read(self, truth: float) -> float:
        """Return the reading of a true value, in the point's unit; a state is told as it is."""
        point = self.point
        if point.type == "int":
            return float(truth)
        noisy = truth + point.noise * self._chance.gauss(0.0, 1.0)
        held = limit(noisy, *point.span)
        return round(round(held / point.resolution) * point.resolution, 6)
