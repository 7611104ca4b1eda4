"""CO over three detectors: a source, how much of it drifts to each, how late and how slowly."""

from __future__ import annotations

from collections import deque

import msgspec

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import approach

TAPPING_PPM = 10.0
"""What a tapping gives off, at the source: seen by the detectors, far from any limit."""


class Place(msgspec.Struct, frozen=True):
    """Where a detector hangs: its clean air, ppm; its share of the source; drift and lag, s."""

    clean_ppm: float
    share: float
    drift_s: int
    lag_s: float


PLACES = {
    "co_a": Place(3.0, 0.60, 10, 60.0),
    "co_b": Place(4.0, 0.96, 5, 40.0),
    "co_c": Place(2.5, 0.75, 20, 40.0),
}
FARTHEST_S = max(place.drift_s for place in PLACES.values())


class Monoxide:
    """CO at each detector, ppm."""

    def __init__(self, seed: int) -> None:
        """Begin in clean air."""
        self.ppm = {name: place.clean_ppm for name, place in PLACES.items()}
        self._source = deque([0.0] * (FARTHEST_S + 1), maxlen=FARTHEST_S + 1)
        self._wanders = {name: Wander(seed, f"monoxide/{name}", 0.2, 120.0) for name in PLACES}

    def step(self, source_ppm: float) -> None:
        """Go on by a second with what the source gives off now, ppm."""
        self._source.append(source_ppm)
        for name, place in PLACES.items():
            clean = place.clean_ppm + self._wanders[name].step()
            arriving = clean + place.share * self._source[-1 - place.drift_s]
            self.ppm[name] = approach(self.ppm[name], arriving, place.lag_s)
