"""The water-cooled oxygen lance: flow in, flow out, and how warm the water comes back."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import approach, drive

FLOW_M3H, METERS_DIFFER_M3H = 220.0, 1.0
LEAK_GROWS_S = 20.0
COLD_C, BLOW_C, LEAK_C_PER_M3H = 31.0, 11.0, 1.6
HEATING_S, WATER_S = 25.0, 15.0


class Lance:
    """Water of the lance: flows in m3/h, return temperature in degC."""

    def __init__(self, seed: int) -> None:
        """Begin raised and cold."""
        self.in_m3h = FLOW_M3H
        self.leak_m3h = 0.0
        self.out_c = COLD_C
        self._heat = 0.0
        self._flow_wanders = Wander(seed, "lance/flow", 1.5, 120.0)
        self._cold_wanders = Wander(seed, "lance/cold", 0.5, 600.0)

    def step(self, *, down: bool, oxygen: bool, leak_m3h: float) -> None:
        """Go on by a second; `leak_m3h`: how far the leak would grow."""
        self.in_m3h = FLOW_M3H + self._flow_wanders.step()
        per_s = max(leak_m3h, self.leak_m3h) / LEAK_GROWS_S
        self.leak_m3h = drive(self.leak_m3h, leak_m3h, per_s) if leak_m3h else 0.0
        heating = (1.0 if oxygen else 0.9) if down else 0.0
        self._heat = approach(self._heat, heating, HEATING_S)
        warmed = self._heat * (BLOW_C + LEAK_C_PER_M3H * self.leak_m3h)
        self.out_c = approach(self.out_c, COLD_C + self._cold_wanders.step() + warmed, WATER_S)

    @property
    def out_m3h(self) -> float:
        """Return what comes back of the water, m3/h."""
        return self.in_m3h - METERS_DIFFER_M3H - self.leak_m3h
