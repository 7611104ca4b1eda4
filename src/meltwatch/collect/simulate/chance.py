"""Every random number of a simulated plant, from its seed.

Each user of chance has a generator of its own, named: an accident in one place shifts no noise in
another, so that a plant with an accident equals the calm one up to the accident.
"""

from __future__ import annotations

import math
import random


def chance(seed: int, name: str) -> random.Random:
    """Return the generator of one user of chance."""
    return random.Random(f"{seed}/{name}")  # noqa: S311  # a plant to be repeated, no secret


class Wander:
    """A quantity that drifts about zero: a first-order lag fed with noise."""

    def __init__(self, seed: int, name: str, spread: float, tau_s: float) -> None:
        """Begin at zero; `spread` is the standard deviation, `tau_s` the memory."""
        self.value = 0.0
        self._chance = chance(seed, name)
        self._keep = 1.0 - 1.0 / tau_s
        self._kick = spread * math.sqrt(2.0 / tau_s)

    def step(self) -> float:
        """Go on by a second; return the value, in the unit of the spread."""
        self.value = self.value * self._keep + self._kick * self._chance.gauss(0.0, 1.0)
        return self.value
