"""The blast furnace's top pressure, with burden slips and a relief valve."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import Wander, chance
from meltwatch.collect.simulate.dynamics import approach

TOP_KPA, RELIEVED_KPA = 180.0, 110.0
CONTROL_S, RELIEF_S = 20.0, 5.0
SLIPS_PER_S, SLIP_KPA = 1.0 / 1_200.0, (5.0, 20.0)


class Top:
    """The gas pressure at the furnace top, kPa."""

    def __init__(self, seed: int) -> None:
        """Begin at the set pressure."""
        self.pressure_kpa = TOP_KPA
        self._chance = chance(seed, "top/slips")
        self._wanders = Wander(seed, "top", 1.0, 60.0)

    def step(self, *, relief: bool) -> None:
        """Go on by a second; now and then the burden slips, and control takes the bump away."""
        target = TOP_KPA + self._wanders.step()
        slips, slip_kpa = self._chance.random() < SLIPS_PER_S, self._chance.uniform(*SLIP_KPA)
        if slips and self.pressure_kpa < TOP_KPA + 10.0:
            self.pressure_kpa += slip_kpa
        if relief:
            self.pressure_kpa = approach(self.pressure_kpa, RELIEVED_KPA, RELIEF_S)
        else:
            self.pressure_kpa = approach(self.pressure_kpa, target, CONTROL_S)
