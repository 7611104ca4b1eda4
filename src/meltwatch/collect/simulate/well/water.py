"""The mould water: a pump against the moulds' resistance, and the heat that it carries away.

Pump head `H n^2 - a Q^2`, moulds `k Q^2`, a blocked strainer `b Q^2`; so the flow Q follows the
pump's speed n, and the pressure at the moulds the square of the flow.
"""

from __future__ import annotations

import math

from meltwatch.collect.simulate.chance import Wander
from meltwatch.collect.simulate.dynamics import approach, drive

FLOW_M3H = 180.0
MOULD_MPA = 0.20
HEAD_MPA = 0.35
MOULD_K = MOULD_MPA / FLOW_M3H**2
PUMP_A = (HEAD_MPA - MOULD_MPA) / FLOW_M3H**2
RUN_UP_S, RUN_DOWN_S = 10.0, 8.6
HEADER_TANK_M3H = 20.0
"""What the header tank still gives by gravity when the pump has tripped."""

RISE_C = 13.0
MIXING_S = 25.0
SOLIDIFYING_S = 15.0


class Water:
    """Flow, pressure and temperatures of the mould water."""

    def __init__(self, seed: int) -> None:
        """Begin with the pump at rest."""
        self.flow_m3h = 0.0
        self.in_c = 28.0
        self.rise_c = 0.0
        self._speed = 0.0
        self._heat = 0.0
        self._pump_wanders = Wander(seed, "water/pump", 0.003, 60.0)
        self._in_wanders = Wander(seed, "water/in", 0.6, 900.0)

    def step(self, *, wanted: bool, tripped: bool, flow_share: float, solidifying: float) -> None:
        """Go on by a second.

        `flow_share`: what a blocked strainer leaves of the flow. `solidifying`: metal turning
        solid, as a share of steady casting.
        """
        wander = self._pump_wanders.step()
        running = wanted and not tripped
        per_s = 1.0 / (RUN_UP_S if running else RUN_DOWN_S)
        self._speed = drive(self._speed, 1.0 if running else 0.0, per_s)
        strainer = (PUMP_A + MOULD_K) * (1.0 / flow_share**2 - 1.0)
        through = math.sqrt(HEAD_MPA / (PUMP_A + MOULD_K + strainer))
        pumped = self._speed * (1.0 + wander) * through
        self.flow_m3h = max(pumped, HEADER_TANK_M3H if wanted and tripped else 0.0)
        self._warm(solidifying)

    @property
    def pressure_mpa(self) -> float:
        """Return the pressure at the moulds, MPa."""
        return MOULD_K * self.flow_m3h**2

    def _warm(self, solidifying: float) -> None:
        self.in_c = 28.0 + self._in_wanders.step()
        self._heat = approach(self._heat, solidifying, SOLIDIFYING_S)
        slower = FLOW_M3H / max(self.flow_m3h, HEADER_TANK_M3H)
        self.rise_c = approach(self.rise_c, RISE_C * self._heat * slower, MIXING_S * slower)
