"""The burner gas of the holding furnace."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import drive

GAS_KPA = 8.0
FALLS_KPA_S, RISES_KPA_S = 0.375, 1.0


class Gas:
    """The gas pressure at the burners, kPa."""

    def __init__(self, seed: int) -> None:
        """Begin at the set pressure."""
        self.pressure_kpa = GAS_KPA
        self._supply_kpa = GAS_KPA
        self._wanders = Wander(seed, "gas", 0.1, 90.0)

    def step(self, left_kpa: float | None) -> None:
        """Go on by a second; `left_kpa`: what a failed supply still gives."""
        target = GAS_KPA if left_kpa is None else left_kpa
        per_s = FALLS_KPA_S if target < self._supply_kpa else RISES_KPA_S
        self._supply_kpa = drive(self._supply_kpa, target, per_s)
        self.pressure_kpa = self._supply_kpa * (1.0 + self._wanders.step() / GAS_KPA)
