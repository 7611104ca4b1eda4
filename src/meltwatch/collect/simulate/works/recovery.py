"""Converter gas: its oxygen, and the holder that it fills while consumers empty it."""

from __future__ import annotations

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import approach, limit

AIR_PERCENT, BLOW_PERCENT = 20.9, 0.3
DUCT_S, MIXING_S = 10, 15.0
FILLS_PERCENT_S, TAKEN_PERCENT_S, TAKEN_MORE_PER_S, HELD_PERCENT = 0.05, 0.019, 0.0004, 50.0


class Recovery:
    """Oxygen in the gas, %, and the level of the holder, %."""

    def __init__(self, seed: int) -> None:
        """Begin with air in the duct and the holder half full."""
        self.o2_percent = AIR_PERCENT
        self.level_percent = HELD_PERCENT
        self._without_oxygen_s = DUCT_S
        self._o2_wanders = Wander(seed, "recovery/o2", 0.04, 30.0)
        self._taken_wanders = Wander(seed, "recovery/taken", 0.002, 300.0)

    def blow(self, *, oxygen: bool) -> None:
        """Go on by a second; with oxygen on, CO leaves the mouth, else air enters, a duct later."""
        self._without_oxygen_s = 0 if oxygen else self._without_oxygen_s + 1
        burning = self._without_oxygen_s < DUCT_S
        wander = self._o2_wanders.step()
        target = max(0.05, BLOW_PERCENT + wander) if burning else AIR_PERCENT
        self.o2_percent = approach(self.o2_percent, target, MIXING_S)

    def hold(self, *, fed: bool, inlet: bool, outlet: bool, surge: float, consumers: bool) -> None:
        """Go on by a second: what flows in (`surge` besides, %/s) less what is taken."""
        flowing = (FILLS_PERCENT_S if fed else 0.0) + surge if inlet else 0.0
        asked = TAKEN_PERCENT_S + TAKEN_MORE_PER_S * (self.level_percent - HELD_PERCENT)
        taken = max(0.0, asked + self._taken_wanders.step()) if outlet and consumers else 0.0
        self.level_percent = limit(self.level_percent + flowing - taken, 0.0, 100.0)
